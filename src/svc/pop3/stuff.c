/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Dot-stuffing. Octets are sent as they are stored, so that signatures hold and sizes are those of
 * the store. Mail that came in by other ways than SMTP may hold lines that end in LF alone: some
 * clients take that for the end of a line and some do not, so a dot is doubled behind any LF. With
 * the first kind the message arrives unchanged and cannot end the response early; with the second
 * kind such a line has one dot too many. Where the message's very last line ends in LF alone, or in
 * nothing, CRLF is sent, since the response's last line must begin behind one.
 */

#include "svc/pop3/stuff.h"

void stuffer_init(struct stuffer *s, uint64_t body_lines)
{
	*s = (struct stuffer){ .body_lines = body_lines };
}

/* A line is complete; its ending is not counted in line_octets but for a CR. */
static void line_end(struct stuffer *s)
{
	bool empty = s->line_octets == (s->ends_in_cr ? 1 : 0);

	s->line_octets = 0;
	s->ends_in_cr = false;
	if (s->in_body) {
		if (s->body_lines != UINT64_MAX)
			s->body_lines--;
	} else {
		s->in_body = empty;
	}
	s->full = s->in_body && s->body_lines == 0;
}

void stuffer_add(struct stuffer *s, struct span data, struct buf *out)
{
	while (data.n && !s->full) {
		size_t n = span_find(data, '\n');

		if (s->bare_lf_waits)
			buf_add_octet(out, '\n');
		s->bare_lf_waits = false;
		if (s->line_octets == 0 && data.p[0] == '.')
			buf_add_octet(out, '.'); /* RFC 1939 section 3 */
		buf_add(out, span_head(data, n));
		if (n)
			s->ends_in_cr = data.p[n - 1] == '\r';
		s->line_octets += n;
		if (n == data.n)
			return;
		if (s->ends_in_cr)
			buf_add_octet(out, '\n');
		else
			s->bare_lf_waits = true;
		line_end(s);
		data = span_skip(data, n + 1);
	}
}

void stuffer_end(struct stuffer *s, struct buf *out)
{
	if (s->bare_lf_waits || s->line_octets)
		buf_add(out, SPAN("\r\n"));
	buf_add(out, SPAN(".\r\n"));
}
