/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Inside store/: what a connection carries, and what the parts tell each other. */

#include "base/buf.h"
#include "db/db.h"
#include "store/store.h"

#include <stdatomic.h>

struct ZSTD_DCtx_s;
struct settings;
struct watches;
struct view_cache;

struct store {
	char *url;
	struct store_conn *conn; /* the writer's */
	struct writer *writer;
	struct pool *readers;
	struct view_cache *views;
	struct watches *watches;
	struct settings_box *settings;
	atomic_ullong routes_version;
};

struct store_conn {
	struct store *store;
	struct db *db;
	bool writer;
	struct ZSTD_DCtx_s *unpack; /* made when first needed */
	struct buf unpacked;        /* the body store_messages shows */

	/* Of the writer, for the running transaction. */
	struct buf changed;    /* int64_t: mailboxes to tell about after the commit */
	bool has_erased;       /* readers shall forget what they keep of it */
	int64_t loose_content; /* made by the running task, not referred to yet; 0: none */
	bool routes_changed;
};

int conn_open(struct store_conn **ret_conn, struct store *s, enum db_mode mode, struct why *why)
	MUST_CHECK;
struct store_conn *conn_close(struct store_conn *c);
CLEANUP_POINTER(struct store_conn, conn_close)

/* The running task changed this mailbox: its watchers hear of it after the commit. */
void conn_changed(struct store_conn *c, int64_t mailbox);

/* The running task changed where addresses lead, or what accounts may hold. */
void conn_routes_changed(struct store_conn *c);

/* A task begins, and how it ended: with 0 what it left open is settled, otherwise forgotten. */
struct conn_mark {
	size_t n_changed;
};
struct conn_mark conn_task_begin(struct store_conn *c);
int conn_task_end(struct store_conn *c) MUST_CHECK;
void conn_task_undo(struct store_conn *c, struct conn_mark mark);

/* After a commit: tells views and watchers. After a rollback: forgets. */
void conn_committed(struct store_conn *c);
void conn_rolled_back(struct store_conn *c);

/* migrate.c: brings the schema up to date. */
int migrate(struct db *db, struct why *why) MUST_CHECK;
