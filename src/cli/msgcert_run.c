/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Subcommands of msgcert that are more than one request. */

#include "cli/msgcert.h"

#include "base/alloc.h"
#include "cli/dn.h"
#include "cli/language.h"
#include "cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char default_alias[] = "Server-Cert";

enum { SECONDS_OF_DAY = 86400, MONTHS = 3 };

/* "/domains/DOMAIN/" and what follows, with a name at its end where there is one. */
static void add_path(struct cli *cli, struct buf *path, const char *what, const char *name)
{
	buf_add_string(path, "/domains/");
	cli_add_segment(path, cli->domain);
	buf_add_format(path, "/%s", what);
	if (name)
		cli_add_segment(path, name);
}

static int ask(struct cli *cli, const char *method, const char *what, const char *name,
	const json_t *body, json_t **ret_answer)
{
	CLEANUP(buf_done) struct buf path = {};

	add_path(cli, &path, what, name);
	return cli_ask_at(cli, method, &path, body, ret_answer);
}

static int read_trusted(struct cli *cli, json_t **ret_answer)
{
	CLEANUP(buf_done) struct buf path = {};

	buf_add_string(&path, "/trust?domain=");
	cli_add_segment(&path, cli->domain);
	return cli_ask_at(cli, "GET", &path, NULL, ret_answer);
}

/* The certificate of an authority in a domain's own list: for servers, clients and mail. */
static int trust_cert(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *body = json_object();
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	static const char *const others[] = { "--chain", "--service", "--force" };
	int r;

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		if (cli_option(cli, others[i])) {
			why_set(&cli->why, gettext("%s does not go with %s"), others[i], "-C");
			return CLI_E_USAGE;
		}
	}
	(void)json_object_set_new(body, "domain", json_string(cli->domain));
	(void)json_object_set_new(body, "alias", json_string(cli->words[0]));
	r = cli_body_file(cli, body, "certificate", cli->words[1]);
	if (!r)
		r = cli_ask(cli, "POST", "/trust", body, &answer);
	if (r)
		return r;
	if (cli->json)
		show_json(answer);
	else
		show_members(json_array_get(json_object_get(answer, "certificates"), 0),
			cli->command->columns);
	return 0;
}

int run_add_cert(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	int r;

	if (cli_option(cli, "-C"))
		return trust_cert(cli);
	r = cli_request(cli, &answer);
	return r ? r : cli_show(cli, answer);
}

int run_list_certs(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	int r = cli_option(cli, "-C") ? read_trusted(cli, &answer) :
		ask(cli, "GET", "certificates", NULL, NULL, &answer);

	if (r)
		return r;
	if (cli->json)
		show_json(answer);
	else
		msgcert_show_list(json_object_get(answer, "certificates"));
	return 0;
}

/* By its alias; NOT_FOUND: nobody is called that. The list keeps it. */
static int find_trusted(struct cli *cli, json_t **ret_list, const json_t **ret_cert)
{
	int r = read_trusted(cli, ret_list);

	if (r)
		return r;
	*ret_cert = msgcert_find_trusted(json_object_get(*ret_list, "certificates"), cli->words[0]);
	if (*ret_cert)
		return 0;
	why_set(&cli->why, gettext("no certificate is called %s; see %s"), cli->words[0],
		cli_option(cli, "-C") ? "msgcert list-certs -C" : "msgcert list-certs [-C]");
	return CLIENT_E_NOT_FOUND;
}

static int remove_trusted(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *list = NULL;
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {};
	const json_t *cert;
	int r = find_trusted(cli, &list, &cert);

	if (r)
		return r;
	buf_add_string(&path, "/trust/");
	cli_add_segment(&path, json_string_value(json_object_get(cert, "fingerprint")));
	buf_add_string(&path, "?domain=");
	cli_add_segment(&path, cli->domain);
	return cli_ask_at(cli, "DELETE", &path, NULL, &answer);
}

int run_remove_cert(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	int r;

	if (cli_option(cli, "-C"))
		return remove_trusted(cli);
	r = ask(cli, "DELETE", "certificates/", cli->words[0], NULL, &answer);
	return r == CLIENT_E_NOT_FOUND ? remove_trusted(cli) : r;
}

