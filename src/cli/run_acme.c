/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Commands about certificates from authorities. */

#include "cli/command.h"

#include "cli/show.h"

#include <string.h>
#include <unistd.h>

/* An authority may take minutes, and DNS longer. */
enum { WAIT_S = 900 };

static void add_account_path(const struct cli *cli, struct buf *path)
{
	if (cli->words[1]) {
		buf_add_string(path, "/domains/");
		cli_add_segment(path, cli->words[1]);
	}
	buf_add_string(path, "/acme/account");
}

int run_acme_account(struct cli *cli)
{
	static const struct {
		const char *verb, *method;
	} verbs[] = { { "show", "GET" }, { "set", "PATCH" }, { "remove", "DELETE" } };
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(json_owned_freep) json_t *body = NULL;
	CLEANUP(buf_done) struct buf path = {};
	const char *method = NULL;
	int r;

	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(cli->words[0], verbs[i].verb) == 0)
			method = verbs[i].method;
	}
	if (!method) {
		why_set(&cli->why, "acme account show, set or remove");
		return CLI_E_USAGE;
	}
	r = strcmp(method, "PATCH") == 0 ? cli_body(cli, &body) : 0;
	if (r)
		return r;
	add_account_path(cli, &path);
	r = cli_ask_at(cli, method, &path, body, &answer);
	return r ? r : cli_show(cli, answer);
}

/* What is still under way among the orders of an answer, and what has failed. */
static bool is_under_way(const json_t *answer, const char **ret_error)
{
	const json_t *order;
	bool under_way = false;
	size_t i;

	*ret_error = NULL;
	json_array_foreach(json_object_get(answer, "orders"), i, order) {
		const char *next = json_string_value(json_object_get(order, "next"));
		const char *error = json_string_value(json_object_get(order, "last_error"));

		if (error)
			*ret_error = error;
		if (!next || strcmp(next, "renew") != 0)
			under_way = true;
	}
	return under_way && !*ret_error;
}

static int ask_status(struct cli *cli, json_t **ret_answer)
{
	CLEANUP(buf_done) struct buf path = {};

	buf_add_string(&path, "/domains/");
	cli_add_segment(&path, cli->words[0]);
	buf_add_string(&path, "/acme");
	return cli_ask_at(cli, "GET", &path, NULL, ret_answer);
}

static int wait_for_it(struct cli *cli, json_t **answer)
{
	const char *error;

	for (unsigned i = 0; is_under_way(*answer, &error); i++) {
		int r;

		if (i == WAIT_S) {
			why_set(&cli->why, "it takes longer than %d minutes; see signet acme status %s",
				WAIT_S / 60, cli->words[0]);
			return CLIENT_E_REFUSED;
		}
		(void)sleep(1);
		json_decref(*answer);
		*answer = NULL;
		r = ask_status(cli, answer);
		if (r)
			return r;
	}
	if (!error)
		return 0;
	why_set(&cli->why, "%s", error);
	return CLIENT_E_REFUSED;
}

/* The row's request, whose answer says how it stands; with --wait until it stands well or badly. */
int run_acme_order(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	int r = cli_request(cli, &answer);

	if (!r && cli_option(cli, "--wait"))
		r = wait_for_it(cli, &answer);
	return r ? r : cli_show(cli, answer);
}

int run_acme_status(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {};
	int r;

	buf_add_string(&path, "/acme");
	r = cli->words[0] ? ask_status(cli, &answer) : cli_ask_at(cli, "GET", &path, NULL, &answer);
	return r ? r : cli_show(cli, answer);
}
