/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "net/smtp_reply.h"

enum { SHOWN_MAX = 200 };

void smtp_reply_clear(struct smtp_reply *r)
{
	r->code = 0;
	r->n_lines = 0;
	buf_clear(&r->text);
}

void smtp_reply_done(struct smtp_reply *r)
{
	buf_done(&r->text);
	*r = (struct smtp_reply){};
}

/* RFC 5321 section 4.2: the first digit is 2 to 5, the second 0 to 5. 0: there is no code. */
static unsigned parse_code(struct span line)
{
	if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || line.p[1] < '0' ||
		line.p[1] > '5' || !octet_is_digit(line.p[2]))
		return 0;
	return (unsigned)(line.p[0] - '0') * 100 + (unsigned)(line.p[1] - '0') * 10 +
	       (unsigned)(line.p[2] - '0');
}

/* NUL and bare CR are in no reply; LF ends lines. */
static bool is_text(struct span s)
{
	return span_find(s, 0) == s.n && span_find(s, '\r') == s.n;
}

/* One line without its end. RFC 5321 section 4.2.1: all lines of a reply have the same code, and
 * the text with the space before it may be missing. */
static int take_line(struct smtp_reply *r, struct span line, bool *ret_last, struct why *why)
{
	unsigned code = parse_code(line);

	if (!code || (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-') || !is_text(line)) {
		why_set(why, "an answer that is not SMTP");
		return SMTP_REPLY_E_SYNTAX;
	}
	if (r->code && r->code != code) {
		why_set(why, "an answer of several lines with different codes");
		return SMTP_REPLY_E_SYNTAX;
	}
	if (r->n_lines == SMTP_REPLY_LINES_MAX) {
		why_set(why, "an answer of more than %d lines", SMTP_REPLY_LINES_MAX);
		return SMTP_REPLY_E_SYNTAX;
	}
	r->code = code;
	r->n_lines++;
	*ret_last = line.n == 3 || line.p[3] == ' ';
	buf_add(&r->text, span_skip(line, 4));
	buf_add_octet(&r->text, '\n');
	return 0;
}

/* A line that ends with LF alone is read too, as everybody does; nothing can be smuggled by it,
 * since a reply is never passed on. */
int smtp_reply_read(struct smtp_reply *r, struct span *input, struct why *why)
{
	bool last = false;

	while (!last) {
		size_t end = span_find(*input, '\n');
		struct span line = span_head(*input, end);
		int outcome;

		if (end >= SMTP_REPLY_LINE_MAX) {
			why_set(why, "a line of more than %d octets", SMTP_REPLY_LINE_MAX);
			return SMTP_REPLY_E_SYNTAX;
		}
		if (end == input->n)
			return SMTP_REPLY_E_MORE;
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		outcome = take_line(r, line, &last, why);
		if (outcome)
			return outcome;
		*input = span_skip(*input, end + 1);
	}
	return 0;
}

bool smtp_reply_offers(const struct smtp_reply *r, const char *keyword)
{
	struct span rest = buf_span(&r->text);

	(void)span_cut(&rest, '\n');
	while (rest.n) {
		struct span line = span_cut(&rest, '\n');

		if (span_is_nocase(span_word(&line), keyword))
			return true;
	}
	return false;
}

void smtp_reply_why(const struct smtp_reply *r, struct why *why)
{
	struct span rest = buf_span(&r->text);
	struct span line = span_head(span_cut(&rest, '\n'), SHOWN_MAX);

	why_set(why, "%u %.*s", r->code, (int)line.n, (const char *)line.p);
}
