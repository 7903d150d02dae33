/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "mime/encode.h"

#include "base/enc.h"
#include "base/err.h"

enum {
	LINE_MAX_OCTETS = 998, /* RFC 5322 section 2.1.1 */
	LINE_MAX_CHARACTERS = 76,
	BASE64_OCTETS = LINE_MAX_CHARACTERS / 4 * 3,
	WORD_OCTETS = 45, /* of an encoded word, before base64 */
	PARAM_PIECE = 54, /* of an encoded value in a line, beside its name */
};

/* Octets at the front that need no change: up to a line end that is not CR LF. */
static size_t n_unchanged(struct span s)
{
	size_t at = 0;

	while (at < s.n) {
		const uint8_t *lf = memchr(s.p + at, '\n', s.n - at);
		size_t n = lf ? (size_t)(lf - s.p) : s.n;
		const uint8_t *cr = n > at ? memchr(s.p + at, '\r', n - at) : NULL;

		if (cr ? cr + 1 != lf : lf != NULL)
			return cr ? (size_t)(cr - s.p) : n;
		at = n + (lf != NULL);
	}
	return s.n;
}

void encode_crlf(struct span octets, struct buf *out)
{
	while (octets.n) {
		size_t n = n_unchanged(octets);

		buf_add(out, span_head(octets, n));
		octets = span_skip(octets, n);
		if (octets.n)
			buf_add(out, SPAN("\r\n"));
		octets = span_skip(octets, 1);
	}
}

bool encode_is_crlf(struct span octets)
{
	return n_unchanged(octets) == octets.n;
}

/* Line ends of any kind, no line too long, nothing but seven bits without NUL. */
bool encode_is_7bit(struct span s)
{
	size_t line = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == 0 || s.p[i] >= 0x80)
			return false;
		line = s.p[i] == '\n' || s.p[i] == '\r' ? 0 : line + 1;
		if (line > LINE_MAX_OCTETS)
			return false;
	}
	return true;
}

/* RFC 2045 section 6.7: quoted-printable is for what is mostly readable as it is. */
static bool is_mostly_ascii(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] >= 0x80 ||
		     (s.p[i] < ' ' && s.p[i] != '\t' && s.p[i] != '\r' && s.p[i] != '\n');
	return n <= s.n / 4;
}

enum transfer_encoding encode_choose(struct span text)
{
	if (encode_is_7bit(text))
		return ENCODING_7BIT;
	return is_mostly_ascii(text) ? ENCODING_QUOTED_PRINTABLE : ENCODING_BASE64;
}

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

/* Control characters are spaces: what is folded or more lines is one. */
static uint8_t printable(uint8_t c)
{
	return c < ' ' || c == 0x7f ? ' ' : c;
}

static void add_printable(struct span text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++)
		buf_add_octet(out, printable(text.p[i]));
}

/* Encoded words of whole characters, none longer than 75 (RFC 2047 section 2, 5), with spaces
 * between them, which disappear in reading. The library beside us makes longer ones of long words.
 */
static void add_encoded_words(struct span text, struct buf *out)
{
	CLEANUP(buf_done) struct buf plain = {};
	struct span rest;

	add_printable(text, &plain);
	for (rest = buf_span(&plain); rest.n;) {
		size_t n = rest.n < WORD_OCTETS ? rest.n : WORD_OCTETS;

		while (n < rest.n && n > 1 && (rest.p[n] & 0xC0) == 0x80)
			n--;
		buf_add_string(out, rest.p == buf_span(&plain).p ? "" : " ");
		buf_add_string(out, "=?utf-8?B?");
		enc_base64(out, span_head(rest, n));
		buf_add_string(out, "?=");
		rest = span_skip(rest, n);
	}
}

/* What is not ASCII, could be taken for an encoded word, or does not fit into a line. */
static bool needs_words(struct span word)
{
	return !span_is_ascii(word) || span_find_span(word, SPAN("=?")) < word.n ||
	       word.n > WORD_OCTETS + 15;
}

void encode_text(struct span utf8, struct buf *out)
{
	size_t from = utf8.n, till = utf8.n;

	for (size_t i = 0, end; i < utf8.n; i = end + 1) {
		for (end = i; end < utf8.n && printable(utf8.p[end]) != ' ';)
			end++;
		if (!needs_words(span_head(span_skip(utf8, i), end - i)))
			continue;
		from = from < i ? from : i;
		till = end;
	}
	add_printable(span_head(utf8, from), out);
	add_encoded_words(span_head(span_skip(utf8, from), till - from), out);
	add_printable(span_skip(utf8, till), out);
}

