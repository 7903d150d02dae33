/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Opening and closing, connections, and the two executors: a pool of readers and the writer. What
 * a transaction must remember until it is committed (mailboxes whose watchers are to be told,
 * contents that nothing refers to yet) is kept on the writer's connection.
 */

#include "store/store.h"

#include "base/alloc.h"
#include "store/conn.h"
#include "store/content_rows.h"
#include "store/settings_box.h"
#include "store/view_cache.h"
#include "store/writer.h"

#include <assert.h>
#include <stdlib.h>

/* Tasks that wait for a reader; one more is refused, so a flood cannot fill memory. Each session
 * has at most one. */
enum { READERS_QUEUE = 100000 };

int conn_open(struct store_conn **ret_conn, struct store *s, enum db_mode mode, struct why *why)
{
	CLEANUP(conn_closep) struct store_conn *c = ALLOC(struct store_conn);

	c->store = s;
	c->writer = mode == DB_WRITER;
	TRY(db_open(&c->db, s->url, mode, why));
	*ret_conn = TAKE(c);
	return 0;
}

struct store_conn *conn_close(struct store_conn *c)
{
	if (!c)
		return NULL;
	db_close(c->db);
	content_unpack_end(c);
	buf_done(&c->unpacked);
	buf_done(&c->changed);
	free(c);
	return NULL;
}

void conn_changed(struct store_conn *c, int64_t mailbox)
{
	assert(c->writer);
	buf_add(&c->changed, span_of(&mailbox, sizeof mailbox));
}

void conn_routes_changed(struct store_conn *c)
{
	assert(c->writer);
	c->routes_changed = true;
}

struct conn_mark conn_task_begin(struct store_conn *c)
{
	c->loose_content = 0;
	return (struct conn_mark){ .n_changed = buf_size(&c->changed) };
}

int conn_task_end(struct store_conn *c)
{
	return content_settle(c);
}

void conn_task_undo(struct store_conn *c, struct conn_mark mark)
{
	buf_cut(&c->changed, mark.n_changed);
}

/* What a reader still keeps of bodies: pages, the body that was shown last, what unpacking left. */
static void reader_forget(void *worker)
{
	struct store_conn *c = worker;

	db_forget(c->db);
	buf_done(&c->unpacked);
	content_unpack_end(c);
}

void conn_committed(struct store_conn *c)
{
	const int64_t *mailboxes = (const int64_t *)(const void *)buf_span(&c->changed).p;
	size_t n = buf_size(&c->changed) / sizeof *mailboxes;

	view_cache_changed(c->store->views, mailboxes, n);
	watches_notify(c->store->watches, mailboxes, n);
	buf_clear(&c->changed);
	if (c->routes_changed)
		(void)atomic_fetch_add(&c->store->routes_version, 1);
	c->routes_changed = false;
	if (c->has_erased)
		pool_refresh(c->store->readers, reader_forget);
	c->has_erased = false;
}

void conn_rolled_back(struct store_conn *c)
{
	c->has_erased = false;
	buf_clear(&c->changed);
	c->routes_changed = false;
}

uint64_t store_routes_version(struct store *s)
{
	return atomic_load(&s->routes_version);
}

static int reader_new(void **ret_worker, void *context)
{
	struct store_conn *c;

	TRY(conn_open(&c, context, DB_READER, NULL));
	*ret_worker = c;
	return 0;
}

static void reader_free(void *worker)
{
	conn_close(worker);
}

/* Who held a lease before we started is gone, unless other servers use the database too. */
static int forget_leases(struct db *db)
{
	return db_is_alone(db) ? db_script(db, "delete from lease") : 0;
}

static int start(struct store *s, unsigned n_readers, struct why *why)
{
	TRY(conn_open(&s->conn, s, DB_WRITER, why));
	TRY(migrate(s->conn->db, why));
	TRY(forget_leases(s->conn->db));
	TRY(settings_load(s->conn));
	TRY(pool_new(&s->readers, "store-reader", n_readers, READERS_QUEUE, reader_new, reader_free,
		s));
	TRY(writer_new(&s->writer, s->conn));
	return 0;
}

int store_open(struct store **ret_store, const char *url, unsigned n_readers, struct why *why)
{
	struct store *s = ALLOC(struct store);
	int r;

	why_set(why, "the database %s could not be opened; the log says more", url);
	s->url = alloc_string(url);
	s->views = view_cache_new();
	s->watches = watches_new();
	s->settings = settings_box_new();
	r = start(s, n_readers, why);
	if (r) {
		store_close(s);
		return r;
	}
	*ret_store = s;
	return 0;
}

struct store *store_close(struct store *s)
{
	if (!s)
		return NULL;
	/* The writer last: who closes the database last takes its log in. */
	pool_free(s->readers);
	writer_free(s->writer);
	conn_close(s->conn);
	settings_box_free(s->settings);
	watches_free(s->watches);
	view_cache_free(s->views);
	free(s->url);
	free(s);
	return NULL;
}

struct executor *store_readers(struct store *s)
{
	return pool_executor(s->readers);
}

struct executor *store_writer(struct store *s)
{
	return writer_executor(s->writer);
}

struct store *store_of(struct store_conn *c)
{
	return c->store;
}

struct call {
	struct task task;
	int (*f)(struct store_conn *c, void *arg);
	void *arg;
};

static int call_run(struct task *t, void *worker)
{
	struct call *call = CONTAINER_OF(t, struct call, task);

	return call->f(worker, call->arg);
}

int store_read(struct store *s, int (*f)(struct store_conn *c, void *arg), void *arg)
{
	struct call call = { .task.run = call_run, .f = f, .arg = arg };

	return task_call(store_readers(s), &call.task);
}

int store_moment(struct store_conn *c, int (*f)(struct store_conn *c, void *arg), void *arg)
{
	int r;

	assert(!c->writer);
	TRY(db_begin(c->db));
	r = f(c, arg);
	db_rollback(c->db);
	return r;
}

int store_write(struct store *s, int (*f)(struct store_conn *c, void *arg), void *arg)
{
	struct call call = { .task.run = call_run, .f = f, .arg = arg };

	return task_call(store_writer(s), &call.task);
}

int store_value_get(struct store_conn *c, const char *name, uint8_t **ret_value, size_t *ret_n)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	struct buf copy = {};
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select value from value where name = $1",
		DB_ARGS(DB_SPAN(span_str(name)))));
	if (!row)
		return STORE_E_NOT_FOUND;
	buf_add(&copy, db_blob(q, 0));
	*ret_value = buf_steal(&copy, ret_n);
	return 0;
}

int store_value_set(struct store_conn *c, const char *name, struct span value)
{
	assert(c->writer);
	TRY(db_exec(c->db, NULL,
		"insert into value (name, value) values ($1, $2)"
		" on conflict (name) do update set value = excluded.value",
		DB_ARGS(DB_SPAN(span_str(name)), DB_SPAN(value))));
	return 0;
}

void store_figures(struct store *s, struct store_figures *ret_figures)
{
	struct writer_figures w;

	writer_figures(s->writer, &w);
	*ret_figures = (struct store_figures){
		.commits = w.commits,
		.tasks = w.tasks,
		.queued = w.queued,
		.commit_us = w.commit_us,
		.file_octets = db_file_octets(s->conn->db),
	};
}
