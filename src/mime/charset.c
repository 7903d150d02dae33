/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * iconv with the manners a mail server needs: names from outside are checked and looked up through
 * GMime's table of aliases, octets that cannot be converted become U+FFFD instead of ending the
 * conversion, and a character cut in two by the stream waits for its other half.
 */

#include "mime/charset.h"

#include "base/alloc.h"
#include "mime/word.h"

#include <errno.h>
#include <gmime/gmime.h>
#include <iconv.h>
#include <stdlib.h>

struct charset {
	iconv_t converter;
	bool damaged;
	uint8_t cut[16]; /* the start of a character; no charset needs more */
	size_t n_cut;
};

/* A name that may be given to iconv: no "//TRANSLIT" and the like. */
static bool name_is_safe(struct span name)
{
	if (name.n > 60)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = name.p[i];

		if (!octet_is_alpha(c) && !octet_is_digit(c) && !(c && strchr("-_.:+", c)))
			return false;
	}
	return true;
}

struct charset *charset_new(struct span name)
{
	CLEANUP(alloc_freep) char *text = NULL;
	const char *iconv_name;
	struct charset *c;
	iconv_t converter;

	name = span_trim(name);
	if (!name_is_safe(name))
		return NULL;
	/* Text that calls itself ASCII and is not is mostly UTF-8. */
	if (name.n == 0 || span_is_nocase(name, "us-ascii") || span_is_nocase(name, "ascii"))
		name = SPAN("utf-8");
	text = span_to_string(name);
	iconv_name = g_mime_charset_iconv_name(text);
	converter = iconv_open("UTF-8", iconv_name ? iconv_name : text);
	if (converter == (iconv_t)-1)
		return NULL;
	c = ALLOC(struct charset);
	c->converter = converter;
	return c;
}

struct charset *charset_free(struct charset *c)
{
	if (!c)
		return NULL;
	(void)iconv_close(c->converter);
	free(c);
	return NULL;
}

bool charset_damaged(const struct charset *c)
{
	return c->damaged;
}

static void replace(struct charset *c, struct buf *out)
{
	buf_add(out, SPAN("\xEF\xBF\xBD"));
	c->damaged = true;
}

/* iconv lets characters above U+10FFFF pass, which are not UTF-8: looks at what was added behind
 * the first n octets. */
static void check_added(struct charset *c, struct buf *out, size_t n)
{
	CLEANUP(buf_done) struct buf copy = {};

	if (span_is_utf8(span_skip(buf_span(out), n)))
		return;
	buf_add(&copy, span_skip(buf_span(out), n));
	buf_cut(out, n);
	word_add_utf8(out, buf_span(&copy));
	c->damaged = true;
}

/* Converts; returns what is left: the start of a character that is not all there. */
static struct span convert(struct charset *c, struct span in, struct buf *out)
{
	while (in.n) {
		/* iconv wants a pointer it could write through, but does not. */
		char *from = (char *)(uintptr_t)in.p;
		size_t left = in.n, room = in.n + 16, before = buf_size(out);
		char *start = (char *)buf_room(out, room), *to = start;
		int error = iconv(c->converter, &from, &left, &to, &room) == (size_t)-1 ? errno : 0;

		buf_added(out, (size_t)(to - start));
		check_added(c, out, before);
		in = span_skip(in, in.n - left);
		if (error == EINVAL && left < sizeof c->cut)
			break;
		if (error && error != E2BIG) {
			replace(c, out);
			in = span_skip(in, 1);
		}
	}
	return in;
}

void charset_feed(struct charset *c, struct span in, struct buf *out)
{
	/* The character that was cut gets octets until it is whole or known to be wrong. */
	while (c->n_cut && in.n) {
		uint8_t joined[sizeof c->cut];
		size_t n = c->n_cut;
		struct span rest;

		memcpy(joined, c->cut, n);
		joined[n++] = in.p[0];
		in = span_skip(in, 1);
		rest = convert(c, span_of(joined, n), out);
		memmove(c->cut, rest.p, rest.n);
		c->n_cut = rest.n;
	}
	in = convert(c, in, out);
	if (in.n)
		memcpy(c->cut + c->n_cut, in.p, in.n);
	c->n_cut += in.n;
}

void charset_end(struct charset *c, struct buf *out)
{
	size_t room = 16;
	char *start, *to;

	if (c->n_cut)
		replace(c, out);
	c->n_cut = 0;
	start = to = (char *)buf_room(out, room);
	(void)iconv(c->converter, NULL, NULL, &to, &room);
	buf_added(out, (size_t)(to - start));
}
