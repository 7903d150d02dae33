/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Opening and leaving a mailbox. Opening reads the mailbox, its view and the keywords on a reader;
 * only where there is something to be \Recent the writer is asked, to make this session the first
 * that shows it. What arrives while the mailbox is open is \Recent in each session that has it open
 * and in the next that opens it, as RFC 3501 section 2.3.2 allows: telling them apart would cost a
 * commit for every arrival.
 *
 * QRESYNC (RFC 7162 section 3.2.5) is answered from the record of expunges and the view; the
 * client's sequence match data are not needed, because where the record does not reach back far
 * enough the whole complement of the view is told.
 */

#include "store/sharing.h"
#include "svc/imap/commands.h"
#include "svc/imap/core.h"
#include "svc/imap/vanished.h"

struct select {
	struct span name;
	bool read_only;
	bool condstore;
	bool qresync;
	uint32_t uidvalidity;
	uint64_t modseq;
	bool has_known;
	struct imap_set known;

	/* Found. */
	struct shared_mailbox mailbox;
	struct view *view;
	struct keywords *keywords;
	uint32_t recent_from;
	struct buf vanished;  /* the response */
	struct imap_positions resync; /* in the view: whose changes are told */

	/* Told so far. */
	size_t stretch;
	uint32_t position;
};

static void select_free(void *p)
{
	struct select *args = p;

	(void)view_unref(args->view);
	(void)keywords_unref(args->keywords);
	buf_done(&args->vanished);
}

static bool parse_known(struct imap_parser *p, struct imap_set *ret)
{
	if (!parse_set(p, ret))
		return false;
	if (ret->saved)
		return parse_fail(p, "$ is not allowed here");
	for (size_t i = 0; i < ret->n; i++) {
		if (ret->ranges[i].first == SET_STAR || ret->ranges[i].last == SET_STAR)
			return parse_fail(p, "* is not allowed here");
	}
	return true;
}

/* RFC 7162 section 7, select-param with QRESYNC. */
static bool parse_qresync(struct imap_parser *p, struct imap_command *c, struct select *args)
{
	struct imap_set match;

	if (!(c->enabled & IMAP_QRESYNC))
		return parse_fail(p, "ENABLE QRESYNC first");
	args->qresync = true;
	if (!parse_space(p) || !parse_open(p) || !parse_nonzero(p, &args->uidvalidity) ||
		!parse_space(p) || !parse_number64(p, &args->modseq))
		return false;
	while (parse_skip(p, ' ')) {
		if (parse_at(p, '('))
			return parse_open(p) && parse_known(p, &match) && parse_space(p) &&
			       parse_known(p, &match) && parse_close(p) && parse_close(p);
		if (args->has_known)
			return parse_fail(p, "too many sets");
		args->has_known = true;
		if (!parse_known(p, &args->known))
			return false;
	}
	return parse_close(p);
}

bool imap_parse_select(struct imap_parser *p, struct imap_command *c)
{
	struct select *args = ARENA_ALLOC(&c->arena, struct select);

	c->args = args;
	if (!parse_space(p) || !parse_mailbox(p, &args->name))
		return false;
	if (!parse_skip(p, ' '))
		return true;
	if (!parse_open(p))
		return false;
	do {
		if (parse_skip_word(p, "CONDSTORE"))
			args->condstore = true;
		else if (!parse_skip_word(p, "QRESYNC"))
			return parse_fail(p, "unknown parameter");
		else if (!parse_qresync(p, c, args))
			return false;
	} while (parse_skip(p, ' '));
	return parse_close(p);
}

static int resync_work(struct imap_command *c, struct store_conn *conn, struct select *args)
{
	CLEANUP(buf_done) struct buf expunged = {};
	struct imap_range everything = { 1, SET_STAR };
	struct imap_set known = { .n = 1, .ranges = &everything };
	bool complete = false;

	if (args->has_known)
		known = args->known;
	(void)set_resolve(&c->arena, &known, args->view, true, (struct span){}, &args->resync);
	TRY(store_expunged_since(conn, args->mailbox.box.id, args->modseq, &expunged, &complete));
	vanished_add(&args->vanished, &c->arena, &known, args->view, buf_span(&expunged), complete);
	return 0;
}

static int select_work(struct imap_command *c, struct store_conn *conn)
{
	struct select *args = c->args;
	int r = store_mailbox_reach(conn, &c->arena, c->account, args->name, ACL_READ, &args->mailbox);

	if (r)
		return r;
	r = store_view(conn, args->mailbox.box.id, &args->view);
	if (r)
		return r;
	TRY(store_keywords(conn, args->mailbox.box.account, &args->keywords));
	/* What is \Recent is the owner's to see first; others see what comes while they look. */
	args->recent_from =
		args->mailbox.own ? args->mailbox.box.recent_from : args->view->uidnext;
	/* RFC 7162 section 3.2.5.1: with another UIDVALIDITY the parameters mean nothing. */
	if (args->qresync && args->uidvalidity == args->view->uidvalidity)
		TRY(resync_work(c, conn, args));
	return 0;
}

