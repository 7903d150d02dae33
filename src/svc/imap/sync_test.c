/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Many sessions on one mailbox. Each client keeps a picture of the mailbox from nothing but what
 * the server tells it, as a real one does, while all of them append, store, expunge, copy, move
 * and idle at random. In the end each picture must be what a new session sees. One client in four
 * speaks QRESYNC, one CONDSTORE, one IMAP4rev2.
 */

#include "svc/imap/client_fixture.h"
#include "svc/imap/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

enum { CLIENTS = 4, ROUNDS = 30, STEPS = 80, MESSAGES = 500, FLAGS = 5, UNKNOWN = 0xff };

static const char *const names[FLAGS] = { "\\Seen", "\\Flagged", "\\Deleted", "k1", "k2" };

struct picture {
	size_t n;
	struct {
		uint32_t uid;  /* 0: not known yet */
		uint8_t flags; /* bits of names, or UNKNOWN */
	} messages[MESSAGES];
};

static struct picture pictures[CLIENTS];
static bool idles[CLIENTS];
static unsigned tag;

static unsigned below(unsigned n)
{
	return (unsigned)rand() % n;
}

static void picture_remove(struct picture *p, size_t i)
{
	assert_true(i < p->n);
	p->n--;
	memmove(&p->messages[i], &p->messages[i + 1], (p->n - i) * sizeof p->messages[0]);
}

/* RFC 7162 section 3.2.10: a UID that the client has not seen is one of those it knows by number
 * only, between the UIDs next to it. */
static void picture_vanish(struct picture *p, uint32_t uid)
{
	size_t last = p->n;

	for (size_t i = 0; i < p->n && p->messages[i].uid <= uid; i++) {
		uint32_t known = p->messages[i].uid;

		last = known == 0 || known == uid ? i : p->n;
		if (known == uid)
			break;
	}
	assert_true(last < p->n);
	picture_remove(p, last);
}

static void picture_exists(struct picture *p, size_t n)
{
	/* RFC 9051 section 7.4.1: the number never falls by EXISTS. */
	assert_true(n >= p->n && n <= MESSAGES);
	for (; p->n < n; p->n++) {
		p->messages[p->n].uid = 0;
		p->messages[p->n].flags = UNKNOWN;
	}
}

static uint8_t flags_of(struct span list)
{
	uint8_t flags = 0;

	while (list.n) {
		struct span name = span_cut(&list, ' ');

		for (unsigned i = 0; i < FLAGS; i++)
			flags |= (uint8_t)(span_is(name, names[i]) << i);
	}
	return flags;
}

static uint32_t number_of(struct span text)
{
	uint64_t n = 0;

	assert_true(span_to_u64(text, UINT32_MAX, &n));
	return (uint32_t)n;
}

/* What stands behind "KEY " up to the end mark. */
static bool item(struct span line, const char *key, uint8_t end, struct span *ret)
{
	size_t at = span_find_span(line, span_str(key));

	*ret = span_skip(line, at + strlen(key));
	*ret = span_head(*ret, span_find(*ret, end));
	return at < line.n;
}

static void take_fetch(struct picture *p, uint32_t sequence, struct span line)
{
	struct span text;
	size_t i = sequence - 1;

	assert_true(sequence >= 1 && sequence <= p->n);
	if (item(line, "UID ", ' ', &text)) {
		uint32_t uid = number_of(span_head(text, span_find(text, ')')));

		assert_true(p->messages[i].uid == 0 || p->messages[i].uid == uid);
		p->messages[i].uid = uid;
	}
	if (item(line, "FLAGS (", ')', &text))
		p->messages[i].flags = flags_of(text);
}

static void take_vanished(struct picture *p, struct span set)
{
	while (set.n) {
		struct span range = span_cut(&set, ',');
		uint32_t first = number_of(span_cut(&range, ':'));
		uint32_t last = range.n ? number_of(range) : first;

		for (uint32_t uid = last; uid >= first; uid--)
			picture_vanish(p, uid);
	}
}

