/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Transcripts of ManageSieve (test/dialog/managesieve), run in memory and cut at every octet. Each
 * run has a fresh store with alice (password "wonderland") and bob ("builder"), who have no
 * scripts. */

#include "dialog/dialog.h"
#include "net/tls.h"
#include "svc/client_fixture.h"
#include "svc/env_fixture.h"
#include "svc/managesieve/managesieve.h"

struct managesieve_dialog {
	struct dialog dialog; /* first */
	struct env_fixture *fixture;
	struct client_fixture clients;
};

static int begin(struct dialog *d)
{
	struct managesieve_dialog *m = (struct managesieve_dialog *)d;

	env_fixture_open(m->fixture);
	client_fixture_open(&m->clients, m->fixture);
	d->client = client_fixture_show(&m->clients, &m->clients.alice, NULL);
	return 0;
}

static void end(struct dialog *d)
{
	struct managesieve_dialog *m = (struct managesieve_dialog *)d;

	d->client = tls_client_unref(d->client);
	client_fixture_close(&m->clients);
	env_fixture_close(m->fixture);
}

int main(int argc, char **argv)
{
	struct env_fixture *f = env_fixture_new();
	struct managesieve_dialog d = {
		.dialog = {
			.protocol = &managesieve_protocol,
			.service = &f->env,
			.begin = begin,
			.end = end,
			.peer = { .family = NET_IP4, .ip = { 192, 0, 2, 1 } },
			.local = { .family = NET_IP4, .ip = { 192, 0, 2, 110 } },
		},
		.fixture = f,
	};
	int failed;

	env_fixture_person(f, "bob", "builder");
	failed = dialog_main(&d.dialog, argc, argv);
	env_fixture_free(f);
	return failed;
}
