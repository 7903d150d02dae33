/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Commands about revocation lists that are more than one request. */

#include "cli/command.h"

#include "cli/show.h"

#include <errno.h>
#include <stdio.h>

static int read_lists(struct cli *cli, json_t **ret_answer)
{
	CLEANUP(buf_done) struct buf path = {};
	const char *domain = cli_option(cli, "--domain");

	buf_add_string(&path, "/crls");
	if (domain) {
		buf_add_string(&path, "?domain=");
		cli_add_segment(&path, domain);
	}
	return cli_ask_at(cli, "GET", &path, NULL, ret_answer);
}

int run_crl_list(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	int r = read_lists(cli, &answer);

	return r ? r : cli_show(cli, answer);
}

static bool is_url(const char *text)
{
	struct span s = span_str(text);

	return span_starts_nocase(s, SPAN("http://")) || span_starts_nocase(s, SPAN("https://"));
}

/* A file that has no list in it yet, of which it is known only where it will be: both are one word. */
int run_crl_add(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(json_owned_freep) json_t *body = json_object();
	const char *domain = cli_option(cli, "--domain"), *authority = cli_option(cli, "--authority");
	int r = 0;

	if (domain)
		(void)json_object_set_new(body, "domain", json_string(domain));
	if (is_url(cli->words[0]))
		(void)json_object_set_new(body, "url", json_string(cli->words[0]));
	else
		r = cli_body_file(cli, body, "list", cli->words[0]);
	if (!r && authority)
		r = cli_body_file(cli, body, "authority", authority);
	if (!r)
		r = cli_ask(cli, "POST", "/crls", body, &answer);
	return r ? r : cli_show(cli, answer);
}

static int fetch_one(struct cli *cli, const char *id, json_t *lists)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {};
	int r;

	buf_add_string(&path, "/crls/");
	cli_add_segment(&path, id);
	buf_add_string(&path, "/fetch");
	r = cli_ask_at(cli, "POST", &path, NULL, &answer);
	if (!r)
		(void)json_array_append(lists, answer);
	return r;
}

/* All that have a URL; the others are tried, too, after one that fails. */
static int fetch_all(struct cli *cli, json_t *lists)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	const json_t *item;
	int r = read_lists(cli, &answer), failed = 0;
	size_t i;

	if (r)
		return r;
	json_array_foreach(json_object_get(answer, "lists"), i, item) {
		const char *url = json_string_value(json_object_get(item, "url"));
		char id[24];

		if (!url || !*url)
			continue;
		(void)snprintf(id, sizeof id, "%lld",
			(long long)json_integer_value(json_object_get(item, "id")));
		r = fetch_one(cli, id, lists);
		if (r < 0)
			return r;
		failed = r ? r : failed;
	}
	return failed;
}

int run_crl_fetch(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = json_object();
	json_t *lists = json_array();
	int r, shown;

	(void)json_object_set_new(answer, "lists", lists);
	r = cli->words[0] ? fetch_one(cli, cli->words[0], lists) : fetch_all(cli, lists);
	if (r < 0 || json_array_size(lists) == 0)
		return r;
	shown = cli_show(cli, answer);
	return r ? r : shown;
}
