/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The policies of TLS as the store holds them, laid over each other: a domain's value wins over its
 * listener's, that over the server's, that over the default. The domain is the more particular: it
 * is what a person has chosen for names of theirs, on whatever port. A listener's holds for all that
 * comes before the domain is known, and wherever the domain says nothing.
 */

#include "net/tls_policy.h"

#include <stddef.h>

struct store_conn;
struct tls_host;
struct tls_rules;

/* Those that may have a policy of their own; also what numbers mean in directories (net/tls.h). */
enum tls_listener {
	TLS_ON_SMTP, TLS_ON_SUBMISSION, TLS_ON_SUBMISSIONS, TLS_ON_IMAP, TLS_ON_IMAPS, TLS_ON_POP3,
	TLS_ON_POP3S, TLS_ON_HTTPS, TLS_ON_MANAGESIEVE, TLS_ON,
};
extern const char *const tls_listener_names[TLS_ON];

/* TLS_ON if there is none of that name. */
enum tls_listener tls_listener_find(struct span name);

/* All values of the store, as one reading found them. Zeroed memory holds none. */
struct tls_policies {
	struct buf values; /* struct policy_value */
	struct buf texts;
};

int tls_policies_read(struct tls_policies *p, struct store_conn *c) MUST_CHECK;
void tls_policies_done(struct tls_policies *p);

enum tls_source { TLS_FROM_DEFAULT, TLS_FROM_SERVER, TLS_FROM_LISTENER, TLS_FROM_DOMAIN };

/* What holds for a domain (0: for none in particular) on a listener (TLS_ON: on none). sources, one
 * for each row of tls_policy_rows, may be NULL. */
void tls_policies_resolve(const struct tls_policies *p, int64_t domain, enum tls_listener listener,
	struct tls_policy *ret_policy, enum tls_source *sources);

/* Whether the domain or the listener has values of its own. */
bool tls_policies_has_domain(const struct tls_policies *p, int64_t domain);
bool tls_policies_has_listener(const struct tls_policies *p, enum tls_listener listener);

/* Tries every combination of the server's, the listeners' and the domains' values. REFUSED: one
 * cannot be used; why says which and for whom (a domain by its id in ret_domain, else 0). */
enum tls_policies_outcome { TLS_POLICIES_E_REFUSED = 1 };
int tls_policies_check(const struct tls_policies *p, struct why *why, int64_t *ret_domain) MUST_CHECK;
