/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Objects that parameters and members name, looked up in one way for all handlers. */

#include "svc/http/api.h"

#include "mime/address.h"
#include "net/address.h"
#include "store/store.h"
#include "svc/env.h"

/* What may stand behind the @ of an address, but is no name: "[192.0.2.1]", and "192.0.2.1", which
 * has the form of a name (RFC 1123 section 2.1). */
static bool is_ip_address(struct span name)
{
	struct net_address address;

	return span_starts(name, SPAN("[")) || net_address_parse(name, &address) == 0;
}

int api_domain_name(struct http_request *q, struct span text, const char *field,
	struct span *ret_name)
{
	CLEANUP(buf_done) struct buf name = {};
	int r = address_normalize_domain(text, &name);

	if (r < 0)
		return r;
	if (r || is_ip_address(buf_span(&name)))
		return http_problem(q, 422, field, "this is not a domain name");
	*ret_name = arena_span(&q->arena, buf_span(&name));
	return 0;
}

static int find_domain(struct http_request *q, struct store_conn *c, struct span text,
	const char *field, struct store_domain *ret_domain)
{
	struct span name;
	int r = api_domain_name(q, text, field, &name);

	if (r)
		return r;
	r = store_domain_find(c, &q->arena, name, ret_domain);
	return r ? http_store_problem(q, r, "domain", field, NULL) : 0;
}

int api_domain(struct http_request *q, struct store_conn *c, struct store_domain *ret_domain)
{
	return find_domain(q, c, q->params[0], "domain", ret_domain);
}

int api_named_domain(struct http_request *q, struct store_conn *c, struct span name,
	int64_t *ret_domain)
{
	struct store_domain domain;
	int r = find_domain(q, c, name, "domain", &domain);

	if (!r)
		*ret_domain = domain.id;
	return r;
}

struct domain_question {
	struct http_request *q;
	struct span name;
	int64_t domain;
};

static int ask_domain(struct store_conn *c, void *arg)
{
	struct domain_question *d = arg;

	return api_named_domain(d->q, c, d->name, &d->domain);
}

int api_read_domain(struct http_request *q, struct span name, int64_t *ret_domain)
{
	struct domain_question d = { .q = q, .name = name };
	int r = store_read(q->env->store, ask_domain, &d);

	*ret_domain = d.domain;
	return r;
}

int api_query_domain(struct http_request *q, struct store_conn *c, int64_t *ret_domain)
{
	struct span name = http_query(q, "domain");
	struct store_domain domain = {};
	int r = name.n ? find_domain(q, c, name, "domain", &domain) : 0;

	*ret_domain = domain.id;
	return r;
}

int api_account(struct http_request *q, struct store_conn *c, struct store_account *ret_account)
{
	int r = store_account_find(c, &q->arena, q->params[0], ret_account, NULL);

	return r ? http_store_problem(q, r, "account", "address", NULL) : 0;
}

struct account_read {
	struct http_request *q;
	struct store_account *account;
};

static int account_read(struct store_conn *c, void *arg)
{
	struct account_read *read = arg;

	return api_account(read->q, c, read->account);
}

int api_account_read(struct http_request *q, struct store_account *ret_account)
{
	struct account_read read = { q, ret_account };

	return store_read(q->env->store, account_read, &read);
}

int api_address(struct http_request *q, struct store_conn *c, struct span text, const char *field,
	struct span *ret_local, struct store_domain *ret_domain)
{
	struct address_name name;
	int r = address_normalize(text, &name);

	if (r < 0)
		return r;
	if (r)
		return http_problem(q, 422, field, "this is not an address (local@domain)");
	*ret_local = arena_span(&q->arena, address_name_local(&name));
	r = store_domain_find(c, &q->arena, address_name_domain(&name), ret_domain);
	if (r == STORE_E_NOT_FOUND)
		return http_problem(q, 422, field, "the address is of no domain of this server");
	return err_fold(r);
}

json_t *api_answer_list(struct http_request *q, const char *name)
{
	json_t *list = json_array();

	q->answer = json_object();
	(void)json_object_set_new(q->answer, name, list);
	return list;
}

void api_set_text(json_t *object, const char *member, struct span text)
{
	(void)json_object_set_new(object, member, http_json_text(text));
}

void api_set_number(json_t *object, const char *member, uint64_t number)
{
	(void)json_object_set_new(object, member, json_integer((json_int_t)number));
}
