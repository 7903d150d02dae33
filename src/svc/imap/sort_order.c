/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Sort keys and their comparison. Each key of a message is 64 bits: a number in an order-preserving
 * form, or place and length of a text in one buffer. So a hundred thousand messages sort in a few
 * blocks of memory. Texts are stored as mime/fold.h folds them, so comparing is comparing octets.
 */

#include "svc/imap/sort.h"

#include "base/alloc.h"
#include "mime/fold.h"
#include "mime/subject.h"
#include "mime/word.h"

#include <stdlib.h>

struct sort_item {
	uint32_t number;
	uint32_t at; /* of its values, in items */
};

enum { TEXT_BITS = 16 }; /* of a value: the text's length */

static bool by_text(enum sort_by by)
{
	return by == SORT_CC || by == SORT_FROM || by == SORT_SUBJECT || by == SORT_TO;
}

bool sorter_needs_envelope(const struct sorter *sorter)
{
	for (size_t i = 0; i < sorter->n_keys; i++) {
		if (by_text(sorter->keys[i].by))
			return true;
	}
	return false;
}

/* Signed numbers in the order of unsigned ones. */
static uint64_t value_number(int64_t number)
{
	return (uint64_t)number ^ (UINT64_C(1) << 63);
}

static uint64_t value_text(struct sorter *sorter, struct span text)
{
	size_t at = buf_size(&sorter->texts);
	size_t n;

	fold_text(text, &sorter->texts);
	n = buf_size(&sorter->texts) - at;
	if (n > SORT_TEXT_MAX) {
		n = SORT_TEXT_MAX;
		buf_cut(&sorter->texts, at + n);
	}
	return (uint64_t)at << TEXT_BITS | n;
}

/* RFC 5256 section 3: the mailbox of the first address; of a group its name. */
static uint64_t value_mailbox(struct sorter *sorter, const struct envelope_list *list)
{
	CLEANUP(buf_done) struct buf text = {};

	if (list->n > 0)
		word_add_utf8(&text, list->addresses[0].mailbox);
	return value_text(sorter, buf_span(&text));
}

static uint64_t value_subject(struct sorter *sorter, struct span subject)
{
	CLEANUP(buf_done) struct buf base = {};

	(void)subject_base(subject, &base);
	return value_text(sorter, buf_span(&base));
}

static uint64_t sort_value(struct sorter *sorter, enum sort_by by, const struct store_message *row,
	const struct envelope *envelope)
{
	switch (by) {
	case SORT_ARRIVAL:
		return value_number(row->received_us);
	case SORT_DATE:
		return value_number(sort_date(row));
	case SORT_SIZE:
		return row->size;
	case SORT_SUBJECT:
		return value_subject(sorter, envelope->subject);
	case SORT_FROM:
		return value_mailbox(sorter, &envelope->from);
	case SORT_TO:
		return value_mailbox(sorter, &envelope->to);
	default: /* SORT_CC */
		return value_mailbox(sorter, &envelope->cc);
	}
}

int sorter_add(struct sorter *sorter, uint32_t number, const struct store_message *row,
	const struct envelope *envelope)
{
	uint64_t *values;

	if (buf_size(&sorter->texts) > SORT_TEXTS_MAX)
		return SORT_E_LIMIT;
	if (sorter->n == sorter->capacity) {
		sorter->capacity = sorter->capacity ? 2 * sorter->capacity : 1024;
		sorter->items = alloc_array(sorter->items, sorter->capacity, sizeof *sorter->items);
		sorter->values = alloc_array(sorter->values, sorter->capacity,
			sorter->n_keys * sizeof *sorter->values);
	}
	values = sorter->values + sorter->n * sorter->n_keys;
	for (size_t i = 0; i < sorter->n_keys; i++)
		values[i] = sort_value(sorter, sorter->keys[i].by, row, envelope);
	sorter->items[sorter->n] = (struct sort_item){ number, (uint32_t)sorter->n };
	sorter->n++;
	return 0;
}

static struct span text_of(const struct sorter *sorter, uint64_t value)
{
	return span_head(span_skip(buf_span(&sorter->texts), value >> TEXT_BITS),
		value & ((1u << TEXT_BITS) - 1));
}

static int value_compare(const struct sorter *sorter, enum sort_by by, uint64_t a, uint64_t b)
{
	if (by_text(by))
		return span_compare(text_of(sorter, a), text_of(sorter, b));
	return (a > b) - (a < b);
}

static int item_compare(const void *left, const void *right, void *context)
{
	const struct sort_item *a = left, *b = right;
	const struct sorter *sorter = context;
	const uint64_t *x = sorter->values + a->at * sorter->n_keys;
	const uint64_t *y = sorter->values + b->at * sorter->n_keys;

	for (size_t i = 0; i < sorter->n_keys; i++) {
		int order = value_compare(sorter, sorter->keys[i].by, x[i], y[i]);

		if (order)
			return sorter->keys[i].reverse ? -order : order;
	}
	return (a->number > b->number) - (a->number < b->number);
}

void sorter_sort(struct sorter *sorter)
{
	if (sorter->n > 1)
		qsort_r(sorter->items, sorter->n, sizeof *sorter->items, item_compare, sorter);
}

uint32_t sorter_number(const struct sorter *sorter, size_t rank)
{
	return sorter->items[rank].number;
}

void sorter_done(struct sorter *sorter)
{
	free(sorter->items);
	free(sorter->values);
	buf_done(&sorter->texts);
	sorter->items = NULL;
	sorter->values = NULL;
}
