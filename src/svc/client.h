/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Client certificates: which of them a domain takes, and whose login they are. A domain's rule holds
 * its chosen issuers, as far as it trusts them for clients; it is made together with the TLS directory
 * and is the verifier of the domain's profile. A login asks again, by the rule of that moment.
 */

#include "base/arena.h"
#include "base/err.h"

struct cert;
struct cert_list;
struct client_rules;
struct env;
struct store_account;
struct tls_client;
struct tls_profile;

/* The rules of all domains. Blocks; not within a transaction. */
int client_rules_load(struct env *e, struct client_rules **ret_rules) MUST_CHECK;
struct client_rules *client_rules_free(struct client_rules *r);

/* Tells the profile of a domain, before it is added to a directory. */
void client_rules_apply(struct client_rules *r, int64_t domain, struct tls_profile *p);

/* Whether the certificate is valid now, by what the domain of that name says now: milliseconds, with
 * long revocation lists tens of them. INVALID with why (may be NULL). */
enum client_outcome { CLIENT_E_INVALID = 1, CLIENT_E_NOBODY };
int client_check(struct env *e, const char *domain, const struct tls_client *client,
	struct why *why) MUST_CHECK;

/* The same, and whose it is; strings live in the arena. INVALID, NOBODY (also if it is refused: a
 * disabled account, several) with why. Blocks, as all here; not within a transaction. */
int client_identify(struct env *e, struct arena *a, const char *domain,
	const struct tls_client *client, struct store_account *ret_account, struct why *why)
	MUST_CHECK;

/* The same for a certificate that nobody has presented, for "what would happen if". Blocks; not within
 * a transaction. */
int client_try(struct env *e, const char *domain, struct cert *cert, const struct cert_list *others,
	struct why *why) MUST_CHECK;

/* How many of the issuers that are chosen for the domain, or for the server (0), can be used there:
 * the domain trusts them for clients. Blocks; not within a transaction. */
int client_usable_issuers(struct env *e, int64_t domain, size_t *ret_n) MUST_CHECK;
