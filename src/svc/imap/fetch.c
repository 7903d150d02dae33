/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * FETCH and UID FETCH. What the view knows (FLAGS, UID, MODSEQ) is printed from it at once. For
 * everything else a reader prints some messages, the client takes them, and so on: no transaction
 * outlives a piece, and a slow client costs a piece of memory. \Seen is set last, by the writer, so
 * that mail can be read even while nothing can be written.
 *
 * Messages that another session has expunged meanwhile are left out. RFC 2180 section 4.1.2 and
 * 4.1.3 allow for that; the tagged NO [EXPUNGEISSUED] of RFC 5530 tells a client that used sequence
 * numbers. UID FETCH passes over UIDs that do not exist (RFC 9051 section 6.4.9).
 */

#include "svc/imap/fetch.h"

#include "store/store.h"
#include "store/rights.h"
#include "svc/imap/commands.h"
#include "svc/imap/vanished.h"

#include <errno.h>

enum {
	/* Below what a session lets wait unsent, so that while a piece is sent the next is made. */
	PIECE = IMAP_CHUNK - IMAP_CHUNK / 4,
	PRINT_MAX = 2 * IMAP_CHUNK, /* a message that makes a piece longer is interrupted */
	SEEN_BATCH = 1000,          /* messages of one write: others wait for the writer too */
	FETCH_BROKEN = 2,           /* work: a fault behind the beginning of a response */
};

struct fetch_run {
	struct imap_positions positions;
	size_t stretch;             /* of positions */
	uint32_t at;                /* position in the view that comes next */
	const uint32_t *uids;       /* rows that have not been asked for yet */
	size_t n_left;
	size_t n_fetched;
	struct fetch_message message;
	uint32_t *unseen;           /* UIDs that become \Seen */
	size_t n_unseen, n_marked;
};

static void fetch_release(void *p)
{
	struct fetch_run *run = p;

	fetch_message_done(&run->message);
}

/* The next position; false at the end. */
static bool run_next(struct fetch_run *run, uint32_t *ret_position)
{
	while (run->stretch < run->positions.n) {
		const struct imap_stretch *s = &run->positions.stretches[run->stretch];

		if (run->at < s->first)
			run->at = s->first;
		if (run->at < s->end) {
			*ret_position = run->at++;
			return true;
		}
		run->stretch++;
	}
	return false;
}

static int fetch_end(struct imap *s, struct imap_command *c)
{
	const struct fetch *f = c->args;

	if (f->run->message.unknown_encoding)
		return imap_no(s, c, "UNKNOWN-CTE", "A part's encoding is not known");
	if (f->needs_rows && !c->uid && f->run->n_fetched < f->run->positions.total)
		return imap_no(s, c, "EXPUNGEISSUED", "Some of the messages no longer exist");
	return imap_ok(s, c, NULL, "FETCH completed");
}

static int seen_write(struct imap_command *c, struct store_conn *conn)
{
	const struct fetch_run *run = ((struct fetch *)c->args)->run;
	size_t n = run->n_unseen - run->n_marked;
	CLEANUP(buf_done) struct buf refused = {};
	uint64_t modseq = 0;
	int r = imap_check_rights(c, conn, ACL_SEEN);

	if (r)
		return r == STORE_E_RIGHTS ? 0 : r; /* taken away meanwhile: it stays unseen */
	return store_flags(conn, c->mailbox, run->unseen + run->n_marked,
		n < SEEN_BATCH ? n : SEEN_BATCH, FLAGS_ADD, FLAG_SEEN, UINT64_MAX, &refused,
		&modseq);
}

static int seen_done(struct imap *s, struct imap_command *c, int outcome)
{
	struct fetch_run *run = ((struct fetch *)c->args)->run;

	if (outcome)
		return imap_no_store(s, c, outcome, NULL);
	imap_changed(s);
	run->n_marked += SEEN_BATCH;
	if (run->n_marked < run->n_unseen)
		return imap_wait_write(s, c, seen_write, seen_done);
	return fetch_end(s, c);
}

