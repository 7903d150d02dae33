/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A walk over nested values with a stack of ends rather than recursion: hostile nesting costs
 * nothing. Default values that are written out (X.690 section 11.5) are not looked for: that needs
 * to know what is read, and certificates with a written "CA:FALSE" are common.
 */

#include "pki/der.h"

enum {
	CONSTRUCTED = 0x20,
	TAG_NUMBER = 0x1f,
	DEPTH_MAX = 32,
};

bool der_next(struct span *s, struct der *ret_value)
{
	size_t head = 2, n;

	if (s->n < 2 || (s->p[0] & TAG_NUMBER) == TAG_NUMBER)
		return false;
	n = s->p[1];
	if (n & 0x80) {
		size_t n_octets = n & 0x7f;

		if (n_octets == 0 || n_octets > 4 || s->n - 2 < n_octets || s->p[2] == 0)
			return false;
		n = 0;
		for (size_t i = 0; i < n_octets; i++)
			n = n << 8 | s->p[2 + i];
		if (n < 0x80)
			return false;
		head += n_octets;
	}
	if (s->n - head < n)
		return false;
	*ret_value = (struct der){ s->p[0], span_of(s->p + head, n), span_of(s->p, head + n) };
	*s = span_skip(*s, head + n);
	return true;
}

bool der_only(struct span s, uint8_t tag, struct span *ret_content)
{
	struct der value;

	if (!der_next(&s, &value) || s.n || value.tag != tag)
		return false;
	*ret_content = value.content;
	return true;
}

/* X.690 section 8.3.2: the first nine bits are not all alike. */
static bool integer_is_strict(struct span v)
{
	if (v.n == 0)
		return false;
	return v.n == 1 ||
	       !((v.p[0] == 0 && !(v.p[1] & 0x80)) || (v.p[0] == 0xff && (v.p[1] & 0x80)));
}

/* X.690 section 8.19.2: no number begins with 0x80, the last one ends. */
static bool oid_is_strict(struct span v)
{
	bool begins = true;

	for (size_t i = 0; i < v.n; i++) {
		if (begins && v.p[i] == 0x80)
			return false;
		begins = !(v.p[i] & 0x80);
	}
	return v.n && begins;
}

static bool bits_are_strict(struct span v)
{
	uint8_t unused;

	if (v.n == 0 || v.p[0] > 7)
		return false;
	unused = v.p[0];
	if (v.n == 1)
		return unused == 0;
	return (v.p[v.n - 1] & ((1u << unused) - 1)) == 0; /* X.690 section 11.2.1 */
}

static bool primitive_is_strict(const struct der *value)
{
	switch (value->tag) {
	case DER_BOOLEAN:
		return value->content.n == 1 &&
		       (value->content.p[0] == 0 || value->content.p[0] == 0xff);
	case DER_INTEGER:
		return integer_is_strict(value->content);
	case DER_OID:
		return oid_is_strict(value->content);
	case DER_NULL:
		return value->content.n == 0;
	case DER_BIT_STRING:
		return bits_are_strict(value->content);
	case DER_SEQUENCE & ~CONSTRUCTED:
	case DER_SET & ~CONSTRUCTED:
		return false;
	default:
		return true;
	}
}

/* Strings in pieces are BER (X.690 section 10.2): of the universal tags only these two are built.
 */
static bool constructed_is_strict(uint8_t tag)
{
	return tag & 0xc0 || tag == DER_SEQUENCE || tag == DER_SET;
}

bool der_is_strict(struct span s)
{
	struct span rest[DEPTH_MAX] = { s };
	size_t depth = 0;
	struct der value;

	if (!der_next(&s, &value) || s.n)
		return false;
	for (;;) {
		if (rest[depth].n == 0) {
			if (depth == 0)
				return true;
			depth--;
			continue;
		}
		if (!der_next(&rest[depth], &value))
			return false;
		if (!(value.tag & CONSTRUCTED)) {
			if (!primitive_is_strict(&value))
				return false;
			continue;
		}
		if (!constructed_is_strict(value.tag) || ++depth == DEPTH_MAX)
			return false;
		rest[depth] = value.content;
	}
}
