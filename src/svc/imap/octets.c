/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Reading ranges of a message. What comes from the store is kept until something else is needed, so
 * many small ranges in a row (the headers of ten thousand parts) cost one read each piece.
 */

#include "svc/imap/octets.h"

#include <errno.h>

void octets_set(struct octets *o, const struct store_message *row)
{
	o->data = row->data;
	o->content = row->content;
	o->size = row->size;
	buf_clear(&o->window);
	o->window_at = 0;
}

void octets_done(struct octets *o)
{
	buf_done(&o->window);
}

static int window_load(struct octets *o, struct store_conn *conn, uint64_t offset)
{
	uint64_t n;

	buf_clear(&o->window);
	o->window_at = offset - offset % CONTENT_PIECE;
	n = o->size - o->window_at;
	return store_content_read(conn, o->content, o->window_at,
		n < CONTENT_PIECE ? n : CONTENT_PIECE, &o->window);
}

int octets_read(struct octets *o, struct store_conn *conn, uint64_t offset, uint64_t n,
	struct span *ret_octets)
{
	struct span rest = {};

	if (offset > o->size || n > o->size - offset)
		return err_fault(EINVAL, "range lies outside of the message");
	if (o->data.p) {
		rest = span_skip(o->data, offset);
	} else if (n > 0) {
		if (offset < o->window_at || offset - o->window_at >= buf_size(&o->window))
			TRY(window_load(o, conn, offset));
		rest = span_skip(buf_span(&o->window), offset - o->window_at);
	}
	if (n > 0 && rest.n == 0)
		return err_fault(EIO, "body is shorter than its row says");
	*ret_octets = span_head(rest, n);
	return 0;
}

int octets_copy(struct octets *o, struct store_conn *conn, uint64_t offset, uint64_t n,
	struct buf *out)
{
	while (n > 0) {
		struct span piece = {};

		TRY(octets_read(o, conn, offset, n, &piece));
		buf_add(out, piece);
		offset += piece.n;
		n -= piece.n;
	}
	return 0;
}
