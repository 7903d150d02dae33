/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/encryption.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/encryption_rows.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/errand.h"
#include "svc/stored.h"

#include <stdlib.h>

/* Messages of one account before it is the next one's turn. */
enum { TURN = 16 };

struct encryption {
	struct errand errand;
};

/* One account's turn. */
struct turn {
	struct env *env;
	int64_t account;
	struct arena arena;
	struct store_encryption state;
	int64_t ids[TURN];
	size_t n;

	/* What came of a message, to be committed. */
	int64_t message;
	enum encryption_step step;
	bool paused;
	struct why why;
};

static void turn_done(struct turn *t)
{
	arena_done(&t->arena);
}

static int read_next(struct store_conn *c, void *arg)
{
	struct turn *t = arg;

	return store_encryption_next(c, t->account, &t->account);
}

static int read_ids(struct store_conn *c, void *arg)
{
	struct turn *t = arg;
	int r = store_encryption_get(c, &t->arena, t->account, &t->state);

	if (r)
		return r;
	return store_message_ids(c, t->account, t->state.after, t->state.bound, t->ids, TURN,
		&t->n);
}

static int commit_step(struct store_conn *c, void *arg)
{
	struct turn *t = arg;

	return store_encryption_step(c, t->account, t->message, t->step, span_str(t->why.text),
		clock_now_us(), &t->paused);
}

static int commit_done(struct store_conn *c, void *arg)
{
	struct turn *t = arg;

	return store_encryption_set_state(c, t->account, ENCRYPTION_RUNNING, ENCRYPTION_DONE,
		t->state.last_error, clock_now_us());
}

static int commit_stopped(struct store_conn *c, void *arg)
{
	struct turn *t = arg;

	return store_encryption_set_state(c, t->account, ENCRYPTION_RUNNING, ENCRYPTION_STOPPED,
		span_str(t->why.text), clock_now_us());
}

/* Somebody may have paused or forgotten it meanwhile: then that is what holds. */
static int settle(int r)
{
	return r == STORE_E_STALE || r == STORE_E_NOT_FOUND ? 0 : err_fold(r);
}

static int stop(struct turn *t)
{
	LOG(NULL, LOG_WARNING, "SMIME", "encryption.stopped", log_int("account", t->account),
		log_str("reason", t->why.text));
	return settle(store_write(t->env->store, commit_stopped, t));
}

static enum encryption_step step_of(int outcome, const struct message_replaced *replaced)
{
	switch (outcome) {
	case 0:
		return replaced->n_holders ? ENCRYPTION_HELD : ENCRYPTION_ENCRYPTED;
	case STORED_E_ALREADY:
		return ENCRYPTION_ALREADY;
	case STORED_E_NOT_FOUND:
		return ENCRYPTION_GONE;
	default:
		return ENCRYPTION_FAILED;
	}
}

/* Returns STORE_E_STALE when the account's turn is over before its time: paused, say. */
static int encrypt_one(struct turn *t, int64_t id)
{
	struct message_replaced replaced = {};
	int r;

	t->message = id;
	t->why = (struct why){};
	r = stored_encrypt(t->env, t->account, id, &replaced, &t->why);
	if (r < 0)
		return r;
	if (r == STORED_E_NO_CERT) {
		TRY(stop(t));
		return STORE_E_STALE;
	}
	t->step = step_of(r, &replaced);
	if (t->step == ENCRYPTION_FAILED)
		LOG(NULL, LOG_WARNING, "SMIME", "encryption.failed", log_int("account", t->account),
			log_int("message", id), log_str("reason", t->why.text));
	r = store_write(t->env->store, commit_step, t);
	return r || !t->paused ? r : STORE_E_STALE;
}

static int finish(struct turn *t)
{
	LOG(NULL, LOG_INFO, "SMIME", "encryption.done", log_int("account", t->account),
		log_int("encrypted", (int64_t)t->state.n_done),
		log_int("failed", (int64_t)t->state.n_failed));
	return settle(store_write(t->env->store, commit_done, t));
}

static int take_turn(struct turn *t, const atomic_bool *stop)
{
	int r = store_read(t->env->store, read_ids, t);

	if (r || t->state.state != ENCRYPTION_RUNNING)
		return settle(r);
	if (!t->n)
		return finish(t);
	for (size_t i = 0; i < t->n && !atomic_load(stop); i++) {
		r = encrypt_one(t, t->ids[i]);
		if (r)
			return settle(r);
	}
	return 0;
}

/* Every running account in turn until there is none; *ret_any: there was one. */
static int round_run(struct env *e, const atomic_bool *stop, bool *ret_any)
{
	int64_t account = 0;

	*ret_any = false;
	while (!atomic_load(stop)) {
		CLEANUP(turn_done) struct turn t = { .env = e, .account = account };
		int r = store_read(e->store, read_next, &t);

		if (r == STORE_E_NOT_FOUND)
			return 0;
		TRY(r);
		TRY(take_turn(&t, stop));
		account = t.account;
		*ret_any = true;
	}
	return 0;
}

static int run(struct env *e)
{
	const atomic_bool *stop = &e->encryption->errand.stop;
	bool any = true;

	while (any && !atomic_load(stop))
		TRY(round_run(e, stop, &any));
	return 0;
}

struct encryption *encryption_new(struct env *e)
{
	struct encryption *n = ALLOC(struct encryption);

	errand_init(&n->errand, e, "encryption", run);
	return n;
}

struct encryption *encryption_free(struct encryption *n)
{
	free(n);
	return NULL;
}

void encryption_tend(struct env *e)
{
	errand_start(&e->encryption->errand);
}

void encryption_stop(struct env *e)
{
	errand_stop(&e->encryption->errand);
}
