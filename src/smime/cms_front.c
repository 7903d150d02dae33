/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A cursor that enters constructed values without asking for their end, and passes over whole ones.
 * Each octet is looked at once. Indefinite lengths are passed over by a depth that is counted, so
 * there is no recursion.
 */

#include "smime/cms_front.h"

#include "pki/der.h"
#include "smime/ber.h"

enum {
	CONTEXT_0 = 0xa0,
	CONTEXT_0_PRIMITIVE = 0x80,
	RECIPIENT_LAST = 0xa4, /* [1] to [4] are kinds of recipients, RFC 5652 section 6.2 */
	DEPTH_MAX = 32,
};

struct front {
	struct span rest;
	bool is_whole;
	size_t n_open; /* values of unknown length around the one that is entered next */
};

static bool pass_octets(struct front *f, uint64_t n)
{
	if (n > f->rest.n)
		return false;
	f->rest = span_skip(f->rest, (size_t)n);
	return true;
}

static bool is_end_of_contents(const struct ber_head *h)
{
	return h->tag == 0 && !h->is_indefinite && h->size == 0;
}

/* The content of a value whose head was taken. */
static bool pass_content(struct front *f, const struct ber_head *h)
{
	unsigned depth = h->is_indefinite;
	struct ber_head inner;

	if (!h->is_indefinite)
		return pass_octets(f, h->size);
	while (depth) {
		if (!ber_head_next(&f->rest, &inner))
			return false;
		if (is_end_of_contents(&inner))
			depth--;
		else if (!inner.is_indefinite && !pass_octets(f, inner.size))
			return false;
		else if (inner.is_indefinite && ++depth > DEPTH_MAX)
			return false;
	}
	return true;
}

static bool pass(struct front *f, uint8_t tag, struct span *ret_content)
{
	struct span before;
	struct ber_head h;

	if (!ber_head_next(&f->rest, &h) || h.tag != tag)
		return false;
	before = f->rest;
	if (!pass_content(f, &h))
		return false;
	*ret_content = span_head(before, before.n - f->rest.n);
	return true;
}

/* Enters a constructed value. One of definite length ends within what is there, if that is all, and
 * where it is the last thing there is, nothing is behind it. */
static bool enter(struct front *f, uint8_t tag, bool is_last)
{
	struct ber_head h;

	if (!ber_head_next(&f->rest, &h) || h.tag != tag)
		return false;
	f->n_open += h.is_indefinite;
	if (!f->is_whole || h.is_indefinite)
		return true;
	return is_last ? h.size + 2 * f->n_open == f->rest.n : h.size <= f->rest.n;
}

static bool is_type(struct span oid)
{
	static const struct span types[] = {
		SPAN("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"),
		SPAN("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17"),
	};

	return span_equal(oid, types[0]) || span_equal(oid, types[1]);
}

static bool is_next(const struct front *f, uint8_t tag)
{
	return f->rest.n && f->rest.p[0] == tag;
}

/* A SET of at least one RecipientInfo. */
static bool pass_recipients(struct front *f)
{
	struct span recipients;

	if (!pass(f, DER_SET, &recipients) || recipients.n == 0)
		return false;
	return recipients.p[0] == DER_SEQUENCE ||
	       (recipients.p[0] > CONTEXT_0 && recipients.p[0] <= RECIPIENT_LAST);
}

/* RFC 5652 section 6.1: EncryptedContentInfo, whose content is there and not empty. */
static bool has_content(struct front *f)
{
	struct span ignored;
	struct ber_head h;

	if (!enter(f, DER_SEQUENCE, false) || !pass(f, DER_OID, &ignored) ||
		!pass(f, DER_SEQUENCE, &ignored) || !ber_head_next(&f->rest, &h))
		return false;
	if (h.tag == CONTEXT_0_PRIMITIVE && h.size == 0)
		return false;
	/* In pieces: the first one is a string, perhaps in pieces itself. */
	if (h.tag == CONTEXT_0 && !is_next(f, DER_OCTET_STRING) &&
		!is_next(f, DER_OCTET_STRING | BER_CONSTRUCTED))
		return false;
	if (h.tag != CONTEXT_0 && h.tag != CONTEXT_0_PRIMITIVE)
		return false;
	if (f->is_whole && !h.is_indefinite && h.size > f->rest.n)
		return false;
	return f->rest.n > 0;
}

/* One value and nothing behind it. */
static bool is_one(struct span ber)
{
	struct front f = { .rest = ber };
	struct ber_head h;

	return ber_head_next(&f.rest, &h) && pass_content(&f, &h) && f.rest.n == 0;
}

bool cms_front_is_encrypted(struct span ber, bool is_whole)
{
	struct front f = { .rest = ber, .is_whole = is_whole };
	struct span oid, ignored;

	return (!is_whole || is_one(ber)) && enter(&f, DER_SEQUENCE, true) &&
	       pass(&f, DER_OID, &oid) && is_type(oid) && enter(&f, CONTEXT_0, true) &&
	       enter(&f, DER_SEQUENCE, true) && pass(&f, DER_INTEGER, &ignored) &&
	       (!is_next(&f, CONTEXT_0) || pass(&f, CONTEXT_0, &ignored)) && pass_recipients(&f) &&
	       has_content(&f);
}
