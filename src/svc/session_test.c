/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The session core under a small protocol that uses all of it, in transcripts: what does not depend
 * on how input is cut is in test/dialog/session. Here is what a transcript cannot say: memory,
 * wakers from other threads, tasks of sessions that have gone.
 */

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "dialog/dialog.h"
#include "svc/session_drive.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct dialog_executor inline_executor;

struct toy {
	struct session session;
	uint64_t to_pull;
	size_t n_octets;
};

static struct toy *toy_of(struct session *s)
{
	return CONTAINER_OF(s, struct toy, session);
}

static int toy_start(struct session *s)
{
	session_reply_string(s, session_is_tls(s) ? "+ hello, secured\r\n" : "+ hello\r\n");
	return 0;
}

struct toy_task {
	struct session_task base;
	uint64_t number;
};

static int toy_run(struct task *t, void *worker)
{
	struct toy_task *task = CONTAINER_OF(t, struct toy_task, base.task);

	(void)worker;
	task->number *= 2;
	return task->number == 26 ? -EIO : 0;
}

static unsigned n_dropped;

static void toy_drop(struct task *t)
{
	n_dropped++;
	free(CONTAINER_OF(t, struct toy_task, base.task));
}

static int toy_doubled(struct session *s, struct session_task *t)
{
	if (t->task.result)
		return t->task.result;
	session_reply_format(s, "+ %u\r\n",
		(unsigned)CONTAINER_OF(t, struct toy_task, base)->number);
	return 0;
}

static int toy_double(struct session *s, uint64_t number)
{
	struct toy_task *t = ALLOC(struct toy_task);

	t->base.task.run = toy_run;
	t->base.task.drop = toy_drop;
	t->base.done = toy_doubled;
	t->number = number;
	session_wait(s, &inline_executor.executor, &t->base);
	return 0;
}

static int toy_line(struct session *s, struct span line)
{
	struct span word = span_word(&line);
	uint64_t n = 0;

	(void)span_to_u64(line, UINT32_MAX, &n);
	if (span_is(word, "ECHO")) {
		session_reply_format(s, "+ %.*s\r\n", (int)line.n, (const char *)line.p);
	} else if (span_is(word, "DOUBLE")) {
		return toy_double(s, n);
	} else if (span_is(word, "TAKE")) {
		toy_of(s)->n_octets = 0;
		session_expect_octets(s, n);
	} else if (span_is(word, "RAW")) {
		toy_of(s)->n_octets = 0;
		session_expect_raw(s);
	} else if (span_is(word, "GIVE")) {
		toy_of(s)->to_pull = n;
		session_send_from(s);
	} else if (span_is(word, "TLS")) {
		session_reply_string(s, "+ go ahead\r\n");
		session_starttls(s);
	} else if (span_is(word, "PAUSE")) {
		session_pause(s, (uint32_t)n);
	} else if (span_is(word, "ALARM")) {
		session_alarm(s, (uint32_t)n);
	} else if (span_is(word, "FAULT")) {
		return -EIO;
	} else if (span_is(word, "QUIT")) {
		session_reply_string(s, "+ bye\r\n");
		session_end(s);
	} else {
		session_reply_string(s, "- what?\r\n");
	}
	return 0;
}

/* Raw input ends with a dot; an "x" is never taken by itself, so that something stays behind. */
static int toy_octets(struct session *s, struct span data, size_t *ret_taken)
{
	struct toy *t = toy_of(s);
	size_t end = span_find(data, '.');

	if (session_octets_left(s)) {
		t->n_octets += data.n;
		*ret_taken = data.n;
		return 0;
	}
	if (end == data.n) {
		*ret_taken = data.n && data.p[data.n - 1] == 'x' ? data.n - 1 : data.n;
		t->n_octets += *ret_taken;
		return 0;
	}
	t->n_octets += end;
	*ret_taken = end + 1;
	session_expect_line(s);
	session_reply_format(s, "+ took %zu raw\r\n", t->n_octets);
	return 0;
}

