/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Which messages are gone, for clients that were away. The client's set, the records of expunges
 * and the view are walked side by side, so the cost is their length whatever numbers they hold.
 */

#include "svc/imap/vanished.h"

#include "store/view.h"

struct vanished {
	struct buf *out;
	const struct view *view;
	struct span expunged;
	uint64_t first, end; /* a range that is not printed yet; empty: first == end */
	bool begun;
};

static void vanished_print(struct vanished *v)
{
	if (v->first == v->end)
		return;
	buf_add_string(v->out, v->begun ? "," : "* VANISHED (EARLIER) ");
	v->begun = true;
	buf_add_u64(v->out, v->first);
	if (v->end - v->first > 1) {
		buf_add_octet(v->out, ':');
		buf_add_u64(v->out, v->end - 1);
	}
}

/* UIDs [first, end), above those before. */
static void vanished_range(struct vanished *v, uint64_t first, uint64_t end)
{
	if (first >= end)
		return;
	if (first != v->end || v->first == v->end) {
		vanished_print(v);
		v->first = first;
	}
	v->end = end;
}

static bool view_has(const struct view *view, uint32_t uid)
{
	uint32_t at = view_find(view, uid);

	return at < view->n && view->uids[at] == uid;
}

/* Recorded UIDs in [first, end). */
static void vanished_recorded(struct vanished *v, uint64_t first, uint64_t end)
{
	while (v->expunged.n >= sizeof(uint32_t)) {
		uint32_t uid;

		memcpy(&uid, v->expunged.p, sizeof uid);
		if (uid >= end)
			return;
		if (uid >= first && !view_has(v->view, uid))
			vanished_range(v, uid, (uint64_t)uid + 1);
		v->expunged = span_skip(v->expunged, sizeof uid);
	}
}

/* What lies between the view's UIDs in [first, end). */
static void vanished_gaps(struct vanished *v, uint64_t first, uint64_t end)
{
	uint32_t at = view_find(v->view, (uint32_t)first);

	for (; at < v->view->n && v->view->uids[at] < end; at++) {
		vanished_range(v, first, v->view->uids[at]);
		first = (uint64_t)v->view->uids[at] + 1;
	}
	vanished_range(v, first, end);
}

void vanished_add(struct buf *out, struct arena *a, const struct imap_set *set,
	const struct view *view, struct span expunged, bool complete)
{
	struct imap_range everything = { 1, SET_STAR };
	const struct imap_set all = { .n = 1, .ranges = &everything };
	struct vanished v = { .out = out, .view = view, .expunged = expunged };
	struct imap_positions uids;

	set_order(a, set ? set : &all, view->uidnext - 1, &uids);
	for (size_t i = 0; i < uids.n; i++) {
		if (complete)
			vanished_recorded(&v, uids.stretches[i].first, uids.stretches[i].end);
		else
			vanished_gaps(&v, uids.stretches[i].first, uids.stretches[i].end);
	}
	vanished_print(&v);
	if (v.begun)
		buf_add(out, SPAN("\r\n"));
}
