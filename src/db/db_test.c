/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "db/db.h"

#include "base/alloc.h"
#include "base/folder_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
	char folder[FOLDER_FIXTURE_MAX];
	char *path;
	struct db *db;
};

static int setup(void **state)
{
	struct fixture *f = ALLOC(struct fixture);
	struct why why;

	folder_fixture(f->folder, "db");
	f->path = alloc_format("%s/mail.db", f->folder);
	assert_int_equal(db_open(&f->db, f->path, DB_WRITER, &why), 0);
	assert_int_equal(db_script(f->db, "create table t (id integer primary key, v blob unique)"),
		0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = { "", "-wal", "-shm", "-lock" };

	db_fail_at(0, 0);
	db_close(f->db);
	for (size_t i = 0; i < 4; i++) {
		CLEANUP(alloc_freep) char *name = alloc_format("%s%s", f->path, names[i]);

		(void)unlink(name);
	}
	assert_int_equal(rmdir(f->folder), 0);
	free(f->path);
	free(f);
	return 0;
}

static int add(struct db *db, int64_t id, const char *v)
{
	return db_exec(db, NULL, "insert into t (id, v) values ($1, $2)",
		DB_ARGS(DB_INT(id), DB_SPAN(span_str(v))));
}

static int64_t count(struct db *db)
{
	CLEANUP(db_resetp) struct db_statement *s = NULL;
	bool row = false;

	assert_int_equal(db_prepare(&s, db, "select count(*) from t"), 0);
	assert_int_equal(db_step(s, &row), 0);
	assert_true(row);
	return db_int(s, 0);
}

static void test_values(void **state)
{
	struct fixture *f = *state;
	CLEANUP(db_resetp) struct db_statement *s = NULL;
	bool row;

	assert_int_equal(db_exec(f->db, NULL, "insert into t (v, id) values ($2, $1)",
				 DB_ARGS(DB_INT(INT64_MIN), DB_SPAN(SPAN("a\0b")))),
		0);
	assert_int_equal(add(f->db, 2, ""), 0);
	assert_int_equal(db_exec(f->db, NULL, "insert into t (id, v) values ($1, $2)",
				 DB_ARGS(DB_INT(3), DB_NULL)),
		0);
	assert_int_equal(db_prepare(&s, f->db, "select id, v from t order by id"), 0);
	assert_int_equal(db_step(s, &row), 0);
	assert_true(row);
	assert_true(db_int(s, 0) == INT64_MIN);
	assert_true(span_equal(db_blob(s, 1), SPAN("a\0b")));
	assert_int_equal(db_step(s, &row), 0);
	assert_true(row);
	assert_false(db_is_null(s, 1)); /* an empty span is not NULL */
	assert_int_equal(db_blob(s, 1).n, 0);
	assert_int_equal(db_step(s, &row), 0);
	assert_true(row);
	assert_true(db_is_null(s, 1));
	assert_int_equal(db_step(s, &row), 0);
	assert_false(row);
}

static void test_parameters_by_number(void **state)
{
	struct fixture *f = *state;
	CLEANUP(db_resetp) struct db_statement *s = NULL;
	bool row;

	assert_int_equal(db_query_row(&s, &row, f->db, "select $3 - $1, $2, $3",
				 DB_ARGS(DB_INT(1), DB_INT(20), DB_INT(300))),
		0);
	assert_true(row);
	assert_int_equal(db_int(s, 0), 299);
	assert_int_equal(db_int(s, 1), 20);
	assert_int_equal(db_int(s, 2), 300);
}

static void test_constraint_leaves_the_transaction(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(db_begin(f->db), 0);
	assert_int_equal(add(f->db, 1, "a"), 0);
	assert_int_equal(add(f->db, 2, "a"), DB_E_CONSTRAINT);
	assert_int_equal(db_void(f->db), 0);
	assert_int_equal(add(f->db, 2, "b"), 0);
	assert_int_equal(db_commit(f->db), 0);
	assert_int_equal(count(f->db), 2);
}

static void test_savepoint(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(db_begin(f->db), 0);
	assert_int_equal(db_savepoint(f->db), 0);
	assert_int_equal(add(f->db, 1, "a"), 0);
	assert_int_equal(db_savepoint_release(f->db), 0);
	assert_int_equal(db_savepoint(f->db), 0);
	assert_int_equal(add(f->db, 2, "b"), 0);
	db_savepoint_rollback(f->db);
	assert_int_equal(db_commit(f->db), 0);
	assert_int_equal(count(f->db), 1);
	assert_int_equal(db_begin(f->db), 0);
	assert_int_equal(add(f->db, 3, "c"), 0);
	db_rollback(f->db);
	assert_int_equal(count(f->db), 1);
}

static void test_reader_sees_one_moment(void **state)
{
	struct fixture *f = *state;
	CLEANUP(db_closep) struct db *reader = NULL;

	assert_int_equal(add(f->db, 1, "a"), 0);
	assert_int_equal(db_open(&reader, f->path, DB_READER, NULL), 0);
	assert_int_equal(db_begin(reader), 0);
	assert_int_equal(count(reader), 1);
	assert_int_equal(add(f->db, 2, "b"), 0);
	assert_int_equal(count(reader), 1);
	db_rollback(reader);
	assert_int_equal(count(reader), 2);
	assert_true(add(reader, 3, "c") < 0);
}

/* After the engine has rolled back, nothing may run on its own until the caller knows. */
static void test_void_transaction(void **state)
{
	static const int results[] = { DB_E_FULL, DB_E_RETRY, -EIO };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
		assert_int_equal(db_begin(f->db), 0);
		assert_int_equal(db_savepoint(f->db), 0);
		assert_int_equal(add(f->db, 1, "a"), 0);
		db_fail_at(2, results[i]); /* prepare, then step */
		assert_int_equal(add(f->db, 2, "b"), results[i]);
		assert_int_equal(db_void(f->db), results[i]);
		db_savepoint_rollback(f->db);
		assert_int_equal(db_savepoint(f->db), results[i]);
		assert_int_equal(add(f->db, 3, "c"), results[i]);
		assert_int_equal(db_savepoint_release(f->db), results[i]);
		assert_int_equal(db_commit(f->db), results[i]);
		db_rollback(f->db);
		assert_int_equal(db_void(f->db), 0);
		assert_int_equal(count(f->db), 0);
	}
}

