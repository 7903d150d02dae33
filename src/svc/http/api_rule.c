/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Rules: Sieve scripts of an account, a domain or the server. The owner is an address, the name of
 * a domain, or "server"; who is no administrator names himself. */

#include "sieve/script.h"
#include "store/account.h"
#include "store/domain.h"
#include "store/rule_rows.h"
#include "store/store.h"
#include "svc/http/api.h"

static int find_owner(struct http_request *q, struct store_conn *c, struct rule_owner *ret_owner)
{
	struct span name = q->params[0];
	struct store_account account;
	struct store_domain domain;
	int r;

	*ret_owner = (struct rule_owner){ RULE_SERVER, 0 };
	if (span_is(name, "server"))
		return 0;
	if (span_find(name, '@') < name.n) {
		r = store_account_find(c, &q->arena, name, &account, NULL);
		if (r == 0)
			*ret_owner = (struct rule_owner){ RULE_ACCOUNT, account.id };
		return http_store_problem(q, r, "account", "owner", NULL);
	}
	r = store_domain_find(c, &q->arena, name, &domain);
	if (r == 0)
		*ret_owner = (struct rule_owner){ RULE_DOMAIN, domain.id };
	return http_store_problem(q, r, "domain", "owner", NULL);
}

/* RIGHT_OWN has looked the name up as a login: an account may be called as a domain or the server
 * is. */
static int owner_of(struct http_request *q, struct store_conn *c, struct rule_owner *ret_owner)
{
	int r = find_owner(q, c, ret_owner);

	if (!r && ret_owner->level != RULE_ACCOUNT && !http_is_admin(q))
		return http_problem(q, 403, NULL, "this is for administrators");
	return r;
}

static json_t *describe(const struct store_rule *rule)
{
	json_t *object = json_object();

	(void)json_object_set_new(object, "name", http_json_text(rule->name));
	(void)json_object_set_new(object, "active", json_boolean(rule->active));
	(void)json_object_set_new(object, "size", json_integer((json_int_t)rule->text.n));
	(void)json_object_set_new(object, "changed", http_json_time(rule->changed_us));
	return object;
}

static int add_rule(const struct store_rule *rule, void *context)
{
	(void)json_array_append_new(context, describe(rule));
	return 0;
}

int api_rule_list(struct http_request *q, struct store_conn *c)
{
	struct rule_owner owner;
	int r = owner_of(q, c, &owner);

	if (r)
		return r;
	return store_rule_each(c, owner, add_rule, api_answer_list(q, "scripts"));
}

int api_rule_show(struct http_request *q, struct store_conn *c)
{
	struct store_rule rule;
	struct rule_owner owner;
	int r = owner_of(q, c, &owner);

	if (r)
		return r;
	r = store_rule_get(c, &q->arena, owner, q->params[1], &rule);
	if (r)
		return http_store_problem(q, r, "script", NULL, NULL);
	q->answer = describe(&rule);
	(void)json_object_set_new(q->answer, "text", http_json_text(rule.text));
	return 0;
}

/* What does not compile is not stored. */
int api_rule_set_prepare(struct http_request *q, struct store_conn *c)
{
	CLEANUP(sieve_script_unrefp) struct sieve_script *script = NULL;
	struct sieve_report *report = ARENA_ALLOC(&q->arena, struct sieve_report);
	int r = sieve_compile(&script, http_text(q, "text"), report);

	(void)c;
	q->prepared = report;
	if (r > 0)
		return http_problem(q, 422, "text", "line %u, column %u: %s", report->error.line,
			report->error.column, report->error.text);
	return r;
}

int api_rule_set(struct http_request *q, struct store_conn *c)
{
	const struct sieve_report *report = q->prepared;
	struct rule_owner owner;
	struct why why = {};
	json_t *list;
	int r = owner_of(q, c, &owner);

	if (r)
		return r;
	r = store_rule_put(c, owner, q->params[1], http_text(q, "text"), &why);
	if (r == 0 && !json_is_false(json_object_get(q->json, "active")))
		r = store_rule_activate(c, owner, q->params[1]);
	if (r)
		return http_store_problem(q, r, "script", "name", &why);
	list = api_answer_list(q, "warnings");
	for (size_t i = 0; i < report->n_warnings; i++) {
		CLEANUP(buf_done) struct buf text = {};

		sieve_remark_add(&text, &report->warnings[i]);
		(void)json_array_append_new(list, http_json_text(buf_span(&text)));
	}
	return http_audit(q, c, "rule.set", q->params[0], q->params[1]);
}

/* An active one too: then there are no rules. */
int api_rule_remove(struct http_request *q, struct store_conn *c)
{
	struct rule_owner owner;
	int r = owner_of(q, c, &owner);

	if (r)
		return r;
	r = store_rule_remove(c, owner, q->params[1]);
	if (r == STORE_E_IN_USE) {
		TRY(store_rule_activate(c, owner, (struct span){}));
		r = store_rule_remove(c, owner, q->params[1]);
	}
	if (r)
		return http_store_problem(q, r, "script", NULL, NULL);
	q->status = 204;
	return http_audit(q, c, "rule.remove", q->params[0], q->params[1]);
}
