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
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
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
	bool is_input = strcmp(name, "-") == 0;
	int r = is_input ? cli_take_input(cli) : 0;
	FILE *f;

	if (r)
		return r;
	f = is_input ? stdin : fopen(name, "re");
	if (!f) {
		why_set(&cli->why, gettext("cannot read %s: %s"), name, strerror(errno));
		return CLIENT_E_REFUSED;
	}
	r = password_from(cli, f, name, ret_password);
	if (f != stdin)
		(void)fclose(f);
	return r;
}

/* What ends or suspends a program from the keyboard or outside: the terminal must not stay silent. */
static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };

enum { N_ENDS = sizeof ends / sizeof ends[0] };

static volatile sig_atomic_t caught;

static void note(int signal)
{
	caught = signal;
}

/* Those that are not ignored are noted, and come only while input is waited for. */
static void hold_signals(struct sigaction *before, sigset_t *ret_mask)
{
	struct sigaction action = { .sa_handler = note };
	sigset_t held;

	caught = 0;
	(void)sigemptyset(&held);
	for (size_t i = 0; i < N_ENDS; i++)
		(void)sigaddset(&held, ends[i]);
	(void)sigprocmask(SIG_BLOCK, &held, ret_mask);
	for (size_t i = 0; i < N_ENDS; i++) {
		(void)sigaction(ends[i], NULL, &before[i]);
		if (before[i].sa_handler != SIG_IGN)
			(void)sigaction(ends[i], &action, NULL);
	}
}

static void release_signals(const struct sigaction *before, const sigset_t *mask)
{
	for (size_t i = 0; i < N_ENDS; i++)
		(void)sigaction(ends[i], &before[i], NULL);
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
}

/* Up to the end of the line, or until a signal was caught. */
static void read_line(int terminal, const sigset_t *mask, struct buf *line)
{
	struct pollfd input = { .fd = terminal, .events = POLLIN };
	char c = 0;

	while (!caught && buf_size(line) <= LIMIT_PASSWORD) {
		if (ppoll(&input, 1, NULL, mask) < 0) {
			if (errno != EINTR)
				return;
			continue;
		}
		if (read(terminal, &c, 1) != 1 || c == '\n')
			return;
		buf_add_octet(line, (uint8_t)c);
	}
}

/* One prompt, with the terminal silent as long as it stands. The signal that ended it; 0: none. */
static int ask_silently(int terminal, const char *prompt, struct buf *line)
{
	struct sigaction before[N_ENDS];
	struct termios loud, silent;
	sigset_t mask;

	hold_signals(before, &mask);
	/* Silent first: who types at once, when the prompt is there, must not be seen either. */
	(void)tcgetattr(terminal, &loud);
	silent = loud;
	silent.c_lflag &= (tcflag_t)~ECHO;
	(void)tcsetattr(terminal, TCSAFLUSH, &silent);
	(void)dprintf(terminal, "%s", prompt);
	read_line(terminal, &mask, line);
	(void)tcsetattr(terminal, TCSAFLUSH, &loud);
	(void)dprintf(terminal, "\n");
	release_signals(before, &mask);
	return caught;
}

/* A signal gets what it wanted once the terminal is as it was; one that did not end us, or has let us go
 * on, asks again. */
static int password_prompt(struct cli *cli, int terminal, const char *prompt, char **ret_password)
{
	CLEANUP(buf_wipe) struct buf line = {};
	int signal;

	while ((signal = ask_silently(terminal, prompt, &line))) {
		buf_wipe(&line);
		(void)raise(signal);
	}
	if (buf_size(&line) == 0 || span_find(buf_span(&line), 0) < buf_size(&line)) {
		why_set(&cli->why, gettext("no password was given"));
		return CLIENT_E_REFUSED;
	}
	*ret_password = span_to_string(buf_span(&line));
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
	int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
	int r;

	if (terminal < 0)
		return CLI_E_NO_TERMINAL;
	r = password_prompt(cli, terminal, prompt, ret_password);
	(void)close(terminal);
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
