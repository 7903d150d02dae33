/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Commands that are more than one request. */

#include "cli/command.h"

#include "base/alloc.h"
#include "cli/show.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int run_setting_get(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	const json_t *value;
	int r = cli_request(cli, &answer);

	if (r || cli->json)
		return r ? r : cli_show(cli, answer);
	value = json_object_get(answer, "value");
	if (!json_is_string(value))
		return err_fault(EPROTO, "a setting without a value");
	show_line(json_string_value(value));
	return 0;
}

/* A null returns a setting to its default. */
int run_setting_reset(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(json_owned_freep) json_t *body = json_object();
	int r;

	for (size_t i = 0; i < cli->n_rest; i++)
		(void)json_object_set_new(body, cli->rest[i], json_null());
	r = cli_ask(cli, "PATCH", "/settings", body, &answer);
	return r ? r : cli_show(cli, answer);
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
	r = cli_ask_at(cli, "GET", &path, NULL, &answer);
	if (r)
		return r;
	json_array_foreach(json_object_get(answer, "domains"), i, domain) {
		r = each(cli, json_string_value(json_object_get(domain, "name")), out);
		if (r)
			return r;
	}
	return 0;
}

static int read_list(struct cli *cli, const char *domain, const char *what, json_t **ret_answer)
{
	CLEANUP(buf_done) struct buf path = {};

	buf_add_string(&path, "/domains/");
	cli_add_segment(&path, domain);
	buf_add_format(&path, "/%s", what);
	return cli_ask_at(cli, "GET", &path, NULL, ret_answer);
}

static bool has_text(const json_t *object, const char *member, const char *wanted)
{
	const char *text = json_string_value(json_object_get(object, member));

	return !wanted || (text && strcmp(text, wanted) == 0);
}

/* What a domain has of a kind, each item with the domain's name. */
static int add_items(struct cli *cli, const char *domain, const char *what, json_t *out)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	json_t *item;
	size_t i;
	int r = read_list(cli, domain, what, &answer);

	json_array_foreach(json_object_get(answer, what), i, item) {
		if (!has_text(item, "use", cli_option(cli, "--for")) ||
			!has_text(item, "type", cli_option(cli, "--type")))
			continue;
		(void)json_object_set_new(item, "domain", json_string(domain));
		(void)json_array_append(out, item);
	}
	return r;
}

static int add_certs(struct cli *cli, const char *domain, json_t *out)
{
	return add_items(cli, domain, "certificates", out);
}

static int add_keys(struct cli *cli, const char *domain, json_t *out)
{
	return add_items(cli, domain, "keys", out);
}

static int list_items(struct cli *cli,
	int (*each)(struct cli *cli, const char *domain, json_t *out))
{
	CLEANUP(json_owned_freep) json_t *answer = json_object();
	json_t *list = json_array();
	int r;

	(void)json_object_set_new(answer, cli->command->list, list);
	r = each_domain(cli, list, each);
	return r ? r : cli_show(cli, answer);
}

int run_cert_list(struct cli *cli)
{
	return list_items(cli, add_certs);
}

int run_key_list(struct cli *cli)
{
	return list_items(cli, add_keys);
}

/* The row's request about the newest thing in a list that fits, if the word at the position named
 * none. Lists are in the order in which things were made: of one second the last is the newest. */
static int ask_newest(struct cli *cli, size_t position, const char *what,
	bool (*fits)(const struct cli *cli, const json_t *item), const char *remedy, json_t **ret_answer)
{
	CLEANUP(json_owned_freep) json_t *list = NULL;
	const char *newest = "";
	const json_t *item;
	size_t i;
	int r = cli->words[position] ? 0 : read_list(cli, cli->words[0], what, &list);

	json_array_foreach(json_object_get(list, what), i, item) {
		const char *created = json_string_value(json_object_get(item, "created"));

		if (!created || strcmp(created, newest) < 0 || !fits(cli, item))
			continue;
		newest = created;
		cli->words[position] = json_string_value(json_object_get(item, "alias"));
	}
	if (!r && !cli->words[position]) {
		why_set(&cli->why, "the domain has none; make one with %s %s", remedy, cli->words[0]);
		return CLIENT_E_REFUSED;
	}
	if (!r)
		r = cli_request(cli, ret_answer);
	/* Nobody has named it, and it is no more. */
	if (!r && list && !*ret_answer && !cli->json)
		show_named("removed", cli->words[position]);
	return r;
}

