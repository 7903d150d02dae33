/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Encoded words by GMime, whose decoder knows the many ways in which senders get them wrong. What
 * it is given is bounded and well-formed UTF-8, so its guesses about the locale never come into it;
 * what it returns is checked too. Text without "=?" does not get that far.
 */

#include "mime/word.h"

#include "base/err.h"
#include "mime/header.h"

#include <gmime/gmime.h>

void word_init(void)
{
	g_mime_init();
}

void word_add_utf8(struct buf *out, struct span text)
{
	while (text.n) {
		size_t n = text.n < 4 ? text.n : 4;

		if (text.p[0] < 0x80) {
			for (n = 1; n < text.n && text.p[n] < 0x80;)
				n++;
		} else {
			while (n && !span_is_utf8(span_head(text, n)))
				n--;
		}
		if (n)
			buf_add(out, span_head(text, n));
		else
			buf_add(out, SPAN("\xEF\xBF\xBD"));
		text = span_skip(text, n ? n : 1);
	}
}

static void decode(struct span text, struct buf *out,
	char *(*by)(GMimeParserOptions *options, const char *text))
{
	CLEANUP(buf_done) struct buf plain = {};
	CLEANUP(buf_done) struct buf utf8 = {};
	char *decoded;

	header_unfold(text, &plain);
	for (size_t i = 0; i < buf_size(&plain); i++) {
		if (plain.p[plain.start + i] == 0)
			plain.p[plain.start + i] = ' ';
	}
	if (span_find_span(buf_span(&plain), SPAN("=?")) == buf_size(&plain) ||
		buf_size(&plain) > WORD_TEXT_MAX) {
		word_add_utf8(out, buf_span(&plain));
		return;
	}
	word_add_utf8(&utf8, buf_span(&plain));
	buf_add_octet(&utf8, 0);
	decoded = by(NULL, (const char *)buf_span(&utf8).p);
	word_add_utf8(out, span_str(decoded));
	g_free(decoded);
}

void word_decode(struct span text, struct buf *out)
{
	decode(text, out, g_mime_utils_header_decode_text);
}

void word_decode_phrase(struct span phrase, struct buf *out)
{
	decode(phrase, out, g_mime_utils_header_decode_phrase);
}
