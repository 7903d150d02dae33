/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* How far old mail has been encrypted: each message that was there at the start, once. */

#include "store/encryption_rows.h"

#include "base/log.h"
#include "base/test.h"
#include "store/fixture.h"
#include "store/message.h"

#include <string.h>

enum { MESSAGES = 5 };

struct job {
	int64_t account;
	struct arena arena;
	struct store_encryption seen;
	enum encryption_state from, to;
	int64_t message;
	enum encryption_step step;
	bool paused;
	int64_t ids[MESSAGES + 1];
	size_t n;
};

static int start(struct store_conn *c, void *arg)
{
	return store_encryption_start(c, ((struct job *)arg)->account, 1);
}

static int get(struct store_conn *c, void *arg)
{
	struct job *j = arg;

	return store_encryption_get(c, &j->arena, j->account, &j->seen);
}

static int ids(struct store_conn *c, void *arg)
{
	struct job *j = arg;

	TRY(get(c, arg));
	return store_message_ids(c, j->account, j->seen.after, j->seen.bound, j->ids, MESSAGES + 1,
		&j->n);
}

static int set_state(struct store_conn *c, void *arg)
{
	struct job *j = arg;

	return store_encryption_set_state(c, j->account, j->from, j->to, span_str("why"), 2);
}

static int step(struct store_conn *c, void *arg)
{
	struct job *j = arg;

	return store_encryption_step(c, j->account, j->message, j->step, span_str("bad"), 3,
		&j->paused);
}

static int forget(struct store_conn *c, void *arg)
{
	return store_encryption_remove(c, ((struct job *)arg)->account);
}

static int next(struct store_conn *c, void *arg)
{
	struct job *j = arg;

	return store_encryption_next(c, j->message, &j->message);
}

static int setup(void **state)
{
	struct fixture *f = fixture_new();

	for (int i = 0; i < MESSAGES; i++)
		(void)fixture_deliver(f, f->inbox, span_str("Subject: old\r\n\r\n"), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	(void)fixture_free(*state);
	return 0;
}

static void test_each_message_once(void **state)
{
	static const enum encryption_step steps[MESSAGES] = { ENCRYPTION_ENCRYPTED, ENCRYPTION_HELD,
		ENCRYPTION_ALREADY, ENCRYPTION_GONE, ENCRYPTION_FAILED };
	struct fixture *f = *state;
	struct job j = { .account = f->account };

	assert_int_equal(store_write(f->store, start, &j), 0);
	assert_int_equal(store_write(f->store, start, &j), STORE_E_EXISTS);
	(void)fixture_deliver(f, f->inbox, span_str("Subject: new\r\n\r\n"), 0);
	for (int i = 0; i < MESSAGES; i++) {
		assert_int_equal(store_read(f->store, ids, &j), 0);
		assert_int_equal(j.n, MESSAGES - i);
		j.message = j.ids[0];
		j.step = steps[i];
		assert_int_equal(store_write(f->store, step, &j), 0);
		assert_false(j.paused);
	}
	assert_int_equal(store_read(f->store, ids, &j), 0);
	assert_int_equal(j.n, 0);
	assert_int_equal(j.seen.n_total, MESSAGES);
	assert_int_equal(j.seen.n_done, 2);
	assert_int_equal(j.seen.n_held, 1);
	assert_int_equal(j.seen.n_already, 1);
	assert_int_equal(j.seen.n_failed, 1);
	assert_true(span_is(j.seen.last_error, "bad"));
	arena_done(&j.arena);
}

static void test_states(void **state)
{
	struct fixture *f = *state;
	struct job j = { .account = f->account,
		.from = ENCRYPTION_RUNNING,
		.to = ENCRYPTION_PAUSED };

	assert_int_equal(store_read(f->store, get, &j), STORE_E_NOT_FOUND);
	assert_int_equal(store_write(f->store, set_state, &j), STORE_E_NOT_FOUND);
	assert_int_equal(store_write(f->store, start, &j), 0);
	assert_int_equal(store_read(f->store, next, &j), 0);
	assert_int_equal(j.message, f->account);
	assert_int_equal(store_read(f->store, next, &j), STORE_E_NOT_FOUND);
	assert_int_equal(store_write(f->store, set_state, &j), 0);
	assert_int_equal(store_write(f->store, set_state, &j), STORE_E_STALE);
	j.message = 0;
	assert_int_equal(store_read(f->store, next, &j), STORE_E_NOT_FOUND);
	assert_int_equal(store_write(f->store, step, &j), 0);
	assert_true(j.paused);
	assert_int_equal(store_write(f->store, start, &j), STORE_E_EXISTS);
	j.from = ENCRYPTION_PAUSED;
	j.to = ENCRYPTION_DONE;
	assert_int_equal(store_write(f->store, set_state, &j), 0);
	assert_int_equal(store_write(f->store, step, &j), STORE_E_STALE);
	assert_int_equal(store_write(f->store, start, &j), 0);
	assert_int_equal(store_write(f->store, forget, &j), 0);
	assert_int_equal(store_write(f->store, forget, &j), STORE_E_NOT_FOUND);
	arena_done(&j.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_message_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_states, setup, teardown),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
