/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/store.h"

#include "base/alloc.h"
#include "base/log.h"
#include "db/db.h"
#include "store/audit.h"
#include "store/fixture.h"
#include "store/settings.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int setup(void **state)
{
	*state = fixture_new();
	return 0;
}

static int teardown(void **state)
{
	db_fail_at(0, 0);
	fixture_free(*state);
	return 0;
}

static int set_value(struct store_conn *c, void *arg)
{
	return store_value_set(c, "name", span_str(arg));
}

struct got {
	uint8_t *p;
	size_t n;
};

static int get_value(struct store_conn *c, void *arg)
{
	struct got *g = arg;

	return store_value_get(c, "name", &g->p, &g->n);
}

static void test_values(void **state)
{
	struct fixture *f = *state;
	struct got g = {};

	assert_int_equal(store_read(f->store, get_value, &g), STORE_E_NOT_FOUND);
	assert_int_equal(store_write(f->store, set_value, (void *)(uintptr_t) "one"), 0);
	assert_int_equal(store_write(f->store, set_value, (void *)(uintptr_t) "two"), 0);
	fixture_reopen(f);
	assert_int_equal(store_read(f->store, get_value, &g), 0);
	assert_int_equal(g.n, 3);
	assert_string_equal((char *)g.p, "two");
	free(g.p);
}

static int expect_stored(struct store_conn *c, const char *expected)
{
	struct got g = {};

	TRY(get_value(c, &g));
	assert_true(span_is(span_of(g.p, g.n), expected));
	free(g.p);
	return 0;
}

/* Written meanwhile by the writer: not seen before the end. */
static int in_a_moment(struct store_conn *c, void *arg)
{
	TRY(expect_stored(c, "one"));
	TRY(store_write(arg, set_value, (void *)(uintptr_t) "two"));
	TRY(expect_stored(c, "one"));
	return STORE_E_STALE;
}

static int in_moments(struct store_conn *c, void *arg)
{
	assert_int_equal(store_moment(c, in_a_moment, arg), STORE_E_STALE);
	return expect_stored(c, "two");
}

static void test_moment(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_write(f->store, set_value, (void *)(uintptr_t) "one"), 0);
	assert_int_equal(store_read(f->store, in_moments, f->store), 0);
}

static void test_schema_of_the_future(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	struct why why = {};
	struct db *db;

	f->store = store_close(f->store);
	assert_int_equal(db_open(&db, f->path, DB_WRITER, NULL), 0);
	assert_int_equal(db_script(db, "insert into schema_version (version) values (4711)"), 0);
	db_close(db);
	assert_true(store_open(&s, f->path, 1, &why) < 0);
	assert_null(s);
	assert_non_null(strstr(why.text, "schema 4711"));
	assert_int_equal(db_open(&db, f->path, DB_WRITER, NULL), 0);
	assert_int_equal(db_script(db, "delete from schema_version where version = 4711"), 0);
	db_close(db);
	fixture_reopen(f);
}

static void test_missing_folder(void **state)
{
	struct store *s = NULL;
	struct why why = {};

	(void)state;
	assert_int_equal(store_open(&s, "/nonexistent/store/mail.db", 1, &why), -ENOENT);
	assert_non_null(strstr(why.text, "/nonexistent/store does not exist"));
	assert_null(s);
}

/* A migration that fails halfway leaves nothing, and the next start completes it. */
static void test_open_with_failures(void **state)
{
	char folder[FOLDER_FIXTURE_MAX];
	CLEANUP(alloc_freep) char *path = NULL;
	CLEANUP(alloc_freep) char *lock = NULL;
	struct store *s = NULL;
	uint64_t nth = 0;
	int r;

	(void)state;
	folder_fixture(folder, "open");
	path = alloc_format("%s/mail.db", folder);
	lock = alloc_format("%s-lock", path);
	do {
		struct why why = {};

		db_fail_at(++nth, -EIO);
		r = store_open(&s, path, 1, &why);
		db_fail_at(0, 0);
		assert_true(r <= 0);
		if (r)
			assert_true(why.text[0] != 0);
		assert_true(nth < 200);
	} while (r);
	assert_true(nth > 8);
	store_close(s);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(rmdir(folder), 0);
}

struct change {
	const char *key;
	const char *value;
	struct why why;
};

static int change_setting(struct store_conn *c, void *arg)
{
	struct change *change = arg;

	return settings_write(c, span_str(change->key), span_str(change->value), &change->why);
}