static int toy_octets_end(struct session *s)
{
	session_reply_format(s, "+ took %zu\r\n", toy_of(s)->n_octets);
	return 0;
}

static int toy_secured(struct session *s)
{
	session_reply_string(s, "+ secured\r\n");
	return 0;
}

static int toy_bad_line(struct session *s, enum session_line_fault why)
{
	static const char *const words[] = { "long", "bare CR", "bare LF", "NUL" };

	session_reply_format(s, "- %s\r\n", words[why]);
	return 0;
}

static int toy_pull(struct session *s)
{
	struct toy *t = toy_of(s);
	uint64_t n = t->to_pull < 1000 ? t->to_pull : 1000;

	memset(buf_room(session_out(s), n), 'g', n);
	buf_added(session_out(s), n);
	t->to_pull -= n;
	if (t->to_pull == 0) {
		session_reply_string(s, "\r\n");
		session_sent_all(s);
	}
	return 0;
}

static int toy_event(struct session *s)
{
	session_reply_string(s, "* news\r\n");
	return 0;
}

static int toy_alarm(struct session *s)
{
	session_reply_string(s, "* alarm\r\n");
	return 0;
}

static int toy_timeout(struct session *s)
{
	session_reply_string(s, "- too slow\r\n");
	return 0;
}

static int toy_shutdown(struct session *s)
{
	session_reply_string(s, "- server ends\r\n");
	session_end(s);
	return 0;
}

static void toy_fault(struct session *s)
{
	session_reply_string(s, "- temporary failure\r\n");
}

static unsigned n_freed;

static void toy_free(struct session *s)
{
	(void)s;
	n_freed++;
}

static const struct session_protocol toy = {
	.name = "toy",
	.tag = "TOY",
	.size = sizeof(struct toy),
	.line_max = 100,
	.timeout_ms = 60000,
	.start = toy_start,
	.line = toy_line,
	.octets = toy_octets,
	.octets_end = toy_octets_end,
	.secured = toy_secured,
	.bad_line = toy_bad_line,
	.pull = toy_pull,
	.event = toy_event,
	.alarm = toy_alarm,
	.timeout = toy_timeout,
	.shutdown = toy_shutdown,
	.fault = toy_fault,
	.free = toy_free,
};

/* A carrier that keeps what comes home in a list. */
struct carrier {
	struct session_carrier base;
	struct task_home home;
	pthread_mutex_t lock;
	struct list posted;
	unsigned n_steps;
};

static void carrier_post(struct task_home *home, struct task *t)
{
	struct carrier *c = CONTAINER_OF(home, struct carrier, home);

	(void)pthread_mutex_lock(&c->lock);
	list_append(&c->posted, &t->link);
	(void)pthread_mutex_unlock(&c->lock);
}

static void carrier_step(struct session_carrier *carrier)
{
	CONTAINER_OF(carrier, struct carrier, base)->n_steps++;
}

static const struct tls_info *carrier_tls(const struct session_carrier *carrier)
{
	(void)carrier;
	return NULL;
}

static void carrier_init(struct carrier *c)
{
	*c = (struct carrier){ .home.post = carrier_post };
	c->base = (struct session_carrier){ .home = &c->home, .step = carrier_step,
		.tls = carrier_tls };
	(void)pthread_mutex_init(&c->lock, NULL);
	list_init(&c->posted);
}

static unsigned carrier_finish_posted(struct carrier *c)
{
	unsigned n = 0;

	while (!list_is_empty(&c->posted)) {
		struct task *t = CONTAINER_OF(c->posted.next, struct task, link);

		list_remove(&t->link);
		task_finish(t);
		n++;
	}
	return n;
}

static void feed(struct session *s, const char *text)
{
	buf_add_string(session_in(s), text);
}

