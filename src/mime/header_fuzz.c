/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Any octets, as what stands in a header: fields cover the block without gaps; decoded text is
 * UTF-8; decoding as a stream does not depend on the cuts.
 */

#include "mime/charset.h"
#include "mime/date.h"
#include "mime/decode.h"
#include "mime/fold.h"
#include "mime/header.h"
#include "mime/param.h"
#include "mime/subject.h"
#include "mime/word.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fields(struct span block)
{
	struct span rest = block;
	struct header_field field;
	size_t n = 0;

	while (header_next(&rest, &field)) {
		assert(field.whole.p == block.p + n && field.whole.n > 0);
		n += field.whole.n;
	}
	assert(n <= header_size(block) && header_size(block) <= n + 2);
}

static void check_words(struct span text)
{
	struct buf out = {}, again = {};
	struct span half;

	word_decode(text, &out);
	word_decode_phrase(text, &out);
	assert(span_is_utf8(buf_span(&out)));
	buf_clear(&out);
	(void)subject_base(text, &out);
	assert(span_is_utf8(buf_span(&out)));
	fold_text(buf_span(&out), &again);
	assert(span_is_utf8(buf_span(&again)));
	/* The second half, from the start of a character on, is in it. */
	half = span_skip(buf_span(&out), buf_size(&out) / 2);
	while (half.n && (half.p[0] & 0xC0) == 0x80)
		half = span_skip(half, 1);
	assert(fold_contains(buf_span(&out), half));
	buf_done(&out);
	buf_done(&again);
}

static void check_params(struct span text)
{
	struct arena arena = {};
	const struct param *params;
	struct buf out = {};
	size_t n;

	param_parse(text, &arena, &params, &n);
	assert(n <= PARAM_MAX);
	(void)param_get(params, n, "name", &out);
	assert(span_is_utf8(buf_span(&out)));
	buf_done(&out);
	arena_done(&arena);
}

static void check_decoder(enum transfer_encoding encoding, struct span text)
{
	struct decoder whole = { .encoding = encoding }, pieces = whole;
	struct buf a = {}, b = {};

	decoder_feed(&whole, text, &a);
	decoder_end(&whole, &a);
	for (struct span rest = text; rest.n; rest = span_skip(rest, 3))
		decoder_feed(&pieces, span_head(rest, 3), &b);
	decoder_end(&pieces, &b);
	assert(span_equal(buf_span(&a), buf_span(&b)));
	assert(whole.damaged == pieces.damaged && buf_size(&a) <= text.n);
	buf_done(&a);
	buf_done(&b);
}

static void check_charset(const char *name, struct span text)
{
	struct charset *whole = charset_new(span_str(name)), *pieces = charset_new(span_str(name));
	struct buf a = {}, b = {};

	charset_feed(whole, text, &a);
	charset_end(whole, &a);
	for (struct span rest = text; rest.n; rest = span_skip(rest, 1))
		charset_feed(pieces, span_head(rest, 1), &b);
	charset_end(pieces, &b);
	assert(span_is_utf8(buf_span(&a)));
	assert(span_equal(buf_span(&a), buf_span(&b)));
	buf_done(&a);
	buf_done(&b);
	charset_free(whole);
	charset_free(pieces);
}

static void check_dates(struct span text)
{
	struct buf out = {};
	int64_t us, again;
	int zone;

	if (date_parse(text, &us, &zone)) {
		date_add_imap(&out, us);
		assert(date_parse_imap(span_head(span_skip(buf_span(&out), 1), 26), &again));
		assert(us == again);
	}
	(void)date_parse_day(text, &us);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct span text = span_of(data, size);

	if (!ready)
		word_init();
	ready = true;
	check_fields(text);
	check_words(text);
	check_params(text);
	check_decoder(ENCODING_BASE64, text);
	check_decoder(ENCODING_QUOTED_PRINTABLE, text);
	check_charset("utf-8", text);
	check_charset("iso-2022-jp", text);
	check_charset("gb18030", text);
	check_dates(text);
	return 0;
}
