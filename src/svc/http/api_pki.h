/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What the handlers of keys, requests, certificates and trust share. */

#include "pki/cert.h"
#include "store/ca_rows.h"
#include "store/key_rows.h"
#include "svc/http/api.h"

/* A file as a member of the body: PEM as it is, anything else in base64. Appends its octets; a problem
 * with the member if it is neither. */
int api_file(struct http_request *q, const char *member, struct buf *out) MUST_CHECK;

/* The certificates of such a file: PEM, DER or PKCS #7; at least one. */
int api_file_certs(struct http_request *q, const char *member, struct cert_list *ret_list) MUST_CHECK;

/* The answer of an authority: the certificates of "certificate", behind them those of "chain" if that is
 * there. */
int api_file_answer(struct http_request *q, struct cert_list *ret_list) MUST_CHECK;

/* What there is to say of a certificate, as members of the object. */
void api_set_cert(json_t *object, const struct cert *cert);

/* What was found doubtful, as "warnings" of an answer; none without any. */
struct check_list;
void api_set_warnings(json_t *object, const struct check_list *checks);

/* A file for the client as members "file" and "encoding": text, or base64. */
void api_set_file(json_t *object, struct span octets, bool is_text);

/* A reason to revoke for, by its name in that member or parameter; unspecified where it is not there. */
int api_reason(struct http_request *q, const char *member, struct span text,
	enum issued_reason *ret_reason) MUST_CHECK;

/* Whether a text can be an alias. */
enum { ALIAS_MAX = 64 };
bool api_is_alias(struct span text);

/* An alias stands in paths and on command lines: a problem unless it is made of letters, digits, "-",
 * "_" and "."; an empty one passes. */
int api_check_alias(struct http_request *q, struct span alias) MUST_CHECK;

/* The start of a digest as the alias of what was given none. In the arena. */
struct span api_alias_of(struct http_request *q, struct span octets);

/* What is looked up before a key is made or used outside of a transaction. */
struct pki_look_up {
	struct http_request *q;
	struct span key_alias;  /* which key is wanted; empty: the newest for TLS */
	bool wants_key;
	struct span cert_alias; /* which certificate; empty: the newest in use, else the newest */
	bool wants_cert;

	struct store_domain domain;
	struct store_key key;
	struct store_cert cert;
	struct span *names;     /* the domain and its aliases */
	size_t n_names;
};

/* Reads the domain of parameter 0, its names and what is wanted, into the arena. A problem if
 * something does not exist. */
int pki_look_up(struct pki_look_up *l) MUST_CHECK;

/* The same within a transaction. */
int pki_look_up_in(struct store_conn *c, struct pki_look_up *l) MUST_CHECK;
