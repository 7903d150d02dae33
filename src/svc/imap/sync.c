/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What the client knows of the selected mailbox is one view (store/view.h). When the mailbox has
 * changed, at the end of a command or during IDLE, the current view is taken and the difference
 * told: EXPUNGE or VANISHED, EXISTS, RECENT, FETCH; then that view is what the client knows. A
 * STORE's own answer comes out of the same walk. Nothing is done, and no thread changed, while no
 * commit has touched the mailbox.
 *
 * Where expunges may not be told (RFC 9051 section 7.5.1) and there are some, the client is brought
 * to a view of its own that still has what is gone; the next command goes on from there.
 *
 * A mailbox that was deleted by somebody ends the sessions that have it selected, the third of the
 * ways of RFC 2180 section 3.
 */

#include "store/rights.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/imap/core.h"

enum { PHASE_GONE, PHASE_COUNTS, PHASE_FLAGS, PHASE_END };

static uint64_t known_bits(const struct keywords *k)
{
	unsigned n = k ? k->n : 0;

	return (UINT64_C(1) << (FLAG_KEYWORD_SHIFT + n)) - 1;
}

/* Whether a view has flags that the keywords have no names for. */
static bool has_new_keywords(const struct view *v, const struct keywords *k)
{
	uint64_t all = 0;

	for (uint32_t i = 0; i < v->n; i++)
		all |= v->flags[i];
	return (all & ~known_bits(k)) != 0;
}

void sync_tell_keywords(struct imap *s)
{
	struct imap_selected *selected = s->selected;
	struct buf *out = session_out(&s->session);
	uint64_t all = known_bits(selected->keywords);
	uint64_t may = rights_flags(selected->rights); /* RFC 4314 section 5.1.1 */

	buf_add_string(out, "* FLAGS ");
	print_flags(out, all, selected->keywords, false);
	buf_add_string(out, "\r\n* OK [PERMANENTFLAGS ");
	if (selected->read_only || !(all & may)) {
		buf_add_string(out, "()] No flag can be changed\r\n");
	} else {
		print_flags(out, all & may, selected->keywords, false);
		buf_cut(out, buf_size(out) - 1);
		buf_add_string(out, selected->rights & ACL_WRITE ? " \\*)" : ")");
		buf_add_string(out, "] Flags that are kept\r\n");
	}
	selected->keywords_told = selected->keywords->n;
}

uint32_t sync_count_recent(const struct imap_selected *selected, const struct view *view)
{
	return selected->recent_from ? view->n - view_find(view, selected->recent_from) : 0;
}

static bool is_expunged(const struct view *old, uint32_t i, const struct view *new, uint32_t j)
{
	return j == new->n || new->uids[j] != old->uids[i];
}

/* Both are ascending, and what is in the new view and not in the old one is behind it. */
static bool has_expunges(const struct view *old, const struct view *new)
{
	if (old->n > new->n)
		return true;
	return old->uids != new->uids && old->n > 0 &&
	       memcmp(old->uids, new->uids, old->n * sizeof *old->uids) != 0;
}

static bool is_full(struct imap *s, const struct imap_sync *y)
{
	return buf_size(session_out(&s->session)) >= y->full;
}

/* RFC 7162 section 3.2.10: UIDs instead of one line for each message. */
static void tell_vanished(struct imap *s, struct imap_sync *y)
{
	enum { NUMBERS = 512 };
	const struct view *old = s->selected->view;
	struct buf *out = session_out(&s->session);
	uint32_t uids[NUMBERS];
	size_t n = 0;

	while (y->old < old->n && n < NUMBERS) {
		if (is_expunged(old, y->old, y->view, y->new))
			uids[n++] = old->uids[y->old];
		else
			y->new++;
		y->old++;
	}
	if (n == 0)
		return;
	buf_add_string(out, "* VANISHED ");
	set_add_numbers(out, uids, n);
	buf_add_string(out, "\r\n");
}

