/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Making views from rows and from other views: memory only, no database. */

#include "store/view_rows.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdlib.h>

static void resize(struct view_rows *rows, uint32_t capacity)
{
	rows->flags = alloc_array(rows->flags, capacity, sizeof *rows->flags);
	rows->modseqs = alloc_array(rows->modseqs, capacity, sizeof *rows->modseqs);
	rows->uids = alloc_array(rows->uids, capacity, sizeof *rows->uids);
	rows->capacity = capacity;
}

static uint32_t with_room(uint32_t n)
{
	return n + n / 8 + 16;
}

struct view_rows *view_rows_new(uint32_t n)
{
	struct view_rows *rows = ALLOC(struct view_rows);

	rows->refs = 1;
	resize(rows, with_room(n));
	return rows;
}

struct view_rows *view_rows_unref(struct view_rows *rows)
{
	if (!rows || __atomic_sub_fetch(&rows->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return NULL;
	free(rows->flags);
	free(rows->modseqs);
	free(rows->uids);
	free(rows);
	return NULL;
}

static void set(struct view_rows *rows, uint32_t i, struct view_row row)
{
	rows->uids[i] = row.uid;
	rows->flags[i] = row.flags;
	rows->modseqs[i] = row.modseq;
}

void view_rows_put(struct view_rows *rows, struct view_row row)
{
	if (rows->used == rows->capacity)
		resize(rows, with_room(rows->used));
	set(rows, rows->used++, row);
}

/* A view of the first n rows, whose reference it takes over. */
static struct view *view_of(struct view_rows *rows, uint32_t n)
{
	struct view *v = ALLOC(struct view);

	v->refs = 1;
	v->rows = rows;
	v->n = n;
	v->uids = rows->uids;
	v->flags = rows->flags;
	v->modseqs = rows->modseqs;
	return v;
}

struct view *view_new(struct view_rows *rows)
{
	return view_of(rows, rows->used);
}

struct view *view_ref(struct view *v)
{
	(void)__atomic_add_fetch(&v->refs, 1, __ATOMIC_RELAXED);
	return v;
}

struct view *view_unref(struct view *v)
{
	if (!v || __atomic_sub_fetch(&v->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return NULL;
	view_rows_unref(v->rows);
	free(v);
	return NULL;
}

uint32_t view_find(const struct view *v, uint32_t uid)
{
	uint32_t low = 0;
	uint32_t high = v->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (v->uids[middle] < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Puts the rows behind those of the base, if there is room and nobody did so before. */
static struct view *append(struct view *base, const struct view_row *added, size_t n)
{
	struct view_rows *rows = base->rows;
	uint32_t used = base->n;

	if (n > rows->capacity - used ||
		!__atomic_compare_exchange_n(&rows->used, &used, (uint32_t)(used + n), false,
			__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return NULL;
	for (size_t i = 0; i < n; i++)
		set(rows, (uint32_t)(base->n + i), added[i]);
	(void)__atomic_add_fetch(&rows->refs, 1, __ATOMIC_RELAXED);
	return view_of(rows, (uint32_t)(base->n + n));
}

/* The rows of the base from position i on that lie before the UID, without what was expunged. */
static uint32_t put_base(struct view_rows *rows, const struct view *base, uint32_t i,
	uint64_t until, const uint32_t **expunged, const uint32_t *expunged_end)
{
	for (; i < base->n && base->uids[i] < until; i++) {
		while (*expunged < expunged_end && **expunged < base->uids[i])
			(*expunged)++;
		if (*expunged < expunged_end && **expunged == base->uids[i])
			continue;
		view_rows_put(rows,
			(struct view_row){ base->uids[i], base->flags[i], base->modseqs[i] });
	}
	return i;
}

struct view *view_merge(struct view *base, const struct view_row *changed, size_t n_changed,
	const uint32_t *expunged, size_t n_expunged)
{
	const uint32_t *expunged_end = expunged + n_expunged;
	struct view_rows *rows;
	uint32_t i = 0;

	if (!n_expunged &&
		(!n_changed || !base->n || changed[0].uid > base->uids[base->n - 1])) {
		struct view *v = append(base, changed, n_changed);

		if (v)
			return v;
	}
	rows = view_rows_new((uint32_t)(base->n + n_changed));
	for (size_t k = 0; k < n_changed; k++) {
		i = put_base(rows, base, i, changed[k].uid, &expunged, expunged_end);
		view_rows_put(rows, changed[k]);
		if (i < base->n && base->uids[i] == changed[k].uid)
			i++;
	}
	(void)put_base(rows, base, i, UINT64_MAX, &expunged, expunged_end);
	return view_new(rows);
}

struct view *view_with_gone(struct view *known, const struct view *current)
{
	CLEANUP(buf_done) struct buf changed = {};
	struct view *v;
	uint32_t i = 0;

	for (uint32_t j = 0; j < current->n; j++) {
		struct view_row row = { current->uids[j], current->flags[j], current->modseqs[j] };

		while (i < known->n && known->uids[i] < row.uid)
			i++;
		if (i == known->n || known->uids[i] != row.uid || known->modseqs[i] != row.modseq)
			buf_add(&changed, span_of(&row, sizeof row));
	}
	if (buf_size(&changed) == 0)
		return view_ref(known);
	v = view_merge(known, (const struct view_row *)(const void *)buf_span(&changed).p,
		buf_size(&changed) / sizeof(struct view_row), NULL, 0);
	v->mailbox = current->mailbox;
	v->uidvalidity = current->uidvalidity;
	v->uidnext = current->uidnext;
	v->modseq = known->modseq;
	return v;
}
