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

static void print_arguments(const struct command *c)
{
	for (size_t i = 0; i < ARGUMENTS_MAX && c->arguments[i].kind != ARG_END; i++) {
		const struct argument *a = &c->arguments[i];

		switch (a->kind) {
		case ARG_ONE:
		case ARG_FILE:
		case ARG_MANY:
		case ARG_PAIRS:
			(void)printf(" %s", a->name);
			break;
		case ARG_OPTIONAL:
		case ARG_FLAG:
			(void)printf(" [%s]", a->name);
			break;
		case ARG_OPTION:
		case ARG_OPTION_FILE:
		case ARG_LIST:
		case ARG_OUTPUT:
		case ARG_PASSWORD:
		case ARG_PASSPHRASE:
		case ARG_SECRET:
			(void)printf(" [%s %s]%s", a->name, a->sample, a->many ? "..." : "");
			break;
		case ARG_FIXED:
		case ARG_TRUE:
		case ARG_END:
			break;
		}
	}
}

void cli_print_call(const struct command *c)
{
	(void)printf("%s %s%s%s", program_name, c->noun, c->verb ? " " : "", c->verb ? c->verb : "");
	print_arguments(c);
	(void)putchar('\n');
}

void cli_command_help(const struct command *c)
{
	(void)fputs(gettext("usage: "), stdout);
	cli_print_call(c);
	(void)printf("\n%s\n", gettext(c->help));
	for (size_t i = 0; i < ARGUMENTS_MAX && c->arguments[i].kind != ARG_END; i++) {
		const struct argument *a = &c->arguments[i];
		CLEANUP(alloc_freep) char *option = NULL;

		if (!a->help)
			continue;
		option = alloc_format("%s %s", a->name, a->sample ? a->sample : "");
		(void)printf("%s  %-20s %s\n", i && c->arguments[i - 1].help ? "" : "\n", option,
			gettext(a->help));
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
