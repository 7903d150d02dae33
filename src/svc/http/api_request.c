/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Requests for certificates, and what goes into them and into self-signed certificates: the names a
 * domain may be found under and who it is.
 */

#include "base/alloc.h"
#include "base/clock.h"
#include "pki/key.h"
#include "pki/name.h"
#include "pki/request.h"
#include "store/request_rows.h"
#include "store/store.h"
#include "svc/domain_keys.h"
#include "svc/env.h"
#include "svc/http/api_pki.h"
#include "svc/http/api_subject.h"

#include <stdlib.h>

static void set_names(json_t *object, const struct request *request)
{
	json_t *names = json_array();
	struct span name;

	for (size_t i = 0; request_name(request, i, &name); i++)
		(void)json_array_append_new(names, http_json_text(name));
	(void)json_object_set_new(object, "names", names);
}

/* What may answer a request: a certificate by somebody else than its key, with when it came. */
struct answer {
	int64_t key;
	int64_t created_us;
	struct span alias;
	struct cert *cert;
};

struct answers {
	struct arena *arena;
	struct answer *all;
	size_t n;
};

static void answers_done(struct answers *a)
{
	for (size_t i = 0; i < a->n; i++)
		cert_unref(a->all[i].cert);
	free(a->all);
}

static int add_answer(const struct store_cert *row, void *context)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct answers *a = context;

	if (!row->key || cert_from_der(&cert, row->der, NULL) || cert_is_self_signed(cert))
		return 0;
	a->all = alloc_array(a->all, a->n + 1, sizeof *a->all);
	a->all[a->n++] = (struct answer){ row->key, row->created_us,
		arena_span(a->arena, row->alias), TAKE(cert) };
	return 0;
}

static bool cert_has_name(const struct cert *cert, struct span wanted)
{
	struct cert_name name;

	for (size_t i = 0; cert_alt_name(cert, i, &name); i++) {
		if (name.type == CERT_NAME_DNS && span_equal_nocase(name.text, wanted))
			return true;
	}
	return cert_covers_host(cert, wanted);
}

/* A certificate answers a request if it has the key, came later, and is for all the names. */
static bool is_answer(const struct answer *a, const struct store_request *row,
	const struct request *request)
{
	struct span name;

	if (a->key != row->key || a->created_us < row->created_us)
		return false;
	for (size_t i = 0; request_name(request, i, &name); i++) {
		if (!cert_has_name(a->cert, name))
			return false;
	}
	return true;
}

/* The newest answer's alias; null: it waits. */
static void set_answer(json_t *object, const struct store_request *row,
	const struct request *request, const struct answers *answers)
{
	(void)json_object_set_new(object, "certificate", json_null());
	for (size_t i = 0; i < answers->n; i++) {
		if (is_answer(&answers->all[i], row, request))
			api_set_text(object, "certificate", answers->all[i].alias);
	}
}

static json_t *request_json(const struct store_request *row, const struct answers *answers)
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
	set_answer(object, row, request, answers);
	api_set_text(object, "request", buf_span(&pem));
	return object;
}

struct request_search {
	struct span alias; /* no octets: all of them */
	struct answers answers;
	json_t *list;
};

static int add_request(const struct store_request *request, void *context)
{
	struct request_search *s = context;

	if (!s->alias.n || span_equal(request->alias, s->alias))
		(void)json_array_append_new(s->list, request_json(request, &s->answers));
	return 0;
}

static int search_requests(struct http_request *q, struct store_conn *c, struct request_search *s)
{
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	if (r)
		return r;
	s->answers = (struct answers){ .arena = &q->arena };
	r = store_cert_each(c, domain.id, add_answer, &s->answers);
	if (!r)
		r = store_request_each(c, domain.id, add_request, s);
	answers_done(&s->answers);
	return r;
}

int api_request_list(struct http_request *q, struct store_conn *c)
{
	struct request_search search = { .list = json_array() };
	int r = search_requests(q, c, &search);

	q->answer = json_object();
	(void)json_object_set_new(q->answer, "requests", search.list);
	return r;
}

int api_request_show(struct http_request *q, struct store_conn *c)
{
	struct request_search search = { .alias = q->params[1], .list = json_array() };
	int r = search_requests(q, c, &search);
	bool found = json_array_size(search.list) > 0;

	q->answer = json_incref(json_array_get(search.list, 0));
	json_decref(search.list);
	if (!r && !found)
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

struct new_request {
	struct store_request row;
	struct check_list checks;
};

int api_request_make_prepare(struct http_request *q, struct store_conn *c)
{
	struct pki_look_up l = { .q = q, .key_alias = http_text(q, "key"), .wants_key = true };
	struct new_request *new = ARENA_ALLOC(&q->arena, struct new_request);
	struct store_request *row = &new->row;
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
	new->checks = (struct check_list){ .arena = &q->arena };
	api_check_subject(&l, &subject, &new->checks);
	q->prepared = new;
	return 0;
}

int api_request_make(struct http_request *q, struct store_conn *c)
{
	static const struct answers none = {};
	struct new_request *new = q->prepared;
	struct store_request *row = &new->row;
	int r = store_request_add(c, row, &row->id);

	if (r)
		return http_store_problem(q, r, "request", "alias", NULL);
	q->status = 201;
	q->answer = request_json(row, &none);
	api_set_warnings(q->answer, &new->checks);
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

/* The domain of an address as A-labels: emailAddress is ASCII. Whatever is wrong with it is found by
 * subject_check. */
static struct span contact(struct http_request *q)
{
	CLEANUP(buf_done) struct buf out = {};
	struct span email = http_text(q, "email");
	size_t at = span_find(email, '@');

	if (at == email.n)
		return email;
	buf_add(&out, span_head(email, at + 1));
	if (!name_to_ascii(span_skip(email, at + 1), &out))
		return email;
	return arena_span(&q->arena, buf_span(&out));
}

int api_subject(struct http_request *q, const struct pki_look_up *l, struct subject *ret_subject)
{
	struct subject s = {
		.organization = http_text(q, "organization"),
		.unit = http_text(q, "unit"),
		.city = http_text(q, "city"),
		.state = http_text(q, "state"),
		.country = http_text(q, "country"),
		.email = contact(q),
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

/* Equal to the domain's name or below it, or a wildcard that is good for it. */
static bool is_of(struct span name, struct span domain)
{
	struct span rest = is_wildcard(name) ? span_skip(name, 2) : name;

	return span_equal_nocase(rest, domain) ||
		(rest.n > domain.n && rest.p[rest.n - domain.n - 1] == '.' &&
			span_equal_nocase(span_skip(rest, rest.n - domain.n), domain)) ||
		name_matches(name, domain);
}

static bool is_own(const struct pki_look_up *l, struct span name)
{
	for (size_t i = 0; i < l->n_names; i++) {
		if (is_of(name, l->names[i]))
			return true;
	}
	return false;
}

void api_check_subject(const struct pki_look_up *l, const struct subject *s, struct check_list *checks)
{
	for (size_t i = 0; i < s->n_names; i++) {
		if (!is_own(l, s->names[i]))
			check_add(checks, "names", CHECK_WARNING,
				"%.*s is no name of %s: clients that ask for it are shown another"
				" certificate, unless it is made an alias (signet alias add)",
				(int)s->names[i].n, (const char *)s->names[i].p, l->domain.name);
	}
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
