/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * SORT and UID SORT (RFC 5256) with the return options of ESORT (RFC 5267): a search, then the keys
 * of what it found, put in order on a worker, then the numbers in pieces.
 */

#include "svc/imap/sort.h"

#include "base/clock.h"
#include "svc/imap/commands.h"
#include "svc/imap/search.h"

enum { PRINT_NUMBERS = 4096 }; /* that are printed at a time */

struct sort {
	struct search search; /* first: search_start finds it */
	struct sorter sorter;
	size_t printed;
};

static bool sort_has(const struct sorter *sorter, enum sort_by by)
{
	for (size_t i = 0; i < sorter->n_keys; i++) {
		if (sorter->keys[i].by == by)
			return true;
	}
	return false;
}

/* A key that came before decides already. */
static bool parse_sort_key(struct imap_parser *p, struct sorter *sorter)
{
	static const char *const names[SORT_KEYS] = {
		[SORT_ARRIVAL] = "ARRIVAL", [SORT_CC] = "CC", [SORT_DATE] = "DATE",
		[SORT_FROM] = "FROM", [SORT_SIZE] = "SIZE", [SORT_SUBJECT] = "SUBJECT",
		[SORT_TO] = "TO",
	};
	bool reverse = parse_skip_word(p, "REVERSE");

	if (reverse && !parse_space(p))
		return false;
	for (enum sort_by by = 0; by < SORT_KEYS; by++) {
		if (!parse_skip_word(p, names[by]))
			continue;
		if (!sort_has(sorter, by))
			sorter->keys[sorter->n_keys++] = (struct sort_key){ by, reverse };
		return true;
	}
	return parse_fail(p, "unknown sort key");
}

bool imap_parse_sort(struct imap_parser *p, struct imap_command *c)
{
	struct sort *sort = ARENA_ALLOC(p->arena, struct sort);

	c->args = sort;
	if (!parse_space(p))
		return false;
	if (parse_skip_word(p, "RETURN") && (!parse_space(p) ||
		!search_parse_returns(p, &sort->search) || !parse_space(p)))
		return false;
	if (!parse_open(p))
		return false;
	do {
		if (!parse_sort_key(p, &sort->sorter))
			return false;
	} while (parse_skip(p, ' '));
	return parse_close(p) && parse_space(p) && search_parse_charset(p, &sort->search) &&
	       parse_space(p) && search_parse_keys(p, &sort->search, clock_now_us());
}

static void sort_release(void *p)
{
	sorter_done(p);
}

static int sort_each(struct imap_command *c, uint32_t position, const struct store_message *row,
	const struct envelope *envelope)
{
	struct sort *sort = c->args;
	int r = sorter_add(&sort->sorter, position, row, envelope);

	return r == SORT_E_LIMIT ? SEARCH_E_LIMIT : r;
}

static void sort_order(struct imap_command *c)
{
	sorter_sort(&((struct sort *)c->args)->sorter);
}

static int sort_print(struct imap *s, struct imap_command *c)
{
	struct sort *sort = c->args;
	const struct sorter *sorter = &sort->sorter;
	struct buf *out = imap_out(s);
	size_t end = sort->printed + PRINT_NUMBERS;

	if (end > sorter->n)
		end = sorter->n;
	for (; sort->printed < end; sort->printed++) {
		buf_add_octet(out, ' ');
		buf_add_u64(out, search_number(c, sorter_number(sorter, sort->printed)));
	}
	if (end < sorter->n)
		return imap_wait_drained(s, c, sort_print);
	if (sort->search.has_modseq && sorter->n > 0)
		buf_add_format(out, " (MODSEQ %llu)",
			(unsigned long long)search_modseq(c, &sort->search,
				search_ends(c, &sort->search)));
	buf_add(out, SPAN("\r\n"));
	return imap_ok(s, c, NULL, "SORT completed");
}

/* RFC 5267 section 3.1: a set, in the order of the sort. */
static int sort_print_all(struct imap *s, struct imap_command *c)
{
	struct sort *sort = c->args;
	const struct sorter *sorter = &sort->sorter;
	uint32_t numbers[PRINT_NUMBERS];
	struct buf *out = imap_out(s);
	size_t n = 0;

	if (sort->printed > 0)
		buf_add_octet(out, ',');
	while (n < PRINT_NUMBERS && sort->printed < sorter->n)
		numbers[n++] = search_number(c, sorter_number(sorter, sort->printed++));
	set_add_numbers(out, numbers, n);
	if (sort->printed < sorter->n)
		return imap_wait_drained(s, c, sort_print_all);
	buf_add(out, SPAN("\r\n"));
	return imap_ok(s, c, NULL, "SORT completed");
}

static int sort_done(struct imap *s, struct imap_command *c, int outcome)
{
	struct sort *sort = c->args;
	const struct sorter *sorter = &sort->sorter;
	const struct search *q = &sort->search;
	struct search_ends ends = {};

	if (outcome == SEARCH_E_LIMIT)
		return imap_no(s, c, "LIMIT", "Too many messages to sort");
	if (sorter->n > 0) {
		ends.min = sorter_number(sorter, 0);
		ends.max = sorter_number(sorter, sorter->n - 1);
	}
	if (q->returns & RETURN_SAVE)
		search_save(s, c, q, ends);
	if (q->returns == (RETURN_GIVEN | RETURN_SAVE))
		return imap_ok(s, c, NULL, "SORT completed");
	if (!(q->returns & RETURN_GIVEN)) {
		buf_add(imap_out(s), SPAN("* SORT"));
		return sort_print(s, c);
	}
	if (search_begin_extended(s, c, q, ends))
		return sort_print_all(s, c);
	return imap_ok(s, c, NULL, "SORT completed");
}

static int sort_found(struct imap *s, struct imap_command *c)
{
	struct sort *sort = c->args;
	bool envelope = sorter_needs_envelope(&sort->sorter);

	imap_command_release(c, sort_release, &sort->sorter);
	return search_walk(s, c, envelope ? WANT_ENVELOPE : 0, sort_each, sort_order, sort_done);
}

int imap_sort(struct imap *s, struct imap_command *c)
{
	return search_start(s, c, sort_found);
}
