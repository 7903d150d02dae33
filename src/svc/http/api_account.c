/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Accounts and their mailboxes. Passwords are hashed before the transaction: it takes tens of
 * milliseconds, and the store's writer serves everybody. */

#include "store/mailbox.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/http/api.h"

static json_t *account_json(const struct store_account *a)
{
	json_t *object = json_object();

	api_set_text(object, "address", a->address);
	api_set_text(object, "name", a->name);
	api_set_text(object, "role", a->role == ROLE_ADMIN ? SPAN("admin") : SPAN("user"));
	(void)json_object_set_new(object, "disabled", json_boolean(a->disabled));
	(void)json_object_set_new(object, "smime", json_boolean(a->smime));
	api_set_number(object, "quota", a->quota);
	api_set_number(object, "used_octets", a->used_octets);
	api_set_number(object, "used_messages", a->used_messages);
	(void)json_object_set_new(object, "created", http_json_time(a->created_us));
	return object;
}

static int add_account(const struct store_account *account, void *context)
{
	(void)json_array_append_new(context, account_json(account));
	return 0;
}

int api_account_list(struct http_request *q, struct store_conn *c)
{
	int64_t domain;
	int r = api_query_domain(q, c, &domain);

	return r ? r : store_account_each(c, domain, add_account, api_answer_list(q, "accounts"));
}

int api_account_show(struct http_request *q, struct store_conn *c)
{
	struct store_account account;
	int r = api_account(q, c, &account);

	if (!r)
		q->answer = account_json(&account);
	return r;
}

static int make_credentials(struct http_request *q)
{
	struct store_credentials *credentials = ARENA_ALLOC(&q->arena, struct store_credentials);
	struct why why = {};
	int r = auth_make_credentials(q->env, http_text(q, "password"), &q->arena, credentials, &why);

	if (r == AUTH_E_PASSWORD)
		return http_problem(q, 422, "password", "%s", why.text);
	q->prepared = credentials;
	return err_fold(r);
}

int api_account_add_prepare(struct http_request *q, struct store_conn *c)
{
	(void)c;
	return make_credentials(q);
}

/* One key of store_account_set, if the body has it. */
static int set_member(struct http_request *q, struct store_conn *c, int64_t id, struct span address,
	const char *member)
{
	const json_t *value = json_object_get(q->json, member);
	struct why why = {};
	int r;

	if (!value)
		return 0;
	r = store_account_set(c, id, span_str(member), http_scalar(q, value), &why);
	if (r)
		return http_store_problem(q, r, "account", member, &why);
	return http_audit(q, c, "account.set", address, span_str(member));
}

static const char *const settable[] = { "name", "role", "disabled", "quota", "smime" };

static int set_members(struct http_request *q, struct store_conn *c, int64_t id, struct span address)
{
	for (size_t i = 0; i < sizeof settable / sizeof settable[0]; i++) {
		int r = set_member(q, c, id, address, settable[i]);

		if (r)
			return r;
	}
	return 0;
}

int api_account_add(struct http_request *q, struct store_conn *c)
{
	struct span address = http_text(q, "address");
	struct store_account account;
	struct store_domain domain;
	struct span local;
	int64_t id;
	int r = api_address(q, c, address, "address", &local, &domain);

	if (r)
		return r;
	r = store_account_add(c, domain.id, local, ROLE_USER, q->prepared, &id);
	if (r)
		return http_store_problem(q, r, "account or alias", "address", NULL);
	TRY(http_audit(q, c, "account.add", address, SPAN("")));
	r = set_members(q, c, id, address);
	if (r)
		return r;
	TRY(store_account_get(c, &q->arena, id, &account));
	q->status = 201;
	q->answer = account_json(&account);
	return 0;
}

/* A user may change how the own name is written, no more. */
int api_account_set(struct http_request *q, struct store_conn *c)
{
	struct store_account account;
	const char *member;
	json_t *value;
	int r = api_account(q, c, &account);

	if (r)
		return r;
	json_object_foreach(q->json, member, value) {
		if (!http_is_admin(q) && strcmp(member, "name") != 0)
			return http_problem(q, 403, member, "this is for administrators");
	}
	r = set_members(q, c, account.id, account.address);
	if (r)
		return r;
	TRY(store_account_get(c, &q->arena, account.id, &account));
	if (account.disabled || !account.smime)
		q->locks_account = account.id;
	q->answer = account_json(&account);
	return 0;
}

int api_account_remove(struct http_request *q, struct store_conn *c)
{
	struct store_account account;
	int r = api_account(q, c, &account);

	if (r)
		return r;
	r = store_account_remove(c, account.id);
	if (r == STORE_E_REFUSED)
		return http_problem(q, 422, "address", "the last administrator cannot be removed");
	if (r)
		return http_store_problem(q, r, "account", "address", NULL);
	q->status = 204;
	q->locks_account = account.id;
	q->ca_changed = true;
	return http_audit(q, c, "account.remove", account.address, SPAN(""));
}