static void tell_gone(struct imap *s, struct imap_sync *y)
{
	const struct view *old = s->selected->view;
	struct buf *out = session_out(&s->session);

	while (y->old < old->n && !is_full(s, y)) {
		if (s->enabled & IMAP_QRESYNC) {
			tell_vanished(s, y);
			continue;
		}
		if (is_expunged(old, y->old, y->view, y->new)) {
			buf_add_format(out, "* %u EXPUNGE\r\n", y->old - y->removed + 1);
			y->removed++;
		} else {
			y->new++;
		}
		y->old++;
	}
}

static void tell_counts(struct imap *s, const struct view *view)
{
	struct imap_selected *selected = s->selected;
	uint32_t recent = sync_count_recent(selected, view);

	if (view->n > 0 && (selected->view->n == 0 ||
			view->uids[view->n - 1] > selected->view->uids[selected->view->n - 1]))
		session_reply_format(&s->session, "* %u EXISTS\r\n", view->n);
	if (recent != selected->recent_told && !(s->enabled & IMAP_REV2))
		session_reply_format(&s->session, "* %u RECENT\r\n", recent);
	selected->recent_told = recent;
	if (selected->keywords_told != selected->keywords->n)
		sync_tell_keywords(s);
}

/* Whether the command meant the message; asked for ascending positions. */
static bool is_told(struct imap_command *c, uint32_t position)
{
	const struct imap_positions *p = &c->told.positions;
	size_t *at = &c->sync.stretch;

	while (*at < p->n && p->stretches[*at].end <= position)
		(*at)++;
	return *at < p->n && p->stretches[*at].first <= position;
}

static uint64_t apply(const struct imap_told *told, uint64_t flags)
{
	switch (told->change) {
	case FLAGS_SET:
		return told->flags;
	case FLAGS_ADD:
		return flags | told->flags;
	case FLAGS_REMOVE:
		return flags & ~told->flags;
	}
	return flags;
}

static void tell_message(struct imap *s, struct imap_command *c, const struct view *view,
	uint32_t j, bool flags)
{
	struct buf *out = session_out(&s->session);
	struct imap_selected *selected = s->selected;
	const char *gap = "";

	buf_add_format(out, "* %u FETCH (", j + 1);
	if (c->uid || (s->enabled & IMAP_QRESYNC)) {
		buf_add_format(out, "UID %u", view->uids[j]);
		gap = " ";
	}
	if (flags) {
		buf_add_format(out, "%sFLAGS ", gap);
		print_flags(out, view->flags[j], selected->keywords,
			selected->recent_from && view->uids[j] >= selected->recent_from);
		gap = " ";
	}
	if (s->enabled & IMAP_CONDSTORE)
		buf_add_format(out, "%sMODSEQ (%llu)", gap, (unsigned long long)view->modseqs[j]);
	buf_add_string(out, ")\r\n");
}

/* A message that is in both views. RFC 7162 section 3.1.3: its MODSEQ is told even where a .SILENT
 * keeps its flags from being told. */
static void tell_flags_of(struct imap *s, struct imap_command *c, uint32_t i, uint32_t j)
{
	const struct view *old = s->selected->view, *new = c->sync.view;
	bool modseq = (s->enabled & IMAP_CONDSTORE) && old->modseqs[i] != new->modseqs[j];
	bool flags = old->flags[i] != new->flags[j];

	if (is_told(c, i)) {
		flags = !c->told.silent || new->flags[j] != apply(&c->told, old->flags[i]);
		if (flags || modseq)
			tell_message(s, c, new, j, flags);
	} else if (flags || modseq) {
		tell_message(s, c, new, j, true);
	}
}

static void tell_flags(struct imap *s, struct imap_command *c)
{
	const struct view *old = s->selected->view;
	struct imap_sync *y = &c->sync;

	for (; y->old < old->n && !is_full(s, y); y->old++) {
		if (is_expunged(old, y->old, y->view, y->new))
			continue;
		tell_flags_of(s, c, y->old, y->new);
		y->new++;
	}
}

static int sync_end(struct imap *s, struct imap_command *c)
{
	struct imap_sync *y = &c->sync;
	struct imap_selected *selected = s->selected;

	(void)view_unref(selected->view);
	selected->view = TAKE(y->view);
	c->told = (struct imap_told){};
	return y->then(s, c);
}

