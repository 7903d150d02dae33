/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * One call of a command: its row's request filled in from the arguments, and the answer shown.
 */

#include "cli/command.h"

#include "base/alloc.h"
#include "base/limit.h"
#include "cli/show.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

const char *cli_option(const struct cli *cli, const char *name)
{
	for (size_t i = 0; i < ARGUMENTS_MAX; i++) {
		const struct argument *a = &cli->command->arguments[i];

		if (a->kind == ARG_END)
			break;
		if (strcmp(a->name, name) == 0)
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

int cli_request(struct cli *cli, json_t **ret_answer)
{
	CLEANUP(alloc_freep) char *path = fill_path(cli);
	bool has_body = strcmp(cli->command->method, "GET") != 0 &&
		strcmp(cli->command->method, "DELETE") != 0;
	json_t *body = has_body ? json_object() : NULL;
	int r = body ? make_body(cli, body) : 0;

	if (!r)
		r = client_ask(cli->client, cli->command->method, path,
			body && json_object_size(body) ? body : NULL, ret_answer, &cli->why);
	json_decref(body);
	return r;
}

int cli_show(struct cli *cli, const json_t *answer)
{
	if (!answer)
		return 0;
	if (cli->json)
		show_json(answer);
	else if (cli->command->columns[0].title)
		show_table(answer, cli->command->columns);
	else
		show_lines(answer);
	return ferror(stdout) ? err_fault(EIO, "stdout") : 0;
}

/* The whole file, less one newline. */
static int password_from(struct cli *cli, FILE *f, const char *name, char **ret_password)
{
	char *line = alloc_zero(LIMIT_PASSWORD + 2);
	size_t n = fread(line, 1, LIMIT_PASSWORD + 2, f);

	if (n && n <= LIMIT_PASSWORD + 1 && line[n - 1] == '\n')
		line[--n] = 0;
	if (ferror(f) || n == 0 || n > LIMIT_PASSWORD || strlen(line) != n) {
		why_set(&cli->why, "%s does not hold a password of 1 to %d octets", name,
			LIMIT_PASSWORD);
		explicit_bzero(line, LIMIT_PASSWORD + 2);
		free(line);
		return CLIENT_E_REFUSED;
	}
	*ret_password = line;
	return 0;
}

static int password_read_file(struct cli *cli, const char *name, char **ret_password)
{
	FILE *f = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
	int r;

	if (!f) {
		why_set(&cli->why, "cannot read %s: %s", name, strerror(errno));
		return CLIENT_E_REFUSED;
	}
	r = password_from(cli, f, name, ret_password);
	if (f != stdin)
		(void)fclose(f);
	return r;
}

static int password_prompt(struct cli *cli, FILE *terminal, const char *prompt,
	char **ret_password)
{
	struct termios before, silent;
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	(void)fputs(prompt, terminal);
	(void)fflush(terminal);
	(void)tcgetattr(fileno(terminal), &before);
	silent = before;
	silent.c_lflag &= (tcflag_t)~ECHO;
	(void)tcsetattr(fileno(terminal), TCSAFLUSH, &silent);
	n = getline(&line, &size, terminal);
	(void)tcsetattr(fileno(terminal), TCSAFLUSH, &before);
	(void)fputc('\n', terminal);
	if (n > 0 && line[n - 1] == '\n')
		line[--n] = 0;
	if (n <= 0) {
		free(line);
		why_set(&cli->why, "no password was given");
		return CLIENT_E_REFUSED;
	}
	*ret_password = line;
	return 0;
}

static void wipe(char *password)
{
	if (password)
		explicit_bzero(password, strlen(password));
	free(password);
}

static int password_ask(struct cli *cli, char **ret_password)
{
	FILE *terminal = fopen("/dev/tty", "r+e");
	char *first = NULL, *second = NULL;
	int r;

	if (!terminal) {
		why_set(&cli->why, "--password-file F is needed where there is no terminal");
		return CLI_E_USAGE;
	}
	r = password_prompt(cli, terminal, "Password: ", &first);
	if (!r)
		r = password_prompt(cli, terminal, "Again: ", &second);
	(void)fclose(terminal);
	if (!r && strcmp(first, second) != 0) {
		why_set(&cli->why, "the two passwords are not the same");
		r = CLIENT_E_REFUSED;
	}
	wipe(second);
	if (r) {
		wipe(first);
		return r;
	}
	*ret_password = first;
	return 0;
}

int cli_password(struct cli *cli, char **ret_password)
{
	const char *file = cli_option(cli, "--password-file");

	return file ? password_read_file(cli, file, ret_password) : password_ask(cli, ret_password);
}
