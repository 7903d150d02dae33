/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The words of a call, taken apart as the command's row says: options, with their values behind them or
 * behind "=", and words by position. */

#include "cli/command.h"

#include "base/alloc.h"
#include "cli/language.h"

#include <stdlib.h>
#include <sys/stat.h>

const char *cli_default_data(void)
{
	const char *data = getenv("SIGNET_DATA");
	struct stat st;

	if (data && data[0])
		return data;
	return stat("data", &st) == 0 && S_ISDIR(st.st_mode) ? "data" : "/var/lib/signet";
}

bool cli_is_option(const char *word, const char *name, const char **ret_value)
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
		if (!a->name || a->name[0] != '-' || !cli_is_option(argv[*i], a->name, &value))
			continue;
		if (a->kind == ARG_FLAG && value) {
			why_set(&cli->why, gettext("%s has no value"), a->name);
			return false;
		}
		if (a->kind == ARG_FLAG) {
			cli->options[k] = "";
			return true;
		}
		if (!value && *i + 1 >= argc) {
			why_set(&cli->why, gettext("%s needs a value"), a->name);
			return false;
		}
		cli->options[k] = value ? value : argv[++*i];
		if (a->many)
			values_add(&cli->given[k], cli->options[k]);
		return true;
	}
	why_set(&cli->why, gettext("%s is not an option of this command"), argv[*i]);
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
				why_set(&cli->why, gettext("%s is missing"), a->name);
				return false;
			}
			cli->words[position++] = missing ? NULL : words[next++];
		} else if (a->kind == ARG_MANY || a->kind == ARG_PAIRS) {
			if (missing) {
				why_set(&cli->why, gettext("%s is missing"), a->name);
				return false;
			}
			cli->rest = words + next;
			cli->n_rest = n_words - next;
			next = n_words;
		}
	}
	if (next < n_words)
		why_set(&cli->why, gettext("\"%s\" is one word too many"), words[next]);
	else if (cli->command->arguments[1].kind == ARG_FILE)
		put_file_second(cli);
	return next == n_words;
}

/* argv is reordered: words to the front. */
bool cli_arguments(struct cli *cli, int argc, char **argv)
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

void cli_done(struct cli *cli)
{
	cli->client = client_free(cli->client);
	for (size_t k = 0; k < ARGUMENTS_MAX; k++)
		free(cli->given[k].values);
	json_decref(cli->domains);
}

bool cli_wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-?") == 0)
			return true;
	}
	return false;
}
