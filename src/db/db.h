/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * A database connection: a dozen functions with one implementation per engine. SQL text comes from
 * store/ only, in the dialect all engines know ($1 parameters, ON CONFLICT, RETURNING). A
 * connection belongs to one thread. Statements are prepared once and kept.
 *
 * Values are 64-bit integers, octet strings and NULL: no engine's own types are used.
 */

#include "base/err.h"
#include "base/span.h"

struct db;
struct db_statement;

enum db_outcome {
	DB_E_CONSTRAINT = 1, /* a unique or foreign key says no */
	DB_E_RETRY,          /* serialization failure or deadlock: run the transaction again */
	DB_E_FULL,           /* no room on the disk */
};

enum db_mode { DB_WRITER, DB_READER };

/* Opens "sqlite:PATH" (or a bare path). The writer creates the file. why says what to do. */
int db_open(struct db **ret_db, const char *url, enum db_mode mode, struct why *why) MUST_CHECK;
struct db *db_close(struct db *db);

/* Whether this process is the only one that uses the database (SQLite: a lock file sees to it). */
bool db_is_alone(const struct db *db);
CLEANUP_POINTER(struct db, db_close)

/* One or more statements without parameters or results: schema scripts. */
int db_script(struct db *db, const char *sql) MUST_CHECK;

/* A statement kept by the connection under its text; sql must be a string constant. It cannot be
 * used twice at a time: while it gives rows, the same text is not prepared again (asserted). */
int db_prepare(struct db_statement **ret_statement, struct db *db, const char *sql) MUST_CHECK;

/* Binding, from parameter 1. The octets must stay until db_step or db_reset. */
void db_bind_int(struct db_statement *s, int index, int64_t value);
void db_bind_span(struct db_statement *s, int index, struct span value);
void db_bind_null(struct db_statement *s, int index);

/* The same as a list: DB_ARGS(DB_INT(id), DB_SPAN(name)). */
struct db_value {
	enum { DB_VALUE_INT, DB_VALUE_SPAN, DB_VALUE_NULL } kind;
	int64_t number;
	struct span octets;
};
#define DB_INT(value) ((struct db_value){ .kind = DB_VALUE_INT, .number = (int64_t)(value) })
#define DB_SPAN(value) ((struct db_value){ .kind = DB_VALUE_SPAN, .octets = (value) })
#define DB_NULL ((struct db_value){ .kind = DB_VALUE_NULL })
#define DB_ARGS(...)                                                                               \
	(const struct db_value[]){ __VA_ARGS__ },                                                  \
		sizeof((const struct db_value[]){ __VA_ARGS__ }) / sizeof(struct db_value)

/* Prepared and bound, ready for db_step. */
int db_query(struct db_statement **ret_statement, struct db *db, const char *sql,
	const struct db_value *values, size_t n_values) MUST_CHECK;

/* The same and the first step. */
int db_query_row(struct db_statement **ret_statement, bool *ret_row, struct db *db, const char *sql,
	const struct db_value *values, size_t n_values) MUST_CHECK;

/* Prepared, bound and run; it gives no row. *ret_changed (may be NULL): rows changed. */
int db_exec(struct db *db, int64_t *ret_changed, const char *sql, const struct db_value *values,
	size_t n_values) MUST_CHECK;

/* The next row: 0 and *ret_row, or outcomes of db_outcome. After the last row, or any failure, the
 * statement is reset by itself. */
int db_step(struct db_statement *s, bool *ret_row) MUST_CHECK;

/* The head of a loop over rows: the next one, as long as *r is 0. False at the end, where *r is 0, and
 * where the loop set *r or the step failed, which *r is then. */
bool db_next(struct db_statement *s, int *r);

/* For statements that give no row. *ret_changed (may be NULL): rows changed. */
int db_run(struct db_statement *s, int64_t *ret_changed) MUST_CHECK;

/* Ends reading early. Harmless at any time, and for NULL. No statement stays open across a wait for
 * a client: CLEANUP(db_resetp) struct db_statement *q = NULL; sees to it. */
void db_reset(struct db_statement *s);
CLEANUP_POINTER(struct db_statement, db_reset)

/* Columns of the current row, from 0. Spans are valid until the next step or reset. */
int64_t db_int(struct db_statement *s, int column);
struct span db_blob(struct db_statement *s, int column);
bool db_is_null(struct db_statement *s, int column);

/* Transactions; savepoints nest one deep inside. A reader's transaction sees one moment, that of
 * its first statement. */
int db_begin(struct db *db) MUST_CHECK;
int db_commit(struct db *db) MUST_CHECK;
void db_rollback(struct db *db);
int db_savepoint(struct db *db) MUST_CHECK;
int db_savepoint_release(struct db *db) MUST_CHECK;
void db_savepoint_rollback(struct db *db);

/* Whether the transaction can still be committed: 0, or what voided it (DB_E_FULL, DB_E_RETRY, or
 * the fault that made the engine roll back). A void transaction refuses every statement with that
 * same result until db_rollback, so nothing slips into a transaction of its own; and who went
 * through TRY, which folds outcomes, finds the outcome here. */
int db_void(const struct db *db);

/* The engine's own upkeep between commits, a bounded step of it: pages given back to the file
 * system, the log kept short. Outside of transactions. */
enum db_tidy_outcome { DB_TIDY_MORE = 1 };
int db_tidy(struct db *db) MUST_CHECK;

/* What the running transaction deletes must not be found in the files any more: that deleted rows are
 * overwritten holds anyway; the log, which has them too, is emptied in the next quiet moment, by
 * db_tidy. */
void db_erase(struct db *db);

/* Outside of transactions: what the connection keeps in memory of the database goes, and is wiped
 * where the program wipes what is freed. */
void db_forget(struct db *db);

/* Octets of the database's files. */
uint64_t db_file_octets(const struct db *db);

/* Tests: the nth call from now on that can fail does so, with this result (db/fail.c). 0: off. */
void db_fail_at(uint64_t nth, int result);
