/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Commands that are more than one request. */

#include "cli/command.h"

#include "base/alloc.h"

#include <errno.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FOLLOW_US = 500000, LOG_LINES = 1000 };

typedef json_t json_owned;
static void json_owned_free(json_owned *j)
{
	json_decref(j);
}
CLEANUP_POINTER(json_owned, json_owned_free)

static int ask(struct cli *cli, const char *method, struct buf *path, const json_t *body,
	json_t **ret_answer)
{
	buf_add_octet(path, 0);
	return client_ask(cli->client, method, (const char *)buf_span(path).p, body, ret_answer,
		&cli->why);
}

int run_setting_get(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	const json_t *value;
	int r = cli_request(cli, &answer);

	if (r || cli->json)
		return r ? r : cli_show(cli, answer);
	value = json_object_get(answer, "value");
	if (json_is_string(value))
		return puts(json_string_value(value)) < 0 ? err_fault(EIO, "stdout") : 0;
	return cli_show(cli, answer);
}

/* Prints the lines of one answer; *after becomes the number of the last. */
static int log_some(struct cli *cli, long long *after)
{
	CLEANUP(buf_done) struct buf path = {};
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	const char *tag = cli_option(cli, "--tag");
	const json_t *line;
	size_t i;
	int r;

	buf_add_format(&path, "/log?after=%lld&max=%d", *after, LOG_LINES);
	if (tag) {
		buf_add_string(&path, "&tag=");
		cli_add_segment(&path, tag);
	}
	r = ask(cli, "GET", &path, NULL, &answer);
	if (r)
		return r;
	if (cli->json)
		return cli_show(cli, answer);
	json_array_foreach(json_object_get(answer, "lines"), i, line)
		(void)printf("%s\n", json_string_value(line));
	*after = (long long)json_integer_value(json_object_get(answer, "last"));
	return fflush(stdout) ? err_fault(EIO, "stdout") : 0;
}

int run_log(struct cli *cli)
{
	long long after = 0;
	int r = log_some(cli, &after);

	while (!r && cli_option(cli, "--follow")) {
		(void)usleep(FOLLOW_US);
		r = log_some(cli, &after);
	}
	return r;
}

/* Calls each() with the name of every domain, or of the one that was named. */
static int each_domain(struct cli *cli, json_t *out,
	int (*each)(struct cli *cli, const char *domain, json_t *out))
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {};
	const json_t *domain;
	size_t i;
	int r;

	if (cli->words[0])
		return each(cli, cli->words[0], out);
	buf_add_string(&path, "/domains");
	r = ask(cli, "GET", &path, NULL, &answer);
	if (r)
		return r;
	json_array_foreach(json_object_get(answer, "domains"), i, domain) {
		r = each(cli, json_string_value(json_object_get(domain, "name")), out);
		if (r)
			return r;
	}
	return 0;
}

static int add_certs(struct cli *cli, const char *domain, json_t *out)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {};
	json_t *cert;
	size_t i;
	int r;

	buf_add_string(&path, "/domains/");
	cli_add_segment(&path, domain);
	buf_add_string(&path, "/certificates");
	r = ask(cli, "GET", &path, NULL, &answer);
	json_array_foreach(json_object_get(answer, "certificates"), i, cert) {
		(void)json_object_set_new(cert, "domain", json_string(domain));
		(void)json_array_append(out, cert);
	}
	return r;
}

int run_cert_list(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = json_object();
	json_t *list = json_array();
	int r;

	(void)json_object_set_new(answer, "certificates", list);
	r = each_domain(cli, list, add_certs);
	return r ? r : cli_show(cli, answer);
}

static int add_domain_aliases(struct cli *cli, const char *domain, json_t *out)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {};
	json_t *alias;
	size_t i;
	int r;

	buf_add_string(&path, "/domains/");
	cli_add_segment(&path, domain);
	buf_add_string(&path, "/aliases");
	r = ask(cli, "GET", &path, NULL, &answer);
	json_array_foreach(json_object_get(answer, "aliases"), i, alias)
		(void)json_array_append_new(out, json_pack("{s:O, s:[s]}", "alias", alias,
			"targets", domain));
	return r;
}

