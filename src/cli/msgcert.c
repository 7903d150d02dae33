/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * msgcert: certificates of a running server, with the subcommands and options of Sun's messaging
 * servers.
 *
 *   msgcert SUBCMD [OPTION]... [ALIAS] [FILE]
 *
 * It asks the API over the Unix socket, as signet does, and nothing has to be stopped for it. What is
 * changed serves the next connection. Exit codes: 0 done; 1 refused or unreachable, with the reason in
 * one line; 2 usage.
 */

#include "cli/msgcert.h"

#include "base/alloc.h"
#include "cli/language.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

const char program_name[] = "msgcert";

static void general_help(void)
{
	(void)puts(gettext("usage: msgcert SUBCMD [OPTION]... [ALIAS] [FILE]\n\n"
			   "Manages the certificates of a running mail server, those of its main domain\n"
			   "unless --domain names another. Nothing has to be stopped: the next connection\n"
			   "meets what was changed.\n\n"
			   "SUBCMD is one of:\n"));
	for (size_t i = 0; i < n_commands; i++)
		(void)printf("  %-21s %s\n", commands[i].noun, gettext(commands[i].help));
	(void)puts(gettext("\nFor all of them:\n\n"
			   "  -?, --help            what a subcommand does, its options and an example\n"
			   "  -V, --version         the version\n"
			   "  -W FILE               file with the key store's password\n"
			   "  --domain DOMAIN       whose certificates (default: the main domain)\n"
			   "  --data DIR            the server's folder; else $SIGNET_DATA, else ./data,\n"
			   "                        else /var/lib/signet\n"
			   "  --json                the server's answer as it came\n\n"
			   "Exit codes: 0 done, 1 refused, 2 usage."));
}

static const struct command *command_find(struct cli *cli, const char *name)
{
	for (size_t i = 0; i < n_commands; i++) {
		if (strcmp(commands[i].noun, name) == 0)
			return &commands[i];
	}
	why_set(&cli->why, gettext("there is no subcommand %s"), name);
	return NULL;
}

void program_add_hint(struct cli *cli)
{
	CLEANUP(alloc_freep) char *text = NULL;
	const char *field = client_field(cli->client);
	const char *list = strcmp(field, "domain") == 0 ? "signet domain list" :
		strcmp(field, "certificate") == 0       ? "msgcert list-certs" :
		strcmp(field, "key") == 0               ? "signet key list" :
							  NULL;

	if (!list)
		return;
	text = alloc_format(gettext("%s; see %s"), cli->why.text, list);
	why_set(&cli->why, "%s", text);
}

static const char *either(const char *behind, const char *before)
{
	return behind ? behind : before;
}

static int run(struct cli *cli)
{
	int r;

	if (cli->command->run == run_completion)
		return run_completion(cli);
	r = msgcert_begin(cli);
	return r ? r : cli_run(cli);
}

/* A subcommand with what follows it. */
static int call(struct cli *cli, int argc, char **argv)
{
	int r;

	cli->command = command_find(cli, argv[0]);
	if (cli->command && cli_wants_help(argc - 1, argv + 1)) {
		cli_command_help(cli->command);
		return 0;
	}
	if (!cli->command || !cli_arguments(cli, argc - 1, argv + 1))
		return cli_finish(cli, CLI_E_USAGE);
	cli->data = either(cli_option(cli, "--data"), cli->data);
	cli->domain = either(cli_option(cli, "--domain"), cli->domain);
	cli->store_password_file = either(cli_option(cli, "-W"), cli->store_password_file);
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	r = cli_finish(cli, run(cli));
	cli_done(cli);
	curl_global_cleanup();
	return r;
}

/* An option before the subcommand that has a value; *i moves to it. */
static bool take_global(struct cli *cli, int argc, char **argv, int *i)
{
	const struct {
		const char *name;
		const char **value;
	} options[] = {
		{ "--data", &cli->data },
		{ "--domain", &cli->domain },
		{ "-W", &cli->store_password_file },
	};

	for (size_t k = 0; k < sizeof options / sizeof options[0]; k++) {
		const char *value;

		if (!cli_is_option(argv[*i], options[k].name, &value))
			continue;
		if (!value && *i + 1 >= argc) {
			why_set(&cli->why, gettext("%s needs a value"), options[k].name);
			return false;
		}
		*options[k].value = value ? value : argv[++*i];
		return true;
	}
	why_set(&cli->why, gettext("%s is not an option"), argv[*i]);
	return false;
}

int main(int argc, char **argv)
{
	struct cli cli = { .data = cli_default_data() };
	int i = 1;

	language_choose();
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (cli_wants_help(1, &argv[i])) {
			general_help();
			return 0;
		}
		if (strcmp(argv[i], "-V") == 0 || strcmp(argv[i], "--version") == 0) {
			(void)puts("msgcert " SIGNET_VERSION);
			return 0;
		}
		if (strcmp(argv[i], "--json") == 0)
			cli.json = true;
		else if (!take_global(&cli, argc, argv, &i))
			return cli_finish(&cli, CLI_E_USAGE);
	}
	if (i == argc) {
		general_help();
		return EXIT_USAGE;
	}
	return call(&cli, argc - i, argv + i);
}
