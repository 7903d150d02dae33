/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* How a command is called, from its row, and how a call ends. */

#include "cli/command.h"

#include "base/alloc.h"
#include "cli/language.h"
#include "cli/show.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { CALL_INDENT = 12 };

static void add_arguments(const struct command *c, struct buf *out)
{
	for (size_t i = 0; i < ARGUMENTS_MAX && c->arguments[i].kind != ARG_END; i++) {
		const struct argument *a = &c->arguments[i];

		switch (a->kind) {
		case ARG_ONE:
		case ARG_FILE:
		case ARG_MANY:
		case ARG_PAIRS:
			buf_add_format(out, " %s", a->name);
			break;
		case ARG_OPTIONAL:
		case ARG_FLAG:
			buf_add_format(out, " [%s]", a->name);
			break;
		case ARG_OPTION:
		case ARG_OPTION_FILE:
		case ARG_LIST:
		case ARG_OUTPUT:
		case ARG_PASSWORD:
		case ARG_PASSPHRASE:
		case ARG_SECRET:
			buf_add_format(out, " [%s %s]%s", a->name, a->sample, a->many ? "..." : "");
			break;
		case ARG_FIXED:
		case ARG_TRUE:
		case ARG_END:
			break;
		}
	}
}

void cli_print_call(const struct command *c, const char *before)
{
	CLEANUP(alloc_freep) char *text = NULL;
	struct buf call = {};

	buf_add_format(&call, "%s %s%s%s", program_name, c->noun, c->verb ? " " : "",
		c->verb ? c->verb : "");
	add_arguments(c, &call);
	text = buf_steal_string(&call);
	(void)fputs(before, stdout);
	show_wrapped(text, (int)strlen(before), CALL_INDENT);
}

static char *option_text(const struct argument *a)
{
	return alloc_format("%s%s%s", a->name, a->sample ? " " : "", a->sample ? a->sample : "");
}

/* Of the widest option that has a help. */
static int options_width(const struct command *c)
{
	int width = 0;

	for (size_t i = 0; i < ARGUMENTS_MAX && c->arguments[i].kind != ARG_END; i++) {
		CLEANUP(alloc_freep) char *option = option_text(&c->arguments[i]);

		if (c->arguments[i].help && (int)strlen(option) > width)
			width = (int)strlen(option);
	}
	return width;
}

void cli_command_help(const struct command *c)
{
	int width = options_width(c);

	cli_print_call(c, gettext("usage: "));
	(void)putchar('\n');
	show_wrapped(gettext(c->help), 0, 0);
	if (width)
		(void)putchar('\n');
	for (size_t i = 0; i < ARGUMENTS_MAX && c->arguments[i].kind != ARG_END; i++) {
		const struct argument *a = &c->arguments[i];
		CLEANUP(alloc_freep) char *option = NULL;

		if (!a->help)
			continue;
		option = option_text(a);
		(void)printf("  %-*s  ", width, option);
		show_wrapped(gettext(a->help), width + 4, width + 4);
	}
	(void)printf(gettext("\nexample: %s\n"), c->example);
}

static int usage(const struct cli *cli)
{
	const struct command *c = cli->command;

	CLEANUP(alloc_freep) char *why = show_clean(cli->why.text);

	(void)fprintf(stderr, gettext("%s: %s; see %s%s%s%s%s --help\n"), program_name, why,
		program_name, c ? " " : "", c ? c->noun : "", c && c->verb ? " " : "", c && c->verb ? c->verb : "");
	return EXIT_USAGE;
}

int cli_finish(const struct cli *cli, int r)
{
	if (r == CLI_E_USAGE)
		return usage(cli);
	if (r > 0) {
		CLEANUP(alloc_freep) char *why = show_clean(cli->why.text);

		(void)fprintf(stderr, "%s: %s\n", program_name, why);
		return EXIT_REFUSED;
	}
	if (r < 0) {
		(void)fprintf(stderr, "%s: %s (%s)\n", program_name, strerror(-r), err_last_trace());
		return EXIT_REFUSED;
	}
	if (fflush(stdout) || ferror(stdout)) {
		(void)fprintf(stderr, gettext("%s: cannot write to standard output: %s\n"),
			program_name, strerror(errno));
		return EXIT_REFUSED;
	}
	return 0;
}