static void count_call(void *context)
{
	++*(int *)context;
}

/* It stands in certificates: what nobody can fetch from does no good there. */
static void test_url_setting(void **state)
{
	static const struct {
		const char *value;
		int r;
	} cases[] = { { "http://pki.example.org/pki", 0 }, { "https://pki.example.org", 0 },
		{ "HTTP://pki.example.org:8080/x/", 0 }, { "http://[2001:db8::1]:80/pki", 0 }, { "", 0 },
		{ "ftp://x", CONF_E_VALUE }, { "pki.example.org/pki", CONF_E_VALUE },
		{ "http://", CONF_E_VALUE }, { "http:///pki", CONF_E_VALUE },
		{ "http://:80/", CONF_E_VALUE }, { "http://x:0/", CONF_E_VALUE },
		{ "http://x:65536/", CONF_E_VALUE }, { "http://x:80y/", CONF_E_VALUE },
		{ "http://[::1/", CONF_E_VALUE }, { "http://user@x/", CONF_E_VALUE },
		{ "http://x/ y", CONF_E_VALUE }, { "http://x/?a", CONF_E_VALUE },
		{ "http://x/#a", CONF_E_VALUE }, { "http://x\r\n", CONF_E_VALUE } };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct change change = { "ca_url", cases[i].value, {} };

		assert_int_equal(store_write(f->store, change_setting, &change), cases[i].r);
		assert_int_equal(change.why.text[0] != 0, cases[i].r != 0);
	}
}

static void test_settings(void **state)
{
	struct fixture *f = *state;
	CLEANUP(settings_unrefp) struct settings *before = settings_get(f->store);
	CLEANUP(settings_unrefp) struct settings *after = NULL;
	struct change good = { "message_max", "20M", {} };
	struct change bad = { "message_max", "twenty", {} };
	struct change unknown = { "no_such_setting", "1", {} };
	struct change unknown_default = { "no_such_setting", NULL, {} };
	struct change standard = { "message_max", NULL, {} };
	int calls = 0;

	settings_on_change(f->store, count_call, &calls);
	assert_int_equal(before->message_max, 50 << 20);
	assert_int_equal(before->recipients_max, 1000);
	assert_string_equal(before->subaddress_separators, "+");
	assert_int_equal(before->cleartext_login, CLEARTEXT_NEVER);
	assert_int_equal(store_write(f->store, change_setting, &bad), CONF_E_VALUE);
	assert_true(bad.why.text[0] != 0);
	assert_int_equal(store_write(f->store, change_setting, &unknown), CONF_E_UNKNOWN);
	assert_int_equal(store_write(f->store, change_setting, &unknown_default), CONF_E_UNKNOWN);
	assert_int_equal(store_write(f->store, change_setting, &good), 0);
	assert_int_equal(settings_reload(f->store), 0);
	assert_int_equal(calls, 1);
	assert_int_equal(before->message_max, 50 << 20); /* a snapshot does not change */
	after = settings_get(f->store);
	assert_int_equal(after->message_max, 20 << 20);
	fixture_reopen(f);
	after = settings_unref(after);
	after = settings_get(f->store);
	assert_int_equal(after->message_max, 20 << 20);
	assert_int_equal(store_write(f->store, change_setting, &standard), 0);
	assert_int_equal(settings_reload(f->store), 0);
	after = settings_unref(after);
	after = settings_get(f->store);
	assert_int_equal(after->message_max, 50 << 20);
}

static int add_audit(struct store_conn *c, void *arg)
{
	return store_audit(c, SPAN("alice"), "domain.add", span_str(arg), SPAN(""));
}

static int see_audit(int64_t time_us, struct span actor, struct span action, struct span target,
	struct span detail, void *context)
{
	struct buf *seen = context;

	assert_true(time_us > 0);
	assert_true(span_is(actor, "alice"));
	assert_true(span_is(action, "domain.add"));
	assert_int_equal(detail.n, 0);
	buf_add(seen, target);
	return 0;
}

static int read_audit(struct store_conn *c, void *arg)
{
	return store_audit_each(c, 2, see_audit, arg);
}

