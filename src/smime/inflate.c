/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "smime/inflate.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

/* zlib keeps a window of what it has written: with its size before it, so that it can be wiped. */
struct piece {
	size_t n;
	max_align_t memory[];
};

static void *piece_alloc(void *context, unsigned n, unsigned size)
{
	size_t octets = (size_t)n * size;
	struct piece *p;

	(void)context;
	p = calloc(1, sizeof *p + octets);
	if (!p)
		return NULL;
	p->n = octets;
	return p->memory;
}

static void piece_free(void *context, void *memory)
{
	struct piece *p;

	(void)context;
	if (!memory)
		return;
	p = (struct piece *)(void *)((char *)memory - offsetof(struct piece, memory));
	explicit_bzero(p->memory, p->n);
	free(p);
}

static int inflate_all(z_stream *z, struct secret_buf *out)
{
	enum { STEP = 64 << 10 };

	for (;;) {
		size_t left = out->max - out->n;
		size_t n = left < STEP ? left : STEP;
		int r;

		if (n == 0)
			return INFLATE_E_LIMIT;
		z->next_out = secret_buf_room(out, n);
		z->avail_out = (unsigned)n;
		r = inflate(z, Z_NO_FLUSH);
		secret_buf_added(out, n - z->avail_out);
		if (r == Z_STREAM_END)
			return z->avail_in ? INFLATE_E_DAMAGED : 0;
		/* Without progress there is nothing more to come. */
		if (r != Z_OK || (z->avail_out == n && z->avail_in == 0))
			return INFLATE_E_DAMAGED;
	}
}

int inflate_content(struct span compressed, struct secret_buf *out)
{
	z_stream z = { .zalloc = piece_alloc, .zfree = piece_free };
	int r;

	if (compressed.n > UINT32_MAX)
		return INFLATE_E_LIMIT;
	if (inflateInit(&z) != Z_OK)
		return err_fault(ENOMEM, "inflateInit");
	z.next_in = (Bytef *)(uintptr_t)compressed.p;
	z.avail_in = (unsigned)compressed.n;
	r = inflate_all(&z, out);
	(void)inflateEnd(&z);
	return r;
}
