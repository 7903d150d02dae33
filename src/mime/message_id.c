/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Message ids in header fields. The grammar is RFC 5322 section 3.6.4, and what people send
 * instead: phrases between the ids of In-Reply-To, ids without brackets, quoted parts.
 */

#include "mime/message_id.h"

#include "base/digest.h"

enum { ID_MAX = 998 }; /* a line, RFC 5322 section 2.1.1 */

struct message_ids message_ids_of(struct span value)
{
	return (struct message_ids){ value, span_find(value, '<') < value.n };
}

/* Takes the octets of the next id: what is in <>, else the next word. n 0 at the end. */
static struct span take_raw_id(struct message_ids *ids)
{
	struct span s = ids->brackets ? span_skip(ids->rest, span_find(ids->rest, '<'))
				      : span_trim(ids->rest);
	size_t n = 1;

	while (n < s.n && (ids->brackets ? s.p[n] != '>' && s.p[n] != '<' : s.p[n] > ' '))
		n++;
	ids->rest = span_skip(s, n);
	return span_head(s, n);
}

bool message_id_next(struct message_ids *ids, struct buf *id)
{
	for (;;) {
		struct span raw = take_raw_id(ids);

		buf_clear(id);
		if (raw.n == 0)
			return false;
		if (raw.n > ID_MAX || (!ids->brackets && span_find(raw, '@') == raw.n))
			continue;
		if (ids->brackets)
			raw = span_skip(raw, 1);
		for (size_t i = 0; i < raw.n; i++) {
			if (raw.p[i] > ' ' && raw.p[i] != '"' && raw.p[i] != '\\')
				buf_add_octet(id, raw.p[i]);
		}
		if (buf_size(id))
			return true;
	}
}

uint64_t message_id_hash(struct span id)
{
	uint8_t digest[SHA256_OCTETS];
	uint64_t hash = 0;

	if (id.n == 0)
		return 0;
	digest_sha256(id, digest);
	for (unsigned i = 0; i < 8; i++)
		hash = hash << 8 | digest[i];
	return hash ? hash : 1;
}
