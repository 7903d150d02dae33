/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What an operator says about TLS: a table of settings. Values are given for the server, for one
 * listener, or for one domain; a domain's win over its listener's, these over the server's, field
 * by field. What a policy means to the crypto library is net/tls_rules.h's.
 */

#include "base/conf.h"

enum tls_version { TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3, TLS_VERSIONS };

enum tls_log { TLS_LOG_OFF, TLS_LOG_FAILURES, TLS_LOG_HANDSHAKES, TLS_LOG_DETAILS };

struct tls_policy {
	unsigned oldest, newest;   /* enum tls_version */
	char *ciphers;             /* TLS 1.2; empty: the recommended ones */
	char *suites;              /* TLS 1.3, likewise */
	char *groups;              /* likewise */
	bool cbc;                  /* CBC suites for TLS 1.0 and 1.1 */
	bool weak_ciphers;         /* suites below 128 bits for these */
	bool sslv2_hello;
	bool sni;
	bool tickets;
	bool client_abort;         /* a bad client certificate ends the handshake */
	uint64_t session_lifetime; /* seconds; 0: no resumption */
	unsigned log;              /* enum tls_log */
};

enum { TLS_POLICY_ROWS = 13 };
extern const struct conf_row tls_policy_rows[TLS_POLICY_ROWS];

/* "1.2" */
const char *tls_version_name(enum tls_version version);

/* All at their defaults, which are those of RFC 9325. */
void tls_policy_init(struct tls_policy *p);
void tls_policy_done(struct tls_policy *p);
void tls_policy_copy(struct tls_policy *to, const struct tls_policy *from);

/* CONF_E_UNKNOWN, CONF_E_VALUE. */
int tls_policy_set(struct tls_policy *p, struct span key, struct span value, struct why *why)
	MUST_CHECK;

/* Whether a domain may say something about it: not about what is needed before it is known. */
bool tls_policy_is_of_domain(struct span key);

/* All values as text: the same for the same policy, and for no other. */
void tls_policy_print(const struct tls_policy *p, struct buf *out);