/* The old password is proven by whoever changes the own one: a session left open is not enough to take
 * an account over, nor what an administrator's password opens. */
int api_password_set_prepare(struct http_request *q, struct store_conn *c)
{
	struct span current = http_text(q, "current");
	struct auth_source from = http_source(q);
	struct store_account account = {};
	struct auth_identity who;
	int r = http_is_admin(q) && !current.p ? api_account_read(q, &account) : 0;

	(void)c;
	if (r)
		return r;
	if (http_is_admin(q) && !current.p && account.id != q->who.account)
		return make_credentials(q);
	if (!current.p)
		return http_problem(q, 422, "current", "the current password is missing");
	r = auth_password(q->env, &from, q->params[0], current, &who);
	if (r == AUTH_E_TOO_MANY)
		return http_problem(q, 429, "current", "too many failed logins; try again later");
	if (r > 0)
		return http_problem(q, 403, "current", "the current password is wrong");
	return r ? r : make_credentials(q);
}

int api_password_set(struct http_request *q, struct store_conn *c)
{
	struct store_account account;
	int r = api_account(q, c, &account);

	if (r)
		return r;
	r = store_account_set_credentials(c, account.id, q->prepared);
	if (r)
		return http_store_problem(q, r, "account", "address", NULL);
	q->status = 204;
	q->locks_account = account.id;
	return http_audit(q, c, "account.password", account.address, SPAN(""));
}

static const char *const uses[] = {
	[USE_NONE] = "",
	[USE_ARCHIVE] = "archive",
	[USE_DRAFTS] = "drafts",
	[USE_FLAGGED] = "flagged",
	[USE_JUNK] = "junk",
	[USE_SENT] = "sent",
	[USE_TRASH] = "trash",
	[USE_ALL] = "all",
	[USE_IMPORTANT] = "important",
};

static json_t *mailbox_json(const struct store_mailbox *m)
{
	json_t *object = json_object();

	api_set_text(object, "name", m->name);
	api_set_text(object, "use", span_str(uses[m->use]));
	(void)json_object_set_new(object, "subscribed", json_boolean(m->subscribed));
	api_set_number(object, "messages", m->n_messages);
	api_set_number(object, "unseen", m->n_unseen);
	api_set_number(object, "octets", m->octets);
	api_set_number(object, "uidvalidity", m->uidvalidity);
	api_set_number(object, "uidnext", m->uidnext);
	(void)json_object_set_new(object, "created", http_json_time(m->created_us));
	return object;
}

int api_mailbox_list(struct http_request *q, struct store_conn *c)
{
	struct store_account account;
	struct store_mailbox *mailboxes;
	json_t *list;
	size_t n;
	int r = api_account(q, c, &account);

	if (r)
		return r;
	TRY(store_mailbox_list(c, &q->arena, account.id, &mailboxes, &n));
	list = api_answer_list(q, "mailboxes");
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list, mailbox_json(&mailboxes[i]));
	return 0;
}

static int parse_use(struct http_request *q, enum special_use *ret_use)
{
	struct span text = http_text(q, "use");

	for (unsigned i = 0; i < sizeof uses / sizeof uses[0]; i++) {
		if (!span_is(text, uses[i]))
			continue;
		*ret_use = i;
		return 0;
	}
	return http_problem(q, 422, "use",
		"use is archive, drafts, flagged, junk, sent, trash, all or important");
}

int api_mailbox_add(struct http_request *q, struct store_conn *c)
{
	struct span name = http_text(q, "name");
	struct store_account account;
	struct store_mailbox mailbox;
	enum special_use use = USE_NONE;
	struct why why = {};
	int64_t id;
	int r = api_account(q, c, &account);

	if (!r)
		r = parse_use(q, &use);
	if (r)
		return r;
	r = store_mailbox_create(c, account.id, name, use, &id, &why);
	if (r)
		return http_store_problem(q, r, "mailbox", "name", &why);
	TRY(http_audit(q, c, "mailbox.add", account.address, name));
	TRY(store_mailbox_get(c, &q->arena, id, &mailbox));
	q->status = 201;
	q->answer = mailbox_json(&mailbox);
	return 0;
}

int api_mailbox_remove(struct http_request *q, struct store_conn *c)
{
	struct store_account account;
	struct why why = {};
	int r = api_account(q, c, &account);

	if (r)
		return r;
	r = store_mailbox_delete(c, account.id, q->params[1], &why);
	if (r)
		return http_store_problem(q, r, "mailbox", "mailbox", &why);
	q->status = 204;
	return http_audit(q, c, "mailbox.remove", account.address, q->params[1]);
}
