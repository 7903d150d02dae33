/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * ENVELOPE as text, printed from the raw fields and read back. The reader takes exactly what the
 * printer writes (and any other text of that grammar); it is used on what we stored, so anything
 * else is damage.
 */

#include "mime/envelope.h"

#include "mime/address.h"
#include "mime/header.h"

void envelope_add_string(struct buf *out, struct span s)
{
	size_t nuls = 0;
	bool literal = false;

	if (!s.p) {
		buf_add(out, SPAN("NIL"));
		return;
	}
	for (size_t i = 0; i < s.n; i++) {
		/* RFC 9051 section 9, QUOTED-CHAR without the UTF-8 of extensions; 9, CHAR8 is not
		 * NUL. */
		nuls += s.p[i] == 0;
		literal |= s.p[i] >= 0x80 || s.p[i] == '\r' || s.p[i] == '\n';
	}
	if (literal)
		buf_add_format(out, "{%zu}\r\n", s.n - nuls);
	else
		buf_add_octet(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == 0)
			continue;
		if (!literal && (s.p[i] == '"' || s.p[i] == '\\'))
			buf_add_octet(out, '\\');
		buf_add_octet(out, s.p[i]);
	}
	if (!literal)
		buf_add_octet(out, '"');
}

static struct span nil_if_empty(struct span s)
{
	return s.n ? s : (struct span){};
}

static struct span never_nil(struct span s)
{
	return s.p ? s : SPAN("");
}

/* RFC 9051 section 7.5.2: (personal name, source route, mailbox, host); a NIL host marks groups. */
static void add_address(struct buf *out, const struct address *a)
{
	bool mailbox = a->kind == ADDRESS_MAILBOX;

	buf_add_octet(out, '(');
	envelope_add_string(out, mailbox ? nil_if_empty(a->name) : (struct span){});
	buf_add_octet(out, ' ');
	envelope_add_string(out, mailbox ? nil_if_empty(a->route) : (struct span){});
	buf_add_octet(out, ' ');
	envelope_add_string(out, mailbox                    ? never_nil(a->local)
				 : a->kind == ADDRESS_GROUP ? never_nil(a->name)
							    : (struct span){});
	buf_add_octet(out, ' ');
	envelope_add_string(out, mailbox ? never_nil(a->host) : (struct span){});
	buf_add_octet(out, ')');
}

static void add_addresses(struct buf *out, struct span value)
{
	CLEANUP(address_reader_done) struct address_reader reader = { .rest = value };
	struct address address;
	bool any = false;

	while (address_next(&reader, &address)) {
		if (!any)
			buf_add_octet(out, '(');
		any = true;
		add_address(out, &address);
	}
	buf_add_string(out, any ? ")" : "NIL");
}

static void add_text(struct buf *out, struct span value)
{
	CLEANUP(buf_done) struct buf text = {};

	if (value.p)
		header_unfold(value, &text);
	envelope_add_string(out, value.p ? never_nil(buf_span(&text)) : value);
}

/* Repeats octets [start, end) of the buffer. */
static void add_again(struct buf *out, size_t start, size_t end)
{
	uint8_t *to = buf_room(out, end - start);

	memcpy(to, buf_span(out).p + start, end - start);
	buf_added(out, end - start);
}

void envelope_print(const struct span values[static ENVELOPE_FIELDS], struct buf *out)
{
	size_t from = 0, from_end = 0;

	for (int i = 0; i < ENVELOPE_FIELDS; i++) {
		size_t start;

		buf_add_octet(out, i ? ' ' : '(');
		start = buf_size(out);
		if (i < ENVELOPE_FROM || i > ENVELOPE_BCC)
			add_text(out, values[i]);
		else
			add_addresses(out, values[i]);
		if (i == ENVELOPE_FROM) {
			from = start;
			from_end = buf_size(out);
		}
		/* RFC 9051 section 7.5.2: an absent or empty one is the From. */
		if ((i == ENVELOPE_SENDER || i == ENVELOPE_REPLY_TO) &&
			span_is(span_skip(buf_span(out), start), "NIL")) {
			buf_cut(out, start);
			add_again(out, from, from_end);
		}
	}
	buf_add_octet(out, ')');
}

