/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Domains, their aliases, and where an address leads. Names are lower-case A-labels. */

#include "base/arena.h"
#include "base/err.h"

struct store_conn;

enum pki_mode { PKI_DISABLED, PKI_TEST, PKI_ENABLED };

struct store_domain {
	int64_t id;
	const char *name;
	enum pki_mode pki;
	bool main;
	bool shared;            /* lives on all nodes of a cluster */
	bool client_required;   /* only clients with a certificate are let in */
	bool smime;             /* its accounts may have Secure Mail keys */
	uint64_t account_quota; /* default for its accounts, octets; 0: the server's */
	int64_t created_us;
	uint64_t n_accounts;
};

/* Writes. STORE_E_EXISTS if it is a domain or a domain alias already, STORE_E_REFUSED if it is empty,
 * too long or not ASCII. */
int store_domain_add(struct store_conn *c, struct span name, int64_t *ret_id) MUST_CHECK;

/* Writes. STORE_E_IN_USE while it has accounts, STORE_E_REFUSED for the main domain. */
int store_domain_remove(struct store_conn *c, int64_t id) MUST_CHECK;

/* Writes. STORE_E_EXISTS, STORE_E_REFUSED as above, STORE_E_NOT_FOUND. */
int store_domain_rename(struct store_conn *c, int64_t id, struct span name) MUST_CHECK;

/* Writes; key is "pki" (disabled, test, enabled), "account_quota", "shared", "client_required" or
 * "smime". STORE_E_REFUSED with why. */
int store_domain_set(struct store_conn *c, int64_t id, struct span key, struct span value,
	struct why *why) MUST_CHECK;

/* Makes it the main domain. Writes. */
int store_domain_set_main(struct store_conn *c, int64_t id) MUST_CHECK;

/* Reads. By name or domain alias. STORE_E_NOT_FOUND. Strings live in the arena. */
int store_domain_find(struct store_conn *c, struct arena *a, struct span name,
	struct store_domain *ret_domain) MUST_CHECK;
int store_domain_main(struct store_conn *c, struct arena *a, struct store_domain *ret_domain)
	MUST_CHECK;

/* Reads. STORE_E_NOT_FOUND. Strings live in the arena. */
int store_domain_get(struct store_conn *c, struct arena *a, int64_t id,
	struct store_domain *ret_domain) MUST_CHECK;

/* Reads. The domain of a login name (store_account_find), whether there is such an account or not. */
int store_domain_of_login(struct store_conn *c, struct arena *a, struct span login,
	struct store_domain *ret_domain) MUST_CHECK;

/* Reads; calls each() in name order until it returns non-zero, which is returned. */
int store_domain_each(struct store_conn *c,
	int (*each)(const struct store_domain *d, void *context), void *context) MUST_CHECK;

/* Domain aliases. Writes: STORE_E_EXISTS, STORE_E_NOT_FOUND, STORE_E_REFUSED as above. */
int store_domain_alias_add(struct store_conn *c, int64_t domain, struct span alias) MUST_CHECK;
int store_domain_alias_remove(struct store_conn *c, struct span alias) MUST_CHECK;
int store_domain_alias_each(struct store_conn *c, int64_t domain,
	int (*each)(struct span alias, void *context), void *context) MUST_CHECK;

/* Address aliases: local part of a domain to one or more target addresses. Writes:
 * STORE_E_EXISTS (an account or alias of that name), STORE_E_NOT_FOUND, STORE_E_LIMIT,
 * STORE_E_REFUSED (no local part; no target; a target without '@' or with a comma). */
int store_alias_add(struct store_conn *c, int64_t domain, struct span local,
	const struct span *targets, size_t n_targets) MUST_CHECK;
int store_alias_remove(struct store_conn *c, int64_t domain, struct span local) MUST_CHECK;

/* Reads; domain 0: all. targets are separated by a comma. */
int store_alias_each(struct store_conn *c, int64_t domain,
	int (*each)(struct span address, struct span targets, void *context), void *context)
	MUST_CHECK;

/* Where mail for an address goes. */
enum route_kind {
	ROUTE_REMOTE,  /* no domain of ours */
	ROUTE_NONE,    /* our domain, nobody of that name */
	ROUTE_ACCOUNT, /* one account */
	ROUTE_LIST,    /* an alias: several accounts and perhaps remote addresses */
};

struct route_target {
	int64_t account;      /* 0: remote */
	struct span address;  /* the account's own address, or the remote one */
	struct span detail;   /* of a sub-address, without its separator; empty if none */
	bool disabled;
};

struct route {
	enum route_kind kind;
	size_t n_targets;
	struct route_target *targets; /* in the arena, no account twice */
};

/* Reads. Follows domain aliases, account aliases (at most 10 deep, 1,000 targets, loops end),
 * sub-addresses with the given separators, and "postmaster", which always exists: where a domain
 * has none it is the main domain's (RFC 5321 section 4.5.1), else the oldest administrator. local is
 * compared without case. An alias that leads to one account is ROUTE_ACCOUNT. STORE_E_LIMIT beyond
 * the bounds: the mail waits rather than missing somebody. */
int store_route(struct store_conn *c, struct arena *a, struct span local, struct span domain,
	const char *separators, struct route *ret_route) MUST_CHECK;