/* RFC 9051 section 6.4.5: BODY[] without PEEK sets \Seen. The change is told like every other,
 * before the tagged line. */
static int fetch_mark_seen(struct imap *s, struct imap_command *c)
{
	struct fetch *f = c->args;
	struct fetch_run *run = f->run;
	uint32_t position;

	if (!f->sets_seen)
		return fetch_end(s, c);
	run->stretch = run->at = 0;
	run->unseen = arena_alloc(&c->arena, (run->positions.total + 1) * sizeof *run->unseen);
	while (run_next(run, &position)) {
		if (!(c->view->flags[position] & FLAG_SEEN))
			run->unseen[run->n_unseen++] = c->view->uids[position];
	}
	if (run->n_unseen == 0)
		return fetch_end(s, c);
	/* The FLAGS item, where there is one, has shown it already. */
	if (f->has_flags)
		imap_tell_flags(c, &run->positions, FLAGS_ADD, FLAG_SEEN, true);
	return imap_wait_write(s, c, seen_write, seen_done);
}

/* One call of store_messages. */
struct fetch_rows {
	struct imap_command *c;
	struct store_conn *conn;
	bool stopped;
	uint32_t last;              /* UID of the row at which it stopped */
	int fault;
};

/* Where a row's message is in the view. Rows come in the order of the positions. */
static bool run_find(struct fetch_run *run, const struct view *v, uint32_t uid,
	uint32_t *ret_position)
{
	while (run_next(run, ret_position)) {
		if (v->uids[*ret_position] == uid)
			return true;
	}
	return false;
}

static int fetch_row(const struct store_message *row, void *context)
{
	struct fetch_rows *rows = context;
	struct imap_command *c = rows->c;
	const struct fetch *f = c->args;
	struct fetch_run *run = f->run;
	size_t before = buf_size(&c->out);
	uint32_t position = 0;
	int r;

	if (!run_find(run, c->view, row->uid, &position))
		return 0;
	run->n_fetched++;
	fetch_message_begin(&run->message, c, f, position, row);
	rows->stopped = true;
	rows->last = row->uid;
	/* A body that is not in the row is read when this statement has ended. */
	if (row->large && (f->want & WANT_DATA)) {
		fetch_message_keep(&run->message);
		return 1;
	}
	r = fetch_message_print(&run->message, rows->conn, &c->out, PRINT_MAX);
	if (r == FETCH_E_MORE) {
		fetch_message_keep(&run->message);
		return 1;
	}
	if (r) {
		buf_cut(&c->out, before);
		rows->fault = r;
		return 1;
	}
	rows->stopped = buf_size(&c->out) >= PIECE;
	return rows->stopped;
}

static int fetch_next_piece(struct imap *s, struct imap_command *c);

/* Prints rows until a piece is full or all are done. */
static int fetch_rows(struct imap_command *c, struct store_conn *conn)
{
	const struct fetch *f = c->args;
	struct fetch_run *run = f->run;
	struct fetch_rows rows = { .c = c, .conn = conn };

	TRY(store_messages(conn, c->mailbox, run->uids, run->n_left, f->want, fetch_row, &rows,
		NULL));
	while (run->n_left > 0 && (!rows.stopped || *run->uids <= rows.last)) {
		run->uids++;
		run->n_left--;
	}
	return rows.fault;
}

static int fetch_piece(struct imap_command *c, struct store_conn *conn)
{
	struct fetch_run *run = ((struct fetch *)c->args)->run;
	struct fetch_message *m = &run->message;

	while (buf_size(&c->out) < PIECE) {
		size_t before = buf_size(&c->out);
		bool told = m->begun;
		int r;

		if (m->open) {
			r = fetch_message_print(m, conn, &c->out, PRINT_MAX);
			if (r == FETCH_E_MORE)
				return FETCH_E_MORE;
			if (r && told)
				return FETCH_BROKEN;
			if (r) {
				buf_cut(&c->out, before);
				return r;
			}
		} else if (run->n_left > 0) {
			TRY(fetch_rows(c, conn));
		} else {
			return 0;
		}
	}
	return FETCH_E_MORE;
}

