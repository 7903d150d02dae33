/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* xtext, strictly: what is written in upper-case hexadecimal must be printable ASCII (RFC 3461
 * sections 4.2 and 4.4), so nothing decoded can end a header line. */

#include "mail/xtext.h"

static bool hex_octet(struct span digits, uint8_t *ret_octet)
{
	unsigned value = 0;

	for (size_t i = 0; i < 2; i++) {
		uint8_t c = digits.p[i];

		if (octet_is_digit(c))
			value = value << 4 | (unsigned)(c - '0');
		else if (c >= 'A' && c <= 'F')
			value = value << 4 | (unsigned)(c - 'A' + 10);
		else
			return false;
	}
	*ret_octet = (uint8_t)value;
	return true;
}

bool xtext_decode(struct span text, struct buf *out)
{
	size_t before = buf_size(out);

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		bool ok = c > 0x20 && c < 0x7F && c != '=';

		if (c == '+') {
			ok = text.n - i > 2 && hex_octet(span_skip(text, i + 1), &c) && c >= 0x20 &&
			     c < 0x7F;
			i += 2;
		}
		if (!ok) {
			buf_cut(out, before);
			return false;
		}
		buf_add_octet(out, c);
	}
	return true;
}
