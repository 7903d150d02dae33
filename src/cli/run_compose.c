/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* signet mail compose: a message out of options and files, signed and encrypted as wished, sent by the server. */

#include "base/alloc.h"
#include "base/enc.h"
#include "cli/language.h"
#include "cli/own_session.h"
#include "cli/show.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void set_unless_empty(json_t *body, const char *member, json_t *list)
{
	if (json_array_size(list))
		(void)json_object_set_new(body, member, list);
	else
		json_decref(list);
}

static void set_list(const struct cli *cli, json_t *body, const char *option, const char *member)
{
	json_t *list = json_array();
	const char *value;

	for (size_t i = 0; (value = cli_option_at(cli, option, i)); i++)
		(void)json_array_append_new(list, json_string(value));
	set_unless_empty(body, member, list);
}

static int set_file(struct cli *cli, json_t *body, const char *member, const char *name)
{
	CLEANUP(buf_wipe) struct buf text = {};
	int r = cli_read_file(cli, name, &text);
	json_t *value = r ? NULL : json_stringn((const char *)buf_span(&text).p, buf_size(&text));

	if (!r && !value) {
		why_set(&cli->why, gettext("%s is not text in UTF-8; --attach takes any file"), name);
		r = CLIENT_E_REFUSED;
	}
	if (value)
		(void)json_object_set_new(body, member, value);
	return r;
}

/* By its name's end; what is not known is octets to the reader, too. */
static const char *type_of(const char *name)
{
	static const char *const types[][2] = { { ".txt", "text/plain" }, { ".html", "text/html" },
		{ ".pdf", "application/pdf" }, { ".png", "image/png" }, { ".jpg", "image/jpeg" },
		{ ".jpeg", "image/jpeg" }, { ".gif", "image/gif" }, { ".zip", "application/zip" },
		{ ".ics", "text/calendar" }, { ".vcf", "text/vcard" } };
	size_t n = strlen(name);

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		size_t k = strlen(types[i][0]);

		if (n > k && strcasecmp(name + n - k, types[i][0]) == 0)
			return types[i][1];
	}
	return "application/octet-stream";
}

/* Sent before, as it is read: a body of JSON has less room, and the server knows what it takes. */
static int upload(struct cli *cli, const struct client_file *file, json_t *part)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {};
	const json_t *problem;
	int r;

	own_session_add_path(cli, &path);
	buf_add_string(&path, "/uploads");
	buf_add_octet(&path, 0);
	r = client_send(cli->client, (const char *)buf_span(&path).p, file, &answer, &cli->why);
	problem = r > 0 ? client_problem(cli->client) : NULL;
	if (problem) {
		CLEANUP(alloc_freep) char *said = alloc_string(cli->why.text);

		why_set(&cli->why, "%s: %s", file->name, said);
	}
	if (!r)
		(void)json_object_set(part, "upload", json_object_get(answer, "id"));
	return r;
}

/* Those that went nowhere; what cannot be removed expires. */
static void remove_uploads(struct cli *cli, const json_t *body)
{
	const json_t *part;
	size_t i;

	json_array_foreach(json_object_get(body, "attachments"), i, part) {
		const char *id = json_string_value(json_object_get(part, "upload"));
		CLEANUP(json_owned_freep) json_t *answer = NULL;
		CLEANUP(buf_done) struct buf path = {};
		struct why why = {};

		if (!id)
			continue;
		own_session_add_path(cli, &path);
		buf_add_format(&path, "/uploads/%s", id);
		buf_add_octet(&path, 0);
		if (client_ask(cli->client, "DELETE", (const char *)buf_span(&path).p, NULL, &answer, &why))
			continue;
	}
}

static int add_attachment(struct cli *cli, json_t *list, const char *path)
{
	bool is_input = strcmp(path, "-") == 0;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	struct client_file file = { .name = path, .fd = STDIN_FILENO };
	json_t *part;
	int r = is_input ? cli_take_input(cli) : 0;

	if (!span_is_utf8(span_str(name))) {
		why_set(&cli->why, gettext("--attach takes files whose names, which readers are told, "
					   "are text in UTF-8"));
		return CLI_E_USAGE;
	}
	if (r)
		return r;
	if (!is_input)
		file.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (file.fd < 0) {
		why_set(&cli->why, gettext("cannot read %s: %s"), path, strerror(errno));
		return CLIENT_E_REFUSED;
	}
	part = json_pack("{s:s, s:s}", "name", name, "type", type_of(name));
	(void)json_array_append_new(list, part);
	r = upload(cli, &file, part);
	if (!is_input)
		(void)close(file.fd);
	return r;
}

