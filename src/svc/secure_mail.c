/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Unlocking and using. A wrong password costs its peer one of a few tries before keyd is even asked
 * (keyd counts again, for all peers together), so guessing costs the server little, and whoever
 * guesses at one place does not lock the owner out at another.
 */

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "keyd/client.h"
#include "keyd/provider.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/secure_mail_parts.h"

#include <stdlib.h>

static int copy_cert(const struct store_secure_cert *cert, void *context)
{
	struct secure_key *key = context;

	if (key->n_certs < SECURE_CERTS_MAX)
		key->certs[key->n_certs++] = *cert;
	return 0;
}

struct reading {
	struct arena *arena;
	struct secure_account *account;
};

static int copy_key(const struct store_secure_key *row, void *context)
{
	struct reading *r = context;
	struct secure_key *key = &r->account->keys[r->account->n_keys];

	if (r->account->n_keys == SECURE_KEYS_MAX)
		return 0;
	*key = (struct secure_key){ .row = *row };
	key->row.key_id = arena_span(r->arena, row->key_id);
	key->row.type = arena_span(r->arena, row->type);
	key->row.spki = arena_span(r->arena, row->spki);
	key->row.wrapped = arena_span(r->arena, row->wrapped);
	key->certs = arena_alloc(r->arena, SECURE_CERTS_MAX * sizeof *key->certs);
	r->account->n_keys++;
	return 0;
}

struct cert_copying {
	struct arena *arena;
	struct secure_key *key;
};

static int copy_cert_to(const struct store_secure_cert *cert, void *context)
{
	struct cert_copying *copying = context;
	struct store_secure_cert copy = *cert;

	copy.sha256 = arena_span(copying->arena, cert->sha256);
	copy.der = arena_span(copying->arena, cert->der);
	copy.chain = arena_span(copying->arena, cert->chain);
	return copy_cert(&copy, copying->key);
}

int secure_account_read(struct store_conn *c, struct arena *a, int64_t account,
	struct secure_account *ret_account)
{
	struct reading reading = { a, ret_account };
	int r;

	*ret_account = (struct secure_account){};
	r = store_secure_get(c, a, account, &ret_account->secure);
	if (r)
		return r;
	TRY(store_secure_key_each(c, account, copy_key, &reading));
	for (size_t i = 0; i < ret_account->n_keys; i++) {
		struct cert_copying copying = { a, &ret_account->keys[i] };

		TRY(store_secure_cert_each(c, copying.key->row.id, copy_cert_to, &copying));
	}
	return 0;
}

struct look_up {
	struct arena *arena;
	int64_t id;
	struct secure_account *account;
};

static int look_up(struct store_conn *c, void *arg)
{
	struct look_up *l = arg;

	return secure_account_read(c, l->arena, l->id, l->account);
}

int secure_look_up(struct env *e, struct arena *a, int64_t account,
	struct secure_account *ret_account, struct why *why)
{
	struct look_up l = { a, account, ret_account };
	int r = store_read(e->store, look_up, &l);

	if (r == STORE_E_NOT_FOUND) {
		why_set(why, "there is no such account");
		return SECURE_E_NONE;
	}
	if (r)
		return err_fold(r);
	if (ret_account->secure.enabled)
		return 0;
	why_set(why,
		"Secure Mail is switched off for this account; an administrator may switch it on");
	return SECURE_E_OFF;
}

bool secure_key_is_present(const struct secure_account *a, const struct secure_key *key)
{
	return key->row.password == a->secure.password;
}

const struct secure_key *secure_key_find(const struct secure_account *a, int64_t id)
{
	for (size_t i = 0; i < a->n_keys; i++)
		if (id ? a->keys[i].row.id == id : a->keys[i].row.current)
			return &a->keys[i];
	return NULL;
}

void secure_owner(int64_t account, struct buf *out)
{
	buf_add_string(out, "user:");
	buf_add_u64(out, (uint64_t)account);
}

int secure_outcome_of(int r, struct why *why)
{
	switch (r) {
	case KEYD_E_PASSWORD:
		why_set(why, "this is not the Secure Mail Password");
		return SECURE_E_PASSWORD;
	case KEYD_E_LATER:
		why_set(why, "too many wrong Secure Mail Passwords; try again in a minute");
		return SECURE_E_LATER;
	case KEYD_E_GONE:
		why_set(why, "the key is locked");
		return SECURE_E_LOCKED;
	default:
		return err_fold(r);
	}
}

