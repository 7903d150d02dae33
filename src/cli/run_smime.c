/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Secure Mail keys of accounts. A first password is asked for twice, one that there is once: which
 * it is, the account's keys say. What goes to a person beside the answer (how good the password is,
 * what others will not like) is written to standard error, so that --json stays what the API says.
 */

#include "cli/command.h"
#include "cli/language.h"
#include "cli/show.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static void add_path(struct buf *path, const struct cli *cli, const char *tail)
{
	buf_add_string(path, "/accounts/");
	cli_add_segment(path, cli->words[0]);
	buf_add_string(path, "/smime");
	buf_add_string(path, tail);
}

/* Whether a key of the account opens with the present password. */
static int has_password(struct cli *cli, bool *ret_has)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {};
	json_t *key;
	size_t i;
	int r;

	add_path(&path, cli, "");
	r = cli_ask_at(cli, "GET", &path, NULL, &answer);
	if (r)
		return r;
	*ret_has = false;
	json_array_foreach(json_object_get(answer, "keys"), i,
		key) *ret_has = *ret_has || json_is_false(json_object_get(key, "earlier_password"));
	return 0;
}

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "";
}

/* The certificate of a key to show: one that is used, else the current one. */
static const json_t *shown_cert(const json_t *key)
{
	const json_t *certs = json_object_get(key, "certificates"), *cert;
	size_t i;

	json_array_foreach(certs, i, cert)
	{
		if (json_array_size(json_object_get(cert, "uses")))
			return cert;
	}
	return json_array_get(certs, 0);
}

/* What one of several is used for, and why nobody makes use of one; nothing of the only one that is valid. */
static void add_note(const json_t *key, const json_t *cert, struct buf *out)
{
	const json_t *uses = json_object_get(cert, "uses");
	const char *state = text_of(cert, "state");

	if (json_is_true(json_object_get(key, "earlier_password")))
		buf_add_string(out, gettext("earlier password"));
	if (json_array_size(uses) == 1)
		buf_add_string(out,
			strcmp(json_string_value(json_array_get(uses, 0)), "sign") == 0
				? gettext("used to sign only")
				: gettext("used to encrypt only"));
	if (!state[0] || strcmp(state, "valid") == 0)
		return;
	buf_add_string(out, buf_size(out) ? "; " : "");
	if (strcmp(state, "revoked") == 0)
		buf_add_format(out, "%s, %s, %s", gettext("revoked"), text_of(cert, "reason"),
			text_of(cert, "revoked"));
	else
		buf_add_string(out, strcmp(state, "expired") == 0 ? gettext("expired")
								  : gettext("not valid yet"));
}

/* A key as one row: with what matters of its certificate. */
static json_t *key_row(const json_t *key)
{
	static const char *const of_cert[] = { "subject", "issuer", "not_before", "not_after",
		"fingerprint" };
	static const char *const of_key[] = { "number", "size", "current", "created" };
	CLEANUP(buf_done) struct buf note = {};
	const json_t *cert = shown_cert(key);
	json_t *row = json_object();

	for (size_t i = 0; i < sizeof of_key / sizeof of_key[0]; i++)
		(void)json_object_set(row, of_key[i], json_object_get(key, of_key[i]));
	for (size_t i = 0; cert && i < sizeof of_cert / sizeof of_cert[0]; i++)
		(void)json_object_set(row, of_cert[i], json_object_get(cert, of_cert[i]));
	add_note(key, cert, &note);
	if (buf_size(&note))
		(void)json_object_set_new(row, "note",
			json_stringn((const char *)buf_span(&note).p, buf_size(&note)));
	return row;
}

static int show_keys(struct cli *cli, json_t *answer)
{
	CLEANUP(json_owned_freep) json_t *table = json_object();
	json_t *rows = json_array(), *key;
	size_t i;

	if (cli->json)
		return cli_show(cli, answer);
	(void)json_object_set_new(table, "keys", rows);
	json_array_foreach(json_object_get(answer, "keys"), i, key)(void)
		json_array_append_new(rows, key_row(key));
	return cli_show(cli, table);
}

/* Beside the answer. */
static void say(const json_t *answer)
{
	const json_t *strength = json_object_get(answer, "strength");

	if (strength)
		(void)fprintf(stderr, "%s %s: %s\n", gettext("password:"),
			text_of(strength, "label"), text_of(strength, "text"));
	show_warnings(answer);
}

/* What the account has chosen, and whether its keys are open somewhere. */
static void show_state(const json_t *answer)
{
	long long sessions = (long long)json_integer_value(json_object_get(answer, "sessions"));
	const char *from = text_of(answer, "from");

	(void)putchar('\n');
	(void)printf(gettext("Secure Mail: %s\n"),
		json_is_false(json_object_get(answer, "enabled")) ?
			gettext("switched off for this account") : gettext("on"));
	(void)fputs(gettext("keys: "), stdout);
	if (sessions)
		(void)printf(ngettext("unlocked in %lld session of the web interface\n",
				     "unlocked in %lld sessions of the web interface\n",
				     (unsigned long)sessions),
			sessions);
	else
		(void)puts(gettext("locked"));
	show_named("from", from[0] ? from : text_of(answer, "address"));
	(void)printf("lock_after: %llds\n",
		(long long)json_integer_value(json_object_get(answer, "lock_after")));
	(void)printf("cipher: %s\n", text_of(answer, "cipher"));
}

int run_smime_show(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	int r = cli_request(cli, &answer);

	if (!r)
		r = show_keys(cli, answer);
	if (!r && !cli->json)
		show_state(answer);
	return r;
}

static int ask_and_show(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	int r = cli_request(cli, &answer);

	if (r)
		return r;
	say(answer);
	r = show_keys(cli, answer);
	if (!r && !cli->json)
		show_state(answer);
	return r;
}

int run_smime_add(struct cli *cli)
{
	bool has = false, starts_over = cli_option(cli, "--start-over") != NULL;
	char *password = NULL;
	int r;

	if (!cli_option(cli, "--password-file")) {
		r = has_password(cli, &has);
		if (!r)
			r = cli_password(cli, "--password-file", !has || starts_over, &password);
		if (r)
			return r;
	}
	cli->secret = password;
	r = ask_and_show(cli);
	cli->secret = NULL;
	cli_password_free(password);
	return r;
}

int run_smime_change(struct cli *cli)
{
	return ask_and_show(cli);
}

int run_smime_export(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	int r = cli_output_check(cli);

	if (!r)
		r = cli_check_output(cli);
	if (!r)
		r = cli_request(cli, &answer);
	if (r)
		return r;
	say(answer);
	return cli_output(cli, answer);
}

/* The command line is no session of the web interface: nothing stays unlocked. */
int run_smime_unlock(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	long long n;
	int r = cli_request(cli, &answer);

	if (r || cli->json)
		return r ? r : cli_show(cli, answer);
	n = (long long)json_integer_value(json_object_get(answer, "keys"));
	(void)printf(ngettext("The password is right: it opens %lld key. It is locked again, since a"
			      " command has no session; in the web interface it stays unlocked.\n",
			     "The password is right: it opens %lld keys. They are locked again, since a"
			     " command has no session; in the web interface they stay unlocked.\n",
			     (unsigned long)n),
		n);
	return 0;
}

int run_smime_lock(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	int r = cli_request(cli, &answer);

	if (r || cli->json)
		return r ? r : cli_show(cli, answer);
	(void)printf("%s\n", gettext("locked in all sessions"));
	return 0;
}