/* The reader: a cursor that remembers that something did not fit. */
struct cursor {
	struct span rest;
	struct arena *arena;
	bool failed;
};

static bool take(struct cursor *c, const char *text)
{
	if (!span_starts(c->rest, span_str(text)))
		return false;
	c->rest = span_skip(c->rest, strlen(text));
	return true;
}

static void expect(struct cursor *c, const char *text)
{
	c->failed |= !take(c, text);
}

static struct span take_literal(struct cursor *c)
{
	struct span digits = span_cut(&c->rest, '}');
	struct span s;
	uint64_t n;

	if (!span_to_u64(digits, c->rest.n, &n) || !take(c, "\r\n") || n > c->rest.n) {
		c->failed = true;
		return (struct span){};
	}
	s = span_head(c->rest, (size_t)n);
	c->rest = span_skip(c->rest, (size_t)n);
	return s;
}

static struct span take_quoted(struct cursor *c)
{
	struct span raw = c->rest;
	size_t n = 0, escapes = 0;
	uint8_t *copy;

	while (n < raw.n && raw.p[n] != '"') {
		escapes += raw.p[n] == '\\';
		n += raw.p[n] == '\\' ? 2 : 1;
	}
	if (n >= raw.n) {
		c->failed = true;
		return (struct span){};
	}
	c->rest = span_skip(raw, n + 1);
	if (escapes == 0)
		return span_head(raw, n);
	copy = arena_alloc(c->arena, n - escapes);
	for (size_t i = 0, j = 0; i < n; i++) {
		if (raw.p[i] == '\\')
			i++;
		copy[j++] = raw.p[i];
	}
	return span_of(copy, n - escapes);
}

static struct span take_nstring(struct cursor *c)
{
	if (take(c, "\""))
		return take_quoted(c);
	if (take(c, "{"))
		return take_literal(c);
	expect(c, "NIL");
	return (struct span){};
}

static void take_address(struct cursor *c, struct envelope_address *a)
{
	a->name = take_nstring(c);
	expect(c, " ");
	a->route = take_nstring(c);
	expect(c, " ");
	a->mailbox = take_nstring(c);
	expect(c, " ");
	a->host = take_nstring(c);
	expect(c, ")");
}

static struct envelope_list take_list(struct cursor *c)
{
	struct envelope_list list = {};
	size_t capacity = 0;

	if (take(c, "NIL"))
		return list;
	expect(c, "(");
	while (!c->failed && take(c, "(")) {
		if (list.n == capacity) {
			struct envelope_address *more;

			capacity = capacity ? capacity * 2 : 2;
			more = arena_alloc(c->arena, capacity * sizeof *more);
			if (list.n)
				memcpy(more, list.addresses, list.n * sizeof *more);
			list.addresses = more;
		}
		take_address(c, &list.addresses[list.n++]);
	}
	expect(c, ")");
	c->failed |= list.n == 0;
	return list;
}

int envelope_parse(struct span text, struct arena *a, struct envelope *ret_envelope)
{
	struct cursor c = { .rest = text, .arena = a };
	struct envelope e = {};
	struct envelope_list *lists[] = { &e.from, &e.sender, &e.reply_to, &e.to, &e.cc, &e.bcc };

	expect(&c, "(");
	e.date = take_nstring(&c);
	expect(&c, " ");
	e.subject = take_nstring(&c);
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		expect(&c, " ");
		*lists[i] = take_list(&c);
	}
	expect(&c, " ");
	e.in_reply_to = take_nstring(&c);
	expect(&c, " ");
	e.message_id = take_nstring(&c);
	expect(&c, ")");
	if (c.failed || c.rest.n)
		return ENVELOPE_E_DAMAGED;
	*ret_envelope = e;
	return 0;
}