static void try_key(const struct secure_caller *who, struct buf *out)
{
	buf_add_u64(out, (uint64_t)who->account);
	buf_add_octet(out, ' ');
	buf_add(out, who->peer);
}

size_t secure_count_present(const struct secure_account *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_keys; i++)
		n += secure_key_is_present(a, &a->keys[i]);
	return n;
}

/* All of them, or none. */
static bool take_work(struct limiter *l, struct span account, size_t n)
{
	size_t taken = 0;

	while (taken < n && limiter_take(l, account, clock_monotonic_ms()))
		taken++;
	if (taken == n)
		return true;
	while (taken--)
		limiter_give(l, account);
	return false;
}

static struct span account_key(const struct secure_caller *who)
{
	return span_of(&who->account, sizeof who->account);
}

static int busy(const struct secure_caller *who, const char *text, struct why *why)
{
	LOG(NULL, LOG_WARNING, "SMIME", "smime.busy", log_span("account", who->address),
		log_span("by", who->actor));
	why_set(why, "%s", text);
	return SECURE_E_BUSY;
}

int secure_act_begin(struct secure_act *act, struct env *e, const struct secure_caller *who,
	size_t n_scrypts, bool tries, struct why *why)
{
	CLEANUP(buf_done) struct buf key = {};

	if (!limiter_open(e->secure_work, account_key(who), clock_monotonic_ms()))
		return busy(who,
			"another act with the account's Secure Mail keys is under way; try again in a "
			"moment",
			why);
	*act = (struct secure_act){ .env = e, .who = who };
	try_key(who, &key);
	if (tries && !limiter_take(e->secure_failures, buf_span(&key), clock_monotonic_ms()))
		return secure_outcome_of(KEYD_E_LATER, why);
	act->tries = tries;
	if (!take_work(e->secure_work, account_key(who), n_scrypts)) {
		if (tries)
			limiter_give(e->secure_failures, buf_span(&key));
		return busy(who,
			"the account's Secure Mail keys were unlocked or changed too often; try again "
			"in a minute",
			why);
	}
	act->n_scrypts = n_scrypts;
	return 0;
}

int secure_mail_import_begin(struct env *e, const struct secure_caller *who, struct why *why)
{
	if (!limiter_open(e->secure_imports, account_key(who), clock_monotonic_ms()))
		return busy(who,
			"another key file of the account is being opened; try again in a moment", why);
	if (limiter_take(e->secure_imports, account_key(who), clock_monotonic_ms()))
		return 0;
	limiter_close(e->secure_imports, account_key(who));
	return busy(who, "too many key files were opened for the account; try again in a minute",
		why);
}

void secure_mail_import_done(struct env *e, const struct secure_caller *who)
{
	limiter_close(e->secure_imports, account_key(who));
}

void secure_act_tried(struct secure_act *act, const char *event, int r)
{
	CLEANUP(buf_done) struct buf key = {};
	struct env *e = act->env;
	bool wrong = r == SECURE_E_PASSWORD || r == SECURE_E_LATER;
	const char *outcome = r == 0                   ? "done"
			      : r == SECURE_E_PASSWORD ? "refused"
			      : r == SECURE_E_LATER    ? "too_many"
						       : "failed";

	if (!wrong && act->tries) {
		try_key(act->who, &key);
		limiter_give(e->secure_failures, buf_span(&key));
	}
	/* The first key tells; of too many, keyd tries none. */
	for (size_t i = r == SECURE_E_PASSWORD; wrong && i < act->n_scrypts; i++)
		limiter_give(e->secure_work, account_key(act->who));
	if (r == SECURE_E_PASSWORD)
		env_count(e, COUNT_SECURE_REFUSED);
	LOG(NULL, r ? LOG_WARNING : LOG_INFO, "SMIME", event,
		log_span("account", act->who->address), log_span("by", act->who->actor),
		log_str("outcome", outcome));
}

void secure_act_done(struct secure_act *act)
{
	if (act->env)
		limiter_close(act->env->secure_work, account_key(act->who));
	act->env = NULL;
}

int secure_open(struct env *e, const struct store_secure_key *row, struct span password,
	struct span holder, uint32_t idle_ms, struct keyd_key **ret_key)
{
	CLEANUP(buf_done) struct buf owner = {};

