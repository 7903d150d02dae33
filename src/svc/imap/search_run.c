/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Finding the messages that match a search. The keys are asked message by message: those the view
 * can decide are decided at once, the others are gathered into a batch whose rows are read, and of
 * those that are still open the bodies. A worker does this for some milliseconds at a time, then
 * lets others run, so a large search costs neither a loop nor the readers, and ends when its client
 * leaves. Results are one bit a message. SORT and THREAD then walk the rows of what was found in
 * the same manner.
 */

#include "svc/imap/search.h"

#include "base/clock.h"
#include "store/store.h"

enum {
	BATCH = 256,         /* rows that are read together */
	SLICE_MS = 20,       /* of a worker's time before others get their turn */
	VIEW_MAX = 20000,    /* messages times keys that are looked at without a worker */
};

struct search_run {
	imap_next_fn *found;
	uint64_t *matches;          /* a bit for each position */
	size_t n_matches;
	uint32_t next;              /* position that has not been looked at */

	/* The batch: what the view could not decide. */
	uint32_t positions[BATCH], uids[BATCH];
	size_t n;
	enum search_stage stage;    /* of the rows that are read; SEARCH_VIEW: there is no batch */
	size_t at;                  /* the row that comes next */
	size_t n_open;              /* what this stage has not decided, moved to the front */
	struct store_message large; /* a row whose body must be read by itself */
	struct buf kept;            /* its spans */
	struct arena arena;         /* of one envelope */
	bool texts_found[SEARCH_TEXTS];
};

static void search_release(void *p)
{
	struct search_run *run = p;

	arena_done(&run->arena);
	buf_done(&run->kept);
}

static bool search_bind(struct imap *s, struct imap_command *c, struct search *q)
{
	for (struct search_key *key = q->first; key; key = key->later) {
		if (key->op == SEARCH_KEYWORD)
			search_bind_keyword(c->keywords, key);
		if (key->op == SEARCH_SET &&
			!imap_resolve(s, c, &key->set, key->by_uid, &key->positions))
			return false;
	}
	return true;
}

static void run_add(struct search_run *run, uint32_t position)
{
	run->matches[position / 64] |= UINT64_C(1) << position % 64;
	run->n_matches++;
}

size_t search_count(const struct search *q)
{
	return q->run->n_matches;
}

bool search_next(const struct search *q, const struct view *view, uint32_t *position)
{
	const uint64_t *matches = q->run->matches;
	uint32_t at = *position;

	while (at < view->n) {
		uint64_t word = matches[at / 64] >> at % 64;

		if (word) {
			*position = at + (uint32_t)__builtin_ctzll(word);
			return true;
		}
		at = (at / 64 + 1) * 64;
	}
	return false;
}

struct search_ends search_ends(const struct imap_command *c, const struct search *q)
{
	const uint64_t *matches = q->run->matches;
	struct search_ends ends = {};
	uint32_t word = c->view->n / 64;

	if (search_count(q) == 0)
		return ends;
	(void)search_next(q, c->view, &ends.min);
	while (!matches[word])
		word--;
	ends.max = word * 64 + 63 - (uint32_t)__builtin_clzll(matches[word]);
	return ends;
}

const uint32_t *search_uids(struct imap_command *c, const struct search *q, size_t *ret_n)
{
	uint32_t *uids = arena_alloc(&c->arena, (search_count(q) + 1) * sizeof *uids);
	size_t n = 0;

	for (uint32_t at = 0; search_next(q, c->view, &at); at++)
		uids[n++] = c->view->uids[at];
	*ret_n = n;
	return uids;
}

/* Looks at positions until the view ends, the batch is full or so many are done. */
static void run_view(struct imap_command *c, const struct search *q, uint32_t n_most)
{
	struct search_run *run = q->run;
	struct search_facts facts = { .stage = SEARCH_VIEW, .c = c };

	while (run->next < c->view->n && run->n < BATCH && n_most-- > 0) {
		facts.position = run->next++;
		switch (search_match(q->root, &facts)) {
		case SEARCH_YES:
			run_add(run, facts.position);
			break;
		case SEARCH_UNKNOWN:
			run->positions[run->n] = facts.position;
			run->uids[run->n++] = c->view->uids[facts.position];
			break;
		case SEARCH_NO:
			break;
		}
	}
}

static bool run_needs(const struct search *q, enum search_stage stage)
{
	return q->stages & 1u << stage;
}

/* One call of store_messages. */
struct search_rows {
	struct imap_command *c;
	int64_t until_ms;
	bool stopped;
	uint32_t last;              /* UID of the row at which it stopped */
	int fault;
};

