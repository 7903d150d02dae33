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

static bool is_choice(struct span choices, struct span value)
{
	while (choices.n) {
		if (span_equal(span_trim(span_cut(&choices, ',')), value))
			return true;
	}
	return false;
}

/* The one value, or each that stands between commas. */
static bool check_choices(struct cli *cli, const struct argument *a, struct span value)
{
	bool several = a->several || a->kind == ARG_LIST;

	do {
		struct span one = several ? span_trim(span_cut(&value, ',')) : value;

		if (!is_choice(span_str(a->choices), one)) {
			why_set(&cli->why, gettext("%s is one of %s; not \"%.*s\""), a->name, a->choices,
				(int)span_head(one, 40).n, (const char *)one.p);
			return false;
		}
	} while (several && value.n);
	return true;
}

static bool check_letters(struct cli *cli, const struct argument *a, struct span value)
{
	bool fits = value.n == a->letters;

	for (size_t i = 0; i < value.n && fits; i++)
		fits = octet_is_alpha(value.p[i]);
	if (!fits)
		why_set(&cli->why, gettext("%s is a code of %zu letters"), a->name, a->letters);
	return fits;
}

static bool check_number(struct cli *cli, const struct argument *a, struct span value)
{
	uint64_t number;

	if (span_to_u64(value, a->most, &number) && number > 0)
		return true;
	why_set(&cli->why, gettext("%s is a number from 1 to %llu"), a->name,
		(unsigned long long)a->most);
	return false;
}

bool argument_is_path(const struct argument *a)
{
	static const char *const names[] = { "F", "FILE", "FILE...", "FILE|FINGERPRINT", "FILE|URL",
		"CERT.pem", "ISSUER", "ISSUER...", "DIR", "FOLDER" };
	const char *name = a->sample ? a->sample : a->name;

	for (size_t i = 0; name && i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

/* A file's name is octets; everything else goes into JSON. */
static bool check_text(struct cli *cli, const struct argument *a, const char *text)
{
	if (!text || argument_is_path(a) || span_is_utf8(span_str(text)))
		return true;
	why_set(&cli->why, gettext("%s is text in UTF-8"), a->name);
	return false;
}

/* All that was given for one argument of the row; *position: of the next word. */
static bool check_texts(struct cli *cli, size_t k, size_t *position)
{
	const struct argument *a = &cli->command->arguments[k];

	if (argument_is_word(a))
		return check_text(cli, a, cli->words[(*position)++]);
	if (a->kind == ARG_MANY || a->kind == ARG_PAIRS) {
		for (size_t i = 0; i < cli->n_rest; i++) {
			if (!check_text(cli, a, cli->rest[i]))
				return false;
		}
	}
	for (size_t i = 0; i < cli->given[k].n; i++) {
		if (!check_text(cli, a, cli->given[k].values[i]))
			return false;
	}
	return check_text(cli, a, cli->options[k]);
}

static bool has_word(struct span list)
{
	while (list.n) {
		if (span_trim(span_cut(&list, ',')).n)
			return true;
	}
	return false;
}

/* What the row says of an option's value. */
static bool check_value(struct cli *cli, const struct argument *a, struct span value)
{
	if (a->kind == ARG_LIST && !has_word(value)) {
		why_set(&cli->why, gettext("%s needs a value"), a->name);
		return false;
	}
	if (a->choices)
		return check_choices(cli, a, value);
	if (a->letters)
		return check_letters(cli, a, value);
	return a->most ? check_number(cli, a, value) : true;
}

static bool check_values(struct cli *cli)
{
	size_t position = 0;

	for (size_t k = 0; k < ARGUMENTS_MAX && cli->command->arguments[k].kind != ARG_END; k++) {
		if (!check_texts(cli, k, &position))
			return false;
		if (cli->options[k] && !check_value(cli, &cli->command->arguments[k],
					       span_str(cli->options[k])))
			return false;
	}
	return true;
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
	return take_words(cli, argv, n_words) && check_values(cli);
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
