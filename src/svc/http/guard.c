/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * libmicrohttpd reads leniently: of two lengths the first counts, a length beside chunked coding is
 * passed over, lines may end in LF alone, control characters are kept. Each of these lets two
 * programs on the way see different requests in the same octets. A check in its handler would come
 * too late for some of it (chunk lines and line ends are gone by then), so the check stands in front:
 * it reads the framing once, by the grammar alone, passes on heads whole and only when they are
 * right, and writes chunk lines anew. Trailers and chunk extensions carry nothing for us and are
 * dropped. Meaning (methods, targets, rights) is not looked at here.
 */

#include "svc/http/guard.h"

#include "base/limit.h"

#include <stdio.h>

static int refuse(struct guard *g, unsigned status, const char *reason)
{
	g->state = GUARD_REFUSED;
	g->status = status;
	(void)snprintf(g->reason, sizeof g->reason, "%s", reason);
	buf_done(&g->line);
	return GUARD_E_REFUSED;
}

/* RFC 9110 section 15.5.14: before any of it is read, or at the chunk that makes it too large. */
static int refuse_body(struct guard *g)
{
	(void)refuse(g, 413, "");
	(void)snprintf(g->reason, sizeof g->reason,
		"the body is too large: this request takes at most %llu octets",
		(unsigned long long)g->limit);
	return GUARD_E_REFUSED;
}

/* RFC 9110 section 5.6.2. */
static bool octet_is_token(uint8_t c)
{
	return octet_is_alpha(c) || octet_is_digit(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool span_is_token(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!octet_is_token(s.p[i]))
			return false;
	}
	return s.n > 0;
}

/* Visible US-ASCII: what a request target is made of. */
static bool span_is_visible(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] >= 0x7F)
			return false;
	}
	return s.n > 0;
}

/* RFC 9110 section 5.5: no control characters in a field's value. */
static bool span_is_field_value(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7F)
			return false;
	}
	return true;
}

/* uri-host [":" port]; names, addresses, and nothing that another program might take for a path or
 * for user information. */
static bool span_is_host(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!octet_is_alpha(s.p[i]) && !octet_is_digit(s.p[i]) && s.p[i] != '-' &&
			s.p[i] != '.' && s.p[i] != ':' && s.p[i] != '[' && s.p[i] != ']' &&
			s.p[i] != '_')
			return false;
	}
	return s.n > 0 && s.n <= LIMIT_NAME + 6;
}

