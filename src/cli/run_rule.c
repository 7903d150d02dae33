/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Commands about rules that are more than one request, and the check, which needs no server. */

#include "base/alloc.h"
#include "base/clock.h"
#include "cli/command.h"
#include "cli/show.h"
#include "mime/word.h"
#include "sieve/eval.h"

#include <stdio.h>
#include <string.h>

static void rule_path(struct buf *path, const char *owner, const char *name)
{
	buf_add_string(path, "/rules/");
	cli_add_segment(path, owner);
	if (name) {
		buf_add_octet(path, '/');
		cli_add_segment(path, name);
	}
}

/* The script that is named, or the active one. The name is the answer's. */
static int find(struct cli *cli, json_t **ret_list, const char **ret_name)
{
	CLEANUP(buf_done) struct buf path = {};
	const char *owner = cli->words[0];
	const json_t *script;
	size_t i;
	int r;

	rule_path(&path, owner, NULL);
	r = cli_ask_at(cli, "GET", &path, NULL, ret_list);
	if (r)
		return r;
	*ret_name = cli->words[1];
	json_array_foreach(json_object_get(*ret_list, "scripts"), i, script)
	{
		if (!*ret_name && json_is_true(json_object_get(script, "active")))
			*ret_name = json_string_value(json_object_get(script, "name"));
	}
	if (*ret_name)
		return 0;
	why_set(&cli->why, "%s has no active rules; \"signet rule list %s\" shows all scripts",
		owner, owner);
	return CLIENT_E_REFUSED;
}

static int on_script(struct cli *cli, const char *method, json_t **ret_answer)
{
	CLEANUP(buf_done) struct buf path = {};
	json_t *list = NULL;
	const char *name;
	int r = find(cli, &list, &name);

	if (r == 0) {
		rule_path(&path, cli->words[0], name);
		r = cli_ask_at(cli, method, &path, NULL, ret_answer);
	}
	json_decref(list);
	return r;
}

int run_rule_show(struct cli *cli)
{
	json_t *answer = NULL;
	const json_t *text;
	int r = on_script(cli, "GET", &answer);

	if (r == 0 && cli->json) {
		r = cli_show(cli, answer);
	} else if (r == 0) {
		text = json_object_get(answer, "text");
		r = show_octets(span_of(json_string_value(text), json_string_length(text)));
	}
	json_decref(answer);
	return r;
}

int run_rule_remove(struct cli *cli)
{
	json_t *answer = NULL;
	int r = on_script(cli, "DELETE", &answer);

	json_decref(answer);
	return r;
}

int run_rule_set(struct cli *cli)
{
	CLEANUP(buf_done) struct buf text = {}, path = {};
	const char *name = cli_option(cli, "--name");
	json_t *body = json_object(), *answer = NULL;
	int r = cli_read_file(cli, cli->words[1], &text);

	if (r == 0) {
		(void)json_object_set_new(body, "text",
			json_stringn((const char *)buf_span(&text).p, buf_size(&text)));
		(void)json_object_set_new(body, "active",
			json_boolean(!cli_option(cli, "--inactive")));
		if (!json_object_get(body, "text")) {
			why_set(&cli->why, "%s is no text in UTF-8", cli->words[1]);
			r = CLIENT_E_REFUSED;
		}
	}
	rule_path(&path, cli->words[0], name ? name : "rules");
	if (r == 0)
		r = cli_ask_at(cli, "PUT", &path, body, &answer);
	show_warnings(answer);
	json_decref(body);
	json_decref(answer);
	return r;
}

static void print_actions(const struct sieve_result *result)
{
	CLEANUP(buf_done) struct buf out = {};
	struct sieve_action keep = sieve_implicit_keep(result);

	for (size_t i = 0; i < result->n; i++) {
		sieve_action_print(&result->actions[i], &out);
		buf_add_octet(&out, '\n');
	}
	if (result->implicit_keep) {
		sieve_action_print(&keep, &out);
		buf_add_string(&out, " (nothing else took the message)\n");
	} else if (result->n == 0) {
		buf_add_string(&out, "discard\n");
	}
	show_text(buf_span(&out));
}

/* What it would do to a message. */
static int try_message(struct cli *cli, const struct sieve_script *script, const char *file)
{
	CLEANUP(buf_done) struct buf message = {};
	CLEANUP(sieve_result_done) struct sieve_result result = {};
	struct sieve_input in = {
		.sender = span_str(cli_option(cli, "--from")),
		.recipient = span_str(cli_option(cli, "--to")),
		.own_address = span_str(cli_option(cli, "--to")),
		.separators = "+",
		.now_us = clock_now_us(),
	};
	int r = cli_read_file(cli, file, &message);

	if (r)
		return r;
	word_init();
	in.message = buf_span(&message);
	in.size = buf_size(&message);
	r = sieve_eval(script, &in, &result, &cli->why);
	if (r == 0)
		print_actions(&result);
	return r > 0 ? CLIENT_E_REFUSED : r;
}

int run_rule_check(struct cli *cli)
{
	CLEANUP(sieve_script_unrefp) struct sieve_script *script = NULL;
	CLEANUP(buf_done) struct buf text = {}, remark = {};
	const char *message = cli_option(cli, "--message");
	struct sieve_report report;
	int r = cli_read_file(cli, cli->words[0], &text);

	if (r)
		return r;
	r = sieve_compile(&script, buf_span(&text), &report);
	if (r > 0) {
		why_set(&cli->why, "%s: line %u, column %u: %s", cli->words[0], report.error.line,
			report.error.column, report.error.text);
		return CLIENT_E_REFUSED;
	}
	for (size_t i = 0; i < report.n_warnings && r == 0; i++) {
		CLEANUP(alloc_freep) char *line = alloc_format("%s: line %u, column %u: %s",
			cli->words[0], report.warnings[i].line, report.warnings[i].column,
			report.warnings[i].text);
		CLEANUP(alloc_freep) char *clean = show_clean(line);

		(void)fprintf(stderr, "signet: warning: %s\n", clean);
	}
	return r == 0 && message ? try_message(cli, script, message) : r;
}