static void take_line(struct picture *p, struct span line)
{
	struct span word = span_word(&line), name;
	uint64_t n;

	if (!span_is(word, "*")) {
		if (!span_is(word, "+") && !span_starts(line, SPAN("OK")) &&
			!span_starts(line, SPAN("NO [EXPUNGEISSUED]")))
			fail_msg("%.*s", (int)line.n, (const char *)line.p);
		return;
	}
	word = span_word(&line);
	if (span_is(word, "VANISHED")) {
		take_vanished(p, line);
		return;
	}
	if (!span_to_u64(word, UINT32_MAX, &n))
		return;
	name = span_word(&line);
	if (span_is(name, "EXISTS"))
		picture_exists(p, (size_t)n);
	else if (span_is(name, "EXPUNGE"))
		picture_remove(p, (size_t)n - 1);
	else if (span_is(name, "FETCH"))
		take_fetch(p, (uint32_t)n, line);
}

static void take_output(struct imap_client *c, struct picture *p)
{
	struct span out = buf_span(&c->output);

	assert_non_null(c->session);
	while (out.n) {
		struct imap_literal literal = {};
		size_t end = span_find_span(out, SPAN("\r\n"));

		assert_true(end < out.n);
		(void)command_find_literal(span_head(out, end), &literal);
		take_line(p, span_head(out, end));
		out = span_skip(out, end + 2 + literal.n);
		if (literal.announced) /* ")" or the rest of the items */
			out = span_skip(out, span_find_span(out, SPAN("\r\n")) + 2);
	}
	buf_clear(&c->output);
}

static void send_line(struct imap_client *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void send_line(struct imap_client *c, const char *format, ...)
{
	char line[200];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(line, sizeof line, format, ap);
	va_end(ap);
	buf_add_format(&c->input, "t%u %s\r\n", ++tag, line);
}

/* A STORE, and for .SILENT what the client knows it does. */
static void send_store(struct imap_client *c, struct picture *p)
{
	uint32_t first = 1 + below((unsigned)p->n), last = 1 + below((unsigned)p->n);
	static const char *const signs[] = { "", "+", "-" };
	unsigned flag = below(FLAGS), how = below(3);
	bool silent = below(2);

	if (first > last)
		first = last;
	send_line(c, "STORE %u:%u %sFLAGS%s (%s)", first, last, signs[how], silent ? ".SILENT" : "",
		names[flag]);
	for (uint32_t i = first - 1; silent && i < last; i++) {
		uint8_t *flags = &p->messages[i].flags, bit = (uint8_t)(1 << flag);

		if (how == 0)
			*flags = bit;
		else if (*flags != UNKNOWN)
			*flags = how == 1 ? *flags | bit : *flags & (uint8_t)~bit;
	}
}

static void send_something(struct imap_client *c, struct picture *p, bool *idle)
{
	if (*idle) {
		buf_add_string(&c->input, "DONE\r\n");
		*idle = false;
		return;
	}
	if (p->n == 0 || (p->n < MESSAGES / 4 && below(4) == 0)) {
		send_line(c, "APPEND INBOX (%s) {10+}\r\nX: y\r\n\r\nab", names[below(FLAGS)]);
		return;
	}
	switch (below(12)) {
	case 0:
		send_line(c, "NOOP");
		break;
	case 1:
		send_line(c, "EXPUNGE");
		break;
	case 2:
		send_line(c, "UID EXPUNGE %u:*", 1 + below(200));
		break;
	case 3:
		send_line(c, "COPY %u INBOX", 1 + below((unsigned)p->n));
		break;
	case 4:
		send_line(c, "MOVE %u %s", 1 + below((unsigned)p->n), below(2) ? "INBOX" : "Trash");
		break;
	case 5:
		send_line(c, "FETCH 1:* (UID FLAGS)");
		break;
	case 6:
		send_line(c, "UID FETCH %u:* (FLAGS)", 1 + below(100));
		break;
	case 7:
		send_line(c, "IDLE");
		*idle = true;
		break;
	case 8:
		send_line(c, "FETCH %u (UID BODY[])", 1 + below((unsigned)p->n));
		break;
	default:
		send_store(c, p);
	}
}

static void clients_open(struct imap_client *clients, struct fixture *f)
{
	static const char *const enables[CLIENTS] = { NULL, "QRESYNC", "CONDSTORE", "IMAP4rev2" };

	for (size_t i = 0; i < CLIENTS; i++) {
		imap_client_open(&clients[i], f->account);
		buf_clear(&clients[i].output);
		pictures[i].n = 0;
		idles[i] = false;
		if (enables[i])
			send_line(&clients[i], "ENABLE %s", enables[i]);
		send_line(&clients[i], "SELECT INBOX");
		imap_clients_run(&clients[i], 1, false);
		take_output(&clients[i], &pictures[i]);
	}
}

static void all_come_to_rest(struct imap_client *clients)
{
	for (size_t i = 0; i < CLIENTS; i++) {
		if (idles[i])
			buf_add_string(&clients[i].input, "DONE\r\n");
	}
	imap_clients_run(clients, CLIENTS, false);
	for (size_t i = 0; i < CLIENTS; i++) {
		send_line(&clients[i], "NOOP");
		imap_clients_run(&clients[i], 1, false);
		take_output(&clients[i], &pictures[i]);
	}
}

static void compare(const struct picture *p, const struct picture *truth, size_t client)
{
	if (p->n != truth->n)
		fail_msg("client %zu: %zu messages, not %zu", client, p->n, truth->n);
	for (size_t i = 0; i < p->n; i++) {
		if (p->messages[i].uid && p->messages[i].uid != truth->messages[i].uid)
			fail_msg("client %zu: message %zu has another UID", client, i + 1);
		if (p->messages[i].flags == UNKNOWN)
			continue;
		if (p->messages[i].flags != truth->messages[i].flags)
			fail_msg("client %zu: message %zu: flags %x, not %x", client, i + 1,
				p->messages[i].flags, truth->messages[i].flags);
	}
}

static void test_pictures(void **state)
{
	struct picture truth;
	size_t n_told = 0;

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct imap_client clients[CLIENTS], fresh;
		struct fixture *f = imap_clients_begin();

		srand(round);
		clients_open(clients, f);
		for (unsigned step = 0; step < STEPS; step++) {
			/* One client at a time, or several at once: then commands overlap. */
			unsigned n = below(3) ? 1 : CLIENTS;
			size_t first = n == 1 ? below(CLIENTS) : 0;

			for (size_t i = first; i < first + n; i++)
				send_something(&clients[i], &pictures[i], &idles[i]);
			imap_clients_run(clients, CLIENTS, false);
			for (size_t i = 0; i < CLIENTS; i++)
				take_output(&clients[i], &pictures[i]);
		}
		all_come_to_rest(clients);
		imap_client_open(&fresh, f->account);
		buf_clear(&fresh.output);
		truth.n = 0;
		send_line(&fresh, "SELECT INBOX");
		send_line(&fresh, "UID FETCH 1:* (FLAGS)");
		imap_clients_run(&fresh, 1, false);
		take_output(&fresh, &truth);
		for (size_t i = 0; i < CLIENTS; i++) {
			compare(&pictures[i], &truth, i);
			for (size_t k = 0; k < pictures[i].n; k++)
				n_told += pictures[i].messages[k].flags != UNKNOWN;
			imap_client_close(&clients[i]);
		}
		imap_client_close(&fresh);
	}
	/* The pictures were not empty. */
	assert_true(n_told > 50);
}