/* Decides about batch entry run->at, as far as its row can. */
static int run_row(struct imap_command *c, struct store_conn *conn, const struct store_message *row)
{
	const struct search *q = c->args;
	struct search_run *run = q->run;
	struct envelope envelope = {};
	struct search_facts facts = {
		.stage = run->stage, .c = c, .position = run->positions[run->at], .row = row,
		.envelope = &envelope, .found = run->texts_found,
	};

	if (run_needs(q, SEARCH_ENVELOPE)) {
		arena_clear(&run->arena);
		TRY(envelope_parse(row->envelope, &run->arena, &envelope));
	}
	if (run->stage == SEARCH_BODY)
		TRY(search_scan(q, conn, row, run->texts_found));
	switch (search_match(q->root, &facts)) {
	case SEARCH_YES:
		run_add(run, facts.position);
		break;
	case SEARCH_UNKNOWN:
		run->positions[run->n_open] = facts.position;
		run->uids[run->n_open++] = row->uid;
		break;
	case SEARCH_NO:
		break;
	}
	run->at++;
	return 0;
}

static void keep_span(struct buf *kept, struct span *s)
{
	buf_add(kept, *s);
	s->p = kept->p + kept->end - s->n;
}

static void run_keep(struct search_run *run, const struct store_message *row)
{
	run->large = *row;
	buf_clear(&run->kept);
	(void)buf_room(&run->kept, row->envelope.n + row->structure.n + 1);
	keep_span(&run->kept, &run->large.envelope);
	keep_span(&run->kept, &run->large.structure);
}

static int search_row(const struct store_message *row, void *context)
{
	struct search_rows *rows = context;
	struct search_run *run = ((struct search *)rows->c->args)->run;

	while (run->at < run->n && run->uids[run->at] < row->uid)
		run->at++; /* expunged meanwhile: matches nothing */
	if (run->stage == SEARCH_BODY && row->large) {
		run_keep(run, row);
		rows->stopped = true;
		return 1;
	}
	rows->fault = run_row(rows->c, NULL, row);
	rows->stopped = rows->fault || clock_monotonic_ms() >= rows->until_ms;
	return rows->stopped;
}

/* The batch's next rows, at its stage. */
static int run_rows(struct imap_command *c, struct store_conn *conn, int64_t until_ms)
{
	const struct search *q = c->args;
	struct search_run *run = q->run;
	struct search_rows rows = { .c = c, .until_ms = until_ms };
	unsigned want = 0;

	if (run_needs(q, SEARCH_ENVELOPE))
		want |= WANT_ENVELOPE;
	if (run->stage == SEARCH_BODY)
		want |= WANT_STRUCTURE | WANT_DATA;
	run->large.large = false;
	TRY(store_messages(conn, c->mailbox, run->uids + run->at, run->n - run->at, want,
		search_row, &rows, NULL));
	if (rows.fault)
		return rows.fault;
	if (!rows.stopped)
		run->at = run->n;
	return run->large.large ? run_row(c, conn, &run->large) : 0;
}

/* What a full batch, or one whose stage is through, goes on with. */
static void run_next_stage(const struct search *q)
{
	struct search_run *run = q->run;

	if (run->stage == SEARCH_VIEW &&
		(run_needs(q, SEARCH_ROW) || run_needs(q, SEARCH_ENVELOPE))) {
		run->stage = SEARCH_ENVELOPE;
	} else if (run->stage < SEARCH_BODY) {
		if (run->stage != SEARCH_VIEW)
			run->n = run->n_open;
		run->stage = SEARCH_BODY;
	} else {
		run->n = 0;
	}
	if (run->n == 0)
		run->stage = SEARCH_VIEW;
	run->at = run->n_open = 0;
}

/* Some milliseconds of searching. */
static int search_slice(struct imap_command *c, struct store_conn *conn)
{
	const struct search *q = c->args;
	struct search_run *run = q->run;
	int64_t until_ms = clock_monotonic_ms() + SLICE_MS;

	do {
		if (run->stage == SEARCH_VIEW) {
			run_view(c, q, VIEW_MAX);
			if (run->next < c->view->n && run->n < BATCH)
				continue;
			if (run->n == 0)
				return 0;
			run_next_stage(q);
		} else {
			TRY(run_rows(c, conn, until_ms));
			if (run->at == run->n)
				run_next_stage(q);
		}
	} while (clock_monotonic_ms() < until_ms);
	return SEARCH_E_MORE;
}

