/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Revocation lists of a domain or of the server. What is slow (reading a large list, verifying it,
 * fetching one) is done before the transaction, or outside of one.
 */

#include "base/clock.h"
#include "base/enc.h"
#include "pki/crl_check.h"
#include "store/crl_rows.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/http/api_pki.h"
#include "svc/revocation.h"

static void set_times(json_t *object, const struct store_crl *row)
{
	(void)json_object_set_new(object, "this_update", http_json_time(row->this_update_us));
	(void)json_object_set_new(object, "next_update", http_json_time(row->next_update_us));
	(void)json_object_set_new(object, "fetched", http_json_time(row->fetched_us));
	(void)json_object_set_new(object, "next_fetch",
		http_json_time(row->next_fetch_us == INT64_MAX ? 0 : row->next_fetch_us));
}

static void set_list(json_t *object, struct span der)
{
	CLEANUP(crl_unrefp) struct crl *crl = NULL;
	CLEANUP(buf_done) struct buf issuer = {};
	struct why why;

	if (crl_from_der(&crl, der, &why)) {
		api_set_text(object, "unreadable", span_str(why.text));
		return;
	}
	crl_add_issuer(crl, &issuer);
	api_set_text(object, "issuer", buf_span(&issuer));
	api_set_number(object, "revoked", crl_n_revoked(crl));
	(void)json_object_set_new(object, "delta", json_boolean(crl_is_delta(crl)));
}

static json_t *crl_json(const struct store_crl *row, struct span domain)
{
	CLEANUP(buf_done) struct buf number = {};
	json_t *object = json_object();

	api_set_number(object, "id", (uint64_t)row->id);
	(void)json_object_set_new(object, "domain", row->domain ? http_json_text(domain) : json_null());
	api_set_text(object, "url", row->url);
	(void)json_object_set_new(object, "named", json_boolean(row->named));
	set_times(object, row);
	api_set_text(object, "problem", row->problem);
	(void)json_object_set_new(object, "stale",
		json_boolean(row->der.n && row->next_update_us <= clock_now_us()));
	if (row->der.n == 0)
		return object;
	set_list(object, row->der);
	enc_hex(&number, row->number.n ? row->number : SPAN("\0"));
	api_set_text(object, "number", buf_span(&number));
	return object;
}

struct listing {
	struct http_request *q;
	struct store_conn *c;
	int64_t domain; /* 0: all */
	json_t *list;
};

static int add_crl(const struct store_crl *row, void *context)
{
	struct listing *l = context;
	struct store_domain domain = { .name = "" };

	if (l->domain && row->domain && row->domain != l->domain)
		return 0;
	if (row->domain)
		TRY(store_domain_get(l->c, &l->q->arena, row->domain, &domain));
	(void)json_array_append_new(l->list, crl_json(row, span_str(domain.name)));
	return 0;
}

/* A domain's lists with those of the server, which count for it too; all without a domain. */
int api_crl_list(struct http_request *q, struct store_conn *c)
{
	struct listing l = { .q = q, .c = c };
	int r = api_query_domain(q, c, &l.domain);

	if (r)
		return r;
	l.list = api_answer_list(q, "lists");
	return store_crl_each(c, add_crl, &l);
}

/* What is written: lists, or a URL. */
struct new_crl {
	struct revocation_taking taking;
	struct store_crl url;
};

static int take_lists(struct http_request *q, int64_t domain, struct new_crl *new)
{
	CLEANUP(buf_done) struct buf lists = {}, authority = {};
	struct why why = {};
	int r = api_file(q, "list", &lists);

	if (!r && http_text(q, "authority").p)
		r = api_file(q, "authority", &authority);
	if (r)
		return r;
	r = revocation_take(q->env, &q->arena, domain, buf_span(&lists), buf_span(&authority),
		&new->taking, &why);
	return r > 0 ? http_problem(q, 422, "list", "%s", why.text) : r;
}

static int take_url(struct http_request *q, int64_t domain, struct span url, struct new_crl *new)
{
	CLEANUP(cert_list_done) struct cert_list authority = {};
	struct why why = {};
	int r = revocation_url_check(q->env, url, &why);

	if (r)
		return r > 0 ? http_problem(q, 422, "url", "%s", why.text) : r;
	new->url = (struct store_crl){ .domain = domain, .url = url, .created_us = clock_now_us() };
	if (!http_text(q, "authority").p)
		return 0;
	r = api_file_certs(q, "authority", &authority);
	if (!r)
		new->url.authority = arena_span(&q->arena, cert_der(authority.certs[0]));
	return r;
}