/* RFC 9112 section 3. */
static int request_line(struct guard *g, struct span line)
{
	struct span method = span_cut(&line, ' ');
	struct span target = span_cut(&line, ' ');

	if (!span_is_token(method) || !span_is_visible(target))
		return refuse(g, 400, "malformed request line");
	if (line.n != 8 || !span_starts(line, SPAN("HTTP/")))
		return refuse(g, 400, "malformed request line");
	g->old = span_is(line, "HTTP/1.0");
	if (!g->old && !span_is(line, "HTTP/1.1"))
		return refuse(g, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
	g->method_n = method.n;
	g->target_n = target.n;
	return 0;
}

/* RFC 9112 section 6.3: two lengths, or a length beside a coding, are an attack or a mistake. */
static int content_length(struct guard *g, struct span value)
{
	if (g->has_length)
		return refuse(g, 400, "more than one Content-Length");
	if (g->chunked)
		return refuse(g, 400, "Content-Length beside Transfer-Encoding");
	if (!span_to_u64(value, UINT64_MAX, &g->left))
		return refuse(g, 400, "malformed Content-Length");
	g->has_length = true;
	return 0;
}

static int transfer_encoding(struct guard *g, struct span value)
{
	if (g->has_length)
		return refuse(g, 400, "Content-Length beside Transfer-Encoding");
	if (g->chunked || g->old || !span_is_nocase(value, "chunked"))
		return refuse(g, 400, "Transfer-Encoding other than one \"chunked\" of HTTP/1.1");
	g->chunked = true;
	return 0;
}

static int host(struct guard *g, struct span value)
{
	if (g->has_host)
		return refuse(g, 400, "more than one Host");
	if (!span_is_host(value))
		return refuse(g, 400, "malformed Host");
	g->has_host = true;
	return 0;
}

/* RFC 9112 section 5. */
static int field_line(struct guard *g, struct span line)
{
	size_t colon = span_find(line, ':');
	struct span name = span_head(line, colon);
	struct span value = span_trim(span_skip(line, colon + 1));

	if (++g->n_fields > GUARD_FIELDS_MAX)
		return refuse(g, 431, "too many header fields");
	if (line.p[0] == ' ' || line.p[0] == '\t')
		return refuse(g, 400, "folded header field"); /* section 5.2 */
	if (colon == line.n || !span_is_token(name) || !span_is_field_value(value))
		return refuse(g, 400, "malformed header field");
	if (span_is_nocase(name, "Content-Length"))
		return content_length(g, value);
	if (span_is_nocase(name, "Transfer-Encoding"))
		return transfer_encoding(g, value);
	if (span_is_nocase(name, "Host"))
		return host(g, value);
	if (span_is_nocase(name, "Expect") && !span_is_nocase(value, "100-continue"))
		return refuse(g, 417, "unknown expectation");
	return 0;
}

/* Asks how large the body may be. */
static void set_limit(struct guard *g)
{
	struct span head = buf_span(&g->line);
	struct span method = span_head(head, g->method_n);
	struct span target = span_head(span_skip(head, g->method_n + 1), g->target_n);

	g->limit = GUARD_BODY_MAX;
	if (g->limit_of)
		g->limit = g->limit_of(g->context, method, target);
}

/* The empty line: the head is whole and goes on. */
static int head_end(struct guard *g, struct buf *out)
{
	if (!g->has_host && !g->old)
		return refuse(g, 400, "Host is missing"); /* RFC 9112 section 3.2 */
	if (g->has_length || g->chunked)
		set_limit(g);
	if (g->has_length && g->left > g->limit)
		return refuse_body(g);
	buf_add(out, buf_span(&g->line));
	buf_clear(&g->line);
	g->n_requests++;
	g->body = 0;
	if (g->chunked)
		g->state = GUARD_CHUNK_SIZE;
	else
		g->state = g->has_length && g->left ? GUARD_BODY : GUARD_HEAD;
	g->has_host = g->has_length = g->chunked = false;
	g->n_fields = 0;
	return 0;
}

/* A line of a head; `first` octets of g->line come before it. */
static int head_line(struct guard *g, struct span line, size_t first, struct buf *out)
{
	if (first == 0 && line.n == 0) {
		buf_clear(&g->line); /* RFC 9112 section 2.2: an empty line before a request */
		return 0;
	}
	if (first == 0)
		return request_line(g, line);
	if (line.n)
		return field_line(g, line);
	return head_end(g, out);
}

/* RFC 9112 section 7.1; extensions are checked and dropped. */
static int chunk_size_line(struct guard *g, struct span line, struct buf *out)
{
	struct span size = span_trim(span_cut(&line, ';'));
	uint64_t n = 0;

	if (size.n == 0 || size.n > 8 || !span_is_field_value(line))
		return refuse(g, 400, "malformed chunk");
	for (size_t i = 0; i < size.n; i++) {
		uint8_t c = octet_lower(size.p[i]);

		if (!octet_is_digit(c) && (c < 'a' || c > 'f'))
			return refuse(g, 400, "malformed chunk");
		n = n << 4 | (uint64_t)(octet_is_digit(c) ? c - '0' : c - 'a' + 10);
	}
	if (n > g->limit - g->body)
		return refuse_body(g);
	g->body += n;
	buf_clear(&g->line);
	g->left = n;
	g->state = n ? GUARD_CHUNK_DATA : GUARD_TRAILER;
	if (n)
		buf_add_format(out, "%llx\r\n", (unsigned long long)n);
	return 0;
}

/* Trailer fields are read to their end and dropped (RFC 9112 section 7.1.2). */
static int trailer_line(struct guard *g, struct span line, struct buf *out)
{
	if (line.n) {
		size_t colon = span_find(line, ':');

		if (colon == line.n || !span_is_token(span_head(line, colon)) ||
			!span_is_field_value(line))
			return refuse(g, 400, "malformed trailer field");
		return 0;
	}
	buf_clear(&g->line);
	buf_add(out, SPAN("0\r\n\r\n"));
	g->state = GUARD_HEAD;
	return 0;
}

static int line_check(struct guard *g, struct span line, size_t first, struct buf *out)
{
	switch (g->state) {
	case GUARD_HEAD:
		return head_line(g, line, first, out);
	case GUARD_CHUNK_SIZE:
		return chunk_size_line(g, line, out);
	case GUARD_TRAILER:
		return trailer_line(g, line, out);
	default:
		/* GUARD_CHUNK_END: nothing but the line end belongs behind a chunk. */
		if (line.n)
			return refuse(g, 400, "malformed chunk");
		buf_clear(&g->line);
		buf_add(out, SPAN("\r\n"));
		g->state = GUARD_CHUNK_SIZE;
		return 0;
	}
}

static int line_room(struct guard *g)
{
	size_t n = buf_size(&g->line);
	bool in_request_line = g->state == GUARD_HEAD && g->line_start == 0;

	if (in_request_line && n > GUARD_LINE_MAX)
		return refuse(g, 414, "the request line is too long");
	if (g->state == GUARD_HEAD && n > GUARD_HEAD_MAX)
		return refuse(g, 431, "the header is too large");
	if (g->state == GUARD_TRAILER && n > GUARD_TRAILER_MAX)
		return refuse(g, 431, "the trailer is too large");
	if ((g->state == GUARD_CHUNK_SIZE || g->state == GUARD_CHUNK_END) &&
		n > GUARD_CHUNK_LINE_MAX)
		return refuse(g, 400, "malformed chunk");
	return 0;
}

/* Takes octets up to the end of a line, if it is there, and looks at the line. */
static int take_line(struct guard *g, struct span *data, struct buf *out)
{
	size_t lf = span_find(*data, '\n');
	struct span piece = span_head(*data, lf == data->n ? lf : lf + 1);
	struct span whole;
	int r;

	buf_add(&g->line, piece);
	*data = span_skip(*data, piece.n);
	r = line_room(g);
	if (r || lf == piece.n)
		return r;
	whole = span_skip(buf_span(&g->line), g->line_start);
	if (whole.n < 2 || whole.p[whole.n - 2] != '\r')
		return refuse(g, 400, "a line ends in LF alone"); /* RFC 9112 section 2.2 */
	whole.n -= 2;
	if (span_find(whole, '\r') < whole.n)
		return refuse(g, 400, "a CR within a line");
	r = line_check(g, whole, g->line_start, out);
	g->line_start = r ? 0 : buf_size(&g->line);
	return r;
}

static void take_octets(struct guard *g, struct span *data, struct buf *out)
{
	struct span piece = span_head(*data, g->left < data->n ? (size_t)g->left : data->n);

	buf_add(out, piece);
	*data = span_skip(*data, piece.n);
	g->left -= piece.n;
	g->n_octets += piece.n;
	if (g->left == 0)
		g->state = g->state == GUARD_BODY ? GUARD_HEAD : GUARD_CHUNK_END;
}

int guard_add(struct guard *g, struct span data, struct buf *out)
{
	int r = g->state == GUARD_REFUSED ? GUARD_E_REFUSED : 0;

	while (data.n && !r) {
		if (g->state == GUARD_BODY || g->state == GUARD_CHUNK_DATA)
			take_octets(g, &data, out);
		else
			r = take_line(g, &data, out);
	}
	return r;
}

bool guard_is_idle(const struct guard *g)
{
	return g->state == GUARD_HEAD && buf_size(&g->line) == 0;
}

void guard_done(struct guard *g)
{
	buf_done(&g->line);
}
