/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The list of a mailbox's messages as of one moment: immutable, shared by all sessions that show
 * that moment. A session holds the view it has told its client about; when something changed it
 * takes the current one and announces the difference. The current view of a mailbox is kept while
 * somebody uses it and brought up to date from what changed, not read anew.
 */

#include "base/err.h"
#include "base/list.h"

#include <stddef.h>
#include <stdint.h>

struct store;
struct store_conn;

struct view {
	unsigned refs; /* private, atomic */
	struct view_rows *rows; /* private */
	int64_t mailbox;
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t modseq; /* all changes up to this one are in */
	uint32_t n;
	const uint32_t *uids; /* ascending; sequence number i + 1 */
	const uint64_t *flags;
	const uint64_t *modseqs;
};

/* Reads. The mailbox as of now. STORE_E_NOT_FOUND when it was deleted. */
int store_view(struct store_conn *c, int64_t mailbox, struct view **ret_view) MUST_CHECK;

/* Without the database: the current view if it is known to be up to date, with a reference, else
 * NULL. Any thread. */
struct view *store_view_cached(struct store *s, int64_t mailbox);

struct view *view_ref(struct view *v);
struct view *view_unref(struct view *v);
CLEANUP_POINTER(struct view, view_unref)

/* The current view with what was expunged since `known` still in it, for who may not speak of
 * expunges yet. Its modseq is that of `known`. A new reference, to `known` itself if nothing else
 * changed. */
struct view *view_with_gone(struct view *known, const struct view *current);

/* Position of the first UID >= uid: 0..n. */
uint32_t view_find(const struct view *v, uint32_t uid);

/* Watching. notify is called after each commit that changed the mailbox (its messages, or that it
 * was deleted or renamed), on the writer's thread: it must only pass the word on. After
 * store_unwatch returns it is not called any more. */
struct store_watch {
	struct list link;
	int64_t mailbox;
	void (*notify)(struct store_watch *w);
};
void store_watch(struct store *s, struct store_watch *w);
void store_unwatch(struct store *s, struct store_watch *w);
