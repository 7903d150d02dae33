/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "mime/encode.h"

#include "base/enc.h"

enum { LINE_MAX_CHARACTERS = 76, BASE64_OCTETS = LINE_MAX_CHARACTERS / 4 * 3 };

void encode_base64(struct span octets, struct buf *out)
{
	(void)buf_room(out, (octets.n / BASE64_OCTETS + 1) * (LINE_MAX_CHARACTERS + 2));
	while (octets.n) {
		enc_base64(out, span_head(octets, BASE64_OCTETS));
		octets = span_skip(octets, BASE64_OCTETS);
		if (octets.n)
			buf_add(out, SPAN("\r\n"));
	}
}

static bool is_line_end(struct span s, size_t i)
{
	return i + 1 < s.n && s.p[i] == '\r' && s.p[i + 1] == '\n';
}

/* RFC 2045 section 6.7: rule 2 with rule 3's exception, that white space may not end a line. */
static bool is_literal(struct span s, size_t i)
{
	if (s.p[i] == ' ' || s.p[i] == '\t')
		return i + 1 < s.n && !is_line_end(s, i + 1);
	return s.p[i] > ' ' && s.p[i] <= '~' && s.p[i] != '=';
}

void encode_quoted_printable(struct span text, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t column = 0;

	for (size_t i = 0; i < text.n; i++) {
		bool literal = is_literal(text, i);
		size_t width = literal ? 1 : 3;

		if (is_line_end(text, i)) {
			buf_add(out, SPAN("\r\n"));
			column = 0;
			i++;
			continue;
		}
		/* One character is left for the "=" of a soft break (rule 5). */
		if (column + width > LINE_MAX_CHARACTERS - 1) {
			buf_add(out, SPAN("=\r\n"));
			column = 0;
		}
		column += width;
		if (literal) {
			buf_add_octet(out, text.p[i]);
			continue;
		}
		buf_add_octet(out, '=');
		buf_add_octet(out, (uint8_t)digits[text.p[i] >> 4]);
		buf_add_octet(out, (uint8_t)digits[text.p[i] & 15]);
	}
}