static int sync_go_on(struct imap *s, struct imap_command *c)
{
	struct imap_sync *y = &c->sync;
	uint32_t n = s->selected->view->n;

	y->full = buf_size(session_out(&s->session)) + SESSION_CHUNK;
	while (y->phase < PHASE_END) {
		if (y->phase == PHASE_GONE)
			tell_gone(s, y);
		else if (y->phase == PHASE_COUNTS)
			tell_counts(s, y->view);
		else
			tell_flags(s, c);
		if (y->phase != PHASE_COUNTS && y->old < n)
			return imap_wait_drained(s, c, sync_go_on);
		y->phase++;
		y->old = y->new = 0;
	}
	return sync_end(s, c);
}

/* Takes the reference to the view. */
static int sync_with(struct imap *s, struct imap_command *c, struct view *view)
{
	struct imap_sync *y = &c->sync;
	struct view *old = s->selected->view;
	bool expunges = has_expunges(old, view);

	y->view = view;
	if (y->hold && expunges) {
		y->view = view_with_gone(old, view);
		(void)view_unref(view);
		imap_changed(s);
	}
	if (y->view == old && c->told.positions.n == 0)
		return sync_end(s, c);
	y->phase = expunges && !y->hold ? PHASE_GONE : PHASE_COUNTS;
	y->old = y->new = y->removed = 0;
	y->stretch = 0;
	return sync_go_on(s, c);
}

static int sync_work(struct imap_command *c, struct store_conn *conn)
{
	struct imap_sync *y = &c->sync;
	int r = imap_check_rights(c, conn, ACL_READ);

	if (!r)
		r = store_view(conn, c->mailbox, &y->view);
	if (r)
		return r;
	if (has_new_keywords(y->view, c->keywords))
		TRY(store_keywords(conn, c->owner, &y->keywords));
	return 0;
}

static int sync_work_done(struct imap *s, struct imap_command *c, int outcome)
{
	struct imap_sync *y = &c->sync;

	if (outcome == STORE_E_NOT_FOUND)
		return selected_lost(s);
	if (outcome)
		return err_fold(outcome);
	if (y->keywords) {
		(void)keywords_unref(s->selected->keywords);
		s->selected->keywords = TAKE(y->keywords);
	}
	if (selected_is_shared(s))
		selected_set_rights(s, c->rights);
	return sync_with(s, c, TAKE(y->view));
}

int sync_start(struct imap *s, struct imap_command *c, bool expunges, imap_next_fn *then)
{
	struct imap_selected *selected = s->selected;
	struct view *view;

	if (!selected || (!atomic_exchange(&selected->changed, false) && c->told.positions.n == 0))
		return then(s, c);
	c->sync.then = then;
	c->sync.hold = !expunges;
	/* Of somebody else's mailbox the rights are read too. */
	view = selected_is_shared(s) ? NULL : store_view_cached(s->env->store, selected->mailbox);
	if (view && !has_new_keywords(view, selected->keywords))
		return sync_with(s, c, view);
	(void)view_unref(view);
	(void)keywords_unref(c->keywords);
	c->keywords = keywords_ref(selected->keywords);
	return imap_wait_read(s, c, sync_work, sync_work_done);
}

static int refresh_work(struct imap_command *c, struct store_conn *conn)
{
	struct view *view;
	int r = store_view(conn, c->mailbox, &view);

	if (r)
		return r;
	(void)view_unref(c->view);
	c->view = view;
	return 0;
}

static int refresh_done(struct imap *s, struct imap_command *c, int outcome)
{
	imap_next_fn *next = c->next;

	if (outcome)
		return imap_no_store(s, c, outcome, NULL);
	c->next = NULL;
	return next(s, c);
}

int sync_refresh(struct imap *s, struct imap_command *c, imap_next_fn *next)
{
	struct view *view;

	if (!atomic_load(&s->selected->changed))
		return next(s, c);
	view = store_view_cached(s->env->store, c->mailbox);
	if (!view) {
		c->next = next;
		return imap_wait_read(s, c, refresh_work, refresh_done);
	}
	(void)view_unref(c->view);
	c->view = view;
	return next(s, c);
}

void imap_tell_flags(struct imap_command *c, const struct imap_positions *positions,
	enum flags_change change, uint64_t flags, bool silent)
{
	c->told = (struct imap_told){ *positions, change, flags, silent };
}
