/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Two walks over the same values. The first measures what each constructed value will hold, the
 * second writes; so everything is copied once, however deeply it is nested.
 */

#include "smime/ber.h"

#include "base/alloc.h"
#include "pki/der.h"

#include <stdlib.h>

enum {
	TAG_NUMBER = 0x1f,
	PIECES = DER_OCTET_STRING | BER_CONSTRUCTED,
	DEPTH_MAX = 32,
	VALUES_MAX = 1 << 20,
	LENGTH_MAX = 1 << 28,
};

struct ber {
	uint32_t
		*sizes; /* of the content of constructed values, in the order in which they begin */
	size_t at;
	size_t n_values;
	struct secret_buf *out;
	int outcome;
};

struct value {
	uint8_t tag;
	bool is_indefinite;
	struct span content; /* if definite */
};

static bool fail(struct ber *b, enum ber_outcome outcome)
{
	b->outcome = outcome;
	return false;
}

bool ber_head_next(struct span *s, struct ber_head *ret_head)
{
	struct ber_head h;
	size_t n;

	if (s->n < 2 || (s->p[0] & TAG_NUMBER) == TAG_NUMBER)
		return false;
	h = (struct ber_head){ .tag = s->p[0], .size = s->p[1] };
	*s = span_skip(*s, 2);
	if (h.size & 0x80) {
		n = h.size & 0x7f;
		h.is_indefinite = n == 0;
		/* X.690 section 8.1.3.2: constructed values only. */
		if (h.is_indefinite && !(h.tag & BER_CONSTRUCTED))
			return false;
		if (n > sizeof h.size || n > s->n)
			return false;
		h.size = 0;
		for (size_t i = 0; i < n; i++)
			h.size = h.size << 8 | s->p[i];
		*s = span_skip(*s, n);
	}
	*ret_head = h;
	return true;
}

/* Takes the head away from the front, and the content if its length is known. */
static bool value_next(struct ber *b, struct span *s, struct value *ret)
{
	struct ber_head h;

	if (++b->n_values > VALUES_MAX)
		return fail(b, BER_E_LIMIT);
	if (!ber_head_next(s, &h) || h.size > s->n)
		return fail(b, BER_E_SYNTAX);
	*ret = (struct value){ h.tag, h.is_indefinite, span_head(*s, (size_t)h.size) };
	*s = span_skip(*s, (size_t)h.size);
	return true;
}

static bool at_end_of_contents(struct span s)
{
	return s.n >= 2 && s.p[0] == 0 && s.p[1] == 0;
}

static size_t header_size_of(size_t n)
{
	size_t size = 2;

	for (size_t rest = n; n >= 0x80 && rest; rest >>= 8)
		size++;
	return size;
}

static void write_header(struct ber *b, uint8_t tag, size_t n)
{
	uint8_t header[8] = { tag };
	size_t size = header_size_of(n);

	if (size == 2)
		header[1] = (uint8_t)n;
	else
		header[1] = (uint8_t)(0x80 | (size - 2));
	for (size_t i = 2; i < size; i++)
		header[i] = (uint8_t)(n >> 8 * (size - 1 - i));
	if (!secret_buf_add(b->out, span_of(header, size)))
		(void)fail(b, BER_E_LIMIT);
}

/* One value: measured (*ret_size: with its header, or of a piece its content alone), or written
 * where the sizes are known. Recursion is as deep as DEPTH_MAX. */
static bool walk(struct ber *b, struct span *s, unsigned depth, bool in_pieces, bool writing,
	size_t *ret_size);

/* What a constructed value holds. */
static bool walk_content(struct ber *b, struct span *s, const struct value *v, unsigned depth,
	bool writing, size_t *ret_size)
{
	struct span content = v->content;
	struct span *rest = v->is_indefinite ? s : &content;
	size_t size;

	*ret_size = 0;
	while (v->is_indefinite ? !at_end_of_contents(*rest) : rest->n > 0) {
		if (!walk(b, rest, depth + 1, v->tag == PIECES, writing, &size))
			return false;
		*ret_size += size;
		if (*ret_size > LENGTH_MAX)
			return fail(b, BER_E_LIMIT);
	}
	if (v->is_indefinite)
		*s = span_skip(*s, 2);
	return true;
}

static bool walk_primitive(struct ber *b, const struct value *v, bool in_pieces, bool writing,
	size_t *ret_size)
{
	*ret_size = v->content.n + (in_pieces ? 0 : header_size_of(v->content.n));
	if (!writing)
		return true;
	if (!in_pieces)
		write_header(b, v->tag, v->content.n);
	if (!secret_buf_add(b->out, v->content))
		(void)fail(b, BER_E_LIMIT);
	return b->outcome == 0;
}

static bool is_string_in_pieces(uint8_t tag)
{
	return !(tag & 0xc0) && tag & BER_CONSTRUCTED && tag != DER_SEQUENCE && tag != DER_SET;
}

static bool walk(struct ber *b, struct span *s, unsigned depth, bool in_pieces, bool writing,
	size_t *ret_size)
{
	struct value v;
	size_t at = b->at, size;

	if (depth > DEPTH_MAX)
		return fail(b, BER_E_LIMIT);
	if (!value_next(b, s, &v))
		return false;
	if ((v.tag == 0 && !writing) ||
		(in_pieces && (v.tag & ~BER_CONSTRUCTED) != DER_OCTET_STRING) ||
		(is_string_in_pieces(v.tag) && v.tag != PIECES))
		return fail(b, BER_E_SYNTAX);
	if (!(v.tag & BER_CONSTRUCTED))
		return walk_primitive(b, &v, in_pieces, writing, ret_size);
	b->at++;
	if (!writing) {
		b->sizes = alloc_array(b->sizes, b->at, sizeof *b->sizes);
	} else if (!in_pieces) {
		write_header(b, v.tag == PIECES ? DER_OCTET_STRING : v.tag, b->sizes[at]);
	}
	if (!walk_content(b, s, &v, depth, writing, &size))
		return false;
	if (!writing)
		b->sizes[at] = (uint32_t)size;
	*ret_size = size + (in_pieces ? 0 : header_size_of(size));
	return true;
}

int ber_to_definite(struct span ber, struct secret_buf *out)
{
	struct ber b = { .out = out };
	struct span s = ber;
	size_t size;

	if (!walk(&b, &s, 0, false, false, &size) || s.n) {
		free(b.sizes);
		return b.outcome ? b.outcome : BER_E_SYNTAX;
	}
	s = ber;
	b.at = b.n_values = 0;
	if (!secret_buf_room(out, size))
		b.outcome = BER_E_LIMIT;
	else
		(void)walk(&b, &s, 0, false, true, &size);
	free(b.sizes);
	return b.outcome;
}
