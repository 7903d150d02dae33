/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Messages of an account encrypted and decrypted where they lie, one at a time or all that are old
 * in the background. Decrypting needs the account's keys unlocked in this web session; encrypting
 * needs them as proof that its owner will be able to read what comes out.
 */

#include "base/clock.h"
#include "store/encryption_rows.h"
#include "store/store.h"
#include "svc/encryption.h"
#include "svc/env.h"
#include "svc/http/api_message.h"
#include "svc/stored.h"

static int answer_replaced(struct message_asked *k, const struct message_replaced *replaced)
{
	json_t *object = json_object();

	(void)json_object_set_new(object, "id", message_json_id(replaced->id));
	api_set_number(object, "uid", replaced->uid);
	api_set_number(object, "held_elsewhere", replaced->n_holders);
	k->q->status = 200;
	k->q->answer = object;
	return 0;
}

int api_stored_encrypt(struct http_request *q, struct store_conn *c)
{
	CLEANUP(message_asked_done) struct message_asked k = {};
	struct message_replaced replaced;
	int r = message_asked_unlocked(q, &k);

	(void)c;
	if (!r)
		r = message_asked_id(&k);
	if (r)
		return r;
	r = stored_encrypt(q->env, k.account.id, k.id, &replaced, &k.why);
	return r ? message_problem(&k, r) : answer_replaced(&k, &replaced);
}

int api_stored_decrypt(struct http_request *q, struct store_conn *c)
{
	CLEANUP(message_asked_done) struct message_asked k = {};
	struct message_replaced replaced;
	int r = message_asked_unlocked(q, &k);

	(void)c;
	if (!r)
		r = message_asked_id(&k);
	if (r)
		return r;
	r = stored_decrypt(q->env, k.account.id, k.id, k.keys.keys, k.keys.n, &replaced, &k.why);
	return r ? message_problem(&k, r) : answer_replaced(&k, &replaced);
}

static json_t *encryption_json(const struct store_encryption *e)
{
	json_t *object = json_object();

	api_set_text(object, "state", span_str(encryption_state_names[e->state]));
	api_set_number(object, "total", e->n_total);
	api_set_number(object, "encrypted", e->n_done);
	api_set_number(object, "encrypted_before", e->n_already);
	api_set_number(object, "failed", e->n_failed);
	api_set_number(object, "held_elsewhere", e->n_held);
	api_set_text(object, "last_error", e->last_error);
	(void)json_object_set_new(object, "started", http_json_time(e->started_us));
	(void)json_object_set_new(object, "changed", http_json_time(e->changed_us));
	return object;
}

static int answer_encryption(struct http_request *q, struct store_conn *c, int64_t account)
{
	struct store_encryption e;
	int r = store_encryption_get(c, &q->arena, account, &e);

	if (r)
		return http_store_problem(q, r, "encryption of old mail", NULL, NULL);
	q->status = 200;
	q->answer = encryption_json(&e);
	return 0;
}

int api_encryption_show(struct http_request *q, struct store_conn *c)
{
	struct store_account account;
	int r = api_account(q, c, &account);

	return r ? r : answer_encryption(q, c, account.id);
}

static int start(struct store_conn *c, void *arg)
{
	struct message_asked *k = arg;
	int r = store_encryption_start(c, k->account.id, clock_now_us());

	if (r == STORE_E_EXISTS)
		return http_problem(k->q, 409, NULL,
			"the account's old mail is being encrypted already");
	if (r)
		return http_store_problem(k->q, r, "account", NULL, NULL);
	return answer_encryption(k->q, c, k->account.id);
}

int api_encryption_start(struct http_request *q, struct store_conn *c)
{
	CLEANUP(message_asked_done) struct message_asked k = {};
	int r = message_asked_unlocked(q, &k);

	(void)c;
	if (!r)
		r = store_write(q->env->store, start, &k);
	if (!r)
		encryption_tend(q->env);
	return r;
}

static int set_state(struct http_request *q, struct store_conn *c, enum encryption_state from,
	enum encryption_state to)
{
	struct store_account account;
	int r = api_account(q, c, &account);

	if (r)
		return r;
	r = store_encryption_set_state(c, account.id, from, to, span_str(""), clock_now_us());
	if (r == STORE_E_STALE)
		return http_problem(q, 409, NULL, "the encryption of old mail is not %s",
			encryption_state_names[from]);
	if (r)
		return http_store_problem(q, r, "encryption of old mail", NULL, NULL);
	return answer_encryption(q, c, account.id);
}

int api_encryption_pause(struct http_request *q, struct store_conn *c)
{
	return set_state(q, c, ENCRYPTION_RUNNING, ENCRYPTION_PAUSED);
}

int api_encryption_resume(struct http_request *q, struct store_conn *c)
{
	int r = set_state(q, c, ENCRYPTION_PAUSED, ENCRYPTION_RUNNING);

	q->encryption_changed = !r;
	return r;
}

int api_encryption_remove(struct http_request *q, struct store_conn *c)
{
	struct store_account account;
	int r = api_account(q, c, &account);

	if (!r)
		r = store_encryption_remove(c, account.id);
	if (r)
		return http_store_problem(q, r, "encryption of old mail", NULL, NULL);
	q->status = 204;
	return 0;
}
