/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * base64 and quoted-printable, as a stream: a part of any size, cut anywhere, with a few octets of
 * state. Broken input is decoded as far as it makes sense and reported; text in a wrong encoding is
 * still better searched and shown than refused.
 */

#include "mime/decode.h"

#include "mime/lex.h"

enum transfer_encoding transfer_encoding_of(struct span name)
{
	static const struct {
		const char *name;
		enum transfer_encoding encoding;
	} names[] = {
		{ "", ENCODING_7BIT },
		{ "7bit", ENCODING_7BIT },
		{ "8bit", ENCODING_8BIT },
		{ "binary", ENCODING_BINARY },
		{ "base64", ENCODING_BASE64 },
		{ "quoted-printable", ENCODING_QUOTED_PRINTABLE },
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (span_is_nocase(name, names[i].name))
			return names[i].encoding;
	}
	return ENCODING_UNKNOWN;
}

/* The value of a base64 digit, or 64 and above. */
static unsigned sextet(uint8_t c)
{
	if (octet_is_alpha(c))
		return c >= 'a' ? c - 'a' + 26u : c - (unsigned)'A';
	if (octet_is_digit(c))
		return c - '0' + 52u;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* What is left of a quantum that padding or the end cuts short. */
/* Groups of four digits without anything between them, which is most of a line: three octets each.
 * Returns how many digits were taken; the decoder must stand between groups. */
static size_t base64_groups(struct span in, uint8_t *to)
{
	static const uint8_t values[256] = {
#define DIGIT(c, v)  [c] = (v) + 1
#define DIGITS(c, v) DIGIT(c, v), DIGIT(c + 1, v + 1), DIGIT(c + 2, v + 2), DIGIT(c + 3, v + 3)
		DIGITS('A', 0), DIGITS('E', 4), DIGITS('I', 8), DIGITS('M', 12), DIGITS('Q', 16),
		DIGITS('U', 20), DIGIT('Y', 24), DIGIT('Z', 25), DIGITS('a', 26), DIGITS('e', 30),
		DIGITS('i', 34), DIGITS('m', 38), DIGITS('q', 42), DIGITS('u', 46), DIGIT('y', 50),
		DIGIT('z', 51), DIGITS('0', 52), DIGITS('4', 56), DIGIT('8', 60), DIGIT('9', 61),
		DIGIT('+', 62), DIGIT('/', 63)
#undef DIGITS
#undef DIGIT
	};
	size_t i = 0;

	for (; i + 4 <= in.n; i += 4, to += 3) {
		uint32_t a = values[in.p[i]], b = values[in.p[i + 1]], c = values[in.p[i + 2]],
			 d = values[in.p[i + 3]];

		if (!a || !b || !c || !d)
			break;
		a = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
		to[0] = (uint8_t)(a >> 16);
		to[1] = (uint8_t)(a >> 8);
		to[2] = (uint8_t)a;
	}
	return i;
}

static void base64_flush(struct decoder *d, struct buf *out)
{
	if (d->n_sextets == 1)
		d->damaged = true;
	if (d->n_sextets >= 2)
		buf_add_octet(out, (uint8_t)(d->bits >> (d->n_sextets == 2 ? 4 : 10)));
	if (d->n_sextets == 3)
		buf_add_octet(out, (uint8_t)(d->bits >> 2));
	d->bits = 0;
	d->n_sextets = 0;
}

static void base64_feed(struct decoder *d, struct span in, struct buf *out)
{
	/* Three octets for four, and one quantum that was begun before. */
	uint8_t *to = buf_room(out, in.n / 4 * 3 + 6);
	uint8_t *start = to;

	for (size_t i = 0; i < in.n; i++) {
		unsigned value;

		if (d->n_sextets == 0 && !d->padded) {
			size_t n = base64_groups(span_skip(in, i), to);

			i += n;
			to += n / 4 * 3;
			if (i == in.n)
				break;
		}
		value = sextet(in.p[i]);
		if (value < 64) {
			d->damaged |= d->padded; /* more behind the padding: the next run */
			d->padded = false;
			d->bits = d->bits << 6 | value;
			if (++d->n_sextets < 4)
				continue;
			*to++ = (uint8_t)(d->bits >> 16);
			*to++ = (uint8_t)(d->bits >> 8);
			*to++ = (uint8_t)d->bits;
			d->bits = 0;
			d->n_sextets = 0;
		} else if (in.p[i] == '=') {
			buf_added(out, (size_t)(to - start));
			base64_flush(d, out);
			start = to = buf_room(out, (in.n - i) / 4 * 3 + 6);
			d->padded = true;
		} else if (in.p[i] != '\r' && in.p[i] != '\n' && in.p[i] != ' ' &&
			   in.p[i] != '\t') {
			d->damaged = true;
		}
	}
	buf_added(out, (size_t)(to - start));
}

/* Where quoted-printable stands. */
enum { QP_TEXT, QP_CR, QP_EQUALS, QP_DIGIT, QP_SOFT };

static void qp_flush_blanks(struct decoder *d, struct buf *out)
{
	buf_add(out, span_of(d->blanks, d->n_blanks));
	d->n_blanks = 0;
}

static void qp_text(struct decoder *d, uint8_t c, struct buf *out)
{
	switch (c) {
	case '=':
		qp_flush_blanks(d, out);
		d->state = QP_EQUALS;
		return;
	case '\r':
		d->state = QP_CR;
		return;
	case '\n':
		d->n_blanks =
			0; /* RFC 2045 section 6.7 (3): blanks at the end were added on the way */
		buf_add_octet(out, c);
		return;
	case ' ':
	case '\t':
		if (d->n_blanks == sizeof d->blanks) {
			qp_flush_blanks(d, out);
			d->damaged = true; /* longer than any line it may be in */
		}
		d->blanks[d->n_blanks++] = c;
		return;
	default:
		qp_flush_blanks(d, out);
		buf_add_octet(out, c);
	}
}

static void qp_octet(struct decoder *d, uint8_t c, struct buf *out)
{
	unsigned state = d->state;

	d->state = QP_TEXT;
	switch (state) {
	case QP_CR:
		if (c == '\n') {
			d->n_blanks = 0;
			buf_add(out, SPAN("\r\n"));
			return;
		}
		qp_flush_blanks(d, out);
		buf_add_octet(out, '\r');
		break;
	case QP_EQUALS:
		if (c == '\n')
			return;
		if (c == '\r' || c == ' ' || c == '\t') {
			d->state = QP_SOFT;
			return;
		}
		/* RFC 2045 section 6.7 (1) wants capitals; mail does not care. */
		if (lex_hex_digit(c) >= 0) {
			d->digit = c;
			d->state = QP_DIGIT;
			return;
		}
		d->damaged = true;
		buf_add_octet(out, '=');
		break;
	case QP_DIGIT:
		if (lex_hex_digit(c) >= 0) {
			buf_add_octet(out,
				(uint8_t)(lex_hex_digit(d->digit) << 4 | lex_hex_digit(c)));
			return;
		}
		d->damaged = true;
		buf_add_octet(out, '=');
		buf_add_octet(out, d->digit);
		break;
	case QP_SOFT:
		if (c == '\n')
			return;
		if (c == '\r' || c == ' ' || c == '\t') {
			d->state = QP_SOFT;
			return;
		}
		d->damaged = true;
		buf_add_octet(out, '=');
		break;
	}
	qp_text(d, c, out);
}

static void qp_feed(struct decoder *d, struct span in, struct buf *out)
{
	while (in.n) {
		size_t run = 0;

		/* Octets that stand for themselves, in one go. */
		if (d->state == QP_TEXT && d->n_blanks == 0) {
			while (run < in.n && in.p[run] > ' ' && in.p[run] != '=')
				run++;
			buf_add(out, span_head(in, run));
		}
		if (run < in.n)
			qp_octet(d, in.p[run++], out);
		in = span_skip(in, run);
	}
}

void decoder_feed(struct decoder *d, struct span in, struct buf *out)
{
	switch (d->encoding) {
	case ENCODING_BASE64:
		base64_feed(d, in, out);
		return;
	case ENCODING_QUOTED_PRINTABLE:
		qp_feed(d, in, out);
		return;
	case ENCODING_7BIT:
	case ENCODING_8BIT:
	case ENCODING_BINARY:
	case ENCODING_UNKNOWN:
		buf_add(out, in);
		return;
	}
}

void decoder_end(struct decoder *d, struct buf *out)
{
	if (d->encoding == ENCODING_BASE64) {
		d->damaged |= d->n_sextets != 0;
		base64_flush(d, out);
	}
	if (d->encoding != ENCODING_QUOTED_PRINTABLE)
		return;
	d->damaged |= d->state == QP_EQUALS || d->state == QP_DIGIT;
	if (d->state == QP_CR)
		buf_add_octet(out, '\r');
	if (d->state == QP_DIGIT) {
		buf_add_octet(out, '=');
		buf_add_octet(out, d->digit);
	}
	d->n_blanks = 0;
	d->state = QP_TEXT;
}
