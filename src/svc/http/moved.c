/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/http/moved.h"

#include "store/account.h"
#include "store/route_back.h"
#include "store/store.h"
#include "svc/ca_moved.h"
#include "svc/env.h"
#include "svc/http/api.h"
#include "svc/http/api_pki.h"

/* The reason to revoke for; p is NULL where the request only wants to know. */
static struct span reason_of(struct http_request *q)
{
	const char *query = q->route->query;

	return query && strcmp(query, "revoke") == 0 ? http_query(q, query) : (struct span){};
}

static int look(struct http_request *q, struct store_conn *c, struct ca_moved *moved)
{
	CLEANUP(route_names_done) struct route_names names = {};
	int r = q->route->moves(q, c, &names);

	return r ? r : ca_moved_before(moved, q->env, c, &names);
}

static int look_before(struct store_conn *c, void *arg)
{
	struct http_request *q = arg;

	return look(q, c, q->moved);
}

int moved_look(struct http_request *q)
{
	if (!q->route->moves || reason_of(q).p)
		return 0;
	q->moved = ARENA_ALLOC(&q->arena, struct ca_moved);
	return store_read(q->env->store, look_before, q);
}

void moved_done(struct http_request *q)
{
	if (q->moved)
		ca_moved_done(q->moved);
}

/* Where there is nothing to say, an answer stays what it is without. n_revoked: NULL where that was not
 * asked for. */
static void answer_moved(struct http_request *q, struct span warnings, const unsigned *n_revoked)
{
	json_t *list;

	if (!warnings.n && !(n_revoked && *n_revoked) && (q->answer || q->status == 204))
		return;
	if (q->status == 204)
		q->status = 200;
	if (!q->answer)
		q->answer = json_object();
	list = json_object_get(q->answer, "warnings");
	if (!list) {
		list = json_array();
		(void)json_object_set_new(q->answer, "warnings", list);
	}
	while (warnings.n)
		(void)json_array_append_new(list, http_json_text(span_cut(&warnings, '\n')));
	if (n_revoked)
		api_set_number(q->answer, "revoked", *n_revoked);
}

static int run_and_revoke(struct http_request *q, struct store_conn *c, struct ca_moved *moved)
{
	enum issued_reason reason;
	unsigned n_revoked;
	int r = api_reason(q, "revoke", reason_of(q), &reason);

	if (!r)
		r = look(q, c, moved);
	if (!r)
		r = q->route->run(q, c);
	if (r)
		return r;
	TRY(ca_moved_revoke(moved, c, reason, &n_revoked));
	q->ca_changed |= n_revoked > 0;
	answer_moved(q, SPAN(""), &n_revoked);
	return 0;
}

int moved_run(struct http_request *q, struct store_conn *c)
{
	CLEANUP(ca_moved_done) struct ca_moved moved = {};

	if (q->route->moves && reason_of(q).p)
		return run_and_revoke(q, c, &moved);
	return q->route->run(q, c);
}

static int warn(struct store_conn *c, void *arg)
{
	CLEANUP(buf_done) struct buf warnings = {};
	struct http_request *q = arg;

	TRY(ca_moved_warn(q->moved, c, &warnings));
	answer_moved(q, buf_span(&warnings), NULL);
	return 0;
}

int moved_tell(struct http_request *q)
{
	return q->moved ? store_read(q->env->store, warn, q) : 0;
}

/* Of the body where the path has none. */
int moves_address(struct http_request *q, struct store_conn *c, struct route_names *names)
{
	struct span address = q->params[0].p ? q->params[0] : http_text(q, "address");
	struct store_domain domain;
	struct span local;
	int r = api_address(q, c, address, "address", &local, &domain);

	return r ? r : route_names_add_address(names, c, domain.id, local);
}

/* Without it, its addresses with a detail may be another's, and an administrator's are the next one's. */
int moves_account(struct http_request *q, struct store_conn *c, struct route_names *names)
{
	struct store_account account;
	int r = api_account(q, c, &account);

	if (r)
		return r;
	if (account.role == ROLE_ADMIN)
		TRY(route_names_add_postmaster(names, c));
	return route_names_add_address(names, c, account.domain,
		span_head(account.address, span_find(account.address, '@')));
}

int moves_postmaster(struct http_request *q, struct store_conn *c, struct route_names *names)
{
	bool of_account = json_object_get(q->json, "role") || json_object_get(q->json, "disabled");

	return of_account ? route_names_add_postmaster(names, c) : 0;
}

int moves_domain_alias(struct http_request *q, struct store_conn *c, struct route_names *names)
{
	struct span alias;
	int r = api_domain_name(q, q->params[1], "alias", &alias);

	(void)c;
	if (!r)
		route_names_add_domain(names, alias);
	return r;
}

/* The name that the body has, if it has one. */
static int add_new_name(struct http_request *q, struct route_names *names)
{
	struct span name = http_text(q, "name");
	int r = name.p ? api_domain_name(q, name, "name", &name) : 0;

	if (!r && name.p)
		route_names_add_domain(names, name);
	return r;
}

int moves_new_domain(struct http_request *q, struct store_conn *c, struct route_names *names)
{
	(void)c;
	return add_new_name(q, names);
}

int moves_domain(struct http_request *q, struct store_conn *c, struct route_names *names)
{
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	if (r)
		return r;
	if (json_object_get(q->json, "main"))
		TRY(route_names_add_postmaster(names, c));
	if (http_text(q, "name").p)
		route_names_add_domain(names, span_str(domain.name));
	return add_new_name(q, names);
}

struct naming {
	struct store_conn *conn;
	struct route_names *names;
};

static int add_name(struct span name, void *context)
{
	struct naming *naming = context;

	route_names_add_domain(naming->names, name);
	return 0;
}

static int add_all_names(const struct store_domain *domain, void *context)
{
	struct naming *naming = context;

	route_names_add_domain(naming->names, span_str(domain->name));
	return store_domain_alias_each(naming->conn, domain->id, add_name, naming);
}

int moves_gone_domain(struct http_request *q, struct store_conn *c, struct route_names *names)
{
	struct naming naming = { .conn = c, .names = names };
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	return r ? r : add_all_names(&domain, &naming);
}

/* What separates a detail: every address may have another one. */
int moves_setting(struct http_request *q, struct store_conn *c, struct route_names *names)
{
	struct naming naming = { .conn = c, .names = names };

	if (!json_object_get(q->json, "subaddress_separators"))
		return 0;
	return store_domain_each(c, add_all_names, &naming);
}