static int run_newest(struct cli *cli, size_t position, const char *what,
	bool (*fits)(const struct cli *cli, const json_t *item), const char *remedy)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	int r = ask_newest(cli, position, what, fits, remedy, &answer);

	return r ? r : cli_show(cli, answer);
}

static bool is_any(const struct cli *cli, const json_t *item)
{
	(void)cli;
	return item;
}

static bool is_in_use(const struct cli *cli, const json_t *cert)
{
	const char *services = json_string_value(json_object_get(cert, "services"));

	(void)cli;
	return services && services[0];
}

/* --for and --type say which; without --for it is one for TLS. */
static bool is_wanted(const struct cli *cli, const json_t *key)
{
	const char *use = cli_option(cli, "--for");

	return has_text(key, "use", use ? use : "tls") &&
		has_text(key, "type", cli_option(cli, "--type"));
}

int run_cert_in_use(struct cli *cli)
{
	return run_newest(cli, 1, "certificates", is_in_use, "signet cert self-sign");
}

int run_cert_newest(struct cli *cli)
{
	return run_newest(cli, 1, "certificates", is_any, "signet cert self-sign");
}

int run_key_newest(struct cli *cli)
{
	return run_newest(cli, 1, "keys", is_wanted, "signet key generate");
}

/* A key that does not work is no success. */
int run_key_test(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	int r = ask_newest(cli, 1, "keys", is_wanted, "signet key generate", &answer);

	if (!r)
		r = cli_show(cli, answer);
	if (r || json_is_true(json_object_get(answer, "passed")))
		return r;
	why_set(&cli->why, "the key does not work: %s",
		json_string_value(json_object_get(answer, "result")));
	return CLIENT_E_REFUSED;
}

int run_request_newest(struct cli *cli)
{
	return run_newest(cli, 1, "requests", is_any, "signet request create");
}

int run_cert_renew(struct cli *cli)
{
	return run_newest(cli, 2, "certificates", is_in_use, "signet cert install");
}

int run_chain_set(struct cli *cli)
{
	return run_newest(cli, 2, "certificates", is_in_use, "signet cert install");
}

static int add_domain_aliases(struct cli *cli, const char *domain, json_t *out)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	json_t *alias;
	size_t i;
	int r = read_list(cli, domain, "aliases", &answer);

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
	r = cli_ask_at(cli, "GET", &path, NULL, &answer);
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

/* What becomes of certificates for an address that changes hands. */
static void add_revoke(const struct cli *cli, struct buf *path)
{
	const char *reason = cli_option(cli, "--revoke");

	if (!reason)
		return;
	buf_add_string(path, "?revoke=");
	cli_add_segment(path, reason);
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
	add_revoke(cli, &path);
	return cli_ask_at(cli, "PUT", &path, NULL, ret_answer);
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
	add_revoke(cli, &path);
	r = cli_ask_at(cli, "POST", &path, body, &answer);
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
	r = cli_ask_at(cli, "GET", &find, NULL, &domain);
	if (r)
		return r;
	buf_add_string(&path, "/domains/");
	cli_add_segment(&path, json_string_value(json_object_get(domain, "name")));
	buf_add_string(&path, "/aliases/");
	cli_add_segment(&path, cli->words[0]);
	add_revoke(cli, &path);
	r = cli_ask_at(cli, "DELETE", &path, NULL, &answer);
	return r ? r : cli_show(cli, answer);
}

int run_alias_remove(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {};

	int r;

	if (!strchr(cli->words[0], '@'))
		return domain_alias_remove(cli);
	buf_add_string(&path, "/aliases/");
	cli_add_segment(&path, cli->words[0]);
	add_revoke(cli, &path);
	r = cli_ask_at(cli, "DELETE", &path, NULL, &answer);
	return r ? r : cli_show(cli, answer);
}
