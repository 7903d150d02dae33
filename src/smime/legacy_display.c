/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "smime/legacy_display.h"

#include "mime/param.h"

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_text(const struct part *part, const char *subtype)
{
	return span_is(part->type, "text") && span_is(part->subtype, subtype);
}

bool legacy_display_is_in(const struct part_tree *payload, const struct part *part)
{
	const struct part *root = &payload->parts[0];

	return span_is_nocase(param_raw(root->params, root->n_params, "hp"), "cipher") &&
	       span_is(param_raw(part->params, part->n_params, "hp-legacy-display"), "1") &&
	       (is_text(part, "plain") || is_text(part, "html"));
}

/* Behind the first empty line; 0: there is none. */
static size_t plain_end(struct span text)
{
	size_t begin = 0;

	while (begin < text.n) {
		size_t n = span_find(span_skip(text, begin), '\n');
		struct span line = span_head(span_skip(text, begin), n);

		if (begin + n == text.n)
			return 0;
		begin += n + 1;
		if (line.n == 0 || span_is(line, "\r"))
			return begin;
	}
	return 0;
}

static bool is_tag(struct span html, const char *name)
{
	struct span text = span_str(name);

	return html.n > text.n && span_starts_nocase(html, text) && !octet_is_alpha(html.p[text.n]) &&
	       !octet_is_digit(html.p[text.n]);
}

/* Behind the tag that html begins with. */
static size_t tag_end(struct span html)
{
	size_t end = span_find(html, '>');

	return end < html.n ? end + 1 : html.n;
}

/* Behind the body's start tag; 0 where there is none. */
static size_t body_begin(struct span html)
{
	for (size_t i = 0; i < html.n; i += 1 + span_find(span_skip(html, i + 1), '<')) {
		if (is_tag(span_skip(html, i), "<body"))
			return i + tag_end(span_skip(html, i));
	}
	return 0;
}

/* Behind the element that html begins with, a div; 0: it does not end. */
static size_t div_end(struct span html)
{
	size_t depth = 0;

	for (size_t i = 0; i < html.n; i += 1 + span_find(span_skip(html, i + 1), '<')) {
		struct span rest = span_skip(html, i);

		if (is_tag(rest, "<div"))
			depth++;
		else if (is_tag(rest, "</div") && --depth == 0)
			return i + tag_end(rest);
	}
	return 0;
}

/* The first element of the body, if it is one: where it begins, and *ret_end behind it. Both 0: it
 * is not there. */
static size_t html_find(struct span html, size_t *ret_end)
{
	size_t begin = body_begin(html), end;
	struct span tag;

	while (begin < html.n && is_space(html.p[begin]))
		begin++;
	tag = span_skip(html, begin);
	tag = span_head(tag, tag_end(tag));
	*ret_end = 0;
	if (!is_tag(tag, "<div") ||
		span_find_span(tag, SPAN("header-protection-legacy-display")) == tag.n)
		return 0;
	end = div_end(span_skip(html, begin));
	*ret_end = end ? begin + end : 0;
	return end ? begin : 0;
}

void legacy_display_leave_out(const struct part *part, struct span text, struct buf *out)
{
	size_t begin = 0, end;

	if (is_text(part, "html"))
		begin = html_find(text, &end);
	else
		end = plain_end(text);
	buf_add(out, span_head(text, begin));
	buf_add(out, span_skip(text, end));
}
