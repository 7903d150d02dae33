/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Inside store/: the columns of views. */

#include "store/view.h"

/*
 * Columns that several views may share. A view sees the first view.n rows, which never change. Rows
 * behind them belong to newer views of the same mailbox: mail arriving is the commonest change by
 * far, and so it costs what arrived and not a copy of what is there.
 */
struct view_rows {
	unsigned refs; /* atomic */
	uint32_t used; /* atomic */
	uint32_t capacity;
	uint64_t *flags;
	uint64_t *modseqs;
	uint32_t *uids;
};

struct view_row {
	uint32_t uid;
	uint64_t flags;
	uint64_t modseq;
};

/* No rows yet, and room for n and a few to come. */
struct view_rows *view_rows_new(uint32_t n);
struct view_rows *view_rows_unref(struct view_rows *rows);

/* Puts a row behind the first n, making room. While nobody else has the rows. */
void view_rows_put(struct view_rows *rows, struct view_row row);

/* A new view of all rows, whose reference it takes over; refs 1, other fields are the caller's. */
struct view *view_new(struct view_rows *rows);

/* The base with some rows changed, added or removed; all ascending. Its rows are shared where it
 * can be. */
struct view *view_merge(struct view *base, const struct view_row *changed, size_t n_changed,
	const uint32_t *expunged, size_t n_expunged);
