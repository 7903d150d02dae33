/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Fields of a header block that lies in memory whole. A line end is LF, with or without a CR before
 * it: mail arrives with CRLF, but what was appended over IMAP may not have it, and a reader that
 * saw another header than the next one would be a hole. Nothing here judges a field; a line that is
 * none (an mbox "From " line, say) is passed on without a name.
 */

#include "mime/header.h"

#include "base/alloc.h"
#include "base/err.h"

#include <stdlib.h>

/* Octets of the line at the front, its end included. */
static size_t line_size(struct span s)
{
	size_t at = span_find(s, '\n');

	return at < s.n ? at + 1 : s.n;
}

static bool is_empty_line(struct span line)
{
	return line.n &&
	       (line.p[0] == '\n' || (line.n > 1 && line.p[0] == '\r' && line.p[1] == '\n'));
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct span without_line_end(struct span s)
{
	if (s.n && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

struct header_field header_split(struct span whole)
{
	struct span content = without_line_end(whole);
	size_t colon = span_find(content, ':');
	size_t n = colon;

	/* RFC 5322 section 4.5.3: white space before the colon is obsolete, not wrong. */
	while (n && is_blank(content.p[n - 1]))
		n--;
	for (size_t i = 0; i < n; i++) {
		if (content.p[i] <= ' ' || content.p[i] > '~')
			n = 0; /* RFC 5322 section 2.2 */
	}
	if (n == 0 || colon == content.n)
		return (struct header_field){ .value = content, .whole = whole };
	return (struct header_field){
		.name = span_head(content, n),
		.value = span_skip(content, colon + 1),
		.whole = whole,
	};
}

bool header_next(struct span *rest, struct header_field *ret_field)
{
	size_t n;

	if (rest->n == 0 || is_empty_line(*rest))
		return false;
	n = line_size(*rest);
	while (n < rest->n && is_blank(rest->p[n]))
		n += line_size(span_skip(*rest, n));
	*ret_field = header_split(span_head(*rest, n));
	*rest = span_skip(*rest, n);
	return true;
}

size_t header_size(struct span message)
{
	struct span rest = message;

	while (rest.n && !is_empty_line(rest))
		rest = span_skip(rest, line_size(rest));
	return message.n - rest.n + (rest.n ? line_size(rest) : 0);
}

bool header_find(struct span block, const char *name, struct header_field *ret_field)
{
	struct header_field field;

	while (header_next(&block, &field)) {
		if (span_is_nocase(field.name, name)) {
			*ret_field = field;
			return true;
		}
	}
	return false;
}

void header_unfold(struct span value, struct buf *out)
{
	value = span_trim(value);
	while (value.n) {
		size_t at = span_find(value, '\n');
		struct span line = span_head(value, at);

		if (at < value.n && line.n && line.p[line.n - 1] == '\r')
			line.n--;
		buf_add(out, line);
		value = span_skip(value, at + 1);
	}
}

static int compare_names(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	for (size_t i = 0; i < x->n; i++) {
		int difference = octet_lower(x->p[i]) - octet_lower(y->p[i]);

		if (difference)
			return difference;
	}
	return 0;
}

void header_select(
	struct span block, const struct span *names, size_t n, bool without, struct buf *out)
{
	/* Sorted: both the names and the fields come from outside, and could be many. */
	CLEANUP(alloc_freep) struct span *sorted = alloc_zero((n ? n : 1) * sizeof *sorted);
	struct header_field field;

	for (size_t i = 0; i < n; i++)
		sorted[i] = names[i];
	qsort(sorted, n, sizeof *sorted, compare_names);
	while (header_next(&block, &field)) {
		bool named = bsearch(&field.name, sorted, n, sizeof *sorted, compare_names);

		if (named == without)
			continue;
		buf_add(out, field.whole);
		if (field.whole.p[field.whole.n - 1] != '\n')
			buf_add(out, SPAN("\r\n"));
	}
	buf_add(out, SPAN("\r\n"));
}
