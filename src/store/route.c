/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Where mail for an address goes: account, alias, sub-address, postmaster, in this order. Aliases
 * may lead to aliases; each is followed once, so loops end, and the depth and the number of targets
 * are bounded. Beyond the bounds the look-up fails as a whole (STORE_E_LIMIT): a shortened list
 * would lose mail silently.
 */

#include "store/domain.h"

#include "base/limit.h"
#include "base/map.h"
#include "store/account.h"
#include "store/conn.h"
#include "store/domain_rows.h"
#include "store/name.h"

enum { ROUTE_DEPTH_MAX = 10, ROUTE_TARGETS_MAX = 1000 };

struct router {
	struct store_conn *c;
	struct arena *arena;
	struct span separators;
	struct map seen; /* aliases followed and targets added, by a key of kind and name */
	struct buf targets;
	size_t n_targets;
};

/* Whether this is the first time the key comes up. */
static bool router_first(struct router *r, char kind, struct span key)
{
	CLEANUP(buf_done) struct buf full = {};

	buf_add_octet(&full, (uint8_t)kind);
	buf_add(&full, key);
	return map_put(&r->seen, buf_span(&full), r) == NULL;
}

static int router_add(struct router *r, const struct route_target *t)
{
	if (r->n_targets >= ROUTE_TARGETS_MAX)
		return STORE_E_LIMIT;
	buf_add(&r->targets, span_of(t, sizeof *t));
	r->n_targets++;
	return 0;
}

static int router_add_account(struct router *r, int64_t id, struct span detail)
{
	struct store_account account;
	struct route_target t;

	if (!router_first(r, 'a', span_of(&id, sizeof id)))
		return 0;
	TRY(store_account_get(r->c, r->arena, id, &account));
	t = (struct route_target){
		.account = id,
		.address = account.address,
		.detail = arena_span(r->arena, detail),
		.disabled = account.disabled,
	};
	return router_add(r, &t);
}

static int router_address(struct router *r, struct span address, struct span detail,
	unsigned depth);

static int router_alias(struct router *r, int64_t domain, struct span local, struct span targets,
	struct span detail, unsigned depth)
{
	CLEANUP(buf_done) struct buf key = {};

	buf_add(&key, span_of(&domain, sizeof domain));
	buf_add(&key, local);
	if (!router_first(r, 'l', buf_span(&key)))
		return 0;
	if (depth >= ROUTE_DEPTH_MAX)
		return STORE_E_LIMIT;
	while (targets.n) {
		int result = router_address(r, span_cut(&targets, ','), detail, depth + 1);

		if (result)
			return result;
	}
	return 0;
}

/* An account or alias of exactly this name; STORE_E_NOT_FOUND. */
static int router_local(struct router *r, int64_t domain, struct span local, struct span detail,
	unsigned depth)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	struct span targets;
	int64_t account;
	bool row;

	local = name_local(r->arena, local);
	TRY(db_query_row(&q, &row, r->c->db,
		"select id, null from account where domain = $1 and local = $2"
		" union all select 0, targets from address_alias where domain = $1 and local = $2",
		DB_ARGS(DB_INT(domain), DB_SPAN(local))));
	if (!row)
		return STORE_E_NOT_FOUND;
	account = db_int(q, 0);
	targets = arena_span(r->arena, db_blob(q, 1));
	db_reset(TAKE(q)); /* the same statement serves the targets */
	if (account)
		return router_add_account(r, account, detail);
	return router_alias(r, domain, local, targets, detail, depth);
}

/* Position of the separator of a sub-address, or n. The name before it is not empty. */
static size_t separator_at(const struct router *r, struct span local)
{
	for (size_t i = 1; i < local.n; i++) {
		if (span_find(r->separators, local.p[i]) < r->separators.n)
			return i;
	}
	return local.n;
}