/* A certificate of the domain, else one that it trusts. */
int run_show_cert(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *own = NULL;
	CLEANUP(json_owned_freep) json_t *list = NULL;
	const json_t *cert = NULL;
	int r = CLIENT_E_NOT_FOUND;

	if (!cli_option(cli, "-C"))
		r = ask(cli, "GET", "certificates/", cli->words[0], NULL, &own);
	if (r == CLIENT_E_NOT_FOUND)
		r = find_trusted(cli, &list, &cert);
	else if (!r)
		r = read_trusted(cli, &list);
	if (r)
		return r;
	if (cli->json) {
		show_json(own ? own : cert);
		return 0;
	}
	return msgcert_show_cert(cli, own ? own : cert, json_object_get(list, "certificates"));
}

/* The same day three months on, in days. */
static unsigned default_days(void)
{
	time_t now = time(NULL);
	struct tm then;

	(void)gmtime_r(&now, &then);
	then.tm_mon += MONTHS;
	return (unsigned)((timegm(&then) - now) / SECONDS_OF_DAY);
}

static void add_default_days(const struct cli *cli, json_t *body)
{
	if (!cli_option(cli, "--days"))
		(void)json_object_set_new(body, "days", json_integer(default_days()));
}

int run_renew_selfsign_cert(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(json_owned_freep) json_t *body = NULL;
	CLEANUP(buf_done) struct buf path = {};
	int r = cli_body(cli, &body);

	if (r)
		return r;
	add_default_days(cli, body);
	add_path(cli, &path, "certificates/", cli->words[0]);
	buf_add_string(&path, "/refresh");
	r = cli_ask_at(cli, "POST", &path, body, &answer);
	return r ? r : cli_show(cli, answer);
}

static void set_text(json_t *body, const char *member, struct span text)
{
	if (text.n)
		(void)json_object_set_new(body, member, json_stringn((const char *)text.p, text.n));
}

/* -S instead of the attributes one by one. */
static int add_name(struct cli *cli, json_t *body)
{
	static const char *const single[] = { "--name", "--org", "--org-unit", "--city", "--state",
		"--country" };
	CLEANUP(arena_done) struct arena arena = {};
	const char *dn = cli_option(cli, "-S");
	struct subject s;

	if (!dn)
		return 0;
	for (size_t i = 0; i < sizeof single / sizeof single[0]; i++) {
		if (cli_option(cli, single[i])) {
			why_set(&cli->why, gettext("%s does not go with %s"), single[i], "-S");
			return CLI_E_USAGE;
		}
	}
	if (dn_parse(&arena, span_str(dn), &s, &cli->why))
		return CLIENT_E_REFUSED;
	set_text(body, "common_name", s.common_name);
	set_text(body, "organization", s.organization);
	set_text(body, "unit", s.unit);
	set_text(body, "city", s.city);
	set_text(body, "state", s.state);
	set_text(body, "country", s.country);
	set_text(body, "email", s.email);
	return 0;
}

/* What is asked for gets a key of its own unless one is named; without a use for it, it goes again. */
static int ask_with_key(struct cli *cli, const char *what, json_t *body, json_t **ret_answer)
{
	CLEANUP(json_owned_freep) json_t *key = NULL;
	CLEANUP(json_owned_freep) json_t *removed = NULL;
	CLEANUP(json_owned_freep) json_t *wish = json_object();
	const char *type = cli_option(cli, "--type"), *name = cli_option(cli, "--key");
	struct why why;
	int r = 0;

	if (type && name) {
		why_set(&cli->why, gettext("%s does not go with %s"), "--type", "--key");
		return CLI_E_USAGE;
	}
	if (type)
		(void)json_object_set_new(wish, "type", json_string(type));
	if (!name)
		r = ask(cli, "POST", "keys", NULL, wish, &key);
	if (r)
		return r;
	if (!name)
		name = json_string_value(json_object_get(key, "alias"));
	(void)json_object_set_new(body, "key", json_string(name));
	r = ask(cli, "POST", what, NULL, body, ret_answer);
	if (!r || !key)
		return r;
	/* Where the key cannot be removed either, the first reason is the one to tell. */
	why = cli->why;
	(void)!ask(cli, "DELETE", "keys/", name, NULL, &removed);
	cli->why = why;
	return r;
}

