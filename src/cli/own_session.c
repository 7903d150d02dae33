/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "cli/own_session.h"

#include "cli/language.h"

void own_session_add_path(const struct cli *cli, struct buf *path)
{
	buf_add_string(path, "/accounts/");
	cli_add_segment(path, cli->words[0]);
}

int own_session_begin(struct cli *cli)
{
	const char *url = cli_option(cli, "--url");
	char *password = NULL;
	int r = url ? client_new_remote(&cli->client, url, cli_option(cli, "--ca"), &cli->why) :
		      client_new(&cli->client, cli->data, &cli->why);

	if (!r)
		r = cli_password(cli, "--login-password-file", false, &password);
	if (!r)
		r = client_log_in(cli->client, cli->words[0], password, &cli->why);
	cli_password_free(password);
	return r;
}

int own_session_begin_if_asked(struct cli *cli)
{
	return cli_option(cli, "--url") || cli_option(cli, "--login-password-file") ?
		own_session_begin(cli) : 0;
}

int own_session_unlock(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(json_owned_freep) json_t *body = NULL;
	CLEANUP(buf_done) struct buf path = {};
	char *password = NULL;
	int r = cli_password(cli, "--password-file", false, &password);

	if (r)
		return r;
	body = json_pack("{s:s}", "password", password);
	cli_password_free(password);
	if (!body) {
		why_set(&cli->why, gettext("a password is text in UTF-8"));
		return CLIENT_E_REFUSED;
	}
	own_session_add_path(cli, &path);
	buf_add_string(&path, "/smime/unlock");
	return cli_ask_at(cli, "POST", &path, body, &answer);
}
