/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * One call of a command: its row's request filled in from the arguments, and the answer shown.
 */

#include "cli/command.h"

#include "base/alloc.h"
#include "cli/show.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

const char *cli_option(const struct cli *cli, const char *name)
{
	for (size_t i = 0; i < ARGUMENTS_MAX; i++) {
		const struct argument *a = &cli->command->arguments[i];

		if (a->kind == ARG_END)
			break;
		if (a->name && strcmp(a->name, name) == 0)
			return cli->options[i];
	}
	return NULL;
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

/* A query whose word was left out is left out too. */
static char *fill_path(const struct cli *cli)
{
	struct buf path = {};

	for (const char *p = cli->command->path; *p; p++) {
		if (*p == '{') {
			const char *word = cli->words[p[1] - '0'];

			if (!word) {
				buf_cut(&path, span_find(buf_span(&path), '?'));
				break;
			}
			cli_add_segment(&path, word);
			p += 2;
		} else {
			buf_add_octet(&path, (uint8_t)*p);
		}
	}
	return buf_steal_string(&path);
}

static int body_number(struct cli *cli, json_t *body, const struct argument *a, const char *text)
{
	uint64_t number;

	if (!span_to_u64(span_str(text), INT64_MAX, &number)) {
		why_set(&cli->why, "%s is a number", a->name);
		return CLI_E_USAGE;
	}
	(void)json_object_set_new(body, a->member, json_integer((json_int_t)number));
	return 0;
}

/* KEY=VALUE words become members of the body. */
static int body_pairs(struct cli *cli, json_t *body)
{
	for (size_t i = 0; i < cli->n_rest; i++) {
		struct span value = span_str(cli->rest[i]);
		struct span key = span_cut(&value, '=');
		CLEANUP(alloc_freep) char *name = span_to_string(key);

		if (!strchr(cli->rest[i], '=') || key.n == 0) {
			why_set(&cli->why, "\"%s\" is not KEY=VALUE", cli->rest[i]);
			return CLI_E_USAGE;
		}
		(void)json_object_set_new(body, name, json_stringn((const char *)value.p, value.n));
	}
	return 0;
}

static int body_rest(const struct cli *cli, json_t *body, const char *member)
{
	json_t *list = json_array();

	for (size_t i = 0; i < cli->n_rest; i++)
		(void)json_array_append_new(list, json_string(cli->rest[i]));
	return json_object_set_new(body, member, list) ? err_fault(ENOMEM, "json") : 0;
}

static int body_argument(struct cli *cli, json_t *body, size_t i, const char *word)
{
	const struct argument *a = &cli->command->arguments[i];
	int r;

	switch (a->kind) {
	case ARG_ONE:
	case ARG_OPTIONAL:
	case ARG_OPTION:
	case ARG_FIXED:
		if (!word)
			word = a->value;
		if (!a->member || !word)
			return 0;
		if (a->number)
			return body_number(cli, body, a, word);
		(void)json_object_set_new(body, a->member, json_string(word));
		return 0;
	case ARG_MANY:
		return a->member ? body_rest(cli, body, a->member) : 0;
	case ARG_PAIRS:
		return body_pairs(cli, body);
	case ARG_PASSWORD: {
		char *password = NULL;

		r = cli_password(cli, &password);
		if (r)
			return r;
		(void)json_object_set_new(body, a->member, json_string(password));
		explicit_bzero(password, strlen(password));
		free(password);
		return 0;
	}
	case ARG_FLAG:
	case ARG_END:
		return 0;
	}
	return 0;
}

static int make_body(struct cli *cli, json_t *body)
{
	size_t n_words = 0;

	for (size_t i = 0; i < ARGUMENTS_MAX; i++) {
		const struct argument *a = &cli->command->arguments[i];
		const char *word = cli->options[i];
		int r;

		if (a->kind == ARG_END)
			break;
		if (a->kind == ARG_ONE || a->kind == ARG_OPTIONAL)
			word = cli->words[n_words++];
		r = body_argument(cli, body, i, word);
		if (r)
			return r;
	}
	return 0;
}

/* A name that does not exist is best answered with those that do. */
static void add_list_hint(struct cli *cli)
{
	const char *noun = strcmp(client_field(cli->client), "domain") == 0 ? "domain" :
		cli->command->noun;

	for (size_t i = 0; i < n_commands; i++) {
		const struct command *c = &commands[i];
		CLEANUP(alloc_freep) char *text = NULL;

		if (strcmp(c->noun, noun) != 0 || !c->verb || strcmp(c->verb, "list") != 0)
			continue;
		text = alloc_format("%s; see signet %s list%s%s", cli->why.text, noun,
			c->arguments[0].kind == ARG_ONE ? " " : "",
			c->arguments[0].kind == ARG_ONE ? c->arguments[0].name : "");
		why_set(&cli->why, "%s", text);
		return;
	}
}

int cli_ask(struct cli *cli, const char *method, const char *path, const json_t *body,
	json_t **ret_answer)
{
	int r = cli->client ? 0 : client_new(&cli->client, cli->data, &cli->why);

	if (!r)
		r = client_ask(cli->client, method, path, body, ret_answer, &cli->why);
	if (r == CLIENT_E_NOT_FOUND)
		add_list_hint(cli);
	return r;
}

/* A request whose members may all be left out still has a body: an empty object. */
static bool has_body(const struct command *c)
{
	for (size_t i = 0; i < ARGUMENTS_MAX && c->arguments[i].kind != ARG_END; i++) {
		if (c->arguments[i].member || c->arguments[i].kind == ARG_PAIRS)
			return true;
	}
	return false;
}

int cli_request(struct cli *cli, json_t **ret_answer)
{
	CLEANUP(alloc_freep) char *path = fill_path(cli);
	json_t *body = has_body(cli->command) ? json_object() : NULL;
	int r = body ? make_body(cli, body) : 0;

	if (!r)
		r = cli_ask(cli, cli->command->method, path, body, ret_answer);
	json_decref(body);
	return r;
}

int cli_show(struct cli *cli, const json_t *answer)
{
	if (!answer)
		return 0;
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
