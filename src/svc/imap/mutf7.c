/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Modified UTF-7: printable ASCII stands for itself, "&-" for an ampersand, and everything else is
 * UTF-16 in base64 (with ',' for '/') between '&' and '-'. The decoder refuses what the encoder
 * would not write (printable characters in base64, neighbouring base64 runs, stray bits, half
 * surrogate pairs): two spellings of one mailbox name would be two names to a client's cache.
 */

#include "svc/imap/mutf7.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static bool direct(uint32_t c)
{
	return c >= 0x20 && c <= 0x7e;
}

static void add_utf8(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_add_octet(out, (uint8_t)c);
		return;
	}
	if (c < 0x800) {
		buf_add_octet(out, (uint8_t)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			buf_add_octet(out, (uint8_t)(0xe0 | c >> 12));
		} else {
			buf_add_octet(out, (uint8_t)(0xf0 | c >> 18));
			buf_add_octet(out, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
		}
		buf_add_octet(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_add_octet(out, (uint8_t)(0x80 | (c & 0x3f)));
}

/* The UTF-16 units of one base64 run, joined to characters as they come. */
struct units {
	struct buf *out;
	uint32_t high; /* first half of a pair that waits for the second, or 0 */
	bool bad;
};

static void unit_add(struct units *u, uint32_t unit)
{
	bool low = unit >= 0xdc00 && unit <= 0xdfff;

	if (u->high ? !low : low || direct(unit)) {
		u->bad = true;
	} else if (u->high) {
		add_utf8(u->out, 0x10000 + ((u->high - 0xd800) << 10) + (unit - 0xdc00));
		u->high = 0;
	} else if (unit >= 0xd800 && unit <= 0xdbff) {
		u->high = unit;
	} else {
		add_utf8(u->out, unit);
	}
}

/* The octets between '&' and '-'. */
static bool run_decode(struct buf *out, struct span run)
{
	struct units u = { .out = out };
	uint32_t bits = 0;
	unsigned n_bits = 0;

	for (size_t i = 0; i < run.n; i++) {
		const char *digit = run.p[i] ? strchr(alphabet, run.p[i]) : NULL;

		if (!digit)
			return false;
		bits = bits << 6 | (uint32_t)(digit - alphabet);
		n_bits += 6;
		if (n_bits >= 16) {
			n_bits -= 16;
			unit_add(&u, bits >> n_bits & 0xffff);
			bits &= (1u << n_bits) - 1;
		}
	}
	return !u.bad && !u.high && n_bits < 6 && bits == 0;
}

bool mutf7_decode(struct buf *out, struct span text)
{
	size_t start = buf_size(out);
	bool after_run = false;

	while (text.n > 0) {
		if (text.p[0] != '&') {
			if (!direct(text.p[0]))
				break;
			buf_add_octet(out, text.p[0]);
			text = span_skip(text, 1);
			after_run = false;
			continue;
		}
		size_t end = span_find(text, '-');

		if (end == text.n)
			break;
		if (end == 1) {
			buf_add_octet(out, '&');
		} else if (after_run || !run_decode(out, span_of(text.p + 1, end - 1))) {
			break;
		}
		after_run = end > 1;
		text = span_skip(text, end + 1);
	}
	if (text.n > 0)
		buf_cut(out, start);
	return text.n == 0;
}

/* Takes one character of well-formed UTF-8. */
static uint32_t take_utf8(struct span *s)
{
	uint8_t first = s->p[0];
	size_t n = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	uint32_t c = n == 1 ? first : first & (0xffu >> (n + 1));

	for (size_t i = 1; i < n && i < s->n; i++)
		c = c << 6 | (s->p[i] & 0x3f);
	*s = span_skip(*s, n);
	return c;
}

struct encoder {
	struct buf *out;
	uint32_t bits;
	unsigned n_bits;
};

static void encoder_add(struct encoder *e, uint32_t unit)
{
	e->bits = e->bits << 16 | unit;
	for (e->n_bits += 16; e->n_bits >= 6; e->n_bits -= 6)
		buf_add_octet(e->out, (uint8_t)alphabet[e->bits >> (e->n_bits - 6) & 0x3f]);
	e->bits &= (1u << e->n_bits) - 1;
}

/* The run of characters at the front that must be encoded. */
static void run_encode(struct buf *out, struct span *s)
{
	struct encoder e = { .out = out };

	buf_add_octet(out, '&');
	while (s->n > 0 && !direct(s->p[0])) {
		uint32_t c = take_utf8(s);

		if (c >= 0x10000) {
			encoder_add(&e, 0xd800 + ((c - 0x10000) >> 10));
			c = 0xdc00 + ((c - 0x10000) & 0x3ff);
		}
		encoder_add(&e, c);
	}
	if (e.n_bits)
		buf_add_octet(out, (uint8_t)alphabet[e.bits << (6 - e.n_bits) & 0x3f]);
	buf_add_octet(out, '-');
}

void mutf7_encode(struct buf *out, struct span utf8)
{
	while (utf8.n > 0) {
		if (!direct(utf8.p[0])) {
			run_encode(out, &utf8);
			continue;
		}
		buf_add_octet(out, utf8.p[0]);
		if (utf8.p[0] == '&')
			buf_add_octet(out, '-');
		utf8 = span_skip(utf8, 1);
	}
}