static int search_slice_done(struct imap *s, struct imap_command *c, int outcome)
{
	const struct search *q = c->args;

	if (outcome == SEARCH_E_MORE)
		return imap_wait_read(s, c, search_slice, search_slice_done);
	return q->run->found(s, c);
}

int search_start(struct imap *s, struct imap_command *c, imap_next_fn *found)
{
	struct search *q = c->args;
	uint64_t work = (uint64_t)c->view->n * q->n_keys;

	if (q->bad_charset) {
		if (q->returns & RETURN_SAVE)
			imap_save_result(s, NULL, 0); /* RFC 5182 section 2.1: NO empties "$" */
		return imap_no(s, c, "BADCHARSET (UTF-8 US-ASCII)", "Charset is not known");
	}
	if (!search_bind(s, c, q))
		return imap_bad(s, c, "No such message");
	q->run = ARENA_ALLOC(&c->arena, struct search_run);
	q->run->found = found;
	q->run->matches = arena_alloc(&c->arena, (c->view->n / 64 + 1) * sizeof(uint64_t));
	imap_command_release(c, search_release, q->run);
	if (q->has_modseq)
		imap_enable_condstore(s, c);
	if (work > VIEW_MAX || (q->stages & ~(1u << SEARCH_VIEW)))
		return imap_wait_read(s, c, search_slice, search_slice_done);
	run_view(c, q, c->view->n);
	return found(s, c);
}

struct search_walk {
	unsigned want;
	search_each_fn *each;
	search_end_fn *end;
	imap_done_fn *done;
	const uint32_t *uids;
	size_t n_left;
	uint32_t position;          /* of the match that comes next, or behind it */
	struct arena arena;         /* of one envelope */
};

static void walk_release(void *p)
{
	arena_done(&((struct search_walk *)p)->arena);
}

/* Matches up to a UID that have no row are no matches any more: expunged meanwhile. */
static void walk_skip(const struct imap_command *c, struct search *q, uint64_t uid)
{
	uint32_t *at = &q->walk->position;

	for (; search_next(q, c->view, at) && c->view->uids[*at] < uid; ++*at) {
		q->run->matches[*at / 64] &= ~(UINT64_C(1) << *at % 64);
		q->run->n_matches--;
	}
}

/* The rows come in the order of the matches. */
static int walk_row(const struct store_message *row, void *context)
{
	struct search_rows *rows = context;
	struct imap_command *c = rows->c;
	struct search *q = c->args;
	struct search_walk *walk = q->walk;
	struct envelope envelope = {};

	walk_skip(c, q, row->uid);
	if (walk->want & WANT_ENVELOPE) {
		arena_clear(&walk->arena);
		rows->fault = envelope_parse(row->envelope, &walk->arena, &envelope);
	}
	if (!rows->fault)
		rows->fault = walk->each(c, walk->position, row, &envelope);
	walk->position++;
	rows->last = row->uid;
	rows->stopped = rows->fault || clock_monotonic_ms() >= rows->until_ms;
	return rows->stopped;
}

static int walk_slice(struct imap_command *c, struct store_conn *conn)
{
	struct search_walk *walk = ((struct search *)c->args)->walk;
	struct search_rows rows = { .c = c, .until_ms = clock_monotonic_ms() + SLICE_MS };

	TRY(store_messages(conn, c->mailbox, walk->uids, walk->n_left, walk->want, walk_row, &rows,
		NULL));
	if (rows.fault)
		return rows.fault;
	while (walk->n_left > 0 && (!rows.stopped || *walk->uids <= rows.last)) {
		walk->uids++;
		walk->n_left--;
	}
	if (walk->n_left > 0)
		return SEARCH_E_MORE;
	walk_skip(c, c->args, UINT64_MAX);
	walk->end(c);
	return 0;
}

static int walk_slice_done(struct imap *s, struct imap_command *c, int outcome)
{
	const struct search *q = c->args;

	if (outcome == SEARCH_E_MORE)
		return imap_wait_read(s, c, walk_slice, walk_slice_done);
	return q->walk->done(s, c, outcome);
}

int search_walk(struct imap *s, struct imap_command *c, unsigned want, search_each_fn *each,
	search_end_fn *end, imap_done_fn *done)
{
	struct search *q = c->args;
	struct search_walk *walk = ARENA_ALLOC(&c->arena, struct search_walk);

	walk->want = want;
	walk->each = each;
	walk->end = end;
	walk->done = done;
	walk->uids = search_uids(c, q, &walk->n_left);
	q->walk = walk;
	imap_command_release(c, walk_release, walk);
	return imap_wait_read(s, c, walk_slice, walk_slice_done);
}
