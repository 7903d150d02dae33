/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * signet encryption: the job that encrypts the mail which an account has. Its owner begins it, with the
 * password as a proof that it can be read afterwards; how it stands is no secret from an administrator,
 * who may pause it, too.
 */

#include "base/alloc.h"
#include "cli/language.h"
#include "cli/own_session.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FOLLOW_US = 300000, BAR = 40 };

static int ask(struct cli *cli, const char *method, const char *act, json_t **ret_answer)
{
	CLEANUP(buf_done) struct buf path = {};

	own_session_add_path(cli, &path);
	buf_add_format(&path, "/encryption%s", act);
	return cli_ask_at(cli, method, &path, NULL, ret_answer);
}

static long long number(const json_t *answer, const char *member)
{
	return (long long)json_integer_value(json_object_get(answer, member));
}

static bool is_in(const json_t *answer, const char *state)
{
	const char *now = json_string_value(json_object_get(answer, "state"));

	return now && strcmp(now, state) == 0;
}

/* One line, written over the one before. */
static void show_bar(const json_t *answer)
{
	long long total = number(answer, "total"), failed = number(answer, "failed");
	long long done = number(answer, "encrypted") + number(answer, "encrypted_before") + failed;
	char bar[BAR + 1];
	int n;

	if (done > total)
		total = done;
	n = total ? (int)(done * BAR / total) : BAR;
	memset(bar, '.', BAR);
	memset(bar, '#', (size_t)n);
	bar[BAR] = 0;
	(void)printf("\r[%s] %3lld%%  ", bar, total ? done * 100 / total : 100);
	(void)printf(ngettext("%lld of %lld message", "%lld of %lld messages", (unsigned long)total), done,
		total);
	if (failed)
		(void)printf(ngettext(", %lld failed", ", %lld failed", (unsigned long)failed), failed);
	(void)fputs("\033[K", stdout);
	(void)fflush(stdout);
}

/* Until it is over or pauses; with a bar on a terminal. */
static int follow(struct cli *cli, json_t **answer)
{
	bool bar = !cli->json && isatty(STDOUT_FILENO);
	int r = 0;

	while (!r) {
		if (bar)
			show_bar(*answer);
		if (!is_in(*answer, "running"))
			break;
		(void)usleep(FOLLOW_US);
		json_decref(*answer);
		*answer = NULL;
		r = ask(cli, "GET", "", answer);
	}
	if (bar)
		(void)putchar('\n');
	return r;
}

/* The job as it stands; with --follow what became of it. */
static int show(struct cli *cli, json_t *answer)
{
	CLEANUP(json_owned_freep) json_t *owned = answer;
	bool follows = cli_option(cli, "--follow") != NULL;
	int r = follows ? follow(cli, &owned) : 0;

	if (!r)
		r = cli_show(cli, owned);
	if (r || !follows || !is_in(owned, "stopped"))
		return r;
	why_set(&cli->why, gettext("it stopped: %s"),
		json_string_value(json_object_get(owned, "last_error")));
	return CLIENT_E_REFUSED;
}

int run_encryption_start(struct cli *cli)
{
	json_t *answer = NULL;
	int r = own_session_begin(cli);

	if (!r)
		r = own_session_unlock(cli);
	if (!r)
		r = ask(cli, "POST", "", &answer);
	return r ? r : show(cli, answer);
}

static int act(struct cli *cli, const char *method, const char *what)
{
	json_t *answer = NULL;
	int r = own_session_begin_if_asked(cli);

	if (!r)
		r = ask(cli, method, what, &answer);
	return r ? r : show(cli, answer);
}

int run_encryption_status(struct cli *cli)
{
	return act(cli, "GET", "");
}

int run_encryption_pause(struct cli *cli)
{
	return act(cli, "POST", "/pause");
}

int run_encryption_resume(struct cli *cli)
{
	return act(cli, "POST", "/resume");
}

int run_encryption_cancel(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	int r = own_session_begin_if_asked(cli);

	return r ? r : ask(cli, "DELETE", "", &answer);
}
