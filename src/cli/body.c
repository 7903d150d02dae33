/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* A request's body from the arguments of a call: each row of the command says how it becomes a member. */

#include "cli/command.h"

#include "base/alloc.h"
#include "base/enc.h"
#include "cli/language.h"
#include "pki/pem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_PIECE = 64 * 1024 };

bool argument_is_word(const struct argument *a)
{
	return a->kind == ARG_ONE || a->kind == ARG_OPTIONAL || a->kind == ARG_FILE;
}

int cli_take_input(struct cli *cli)
{
	if (cli->input_taken) {
		why_set(&cli->why,
			gettext("two things cannot both be standard input: name a file for one"));
		return CLI_E_USAGE;
	}
	cli->input_taken = true;
	return 0;
}

int cli_read_file(struct cli *cli, const char *name, struct buf *out)
{
	bool is_input = strcmp(name, "-") == 0;
	int r = is_input ? cli_take_input(cli) : 0;
	FILE *f;
	int error;

	if (r)
		return r;
	f = is_input ? stdin : fopen(name, "re");
	if (!f) {
		why_set(&cli->why, gettext("cannot read %s: %s"), name, strerror(errno));
		return CLIENT_E_REFUSED;
	}
	/* A terminal's end is read once: who is asked again has to say it again. */
	while (!feof(f) && !ferror(f) && buf_size(out) <= CLI_FILE_MAX)
		buf_added(out, fread(buf_room(out, FILE_PIECE), 1, FILE_PIECE, f));
	error = ferror(f) ? errno : 0;
	if (f != stdin)
		(void)fclose(f);
	if (error) {
		why_set(&cli->why, gettext("cannot read %s: %s"), name, strerror(error));
		return CLIENT_E_REFUSED;
	}
	if (buf_size(out) > CLI_FILE_MAX) {
		why_set(&cli->why, gettext("%s is larger than %d octets"), name, CLI_FILE_MAX);
		return CLIENT_E_REFUSED;
	}
	return 0;
}

static int body_number(struct cli *cli, json_t *body, const struct argument *a, const char *text)
{
	uint64_t number;

	if (!span_to_u64(span_str(text), INT64_MAX, &number)) {
		why_set(&cli->why, gettext("%s is a number"), a->name);
		return CLI_E_USAGE;
	}
	(void)json_object_set_new(body, a->member, json_integer((json_int_t)number));
	return 0;
}

int cli_pairs(struct cli *cli, json_t *body)
{
	for (size_t i = 0; i < cli->n_rest; i++) {
		struct span value = span_str(cli->rest[i]);
		struct span key = span_cut(&value, '=');
		CLEANUP(alloc_freep) char *name = span_to_string(key);

		if (!strchr(cli->rest[i], '=') || key.n == 0) {
			why_set(&cli->why, gettext("\"%s\" is not KEY=VALUE"), cli->rest[i]);
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

/* A password for a file, or a new one; without a word it is asked for, but ARG_SECRET. */
static int body_password(struct cli *cli, json_t *body, const struct argument *a, const char *file)
{
	char *password = NULL;
	int r;

	if (!file && a->kind == ARG_PASSPHRASE && cli->is_open)
		return 0;
	if (!file && a->kind == ARG_SECRET) {
		if (cli->secret)
			(void)json_object_set_new(body, a->member, json_string(cli->secret));
		return 0;
	}
	r = cli_password(cli, a->name, a->kind == ARG_PASSWORD, &password);
	if (r)
		return r;
	(void)json_object_set_new(body, a->member, json_string(password));
	explicit_bzero(password, strlen(password));
	free(password);
	return 0;
}

int cli_body_file(struct cli *cli, json_t *body, const char *member, const char *name)
{
	CLEANUP(buf_wipe) struct buf file = {}, text = {};
	int r = cli_read_file(cli, name, &file);

	if (r)
		return r;
	if (buf_size(&file) == 0) {
		why_set(&cli->why, gettext("%s is empty"), name);
		return CLIENT_E_REFUSED;
	}
	if (pem_is(buf_span(&file)) && span_is_utf8(buf_span(&file))) {
		cli->is_open = span_find_span(buf_span(&file), SPAN("ENCRYPTED")) == buf_size(&file);
		buf_add(&text, buf_span(&file));
	} else {
		enc_base64(&text, buf_span(&file));
	}
	(void)json_object_set_new(body, member,
		json_stringn((const char *)buf_span(&text).p, buf_size(&text)));
	return 0;
}

static int body_list(json_t *body, const struct argument *a, const char *words)
{
	struct span rest = span_str(words);
	json_t *list = json_array();

	while (rest.n) {
		struct span word = span_trim(span_cut(&rest, ','));

		if (word.n)
			(void)json_array_append_new(list, json_stringn((const char *)word.p, word.n));
	}
	return json_object_set_new(body, a->member, list) ? err_fault(ENOMEM, "json") : 0;
}

static int body_argument(struct cli *cli, json_t *body, size_t i, const char *word)
{
	const struct argument *a = &cli->command->arguments[i];

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
		return cli_pairs(cli, body);
	case ARG_PASSWORD:
	case ARG_PASSPHRASE:
	case ARG_SECRET:
		return body_password(cli, body, a, word);
	case ARG_FILE:
	case ARG_OPTION_FILE:
		return word ? cli_body_file(cli, body, a->member, word) : 0;
	case ARG_LIST:
		return word ? body_list(body, a, word) : 0;
	case ARG_FLAG:
		if (a->member && word)
			(void)json_object_set_new(body, a->member, json_true());
		return 0;
	case ARG_TRUE:
		(void)json_object_set_new(body, a->member, json_true());
		return 0;
	case ARG_OUTPUT:
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
		if (argument_is_word(a))
			word = cli->words[n_words++];
		r = body_argument(cli, body, i, word);
		if (r)
			return r;
	}
	return 0;
}

/* A request whose members may all be left out still has a body: an empty object. */
static bool has_body(const struct command *c)
{
	for (size_t i = 0; i < ARGUMENTS_MAX && c->arguments[i].kind != ARG_END; i++) {
		const struct argument *a = &c->arguments[i];

		if (a->kind == ARG_PAIRS || (a->member && a->kind != ARG_OUTPUT))
			return true;
	}
	return false;
}

int cli_body(struct cli *cli, json_t **ret_body)
{
	json_t *body = has_body(cli->command) ? json_object() : NULL;
	int r = body ? make_body(cli, body) : 0;

	if (r) {
		json_decref(body);
		return r;
	}
	*ret_body = body;
	return 0;
}
