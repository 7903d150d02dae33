/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Sequence sets. A client's set becomes stretches of positions in a view, sorted and merged, so
 * that whatever it wrote (ten thousand overlapping ranges) costs its own length and not the
 * mailbox's, and each message is dealt with once, in ascending order.
 */

#include "svc/imap/set.h"

#include "store/view.h"

#include <stdlib.h>

static int stretch_compare(const void *a, const void *b)
{
	uint32_t x = ((const struct imap_stretch *)a)->first;
	uint32_t y = ((const struct imap_stretch *)b)->first;

	return (x > y) - (x < y);
}

/* Sorts, merges what touches, drops what is empty, counts. */
static void positions_settle(struct imap_positions *p)
{
	size_t n = 0;

	qsort(p->stretches, p->n, sizeof *p->stretches, stretch_compare);
	p->total = 0;
	for (size_t i = 0; i < p->n; i++) {
		struct imap_stretch s = p->stretches[i];

		if (s.first >= s.end)
			continue;
		if (n > 0 && s.first <= p->stretches[n - 1].end) {
			struct imap_stretch *last = &p->stretches[n - 1];

			if (s.end > last->end)
				last->end = s.end;
		} else {
			p->stretches[n++] = s;
		}
	}
	p->n = n;
	for (size_t i = 0; i < n; i++)
		p->total += p->stretches[i].end - p->stretches[i].first;
}

static struct imap_range range_order(struct imap_range r, uint32_t largest)
{
	if (r.first == SET_STAR)
		r.first = largest;
	if (r.last == SET_STAR)
		r.last = largest;
	if (r.first > r.last)
		return (struct imap_range){ r.last, r.first };
	return r;
}

static void resolve_saved(struct arena *a, const struct view *view, struct span saved,
	struct imap_positions *ret)
{
	size_t n = saved.n / sizeof(uint32_t);

	ret->stretches = arena_alloc(a, (n + 1) * sizeof *ret->stretches);
	ret->n = 0;
	for (size_t i = 0; i < n; i++) {
		uint32_t uid, at;

		memcpy(&uid, saved.p + i * sizeof uid, sizeof uid);
		at = view_find(view, uid);
		if (at < view->n && view->uids[at] == uid)
			ret->stretches[ret->n++] = (struct imap_stretch){ at, at + 1 };
	}
}

static struct imap_stretch resolve_uids(const struct view *view, struct imap_range r)
{
	uint32_t largest = view->n ? view->uids[view->n - 1] : 0;

	r = range_order(r, largest);
	return (struct imap_stretch){
		view_find(view, r.first),
		r.last == UINT32_MAX ? view->n : view_find(view, r.last + 1),
	};
}

bool set_resolve(struct arena *a, const struct imap_set *set, const struct view *view, bool by_uid,
	struct span saved, struct imap_positions *ret_positions)
{
	struct imap_positions positions = { .n = set->n };

	if (set->saved) {
		resolve_saved(a, view, saved, &positions);
	} else {
		positions.stretches = arena_alloc(a, (set->n + 1) * sizeof *positions.stretches);
		for (size_t i = 0; i < set->n; i++) {
			struct imap_range r = set->ranges[i];

			if (by_uid) {
				positions.stretches[i] = resolve_uids(view, r);
				continue;
			}
			r = range_order(r, view->n);
			if (r.first == 0 || r.last > view->n)
				return false;
			positions.stretches[i] = (struct imap_stretch){ r.first - 1, r.last };
		}
	}
	positions_settle(&positions);
	*ret_positions = positions;
	return true;
}

void set_order(struct arena *a, const struct imap_set *set, uint32_t largest,
	struct imap_positions *ret_numbers)
{
	struct imap_positions numbers = { .n = set->n };

	numbers.stretches = arena_alloc(a, (set->n + 1) * sizeof *numbers.stretches);
	for (size_t i = 0; i < set->n; i++) {
		struct imap_range r = range_order(set->ranges[i], largest);

		if (r.first == 0)
			r.first = 1;
		if (r.last > largest)
			r.last = largest;
		numbers.stretches[i] = (struct imap_stretch){ r.first, r.last + 1 };
	}
	positions_settle(&numbers);
	*ret_numbers = numbers;
}

bool set_holds(const struct imap_set *set, uint32_t number, uint32_t largest)
{
	for (size_t i = 0; i < set->n; i++) {
		struct imap_range r = range_order(set->ranges[i], largest);

		if (r.first <= number && number <= r.last)
			return true;
	}
	return false;
}

void set_add_numbers(struct buf *out, const uint32_t *numbers, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t end = i + 1;

		while (end < n && numbers[end] == numbers[end - 1] + 1)
			end++;
		if (i > 0)
			buf_add_octet(out, ',');
		buf_add_u64(out, numbers[i]);
		if (end - i > 1) {
			buf_add_octet(out, ':');
			buf_add_u64(out, numbers[end - 1]);
		}
		i = end;
	}
}
