/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A child writes and says which messages were acknowledged; the parent kills it at a random moment,
 * opens the store again and looks for them. It shows that what is acknowledged was committed and
 * that nothing is torn. That the commit was synced it cannot show: the page cache survives.
 */

#include "base/alloc.h"
#include "base/log.h"
#include "store/fixture.h"
#include "store/message.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 8, SENDERS = 4 };

struct sender {
	struct fixture *fixture;
	int pipe;
	int64_t mailbox;
	unsigned number;
};

/* Bodies say who sent them and which one they are. */
static void *send_all(void *arg)
{
	struct sender *s = arg;

	for (uint32_t i = 0;; i++) {
		CLEANUP(alloc_freep) char *body = alloc_format("sender %u: %u\r\n", s->number, i);
		uint32_t uid = fixture_deliver(s->fixture, s->mailbox, span_str(body), 0);

		if (write(s->pipe, &uid, sizeof uid) != (ssize_t)sizeof uid)
			_exit(1);
	}
	return NULL;
}

static void child_run(const char *path, int64_t mailbox, int pipe)
{
	struct fixture f = {};
	struct sender senders[SENDERS];
	pthread_t threads[SENDERS];

	if (store_open(&f.store, path, 1, NULL))
		_exit(2);
	for (unsigned i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ &f, pipe, mailbox, i };
		if (pthread_create(&threads[i], NULL, send_all, &senders[i]))
			_exit(3);
	}
	for (;;)
		(void)pause();
}

struct seen {
	int64_t mailbox;
	const uint32_t *uids;
	size_t n_uids;
	size_t n;
};

static int see(const struct store_message *m, void *context)
{
	struct seen *seen = context;

	assert_true(span_starts(m->data, SPAN("sender ")));
	assert_int_equal(m->data.n, m->size);
	assert_int_equal(m->uid, seen->uids[seen->n]);
	seen->n++;
	return 0;
}

static int find_all(struct store_conn *c, void *arg)
{
	struct seen *seen = arg;

	return store_messages(
		c, seen->mailbox, seen->uids, seen->n_uids, WANT_DATA, see, seen, NULL);
}

static int uid_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Runs a child until the given number of acknowledgements has come, then kills it. */
static void run_and_kill(const char *path, int64_t mailbox, size_t n, struct buf *acknowledged)
{
	int pipes[2];
	uint32_t uid;
	size_t got = 0;
	pid_t child;
	int status;

	assert_int_equal(pipe(pipes), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)close(pipes[0]);
		child_run(path, mailbox, pipes[1]);
	}
	(void)close(pipes[1]);
	while (read(pipes[0], &uid, sizeof uid) == (ssize_t)sizeof uid) {
		buf_add(acknowledged, span_of(&uid, sizeof uid));
		if (++got == n)
			assert_int_equal(kill(child, SIGKILL), 0);
	}
	(void)close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_true(got >= n);
}

static void test_kill(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf_done) struct buf acknowledged = {};
	unsigned seed = 11;

	for (int round = 0; round < ROUNDS; round++) {
		struct seen seen = { .mailbox = f->inbox };

		f->store = store_close(f->store);
		run_and_kill(f->path, f->inbox, 1 + (unsigned)rand_r(&seed) % 300, &acknowledged);
		qsort(acknowledged.p, buf_size(&acknowledged) / sizeof(uint32_t), sizeof(uint32_t),
			uid_order);
		fixture_reopen(f);
		seen.uids = (const uint32_t *)(const void *)buf_span(&acknowledged).p;
		seen.n_uids = buf_size(&acknowledged) / sizeof(uint32_t);
		assert_int_equal(store_read(f->store, find_all, &seen), 0);
		assert_int_equal(seen.n, seen.n_uids); /* each once: UIDs are unique */
		fixture_recount(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_kill),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
