/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The driver for SQLite, the default database: one file, one writing connection, a few that read.
 *
 * WAL with synchronous=FULL makes a commit durable with one fdatasync. The log is checkpointed
 * inline by the commit that passes CHECKPOINT_FRAMES: a checkpoint on another thread alone lets the
 * log grow without end under load, because it restarts only when a writer begins with everything
 * checkpointed.
 *
 * When SQLite meets a full disk or an I/O error it may roll back the whole transaction by itself.
 * What came next would then run, and be committed, on its own. So a transaction that is lost stays
 * void here: every call fails with the same result until db_rollback.
 *
 * Freed cells and pages are overwritten (secure_delete), always and not only where something is to
 * be erased: what a page split or merge left behind would be found otherwise.
 *
 * One server uses a database at a time, since it keeps in memory what it read; a lock file sees to
 * it. What SQLite's own locks are for is left to SQLite.
 */

#include "base/alloc.h"
#include "base/buf.h"
#include "db/db.h"
#include "db/fail.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	CHECKPOINT_FRAMES = 4000, /* pages in the log before the committing thread moves them */
	TIDY_FRAMES = 1000,       /* the same when there is nothing else to do */
	TIDY_PAGES = 100,         /* given back in one step: a few milliseconds */
	KEPT_PAGES = 2000,        /* free pages not worth giving back: they will be used again */
	BUSY_MS = 10000,
	EMPTY_LOG_MS = 50, /* for readers to be done with the log, at one try */
	PARAMETERS_MAX = 24,
	SLOTS = 256,
};

struct db_statement {
	struct db_statement *next; /* in its slot */
	struct db *db;
	const char *sql;
	sqlite3_stmt *stmt;
	bool open;
	/* SQLite numbers "$2" by its place of appearance: the index of each number. */
	uint8_t index[PARAMETERS_MAX + 1];
};

struct db {
	sqlite3 *sqlite;
	enum db_mode mode;
	int lock; /* file descriptor, -1: none */
	bool in_transaction;
	bool has_erased;           /* the log may still have what was deleted with db_erase */
	int lost;                  /* see db_void */
	int log_frames, log_moved; /* as of the last commit and the last checkpoint */
	char *path;
	struct db_statement *slots[SLOTS]; /* by address of the text */
};

static void once(void)
{
	/* Its statistics take one lock for all threads at every allocation. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	/* No pages in bulk, which would stay when db_forget wants them gone. */
	(void)sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
}

static int failure_errno(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_READONLY:
		return EROFS;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return EBADMSG;
	case SQLITE_NOMEM:
		return ENOMEM;
	default:
		return EIO;
	}
}

static int failure_outcome(struct db *db, int rc)
{
	int system_error = sqlite3_system_errno(db->sqlite);

	switch (rc & 0xff) {
	case SQLITE_CONSTRAINT:
		return DB_E_CONSTRAINT;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return DB_E_RETRY;
	case SQLITE_FULL:
		return DB_E_FULL;
	case SQLITE_IOERR:
		/* The log's index, or a quota of the file system: SQLite names only write(). */
		if (system_error == ENOSPC || system_error == EDQUOT)
			return DB_E_FULL;
		break;
	default:
		break;
	}
	return err_fault(failure_errno(rc), sqlite3_errmsg(db->sqlite));
}

/* Notes that the transaction is void where it is. */
static int failed(struct db *db, int outcome)
{
	bool rolled_back = sqlite3_get_autocommit(db->sqlite);

	if (db->in_transaction && !db->lost &&
		(rolled_back || outcome == DB_E_FULL || outcome == DB_E_RETRY))
		db->lost = outcome == DB_E_CONSTRAINT ? err_fault(EIO, "rolled back") : outcome;
	return outcome;
}

/* What every call that can fail asks first. A failure made by a test rolls back as SQLite does. */
static int ready(struct db *db)
{
	int r;

	if (db->lost)
		return db->lost;
	r = db_fail_next();
	if (!r)
		return 0;
	if (r != DB_E_CONSTRAINT && db->in_transaction)
		(void)sqlite3_exec(db->sqlite, "rollback", NULL, NULL, NULL);
	return failed(db, r < 0 ? err_fault(-r, "failure wanted by a test") : r);
}

static struct db_statement **slot_of(struct db *db, const char *sql)
{
	return &db->slots[((uintptr_t)sql * 0x9e3779b97f4a7c15) >> 56 & (SLOTS - 1)];
}

