/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * i;unicode-casemap: each character is mapped to title case, then decomposed (RFC 5051 section 2),
 * by libunistring's tables. ASCII, which is most of all mail, does not need them. Octets that are
 * no UTF-8 are left alone, so what does not decode still matches itself.
 */

#include "mime/fold.h"

#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

static void add_character(struct buf *out, ucs4_t uc)
{
	int n = u8_uctomb(buf_room(out, 6), uc, 6);

	if (n > 0)
		buf_added(out, (size_t)n);
}

/* Decomposes until nothing decomposes further; a stack instead of recursion. What a compatibility
 * character falls apart into gets title case too, which RFC 5051 leaves out: a search for "fish"
 * finds the one with the ligature. */
static void add_decomposed(struct buf *out, ucs4_t uc)
{
	enum { ROOM = 4 * UC_DECOMPOSITION_MAX_LENGTH };
	ucs4_t stack[ROOM];
	size_t n = 1;

	stack[0] = uc;
	while (n) {
		ucs4_t parts[UC_DECOMPOSITION_MAX_LENGTH];
		ucs4_t top = stack[--n];
		int tag, n_parts = -1;

		if (n + UC_DECOMPOSITION_MAX_LENGTH <= ROOM)
			n_parts = uc_decomposition(top, &tag, parts);
		if (n_parts < 0)
			add_character(out, uc_totitle(top));
		while (n_parts > 0)
			stack[n++] = parts[--n_parts];
	}
}

void fold_text(struct span text, struct buf *out)
{
	while (text.n) {
		size_t ascii = 0;
		uint8_t *to = buf_room(out, text.n);
		ucs4_t uc;
		int n;

		for (; ascii < text.n && text.p[ascii] < 0x80; ascii++) {
			uint8_t c = text.p[ascii];

			to[ascii] = (uint8_t)(c - 'a') < 26 ? (uint8_t)(c - 32) : c;
		}
		buf_added(out, ascii);
		text = span_skip(text, ascii);
		if (text.n == 0)
			return;
		n = u8_mbtoucr(&uc, text.p, text.n);
		if (n > 0)
			add_decomposed(out, uc_totitle(uc));
		else
			buf_add_octet(out, text.p[0]);
		text = span_skip(text, n > 0 ? (size_t)n : 1);
	}
}

int fold_compare(struct span a, struct span b)
{
	struct buf x = {}, y = {};
	int order;

	fold_text(a, &x);
	fold_text(b, &y);
	order = span_compare(buf_span(&x), buf_span(&y));
	buf_done(&x);
	buf_done(&y);
	return order;
}

bool fold_contains(struct span text, struct span needle)
{
	struct fold_finder f;
	bool found;

	fold_finder_init(&f, needle);
	fold_finder_feed(&f, text);
	found = fold_finder_end(&f);
	fold_finder_done(&f);
	return found;
}

void fold_finder_init(struct fold_finder *f, struct span needle)
{
	*f = (struct fold_finder){};
	fold_text(needle, &f->needle);
	f->found = buf_size(&f->needle) == 0;
}

void fold_finder_done(struct fold_finder *f)
{
	buf_done(&f->needle);
	buf_done(&f->window);
	buf_done(&f->cut);
}

/* Octets at the end that are the start of a character (at most three). */
static size_t cut_size(struct span s)
{
	for (size_t n = 1; n <= 3 && n <= s.n; n++) {
		uint8_t c = s.p[s.n - n];
		size_t whole = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 0;

		if (whole)
			return whole > n ? n : 0;
		if (c < 0x80)
			return 0;
	}
	return 0;
}

static void look(struct fold_finder *f, struct span utf8)
{
	size_t needle = buf_size(&f->needle);

	fold_text(utf8, &f->window);
	f->found |= span_find_span(buf_span(&f->window), buf_span(&f->needle)) <
		    buf_size(&f->window);
	if (buf_size(&f->window) >= needle)
		buf_take(&f->window, buf_size(&f->window) - (needle - 1));
}

void fold_finder_feed(struct fold_finder *f, struct span utf8)
{
	size_t whole;

	if (f->found)
		return;
	buf_add(&f->cut, utf8);
	whole = buf_size(&f->cut) - cut_size(buf_span(&f->cut));
	look(f, span_head(buf_span(&f->cut), whole));
	buf_take(&f->cut, whole);
}

bool fold_finder_end(struct fold_finder *f)
{
	if (!f->found)
		look(f, buf_span(&f->cut));
	buf_clear(&f->cut);
	buf_clear(&f->window);
	return f->found;
}