	secure_owner(row->account, &owner);
	return keyd_unlock(e->keyd_user, row->wrapped, row->key_id, buf_span(&owner), password,
		holder, idle_ms, ret_key);
}

void secure_holder_for_now(uint8_t ret_holder[static UNLOCKED_HOLDER])
{
	random_fill(ret_holder, UNLOCKED_HOLDER);
}

/* A session that ends without use takes its keys along: they never stay longer than it does. */
static uint32_t idle_ms(struct env *e, const struct secure_account *a)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(e->store);
	uint64_t s = a->secure.lock_after_s;

	if (s > settings->http_session_s)
		s = settings->http_session_s;
	if (s < 1)
		s = 1;
	return (uint32_t)(s < SECURE_LOCK_MAX_S ? s : SECURE_LOCK_MAX_S) * 1000;
}

/* All keys of the present password, the current one first, so that a wrong one costs one scrypt. */
static int open_all(struct env *e, const struct secure_account *a, struct span password,
	struct span holder, struct unlocked_keys *ret_keys)
{
	CLEANUP(unlocked_keys_done) struct unlocked_keys keys = {};

	for (size_t i = 0; i < a->n_keys; i++) {
		struct unlocked_key *key = &keys.keys[keys.n];
		int r;

		if (!secure_key_is_present(a, &a->keys[i]))
			continue;
		r = secure_open(e, &a->keys[i].row, password, holder, idle_ms(e, a), &key->key);
		if (r)
			return r;
		key->id = a->keys[i].row.id;
		keys.n++;
	}
	*ret_keys = keys;
	keys.n = 0;
	return 0;
}

int secure_keep_open(struct env *e, const struct secure_caller *who, const struct secure_account *a,
	struct span password)
{
	CLEANUP(unlocked_keys_done) struct unlocked_keys keys = {};
	uint8_t holder[UNLOCKED_HOLDER];
	int r;

	if (who->session.n != UNLOCKED_SESSION)
		return 0;
	unlocked_holder(who->session, who->account, holder);
	r = open_all(e, a, password, span_of(holder, sizeof holder), &keys);
	if (!r)
		unlocked_put(e->unlocked, who->session, who->account, &keys);
	return r;
}

int secure_mail_unlock(struct env *e, const struct secure_caller *who, struct span password,
	unsigned *ret_n, struct why *why)
{
	CLEANUP(secure_act_done) struct secure_act act = {};
	CLEANUP(unlocked_keys_done) struct unlocked_keys keys = {};
	CLEANUP(secret_done) struct secret prepared = {};
	CLEANUP(arena_done) struct arena arena = {};
	struct secure_account *account = ARENA_ALLOC(&arena, struct secure_account);
	uint8_t holder[UNLOCKED_HOLDER];
	int r = secure_look_up(e, &arena, who->account, account, why);

	if (!r)
		r = secure_password_prepare(password, &prepared, why);
	if (r)
		return r;
	if (!account->n_keys) {
		why_set(why, "the account has no Secure Mail key yet");
		return SECURE_E_NONE;
	}
	r = secure_act_begin(&act, e, who, secure_count_present(account), true, why);
	if (r)
		return r;
	if (who->session.n == UNLOCKED_SESSION)
		unlocked_holder(who->session, who->account, holder);
	else
		secure_holder_for_now(holder);
	r = open_all(e, account, secret_span(&prepared), span_of(holder, sizeof holder), &keys);
	if (r)
		r = secure_outcome_of(r, why);
	secure_act_tried(&act, "smime.unlock", r);
	if (r)
		return r;
	*ret_n = (unsigned)keys.n;
	if (who->session.n == UNLOCKED_SESSION)
		unlocked_put(e->unlocked, who->session, who->account, &keys);
	return 0;
}

void secure_mail_lock(struct env *e, const struct secure_caller *who)
{
	if (who->session.n == UNLOCKED_SESSION)
		unlocked_lock(e->unlocked, who->session, who->account);
	else
		unlocked_lock_account(e->unlocked, who->account);
	LOG(NULL, LOG_INFO, "SMIME", "smime.lock", log_span("account", who->address),
		log_span("by", who->actor));
}

