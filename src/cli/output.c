/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Answers that are files: written where -o says, readable by their owner only, since some hold keys;
 * else to standard output, where octets that are no text do not go if it is a terminal.
 */

#include "cli/command.h"

#include "base/alloc.h"
#include "base/enc.h"
#include "cli/language.h"
#include "cli/show.h"
#include "pki/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct argument *output_of(const struct command *c)
{
	for (size_t i = 0; i < ARGUMENTS_MAX && c->arguments[i].kind != ARG_END; i++) {
		if (c->arguments[i].kind == ARG_OUTPUT)
			return &c->arguments[i];
	}
	return NULL;
}

bool cli_has_output(const struct cli *cli)
{
	return output_of(cli->command) != NULL;
}

int cli_output_check(struct cli *cli)
{
	const struct argument *output = output_of(cli->command);
	const char *name = output ? cli_option(cli, output->name) : NULL;
	CLEANUP(alloc_freep) char *copy = name ? alloc_string(name) : NULL;

	if (!name || strcmp(name, "-") == 0)
		return 0;
	if (access(name, F_OK) == 0 ? access(name, W_OK) == 0 : access(dirname(copy), W_OK) == 0)
		return 0;
	why_set(&cli->why, "cannot write %s: %s", name, strerror(errno));
	return CLIENT_E_REFUSED;
}

static int decode(struct cli *cli, const json_t *answer, struct buf *out)
{
	const char *member = output_of(cli->command)->member;
	const char *encoding = json_string_value(json_object_get(answer, "encoding"));
	const json_t *value = json_object_get(answer, member);
	struct span text = span_of(json_string_value(value), json_string_length(value));

	if (!json_is_string(value)) {
		why_set(&cli->why, gettext("the server's answer has no %s"), member);
		return CLIENT_E_REFUSED;
	}
	if (cli->der || cli_option(cli, "--der")) {
		if (pem_find(text, NULL, out))
			return 0;
	} else if (!encoding || strcmp(encoding, "base64") != 0) {
		buf_add(out, text);
		return 0;
	} else if (enc_base64_decode(out, text)) {
		return 0;
	}
	why_set(&cli->why, gettext("the server's answer cannot be read"));
	return CLIENT_E_REFUSED;
}

int cli_write_file(struct cli *cli, const char *name, struct span octets)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	while (fd >= 0 && octets.n) {
		ssize_t n = write(fd, octets.p, octets.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		octets = span_skip(octets, (size_t)n);
	}
	if (fd < 0 || octets.n || close(fd)) {
		why_set(&cli->why, gettext("cannot write %s: %s"), name, strerror(errno));
		return CLIENT_E_REFUSED;
	}
	return 0;
}

static bool is_text(struct span octets)
{
	return span_is_utf8(octets) && span_find(octets, 0) == octets.n;
}

int cli_check_output(struct cli *cli)
{
	if (cli->json || cli_option(cli, output_of(cli->command)->name) || !isatty(STDOUT_FILENO))
		return 0;
	why_set(&cli->why, gettext("this is not for a terminal; give a file with -o"));
	return CLI_E_USAGE;
}

int cli_output_octets(struct cli *cli, struct span octets)
{
	const char *name = cli_option(cli, output_of(cli->command)->name);

	if (name && strcmp(name, "-") != 0)
		return cli_write_file(cli, name, octets);
	if (isatty(STDOUT_FILENO) && !is_text(octets)) {
		why_set(&cli->why, gettext("this is not for a terminal; give a file with -o"));
		return CLI_E_USAGE;
	}
	return show_octets(octets);
}

int cli_output(struct cli *cli, const json_t *answer)
{
	CLEANUP(buf_wipe) struct buf octets = {};
	const char *name = cli_option(cli, output_of(cli->command)->name);
	bool to_file = name && strcmp(name, "-") != 0;
	int r = 0;

	if (name || !cli->json)
		r = decode(cli, answer, &octets);
	if (!r && (to_file || !cli->json))
		r = cli_output_octets(cli, buf_span(&octets));
	if (!r && cli->json)
		show_json(answer);
	return r;
}
