/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * One word a recipient: a hash that nobody outside of this process can aim at, whose lowest bit
 * gives way to what the recipient is known as. Each mark has one place and overwrites who had it.
 */

#include "mail/known.h"

#include "base/buf.h"
#include "base/map.h"
#include "mail/transaction.h"

static void add_lower(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		buf_add_octet(out, octet_lower(text.p[i]));
}

uint64_t known_mark(const struct mail_address *address, uint64_t routes_version)
{
	CLEANUP(buf_done) struct buf key = {};

	buf_add(&key, span_of(&routes_version, sizeof routes_version));
	add_lower(&key, address->local);
	buf_add_octet(&key, '@');
	add_lower(&key, address->domain);
	return map_hash(buf_span(&key));
}

enum { RULES_BIT = 1 };

static size_t slot_of(uint64_t mark)
{
	return mark / 2 % KNOWN_SLOTS;
}

/* 0 is an empty place: a mark of 0 is never known. */
enum known_as known_find(const struct known *k, uint64_t mark)
{
	uint64_t there = atomic_load_explicit(&k->marks[slot_of(mark)], memory_order_relaxed);

	if (there / 2 == 0 || there / 2 != mark / 2)
		return KNOWN_NOT;
	return there & RULES_BIT ? KNOWN_WITH_RULES : KNOWN_GOOD;
}

void known_add(struct known *k, uint64_t mark, enum known_as as)
{
	uint64_t word = (mark & ~(uint64_t)RULES_BIT) | (as == KNOWN_WITH_RULES ? RULES_BIT : 0);

	atomic_store_explicit(&k->marks[slot_of(mark)], word, memory_order_relaxed);
}