static void expect_output(struct session *s, const char *text)
{
	assert_int_equal(buf_size(session_out(s)), strlen(text));
	assert_memory_equal(buf_span(session_out(s)).p, text, strlen(text));
	buf_clear(session_out(s));
}

static void test_no_input_while_waiting(void **state)
{
	struct carrier c;
	struct session *s;

	(void)state;
	carrier_init(&c);
	s = session_new(&toy, &c.base);
	feed(s, "DOUBLE 4\r\nECHO after\r\n");
	assert_int_equal(session_step(s, 0), 0);
	expect_output(s, "+ hello\r\n");
	assert_true(session_waits(s));
	assert_int_equal(session_due_ms(s), INT64_MAX);
	assert_int_equal(carrier_finish_posted(&c), 1);
	assert_int_equal(c.n_steps, 1);
	assert_int_equal(session_step(s, 0), SESSION_WANT_INPUT);
	expect_output(s, "+ 8\r\n+ after\r\n");
	session_free(s);
}

static void test_task_of_a_session_that_went(void **state)
{
	struct carrier c;
	struct session *s;

	(void)state;
	carrier_init(&c);
	n_dropped = 0;
	s = session_new(&toy, &c.base);
	feed(s, "DOUBLE 4\r\n");
	(void)session_step(s, 0);
	session_free(s);
	assert_int_equal(carrier_finish_posted(&c), 1);
	assert_int_equal(n_dropped, 1);
	assert_int_equal(c.n_steps, 0);
}

static void test_waker_outlives_session(void **state)
{
	struct session_waker *w;
	struct carrier c;
	struct session *s;

	(void)state;
	carrier_init(&c);
	s = session_new(&toy, &c.base);
	(void)session_step(s, 0);
	buf_clear(session_out(s));
	w = session_waker_ref(session_waker(s));
	session_wake(w);
	session_wake(w);
	assert_int_equal(carrier_finish_posted(&c), 1);
	(void)session_step(s, 0);
	expect_output(s, "* news\r\n");
	session_wake(w);
	session_free(s);
	assert_int_equal(carrier_finish_posted(&c), 1);
	session_wake(w);
	assert_int_equal(carrier_finish_posted(&c), 1);
	session_waker_unref(w);
}

static void *wake_often(void *waker)
{
	for (int i = 0; i < 1000; i++)
		session_wake(waker);
	session_waker_unref(waker);
	return NULL;
}

static void test_wakers_from_threads(void **state)
{
	pthread_t threads[4];
	struct carrier c;
	struct session *s;
	unsigned n;

	(void)state;
	carrier_init(&c);
	s = session_new(&toy, &c.base);
	(void)session_step(s, 0);
	buf_clear(session_out(s));
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, wake_often,
					 session_waker_ref(session_waker(s))),
			0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	n = carrier_finish_posted(&c);
	assert_int_equal(n, 1); /* nobody took it home meanwhile: one for all */
	(void)session_step(s, 0);
	expect_output(s, "* news\r\n");
	session_free(s);
}

/* A flood of commands gets its turns, and no more output is made than may wait. */
static void test_bounds(void **state)
{
	struct carrier c;
	struct session *s;
	size_t n, total = 0;
	unsigned want;

	(void)state;
	carrier_init(&c);
	s = session_new(&toy, &c.base);
	for (int i = 0; i < 1000; i++)
		feed(s, "ECHO abc\r\n");
	want = session_step(s, 0);
	assert_int_equal(want, SESSION_WANT_STEP);
	assert_true(buf_size(session_out(s)) < 500);

	/* Too much is unsent: nothing happens, no input is wanted. */
	buf_clear(session_out(s));
	want = session_step(s, 200 * 1024);
	assert_int_equal(want, 0);
	assert_int_equal(buf_size(session_out(s)), 0);
	buf_clear(session_in(s));

	/* A long source stops there too, and goes on as soon as that much has left. */
	feed(s, "GIVE 300000\r\nECHO x\r\n");
	do {
		want = session_step(s, 0);
		n = buf_size(session_out(s));
		assert_in_range(n, 1, 140 * 1024);
		buf_clear(session_out(s));
		assert_int_equal(session_step(s, 140 * 1024), 0);
		assert_int_equal(buf_size(session_out(s)), 0);
		total += n;
	} while (want == SESSION_WANT_STEP);
	assert_int_equal(total, 300000 + sizeof "\r\n+ x\r\n" - 1);
	session_free(s);
}