static void test_audit_is_append_only(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf_done) struct buf seen = {};
	struct db *db;

	assert_int_equal(store_write(f->store, add_audit, (void *)(uintptr_t) "a"), 0);
	assert_int_equal(store_write(f->store, add_audit, (void *)(uintptr_t) "b"), 0);
	assert_int_equal(store_write(f->store, add_audit, (void *)(uintptr_t) "c"), 0);
	assert_int_equal(store_read(f->store, read_audit, &seen), 0);
	assert_true(span_is(buf_span(&seen), "cb"));
	f->store = store_close(f->store);
	assert_int_equal(db_open(&db, f->path, DB_WRITER, NULL), 0);
	assert_int_equal(db_script(db, "delete from audit"), DB_E_CONSTRAINT);
	assert_int_equal(db_script(db, "update audit set actor = x'00'"), DB_E_CONSTRAINT);
	db_close(db);
	fixture_reopen(f);
	assert_int_equal(fixture_number(f, "select count(*) from audit"), 3);
}

/* Tasks that are queued while the writer is held up, so that they are one batch. */
struct job {
	struct task task;
	struct gate *gate;
	int64_t id;
	int wanted;  /* what run returns */
	int posted;  /* how often, and in which order */
	unsigned runs;
};

struct gate {
	struct task_home home;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open;
	bool entered;
	int n_posted;
};

static void gate_post(struct task_home *home, struct task *t)
{
	struct gate *g = CONTAINER_OF(home, struct gate, home);
	struct job *job = CONTAINER_OF(t, struct job, task);

	(void)pthread_mutex_lock(&g->lock);
	job->posted = ++g->n_posted;
	(void)pthread_cond_broadcast(&g->changed);
	(void)pthread_mutex_unlock(&g->lock);
}

static void gate_init(struct gate *g)
{
	*g = (struct gate){ .home.post = gate_post };
	(void)pthread_mutex_init(&g->lock, NULL);
	(void)pthread_cond_init(&g->changed, NULL);
}

static int hold_up(struct task *t, void *worker)
{
	struct gate *g = CONTAINER_OF(t, struct job, task)->gate;

	(void)worker;
	(void)pthread_mutex_lock(&g->lock);
	g->entered = true;
	(void)pthread_cond_broadcast(&g->changed);
	while (!g->open)
		(void)pthread_cond_wait(&g->changed, &g->lock);
	(void)pthread_mutex_unlock(&g->lock);
	return 0;
}

static int job_run(struct task *t, void *worker)
{
	struct job *job = CONTAINER_OF(t, struct job, task);
	CLEANUP(alloc_freep) char *name = alloc_format("job%d", (int)job->id);

	job->runs++;
	TRY(store_value_set(worker, name, SPAN("x")));
	return job->wanted;
}

enum { JOBS = 10 };

/* Runs the jobs as one batch; fail_at counts the database calls of the batch. */
static void run_batch(
	struct fixture *f, struct job jobs[static JOBS], uint64_t fail_at, int failure)
{
	struct gate g;
	struct job first = { .task.run = hold_up, .gate = &g };

	gate_init(&g);
	task_start(store_writer(f->store), &g.home, &first.task);
	(void)pthread_mutex_lock(&g.lock);
	while (!g.entered)
		(void)pthread_cond_wait(&g.changed, &g.lock);
	(void)pthread_mutex_unlock(&g.lock);
	for (int i = 0; i < JOBS; i++) {
		jobs[i].task.run = job_run;
		jobs[i].gate = &g;
		jobs[i].id = i;
		task_start(store_writer(f->store), &g.home, &jobs[i].task);
	}
	/* The task that holds up has three calls left: release (prepare and step) and commit. */
	if (fail_at)
		db_fail_at(fail_at, failure);
	(void)pthread_mutex_lock(&g.lock);
	g.open = true;
	(void)pthread_cond_broadcast(&g.changed);
	while (g.n_posted < JOBS + 1)
		(void)pthread_cond_wait(&g.changed, &g.lock);
	(void)pthread_mutex_unlock(&g.lock);
	db_fail_at(0, 0);
	(void)pthread_cond_destroy(&g.changed);
	(void)pthread_mutex_destroy(&g.lock);
}

static int64_t n_values(struct fixture *f)
{
	return fixture_number(f, "select count(*) from value where cast(name as text) like 'job%'");
}

