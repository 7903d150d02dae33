/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The answers to SEARCH and UID SEARCH: the SEARCH response of RFC 3501, the ESEARCH response of
 * RFC 4731 and RFC 9051, and the result that is kept for "$" (RFC 5182). Long ones are printed in
 * pieces.
 */

#include "svc/imap/search.h"

#include "svc/imap/commands.h"

enum { PRINT_NUMBERS = 4096 }; /* that are printed at a time */

uint32_t search_number(const struct imap_command *c, uint32_t position)
{
	return c->uid ? c->view->uids[position] : position + 1;
}

/* Whether only MIN and MAX are asked for. */
static bool wants_ends_only(const struct search *q)
{
	return (q->returns & (RETURN_MIN | RETURN_MAX)) &&
	       !(q->returns & (RETURN_ALL | RETURN_COUNT));
}

uint64_t search_modseq(const struct imap_command *c, const struct search *q,
	struct search_ends ends)
{
	uint64_t min = c->view->modseqs[ends.min];
	uint64_t max = c->view->modseqs[ends.max];
	uint64_t highest = 0;

	if (wants_ends_only(q)) {
		if (!(q->returns & RETURN_MAX))
			return min;
		if (!(q->returns & RETURN_MIN))
			return max;
		return min > max ? min : max;
	}
	for (uint32_t at = 0; search_next(q, c->view, &at); at++) {
		if (c->view->modseqs[at] > highest)
			highest = c->view->modseqs[at];
	}
	return highest;
}

void search_save(struct imap *s, struct imap_command *c, const struct search *q,
	struct search_ends ends)
{
	uint32_t first = ends.min < ends.max ? ends.min : ends.max;
	uint32_t last = ends.min < ends.max ? ends.max : ends.min;
	const uint32_t *uids;
	uint32_t two[2];
	size_t n = 0;

	if (search_count(q) == 0 || !wants_ends_only(q)) {
		uids = search_uids(c, q, &n);
		imap_save_result(s, uids, n);
		return;
	}
	if (!(q->returns & RETURN_MAX))
		first = last = ends.min;
	if (!(q->returns & RETURN_MIN))
		first = last = ends.max;
	two[n++] = c->view->uids[first];
	if (first != last)
		two[n++] = c->view->uids[last];
	imap_save_result(s, two, n);
}

bool search_begin_extended(struct imap *s, struct imap_command *c, const struct search *q,
	struct search_ends ends)
{
	struct buf *out = imap_out(s);
	bool any = search_count(q) > 0;

	buf_add(out, SPAN("* ESEARCH (TAG \""));
	buf_add(out, c->tag);
	buf_add(out, SPAN("\")"));
	if (c->uid)
		buf_add(out, SPAN(" UID"));
	if (any && (q->returns & RETURN_MIN))
		buf_add_format(out, " MIN %u", search_number(c, ends.min));
	if (any && (q->returns & RETURN_MAX))
		buf_add_format(out, " MAX %u", search_number(c, ends.max));
	if (q->returns & RETURN_COUNT)
		buf_add_format(out, " COUNT %zu", search_count(q));
	if (any && q->has_modseq)
		buf_add_format(out, " MODSEQ %llu",
			(unsigned long long)search_modseq(c, q, ends));
	if (any && (q->returns & RETURN_ALL)) {
		buf_add(out, SPAN(" ALL "));
		return true;
	}
	buf_add(out, SPAN("\r\n"));
	return false;
}

static int search_end(struct imap *s, struct imap_command *c)
{
	return imap_ok(s, c, NULL, "SEARCH completed");
}

/* The numbers of ALL as a set, piece by piece; they are the last item. */
static int print_all(struct imap *s, struct imap_command *c)
{
	struct search *q = c->args;
	struct buf *out = imap_out(s);
	uint32_t numbers[PRINT_NUMBERS];
	size_t n = 0;

	for (; n < PRINT_NUMBERS && search_next(q, c->view, &q->printed); q->printed++)
		numbers[n++] = search_number(c, q->printed);
	if (n > 0 && q->any_printed)
		buf_add_octet(out, ',');
	set_add_numbers(out, numbers, n);
	q->any_printed = true;
	if (n == PRINT_NUMBERS)
		return imap_wait_drained(s, c, print_all);
	buf_add(out, SPAN("\r\n"));
	return search_end(s, c);
}

static int print_extended(struct imap *s, struct imap_command *c, struct search_ends ends)
{
	return search_begin_extended(s, c, c->args, ends) ? print_all(s, c) : search_end(s, c);
}

/* The untagged SEARCH of RFC 3501. */
static int print_numbers(struct imap *s, struct imap_command *c)
{
	struct search *q = c->args;
	struct buf *out = imap_out(s);
	size_t n = 0;

	if (q->printed == 0)
		buf_add(out, SPAN("* SEARCH"));
	for (; n < PRINT_NUMBERS && search_next(q, c->view, &q->printed); q->printed++, n++) {
		buf_add_octet(out, ' ');
		buf_add_u64(out, search_number(c, q->printed));
	}
	if (n == PRINT_NUMBERS)
		return imap_wait_drained(s, c, print_numbers);
	if (q->has_modseq && search_count(q) > 0)
		buf_add_format(out, " (MODSEQ %llu)",
			(unsigned long long)search_modseq(c, q, search_ends(c, q)));
	buf_add(out, SPAN("\r\n"));
	return search_end(s, c);
}

static int search_found(struct imap *s, struct imap_command *c)
{
	struct search *q = c->args;
	struct search_ends ends = search_ends(c, q);

	if (q->returns & RETURN_SAVE)
		search_save(s, c, q, ends);
	/* RFC 5182 section 2.1: SAVE alone returns nothing. */
	if (q->returns == (RETURN_GIVEN | RETURN_SAVE))
		return search_end(s, c);
	if (q->returns & RETURN_GIVEN)
		return print_extended(s, c, ends);
	/* RFC 9051 section 7.3: there is no SEARCH response. */
	if (c->enabled & IMAP_REV2) {
		q->returns = RETURN_ALL;
		return print_extended(s, c, ends);
	}
	return print_numbers(s, c);
}

int imap_search(struct imap *s, struct imap_command *c)
{
	return search_start(s, c, search_found);
}