static void test_idle_memory(void **state)
{
	struct carrier c;
	struct session *s;

	(void)state;
	carrier_init(&c);
	s = session_new(&toy, &c.base);
	feed(s, "ECHO abc\r\n");
	(void)arena_alloc(session_arena(s), 100);
	assert_int_equal(session_step(s, 0), SESSION_WANT_INPUT);
	assert_null(s->in.p);
	assert_null(s->arena.blocks);
	session_free(s);
}

static void test_slow_sender(void **state)
{
	struct carrier c;
	struct session *s;
	int64_t now_ms = 1000000;
	unsigned want = 0;

	(void)state;
	clock_set(1, now_ms);
	carrier_init(&c);
	s = session_new(&toy, &c.base);
	(void)session_step(s, 0);
	buf_clear(session_out(s));
	/* An octet each second is not a command. */
	for (int i = 0; i < 59; i++) {
		feed(s, "A");
		clock_set(1, now_ms += 1000);
		want = session_step(s, 0);
		assert_int_equal(want, SESSION_WANT_INPUT);
	}
	clock_set(1, now_ms + 1000);
	assert_int_equal(session_due_ms(s), now_ms + 1000);
	assert_int_equal(session_step(s, 0), SESSION_WANT_CLOSE);
	expect_output(s, "- too slow\r\n");
	session_free(s);
	clock_set(0, 0);
}

static void test_end_of_input(void **state)
{
	struct carrier c;
	struct session *s;

	(void)state;
	carrier_init(&c);
	n_freed = 0;
	s = session_new(&toy, &c.base);
	feed(s, "ECHO a\r\nDOUBLE 2\r\nECHO b\r\nECHO half");
	session_set_eof(s);
	assert_int_equal(session_step(s, 0), 0);
	assert_int_equal(carrier_finish_posted(&c), 1);
	assert_int_equal(session_step(s, 0), SESSION_WANT_CLOSE);
	expect_output(s, "+ hello\r\n+ a\r\n+ 4\r\n+ b\r\n");
	session_free(s);
	assert_int_equal(n_freed, 1);
}

static void test_transcripts(void **state)
{
	static const char *const names[] = { "end", "lines", "octets", "tls", "waits" };
	const char *folder = getenv("DIALOG_FOLDER");
	struct dialog d = { .protocol = &toy };

	(void)state;
	assert_non_null(folder);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		CLEANUP(alloc_freep) char *path =
			alloc_format("%s/session/%s.dialog", folder, names[i]);

		assert_int_equal(dialog_run_file(&d, path), 0);
	}
	/* The runner can fail: each of these files has one wrong line. */
	d.is_quiet = true;
	for (int i = 1; i <= 5; i++) {
		CLEANUP(alloc_freep) char *path =
			alloc_format("%s/session-wrong/%d.dialog", folder, i);

		assert_int_not_equal(dialog_run_file(&d, path), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_input_while_waiting),
		cmocka_unit_test(test_task_of_a_session_that_went),
		cmocka_unit_test(test_waker_outlives_session),
		cmocka_unit_test(test_wakers_from_threads),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_idle_memory),
		cmocka_unit_test(test_slow_sender),
		cmocka_unit_test(test_end_of_input),
		cmocka_unit_test(test_transcripts),
	};

	log_set_stderr(false);
	dialog_executor_init(&inline_executor, NULL);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
