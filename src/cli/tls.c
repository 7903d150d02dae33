/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Policies of TLS: --domain and --listener become the query. */

#include "base/alloc.h"
#include "cli/command.h"
#include "cli/show.h"

/* Names of domains and listeners: a segment's safe characters are a query's too. */
static void add_query(struct buf *path, const char *name, const char *value)
{
	if (!value)
		return;
	buf_add_format(path, "%c%s=", span_find(buf_span(path), '?') < buf_size(path) ? '&' : '?',
		name);
	cli_add_segment(path, value);
}

static char *policy_path(const struct cli *cli)
{
	struct buf path = {};

	buf_add_string(&path, "/tls");
	add_query(&path, "domain", cli_option(cli, "--domain"));
	add_query(&path, "listener", cli_option(cli, "--listener"));
	return buf_steal_string(&path);
}

static void show_notes(const json_t *answer)
{
	const json_t *note;
	size_t i;

	json_array_foreach(json_object_get(answer, "notes"), i, note) {
		CLEANUP(alloc_freep) char *line = alloc_format("note: %s", json_string_value(note));

		show_text(line);
	}
}

int run_tls_show(struct cli *cli)
{
	CLEANUP(alloc_freep) char *path = policy_path(cli);
	json_t *answer = NULL;
	int r = cli_ask(cli, "GET", path, NULL, &answer);

	if (!r)
		r = cli_show(cli, answer);
	if (!r && !cli->json)
		show_notes(answer);
	json_decref(answer);
	return r;
}

/* Silent where there is nothing to say. */
static int change(struct cli *cli, const json_t *body)
{
	CLEANUP(alloc_freep) char *path = policy_path(cli);
	json_t *answer = NULL;
	int r = cli_ask(cli, "PATCH", path, body, &answer);

	if (!r && cli->json)
		show_json(answer);
	else if (!r)
		show_notes(answer);
	json_decref(answer);
	return r;
}

int run_tls_set(struct cli *cli)
{
	json_t *body = json_object();
	int r = cli_pairs(cli, body);

	if (!r)
		r = change(cli, body);
	json_decref(body);
	return r;
}

int run_tls_reset(struct cli *cli)
{
	json_t *body = json_object();
	int r;

	for (size_t i = 0; i < cli->n_rest; i++)
		(void)json_object_set_new(body, cli->rest[i], json_null());
	r = change(cli, body);
	json_decref(body);
	return r;
}
