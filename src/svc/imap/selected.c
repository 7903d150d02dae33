/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The selected mailbox as a thing the session holds: how it comes and goes, how the store's news
 * reach it, and which messages a command means by its numbers. */

#include "base/alloc.h"
#include "store/sharing.h"
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
void selected_enter(struct imap *s, const struct shared_mailbox *m, struct view *view,
	struct keywords *keywords, bool read_only, uint32_t recent_from)
{
	struct imap_selected *selected = ALLOC(struct imap_selected);

	selected->mailbox = view->mailbox;
	selected->owner = m->box.account;
	selected->rights = m->rights;
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

bool selected_is_shared(const struct imap *s)
{
	return s->selected && s->selected->owner != s->account;
}

int selected_lost(struct imap *s)
{
	imap_bye(s, "NONEXISTENT", "the selected mailbox was deleted");
	return 0;
}

int imap_check_rights(struct imap_command *c, struct store_conn *conn, unsigned need)
{
	int r;

	if (c->owner == c->account)
		return 0;
	r = store_mailbox_rights(conn, c->account, c->mailbox, &c->rights);
	if (r)
		return r;
	if (!(c->rights & ACL_READ))
		return STORE_E_NOT_FOUND;
	return (c->rights & need) == need ? 0 : STORE_E_RIGHTS;
}

/* RFC 4314 section 5.1.1: which flags can be changed is told anew. */
void selected_set_rights(struct imap *s, unsigned rights)
{
	uint64_t before = rights_flags(s->selected->rights);

	s->selected->rights = rights;
	if (before != rights_flags(rights))
		sync_tell_keywords(s);
}

static int recheck_work(struct imap_command *c, struct store_conn *conn)
{
	return imap_check_rights(c, conn, ACL_READ);
}

static int recheck_done(struct imap *s, struct imap_command *c, int outcome)
{
	if (outcome == STORE_E_NOT_FOUND)
		return selected_lost(s);
	if (outcome)
		return err_fold(outcome);
	selected_set_rights(s, c->rights);
	return c->row->run(s, c);
}

int selected_recheck(struct imap *s, struct imap_command *c)
{
	return imap_wait_read(s, c, recheck_work, recheck_done);
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