static int add_address_aliases(struct cli *cli, json_t *out)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {};
	json_t *alias;
	size_t i;
	int r;

	buf_add_string(&path, "/aliases");
	if (cli->words[0]) {
		buf_add_string(&path, "?domain=");
		cli_add_segment(&path, cli->words[0]);
	}
	r = ask(cli, "GET", &path, NULL, &answer);
	json_array_foreach(json_object_get(answer, "aliases"), i, alias)
		(void)json_array_append_new(out, json_pack("{s:O, s:O}", "alias",
			json_object_get(alias, "address"), "targets",
			json_object_get(alias, "targets")));
	return r;
}

int run_alias_list(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = json_object();
	json_t *list = json_array();
	int r;

	(void)json_object_set_new(answer, "aliases", list);
	r = each_domain(cli, list, add_domain_aliases);
	if (!r)
		r = add_address_aliases(cli, list);
	return r ? r : cli_show(cli, answer);
}

static int domain_alias_add(struct cli *cli, json_t **ret_answer)
{
	CLEANUP(buf_done) struct buf path = {};

	if (cli->n_rest != 1) {
		why_set(&cli->why, "a domain's alias has one target");
		return CLI_E_USAGE;
	}
	buf_add_string(&path, "/domains/");
	cli_add_segment(&path, cli->rest[0]);
	buf_add_string(&path, "/aliases/");
	cli_add_segment(&path, cli->words[0]);
	return ask(cli, "PUT", &path, NULL, ret_answer);
}

int run_alias_add(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(json_owned_freep) json_t *body = NULL;
	CLEANUP(buf_done) struct buf path = {};
	json_t *targets;
	int r;

	if (!strchr(cli->words[0], '@')) {
		r = domain_alias_add(cli, &answer);
		return r ? r : cli_show(cli, answer);
	}
	targets = json_array();
	for (size_t i = 0; i < cli->n_rest; i++)
		(void)json_array_append_new(targets, json_string(cli->rest[i]));
	body = json_pack("{s:s, s:o}", "address", cli->words[0], "targets", targets);
	buf_add_string(&path, "/aliases");
	r = ask(cli, "POST", &path, body, &answer);
	return r ? r : cli_show(cli, answer);
}

/* The API finds a domain by its alias too: that tells whose it is. */
static int domain_alias_remove(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *domain = NULL;
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf find = {}, path = {};
	int r;

	buf_add_string(&find, "/domains/");
	cli_add_segment(&find, cli->words[0]);
	r = ask(cli, "GET", &find, NULL, &domain);
	if (r)
		return r;
	buf_add_string(&path, "/domains/");
	cli_add_segment(&path, json_string_value(json_object_get(domain, "name")));
	buf_add_string(&path, "/aliases/");
	cli_add_segment(&path, cli->words[0]);
	return ask(cli, "DELETE", &path, NULL, &answer);
}

int run_alias_remove(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {};

	if (!strchr(cli->words[0], '@'))
		return domain_alias_remove(cli);
	buf_add_string(&path, "/aliases/");
	cli_add_segment(&path, cli->words[0]);
	return ask(cli, "DELETE", &path, NULL, &answer);
}

/* The nouns, then each noun's verbs and options, from the table. */
int run_completion(struct cli *cli)
{
	(void)cli;
	(void)puts("_signet() {\n\tlocal word=${COMP_WORDS[COMP_CWORD]} words\n"
		"\tcase ${COMP_WORDS[*]:1:COMP_CWORD-1} in");
	for (size_t i = 0; i < n_commands; i++) {
		const struct command *c = &commands[i];

		if (c->verb && (i == 0 || strcmp(c->noun, commands[i - 1].noun) != 0)) {
			(void)printf("\t%s) words='", c->noun);
			for (size_t k = i; k < n_commands && strcmp(commands[k].noun, c->noun) == 0; k++)
				(void)printf("%s ", commands[k].verb);
			(void)puts("' ;;");
		}
		(void)printf("\t'%s%s%s'*) words='--help ", c->noun, c->verb ? " " : "",
			c->verb ? c->verb : "");
		for (size_t k = 0; k < ARGUMENTS_MAX && c->arguments[k].kind != ARG_END; k++) {
			if (c->arguments[k].name[0] == '-')
				(void)printf("%s ", c->arguments[k].name);
		}
		(void)puts("' ;;");
	}
	(void)fputs("\t*) words='--data --json --help --version ", stdout);
	for (size_t i = 0; i < n_commands; i++) {
		if (i == 0 || strcmp(commands[i].noun, commands[i - 1].noun) != 0)
			(void)printf("%s ", commands[i].noun);
	}
	(void)puts("' ;;\n\tesac\n\tCOMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\n"
		"complete -F _signet signet");
	return 0;
}