void secure_mail_lock_where_off(struct env *e)
{
	int64_t account = 0;

	while ((account = unlocked_next_account(e->unlocked, account)) != 0) {
		CLEANUP(arena_done) struct arena arena = {};
		struct secure_account *found = ARENA_ALLOC(&arena, struct secure_account);
		struct why why;

		/* Where it cannot be told, locking is the side to err on. */
		if (secure_look_up(e, &arena, account, found, &why))
			unlocked_lock_account(e->unlocked, account);
	}
}

void secure_mail_state(struct env *e, const struct secure_caller *who,
	struct secure_state *ret_state)
{
	CLEANUP(unlocked_keys_done) struct unlocked_keys keys = {};

	*ret_state = (struct secure_state){};
	unlocked_get(e->unlocked, who->session, who->account, &keys, &ret_state->left_ms);
	ret_state->unlocked = keys.n > 0;
	ret_state->sessions = unlocked_count(e->unlocked, who->account);
}

void secure_keys_done(struct secure_keys *k)
{
	for (size_t i = 0; i < k->n; i++) {
		cert_unref(k->keys[i].cert);
		EVP_PKEY_free(k->keys[i].key);
		cert_list_done(&k->chains[i]);
	}
	free(k->keys);
	free(k->chains);
	*k = (struct secure_keys){};
}

static struct secure_keys new_keys(void)
{
	struct secure_keys keys = {
		.keys = alloc_array(NULL, SECURE_KEYS_MAX * SECURE_CERTS_MAX, sizeof *keys.keys),
		.chains =
			alloc_array(NULL, SECURE_KEYS_MAX * SECURE_CERTS_MAX, sizeof *keys.chains),
	};

	memset(keys.chains, 0, SECURE_KEYS_MAX * SECURE_CERTS_MAX * sizeof *keys.chains);
	return keys;
}

/* open NULL: the certificates alone. */
static int add_keys(const struct secure_key *key, struct keyd_key *open, struct secure_keys *out)
{
	for (size_t i = 0; i < key->n_certs; i++) {
		struct smime_key *to = &out->keys[out->n];
		struct cert_list *chain = &out->chains[out->n];

		*to = (struct smime_key){ .chain = chain };
		out->n++;
		TRY(cert_from_der(&to->cert, key->certs[i].der, NULL));
		if (open)
			TRY(provider_key(&to->key, open, key->row.spki));
		TRY(cert_list_from_der(chain, key->certs[i].chain, NULL));
	}
	return 0;
}

int secure_mail_keys(struct env *e, struct span session, int64_t account,
	struct secure_keys *ret_keys, struct why *why)
{
	CLEANUP(unlocked_keys_done) struct unlocked_keys open = {};
	CLEANUP(secure_keys_done) struct secure_keys keys = {};
	CLEANUP(arena_done) struct arena arena = {};
	struct secure_account *found = ARENA_ALLOC(&arena, struct secure_account);
	uint32_t left_ms;
	int r = secure_look_up(e, &arena, account, found, why);

	if (r)
		return r;
	unlocked_get(e->unlocked, session, account, &open, &left_ms);
	if (!open.n) {
		why_set(why, found->n_keys ? "Secure Mail is locked"
					   : "the account has no Secure Mail key yet");
		return found->n_keys ? SECURE_E_LOCKED : SECURE_E_NONE;
	}
	keys = new_keys();
	for (size_t i = 0; i < found->n_keys; i++) {
		for (size_t k = 0; k < open.n; k++) {
			if (open.keys[k].id != found->keys[i].row.id)
				continue;
			keys.open[keys.n_open++] = open.keys[k].id;
			TRY(add_keys(&found->keys[i], open.keys[k].key, &keys));
		}
	}
	*ret_keys = keys;
	keys = (struct secure_keys){};
	return 0;
}

int secure_mail_locked_keys(struct env *e, int64_t account, struct secure_keys *ret_keys,
	struct why *why)
{
	CLEANUP(secure_keys_done) struct secure_keys keys = {};
	CLEANUP(arena_done) struct arena arena = {};
	struct secure_account *found = ARENA_ALLOC(&arena, struct secure_account);
	int r = secure_look_up(e, &arena, account, found, why);

	if (r)
		return r;
	keys = new_keys();
	for (size_t i = 0; i < found->n_keys; i++)
		if (secure_key_is_present(found, &found->keys[i]))
			TRY(add_keys(&found->keys[i], NULL, &keys));
	*ret_keys = keys;
	keys = (struct secure_keys){};
	return 0;
}
