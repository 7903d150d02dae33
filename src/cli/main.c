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
#include "cli/show.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

const char program_name[] = "signet";

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
		cli_print_call(&commands[i], "  ");
		(void)fputs("        ", stdout);
		show_wrapped(commands[i].help, 8, 8);
	}
	(void)puts("\nA command's --help has an example. Exit codes: 0 done, 1 refused, 2 usage.");
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

/* Where what does not exist is listed, if not by the command's own noun: by noun, verb and the field that
 * the refusal names (NULL: any). The first that fits. */
static const struct {
	const char *noun, *verb, *field, *list;
} listed[] = {
	{ "alias", NULL, "address", "alias list" },
	{ NULL, NULL, "address", "account list" },
	{ "rule", NULL, "owner", "account list" },
	{ "contact", "accept", "fingerprint", "contact waiting ADDRESS" },
	{ "contact", "refuse", "fingerprint", "contact waiting ADDRESS" },
	{ NULL, NULL, "mailbox", "mailbox list ADDRESS" },
	{ "contact", "take", "uid", "mail list ADDRESS MAILBOX" },
	{ "contact", NULL, "uid", "contact list ADDRESS" },
	{ "smime", "use", "current", "smime show ADDRESS" },
	{ "smime", "unlock", "key", "smime generate ADDRESS" },
	{ "smime", "password", "key", "smime generate ADDRESS" },
	{ "mail", NULL, "key", "smime generate ADDRESS" },
	{ "encryption", NULL, "key", "smime generate ADDRESS" },
	{ "mail", NULL, "id", "mail list ADDRESS" },
	{ "mail", NULL, "part", "mail show ADDRESS ID" },
	{ NULL, NULL, "domain", "domain list" },
};

static bool is_or_any(const char *wanted, const char *value)
{
	return !wanted || (value && strcmp(wanted, value) == 0);
}

static const char *listed_by_field(const struct command *c, const char *field)
{
	for (size_t i = 0; i < sizeof listed / sizeof listed[0]; i++) {
		if (is_or_any(listed[i].noun, c->noun) && is_or_any(listed[i].verb, c->verb) &&
			is_or_any(listed[i].field, field))
			return listed[i].list;
	}
	return NULL;
}

/* "NOUN list", with its first word where it needs one; NULL: there is no such command. The caller frees. */
static char *listed_by_noun(const char *noun)
{
	for (size_t i = 0; i < n_commands; i++) {
		const struct command *c = &commands[i];
		bool needs = c->arguments[0].kind == ARG_ONE;

		if (strcmp(c->noun, noun) == 0 && c->verb && strcmp(c->verb, "list") == 0)
			return alloc_format("%s list%s%s", noun, needs ? " " : "",
				needs ? c->arguments[0].name : "");
	}
	return NULL;
}

/* What the call has for the word of that name; NULL: nothing. */
static const char *given(const struct cli *cli, struct span name)
{
	const struct command *c = cli->command;

	for (size_t i = 0, n = 0; i < ARGUMENTS_MAX && c->arguments[i].kind != ARG_END; i++) {
		if (!argument_is_word(&c->arguments[i]))
			continue;
		if (span_is(name, c->arguments[i].name))
			return cli->words[n];
		n++;
	}
	return NULL;
}

/* The call of a list, as it can be made: with the words that this call has. The caller frees. */
static char *list_call(const struct cli *cli, const char *list)
{
	struct buf text = {};

	for (struct span rest = span_str(list); rest.n;) {
		struct span word = span_cut(&rest, ' ');
		const char *value = given(cli, word);

		buf_add_string(&text, buf_size(&text) ? " " : "");
		buf_add(&text, value ? span_str(value) : word);
	}
	return buf_steal_string(&text);
}

/* A name that does not exist is best answered with those that do. */
void program_add_hint(struct cli *cli)
{
	const char *field = client_field(cli->client);
	const char *list = listed_by_field(cli->command, field);
	/* Requests and certificates are made with keys. */
	bool is_key = strcmp(field, "key") == 0 && strcmp(cli->command->noun, "setting") != 0 &&
		strcmp(cli->command->noun, "smime") != 0;
	CLEANUP(alloc_freep) char *by_noun = list ? NULL :
		listed_by_noun(is_key ? "key" : cli->command->noun);
	CLEANUP(alloc_freep) char *text = NULL, *call = NULL;

	if (!list)
		list = by_noun;
	if (!list)
		return;
	call = list_call(cli, list);
	text = alloc_format("%s; see signet %s", cli->why.text, call);
	why_set(&cli->why, "%s", text);
}

static int call(struct cli *cli, int argc, char **argv)
{
	const char *noun = argv[0];
	int r;

	cli->command = command_find(cli, &argc, &argv);
	if (cli_wants_help(argc, argv)) {
		if (cli->command)
			cli_command_help(cli->command);
		else
			general_help(noun);
		return 0;
	}
	if (!cli->command || !cli_arguments(cli, argc, argv))
		return cli_finish(cli, CLI_E_USAGE);
	r = cli_finish(cli, cli_run(cli));
	cli_done(cli);
	return r;
}

int main(int argc, char **argv)
{
	struct cli cli = { .data = cli_default_data() };
	const char *value;
	int i = 1, r;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			cli.json = true;
		} else if (cli_is_option(argv[i], "--data", &value) && (value || i + 1 < argc)) {
			cli.data = value ? value : argv[++i];
		} else if (strcmp(argv[i], "--help") == 0) {
			general_help(NULL);
			return 0;
		} else if (strcmp(argv[i], "--version") == 0) {
			(void)puts("signet " SIGNET_VERSION);
			return 0;
		} else {
			why_set(&cli.why, "%s is not an option", argv[i]);
			return cli_finish(&cli, CLI_E_USAGE);
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
