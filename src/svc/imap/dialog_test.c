/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Transcripts of IMAP (test/dialog/imap), run in memory and cut at every octet. Each run has a
 * fresh store with alice (password "wonderland"), bob ("builder") and full ("fridge"), whose quota
 * of 1 KiB is nearly used up.
 */

#include "dialog/dialog.h"
#include "mime/word.h"
#include "net/tls.h"
#include "store/fixture.h"
#include "svc/client_fixture.h"
#include "svc/env_fixture.h"
#include "svc/imap/service.h"

struct imap_dialog {
	struct dialog dialog; /* first */
	struct env_fixture *fixture;
	struct client_fixture clients;
};

static int begin(struct dialog *d)
{
	struct env_fixture *f = ((struct imap_dialog *)d)->fixture;
	struct imap_service *service;

	env_fixture_open(f);
	client_fixture_open(&((struct imap_dialog *)d)->clients, f);
	d->client = client_fixture_show(&((struct imap_dialog *)d)->clients,
		&((struct imap_dialog *)d)->clients.alice, NULL);
	env_fixture_set(f, "message_max", "100k");
	env_fixture_account_set(f, "full", "quota", "1k");
	TRY(imap_new(&service, &f->env));
	d->service = service;
	return 0;
}

static void end(struct dialog *d)
{
	d->service = imap_free(d->service);
	d->client = tls_client_unref(d->client);
	client_fixture_close(&((struct imap_dialog *)d)->clients);
	env_fixture_close(((struct imap_dialog *)d)->fixture);
}

int main(int argc, char **argv)
{
	struct env_fixture *f = env_fixture_new();
	struct imap_dialog d = {
		.dialog = {
			.protocol = &imap_protocol,
			.begin = begin,
			.end = end,
			.peer = { .family = NET_IP4, .ip = { 192, 0, 2, 1 } },
			.local = { .family = NET_IP4, .ip = { 192, 0, 2, 143 } },
		},
		.fixture = f,
	};
	int failed;

	word_init();
	env_fixture_person(f, "bob", "builder");
	env_fixture_person(f, "full", "fridge");
	failed = dialog_main(&d.dialog, argc, argv);
	env_fixture_free(f);
	return failed;
}
