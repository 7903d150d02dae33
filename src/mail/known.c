/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * One word a recipient: a hash that nobody outside of this process can aim at. Each mark has one
 * place and overwrites who had it.
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

/* 0 is an empty place: a mark of 0 is never known. */
bool known_has(const struct known *k, uint64_t mark)
{
	return mark &&
	       atomic_load_explicit(&k->marks[mark % KNOWN_SLOTS], memory_order_relaxed) == mark;
}

void known_add(struct known *k, uint64_t mark)
{
	atomic_store_explicit(&k->marks[mark % KNOWN_SLOTS], mark, memory_order_relaxed);
}