/* A real one: the file may not grow any further. */
static void test_full(void **state)
{
	struct fixture *f = *state;
	static char big[1 << 20];
	int r = 0;

	memset(big, 'x', sizeof big - 1);
	assert_int_equal(add(f->db, 1, "a"), 0);
	assert_int_equal(db_script(f->db, "pragma max_page_count = 600"), 0);
	assert_int_equal(db_begin(f->db), 0);
	for (int64_t id = 2; id < 10 && !r; id++) {
		big[0] = (char)('a' + id);
		r = add(f->db, id, big);
	}
	assert_int_equal(r, DB_E_FULL);
	assert_int_equal(add(f->db, 20, "small"), DB_E_FULL);
	assert_int_equal(db_commit(f->db), DB_E_FULL);
	db_rollback(f->db);
	assert_int_equal(count(f->db), 1);
	assert_int_equal(db_script(f->db, "pragma max_page_count = 1000000"), 0);
	assert_int_equal(db_begin(f->db), 0);
	assert_int_equal(add(f->db, 2, big), 0);
	assert_int_equal(db_commit(f->db), 0);
	assert_int_equal(count(f->db), 2);
}

static void test_every_call_can_fail(void **state)
{
	struct fixture *f = *state;
	uint64_t nth = 0;
	int r;

	do {
		db_fail_at(++nth, -EIO);
		r = db_begin(f->db);
		if (!r)
			r = add(f->db, 1, "a");
		if (!r)
			r = db_commit(f->db);
		db_fail_at(0, 0);
		if (r)
			db_rollback(f->db);
		assert_int_equal(count(f->db), r ? 0 : 1);
	} while (r);
	assert_true(nth > 6);
}