static void number_parameters(struct db_statement *s)
{
	int n = sqlite3_bind_parameter_count(s->stmt);

	for (int i = 1; i <= n; i++) {
		const char *name = sqlite3_bind_parameter_name(s->stmt, i);
		int number = name && name[0] == '$' ? atoi(name + 1) : 0;

		assert(number > 0 && number <= PARAMETERS_MAX);
		s->index[number] = (uint8_t)i;
	}
}

static int statement_new(struct db_statement **ret_statement, struct db *db, const char *sql)
{
	struct db_statement **slot = slot_of(db, sql);
	struct db_statement *s;
	sqlite3_stmt *stmt;
	int rc = sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);

	if (rc)
		return failed(db, failure_outcome(db, rc));
	s = ALLOC(struct db_statement);
	s->db = db;
	s->sql = sql;
	s->stmt = stmt;
	s->next = *slot;
	*slot = s;
	number_parameters(s);
	*ret_statement = s;
	return 0;
}

int db_prepare(struct db_statement **ret_statement, struct db *db, const char *sql)
{
	int r = ready(db);

	if (r)
		return r;
	for (struct db_statement *s = *slot_of(db, sql); s; s = s->next) {
		if (s->sql == sql) {
			assert(!s->open);
			*ret_statement = s;
			return 0;
		}
	}
	return statement_new(ret_statement, db, sql);
}

/* Binding fails only for a wrong index or for octets beyond SQLite's limit: our mistakes. */
static int parameter(const struct db_statement *s, int number)
{
	assert(number > 0 && number <= PARAMETERS_MAX && s->index[number]);
	return s->index[number];
}

void db_bind_int(struct db_statement *s, int index, int64_t value)
{
	int rc = sqlite3_bind_int64(s->stmt, parameter(s, index), value);

	assert(rc == SQLITE_OK);
}

void db_bind_span(struct db_statement *s, int index, struct span value)
{
	/* A NULL pointer would bind NULL. */
	const void *octets = value.p ? (const void *)value.p : "";
	int rc = sqlite3_bind_blob64(s->stmt, parameter(s, index), octets, value.n, SQLITE_STATIC);

	assert(rc == SQLITE_OK);
}

void db_bind_null(struct db_statement *s, int index)
{
	int rc = sqlite3_bind_null(s->stmt, parameter(s, index));

	assert(rc == SQLITE_OK);
}

void db_reset(struct db_statement *s)
{
	if (!s)
		return;
	(void)sqlite3_reset(s->stmt);
	/* They point to memory of the caller. */
	(void)sqlite3_clear_bindings(s->stmt);
	s->open = false;
}

int db_step(struct db_statement *s, bool *ret_row)
{
	int r = ready(s->db);
	int rc;

	if (!r) {
		rc = sqlite3_step(s->stmt);
		if (rc == SQLITE_ROW) {
			s->open = true;
			*ret_row = true;
			return 0;
		}
		r = rc == SQLITE_DONE ? 0 : failure_outcome(s->db, rc);
	}
	db_reset(s);
	if (r)
		return failed(s->db, r);
	*ret_row = false;
	return 0;
}

int db_run(struct db_statement *s, int64_t *ret_changed)
{
	bool row;
	int r = db_step(s, &row);

	if (r)
		return r;
	assert(!row);
	if (ret_changed)
		*ret_changed = sqlite3_changes64(s->db->sqlite);
	return 0;
}

int64_t db_int(struct db_statement *s, int column)
{
	return sqlite3_column_int64(s->stmt, column);
}

struct span db_blob(struct db_statement *s, int column)
{
	const void *octets = sqlite3_column_blob(s->stmt, column);

	return span_of(octets, (size_t)sqlite3_column_bytes(s->stmt, column));
}

bool db_is_null(struct db_statement *s, int column)
{
	return sqlite3_column_type(s->stmt, column) == SQLITE_NULL;
}

int db_script(struct db *db, const char *sql)
{
	int r = ready(db);
	int rc;

	if (r)
		return r;
	rc = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);
	return rc ? failed(db, failure_outcome(db, rc)) : 0;
}

static int control(struct db *db, const char *sql)
{
	struct db_statement *s;
	int r = db_prepare(&s, db, sql);

	return r ? r : db_run(s, NULL);
}

int db_begin(struct db *db)
{
	int r;

	assert(!db->in_transaction);
	/* The writer takes its lock now: a transaction that starts by reading may be unable to. */
	r = control(db, db->mode == DB_WRITER ? "begin immediate" : "begin");
	if (!r)
		db->in_transaction = true;
	return r;
}

int db_commit(struct db *db)
{
	int r;

	assert(db->in_transaction);
	r = control(db, "commit");
	if (!r)
		db->in_transaction = false;
	return r;
}