static int fetch_piece_done(struct imap *s, struct imap_command *c, int outcome)
{
	if (outcome == FETCH_BROKEN)
		return err_fault(EIO, "a body ended before its literal");
	if (outcome == FETCH_E_MORE)
		return imap_wait_drained(s, c, fetch_next_piece);
	return fetch_mark_seen(s, c);
}

static int fetch_next_piece(struct imap *s, struct imap_command *c)
{
	return imap_wait_read(s, c, fetch_piece, fetch_piece_done);
}

/* Without the database. */
static int fetch_next_view(struct imap *s, struct imap_command *c)
{
	const struct fetch *f = c->args;
	struct fetch_run *run = f->run;
	struct buf *out = imap_out(s);
	size_t end = buf_size(out) + IMAP_CHUNK;
	uint32_t position;

	while (run_next(run, &position)) {
		fetch_message_begin(&run->message, c, f, position, NULL);
		TRY(fetch_message_print(&run->message, NULL, out, SIZE_MAX));
		if (buf_size(out) >= end)
			return imap_wait_drained(s, c, fetch_next_view);
	}
	return fetch_end(s, c);
}

static int fetch_start(struct imap *s, struct imap_command *c)
{
	struct fetch *f = c->args;

	if (f->has_modseq || f->has_changed_since)
		imap_enable_condstore(s, c);
	return f->needs_rows ? fetch_next_piece(s, c) : fetch_next_view(s, c);
}

/* RFC 7162 section 3.1.4.1: only what changed after that modification number. */
static void keep_changed(struct imap_command *c, struct imap_positions *positions, uint64_t since)
{
	struct imap_stretch *kept = arena_alloc(&c->arena,
		(positions->total + 1) * sizeof *kept);
	size_t n = 0;

	for (size_t i = 0; i < positions->n; i++) {
		for (uint32_t at = positions->stretches[i].first; at < positions->stretches[i].end;
			at++) {
			if (c->view->modseqs[at] <= since)
				continue;
			if (n > 0 && kept[n - 1].end == at)
				kept[n - 1].end++;
			else
				kept[n++] = (struct imap_stretch){ at, at + 1 };
		}
	}
	positions->total = 0;
	for (size_t i = 0; i < n; i++)
		positions->total += kept[i].end - kept[i].first;
	positions->n = n;
	positions->stretches = kept;
}

static int vanished_read(struct imap_command *c, struct store_conn *conn)
{
	const struct fetch *f = c->args;
	CLEANUP(buf_done) struct buf uids = {};
	bool complete = false;

	TRY(store_expunged_since(conn, c->mailbox, f->changed_since, &uids, &complete));
	vanished_add(&c->out, &c->arena, &f->set, c->view, buf_span(&uids), complete);
	return 0;
}

static int vanished_done(struct imap *s, struct imap_command *c, int outcome)
{
	return outcome ? imap_no_store(s, c, outcome, NULL) : fetch_start(s, c);
}

int imap_fetch(struct imap *s, struct imap_command *c)
{
	struct fetch *f = c->args;
	struct fetch_run *run = ARENA_ALLOC(&c->arena, struct fetch_run);

	f->run = run;
	imap_command_release(c, fetch_release, run);
	if (!imap_resolve(s, c, &f->set, c->uid, &run->positions))
		return imap_bad(s, c, "No such message");
	if (f->has_changed_since)
		keep_changed(c, &run->positions, f->changed_since);
	if (f->needs_rows)
		run->uids = imap_uids(c, &run->positions, &run->n_left);
	/* RFC 4314 section 4, FETCH. */
	if (s->selected->read_only || !(s->selected->rights & ACL_SEEN))
		f->sets_seen = false;
	if (f->vanished)
		return imap_wait_read(s, c, vanished_read, vanished_done);
	return fetch_start(s, c);
}
