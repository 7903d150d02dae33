/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Removing what carries \Deleted: EXPUNGE, UID EXPUNGE (RFC 4315) and CLOSE. Candidates are those
 * of the current view; the store looks at the flag once more in the transaction, so a message
 * whose flag was taken away meanwhile stays.
 */

#include "base/alloc.h"
#include "store/rights.h"
#include "svc/env.h"
#include "svc/imap/commands.h"
#include "svc/imap/core.h"

struct expunge {
	struct imap_set set;
	bool has_set;
	bool closing;
	const uint32_t *uids;
	size_t n;
	uint64_t modseq;
};

static int expunge_work(struct imap_command *c, struct store_conn *conn)
{
	struct expunge *args = c->args;
	CLEANUP(buf_done) struct buf removed = {};
	int r = imap_check_rights(c, conn, ACL_EXPUNGE);

	/* RFC 4314 section 4: CLOSE without the right only closes. */
	if (r)
		return r == STORE_E_RIGHTS && args->closing ? 0 : r;
	return store_expunge(conn, c->mailbox, args->uids, args->n, true, &removed, &args->modseq);
}

static int expunge_end(struct imap *s, struct imap_command *c)
{
	struct expunge *args = c->args;
	const char *code = NULL;

	if (!args->closing) {
		/* RFC 7162 section 3.2.7. */
		c->ending_modseq = (s->enabled & IMAP_QRESYNC) != 0;
		return imap_ok(s, c, NULL, "Expunged");
	}
	if ((s->enabled & IMAP_QRESYNC) && args->modseq) {
		CLEANUP(buf_done) struct buf text = {};

		buf_add_format(&text, "HIGHESTMODSEQ %llu", (unsigned long long)args->modseq);
		code = arena_string(&c->arena, buf_span(&text));
	}
	selected_leave(s);
	return imap_ok(s, c, code, "Mailbox is closed");
}

static int expunge_done(struct imap *s, struct imap_command *c, int outcome)
{
	if (outcome)
		return imap_no_store(s, c, outcome, NULL);
	imap_changed(s);
	return expunge_end(s, c);
}

/* The command's view is the current one. */
static int expunge_current(struct imap *s, struct imap_command *c)
{
	struct expunge *args = c->args;
	const struct view *v = c->view;
	struct imap_stretch all = { 0, v->n };
	struct imap_positions positions = { .n = 1, .stretches = &all, .total = v->n };
	uint32_t *uids;

	if (args->has_set && !imap_resolve(s, c, &args->set, true, &positions))
		return imap_bad(s, c, "no such message");
	uids = arena_alloc(&c->arena, (positions.total + 1) * sizeof *uids);
	for (size_t i = 0; i < positions.n; i++) {
		struct imap_stretch stretch = positions.stretches[i];

		for (uint32_t k = stretch.first; k < stretch.end; k++) {
			if (v->flags[k] & FLAG_DELETED)
				uids[args->n++] = v->uids[k];
		}
	}
	args->uids = uids;
	if (args->n == 0)
		return expunge_end(s, c);
	return imap_wait_write(s, c, expunge_work, expunge_done);
}

static int expunge_start(struct imap *s, struct imap_command *c)
{
	if (!(s->selected->rights & ACL_EXPUNGE))
		return imap_no_store(s, c, STORE_E_RIGHTS, NULL);
	return sync_refresh(s, c, expunge_current);
}

int imap_expunge(struct imap *s, struct imap_command *c)
{
	c->args = ARENA_ALLOC(&c->arena, struct expunge);
	return expunge_start(s, c);
}

bool imap_parse_uid_expunge(struct imap_parser *p, struct imap_command *c)
{
	struct expunge *args = ARENA_ALLOC(&c->arena, struct expunge);

	c->args = args;
	args->has_set = true;
	return parse_space(p) && parse_set(p, &args->set);
}

int imap_uid_expunge(struct imap *s, struct imap_command *c)
{
	return expunge_start(s, c);
}

int imap_close(struct imap *s, struct imap_command *c)
{
	struct expunge *args = ARENA_ALLOC(&c->arena, struct expunge);

	c->args = args;
	args->closing = true;
	if (s->selected->read_only || !(s->selected->rights & ACL_EXPUNGE))
		return expunge_end(s, c);
	return sync_refresh(s, c, expunge_current);
}