int api_crl_add_prepare(struct http_request *q, struct store_conn *c)
{
	struct span domain_name = http_text(q, "domain");
	struct span list = http_text(q, "list"), url = http_text(q, "url");
	struct new_crl *new = ARENA_ALLOC(&q->arena, struct new_crl);
	int64_t domain = 0;
	int r = domain_name.n ? api_read_domain(q, domain_name, &domain) : 0;

	(void)c;
	if (!r && !list.p == !url.p)
		return http_problem(q, 422, "list", "give either a list or the URL of one");
	q->prepared = new;
	if (r)
		return r;
	return list.p ? take_lists(q, domain, new) : take_url(q, domain, url, new);
}

static int add_url(struct http_request *q, struct store_conn *c, struct new_crl *new)
{
	int r = store_crl_add_url(c, &new->url, &new->url.id);

	if (r == STORE_E_EXISTS)
		return http_problem(q, 409, "url", "this URL is there already");
	if (r == STORE_E_LIMIT)
		return http_problem(q, 409, "url", "there are %d lists already: remove some",
			STORE_CRLS_MAX);
	return r;
}

static int answer(struct http_request *q, struct store_conn *c, json_t *list, int64_t id)
{
	struct listing l = { .q = q, .c = c, .list = list };
	struct store_crl row;

	TRY(store_crl_get(c, &q->arena, id, &row));
	return add_crl(&row, &l);
}

int api_crl_add(struct http_request *q, struct store_conn *c)
{
	struct new_crl *new = q->prepared;
	struct why why = {};
	json_t *list;
	int r = new->url.url.n ? add_url(q, c, new) : revocation_put(c, &new->taking, &why);

	if (r == REVOCATION_E_REFUSED && why.text[0])
		return http_problem(q, 409, "list", "%s", why.text);
	if (r)
		return r;
	q->status = 201;
	q->crls_changed = true;
	list = api_answer_list(q, "lists");
	if (new->url.url.n)
		TRY(answer(q, c, list, new->url.id));
	for (size_t i = 0; i < new->taking.n; i++)
		TRY(answer(q, c, list, new->taking.rows[i].id));
	return http_audit(q, c, "crl.add", http_text(q, "domain"), new->url.url);
}

static int parse_id(struct http_request *q, int64_t *ret_id)
{
	uint64_t id;

	if (!span_to_u64(q->params[0], INT64_MAX, &id))
		return http_problem(q, 404, "list", "there is no such list");
	*ret_id = (int64_t)id;
	return 0;
}

int api_crl_remove(struct http_request *q, struct store_conn *c)
{
	int64_t id;
	int r = parse_id(q, &id);

	if (!r)
		r = store_crl_remove(c, id);
	if (r == STORE_E_NOT_FOUND)
		return http_problem(q, 404, "list", "there is no such list");
	if (r)
		return r;
	q->status = 204;
	q->crls_changed = true;
	return http_audit(q, c, "crl.remove", q->params[0], SPAN(""));
}

/* It may take as long as a server takes to answer; the reason of a failure is the answer. */
int api_crl_fetch_prepare(struct http_request *q, struct store_conn *c)
{
	struct why why = {};
	int64_t id;
	int r = parse_id(q, &id);

	(void)c;
	if (r)
		return r;
	r = revocation_fetch(q->env, id, &why);
	return r > 0 ? http_problem(q, 422, "list", "%s", why.text) : r;
}

int api_crl_fetch(struct http_request *q, struct store_conn *c)
{
	struct listing l = { .q = q, .c = c, .list = json_array() };
	struct store_crl row;
	int64_t id;
	int r = parse_id(q, &id);

	if (!r)
		r = store_crl_get(c, &q->arena, id, &row);
	if (!r)
		r = add_crl(&row, &l);
	if (!r)
		q->answer = json_incref(json_array_get(l.list, 0));
	json_decref(l.list);
	if (r == STORE_E_NOT_FOUND)
		return http_problem(q, 404, "list", "there is no such list");
	return r ? r : http_audit(q, c, "crl.fetch", q->params[0], row.url);
}
