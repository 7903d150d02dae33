/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The selected mailbox as a thing the session holds: how it comes and goes, how the store's news
 * reach it, and which messages a command means by its numbers. */

#include "base/alloc.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/imap/core.h"

#include <stdlib.h>

/* On the writer's thread. */
static void selected_notify(struct store_watch *w)
{
	struct imap_selected *selected = CONTAINER_OF(w, struct imap_selected, watch);

	atomic_store(&selected->changed, true);
	if (atomic_load(&selected->idling))
		session_wake(selected->waker);
}

/* The view was read before the watch stood: the first command looks again. */
void selected_enter(struct imap *s, struct view *view, struct keywords *keywords, bool read_only,
	uint32_t recent_from)
{
	struct imap_selected *selected = ALLOC(struct imap_selected);

	selected->mailbox = view->mailbox;
	selected->read_only = read_only;
	selected->view = view;
	selected->keywords = keywords;
	selected->recent_from = s->enabled & IMAP_REV2 ? 0 : recent_from;
	selected->waker = session_waker_ref(session_waker(&s->session));
	selected->watch.mailbox = selected->mailbox;
	selected->watch.notify = selected_notify;
	atomic_store(&selected->changed, true);
	store_watch(s->env->store, &selected->watch);
	s->selected = selected;
	s->state = IMAP_SELECTED;
}

void selected_leave(struct imap *s)
{
	struct imap_selected *selected = TAKE(s->selected);

	if (!selected)
		return;
	store_unwatch(s->env->store, &selected->watch);
	(void)session_waker_unref(selected->waker);
	(void)view_unref(selected->view);
	(void)keywords_unref(selected->keywords);
	buf_done(&selected->saved);
	free(selected);
	s->state = IMAP_AUTHED;
}

void imap_changed(struct imap *s)
{
	atomic_store(&s->selected->changed, true);
}

void imap_save_result(struct imap *s, const uint32_t *uids, size_t n)
{
	struct buf *saved = &s->selected->saved;

	buf_done(saved);
	buf_add(saved, span_of(uids, n * sizeof *uids));
}

bool imap_resolve(struct imap *s, struct imap_command *c, const struct imap_set *set, bool by_uid,
	struct imap_positions *ret_positions)
{
	return set_resolve(&c->arena, set, c->view, by_uid, buf_span(&s->selected->saved),
		ret_positions);
}

const uint32_t *imap_uids(struct imap_command *c, const struct imap_positions *positions,
	size_t *ret_n)
{
	uint32_t *uids;
	size_t n = 0;

	*ret_n = positions->total;
	if (positions->n == 1)
		return c->view->uids + positions->stretches[0].first;
	uids = arena_alloc(&c->arena, (positions->total + 1) * sizeof *uids);
	for (size_t i = 0; i < positions->n; i++) {
		struct imap_stretch stretch = positions->stretches[i];

		memcpy(uids + n, c->view->uids + stretch.first,
			(stretch.end - stretch.first) * sizeof *uids);
		n += stretch.end - stretch.first;
	}
	return uids;
}

struct buf *imap_out(struct imap *s)
{
	return session_out(&s->session);
}

void imap_enable_condstore(struct imap *s, struct imap_command *c)
{
	if (s->enabled & IMAP_CONDSTORE)
		return;
	s->enabled |= IMAP_CONDSTORE;
	c->enabled |= IMAP_CONDSTORE;
	if (s->selected)
		session_reply_format(&s->session, "* OK [HIGHESTMODSEQ %llu] Highest\r\n",
			(unsigned long long)s->selected->view->modseq);
}
