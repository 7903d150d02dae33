/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/http/moved.h"

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

/* Where there is nothing to say, an answer stays what it is without. */
static void answer_moved(struct http_request *q, struct span warnings, unsigned n_revoked)
{
	json_t *list;

	if (!warnings.n && !n_revoked && (q->answer || q->status == 204))
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
	api_set_number(q->answer, "revoked", n_revoked);
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
	answer_moved(q, SPAN(""), n_revoked);
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
	answer_moved(q, buf_span(&warnings), 0);
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

int moves_domain_alias(struct http_request *q, struct store_conn *c, struct route_names *names)
{
	struct span alias;
	int r = api_domain_name(q, q->params[1], "alias", &alias);

	(void)c;
	if (!r)
		route_names_add_domain(names, alias);
	return r;
}
