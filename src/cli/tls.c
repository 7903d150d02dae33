/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Policies of TLS: --domain and --listener become the query. */

#include "base/alloc.h"
#include "cli/command.h"
#include "cli/show.h"

#include <string.h>

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

		show_line(line);
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

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "";
}

static void add_remark(struct buf *out, const char *remark)
{
	buf_add_format(out, "%s%s", buf_size(out) ? ", " : "", remark);
}

/* What is worth a second look. */
static void remark(const json_t *port, struct buf *out)
{
	const json_t *certificate = json_object_get(port, "certificate");

	if (!json_is_true(json_object_get(port, "tls"))) {
		add_remark(out, text_of(port, "reason"));
		return;
	}
	if (!json_is_true(json_object_get(certificate, "active")))
		add_remark(out, "not a certificate of this domain");
	if (!json_is_true(json_object_get(certificate, "covers")))
		add_remark(out, "does not name the domain");
	if (json_array_size(json_object_get(port, "chain")) == 0 &&
		strcmp(text_of(certificate, "subject"), text_of(certificate, "issuer")) != 0)
		add_remark(out, "no chain");
	if (!json_is_true(json_object_get(port, "resumption")))
		add_remark(out, "no resumption");
	if (json_is_true(json_object_get(port, "asks_client")))
		add_remark(out, "asks for a client certificate");
}

/* The columns that are made of several members. */
static void add_columns(json_t *port)
{
	const json_t *certificate = json_object_get(port, "certificate");
	CLEANUP(buf_done) struct buf remarks = {};
	CLEANUP(alloc_freep) char *agreed = alloc_format("%s %s %s", text_of(port, "version"),
		text_of(port, "cipher"), text_of(port, "group"));
	CLEANUP(alloc_freep) char *shown = alloc_format("%s until %.10s",
		text_of(certificate, "subject"), text_of(certificate, "not_after"));

	remark(port, &remarks);
	if (certificate) {
		(void)json_object_set_new(port, "agreed", json_string(agreed));
		(void)json_object_set_new(port, "shown", json_string(shown));
	}
	(void)json_object_set_new(port, "remarks", json_stringn(
		(const char *)buf_span(&remarks).p, buf_size(&remarks)));
}

int run_tls_probe(struct cli *cli)
{
	json_t *answer = NULL, *port;
	size_t i;
	int r = cli_request(cli, &answer);

	if (!r && !cli->json) {
		json_array_foreach(json_object_get(answer, "ports"), i, port)
			add_columns(port);
	}
	if (!r)
		r = cli_show(cli, answer);
	json_decref(answer);
	return r;
}