static void test_tidy_gives_pages_back(void **state)
{
	struct fixture *f = *state;
	struct stat before, after;
	static char big[1 << 20];
	int steps = 0;
	int r;

	memset(big, 'x', sizeof big - 1);
	for (int64_t id = 1; id <= 20; id++) {
		big[0] = (char)('a' + id);
		assert_int_equal(add(f->db, id, big), 0);
	}
	assert_int_equal(db_script(f->db, "delete from t"), 0);
	while ((r = db_tidy(f->db)) == DB_TIDY_MORE)
		assert_true(++steps < 1000);
	assert_int_equal(r, 0);
	assert_true(steps > 10);
	assert_int_equal(stat(f->path, &before), 0);
	assert_int_equal(db_script(f->db, "pragma wal_checkpoint(truncate)"), 0);
	assert_int_equal(stat(f->path, &after), 0);
	assert_true(after.st_size < 12 << 20); /* 2,000 pages are kept for what comes */
	assert_true(after.st_size > 4 << 20);
	assert_true(db_file_octets(f->db) >= (uint64_t)after.st_size);
}

static void test_open_says_why(void **state)
{
	struct fixture *f = *state;
	CLEANUP(alloc_freep) char *missing = alloc_format("%s/none/mail.db", f->folder);
	CLEANUP(alloc_freep) char *text = alloc_format("%s/text.db", f->folder);
	CLEANUP(alloc_freep) char *lock = alloc_format("%s-lock", text);
	struct db *db = NULL;
	struct why why;
	FILE *file;

	assert_true(db_open(&db, missing, DB_WRITER, &why) < 0);
	assert_non_null(strstr(why.text, "/none does not exist"));
	assert_true(db_open(&db, f->path, DB_WRITER, &why) < 0);
	assert_non_null(strstr(why.text, "in use by another server"));
	assert_true(db_open(&db, "postgresql://db/mail", DB_WRITER, &why) < 0);
	assert_non_null(strstr(why.text, "no driver"));

	file = fopen(text, "w");
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		(void)fputs("certainly not a database\n", file);
	assert_int_equal(fclose(file), 0);
	assert_true(db_open(&db, text, DB_WRITER, &why) < 0);
	assert_non_null(strstr(why.text, "cannot be used as a database"));
	assert_null(db);
	(void)unlink(text);
	(void)unlink(lock);
}

/* Root may write anywhere: a child of another user tries. */
static void test_open_in_folder_of_others(void **state)
{
	struct fixture *f = *state;
	CLEANUP(alloc_freep) char *path = alloc_format("%s/other.db", f->folder);
	int status;
	pid_t child;

	assert_int_equal(chmod(f->folder, 0555), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct db *db;
		struct why why = {};

		if (geteuid() == 0 && setuid(65534))
			_exit(2);
		if (db_open(&db, path, DB_WRITER, &why) != -EACCES)
			_exit(3);
		_exit(strstr(why.text, "cannot be opened for writing by user") ? 0 : 4);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(chmod(f->folder, 0755), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_file_is_private(void **state)
{
	struct fixture *f = *state;
	CLEANUP(alloc_freep) char *log = alloc_format("%s-wal", f->path);
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(log, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_values, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parameters_by_number, setup, teardown),
		cmocka_unit_test_setup_teardown(test_constraint_leaves_the_transaction, setup,
			teardown),
		cmocka_unit_test_setup_teardown(test_savepoint, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_sees_one_moment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_void_transaction, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_call_can_fail, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tidy_gives_pages_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_says_why, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_in_folder_of_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_is_private, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
