/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* signet mail: stored messages of an account, by the account itself. */

#include "base/alloc.h"
#include "cli/language.h"
#include "cli/own_session.h"
#include "cli/show.h"

#include <stdio.h>
#include <string.h>

static void add_message_path(const struct cli *cli, struct buf *path, const char *act)
{
	own_session_add_path(cli, path);
	buf_add_string(path, "/messages/");
	cli_add_segment(path, cli->words[1]);
	buf_add_string(path, act);
}

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "";
}

/* "Name <address>, ...". */
static json_t *addresses_text(const json_t *list)
{
	CLEANUP(buf_done) struct buf text = {};
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one) {
		const char *name = text_of(one, "name");

		buf_add_format(&text, "%s%s%s%s%s", i ? ", " : "", name, name[0] ? " <" : "",
			text_of(one, "address"), name[0] ? ">" : "");
	}
	return json_stringn((const char *)buf_span(&text).p, buf_size(&text));
}

int run_mail_list(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {};
	const char *before = cli_option(cli, "--before"), *max = cli_option(cli, "--max");
	json_t *message;
	size_t i;
	int r = own_session_begin(cli);

	if (r)
		return r;
	own_session_add_path(cli, &path);
	buf_add_string(&path, "/mailboxes/");
	cli_add_segment(&path, cli->words[1] ? cli->words[1] : "INBOX");
	buf_add_format(&path, "/messages?limit=%s", max ? max : "50");
	if (before)
		buf_add_format(&path, "&before=%s", before);
	r = cli_ask_at(cli, "GET", &path, NULL, &answer);
	if (r || cli->json)
		return r ? r : cli_show(cli, answer);
	json_array_foreach(json_object_get(answer, "messages"), i, message)
		(void)json_object_set_new(message, "from", addresses_text(json_object_get(message, "from")));
	return cli_show(cli, answer);
}

static int read_message(struct cli *cli, json_t **ret_answer)
{
	CLEANUP(buf_done) struct buf path = {};

	add_message_path(cli, &path, "/read");
	return cli_ask_at(cli, "GET", &path, NULL, ret_answer);
}

/* Those that people look at, as the report says what they are. */
static void show_header(const json_t *report)
{
	static const char *const names[] = { "From", "To", "Cc", "Date", "Subject" };
	const json_t *field;
	size_t i;

	for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
		json_array_foreach(json_object_get(report, "fields"), i, field) {
			if (strcasecmp(text_of(field, "name"), names[k]) == 0)
				show_named(names[k], text_of(field, "text"));
		}
	}
}

static void show_signers(const json_t *report)
{
	const json_t *layer, *signer;
	size_t i, k;

	json_array_foreach(json_object_get(report, "layers"), i, layer) {
		const char *cipher = text_of(layer, "cipher"), *reason = text_of(layer, "reason");

		if (cipher[0])
			show_named(gettext("cipher"), cipher);
		if (reason[0])
			show_named(gettext("reason"), reason);
		json_array_foreach(json_object_get(layer, "signers"), k, signer) {
			const json_t *cert = json_object_get(signer, "certificate");

			show_named(gettext("signed by"), cert ? text_of(cert, "subject") :
								text_of(signer, "issuer"));
			show_named(gettext("signature"), text_of(signer, "reason"));
		}
	}
}

static void show_parts(const json_t *parts)
{
	const json_t *part;
	size_t i;

	json_array_foreach(parts, i, part) {
		const json_t *text = json_object_get(part, "text");
		CLEANUP(buf_done) struct buf line = {};
		const char *name = text_of(part, "name");

		buf_add_format(&line, "%s %s%s%s", text_of(part, "part"), text_of(part, "type"),
			name[0] ? " " : "", name);
		buf_add_octet(&line, 0);
		(void)putchar('\n');
		show_named(gettext("part"), (const char *)buf_span(&line).p);
		if (!text)
			continue;
		(void)putchar('\n');
		show_text(span_of(json_string_value(text), json_string_length(text)));
		if (json_is_true(json_object_get(part, "cut")))
			(void)printf("%s\n", gettext("(it goes on: signet mail save has all of it)"));
	}
}

static int show_message(struct cli *cli, const json_t *answer)
{
	const json_t *report = json_object_get(answer, "report");

	if (cli->json) {
		show_json(answer);
		return 0;
	}
	show_header(report);
	show_named(gettext("status"), text_of(report, "status"));
	show_signers(report);
	show_parts(json_object_get(answer, "parts"));
	return 0;
}

/* Unlocked where a password is given for it; a terminal is asked for one where it is needed. */
int run_mail_show(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	const char *file = cli_option(cli, "--password-file");
	int r = own_session_begin(cli);

	if (!r && file)
		r = own_session_unlock(cli);
	if (!r)
		r = read_message(cli, &answer);
	if (r)
		return r;
	if (json_is_true(json_object_get(answer, "locked")) && !file) {
		r = own_session_unlock(cli);
		json_decref(answer);
		answer = NULL;
		if (!r)
			r = read_message(cli, &answer);
	}
	return r ? r : show_message(cli, answer);
}

static bool is_locked(const struct cli *cli, int r)
{
	return r == CLIENT_E_REFUSED && strcmp(client_field(cli->client), "password") == 0;
}

/* As it is stored, or a part of it as a reader is shown it: unlocked as for mail show. */
int run_mail_save(struct cli *cli)
{
	CLEANUP(buf_wipe) struct buf octets = {};
	CLEANUP(buf_done) struct buf path = {};
	const char *part = cli_option(cli, "--part");
	int r = cli_output_check(cli);

	if (!r)
		r = own_session_begin(cli);
	if (!r && cli_option(cli, "--password-file"))
		r = own_session_unlock(cli);
	if (r)
		return r;
	add_message_path(cli, &path, part ? "/parts/" : "");
	if (part)
		cli_add_segment(&path, part);
	buf_add_octet(&path, 0);
	r = client_fetch(cli->client, (const char *)buf_span(&path).p, &octets, &cli->why);
	if (is_locked(cli, r) && !cli_option(cli, "--password-file")) {
		r = own_session_unlock(cli);
		if (!r)
			r = client_fetch(cli->client, (const char *)buf_span(&path).p, &octets,
				&cli->why);
	}
	if (r == CLIENT_E_NOT_FOUND)
		program_add_hint(cli);
	return r ? r : cli_output_octets(cli, buf_span(&octets));
}

static int replace(struct cli *cli, const char *act)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {};
	long long held;
	int r = own_session_begin(cli);

	if (!r)
		r = own_session_unlock(cli);
	if (r)
		return r;
	add_message_path(cli, &path, act);
	r = cli_ask_at(cli, "POST", &path, NULL, &answer);
	if (r)
		return r;
	held = (long long)json_integer_value(json_object_get(answer, "held_elsewhere"));
	if (held && !cli->json)
		(void)fprintf(stderr,
			ngettext("signet: warning: %lld other copy of the message holds it as it was\n",
				"signet: warning: %lld other copies of the message hold it as it was\n",
				(unsigned long)held),
			held);
	return cli_show(cli, answer);
}

int run_mail_encrypt(struct cli *cli)
{
	return replace(cli, "/encrypt");
}

int run_mail_decrypt(struct cli *cli)
{
	return replace(cli, "/decrypt");
}
