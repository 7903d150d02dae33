/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * One HTTP request of ours to somebody else's server: ACME, revocation lists and answers, policies.
 * It blocks, so it belongs on a worker of env->blocking. Every bound is the caller's and holds
 * while the answer arrives. No proxies, cookies, passwords or settings from the environment.
 */

#include "base/buf.h"
#include "base/err.h"

#include <stdatomic.h>

enum fetch_scheme { FETCH_HTTP = 1, FETCH_HTTPS = 2 };

enum {
	FETCH_URL_MAX = 2048,   /* octets of a URL */
	FETCH_FIELDS_MAX = 8,   /* header fields that are wanted */
	FETCH_FIELD_MAX = 1024, /* octets of such a field's value; a longer one counts as absent */
	FETCH_HEADER_MAX = 32768, /* octets of an answer's header, with those of redirections */
};

struct fetch {
	const char *url;            /* without user name and password */
	unsigned schemes;           /* which may be used, enum fetch_scheme or'ed */

	const char *method;         /* NULL: GET, or POST with a body */
	const char *content_type;   /* of the body; NULL: none is sent */
	const char *accept;         /* NULL: none is sent */
	struct span body;           /* .p NULL: none */

	unsigned timeout_ms;        /* for all of it */
	size_t max_octets;          /* of the answer's body */
	unsigned max_redirects;     /* followed for GET and HEAD, within the URL's own scheme */

	/* Whom an HTTPS server's certificate must come from. Nobody else is trusted: empty trusts
	 * nobody. */
	struct span trust_pem;

	/* Also addresses that are not public: loopback, private, link-local. false for every URL
	 * that came from outside (in a certificate, a message), where it would be a way into the
	 * network behind us. Asked of each address that is connected to, after names were
	 * resolved. */
	bool private_too;

	const atomic_bool *stop; /* ends the fetch within a second once it is true; may be NULL */

	const char *fields[FETCH_FIELDS_MAX + 1]; /* names wanted of the answer's header */
};

struct fetched {
	unsigned status;
	struct buf body;
	char *url;                      /* that answered: another one after redirections */
	char *fields[FETCH_FIELDS_MAX]; /* as asked for, the first of several; NULL: not there */
};

/* The answer, whatever its status. REFUSED: not a URL or an address that may be asked; UNREACHABLE:
 * no connection, TLS or HTTP that holds, in time; TOO_LARGE: the answer is. With why. */
enum fetch_outcome { FETCH_E_REFUSED = 1, FETCH_E_UNREACHABLE, FETCH_E_TOO_LARGE };
int fetch(const struct fetch *f, struct fetched *ret_fetched, struct why *why) MUST_CHECK;
void fetched_done(struct fetched *f);

/* Whether fetch would take the URL: absolute, of one of the schemes, no password, not too long. */
bool fetch_url_fits(const char *url, unsigned schemes);

/* Whether two URLs are of one origin (RFC 6454 section 4): scheme, host and port are the same. */
bool fetch_url_same_origin(const char *a, const char *b);
