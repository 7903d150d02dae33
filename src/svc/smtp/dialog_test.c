/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Transcripts of SMTP (test/dialog/smtp), run in memory and cut at every octet. Those in the folder
 * "submission" are of port 587, the others of port 25. Each run has a fresh store with:
 *
 *   alice, bob            people
 *   full                  somebody whose quota is used up
 *   gone                  a disabled account
 *   team                  an alias of alice and bob
 *   away                  an alias of somebody in another domain
 */

#include "dialog/dialog.h"
#include "net/tls.h"
#include "store/fixture.h"
#include "svc/client_fixture.h"
#include "svc/env_fixture.h"
#include "svc/smtp/smtp.h"

#include <string.h>

struct smtp_dialog {
	struct dialog dialog; /* first */
	struct env_fixture *fixture;
	struct client_fixture clients;
};

static int begin(struct dialog *d)
{
	struct env_fixture *f = ((struct smtp_dialog *)d)->fixture;

	env_fixture_open(f);
	client_fixture_open(&((struct smtp_dialog *)d)->clients, f);
	d->client = client_fixture_show(&((struct smtp_dialog *)d)->clients,
		&((struct smtp_dialog *)d)->clients.alice, NULL);
	env_fixture_alias(f, "team", "alice@example.org,bob@example.org");
	env_fixture_alias(f, "away", "somebody@example.net");
	env_fixture_account_set(f, "full", "quota", "1k");
	(void)fixture_deliver(f->store,
		fixture_mailbox(f->store, env_fixture_account(f, "full"), "INBOX"),
		SPAN("Subject: x\r\n\r\n"), 0);
	env_fixture_account_set(f, "full", "quota", "1");
	env_fixture_account_set(f, "gone", "disabled", "yes");
	env_fixture_set(f, "message_max", "64k");
	env_fixture_set(f, "recipients_max", "100");
	env_fixture_set(f, "smtp_errors_max", "10");
	return 0;
}

static void end(struct dialog *d)
{
	d->client = tls_client_unref(d->client);
	client_fixture_close(&((struct smtp_dialog *)d)->clients);
	env_fixture_close(((struct smtp_dialog *)d)->fixture);
}

int main(int argc, char **argv)
{
	struct env_fixture *f = env_fixture_new();
	struct smtp_service service = { .env = &f->env };
	struct smtp_dialog d = {
		.dialog = {
			.protocol = &smtp_protocol,
			.service = &service,
			.begin = begin,
			.end = end,
			.peer = { .family = NET_IP4, .ip = { 192, 0, 2, 1 } },
			.local = { .family = NET_IP4, .ip = { 192, 0, 2, 25 } },
		},
		.fixture = f,
	};
	int failed;

	env_fixture_person(f, "bob", "builder");
	env_fixture_person(f, "full", "fridge");
	env_fixture_person(f, "gone", "girl");
	service.kind = argc > 1 && strstr(argv[1], "submission") ? SMTP_SUBMISSION : SMTP_MX;
	failed = dialog_main(&d.dialog, argc, argv);
	env_fixture_free(f);
	return failed;
}
