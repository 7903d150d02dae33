/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "cli/harmless.h"

/* Octets of the character in front; 0: it is no UTF-8. */
static size_t character_octets(struct span rest)
{
	size_t n = 1;

	while (n < rest.n && n < 4 && (rest.p[n] & 0xC0) == 0x80)
		n++;
	return span_is_utf8(span_head(rest, n)) ? n : 0;
}

static uint32_t code_point(struct span character)
{
	static const uint8_t of_first[] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
	uint32_t c = character.p[0] & of_first[character.n];

	for (size_t i = 1; i < character.n; i++)
		c = c << 6 | (character.p[i] & 0x3F);
	return c;
}

/* Those of a terminal, U+0080 to U+009F among them (ECMA-48 section 5.3), ends of lines and
 * paragraphs, and what says in which direction text runs (Unicode UAX #9 section 2). */
static bool is_harmful(uint32_t c)
{
	static const uint32_t ranges[][2] = { { 0, 0x1F }, { 0x7F, 0x9F }, { 0x061C, 0x061C },
		{ 0x200E, 0x200F }, { 0x2028, 0x202E }, { 0x2066, 0x2069 } };

	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
		if (c >= ranges[i][0] && c <= ranges[i][1])
			return true;
	}
	return false;
}

static void add(struct buf *out, struct span rest, uint8_t line_end)
{
	while (rest.n) {
		size_t n = character_octets(rest);

		if (rest.p[0] == '\r' && rest.n > 1 && rest.p[1] == '\n')
			n = 1; /* its line end says it all */
		else if (rest.p[0] == '\n')
			buf_add_octet(out, line_end);
		else if (rest.p[0] == '\t')
			buf_add_octet(out, ' ');
		else if (n == 0 || is_harmful(code_point(span_head(rest, n))))
			buf_add_octet(out, '?');
		else
			buf_add(out, span_head(rest, n));
		rest = span_skip(rest, n ? n : 1);
	}
}

void harmless_add_line(struct buf *out, struct span text)
{
	add(out, text, ' ');
}

void harmless_add_text(struct buf *out, struct span text)
{
	add(out, text, '\n');
}

/* Section 3: "-----BEGIN LABEL-----". */
static bool is_boundary(struct span line)
{
	const struct span end = SPAN("-----");

	if (!span_starts(line, SPAN("-----BEGIN ")) && !span_starts(line, SPAN("-----END ")))
		return false;
	if (!span_equal(span_skip(line, line.n - end.n), end))
		return false;
	for (size_t i = end.n; i < line.n - end.n; i++) {
		if (line.p[i] != ' ' && !octet_is_digit(line.p[i]) && !octet_is_alpha(line.p[i]))
			return false;
	}
	return true;
}

static bool is_base64(struct span line)
{
	for (size_t i = 0; i < line.n; i++) {
		uint8_t c = line.p[i];

		if (!octet_is_digit(c) && !octet_is_alpha(c) && c != '+' && c != '/' && c != '=')
			return false;
	}
	return true;
}

bool harmless_is_pem(struct span text)
{
	if (!span_starts(text, SPAN("-----BEGIN ")))
		return false;
	while (text.n) {
		struct span line = span_cut(&text, '\n');

		if (!is_boundary(line) && !is_base64(line))
			return false;
	}
	return true;
}