/* A certificate or a request from the row's options; *ret_answer is what was made. */
static int make(struct cli *cli, const char *what, json_t *body, json_t **ret_answer)
{
	int r = add_name(cli, body);

	return r ? r : ask_with_key(cli, what, body, ret_answer);
}

int run_add_selfsign_cert(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(json_owned_freep) json_t *body = NULL;
	int r = cli_body(cli, &body);

	if (r)
		return r;
	add_default_days(cli, body);
	r = make(cli, "certificates", body, &answer);
	return r ? r : cli_show(cli, answer);
}

/* Whether the answer is to be DER: Sun's default. */
static int choose_format(struct cli *cli)
{
	const char *format = cli_option(cli, "-F");

	cli->der = !format || strcmp(format, "binary") == 0;
	if (cli->der || strcmp(format, "ascii") == 0)
		return 0;
	why_set(&cli->why, gettext("%s is binary or ascii"), "-F FORMAT");
	return CLI_E_USAGE;
}

int run_request_cert(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(json_owned_freep) json_t *body = NULL;
	int r = choose_format(cli);

	if (!r && !cli_option(cli, "-S") && !cli_option(cli, "--name")) {
		why_set(&cli->why, gettext("%s is missing"), "-S DN / --name NAME");
		r = CLI_E_USAGE;
	}
	if (!r && cli->der)
		r = cli_check_output(cli);
	if (!r)
		r = cli_body(cli, &body);
	if (!r)
		r = make(cli, "requests", body, &answer);
	return r ? r : cli_show(cli, answer);
}

/* Finds the default certificate in a list, and whether any serves. */
static bool find_default(const json_t *list, bool *ret_in_use)
{
	const json_t *cert;
	bool found = false;
	size_t i;

	*ret_in_use = false;
	json_array_foreach(list, i, cert) {
		const char *alias = json_string_value(json_object_get(cert, "alias"));
		const char *services = json_string_value(json_object_get(cert, "services"));

		found |= alias && strcmp(alias, default_alias) == 0;
		*ret_in_use |= services && services[0];
	}
	return found;
}

static int count(struct cli *cli, const char *what, size_t *ret_n)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	int r = ask(cli, "GET", what, NULL, NULL, &answer);

	*ret_n = json_array_size(json_object_get(answer, what));
	return r;
}

static int report(struct cli *cli, bool made)
{
	CLEANUP(json_owned_freep) json_t *all = NULL;
	size_t n_keys, n_certs;
	int r = count(cli, "keys", &n_keys);

	if (!r)
		r = count(cli, "certificates", &n_certs);
	if (r)
		return r;
	if (cli->json) {
		all = json_pack("{s:s, s:I, s:I, s:b}", "domain", cli->domain, "keys",
			(json_int_t)n_keys, "certificates", (json_int_t)n_certs, "made", made);
		show_json(all);
		return 0;
	}
	(void)printf(made ? gettext("%s was made.\n") : gettext("%s is there already.\n"), default_alias);
	(void)printf(gettext("The key store of %s: keys: %zu, certificates: %zu.\n"), cli->domain, n_keys,
		n_certs);
	return 0;
}

/* The key store is there since the server's first start. What Sun's command makes besides is a default
 * certificate: it is put to use only where no other is, so that nobody loses the one they have. */
int run_generate_certdb(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *list = NULL;
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(json_owned_freep) json_t *body = json_object();
	bool in_use;
	int r = ask(cli, "GET", "certificates", NULL, NULL, &list);

	if (r)
		return r;
	if (find_default(json_object_get(list, "certificates"), &in_use))
		return report(cli, false);
	(void)json_object_set_new(body, "alias", json_string(default_alias));
	(void)json_object_set_new(body, "services", json_string(in_use ? "none" : "all"));
	(void)json_object_set_new(body, "days", json_integer(default_days()));
	r = ask_with_key(cli, "certificates", body, &answer);
	return r ? r : report(cli, true);
}
