/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * One call of a command: its row's request filled in from the arguments, and the answer shown.
 */

#include "cli/command.h"

#include "base/alloc.h"
#include "cli/show.h"

#include <stdio.h>
#include <stdlib.h>

/* Its position in the row; ARGUMENTS_MAX if the row has no such option. */
static size_t option_find(const struct cli *cli, const char *name)
{
	for (size_t i = 0; i < ARGUMENTS_MAX && cli->command->arguments[i].kind != ARG_END; i++) {
		const char *own = cli->command->arguments[i].name;

		if (own && strcmp(own, name) == 0)
			return i;
	}
	return ARGUMENTS_MAX;
}

const char *cli_option(const struct cli *cli, const char *name)
{
	size_t i = option_find(cli, name);

	return i < ARGUMENTS_MAX ? cli->options[i] : NULL;
}

const char *cli_option_at(const struct cli *cli, const char *name, size_t i)
{
	size_t at = option_find(cli, name);

	return at < ARGUMENTS_MAX && i < cli->given[at].n ? cli->given[at].values[i] : NULL;
}

void cli_add_segment(struct buf *path, const char *text)
{
	for (; *text; text++) {
		uint8_t c = (uint8_t)*text;

		if (octet_is_alpha(c) || octet_is_digit(c) || strchr("-._~@+", c))
			buf_add_octet(path, c);
		else
			buf_add_format(path, "%%%02X", c);
	}
}

/* What stands in braces in a row's path: the number of a word, or an option. */
static const char *path_value(const struct cli *cli, struct span name)
{
	CLEANUP(buf_done) struct buf option = {};

	if (name.p[0] != '-')
		return cli->words[name.p[0] - '0'];
	buf_add(&option, name);
	buf_add_octet(&option, 0);
	return cli_option(cli, (const char *)buf_span(&option).p);
}

/* A query whose word or option was left out is left out too. */
static char *fill_path(const struct cli *cli)
{
	struct buf path = {};

	for (const char *p = cli->command->path; *p; p++) {
		if (strncmp(p, "{d}", 3) == 0) {
			cli_add_segment(&path, cli->domain);
			p += 2;
		} else if (*p == '{') {
			struct span name = span_str(p + 1);
			const char *word;

			name = span_head(name, span_find(name, '}'));
			word = path_value(cli, name);
			if (!word) {
				buf_cut(&path, span_find(buf_span(&path), '?'));
				break;
			}
			cli_add_segment(&path, word);
			p += name.n + 1;
		} else {
			buf_add_octet(&path, (uint8_t)*p);
		}
	}
	return buf_steal_string(&path);
}

int cli_ask(struct cli *cli, const char *method, const char *path, const json_t *body,
	json_t **ret_answer)
{
	int r = cli->client ? 0 : client_new(&cli->client, cli->data, &cli->why);

	if (!r)
		r = client_ask(cli->client, method, path, body, ret_answer, &cli->why);
	if (r == CLIENT_E_NOT_FOUND)
		program_add_hint(cli);
	return r;
}

int cli_ask_at(struct cli *cli, const char *method, struct buf *path, const json_t *body,
	json_t **ret_answer)
{
	buf_add_octet(path, 0);
	return cli_ask(cli, method, (const char *)buf_span(path).p, body, ret_answer);
}

int cli_request(struct cli *cli, json_t **ret_answer)
{
	CLEANUP(alloc_freep) char *path = fill_path(cli);
	json_t *body = NULL;
	/* Before anything is made that cannot be written then. */
	int r = cli_output_check(cli);

	if (!r)
		r = cli_body(cli, &body);

	if (!r)
		r = cli_ask(cli, cli->command->method, path, body, ret_answer);
	json_decref(body);
	return r;
}

int cli_show(struct cli *cli, const json_t *answer)
{
	if (!answer)
		return 0;
	if (!cli->json)
		show_warnings(answer);
	if (cli_has_output(cli))
		return cli_output(cli, answer);
	if (cli->json)
		show_json(answer);
	else if (cli->command->list)
		show_table(json_object_get(answer, cli->command->list), cli->command->columns);
	else if (cli->command->columns[0].title)
		show_members(answer, cli->command->columns);
	else
		show_lines(answer);
	return 0;
}

int cli_run(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	int r;

	if (cli->command->run)
		return cli->command->run(cli);
	r = cli_request(cli, &answer);
	return r ? r : cli_show(cli, answer);
}
