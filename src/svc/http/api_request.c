/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Requests for certificates, and what goes into them and into self-signed certificates: the names a
 * domain may be found under and who it is.
 */

#include "base/clock.h"
#include "pki/key.h"
#include "pki/request.h"
#include "store/request_rows.h"
#include "store/store.h"
#include "svc/domain_keys.h"
#include "svc/env.h"
#include "svc/http/api_pki.h"
#include "svc/http/api_subject.h"

static void set_names(json_t *object, const struct request *request)
{
	json_t *names = json_array();
	struct span name;

	for (size_t i = 0; request_name(request, i, &name); i++)
		(void)json_array_append_new(names, http_json_text(name));
	(void)json_object_set_new(object, "names", names);
}

static json_t *request_json(const struct store_request *row)
{
	CLEANUP(request_freep) struct request *request = NULL;
	CLEANUP(buf_done) struct buf subject = {}, pem = {};
	json_t *object = json_object();
	struct why why = {};

	api_set_text(object, "alias", row->alias);
	api_set_text(object, "key", row->key_alias);
	(void)json_object_set_new(object, "created", http_json_time(row->created_us));
	if (request_read(&request, row->der, &why)) {
		api_set_text(object, "unreadable", span_str(why.text));
		return object;
	}
	request_add_subject(request, &subject);
	request_add_pem(request, &pem);
	api_set_text(object, "subject", buf_span(&subject));
	set_names(object, request);
	api_set_text(object, "request", buf_span(&pem));
	return object;
}

static int add_request(const struct store_request *request, void *context)
{
	(void)json_array_append_new(context, request_json(request));
	return 0;
}

int api_request_list(struct http_request *q, struct store_conn *c)
{
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	return r ? r : store_request_each(c, domain.id, add_request, api_answer_list(q, "requests"));
}

struct request_search {
	struct span alias;
	json_t *found;
};

static int match_request(const struct store_request *request, void *context)
{
	struct request_search *s = context;

	if (!s->found && span_equal(request->alias, s->alias))
		s->found = request_json(request);
	return 0;
}

int api_request_show(struct http_request *q, struct store_conn *c)
{
	struct request_search search = { .alias = q->params[1] };
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	if (r)
		return r;
	r = store_request_each(c, domain.id, match_request, &search);
	q->answer = search.found;
	if (!r && !search.found)
		return http_problem(q, 404, "request", "the domain has no such request");
	return r;
}

int api_request_remove(struct http_request *q, struct store_conn *c)
{
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	if (r)
		return r;
	r = store_request_remove(c, domain.id, q->params[1]);
	if (r)
		return http_store_problem(q, r, "request", "request", NULL);
	q->status = 204;
	return http_audit(q, c, "request.remove", q->params[0], q->params[1]);
}

int api_request_make_prepare(struct http_request *q, struct store_conn *c)
{
	struct pki_look_up l = { .q = q, .key_alias = http_text(q, "key"), .wants_key = true };
	struct store_request *row = ARENA_ALLOC(&q->arena, struct store_request);
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(buf_done) struct buf der = {};
	struct subject subject = {};
	struct why why = {};
	int r = api_check_alias(q, http_text(q, "alias"));

	(void)c;
	if (!r)
		r = pki_look_up(&l);
	if (!r)
		r = api_subject(q, &l, &subject);
	if (r)
		return r;
	if (l.key.use == KEY_DKIM)
		return http_problem(q, 422, "key", "a key for DKIM has no certificate");
	TRY(domain_key_open(q->env, &l.key, &key));
	r = request_make(key, l.key.spki, &subject, &der, &why);
	if (r)
		return r < 0 ? r : http_problem(q, 422, NULL, "%s", why.text);
	*row = (struct store_request){ .domain = l.domain.id, .key = l.key.id,
		.alias = http_text(q, "alias"), .key_alias = l.key.alias,
		.der = arena_span(&q->arena, buf_span(&der)), .created_us = clock_now_us() };
	if (!row->alias.n)
		row->alias = api_alias_of(q, row->der);
	q->prepared = row;
	return 0;
}

int api_request_make(struct http_request *q, struct store_conn *c)
{
	struct store_request *row = q->prepared;
	int r = store_request_add(c, row, &row->id);

	if (r)
		return http_store_problem(q, r, "request", "alias", NULL);
	q->status = 201;
	q->answer = request_json(row);
	return http_audit(q, c, "request.create", q->params[0], row->alias);
}

