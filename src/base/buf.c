/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/buf.h"

#include "base/alloc.h"
#include "base/err.h"

#include <stdlib.h>

uint8_t *buf_room(struct buf *b, size_t n)
{
	size_t size = buf_size(b);

	if (b->capacity - b->end >= n)
		return b->p + b->end;
	if (b->start >= size && b->capacity - size >= n) {
		memmove(b->p, b->p + b->start, size);
	} else {
		size_t want = b->capacity ? b->capacity : 64;
		uint8_t *grown;

		while (want < size + n)
			want *= 2;
		grown = alloc_resize(NULL, want);
		if (size)
			memcpy(grown, b->p + b->start, size);
		/* What grows may be a password that arrives in pieces. */
		if (b->p)
			explicit_bzero(b->p, b->capacity);
		free(b->p);
		b->p = grown;
		b->capacity = want;
	}
	b->start = 0;
	b->end = size;
	return b->p + b->end;
}

void buf_added(struct buf *b, size_t n)
{
	b->end += n;
}

void buf_add(struct buf *b, struct span data)
{
	if (data.n == 0)
		return;
	memcpy(buf_room(b, data.n), data.p, data.n);
	b->end += data.n;
}

void buf_add_octet(struct buf *b, uint8_t octet)
{
	*buf_room(b, 1) = octet;
	b->end++;
}

void buf_add_string(struct buf *b, const char *s)
{
	buf_add(b, span_str(s));
}

void buf_add_format(struct buf *b, const char *format, ...)
{
	CLEANUP(alloc_freep) char *text = NULL;
	va_list ap;

	va_start(ap, format);
	text = alloc_format_list(format, ap);
	va_end(ap);
	buf_add_string(b, text);
}

void buf_add_u64(struct buf *b, uint64_t value)
{
	uint8_t digits[20];
	size_t n = sizeof digits;

	do {
		digits[--n] = (uint8_t)('0' + value % 10);
		value /= 10;
	} while (value);
	buf_add(b, span_of(digits + n, sizeof digits - n));
}

void buf_add_varint(struct buf *b, uint64_t value)
{
	while (value >= 0x80) {
		buf_add_octet(b, (uint8_t)(value | 0x80));
		value >>= 7;
	}
	buf_add_octet(b, (uint8_t)value);
}

void buf_take(struct buf *b, size_t n)
{
	if (n >= buf_size(b))
		b->start = b->end = 0;
	else
		b->start += n;
}

void buf_cut(struct buf *b, size_t n)
{
	if (n < buf_size(b))
		b->end = b->start + n;
}

void buf_clear(struct buf *b)
{
	b->start = b->end = 0;
}

void buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf){};
}

void buf_wipe(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->capacity);
	buf_done(b);
}

uint8_t *buf_steal(struct buf *b, size_t *ret_n)
{
	size_t n = buf_size(b);
	uint8_t *p;

	*buf_room(b, 1) = 0;
	if (b->start)
		memmove(b->p, b->p + b->start, n + 1);
	p = b->p;
	*b = (struct buf){};
	if (ret_n)
		*ret_n = n;
	return p;
}

char *buf_steal_string(struct buf *b)
{
	return (char *)buf_steal(b, NULL);
}

uint64_t reader_varint(struct reader *r)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t octet;

		if (r->rest.n == 0)
			break;
		octet = r->rest.p[0];
		r->rest = span_skip(r->rest, 1);
		value |= (uint64_t)(octet & 0x7F) << shift;
		if (!(octet & 0x80))
			return value;
	}
	r->failed = true;
	return 0;
}

struct span reader_span(struct reader *r, uint64_t n)
{
	struct span s;

	if (n > r->rest.n) {
		r->failed = true;
		return (struct span){};
	}
	s = span_head(r->rest, (size_t)n);
	r->rest = span_skip(r->rest, (size_t)n);
	return s;
}
