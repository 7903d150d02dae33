/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Commands about contact cards, certificates of recipients, and rights to mailboxes. */

#include "cli/command.h"
#include "cli/show.h"

#include <stdlib.h>

/* "/accounts/ADDRESS/" and what is below it. */
static void account_path(const struct cli *cli, const char *below, struct buf *path)
{
	buf_add_string(path, "/accounts/");
	cli_add_segment(path, cli->words[0]);
	buf_add_string(path, below);
}

int run_mailbox_rights(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(json_owned_freep) json_t *body = NULL;
	CLEANUP(buf_done) struct buf path = {};
	const char *who = cli->words[2], *rights = cli->words[3], *method = "GET";
	int r;

	account_path(cli, "/mailboxes/", &path);
	cli_add_segment(&path, cli->words[1]);
	buf_add_string(&path, "/rights");
	if (who && !rights) {
		why_set(&cli->why, "say which rights %s gets; none takes them away", who);
		return CLI_E_USAGE;
	}
	if (who) {
		bool none = strcmp(rights, "none") == 0;

		buf_add_octet(&path, '/');
		cli_add_segment(&path, who);
		method = none ? "DELETE" : "PUT";
		body = none ? NULL : json_pack("{s:s}", "rights", rights);
	}
	r = cli_ask_at(cli, method, &path, body, &answer);
	return r ? r : cli_show(cli, answer);
}

int run_contact_take(struct cli *cli)
{
	bool message = cli_option(cli, "--uid") != NULL, file = cli_option(cli, "--certificate") != NULL;
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	int r;

	if (message == file || message != (cli_option(cli, "--mailbox") != NULL)) {
		why_set(&cli->why, "either a message (--mailbox and --uid) or a file (--certificate) is named");
		return CLI_E_USAGE;
	}
	r = cli_request(cli, &answer);
	return r ? r : cli_show(cli, answer);
}

int run_contact_list(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {};
	const char *book = cli_option(cli, "--book");
	int r;

	account_path(cli, "/cards", &path);
	if (book) {
		buf_add_string(&path, "?book=");
		cli_add_segment(&path, book);
	}
	r = cli_ask_at(cli, "GET", &path, NULL, &answer);
	return r ? r : cli_show(cli, answer);
}

/* The card as it would be imported again. */
int run_contact_show(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	char *text;
	int r = cli_request(cli, &answer);

	if (r)
		return r;
	if (cli->json)
		return cli_show(cli, answer);
	text = json_dumps(json_object_get(answer, "card"), JSON_INDENT(2));
	if (text)
		show_text(span_str(text));
	free(text);
	return 0;
}

/* Writes one card; answers are gathered in the list. */
static int import_card(struct cli *cli, json_t *card, json_t *list)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(json_owned_freep) json_t *body = json_object();
	CLEANUP(buf_done) struct buf path = {};
	const char *uid = json_string_value(json_object_get(card, "uid"));
	const char *book = cli_option(cli, "--book");
	int r;

	if (!uid || !*uid) {
		why_set(&cli->why, "a card in the file has no uid (RFC 9553)");
		return CLIENT_E_REFUSED;
	}
	account_path(cli, "/cards/", &path);
	cli_add_segment(&path, uid);
	(void)json_object_set(body, "card", card);
	if (book)
		(void)json_object_set_new(body, "book", json_string(book));
	r = cli_ask_at(cli, "PUT", &path, body, &answer);
	if (!r)
		(void)json_array_append(list, answer);
	return r;
}

/* A file is one card, or an array of them. */
int run_contact_import(struct cli *cli)
{
	CLEANUP(buf_done) struct buf file = {};
	CLEANUP(json_owned_freep) json_t *cards = NULL;
	CLEANUP(json_owned_freep) json_t *answer = json_object();
	json_t *list = json_array(), *card;
	json_error_t error;
	size_t i;
	int r = cli_read_file(cli, cli->words[1], &file);

	(void)json_object_set_new(answer, "cards", list);
	if (r)
		return r;
	cards = json_loadb((const char *)buf_span(&file).p, buf_size(&file), JSON_REJECT_DUPLICATES,
		&error);
	if (!cards) {
		why_set(&cli->why, "%s is not JSON: %s, line %d", cli->words[1], error.text,
			error.line);
		return CLIENT_E_REFUSED;
	}
	if (json_is_object(cards))
		r = import_card(cli, cards, list);
	json_array_foreach(cards, i, card)
	{
		r = import_card(cli, card, list);
		if (r)
			break;
	}
	return r ? r : cli_show(cli, answer);
}

int run_contact_lookup(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(json_owned_freep) json_t *body = json_object();
	CLEANUP(buf_done) struct buf path = {};
	json_t *addresses = json_array();
	int r;

	for (size_t i = 0; i < cli->n_rest; i++)
		(void)json_array_append_new(addresses, json_string(cli->rest[i]));
	(void)json_object_set_new(body, "addresses", addresses);
	account_path(cli, "/certificates/lookup", &path);
	r = cli_ask_at(cli, "POST", &path, body, &answer);
	return r ? r : cli_show(cli, answer);
}

/* The user's word about a certificate that waits. */
static int decide(struct cli *cli, bool accept)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(json_owned_freep) json_t *body = json_pack("{s:b}", "accept", (int)accept);
	CLEANUP(buf_done) struct buf path = {};
	const char *address = cli_option(cli, "--address");
	int r;

	if (address)
		(void)json_object_set_new(body, "address", json_string(address));
	account_path(cli, "/certificates/waiting/", &path);
	cli_add_segment(&path, cli->words[1]);
	r = cli_ask_at(cli, "POST", &path, body, &answer);
	return r || !accept ? r : cli_show(cli, answer);
}

int run_contact_accept(struct cli *cli)
{
	return decide(cli, true);
}

int run_contact_refuse(struct cli *cli)
{
	return decide(cli, false);
}
