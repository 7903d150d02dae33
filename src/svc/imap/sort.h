/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The order of SORT (RFC 5256 section 3). A sorter collects what the keys need of each message and
 * then orders the messages. Pure.
 */

#include "mime/envelope.h"
#include "store/message.h"

enum sort_by {
	SORT_ARRIVAL, SORT_CC, SORT_DATE, SORT_FROM, SORT_SIZE, SORT_SUBJECT, SORT_TO,
	SORT_KEYS,
};

struct sort_key {
	enum sort_by by;
	bool reverse;
};

enum {
	SORT_TEXT_MAX = 1024,           /* octets of a text that are compared */
	SORT_TEXTS_MAX = 64 << 20,      /* octets of all texts of one sort */
};

struct sort_item;

struct sorter {
	size_t n_keys;
	struct sort_key keys[SORT_KEYS]; /* the most significant first; none twice */

	/* Private. */
	struct sort_item *items;
	size_t n, capacity;
	uint64_t *values;                /* n_keys of each item */
	struct buf texts;
};

/* Whether the keys need the envelope. */
bool sorter_needs_envelope(const struct sorter *sorter);

/* Adds a message with its number, which breaks ties: lower first. envelope may be NULL if it is not
 * needed. SORT_E_LIMIT: more texts than one sort may hold. */
enum sort_outcome { SORT_E_LIMIT = 1 };
int sorter_add(struct sorter *sorter, uint32_t number, const struct store_message *row,
	const struct envelope *envelope) MUST_CHECK;

/* Orders what was added; sorter_number gives it by rank from then on. */
void sorter_sort(struct sorter *sorter);
uint32_t sorter_number(const struct sorter *sorter, size_t rank);
void sorter_done(struct sorter *sorter);

/* The date by which SORT and THREAD order: Date:, else when the message arrived (RFC 5256 section
 * 2.2). */
static inline int64_t sort_date(const struct store_message *row)
{
	return row->sent_us ? row->sent_us : row->received_us;
}
