/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * RFC 5256 section 2.1, step by step, as cuts at both ends of one span: nothing is copied after the
 * subject has been decoded. The names below are those of the RFC's grammar.
 */

#include "mime/subject.h"

#include "base/err.h"
#include "mime/lex.h"
#include "mime/word.h"

/* Step 1: UTF-8, and a single space for each run of white space. */
static void collapse(struct span value, struct buf *out)
{
	CLEANUP(buf_done) struct buf decoded = {};
	struct span s;
	bool space = false;

	word_decode(value, &decoded);
	s = buf_span(&decoded);
	for (size_t i = 0; i < s.n; i++) {
		bool blank = lex_is_space(s.p[i]);

		if (!blank || !space)
			buf_add_octet(out, blank ? ' ' : s.p[i]);
		space = blank;
	}
}

/* Octets of a subj-blob at the front with the space behind it, or 0. */
static size_t blob_size(struct span s)
{
	size_t n = 1;

	if (s.n == 0 || s.p[0] != '[')
		return 0;
	while (n < s.n && s.p[n] != '[' && s.p[n] != ']')
		n++;
	if (n == s.n || s.p[n] != ']')
		return 0;
	n++;
	while (n < s.n && s.p[n] == ' ')
		n++;
	return n;
}

/* Octets of a subj-refwd at the front, or 0. */
static size_t refwd_size(struct span s)
{
	size_t n = 0;

	if (span_starts_nocase(s, SPAN("fwd")))
		n = 3;
	else if (span_starts_nocase(s, SPAN("re")) || span_starts_nocase(s, SPAN("fw")))
		n = 2;
	if (n == 0)
		return 0;
	while (n < s.n && s.p[n] == ' ')
		n++;
	n += blob_size(span_skip(s, n));
	return n < s.n && s.p[n] == ':' ? n + 1 : 0;
}

/* Step 2: subj-trailer. */
static bool cut_trailers(struct span *s)
{
	bool marked = false;

	for (;;) {
		if (s->n && s->p[s->n - 1] == ' ') {
			s->n--;
		} else if (s->n >= 5 && span_is_nocase(span_skip(*s, s->n - 5), "(fwd)")) {
			s->n -= 5;
			marked = true;
		} else {
			return marked;
		}
	}
}

/* Steps 3 to 5: subj-leaders, and blobs where something is left behind them. A run of blobs is
 * looked at once, also when no subj-refwd follows it. */
static bool cut_leaders(struct span *s)
{
	bool marked = false;

	for (;;) {
		struct span rest = *s, before_last = *s;
		size_t n;

		while (rest.n && rest.p[0] == ' ')
			rest = span_skip(rest, 1);
		*s = before_last = rest;
		while ((n = blob_size(rest)) != 0) {
			before_last = rest;
			rest = span_skip(rest, n);
		}
		n = refwd_size(rest);
		if (n == 0) {
			*s = rest.n ? rest : before_last;
			return marked;
		}
		marked = true;
		*s = span_skip(rest, n);
	}
}

bool subject_base(struct span value, struct buf *out)
{
	CLEANUP(buf_done) struct buf text = {};
	struct span s;
	bool marked = false;

	collapse(value, &text);
	s = buf_span(&text);
	for (;;) {
		marked |= cut_trailers(&s);
		marked |= cut_leaders(&s);
		/* Step 6: subj-fwd. */
		if (!span_starts_nocase(s, SPAN("[fwd:")) || s.p[s.n - 1] != ']')
			break;
		s = span_head(span_skip(s, 5), s.n - 6);
		marked = true;
	}
	buf_add(out, s);
	return marked;
}
