/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * signet: asks and changes a running server.
 *
 *   signet [--data DIR] [--json] NOUN VERB [ARGUMENT]...
 *
 * It talks to the API over the Unix socket in the server's folder, so whoever may use that folder
 * may use this. Exit codes: 0 done; 1 refused or unreachable, with the reason in one line; 2 usage.
 */

#include "base/alloc.h"
#include "cli/command.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2 };

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
		case ARG_END:
			break;
		}
	}
}

static void print_call(const struct command *c)
{
	(void)printf("signet %s%s%s", c->noun, c->verb ? " " : "", c->verb ? c->verb : "");
	print_arguments(c);
	(void)putchar('\n');
}

static void command_help(const struct command *c)
{
	(void)fputs("usage: ", stdout);
	print_call(c);
	(void)printf("\n%s\n", c->help);
	for (size_t i = 0; i < ARGUMENTS_MAX && c->arguments[i].kind != ARG_END; i++) {
		const struct argument *a = &c->arguments[i];
		CLEANUP(alloc_freep) char *option = NULL;

		if (!a->help)
			continue;
		option = alloc_format("%s %s", a->name, a->sample ? a->sample : "");
		(void)printf("%s  %-18s %s\n", i && c->arguments[i - 1].help ? "" : "\n", option,
			a->help);
	}
	(void)printf("\nexample: %s\n", c->example);
}

static bool noun_is_known(const char *noun)
{
	for (size_t i = 0; i < n_commands; i++) {
		if (strcmp(commands[i].noun, noun) == 0)
			return true;
	}
	return false;
}

/* All commands, or those of one noun. */
static void general_help(const char *noun)
{
	if (noun && !noun_is_known(noun))
		noun = NULL;
	(void)puts("usage: signet [--data DIR] [--json] NOUN VERB [ARGUMENT]...\n\n"
		"Asks and changes a running server, over the socket in its folder. DIR is that\n"
		"folder; else $SIGNET_DATA, else ./data, else /var/lib/signet.\n");
	for (size_t i = 0; i < n_commands; i++) {
		if (noun && strcmp(noun, commands[i].noun) != 0)
			continue;
		(void)fputs("  ", stdout);
		print_call(&commands[i]);
		(void)printf("        %s\n", commands[i].help);
	}
	(void)puts("\nA command's --help has an example. Exit codes: 0 done, 1 refused, 2 usage.");
}

static int usage(const struct cli *cli)
{
	const struct command *c = cli->command;

	(void)fprintf(stderr, "signet: %s; see signet%s%s%s%s --help\n", cli->why.text,
		c ? " " : "", c ? c->noun : "", c && c->verb ? " " : "", c && c->verb ? c->verb : "");
	return EXIT_USAGE;
}

static const char *default_data(void)
{
	const char *data = getenv("SIGNET_DATA");
	struct stat st;

	if (data && data[0])
		return data;
	return stat("data", &st) == 0 && S_ISDIR(st.st_mode) ? "data" : "/var/lib/signet";
}

/* The verbs of a noun that was given without one, or with one it does not have. */
static void say_verbs(struct cli *cli, const char *noun)
{
	CLEANUP(buf_done) struct buf verbs = {};
	CLEANUP(alloc_freep) char *text = NULL;

	for (size_t i = 0; i < n_commands; i++) {
		if (strcmp(commands[i].noun, noun) == 0)
			buf_add_format(&verbs, "%s%s", buf_size(&verbs) ? ", " : "",
				commands[i].verb);
	}
	text = buf_steal_string(&verbs);
	if (text[0])
		why_set(&cli->why, "%s is followed by one of %s", noun, text);
	else
		why_set(&cli->why, "there is no command %s", noun);
}

/* The noun's only command, or that of noun and verb; *argv moves behind what was used. */
static const struct command *command_find(struct cli *cli, int *argc, char ***argv)
{
	const char *noun = (*argv)[0];

	for (size_t i = 0; i < n_commands; i++) {
		const struct command *c = &commands[i];

		if (strcmp(c->noun, noun) != 0)
			continue;
		if (c->verb && (*argc < 2 || strcmp(c->verb, (*argv)[1]) != 0))
			continue;
		*argv += c->verb ? 2 : 1;
		*argc -= c->verb ? 2 : 1;
		return c;
	}
	say_verbs(cli, noun);
	return NULL;
}

/* Whether word is the option's name: "--name", or "--name=VALUE" with *ret_value behind the "=". */
static bool is_option(const char *word, const char *name, const char **ret_value)
{
	size_t n = strlen(name);

	*ret_value = NULL;
	if (strncmp(word, name, n) != 0 || (word[n] && word[n] != '='))
		return false;
	if (word[n])
		*ret_value = word + n + 1;
	return true;
}

static void values_add(struct values *v, const char *value)
{
	v->values = alloc_array(v->values, v->n + 1, sizeof *v->values);
	v->values[v->n++] = value;
}