void db_rollback(struct db *db)
{
	if (!sqlite3_get_autocommit(db->sqlite))
		(void)sqlite3_exec(db->sqlite, "rollback", NULL, NULL, NULL);
	db->in_transaction = false;
	db->lost = 0;
}

int db_savepoint(struct db *db)
{
	assert(db->in_transaction);
	return control(db, "savepoint task");
}

int db_savepoint_release(struct db *db)
{
	return control(db, "release task");
}

void db_savepoint_rollback(struct db *db)
{
	int rc;

	if (db->lost)
		return;
	rc = sqlite3_exec(db->sqlite, "rollback to task; release task", NULL, NULL, NULL);
	if (rc)
		db->lost = failure_outcome(db, rc);
}

int db_void(const struct db *db)
{
	return db->lost;
}

static void checkpoint(struct db *db)
{
	/* A failure loses nothing: the log stays, and the next commit tries again. */
	(void)sqlite3_wal_checkpoint_v2(db->sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE,
		&db->log_frames, &db->log_moved);
}

/* After each commit, in place of wal_autocheckpoint, which keeps the size of the log to itself. */
static int committed(void *context, sqlite3 *sqlite, const char *name, int n_frames)
{
	struct db *db = context;

	(void)sqlite;
	(void)name;
	if (n_frames < db->log_frames)
		db->log_moved = 0;
	db->log_frames = n_frames;
	if (n_frames >= CHECKPOINT_FRAMES)
		checkpoint(db);
	return SQLITE_OK;
}

static int free_pages(struct db *db, int64_t *ret_n)
{
	CLEANUP(db_resetp) struct db_statement *s = NULL;
	bool row;

	TRY(db_prepare(&s, db, "pragma freelist_count"));
	TRY(db_step(s, &row));
	*ret_n = row ? db_int(s, 0) : 0;
	return 0;
}

void db_erase(struct db *db)
{
	assert(db->mode == DB_WRITER);
	db->has_erased = true;
}

void db_forget(struct db *db)
{
	(void)sqlite3_db_release_memory(db->sqlite);
}

/* The whole log into the database, and its file cut to nothing. Not while a reader uses it: then
 * there is another try. */
static bool empty_log(struct db *db)
{
	int rc;

	(void)sqlite3_busy_timeout(db->sqlite, EMPTY_LOG_MS);
	rc = sqlite3_wal_checkpoint_v2(db->sqlite, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	(void)sqlite3_busy_timeout(db->sqlite, BUSY_MS);
	if (rc != SQLITE_OK)
		return false;
	db->log_frames = 0;
	db->log_moved = 0;
	db->has_erased = false;
	return true;
}

int db_tidy(struct db *db)
{
	int64_t n_free;

	assert(!db->in_transaction);
	if (db->has_erased && !empty_log(db))
		return DB_TIDY_MORE;
	if (db->log_frames - db->log_moved >= TIDY_FRAMES)
		checkpoint(db);
	TRY(free_pages(db, &n_free));
	if (n_free <= KEPT_PAGES + TIDY_PAGES)
		return 0;
	_Static_assert(TIDY_PAGES == 100, "the statement's number");
	TRY(db_script(db, "pragma incremental_vacuum(100)"));
	return DB_TIDY_MORE;
}

uint64_t db_file_octets(const struct db *db)
{
	CLEANUP(alloc_freep) char *log = alloc_format("%s-wal", db->path);
	struct stat st;
	uint64_t n = 0;

	if (stat(db->path, &st) == 0)
		n += (uint64_t)st.st_size;
	if (stat(log, &st) == 0)
		n += (uint64_t)st.st_size;
	return n;
}

static void why_not_opened(const char *path, int error, struct why *why)
{
	CLEANUP(alloc_freep) char *copy = alloc_string(path);
	const char *folder = dirname(copy);

	if (error == ENOENT)
		why_set(why, "the folder %s does not exist: make it, or name another one", folder);
	else if (error == EACCES || error == EPERM)
		why_set(why,
			"%s cannot be opened for writing by user %u: give it and its folder to "
			"that user",
			path, (unsigned)geteuid());
	else if (error == EROFS)
		why_set(why, "%s lies on a read-only file system: name another folder", path);
	else
		why_set(why, "%s cannot be opened: %s", path, strerrordesc_np(error));
}

/* SQLite would make the file readable for everybody, and says little about why it cannot. */
static int create(const char *path, struct why *why)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0) {
		int error = errno;

		why_not_opened(path, error, why);
		return err_fault(error, "open the database");
	}
	(void)close(fd);
	return 0;
}

