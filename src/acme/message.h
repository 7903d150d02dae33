/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What an ACME server says (RFC 8555 section 7.1, RFC 9773), read strictly: sizes are bounded, URLs
 * are https, tokens are base64url, and members we do not use are not looked at. Texts live in the
 * arena. And what we say to it: payloads.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum {
	ACME_JSON_MAX = 256 * 1024,  /* octets of an answer that is JSON */
	ACME_CHAIN_MAX = 512 * 1024, /* of one that is a certificate with its chain */
	ACME_NAMES_MAX = 100,        /* of an order */
	ACME_URL_MAX = 2048,
	ACME_TOKEN_MAX = 256,
	ACME_DETAIL_MAX = 300,       /* octets of what a server says went wrong that are kept */
};

/* MALFORMED: not what the standard says, with why. */
enum acme_message_outcome { ACME_E_MALFORMED = 1 };

struct acme_directory {
	const char *new_nonce;
	const char *new_account;
	const char *new_order;
	const char *renewal_info; /* NULL: RFC 9773 is not offered */
	const char *terms;        /* NULL: none */
	bool binding_required;    /* external account binding */
};
int acme_directory_read(struct arena *a, struct span json, struct acme_directory *ret_directory,
	struct why *why) MUST_CHECK;

/* RFC 7807 as used by RFC 8555 section 6.7. What cannot be read is ACME_PROBLEM_OTHER. */
enum acme_problem_kind {
	ACME_PROBLEM_OTHER,
	ACME_PROBLEM_NONCE,            /* badNonce: again with the new one */
	ACME_PROBLEM_RATE,             /* rateLimited: later */
	ACME_PROBLEM_ACCOUNT,          /* accountDoesNotExist: it is to be made again */
	ACME_PROBLEM_REPLACED,         /* alreadyReplaced (RFC 9773): without "replaces" */
	ACME_PROBLEM_BINDING,          /* externalAccountRequired */
	ACME_PROBLEM_TERMS,            /* userActionRequired */
};
struct acme_problem {
	enum acme_problem_kind kind;
	char text[ACME_DETAIL_MAX + 100]; /* "rateLimited: too many ...", printable, for people */
};
void acme_problem_read(struct span json, struct acme_problem *ret_problem);

enum acme_status {
	ACME_PENDING,
	ACME_READY,
	ACME_PROCESSING,
	ACME_VALID,
	ACME_INVALID, /* and deactivated, expired, revoked */
};

struct acme_order {
	enum acme_status status;
	const char *const *authorizations;
	size_t n_authorizations;
	const char *finalize;
	const char *certificate;   /* NULL: not yet */
	bool has_problem;
	struct acme_problem problem;
};
int acme_order_read(struct arena *a, struct span json, struct acme_order *ret_order,
	struct why *why) MUST_CHECK;

enum acme_challenge { ACME_HTTP_01, ACME_TLS_ALPN_01, ACME_DNS_01, ACME_CHALLENGES };

/* "http-01", ... */
extern const char *const acme_challenge_names[ACME_CHALLENGES];
bool acme_challenge_parse(struct span name, enum acme_challenge *ret_challenge);

struct acme_authorization {
	enum acme_status status;
	const char *name;          /* without "*." */
	bool wildcard;
	struct {
		const char *url;   /* NULL: this kind is not offered */
		const char *token;
		enum acme_status status;
	} challenges[ACME_CHALLENGES];
	bool has_problem;          /* of the challenge that failed */
	struct acme_problem problem;
};
int acme_authorization_read(struct arena *a, struct span json,
	struct acme_authorization *ret_authorization, struct why *why) MUST_CHECK;

/* RFC 9773 section 4.2. */
struct acme_renewal_info {
	int64_t start_us;
	int64_t end_us;
	const char *explanation; /* a URL, or NULL */
};
int acme_renewal_info_read(struct arena *a, struct span json, struct acme_renewal_info *ret_info,
	struct why *why) MUST_CHECK;

/* Whether a text is an https URL as we take them from a server, a nonce (RFC 8555 section
 * 6.5.1). */
bool acme_url_fits(const char *url);
bool acme_nonce_fits(const char *nonce);

/* What is said. contacts: addresses with a comma between. binding: of jws_add_binding, n 0:
 * none. */
void acme_account_print(struct span contacts, bool terms_agreed, struct span binding,
	struct buf *out);
void acme_order_print(const struct span *names, size_t n_names, struct span replaces,
	struct buf *out);
void acme_finalize_print(struct span request_der, struct buf *out);