/* An option of the row; *i moves to its value. */
static bool take_option(struct cli *cli, int argc, char **argv, int *i)
{
	for (size_t k = 0; k < ARGUMENTS_MAX; k++) {
		const struct argument *a = &cli->command->arguments[k];
		const char *value;

		if (a->kind == ARG_END)
			break;
		if (!a->name || a->name[0] != '-' || !is_option(argv[*i], a->name, &value))
			continue;
		if (a->kind == ARG_FLAG && value) {
			why_set(&cli->why, "%s has no value", a->name);
			return false;
		}
		if (a->kind == ARG_FLAG) {
			cli->options[k] = "";
			return true;
		}
		if (!value && *i + 1 >= argc) {
			why_set(&cli->why, "%s needs a value", a->name);
			return false;
		}
		cli->options[k] = value ? value : argv[++*i];
		if (a->many)
			values_add(&cli->given[k], cli->options[k]);
		return true;
	}
	why_set(&cli->why, "%s is not an option of this command", argv[*i]);
	return false;
}

/* "install DOMAIN FILE" and "install FILE DOMAIN" are the same where it is plain which is which. */
static void put_file_second(struct cli *cli)
{
	const char *first = cli->words[0];
	struct stat st;

	if (stat(cli->words[1], &st) == 0 || stat(first, &st) || !S_ISREG(st.st_mode))
		return;
	cli->words[0] = cli->words[1];
	cli->words[1] = first;
}

/* Checks the words against the row, once all are known. */
static bool take_words(struct cli *cli, char **words, size_t n_words)
{
	size_t next = 0, position = 0;

	for (size_t k = 0; k < ARGUMENTS_MAX; k++) {
		const struct argument *a = &cli->command->arguments[k];
		bool missing = next == n_words;

		if (a->kind == ARG_END)
			break;
		if (argument_is_word(a)) {
			if (missing && a->kind != ARG_OPTIONAL) {
				why_set(&cli->why, "%s is missing", a->name);
				return false;
			}
			cli->words[position++] = missing ? NULL : words[next++];
		} else if (a->kind == ARG_MANY || a->kind == ARG_PAIRS) {
			if (missing) {
				why_set(&cli->why, "%s is missing", a->name);
				return false;
			}
			cli->rest = words + next;
			cli->n_rest = n_words - next;
			next = n_words;
		}
	}
	if (next < n_words)
		why_set(&cli->why, "\"%s\" is one word too many", words[next]);
	else if (cli->command->arguments[1].kind == ARG_FILE)
		put_file_second(cli);
	return next == n_words;
}

/* argv is reordered: words to the front. */
static bool take_arguments(struct cli *cli, int argc, char **argv)
{
	size_t n_words = 0;

	for (int i = 0; i < argc; i++) {
		if (argv[i][0] != '-' || !argv[i][1])
			argv[n_words++] = argv[i];
		else if (strcmp(argv[i], "--json") == 0)
			cli->json = true;
		else if (!take_option(cli, argc, argv, &i))
			return false;
	}
	return take_words(cli, argv, n_words);
}

static int run(struct cli *cli)
{
	json_t *answer = NULL;
	int r;

	if (cli->command->run)
		return cli->command->run(cli);
	r = cli_request(cli, &answer);
	if (!r)
		r = cli_show(cli, answer);
	json_decref(answer);
	return r;
}

static int finish(const struct cli *cli, int r)
{
	if (r == CLI_E_USAGE)
		return usage(cli);
	if (r > 0) {
		(void)fprintf(stderr, "signet: %s\n", cli->why.text);
		return EXIT_REFUSED;
	}
	if (r < 0) {
		(void)fprintf(stderr, "signet: %s (%s)\n", strerror(-r), err_last_trace());
		return EXIT_REFUSED;
	}
	if (fflush(stdout) || ferror(stdout)) {
		(void)fprintf(stderr, "signet: cannot write to standard output: %s\n",
			strerror(errno));
		return EXIT_REFUSED;
	}
	return 0;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0)
			return true;
	}
	return false;
}

static int call(struct cli *cli, int argc, char **argv)
{
	const char *noun = argv[0];
	int r;

	cli->command = command_find(cli, &argc, &argv);
	if (wants_help(argc, argv)) {
		if (cli->command)
			command_help(cli->command);
		else
			general_help(noun);
		return 0;
	}
	if (!cli->command || !take_arguments(cli, argc, argv))
		return usage(cli);
	r = finish(cli, run(cli));
	cli->client = client_free(cli->client);
	for (size_t k = 0; k < ARGUMENTS_MAX; k++)
		free(cli->given[k].values);
	return r;
}

int main(int argc, char **argv)
{
	struct cli cli = { .data = default_data() };
	const char *value;
	int i = 1, r;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			cli.json = true;
		} else if (is_option(argv[i], "--data", &value) && (value || i + 1 < argc)) {
			cli.data = value ? value : argv[++i];
		} else if (strcmp(argv[i], "--help") == 0) {
			general_help(NULL);
			return 0;
		} else if (strcmp(argv[i], "--version") == 0) {
			(void)puts("signet " SIGNET_VERSION);
			return 0;
		} else {
			why_set(&cli.why, "%s is not an option", argv[i]);
			return usage(&cli);
		}
	}
	if (i == argc) {
		general_help(NULL);
		return EXIT_USAGE;
	}
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	r = call(&cli, argc - i, argv + i);
	curl_global_cleanup();
	return r;
}
