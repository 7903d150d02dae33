/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Policies of TLS: the query says whose ("domain", "listener", neither: the server's). What is written
 * is tried before it is committed, with everything that it would hold together with.
 */

#include "net/tls_rules.h"
#include "store/store.h"
#include "store/tls_rows.h"
#include "svc/http/api.h"
#include "svc/tls_policies.h"

struct whose {
	struct store_domain domain; /* id 0: none in particular */
	enum tls_listener listener; /* TLS_ON: none */
};

static int read_domain(struct http_request *q, struct store_conn *c, struct whose *w)
{
	struct span name = http_query(q, "domain");
	int r;

	if (!name.p)
		return 0;
	r = store_domain_find(c, &q->arena, name, &w->domain);
	if (r == STORE_E_NOT_FOUND)
		return http_problem(q, 404, "domain", "there is no such domain");
	return r ? err_fold(r) : 0;
}

static int read_listener(struct http_request *q, struct whose *w)
{
	struct span name = http_query(q, "listener");
	CLEANUP(buf_done) struct buf names = {};

	w->listener = name.p ? tls_listener_find(name) : TLS_ON;
	if (!name.p || w->listener != TLS_ON)
		return 0;
	for (enum tls_listener l = 0; l < TLS_ON; l++)
		buf_add_format(&names, "%s%s", l ? ", " : "", tls_listener_names[l]);
	buf_add_octet(&names, 0);
	return http_problem(q, 404, "listener", "a listener is one of: %s",
		(const char *)buf_span(&names).p);
}

static int read_whose(struct http_request *q, struct store_conn *c, struct whose *w)
{
	int r = read_domain(q, c, w);

	return r ? r : read_listener(q, w);
}

static json_t *notes_of(const struct tls_policy *policy)
{
	CLEANUP(buf_done) struct buf text = {};
	json_t *notes = json_array();
	struct span rest;

	tls_rules_notes(policy, &text);
	for (rest = buf_span(&text); rest.n;)
		(void)json_array_append_new(notes, http_json_text(span_cut(&rest, '\n')));
	return notes;
}

static void answer_policy(struct http_request *q, const struct tls_policies *all,
	const struct whose *w)
{
	static const char *const words[] = {
		[TLS_FROM_DEFAULT] = "default",
		[TLS_FROM_SERVER] = "server",
		[TLS_FROM_LISTENER] = "listener",
		[TLS_FROM_DOMAIN] = "domain",
	};
	enum tls_source sources[TLS_POLICY_ROWS];
	struct tls_policy policy;
	json_t *list = api_answer_list(q, "settings");

	tls_policies_resolve(all, w->domain.id, w->listener, &policy, sources);
	for (size_t i = 0; i < TLS_POLICY_ROWS; i++) {
		json_t *setting = api_setting_json(&tls_policy_rows[i], &policy);

		api_set_text(setting, "source", span_str(words[sources[i]]));
		(void)json_array_append_new(list, setting);
	}
	(void)json_object_set_new(q->answer, "notes", notes_of(&policy));
	tls_policy_done(&policy);
}

int api_tls_show(struct http_request *q, struct store_conn *c)
{
	CLEANUP(tls_policies_done) struct tls_policies all = {};
	struct whose w = {};
	int r = read_whose(q, c, &w);

	if (r)
		return r;
	TRY(tls_policies_read(&all, c));
	answer_policy(q, &all, &w);
	return 0;
}

/* One value: whether it is one at all. What it does with others is seen when all are written. */
static int check_value(struct http_request *q, const struct whose *w, const char *key,
	struct span value)
{
	struct tls_policy scratch;
	struct why why = {};
	int r;

	if (!conf_find(tls_policy_rows, TLS_POLICY_ROWS, span_str(key)))
		return http_problem(q, 422, key, "TLS has no such setting; \"signet tls show\" lists"
			" all");
	if (w->domain.id && !tls_policy_is_of_domain(span_str(key)))
		return http_problem(q, 422, key, "%s is needed before the domain is known: set it for"
			" the server or for a listener", key);
	if (!value.p)
		return 0;
	tls_policy_init(&scratch);
	r = tls_policy_set(&scratch, span_str(key), value, &why);
	tls_policy_done(&scratch);
	return r ? http_problem(q, 422, key, "%s", why.text) : 0;
}

static int write_values(struct http_request *q, struct store_conn *c, const struct whose *w)
{
	struct store_tls_value v = { .domain = w->domain.id,
		.listener = w->listener == TLS_ON ? SPAN("") :
			span_str(tls_listener_names[w->listener]) };
	struct span target = w->domain.id ? span_str(w->domain.name) :
		w->listener == TLS_ON ? SPAN("server") : v.listener;
	const char *key;
	json_t *value;

	json_object_foreach(q->json, key, value) {
		CLEANUP(buf_done) struct buf detail = {};
		int r;

		v.key = span_str(key);
		v.value = http_scalar(q, value);
		r = check_value(q, w, key, v.value);
		if (r)
			return r;
		TRY(store_tls_value_set(c, &v));
		buf_add_format(&detail, "%s=%.*s", key, v.value.p ? (int)v.value.n : 9,
			v.value.p ? (const char *)v.value.p : "(default)");
		TRY(http_audit(q, c, "tls.set", target, buf_span(&detail)));
	}
	return 0;
}

struct name_search {
	int64_t id;
	struct buf name;
};

static int match_domain(const struct store_domain *domain, void *context)
{
	struct name_search *s = context;

	if (domain->id == s->id)
		buf_add_string(&s->name, domain->name);
	return 0;
}

static int check_all(struct http_request *q, struct store_conn *c, const struct tls_policies *all)
{
	struct name_search search = {};
	struct why why = {};
	int r = tls_policies_check(all, &why, &search.id);

	if (!r)
		return 0;
	if (r < 0)
		return r;
	TRY(store_domain_each(c, match_domain, &search));
	r = http_problem(q, 422, NULL, "%s%s%.*s", why.text, buf_size(&search.name) ?
		", for the domain " : "", (int)buf_size(&search.name),
		(const char *)buf_span(&search.name).p);
	buf_done(&search.name);
	return r;
}

int api_tls_set(struct http_request *q, struct store_conn *c)
{
	CLEANUP(tls_policies_done) struct tls_policies all = {};
	struct whose w = {};
	int r = read_whose(q, c, &w);

	if (!r && w.domain.id && w.listener != TLS_ON)
		return http_problem(q, 422, "listener", "a value is for a domain or for a listener; a"
			" domain's holds on all of them");
	if (!r)
		r = write_values(q, c, &w);
	if (r)
		return r;
	TRY(tls_policies_read(&all, c));
	r = check_all(q, c, &all);
	if (r)
		return r;
	answer_policy(q, &all, &w);
	q->tls_changed = true;
	return 0;
}