/* A mailbox changes so much that telling it takes several pieces. */
static void test_long_news(void **state)
{
	struct fixture *f = imap_clients_begin();
	struct imap_client clients[2];
	static struct picture picture;

	(void)state;
	imap_client_open(&clients[0], f->account);
	imap_client_open(&clients[1], f->account);
	send_line(&clients[0], "SELECT INBOX");
	for (unsigned i = 0; i < MESSAGES; i++)
		send_line(&clients[0], "APPEND INBOX {10+}\r\nX: y\r\n\r\nab");
	imap_clients_run(clients, 2, false);
	send_line(&clients[1], "SELECT INBOX");
	imap_clients_run(clients, 2, false);
	buf_clear(&clients[1].output);
	picture_exists(&picture, MESSAGES);
	send_line(&clients[0], "STORE 1:* FLAGS.SILENT (k1 k2 \\Seen \\Flagged \\Deleted \\Draft "
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa)");
	send_line(&clients[1], "NOOP");
	imap_clients_run(clients, 1, false);
	imap_clients_run(clients, 2, false);
	assert_true(buf_size(&clients[1].output) > 3 * SESSION_CHUNK);
	take_output(&clients[1], &picture);
	for (size_t i = 0; i < MESSAGES; i++)
		assert_int_equal(picture.messages[i].flags, 0x1f);
	send_line(&clients[0], "EXPUNGE");
	imap_clients_run(clients, 1, false);
	send_line(&clients[1], "NOOP");
	imap_clients_run(clients, 2, false);
	take_output(&clients[1], &picture);
	assert_int_equal(picture.n, 0);
	imap_client_close(&clients[0]);
	imap_client_close(&clients[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pictures),
		cmocka_unit_test(test_long_news),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