static int claim_work(struct imap_command *c, struct store_conn *conn)
{
	struct select *args = c->args;

	return store_mailbox_claim_recent(conn, args->mailbox.box.id, &args->recent_from);
}

static void tell_first_unseen(struct imap *s, const struct view *v)
{
	for (uint32_t i = 0; i < v->n; i++) {
		if (!(v->flags[i] & FLAG_SEEN)) {
			session_reply_format(&s->session, "* OK [UNSEEN %u] First unseen\r\n",
				i + 1);
			return;
		}
	}
}

static void tell_mailbox(struct imap *s, struct imap_command *c, const struct select *args)
{
	struct imap_selected *selected = s->selected;
	const struct view *v = selected->view;
	struct buf *out = session_out(&s->session);

	sync_tell_keywords(s);
	buf_add_format(out, "* %u EXISTS\r\n", v->n);
	if (s->enabled & IMAP_REV2) {
		buf_add_string(out, "* LIST () \"/\" ");
		print_mailbox(out, args->mailbox.box.name, true);
		buf_add_string(out, "\r\n");
	} else {
		selected->recent_told = sync_count_recent(selected, v);
		buf_add_format(out, "* %u RECENT\r\n", selected->recent_told);
		tell_first_unseen(s, v);
	}
	buf_add_format(out, "* OK [UIDVALIDITY %u] UIDs valid\r\n", v->uidvalidity);
	buf_add_format(out, "* OK [UIDNEXT %u] Predicted next UID\r\n", v->uidnext);
	buf_add_format(out, "* OK [HIGHESTMODSEQ %llu] Highest\r\n",
		(unsigned long long)(v->modseq ? v->modseq : 1));
	buf_add_string(out, "* OK [MAILBOXID (");
	print_object_id(out, c->id_key, 'F', selected->owner, selected->mailbox);
	buf_add_string(out, ")] Ok\r\n");
}

static void tell_resync(struct imap *s, uint32_t i)
{
	struct imap_selected *selected = s->selected;
	const struct view *v = selected->view;
	struct buf *out = session_out(&s->session);

	buf_add_format(out, "* %u FETCH (UID %u FLAGS ", i + 1, v->uids[i]);
	print_flags(out, v->flags[i], selected->keywords,
		selected->recent_from && v->uids[i] >= selected->recent_from);
	buf_add_format(out, " MODSEQ (%llu))\r\n", (unsigned long long)v->modseqs[i]);
}

static int select_end(struct imap *s, struct imap_command *c)
{
	struct select *args = c->args;

	/* RFC 4314 section 5.2. */
	bool changes = !args->read_only && (args->mailbox.rights & ACL_CHANGE);

	return imap_ok(s, c, changes ? "READ-WRITE" : "READ-ONLY", "Mailbox is open");
}

static int select_tell_changes(struct imap *s, struct imap_command *c)
{
	struct select *args = c->args;
	const struct buf *out = session_out(&s->session);
	size_t full = buf_size(out) + SESSION_CHUNK;

	if (!imap_send_piece(s, &args->vanished))
		return imap_wait_drained(s, c, select_tell_changes);
	for (; args->stretch < args->resync.n; args->stretch++, args->position = 0) {
		struct imap_stretch stretch = args->resync.stretches[args->stretch];

		if (args->position < stretch.first)
			args->position = stretch.first;
		for (; args->position < stretch.end; args->position++) {
			if (buf_size(out) >= full)
				return imap_wait_drained(s, c, select_tell_changes);
			if (s->selected->view->modseqs[args->position] > args->modseq)
				tell_resync(s, args->position);
		}
	}
	return select_end(s, c);
}

static int claim_done(struct imap *s, struct imap_command *c, int outcome)
{
	struct select *args = c->args;

	if (outcome)
		return imap_no_store(s, c, outcome, NULL);
	selected_enter(s, &args->mailbox, TAKE(args->view), TAKE(args->keywords), args->read_only,
		args->recent_from);
	c->owner = s->selected->owner;
	tell_mailbox(s, c, c->args);
	return select_tell_changes(s, c);
}

static int select_done(struct imap *s, struct imap_command *c, int outcome)
{
	struct select *args = c->args;
	bool recent = !outcome && args->recent_from < args->view->uidnext;

	if (recent && !args->read_only && !(s->enabled & IMAP_REV2))
		return imap_wait_write(s, c, claim_work, claim_done);
	return claim_done(s, c, outcome);
}

static int select_run(struct imap *s, struct imap_command *c, bool read_only)
{
	struct select *args = c->args;

	imap_command_release(c, select_free, args);
	args->read_only = read_only;
	if (s->selected) {
		selected_leave(s);
		session_reply_string(&s->session, "* OK [CLOSED] Previous mailbox is closed\r\n");
	}
	if (args->condstore)
		imap_enable_condstore(s, c);
	return imap_wait_read(s, c, select_work, select_done);
}

int imap_select(struct imap *s, struct imap_command *c)
{
	return select_run(s, c, false);
}

int imap_examine(struct imap *s, struct imap_command *c)
{
	return select_run(s, c, true);
}

int imap_unselect(struct imap *s, struct imap_command *c)
{
	selected_leave(s);
	return imap_ok(s, c, NULL, "Mailbox is closed");
}
