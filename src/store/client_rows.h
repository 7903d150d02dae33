/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Client certificates as rows: the issuers whose clients are asked for one, the rules that lead from a
 * certificate to an account, and the certificates that are an account's own. Octets in, octets out. A
 * domain of 0 is the server, whose rows serve the domains that have none.
 */

#include "base/arena.h"
#include "base/err.h"

struct store_conn;

enum {
	CLIENT_ISSUERS_MAX = 32, /* their names go into every request for a certificate */
	CERTMAP_RULES_MAX = 100,
	ACCOUNT_CERTS_MAX = 50,
};

struct store_client_cert {
	struct span sha256; /* of the whole certificate */
	struct span der;
	int64_t created_us;
};

/* Writes. STORE_E_EXISTS, STORE_E_LIMIT. */
int store_client_issuer_add(struct store_conn *c, int64_t domain, struct span sha256,
	struct span der) MUST_CHECK;
/* Writes; sha256 NULL: all. STORE_E_NOT_FOUND if there was none. */
int store_client_issuer_remove(struct store_conn *c, int64_t domain, const struct span *sha256)
	MUST_CHECK;
/* Reads, in the order in which they were added. Spans are valid during each(). */
int store_client_issuer_each(struct store_conn *c, int64_t domain,
	int (*each)(const struct store_client_cert *cert, void *context), void *context) MUST_CHECK;

/* Writes: these rules instead of what was there. STORE_E_LIMIT. */
int store_certmap_set(struct store_conn *c, int64_t domain, const struct span *rules,
	size_t n_rules) MUST_CHECK;
/* Reads, in their order; those of this domain only. */
int store_certmap_each(struct store_conn *c, int64_t domain,
	int (*each)(struct span rule, void *context), void *context) MUST_CHECK;

/* Writes. STORE_E_EXISTS, STORE_E_LIMIT, STORE_E_NOT_FOUND. */
int store_account_cert_add(struct store_conn *c, int64_t account, struct span sha256,
	struct span der) MUST_CHECK;
int store_account_cert_remove(struct store_conn *c, int64_t account, struct span sha256)
	MUST_CHECK;
int store_account_cert_each(struct store_conn *c, int64_t account,
	int (*each)(const struct store_client_cert *cert, void *context), void *context) MUST_CHECK;

/* Reads: whether it is one of the account's. */
int store_account_cert_has(struct store_conn *c, int64_t account, struct span sha256, bool *ret_has)
	MUST_CHECK;
/* Reads: the accounts of a domain that have it. */
int store_account_cert_owners(struct store_conn *c, int64_t domain, struct span sha256,
	int (*each)(int64_t account, void *context), void *context) MUST_CHECK;
