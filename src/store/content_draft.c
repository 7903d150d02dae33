/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What can be made of a body before the transaction, on any thread: its digest and its stored form.
 * A body is compressed where that saves an eighth; below PACK_MIN octets it hardly ever does.
 */

#include "store/content.h"

#include "store/pack.h"

#include <assert.h>
#include <zstd.h>

enum { PACK_MIN = 1024, PACK_LEVEL = 1 };

void content_draft_done(struct content_draft *d)
{
	buf_done(&d->data);
	buf_done(&d->envelope);
	buf_done(&d->structure);
	buf_done(&d->references_text);
}

/* The codec; the octets as stored go to out. */
static unsigned pack(struct span octets, struct buf *out)
{
	size_t bound = octets.n - octets.n / 8;
	size_t n;

	buf_clear(out);
	if (octets.n > PACK_MIN) {
		/* With no room for more than the bound it gives up early. */
		n = ZSTD_compress(buf_room(out, bound), bound, octets.p, octets.n, PACK_LEVEL);
		if (!ZSTD_isError(n)) {
			buf_added(out, n);
			return PACK_ZSTD;
		}
	}
	buf_add(out, octets);
	return PACK_NONE;
}

void content_draft_set_inline(struct content_draft *d, struct span octets)
{
	assert(octets.n <= CONTENT_INLINE);
	d->size = octets.n;
	d->upload = 0;
	digest_sha256(octets, d->sha256);
	d->codec = pack(octets, &d->data);
}

void content_piece_make(struct content_piece *piece, struct span octets)
{
	assert(octets.n <= CONTENT_PIECE);
	piece->codec = pack(octets, &piece->data);
}
