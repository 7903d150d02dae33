/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Whole IMAP sessions against a real store. The first octet chooses: 1 the input arrives octet by
 * octet, 2 QRESYNC is enabled, 4 nobody is logged in, 8 a second session sits in IDLE on the same
 * mailbox, 16 IMAP4rev2 is enabled. The rest is what the client sends. Each input has an account of
 * its own with two messages in INBOX, which is selected.
 *
 * Invariants: the server only says what IMAP's grammar calls a response (lines that begin with "*",
 * "+" or a tag and end in CRLF, literals as long as they say, none torn), and every task ends.
 */

#include "store/account.h"
#include "svc/imap/client_fixture.h"
#include "svc/imap/core.h"

#include <stdio.h>
#include <stdlib.h>

enum { ACCOUNTS_OF_STORE = 2000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char multipart[] =
	"From: Alice <alice@example.org>\r\n"
	"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
	"Message-ID: <1@example.org>\r\n"
	"Content-Type: multipart/mixed; boundary=b\r\n"
	"\r\n"
	"--b\r\n"
	"\r\n"
	"text\r\n"
	"--b\r\n"
	"Content-Type: image/png\r\n"
	"Content-Transfer-Encoding: base64\r\n"
	"\r\n"
	"AAECAw==\r\n"
	"--b--\r\n";
static const char reply[] =
	"References: <1@example.org>\r\n"
	"Subject: Re: x\r\n"
	"\r\n"
	"body text\r\n";

static void add_start(struct buf *input)
{
	buf_add_format(input, "p APPEND INBOX (\\Seen $Junk) {%zu+}\r\n%s {%zu+}\r\n%s\r\n",
		sizeof multipart - 1, multipart, sizeof reply - 1, reply);
	buf_add_string(input, "p SELECT INBOX\r\n");
}

static struct fixture *fixture;
static unsigned n_accounts;

static void must(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "imap: %s\n", what);
	abort();
}

static int account_add(struct store_conn *c, void *arg)
{
	CLEANUP(buf_done) struct buf local = {};
	struct store_credentials none = {};

	buf_add_format(&local, "a%u", n_accounts);
	return store_account_add(c, fixture->domain, buf_span(&local), ROLE_USER, &none, arg);
}

/* A store is used for many inputs and then made anew, so that it stays small. */
static int64_t account_new(void)
{
	int64_t account = 0;

	if (!fixture || ++n_accounts == ACCOUNTS_OF_STORE) {
		fixture = imap_clients_begin();
		n_accounts = 0;
	}
	must(store_write(fixture->store, account_add, &account) == 0, "account");
	return account;
}

/* Takes one response line with its literals off the front; false if it is none. */
static bool take_response(struct span *out)
{
	bool first = true;

	for (;;) {
		size_t end = span_find_span(*out, SPAN("\r\n"));
		struct span line = span_head(*out, end);
		struct imap_literal literal;

		if (end == out->n || (first && (line.n < 3 || line.p[0] <= ' ')))
			return false;
		first = false;
		*out = span_skip(*out, end + 2);
		/* Only untagged answers have literals; a tag may look like anything. */
		if (!command_find_literal(line, &literal))
			return true;
		if (literal.n > out->n)
			return false;
		*out = span_skip(*out, literal.n);
	}
}

static void check(struct imap_client *c)
{
	struct span out = buf_span(&c->output);

	while (out.n > 0)
		must(take_response(&out), "the output is not IMAP");
}

static void start(struct imap_client *c, uint8_t choice)
{
	if (choice & 2)
		buf_add_string(&c->input, "p ENABLE QRESYNC\r\n");
	if (choice & 16)
		buf_add_string(&c->input, "p ENABLE IMAP4rev2\r\n");
	add_start(&c->input);
	imap_clients_run(c, 1, false);
	must(span_find_span(buf_span(&c->output), SPAN("* 2 EXISTS\r\n")) < buf_size(&c->output),
		"the messages are not there");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imap_client clients[2];
	uint8_t choice = size ? data[0] : 0;
	int64_t account = account_new();
	size_t n = choice & 8 ? 2 : 1;

	imap_client_open(&clients[0], choice & 4 ? 0 : account);
	if (!(choice & 4))
		start(&clients[0], choice);
	if (n == 2) {
		imap_client_open(&clients[1], account);
		buf_add_string(&clients[1].input, "q SELECT INBOX\r\nq IDLE\r\n");
		imap_clients_run(clients, n, false);
	}
	clients[0].by_octet = choice & 1;
	if (size > 1)
		buf_add(&clients[0].input, span_of(data + 1, size - 1));
	imap_clients_run(clients, n, false);
	imap_clients_run(clients, n, true);
	for (size_t i = 0; i < n; i++) {
		check(&clients[i]);
		imap_client_close(&clients[i]);
	}
	return 0;
}
