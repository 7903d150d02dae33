/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * COMPRESS=DEFLATE. The peer may use the full window of 32 KiB, so expanding must have it; our own
 * window is smaller, mail's repetitions are near. Expanding stops when the caller's room is full
 * and goes on at the next call: a bomb costs time in small pieces, not memory.
 */

#include "net/squeeze.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <zlib.h>

enum {
	OUR_WINDOW_BITS = 13,
	OUR_MEMORY_LEVEL = 6, /* with the window: 64 KiB */
	PEER_WINDOW_BITS = 15,
};

struct squeeze {
	z_stream compress;
	z_stream expand;
	struct buf input;
	bool has_more; /* the expander may hold output that did not fit */
	bool has_ended;
};

struct squeeze *squeeze_new(void)
{
	struct squeeze *z = ALLOC(struct squeeze);
	int r = deflateInit2(&z->compress, Z_BEST_SPEED, Z_DEFLATED, -OUR_WINDOW_BITS,
		OUR_MEMORY_LEVEL, Z_DEFAULT_STRATEGY);

	/* They fail for want of memory only. */
	assert(r == Z_OK);
	r = inflateInit2(&z->expand, -PEER_WINDOW_BITS);
	assert(r == Z_OK);
	return z;
}

struct squeeze *squeeze_free(struct squeeze *z)
{
	if (z) {
		(void)deflateEnd(&z->compress);
		(void)inflateEnd(&z->expand);
		buf_done(&z->input);
		free(z);
	}
	return NULL;
}

void squeeze_compress(struct squeeze *z, struct span data, struct buf *out)
{
	enum { ROOM = 16 * 1024 };

	if (data.n == 0)
		return;
	z->compress.next_in = (Bytef *)(uintptr_t)data.p;
	z->compress.avail_in = (uInt)data.n;
	do {
		z->compress.next_out = buf_room(out, ROOM);
		z->compress.avail_out = ROOM;
		(void)deflate(&z->compress, Z_SYNC_FLUSH);
		buf_added(out, ROOM - z->compress.avail_out);
	} while (z->compress.avail_out == 0);
}

struct buf *squeeze_input(struct squeeze *z)
{
	return &z->input;
}

bool squeeze_holds_input(const struct squeeze *z)
{
	return z->has_more || buf_size(&z->input);
}

int squeeze_expand(struct squeeze *z, struct buf *out, size_t max)
{
	struct span input = buf_span(&z->input);
	size_t n;
	int r;

	if (z->has_ended)
		return SQUEEZE_E_SYNTAX;
	if (!squeeze_holds_input(z))
		return SQUEEZE_E_MORE;
	z->expand.next_in = (Bytef *)(uintptr_t)input.p;
	z->expand.avail_in = (uInt)input.n;
	z->expand.next_out = buf_room(out, max);
	z->expand.avail_out = (uInt)max;
	r = inflate(&z->expand, Z_SYNC_FLUSH);
	n = max - z->expand.avail_out;
	buf_added(out, n);
	buf_take(&z->input, input.n - z->expand.avail_in);
	if (buf_size(&z->input) == 0)
		buf_done(&z->input);
	z->has_more = z->expand.avail_out == 0;
	z->has_ended = r == Z_STREAM_END;
	if (r != Z_OK && r != Z_BUF_ERROR && r != Z_STREAM_END)
		return SQUEEZE_E_SYNTAX;
	if (n)
		return 0;
	return z->has_ended ? SQUEEZE_E_SYNTAX : SQUEEZE_E_MORE;
}
