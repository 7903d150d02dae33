/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Transcripts of POP3 (test/dialog/pop3), run in memory and cut at every octet. Each run has a
 * fresh store with alice (password "wonderland"), whose INBOX holds:
 *
 *   1   dots at the beginning of lines
 *   2   lines that end in LF alone, one of them a single dot; no end of the last line
 *   3   an empty line
 *   4   300,000 octets of lines
 *   5   a header without a body
 *
 * bob (password "builder"), who has no mail, and carol (password "singer"), who has a message
 * without any octet.
 */

#include "dialog/dialog.h"
#include "net/tls.h"
#include "store/fixture.h"
#include "svc/client_fixture.h"
#include "svc/env_fixture.h"
#include "svc/pop3/pop3.h"

struct pop3_dialog {
	struct dialog dialog; /* first */
	struct env_fixture *fixture;
	struct client_fixture clients;
	struct buf large;
};

static int begin(struct dialog *d)
{
	struct pop3_dialog *p = (struct pop3_dialog *)d;
	struct env_fixture *f = p->fixture;
	int64_t inbox;

	env_fixture_open(f);
	client_fixture_open(&((struct pop3_dialog *)d)->clients, f);
	d->client = client_fixture_show(&((struct pop3_dialog *)d)->clients,
		&((struct pop3_dialog *)d)->clients.alice, NULL);
	inbox = f->store->inbox;
	(void)fixture_deliver(f->store, inbox,
		SPAN("Subject: one\r\n.x: y\r\n\r\nfirst\r\n.\r\n..two\r\nlast\r\n"), 0);
	(void)fixture_deliver(f->store, inbox, SPAN("Subject: two\n\na\n.\nb\r\nc"), 0);
	(void)fixture_deliver(f->store, inbox, SPAN("\r\n"), 0);
	(void)fixture_deliver(f->store, inbox, buf_span(&p->large), 0);
	(void)fixture_deliver(f->store, inbox, SPAN("Subject: five\r\n"), 0);
	inbox = fixture_mailbox(f->store, env_fixture_account(f, "carol"), "INBOX");
	(void)fixture_deliver(f->store, inbox, SPAN(""), 0);
	return 0;
}

static void end(struct dialog *d)
{
	d->client = tls_client_unref(d->client);
	client_fixture_close(&((struct pop3_dialog *)d)->clients);
	env_fixture_close(((struct pop3_dialog *)d)->fixture);
}

int main(int argc, char **argv)
{
	struct env_fixture *f = env_fixture_new();
	struct pop3_dialog d = {
		.dialog = {
			.protocol = &pop3_protocol,
			.service = &f->env,
			.begin = begin,
			.end = end,
			.peer = { .family = NET_IP4, .ip = { 192, 0, 2, 1 } },
			.local = { .family = NET_IP4, .ip = { 192, 0, 2, 110 } },
		},
		.fixture = f,
	};
	int failed;

	buf_add_string(&d.large, "Subject: four\r\n\r\n");
	for (unsigned i = 1; buf_size(&d.large) < 300000 - 30; i++)
		buf_add_format(&d.large, ".line %u\r\n", i);
	while (buf_size(&d.large) < 300000 - 2)
		buf_add_octet(&d.large, 'x');
	buf_add_string(&d.large, "\r\n");
	env_fixture_person(f, "bob", "builder");
	env_fixture_person(f, "carol", "singer");
	failed = dialog_main(&d.dialog, argc, argv);
	buf_done(&d.large);
	env_fixture_free(f);
	return failed;
}
