/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Rules as rows: scripts of the server, of domains and of accounts, by name. Each owner has one
 * active script or none. What is in a script was checked by who stores it. */

#include "base/arena.h"
#include "base/err.h"

struct store_conn;

enum rule_level { RULE_SERVER, RULE_DOMAIN, RULE_ACCOUNT };

struct rule_owner {
	enum rule_level level;
	int64_t id; /* of the domain or account; 0 for the server */
};

enum {
	RULES_MAX = 16,               /* scripts of one owner */
	RULES_OCTETS_MAX = 1 << 20,   /* of all of them together */
	RULE_NAME_MAX = 512,          /* octets, RFC 5804 section 1.6 */
	VACATION_REPLIES_MAX = 10000, /* of one account that are remembered */
};

struct store_rule {
	enum rule_level level;
	struct span name;
	struct span text;
	struct span sha256; /* of the text */
	bool active;
	int64_t changed_us;
};

/* Writes: a new script (not active), or another text for one of that name, which stays as active as
 * it was. STORE_E_LIMIT (their number), STORE_E_QUOTA (their size), STORE_E_REFUSED (the name),
 * with why; STORE_E_NOT_FOUND (the owner is gone). */
int store_rule_put(struct store_conn *c, struct rule_owner owner, struct span name,
	struct span text, struct why *why) MUST_CHECK;

/* Reads: whether such a script could be put. The outcomes of store_rule_put. */
int store_rule_room(struct store_conn *c, struct rule_owner owner, struct span name, uint64_t size,
	struct why *why) MUST_CHECK;

/* Reads, in the arena. STORE_E_NOT_FOUND. An empty name: the active one. */
int store_rule_get(struct store_conn *c, struct arena *a, struct rule_owner owner, struct span name,
	struct store_rule *ret_rule) MUST_CHECK;

/* Reads, by name. Spans are valid during each(). */
int store_rule_each(struct store_conn *c, struct rule_owner owner,
	int (*each)(const struct store_rule *rule, void *context), void *context) MUST_CHECK;

/* Writes: this one is active and no other; an empty name: none is. STORE_E_NOT_FOUND. */
int store_rule_activate(struct store_conn *c, struct rule_owner owner, struct span name) MUST_CHECK;

/* Writes. STORE_E_NOT_FOUND, STORE_E_IN_USE (it is active). */
int store_rule_remove(struct store_conn *c, struct rule_owner owner, struct span name) MUST_CHECK;

/* Writes. STORE_E_NOT_FOUND, STORE_E_EXISTS, STORE_E_REFUSED with why. */
int store_rule_rename(struct store_conn *c, struct rule_owner owner, struct span from,
	struct span to, struct why *why) MUST_CHECK;

/* Reads: the active scripts that concern mail for the account: the server's, its domain's, its own,
 * in this order, in the arena. */
int store_rules_for(struct store_conn *c, struct arena *a, int64_t account,
	struct store_rule ret_rules[static 3], size_t *ret_n) MUST_CHECK;

/* Reads: whether there are any of these. */
int store_rules_due(struct store_conn *c, int64_t account, bool *ret_due) MUST_CHECK;

/* Writes: the sender is about to be answered, and will not be again until then. STORE_E_EXISTS: it
 * was answered before; STORE_E_LIMIT: too many were. */
int store_vacation_take(struct store_conn *c, int64_t account, struct span handle,
	struct span sender, int64_t now_us, int64_t until_us) MUST_CHECK;