static int set_attachments(struct cli *cli, json_t *body)
{
	json_t *list = json_array();
	const char *file;
	int r = 0;

	for (size_t i = 0; !r && (file = cli_option_at(cli, "--attach", i)); i++)
		r = add_attachment(cli, list, file);
	set_unless_empty(body, "attachments", list);
	return r;
}

static void set_flag(const struct cli *cli, json_t *body, const char *option, const char *member,
	bool value)
{
	if (cli_option(cli, option))
		(void)json_object_set_new(body, member, json_boolean(value));
}

static bool is_act(const struct cli *cli, const char *act)
{
	const char *given = cli_option(cli, "--act");

	return given && strcmp(given, act) == 0;
}

/* Members that are options of one value. */
static void set_texts(const struct cli *cli, json_t *body)
{
	static const char *const members[][2] = { { "--subject", "subject" }, { "--cipher", "cipher" },
		{ "--in-reply-to", "in_reply_to" }, { "--act", "act" } };
	const char *from = cli_option(cli, "--from");

	(void)json_object_set_new(body, "from", json_string(from ? from : cli->words[0]));
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		const char *value = cli_option(cli, members[i][0]);

		if (value)
			(void)json_object_set_new(body, members[i][1], json_string(value));
	}
}

static int make_body(struct cli *cli, json_t *body)
{
	const char *text = cli_option(cli, "--text"), *html = cli_option(cli, "--html");
	int r = 0;

	set_texts(cli, body);
	set_list(cli, body, "--to", "to");
	set_list(cli, body, "--cc", "cc");
	set_list(cli, body, "--bcc", "bcc");
	set_flag(cli, body, "--sign", "sign", true);
	set_flag(cli, body, "--encrypt", "encrypt", true);
	set_flag(cli, body, "--no-header-protection", "header_protection", false);
	set_flag(cli, body, "--no-save", "save", false);
	/* Who asks about the recipients alone has written nothing yet. */
	if (!text && !html && !is_act(cli, "check")) {
		text = "-";
		if (isatty(STDIN_FILENO))
			(void)fprintf(stderr, "%s\n", gettext("The text, ended by Ctrl-D on a line of its own:"));
	}
	if (text)
		r = set_file(cli, body, "text", text);
	if (!r && html)
		r = set_file(cli, body, "html", html);
	return r || is_act(cli, "check") ? r : set_attachments(cli, body);
}

/* A member of a group may have none; then it has a name. */
static const json_t *address_of(const json_t *recipient)
{
	const json_t *address = json_object_get(recipient, "address");

	return json_string_length(address) ? address : json_object_get(recipient, "name");
}

/* Whom it cannot go to, in lines of their own: the reason that is said at the end is of all of them. */
static void show_refused(const json_t *recipients)
{
	const json_t *one;
	size_t i;

	json_array_foreach(recipients, i, one) {
		const char *address = json_string_value(address_of(one));
		const char *refusal = json_string_value(json_object_get(one, "refusal"));
		const char *reason = json_string_value(
			json_object_get(json_object_get(one, "certificate"), "reason"));
		CLEANUP(alloc_freep) char *line = alloc_format("%s: %s%s%s", address ? address : "",
			refusal ? refusal : "", refusal && reason ? "; " : "", reason ? reason : "");
		CLEANUP(alloc_freep) char *clean = show_clean(line);

		(void)fprintf(stderr, "%s\n", clean);
	}
}

