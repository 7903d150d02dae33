/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Passwords come from a file, from standard input or from the terminal, never from an argument:
 * every user of the machine can read those.
 */

#include "cli/command.h"

#include "base/alloc.h"
#include "base/limit.h"
#include "cli/language.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

/* The whole file, less one newline. */
static int password_from(struct cli *cli, FILE *f, const char *name, char **ret_password)
{
	char *line = alloc_zero(LIMIT_PASSWORD + 2);
	size_t n = fread(line, 1, LIMIT_PASSWORD + 2, f);

	if (n && n <= LIMIT_PASSWORD + 1 && line[n - 1] == '\n')
		line[--n] = 0;
	if (ferror(f) || n == 0 || n > LIMIT_PASSWORD || strlen(line) != n) {
		why_set(&cli->why, gettext("%s does not hold a password of 1 to %d octets"), name,
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
		why_set(&cli->why, gettext("cannot read %s: %s"), name, strerror(errno));
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

	/* Silent first: who types at once, when the prompt is there, must not be seen either. */
	(void)tcgetattr(fileno(terminal), &before);
	silent = before;
	silent.c_lflag &= (tcflag_t)~ECHO;
	(void)tcsetattr(fileno(terminal), TCSAFLUSH, &silent);
	(void)fputs(prompt, terminal);
	(void)fflush(terminal);
	n = getline(&line, &size, terminal);
	(void)tcsetattr(fileno(terminal), TCSAFLUSH, &before);
	(void)fputc('\n', terminal);
	if (n > 0 && line[n - 1] == '\n')
		line[--n] = 0;
	if (n <= 0) {
		free(line);
		why_set(&cli->why, gettext("no password was given"));
		return CLIENT_E_REFUSED;
	}
	*ret_password = line;
	return 0;
}

void cli_password_free(char *password)
{
	if (password)
		explicit_bzero(password, strlen(password));
	free(password);
}

int cli_prompt(struct cli *cli, const char *prompt, char **ret_password)
{
	FILE *terminal = fopen("/dev/tty", "r+e");
	int r;

	if (!terminal)
		return CLI_E_NO_TERMINAL;
	r = password_prompt(cli, terminal, prompt, ret_password);
	(void)fclose(terminal);
	return r;
}

static int password_ask(struct cli *cli, const char *option, bool is_new, const char *prompt,
	char **ret_password)
{
	char *first = NULL, *second = NULL;
	int r = cli_prompt(cli, prompt ? gettext(prompt) : gettext("Password: "), &first);

	if (r == CLI_E_NO_TERMINAL) {
		why_set(&cli->why, gettext("%s F is needed where there is no terminal"), option);
		return CLI_E_USAGE;
	}
	if (!r && is_new)
		r = cli_prompt(cli, gettext("Again: "), &second);
	if (!r && is_new && strcmp(first, second) != 0) {
		why_set(&cli->why, gettext("the two passwords are not the same"));
		r = CLIENT_E_REFUSED;
	}
	cli_password_free(second);
	if (r) {
		cli_password_free(first);
		return r;
	}
	*ret_password = first;
	return 0;
}

/* The prompt that the option's row has; NULL: none of its own. */
static const char *prompt_of(const struct cli *cli, const char *option)
{
	for (size_t i = 0; i < ARGUMENTS_MAX && cli->command->arguments[i].kind != ARG_END; i++) {
		const struct argument *a = &cli->command->arguments[i];

		if (a->name && strcmp(a->name, option) == 0)
			return a->prompt;
	}
	return NULL;
}

int cli_password(struct cli *cli, const char *option, bool is_new, char **ret_password)
{
	const char *file = cli_option(cli, option);

	return file ? password_read_file(cli, file, ret_password) :
		password_ask(cli, option, is_new, prompt_of(cli, option), ret_password);
}
