/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The store: accounts, mailboxes, messages and everything else that lasts, in one database. What
 * runs on it runs as a task (base/task.h) on one of two executors:
 *
 *   readers  a few connections; every function below that says "reads" may be called there
 *   writer   one thread; takes what is queued (at most 32 tasks), runs each in a savepoint of one
 *            transaction, commits once, and only then posts them all home. A task that returns
 *            non-zero is rolled back alone. If the commit fails all its tasks return that fault
 *            (-ENOSPC for a full disk). So: done() means committed and synced.
 *
 * A task's `worker` argument is its struct store_conn. Functions that write may be called on the
 * writer only (asserted). A task's run must leave no trace in memory: the commit may still fail,
 * and after a serialization failure run is called again, so it clears its results first. Functions
 * that append to a buffer append again then.
 *
 * What a task changes the others wait for: a change of more than some thousand messages is better
 * several tasks.
 */

#include "base/span.h"
#include "base/task.h"

struct store;
struct store_conn;

enum store_outcome {
	STORE_E_NOT_FOUND = 1,
	STORE_E_EXISTS,
	STORE_E_QUOTA,   /* the account's quota would be exceeded */
	STORE_E_LIMIT,   /* a fixed limit: keywords of an account, mailboxes, levels */
	STORE_E_IN_USE,  /* a lease is held by somebody else; a domain still has accounts */
	STORE_E_STALE,   /* changed since the modification number given */
	STORE_E_REFUSED, /* not allowed for this object (removing INBOX); why says more */
	STORE_E_RIGHTS,  /* the account lacks a right to a mailbox that it may know of */
};

/* Opens or creates the database and brings its schema up to date. n_readers connections. */
int store_open(struct store **ret_store, const char *url, unsigned n_readers,
	struct why *why) MUST_CHECK;

/* Waits for what is queued. */
struct store *store_close(struct store *s);

struct executor *store_readers(struct store *s);
struct executor *store_writer(struct store *s);

/* Runs f at once on the calling thread's behalf and waits: start-up, HTTP workers, tests. */
int store_read(struct store *s, int (*f)(struct store_conn *c, void *arg), void *arg) MUST_CHECK;

/* On a reader, for many reads: they see one moment, and cost less than each by itself (a moment
 * takes and gives locks of the database's file). Not within each other, nor around store_view;
 * the result is f's. */
int store_moment(struct store_conn *c, int (*f)(struct store_conn *c, void *arg),
	void *arg) MUST_CHECK;
int store_write(struct store *s, int (*f)(struct store_conn *c, void *arg), void *arg) MUST_CHECK;

/* The store a connection belongs to. */
struct store *store_of(struct store_conn *c);

/* Small named values of the server: KEK check value, the ids of the main domain, ... Reads/writes.
 * STORE_E_NOT_FOUND. The value is heap memory with a NUL behind it. */
int store_value_get(struct store_conn *c, const char *name, uint8_t **ret_value,
	size_t *ret_n) MUST_CHECK;
int store_value_set(struct store_conn *c, const char *name, struct span value) MUST_CHECK;

/* Another number whenever it may be that an address leads elsewhere than before, or that an account
 * may hold less: whoever remembers such things keeps it beside them. From any thread. */
uint64_t store_routes_version(struct store *s);

/* Figures for the metrics. */
struct store_figures {
	uint64_t commits;
	uint64_t tasks;
	uint64_t queued;      /* now */
	uint64_t commit_us;   /* sum */
	uint64_t file_octets; /* database and log */
};
void store_figures(struct store *s, struct store_figures *ret_figures);
