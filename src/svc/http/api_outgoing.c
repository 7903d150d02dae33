/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Rules for TLS of our own connections, by destination. "inherit" is what a rule does not say. An
 * identity that servers may refuse is taken all the same, since it may be put right later, and told
 * in "warnings".
 */

#include "svc/http/api_outgoing.h"
#include "base/clock.h"
#include "store/key_rows.h"
#include "store/outgoing_rows.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/http/api.h"

static json_t *lines_json(const struct buf *lines)
{
	json_t *list = json_array();

	for (struct span rest = buf_span(lines); rest.n;)
		(void)json_array_append_new(list, http_json_text(span_cut(&rest, '\n')));
	return list;
}

static void set_value(json_t *object, const char *member, struct span value)
{
	api_set_text(object, member, value.n ? value : SPAN("inherit"));
}

/* "none", "main", "example.org" or "example.org/alias", as it can be given. */
static int add_identity_text(struct http_request *q, struct store_conn *c,
	const struct store_outgoing *row, struct buf *out)
{
	struct store_domain domain = { .name = "?" };

	if (!span_is(row->identity, outgoing_who_names[OUTGOING_DOMAIN])) {
		buf_add(out, row->identity);
		return 0;
	}
	if (row->domain)
		TRY(store_domain_get(c, &q->arena, row->domain, &domain));
	buf_add_format(out, "%s%s%.*s", domain.name, row->alias.n ? "/" : "", (int)row->alias.n,
		(const char *)row->alias.p);
	return 0;
}

static int set_rule(struct http_request *q, struct store_conn *c, json_t *object,
	const struct store_outgoing *row)
{
	CLEANUP(buf_done) struct buf identity = {};

	TRY(add_identity_text(q, c, row, &identity));
	api_set_text(object, "pattern", row->pattern);
	set_value(object, "tls", row->tls);
	set_value(object, "oldest", row->oldest);
	set_value(object, "identity", buf_span(&identity));
	return 0;
}

struct listing {
	struct http_request *q;
	struct store_conn *c;
	struct outgoing *now;
	json_t *list;
	struct buf warnings;
};

static int add_rule(const struct store_outgoing *row, void *context)
{
	struct listing *l = context;
	const struct outgoing_identity *identity = NULL;
	json_t *rule = json_object();
	struct buf lines = {};

	(void)json_array_append_new(l->list, rule);
	if (span_is(row->identity, outgoing_who_names[OUTGOING_MAIN]))
		identity = outgoing_identity_of(l->now, OUTGOING_MAIN, 0, SPAN(""));
	else if (span_is(row->identity, outgoing_who_names[OUTGOING_DOMAIN]))
		identity = outgoing_identity_of(l->now, OUTGOING_DOMAIN, row->domain, row->alias);
	if (identity)
		outgoing_identity_warn(identity, clock_now_us(), &lines);
	for (struct span rest = buf_span(&lines); rest.n;) {
		struct span line = span_cut(&rest, '\n');

		buf_add_format(&l->warnings, "%.*s: %.*s\n", (int)row->pattern.n,
			(const char *)row->pattern.p, (int)line.n, (const char *)line.p);
	}
	buf_done(&lines);
	return set_rule(l->q, l->c, rule, row);
}

int api_outgoing_list(struct http_request *q, struct store_conn *c)
{
	CLEANUP(outgoing_unrefp) struct outgoing *now = outgoing_now(q->env);
	struct listing l = { .q = q, .c = c, .now = now, .list = api_answer_list(q, "rules") };
	int r = store_outgoing_each(c, add_rule, &l);

	if (!r)
		(void)json_object_set_new(q->answer, "warnings", lines_json(&l.warnings));
	buf_done(&l.warnings);
	return r;
}

int api_outgoing_pattern(struct http_request *q, struct span *ret_pattern)
{
	CLEANUP(buf_done) struct buf pattern = {};
	struct why why = {};
	int r = outgoing_pattern_parse(q->params[0], &pattern, &why);

	if (r)
		return r > 0 ? http_problem(q, 422, "pattern", "%s", why.text) : r;
	*ret_pattern = arena_span(&q->arena, buf_span(&pattern));
	return 0;
}

struct search {
	struct span alias;
	bool is_found;
};

static int match_alias(const struct store_cert *cert, void *context)
{
	struct search *s = context;

	s->is_found |= span_equal(cert->alias, s->alias);
	return 0;
}

/* DOMAIN, or DOMAIN/ALIAS. What is not there cannot be set; that it goes later is warned of. */
static int take_domain(struct http_request *q, struct store_conn *c, struct span value,
	struct store_outgoing *row)
{
	struct span name = span_cut(&value, '/');
	struct search s = { .alias = value };
	int r = api_named_domain(q, c, name, &row->domain);

	if (r > 0)
		return http_problem(q, 422, "identity",
			"an identity is none, main, a domain of this"
			" server (its certificate in use), DOMAIN/ALIAS (one certificate) or "
			"inherit");
	if (r)
		return r;
	row->identity = span_str(outgoing_who_names[OUTGOING_DOMAIN]);
	row->alias = value;
	if (!value.n)
		return 0;
	TRY(store_cert_each(c, row->domain, match_alias, &s));
	return s.is_found ? 0
			  : http_problem(q, 422, "identity",
				    "%.*s has no certificate %.*s;"
				    " \"signet cert list\" shows them",
				    (int)name.n, (const char *)name.p, (int)value.n,
				    (const char *)value.p);
}

