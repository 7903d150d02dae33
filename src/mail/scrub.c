/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A line's first octets are held until they say which field it is; the rest of it passes or is
 * dropped without being kept. So nothing grows, whatever the header looks like.
 */

#include "mail/scrub.h"

static void add_missing(struct scrub *s, struct buf *out)
{
	buf_add(out, s->date);
	buf_add(out, s->message_id);
	s->over = true;
}

/* Fields that only we say something with. */
static bool is_ours(struct span name)
{
	return span_is_nocase(name, "Return-Path") || span_is_nocase(name, "Signet-Not-Encrypted");
}

/* The prefix tells the field: up to its colon, or as much as there is room for. */
static void decide(struct scrub *s, struct buf *out)
{
	struct span prefix = span_of(s->prefix, s->n_prefix);
	size_t colon = span_find(prefix, ':');
	struct span name = span_trim(span_head(prefix, colon));

	/* A continuation shares the fate of its field. */
	if (s->prefix[0] != ' ' && s->prefix[0] != '\t') {
		s->dropping = is_ours(name); /* its colon may come later, or in a continuation */
		if (span_is_nocase(name, "Date"))
			s->date = SPAN("");
		else if (span_is_nocase(name, "Message-ID"))
			s->message_id = SPAN("");
	}
	if (!s->dropping)
		buf_add(out, prefix);
	s->in_line = prefix.p[prefix.n - 1] != '\n';
	s->n_prefix = 0;
}

static bool is_decided(const struct scrub *s)
{
	uint8_t last = s->prefix[s->n_prefix - 1];

	if (last == ':' || last == '\n' || s->n_prefix == SCRUB_PREFIX)
		return true;
	return s->n_prefix == 1 && (last == ' ' || last == '\t');
}

size_t scrub_feed(struct scrub *s, struct span data, struct buf *out)
{
	size_t i = 0;

	while (i < data.n && !s->over) {
		if (s->in_line) {
			size_t n = span_find(span_skip(data, i), '\n');
			bool ends = i + n < data.n;
			struct span run = span_head(span_skip(data, i), ends ? n + 1 : n);

			if (!s->dropping)
				buf_add(out, run);
			i += run.n;
			s->in_line = !ends;
			continue;
		}
		s->prefix[s->n_prefix++] = data.p[i++];
		if (s->n_prefix == 2 && s->prefix[0] == '\r' && s->prefix[1] == '\n') {
			add_missing(s, out);
			buf_add(out, SPAN("\r\n"));
		} else if (is_decided(s)) {
			decide(s, out);
		}
	}
	return i;
}

void scrub_end(struct scrub *s, struct buf *out)
{
	if (s->over)
		return;
	if (s->n_prefix)
		decide(s, out);
	add_missing(s, out);
}