static int lock_alone(struct db *db, struct why *why)
{
	CLEANUP(alloc_freep) char *name = alloc_format("%s-lock", db->path);
	int error;

	db->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (db->lock < 0) {
		error = errno;
		why_not_opened(name, error, why);
		return err_fault(error, "open the lock");
	}
	if (flock(db->lock, LOCK_EX | LOCK_NB)) {
		error = errno;
		why_set(why, "%s is in use by another server: stop that one first", db->path);
		return err_fault(error, "lock the database");
	}
	return 0;
}

/* SQLite answers with the mode it is in when it cannot change it, on a network file system say. */
static int check_log(struct db *db, struct why *why)
{
	CLEANUP(db_resetp) struct db_statement *s = NULL;
	bool row;

	TRY(db_prepare(&s, db, "pragma journal_mode"));
	TRY(db_step(s, &row));
	if (row && span_is(db_blob(s, 0), "wal"))
		return 0;
	why_set(why, "%s lies on a file system without shared memory: use a local disk", db->path);
	return err_fault(ENOTSUP, "write-ahead log");
}

static int configure(struct db *db, struct why *why)
{
	/* auto_vacuum counts only before the first page is written, and page_size before WAL. */
	static const char writer[] = "pragma page_size = 4096;"
				     "pragma auto_vacuum = incremental;"
				     "pragma journal_mode = wal;"
				     "pragma synchronous = full;"
				     "pragma journal_size_limit = 67108864;"
				     "pragma cache_size = -65536;"
				     "pragma temp_store = memory;"
				     "pragma secure_delete = on;"
				     "pragma foreign_keys = on;";
	static const char reader[] = "pragma query_only = on;"
				     "pragma cache_size = -8192;"
				     "pragma temp_store = memory;";
	int rc;

	(void)sqlite3_busy_timeout(db->sqlite, BUSY_MS);
	rc = sqlite3_exec(db->sqlite, db->mode == DB_WRITER ? writer : reader, NULL, NULL, NULL);
	if (rc) {
		why_set(why, "%s cannot be used as a database: %s", db->path,
			sqlite3_errmsg(db->sqlite));
		return err_fault(failure_errno(rc), sqlite3_errmsg(db->sqlite));
	}
	if (db->mode == DB_WRITER)
		(void)sqlite3_wal_hook(db->sqlite, committed, db);
	return check_log(db, why);
}

static int path_of(const char *url, const char **ret_path, struct why *why)
{
	static const char scheme[] = "sqlite:";

	if (strncmp(url, scheme, sizeof scheme - 1) == 0) {
		*ret_path = url + sizeof scheme - 1;
		return 0;
	}
	if (strstr(url, "://")) {
		why_set(why, "this program has no driver for %.100s: use sqlite:PATH", url);
		return err_fault(EPROTONOSUPPORT, "database URL");
	}
	*ret_path = url;
	return 0;
}

int db_open(struct db **ret_db, const char *url, enum db_mode mode, struct why *why)
{
	static pthread_once_t done = PTHREAD_ONCE_INIT;
	CLEANUP(db_closep) struct db *db = NULL;
	const char *path;
	int rc;

	(void)pthread_once(&done, once);
	TRY(path_of(url, &path, why));
	db = ALLOC(struct db);
	db->mode = mode;
	db->lock = -1;
	db->path = alloc_string(path);
	if (mode == DB_WRITER) {
		TRY(create(path, why));
		TRY(lock_alone(db, why));
	}
	rc = sqlite3_open_v2(path, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc) {
		why_set(why, "%s cannot be opened: %s", path, sqlite3_errmsg(db->sqlite));
		return err_fault(failure_errno(rc), sqlite3_errmsg(db->sqlite));
	}
	TRY(configure(db, why));
	*ret_db = TAKE(db);
	return 0;
}

bool db_is_alone(const struct db *db)
{
	return db->lock >= 0;
}

struct db *db_close(struct db *db)
{
	if (!db)
		return NULL;
	for (size_t i = 0; i < SLOTS; i++) {
		while (db->slots[i]) {
			struct db_statement *s = db->slots[i];

			db->slots[i] = s->next;
			(void)sqlite3_finalize(s->stmt);
			free(s);
		}
	}
	(void)sqlite3_close(db->sqlite);
	/* Last: the checkpoint of closing belongs to the time in which nobody else may write. */
	if (db->lock >= 0)
		(void)close(db->lock);
	free(db->path);
	free(db);
	return NULL;
}
