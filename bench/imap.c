/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * bench_imap [MESSAGES]: what an IMAP session costs without a network, on a new store in /tmp with
 * messages of 4 KiB (10,000, or as many as the argument says): messages a second of FETCH, and
 * milliseconds of SEARCH, SORT and THREAD over all of them.
 */

#include "base/alloc.h"
#include "base/log.h"
#include "mime/word.h"
#include "svc/env_fixture.h"
#include "svc/imap/service.h"
#include "svc/session_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MESSAGES = 10000, BODY = 4096, BATCH = 100 };

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds until the answer, which must be OK, is complete. */
static double ask(struct memory_session *m, struct span command)
{
	struct buf *out = memory_session_output(m);
	double begun = now();
	struct span all, last;
	double seconds;
	size_t at;

	buf_clear(out);
	memory_session_send(m, command, 64 << 10);
	seconds = now() - begun;
	all = buf_span(out);
	at = all.n ? all.n - 1 : 0;
	while (at > 0 && all.p[at - 1] != '\n')
		at--;
	last = span_skip(all, at);
	if (!span_starts(last, SPAN("t OK "))) {
		(void)fprintf(stderr, "%.*s: %.*s\n", (int)(command.n < 80 ? command.n : 80),
			(const char *)command.p, (int)last.n, (const char *)last.p);
		exit(1);
	}
	return seconds;
}

static void add_message(struct buf *out, unsigned i)
{
	CLEANUP(buf_done) struct buf m = {};

	buf_add_format(&m,
		"From: Sender %u <s%u@bench.test>\r\nTo: <u@bench.test>, Other <o%u@bench.test>\r\n"
		"Subject: Re: bench message %u\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
		"Message-ID: <%u@bench.test>\r\nReferences: <%u@bench.test>\r\n"
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
		i % 100, i % 100, i % 7, i / 10, i, i / 2);
	while (buf_size(&m) < BODY)
		buf_add_format(&m, "A line of the text, number %zu of message %u.\r\n",
			buf_size(&m), i);
	buf_add_format(out, " {%zu+}\r\n", buf_size(&m));
	buf_add(out, buf_span(&m));
}

static void fill(struct memory_session *m, unsigned n)
{
	CLEANUP(buf_done) struct buf command = {};

	for (unsigned i = 0; i < n;) {
		buf_clear(&command);
		buf_add_string(&command, "t APPEND INBOX");
		do
			add_message(&command, i++);
		while (i % BATCH && i < n);
		buf_add_string(&command, "\r\n");
		(void)ask(m, buf_span(&command));
	}
}

static void rate(struct memory_session *m, unsigned n, const char *name, const char *items)
{
	char *command = alloc_format("t FETCH 1:* %s\r\n", items);
	double best = 1e9;

	for (int i = 0; i < 5; i++) {
		double s = ask(m, span_str(command));

		best = s < best ? s : best;
	}
	(void)printf("imap_fetch_%s %.0f messages/s\n", name, n / best);
	free(command);
}

static void time_of(struct memory_session *m, const char *name, const char *command)
{
	(void)printf("imap_%s %.1f ms\n", name, 1000 * ask(m, span_str(command)));
}

int main(int argc, char **argv)
{
	static const struct net_address peer = { .family = NET_IP4, .ip = { 192, 0, 2, 1 } };
	unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : MESSAGES;
	struct env_fixture *f;
	struct imap_service *service = NULL;
	struct memory_session *m;

	word_init();
	log_set_stderr(false);
	f = env_fixture_new();
	env_fixture_open(f);
	if (imap_new(&service, &f->env))
		return 1;
	m = memory_session_new(&imap_protocol, service, &peer, true);
	(void)ask(m, SPAN("t LOGIN alice wonderland\r\n"));
	fill(m, n);
	(void)ask(m, SPAN("t SELECT INBOX\r\n"));
	rate(m, n, "flags", "FLAGS");
	rate(m, n, "uid_flags_modseq", "(UID FLAGS MODSEQ)");
	rate(m, n, "envelope", "ENVELOPE");
	rate(m, n, "list", "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)");
	rate(m, n, "fields", "BODY.PEEK[HEADER.FIELDS (From To Subject Date)]");
	rate(m, n, "body", "BODY.PEEK[]");
	time_of(m, "search_unseen", "t SEARCH UNSEEN\r\n");
	time_of(m, "search_from", "t SEARCH FROM nobody\r\n");
	time_of(m, "search_body", "t SEARCH BODY \"no such text\"\r\n");
	time_of(m, "sort_subject", "t SORT (SUBJECT) UTF-8 ALL\r\n");
	time_of(m, "sort_arrival", "t SORT (REVERSE ARRIVAL) UTF-8 ALL\r\n");
	time_of(m, "thread_references", "t THREAD REFERENCES UTF-8 ALL\r\n");
	time_of(m, "thread_subject", "t THREAD ORDEREDSUBJECT UTF-8 ALL\r\n");
	memory_session_free(m);
	imap_free(service);
	env_fixture_close(f);
	env_fixture_free(f);
	return 0;
}