/* The recipients as rows: whether each can be sent and encrypted to. */
static json_t *recipient_rows(const json_t *recipients)
{
	json_t *rows = json_array();
	const json_t *one;
	size_t i;

	json_array_foreach(recipients, i, one) {
		const json_t *cert = json_object_get(one, "certificate");
		json_t *row = json_object();

		(void)json_object_set(row, "address", (json_t *)(uintptr_t)address_of(one));
		(void)json_object_set(row, "accepted", json_object_get(one, "accepted"));
		(void)json_object_set(row, "fingerprint", json_object_get(cert, "fingerprint"));
		(void)json_object_set(row, "source", json_object_get(cert, "source"));
		(void)json_object_set(row, "reason",
			json_object_get(one, "refusal") ? json_object_get(one, "refusal") :
							  json_object_get(cert, "reason"));
		(void)json_array_append_new(rows, row);
	}
	return rows;
}

/* Each copy in a file of its own in the folder of -o. */
static int write_copies(struct cli *cli, json_t *copies)
{
	static const struct column columns[] = { { "FILE", "file" }, { "KEPT", "kept" },
		{ "FOR", "recipients" }, {} };
	const char *folder = cli_option(cli, "-o");
	json_t *copy;
	size_t i;

	json_array_foreach(copies, i, copy) {
		CLEANUP(alloc_freep) char *name = alloc_format("%s/%zu.eml", folder, i + 1);
		CLEANUP(buf_wipe) struct buf octets = {};
		const json_t *message = json_object_get(copy, "message");
		int r;

		if (!enc_base64_decode(&octets, span_of(json_string_value(message), json_string_length(message)))) {
			why_set(&cli->why, gettext("the server's answer cannot be read"));
			return CLIENT_E_REFUSED;
		}
		r = cli_write_file(cli, name, buf_span(&octets));
		if (r)
			return r;
		(void)json_object_set_new(copy, "file", json_string(name));
		(void)json_object_del(copy, "message");
	}
	if (!cli->json)
		show_table(copies, columns);
	return 0;
}

static int show_answer(struct cli *cli, json_t *answer)
{
	static const struct column checked[] = { { "ADDRESS", "address" }, { "ACCEPTED", "accepted" },
		{ "CERTIFICATE FROM", "source" }, { "FINGERPRINT", "fingerprint", 11 },
		{ "REASON", "reason" }, {} };
	CLEANUP(json_owned_freep) json_t *rows = NULL;
	int r = 0;

	if (is_act(cli, "make") && cli_option(cli, "-o"))
		r = write_copies(cli, json_object_get(answer, "copies"));
	if (r || (is_act(cli, "make") && !cli->json))
		return r;
	if (cli->json || !is_act(cli, "check"))
		return cli_show(cli, answer);
	rows = recipient_rows(json_object_get(answer, "recipients"));
	show_table(rows, checked);
	return 0;
}

static int check_call(struct cli *cli)
{
	if (is_act(cli, "make") && !cli->json && !cli_option(cli, "-o")) {
		why_set(&cli->why, gettext("--act make needs -o FOLDER, where the copies go, or --json"));
		return CLI_E_USAGE;
	}
	if (cli_option(cli, "--cipher") && !cli_option(cli, "--encrypt")) {
		why_set(&cli->why, gettext("--cipher is for --encrypt"));
		return CLI_E_USAGE;
	}
	if (cli_option(cli, "-o") && !is_act(cli, "make")) {
		why_set(&cli->why, gettext("-o is for --act make"));
		return CLI_E_USAGE;
	}
	return 0;
}

int run_mail_compose(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(json_owned_freep) json_t *body = json_object();
	CLEANUP(buf_done) struct buf path = {};
	int r = check_call(cli);

	if (!r)
		r = own_session_begin(cli);
	if (!r && (cli_option(cli, "--sign") || cli_option(cli, "--encrypt")) && !is_act(cli, "check"))
		r = own_session_unlock(cli);
	if (r)
		return r;
	r = make_body(cli, body);
	if (!r) {
		own_session_add_path(cli, &path);
		buf_add_string(&path, "/compose");
		r = cli_ask_at(cli, "POST", &path, body, &answer);
	}
	if (r > 0 && client_problem(cli->client))
		show_refused(json_object_get(client_problem(cli->client), "recipients"));
	if (r || cli_option(cli, "--act"))
		remove_uploads(cli, body);
	return r ? r : show_answer(cli, answer);
}