static bool is_wildcard(struct span name)
{
	return span_starts(name, SPAN("*."));
}

/* A name as certificates carry it: A-labels, perhaps with "*" in front. */
static int normalize(struct http_request *q, struct span text, const char *field, struct span *ret_name)
{
	CLEANUP(buf_done) struct buf out = {};
	struct span rest = is_wildcard(text) ? span_skip(text, 2) : text;
	struct span name;
	int r = api_domain_name(q, rest, field, &name);

	if (r)
		return r;
	if (is_wildcard(text))
		buf_add_string(&out, "*.");
	buf_add(&out, name);
	*ret_name = arena_span(&q->arena, buf_span(&out));
	return 0;
}

static bool has_name(const struct subject *s, struct span name)
{
	for (size_t i = 0; i < s->n_names; i++) {
		if (span_equal(s->names[i], name))
			return true;
	}
	return false;
}

/* RFC 9525 section 6.3: clients look at the alternative names only, so the common name is the first of
 * them. */
static int take_names(struct http_request *q, const struct pki_look_up *l, struct subject *s)
{
	const json_t *list = json_object_get(q->json, "names");
	size_t n = json_array_size(list);
	struct span *names = arena_alloc(&q->arena, (n + 1) * sizeof *names);

	if (!n && !http_text(q, "common_name").n) {
		s->names = l->names;
		s->n_names = l->n_names;
		return 0;
	}
	s->names = names;
	if (s->common_name.n)
		names[s->n_names++] = s->common_name;
	for (size_t i = 0; i < n; i++) {
		const json_t *text = json_array_get(list, i);
		struct span name;
		int r = normalize(q, span_of(json_string_value(text), json_string_length(text)),
			"names", &name);

		if (r)
			return r;
		if (!has_name(s, name))
			names[s->n_names++] = name;
	}
	return 0;
}

int api_subject(struct http_request *q, const struct pki_look_up *l, struct subject *ret_subject)
{
	struct subject s = {
		.organization = http_text(q, "organization"),
		.unit = http_text(q, "unit"),
		.city = http_text(q, "city"),
		.state = http_text(q, "state"),
		.country = http_text(q, "country"),
		.email = http_text(q, "email"),
	};
	struct span name = http_text(q, "common_name");
	const char *field = NULL;
	struct why why = {};
	int r = 0;

	if (name.n)
		r = normalize(q, name, "common_name", &s.common_name);
	if (!r)
		r = take_names(q, l, &s);
	if (r)
		return r;
	if (!s.common_name.n)
		s.common_name = s.names[0];
	if (subject_check(&s, &field, &why))
		return http_problem(q, 422, field, "%s", why.text);
	*ret_subject = s;
	return 0;
}

static bool has_choice(const json_t *list, struct span name)
{
	const json_t *choice;
	size_t i;

	json_array_foreach(list, i, choice) {
		if (span_is(name, json_string_value(json_object_get(choice, "name"))))
			return true;
	}
	return false;
}

static void add_choice(json_t *list, struct span name, const char *kind)
{
	json_t *choice;

	if (has_choice(list, name))
		return;
	choice = json_object();
	api_set_text(choice, "name", name);
	api_set_text(choice, "kind", span_str(kind));
	(void)json_array_append_new(list, choice);
}

/* With more than two labels the first becomes "*", else "*" comes in front: "*.example.org" for both
 * mail.example.org and example.org. */
static void add_wildcard(json_t *list, struct span name)
{
	CLEANUP(buf_done) struct buf out = {};
	struct span rest = name, first = span_cut(&rest, '.');

	if (!first.n || !rest.n)
		return;
	buf_add_string(&out, "*.");
	buf_add(&out, span_find(rest, '.') < rest.n ? rest : name);
	add_choice(list, buf_span(&out), "wildcard");
}

int api_name_list(struct http_request *q, struct store_conn *c)
{
	struct pki_look_up l = { .q = q };
	int r = pki_look_up_in(c, &l);
	json_t *list;

	if (r)
		return r;
	list = api_answer_list(q, "names");
	for (size_t i = 0; i < l.n_names; i++)
		add_choice(list, l.names[i], i ? "alias" : "domain");
	for (size_t i = 0; i < l.n_names; i++)
		add_wildcard(list, l.names[i]);
	return 0;
}