static void test_failing_task_is_alone(void **state)
{
	struct fixture *f = *state;
	struct job jobs[JOBS] = { [3].wanted = STORE_E_QUOTA, [7].wanted = -EIO };
	struct store_figures before, after;

	store_figures(f->store, &before);
	run_batch(f, jobs, 0, 0);
	store_figures(f->store, &after);
	assert_int_equal(after.commits - before.commits, 2);
	assert_int_equal(after.tasks - before.tasks, JOBS + 1);
	assert_int_equal(after.queued, 0);
	assert_true(after.file_octets > 0);
	for (int i = 0; i < JOBS; i++) {
		assert_int_equal(jobs[i].task.result, jobs[i].wanted);
		assert_int_equal(jobs[i].posted, i + 2);
		assert_int_equal(jobs[i].runs, 1);
	}
	assert_int_equal(n_values(f), JOBS - 2);
}

/* Wherever the disk fills up: all of the batch fails with -ENOSPC, nothing of it stays, and the
 * next batch goes through. */
static void test_full_disk_fails_the_batch(void **state)
{
	struct fixture *f = *state;
	uint64_t nth = 5; /* past the commit of the task that holds up */
	bool failed;

	do {
		struct job jobs[JOBS] = {};

		failed = false;
		run_batch(f, jobs, nth++, DB_E_FULL);
		for (int i = 0; i < JOBS; i++) {
			failed |= jobs[i].task.result != 0;
			assert_int_equal(jobs[i].task.result, jobs[0].task.result);
		}
		if (failed)
			assert_int_equal(jobs[0].task.result, -ENOSPC);
		assert_int_equal(n_values(f), failed ? 0 : JOBS);
	} while (failed);
	assert_true(nth > 50);
}

static void test_conflict_runs_the_batch_again(void **state)
{
	struct fixture *f = *state;
	struct job jobs[JOBS] = { [2].wanted = STORE_E_EXISTS };

	run_batch(f, jobs, 30, DB_E_RETRY);
	for (int i = 0; i < JOBS; i++)
		assert_int_equal(jobs[i].task.result, jobs[i].wanted);
	assert_int_equal(jobs[0].runs, 2);
	assert_int_equal(n_values(f), JOBS - 1);
}

static void test_cancelled_task_is_not_run(void **state)
{
	struct fixture *f = *state;
	struct gate g;
	struct job first = { .task.run = hold_up, .gate = &g };
	struct job second = { .task.run = job_run, .gate = &g, .id = 1 };

	gate_init(&g);
	task_start(store_writer(f->store), &g.home, &first.task);
	task_start(store_writer(f->store), &g.home, &second.task);
	task_cancel(&second.task);
	(void)pthread_mutex_lock(&g.lock);
	g.open = true;
	(void)pthread_cond_broadcast(&g.changed);
	while (g.n_posted < 2)
		(void)pthread_cond_wait(&g.changed, &g.lock);
	(void)pthread_mutex_unlock(&g.lock);
	assert_int_equal(second.task.result, -ECANCELED);
	assert_int_equal(second.runs, 0);
	assert_int_equal(n_values(f), 0);
	(void)pthread_cond_destroy(&g.changed);
	(void)pthread_mutex_destroy(&g.lock);
}

static int add_megabyte(struct store_conn *c, void *arg)
{
	static uint8_t octets[1 << 20];
	CLEANUP(alloc_freep) char *name = alloc_format("big%d", *(int *)arg);

	octets[0] = 1;
	return store_value_set(c, name, span_of(octets, sizeof octets));
}

static int shrink(struct store_conn *c, void *arg)
{
	CLEANUP(alloc_freep) char *name = alloc_format("big%d", *(int *)arg);

	return store_value_set(c, name, SPAN(""));
}

/* When nobody writes, what is free goes back to the file system. */
static void test_idle_writer_tidies(void **state)
{
	struct fixture *f = *state;
	int64_t n_free;

	for (int i = 0; i < 20; i++)
		assert_int_equal(store_write(f->store, add_megabyte, &i), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(store_write(f->store, shrink, &i), 0);
	for (int i = 0; i < 1000; i++) {
		n_free = fixture_number(f, "pragma freelist_count");
		if (n_free < 2200)
			return;
		(void)usleep(10000);
	}
	fail_msg("%lld pages are free", (long long)n_free);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_values, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_schema_of_the_future, setup, teardown),
		cmocka_unit_test(test_missing_folder),
		cmocka_unit_test(test_open_with_failures),
		cmocka_unit_test_setup_teardown(test_settings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_url_setting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_audit_is_append_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failing_task_is_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk_fails_the_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_conflict_runs_the_batch_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancelled_task_is_not_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle_writer_tidies, setup, teardown),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