static int take_identity(struct http_request *q, struct store_conn *c, struct span value,
	struct store_outgoing *row)
{
	row->domain = 0;
	row->alias = SPAN("");
	if (span_is(value, "inherit"))
		row->identity = SPAN("");
	else if (span_is(value, outgoing_who_names[OUTGOING_NOBODY]) ||
		 span_is(value, outgoing_who_names[OUTGOING_MAIN]))
		row->identity = value;
	else
		return take_domain(q, c, value, row);
	return 0;
}

/* The members that are there, over what the rule said before. */
static int take_values(struct http_request *q, struct store_conn *c, struct store_outgoing *row)
{
	struct span tls = http_text(q, "tls"), oldest = http_text(q, "oldest");
	struct span identity = http_text(q, "identity");
	struct why why = {};
	int r;

	if (!tls.p && !oldest.p && !identity.p)
		return http_problem(q, 422, NULL, "a rule says tls, oldest or identity");
	if (tls.p) {
		r = outgoing_tls_check(&tls, &why);
		if (r)
			return http_problem(q, 422, "tls", "%s", why.text);
		row->tls = tls;
	}
	if (oldest.p) {
		r = outgoing_oldest_check(&oldest, &why);
		if (r)
			return http_problem(q, 422, "oldest", "%s", why.text);
		row->oldest = oldest;
	}
	return identity.p ? take_identity(q, c, identity, row) : 0;
}

static int audit(struct http_request *q, struct store_conn *c, const char *action,
	const struct store_outgoing *row)
{
	CLEANUP(buf_done) struct buf detail = {}, identity = {};

	TRY(add_identity_text(q, c, row, &identity));
	if (row->tls.n)
		buf_add_format(&detail, "tls=%.*s ", (int)row->tls.n, (const char *)row->tls.p);
	if (row->oldest.n)
		buf_add_format(&detail, "oldest=%.*s ", (int)row->oldest.n,
			(const char *)row->oldest.p);
	if (row->identity.n)
		buf_add_format(&detail, "identity=%.*s", (int)buf_size(&identity),
			(const char *)buf_span(&identity).p);
	return http_audit(q, c, action, row->pattern, span_trim(buf_span(&detail)));
}

int api_outgoing_set(struct http_request *q, struct store_conn *c)
{
	CLEANUP(buf_done) struct buf warnings = {};
	struct store_outgoing row = { .tls = SPAN(""),
		.oldest = SPAN(""),
		.identity = SPAN(""),
		.alias = SPAN("") };
	struct span pattern;
	int r = api_outgoing_pattern(q, &pattern);

	if (!r) {
		r = store_outgoing_get(c, &q->arena, pattern, &row);
		r = r == STORE_E_NOT_FOUND ? 0 : r;
	}
	row.pattern = pattern;
	if (!r)
		r = take_values(q, c, &row);
	if (r)
		return r;
	r = store_outgoing_set(c, &row);
	if (r == STORE_E_LIMIT)
		return http_problem(q, 409, "pattern", "there are %d rules already: remove some",
			STORE_OUTGOING_MAX);
	if (r)
		return r;
	TRY(outgoing_row_warn(q->env, c, &row, &warnings));
	q->answer = json_object();
	TRY(set_rule(q, c, q->answer, &row));
	(void)json_object_set_new(q->answer, "warnings", lines_json(&warnings));
	q->outgoing_changed = true;
	return audit(q, c, "outgoing.set", &row);
}

int api_outgoing_remove(struct http_request *q, struct store_conn *c)
{
	struct store_outgoing row;
	struct span pattern;
	int r = api_outgoing_pattern(q, &pattern);

	if (!r)
		r = store_outgoing_get(c, &q->arena, pattern, &row);
	if (!r)
		r = store_outgoing_remove(c, pattern);
	if (r == STORE_E_NOT_FOUND)
		return http_problem(q, 404, "pattern", "there is no rule for this pattern");
	if (r)
		return r;
	q->status = 204;
	q->outgoing_changed = true;
	return audit(q, c, "outgoing.remove", &row);
}

void api_set_outgoing_policy(json_t *object, const struct outgoing_policy *p,
	const struct outgoing_identity *identity)
{
	const struct {
		const char *key, *value, *from;
	} values[] = {
		{ "tls", outgoing_tls_names[p->tls], p->tls_from },
		{ "oldest", tls_version_name(p->oldest), p->oldest_from },
		{ "identity", identity ? identity->name : outgoing_who_names[OUTGOING_NOBODY],
			p->who_from },
	};
	json_t *list = json_array();

	(void)json_object_set_new(object, "policy", list);
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
		(void)json_array_append_new(list,
			json_pack("{s:s, s:s, s:s}", "key", values[i].key, "value", values[i].value,
				"from", values[i].from ? values[i].from : "default"));
}

void api_set_outgoing_warnings(json_t *object, const struct outgoing_identity *identity)
{
	CLEANUP(buf_done) struct buf lines = {};

	if (identity)
		outgoing_identity_warn(identity, clock_now_us(), &lines);
	(void)json_object_set_new(object, "warnings", lines_json(&lines));
}

int api_outgoing_show(struct http_request *q, struct store_conn *c)
{
	CLEANUP(outgoing_unrefp) struct outgoing *now = outgoing_now(q->env);
	const struct outgoing_identity *identity;
	struct outgoing_policy policy;
	struct span destination;
	int r = api_outgoing_destination(q, &destination);

	(void)c;
	if (r)
		return r;
	outgoing_find(now, destination, &policy, &identity);
	q->answer = json_object();
	api_set_text(q->answer, "destination", destination);
	api_set_outgoing_policy(q->answer, &policy, identity);
	api_set_outgoing_warnings(q->answer, identity);
	return 0;
}