/* RFC 5322 section 3.2.3. */
static bool is_atom_character(uint8_t c)
{
	return octet_is_alpha(c) || octet_is_digit(c) || c == ' ' ||
	       (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

void encode_phrase(struct span utf8, struct buf *out)
{
	bool atoms = true;

	if (needs_words(utf8)) {
		add_encoded_words(utf8, out);
		return;
	}
	for (size_t i = 0; i < utf8.n; i++)
		atoms &= is_atom_character(utf8.p[i]);
	if (!atoms)
		buf_add_octet(out, '"');
	for (size_t i = 0; i < utf8.n; i++) {
		if (!atoms && (utf8.p[i] == '"' || utf8.p[i] == '\\'))
			buf_add_octet(out, '\\');
		buf_add_octet(out, printable(utf8.p[i]));
	}
	if (!atoms)
		buf_add_octet(out, '"');
}

/* RFC 2231 section 7: attribute-char. */
static bool is_attribute_character(uint8_t c)
{
	return octet_is_alpha(c) || octet_is_digit(c) || (c && strchr("!#$&+-.^_`{}~", c));
}

static void add_quoted(struct span value, struct buf *out)
{
	bool token = value.n > 0;

	for (size_t i = 0; i < value.n; i++)
		token &= is_attribute_character(value.p[i]);
	buf_add_string(out, token ? "" : "\"");
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '"' || value.p[i] == '\\')
			buf_add_octet(out, '\\');
		buf_add_octet(out, value.p[i]);
	}
	buf_add_string(out, token ? "" : "\"");
}

static size_t encoded_size(struct span value)
{
	size_t n = 0;

	for (size_t i = 0; i < value.n; i++)
		n += is_attribute_character(value.p[i]) ? 1 : 3;
	return n;
}

/* RFC 2231 section 4, in numbered pieces (section 3) where one line has no room for it: some
 * programs read a single piece only without a number. */
static void add_extended(const char *name, struct span value, struct buf *out)
{
	bool is_single = encoded_size(value) <= PARAM_PIECE;
	size_t column = PARAM_PIECE, piece = 0;

	if (is_single)
		buf_add_format(out, ";\r\n %s*=utf-8''", name);
	for (size_t i = 0; i < value.n; i++) {
		bool plain = is_attribute_character(value.p[i]);

		if (!is_single && column + (plain ? 1 : 3) > PARAM_PIECE) {
			buf_add_format(out, ";\r\n %s*%zu*=%s", name, piece,
				piece ? "" : "utf-8''");
			column = piece++ ? 0 : 7;
		}
		if (plain)
			buf_add_octet(out, value.p[i]);
		else
			buf_add_format(out, "%%%02X", value.p[i]);
		column += plain ? 1 : 3;
	}
}

void encode_param(const char *name, struct span utf8, struct buf *out)
{
	bool plain = utf8.n <= PARAM_PIECE;

	for (size_t i = 0; i < utf8.n; i++)
		plain &= utf8.p[i] >= ' ' && utf8.p[i] < 0x7f;
	if (!plain) {
		add_extended(name, utf8, out);
		return;
	}
	buf_add_format(out, ";\r\n %s=", name);
	add_quoted(utf8, out);
}

/* Spaces and the word behind them. */
static size_t word_size(struct span s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] == ' ')
		n++;
	while (n < s.n && s.p[n] != ' ')
		n++;
	return n;
}

void encode_field(struct span name, struct span value, struct buf *out)
{
	size_t column = name.n + 1;

	buf_add(out, name);
	buf_add_string(out, ":");
	value = span_trim(value);
	/* The first word too may go to a line of its own. */
	for (bool first = true; value.n || first; first = false) {
		struct span word = span_head(value, word_size(value));
		size_t n = word.n + first;

		if (column + n > LINE_MAX_CHARACTERS && (!first || n <= LINE_MAX_CHARACTERS)) {
			buf_add_string(out, "\r\n");
			column = 0;
		}
		buf_add_string(out, first ? " " : "");
		buf_add(out, word);
		column += n;
		value = span_skip(value, word.n);
	}
	buf_add_string(out, "\r\n");
}