/* RFC 5321 section 4.5.1: postmaster exists in every domain. */
static int router_postmaster(struct router *r, int64_t domain, struct span detail, unsigned depth)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int64_t main_domain;
	int64_t account;
	bool row;
	int result = domain_main_id(r->c, &main_domain);

	if (result == STORE_E_NOT_FOUND)
		return result;
	TRY(result);
	if (main_domain != domain) {
		result = router_local(r, main_domain, SPAN("postmaster"), detail, depth);
		if (result != STORE_E_NOT_FOUND)
			return result;
	}
	/* Somebody removed it: the oldest administrator is who can put that right. */
	TRY(db_query_row(&q, &row, r->c->db,
		"select id from account where role = $1 and disabled = 0 order by id limit 1",
		DB_ARGS(DB_INT(ROLE_ADMIN))));
	if (!row)
		return STORE_E_NOT_FOUND;
	account = db_int(q, 0);
	return router_add_account(r, account, detail);
}

static int router_in_domain(struct router *r, int64_t domain, struct span local, struct span detail,
	unsigned depth)
{
	size_t at = separator_at(r, local);
	int result = router_local(r, domain, local, detail, depth);

	if (result == STORE_E_NOT_FOUND && at < local.n) {
		detail = span_skip(local, at + 1);
		local = span_head(local, at);
		result = router_local(r, domain, local, detail, depth);
	}
	if (result == STORE_E_NOT_FOUND && span_is_nocase(local, "postmaster"))
		result = router_postmaster(r, domain, detail, depth);
	return result;
}

static int router_remote(struct router *r, struct span address)
{
	struct route_target t = { .address = arena_span(r->arena, address) };

	return router_first(r, 'r', name_lower(r->arena, address)) ? router_add(r, &t) : 0;
}

/* The target of an alias. Nobody there: the others still get it. */
static int router_address(struct router *r, struct span address, struct span detail, unsigned depth)
{
	const uint8_t *at = memrchr(address.p, '@', address.n);
	struct span local = span_head(address, at ? (size_t)(at - address.p) : 0);
	int64_t domain;
	int result = domain_id(r->c, span_skip(address, local.n + 1), &domain);

	if (result == STORE_E_NOT_FOUND)
		return router_remote(r, address);
	TRY(result);
	result = router_in_domain(r, domain, local, detail, depth);
	return result == STORE_E_NOT_FOUND ? 0 : result;
}

static enum route_kind router_kind(const struct router *r, const struct route_target *targets)
{
	if (r->n_targets == 0)
		return ROUTE_NONE;
	return r->n_targets == 1 && targets[0].account ? ROUTE_ACCOUNT : ROUTE_LIST;
}

static int router_run(struct router *r, struct span local, struct span domain,
	struct route *ret_route)
{
	struct span targets;
	int64_t id;
	int result;

	*ret_route = (struct route){ .kind = ROUTE_NONE };
	if (local.n > LIMIT_ADDRESS)
		return 0;
	result = domain_id(r->c, domain, &id);
	if (result == STORE_E_NOT_FOUND) {
		ret_route->kind = ROUTE_REMOTE;
		return 0;
	}
	TRY(result);
	result = router_in_domain(r, id, local, (struct span){}, 0);
	if (result)
		return result == STORE_E_NOT_FOUND ? 0 : result;
	targets = arena_span(r->arena, buf_span(&r->targets));
	ret_route->targets = (struct route_target *)(uintptr_t)targets.p;
	ret_route->n_targets = r->n_targets;
	ret_route->kind = router_kind(r, ret_route->targets);
	return 0;
}

int store_route(struct store_conn *c, struct arena *a, struct span local, struct span domain,
	const char *separators, struct route *ret_route)
{
	struct router r = { .c = c, .arena = a, .separators = span_str(separators) };
	struct route route;
	int result = router_run(&r, local, domain, &route);

	map_done(&r.seen, NULL);
	buf_done(&r.targets);
	if (!result)
		*ret_route = route;
	return result;
}
