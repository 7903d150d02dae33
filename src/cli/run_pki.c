/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Commands about certificates and trust that are more than one request. */

#include "cli/command.h"

#include "base/alloc.h"
#include "cli/show.h"
#include "pki/cert.h"
#include "pki/pem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The table; and not valid if it says so: before and after stand around the domain in the reason. */
static int run_check(struct cli *cli, const char *before, const char *after)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	const char *result;
	int r = cli_request(cli, &answer);

	if (r)
		return r;
	r = cli_show(cli, answer);
	result = json_string_value(json_object_get(answer, "result"));
	if (r || !result || strcmp(result, "error") != 0)
		return r;
	why_set(&cli->why, "%s%s%s: see the rows with \"error\"", before, cli->words[0], after);
	return CLIENT_E_REFUSED;
}

int run_cert_check(struct cli *cli)
{
	return run_check(cli, "clients will refuse a certificate of ", "");
}

int run_ca_check(struct cli *cli)
{
	return run_check(cli, "", " cannot issue certificates for all its users");
}

/* With --pfx the key goes along, under a password. */
int run_cert_export(struct cli *cli)
{
	char *password = NULL;
	int r;

	if (!cli_option(cli, "--pfx") && !cli_option(cli, "--password-file"))
		return run_cert_in_use(cli);
	r = cli_check_output(cli);
	if (r)
		return r;
	if (!cli_option(cli, "--password-file")) {
		r = cli_password(cli, "--password-file", true, &password);
		if (r)
			return r;
	}
	cli->secret = password;
	r = run_cert_in_use(cli);
	cli->secret = NULL;
	if (password)
		explicit_bzero(password, strlen(password));
	free(password);
	return r;
}

/* The scope as the options name it: the server's, unless it is another. */
static const char *scope_of(const struct cli *cli)
{
	if (cli_option(cli, "--domain"))
		return "domain";
	return cli_option(cli, "--cluster") ? "cluster" : "server";
}

static int check_scope(struct cli *cli)
{
	int n = !!cli_option(cli, "--domain") + !!cli_option(cli, "--cluster") +
		!!cli_option(cli, "--server");

	if (n < 2)
		return 0;
	why_set(&cli->why, "only one of --server, --cluster and --domain");
	return CLI_E_USAGE;
}

static void add_scope(const struct cli *cli, struct buf *path)
{
	const char *domain = cli_option(cli, "--domain");

	buf_add_format(path, "?scope=%s", scope_of(cli));
	if (domain) {
		buf_add_string(path, "&domain=");
		cli_add_segment(path, domain);
	}
}

/* Takes out what is for none of the purposes of --for. */
static void keep_purposes(const struct cli *cli, json_t *list)
{
	struct span wanted = span_str(cli_option(cli, "--for"));

	for (size_t i = json_array_size(list); wanted.n && i-- > 0;) {
		const json_t *purposes = json_object_get(json_array_get(list, i), "purposes");
		struct span rest = wanted, has = span_str(json_string_value(purposes));
		bool fits = false;

		while (rest.n && !fits)
			fits = span_find_span(has, span_cut(&rest, ',')) < has.n;
		if (!fits)
			(void)json_array_remove(list, i);
	}
}

/* For the table: the usual ones in a word. */
static void shorten_purposes(json_t *list)
{
	json_t *cert;
	size_t i;

	json_array_foreach(list, i, cert) {
		const char *purposes = json_string_value(json_object_get(cert, "purposes"));

		if (json_is_true(json_object_get(cert, "denied")))
			(void)json_object_set_new(cert, "purposes", json_string("denied"));
		else if (purposes && strcmp(purposes, "server,client,mail") == 0)
			(void)json_object_set_new(cert, "purposes", json_string("all"));
	}
}

int run_trust_list(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {};
	int r = check_scope(cli);

	buf_add_string(&path, "/trust");
	add_scope(cli, &path);
	if (!r)
		r = cli_ask_at(cli, "GET", &path, NULL, &answer);
	keep_purposes(cli, json_object_get(answer, "certificates"));
	if (!cli->json)
		shorten_purposes(json_object_get(answer, "certificates"));
	return r ? r : cli_show(cli, answer);
}

static bool is_fingerprint(const char *text)
{
	size_t n = strlen(text);

	return n >= 40 && strspn(text, "0123456789abcdefABCDEF:") == n;
}

/* Hexadecimal digits without colons, in lower case. */
static void add_digits(struct buf *out, const char *fingerprint)
{
	for (; *fingerprint; fingerprint++) {
		if (*fingerprint != ':')
			buf_add_octet(out, octet_lower((uint8_t)*fingerprint));
	}
}

/* Eight digits or more, as "trust list" shows them, and no file. */
static bool is_beginning(const char *text)
{
	CLEANUP(buf_done) struct buf digits = {};

	if (is_fingerprint(text) || text[strspn(text, "0123456789abcdefABCDEF:")] ||
		access(text, F_OK) == 0)
		return false;
	add_digits(&digits, text);
	return buf_size(&digits) >= 8;
}

/* The whole fingerprint of the one certificate of the scope's list that begins so. */
static int find_beginning(struct cli *cli, const char *text, struct buf *out)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {}, wanted = {};
	const json_t *cert;
	size_t i, n = 0;
	int r;

	add_digits(&wanted, text);
	buf_add_string(&path, "/trust");
	add_scope(cli, &path);
	r = cli_ask_at(cli, "GET", &path, NULL, &answer);
	json_array_foreach(json_object_get(answer, "certificates"), i, cert) {
		const char *fingerprint = json_string_value(json_object_get(cert, "fingerprint"));
		CLEANUP(buf_done) struct buf digits = {};

		add_digits(&digits, fingerprint ? fingerprint : "");
		if (!span_starts(buf_span(&digits), buf_span(&wanted)))
			continue;
		/* What is denied is listed where it is inherited from, too. */
		n += !span_is(buf_span(out), fingerprint);
		buf_clear(out);
		buf_add_string(out, fingerprint);
	}
	if (r || n == 1)
		return r;
	why_set(&cli->why, n ? "several certificates have a fingerprint that begins with %s" :
		"no certificate has a fingerprint that begins with %s; see signet trust list", text);
	return CLIENT_E_REFUSED;
}

/* One request about one certificate: a file, or the fingerprint of one that is known. */
static int trust_write(struct cli *cli, const char *what, bool deny, json_t **ret_answer)
{
	CLEANUP(json_owned_freep) json_t *body = json_object();
	CLEANUP(buf_done) struct buf path = {}, whole = {};
	const char *domain = cli_option(cli, "--domain"), *purposes = cli_option(cli, "--for");
	const char *alias = cli_option(cli, "--alias");
	int r = 0;

	(void)json_object_set_new(body, "scope", json_string(scope_of(cli)));
	if (domain)
		(void)json_object_set_new(body, "domain", json_string(domain));
	if (purposes)
		(void)json_object_set_new(body, "purposes", json_string(purposes));
	if (alias)
		(void)json_object_set_new(body, "alias", json_string(alias));
	if (deny)
		(void)json_object_set_new(body, "deny", json_true());
	if (is_beginning(what))
		r = find_beginning(cli, what, &whole);
	if (buf_size(&whole))
		(void)json_object_set_new(body, "fingerprint",
			json_stringn((const char *)buf_span(&whole).p, buf_size(&whole)));
	else if (is_fingerprint(what))
		(void)json_object_set_new(body, "fingerprint", json_string(what));
	else if (!r)
		r = cli_body_file(cli, body, "certificate", what);
	buf_add_string(&path, "/trust");
	return r ? r : cli_ask_at(cli, "POST", &path, body, ret_answer);
}

static int trust_write_all(struct cli *cli, bool deny)
{
	int r = check_scope(cli);

	for (size_t i = 0; i < cli->n_rest && !r; i++) {
		CLEANUP(json_owned_freep) json_t *answer = NULL;

		r = trust_write(cli, cli->rest[i], deny, &answer);
		if (!r)
			r = cli_show(cli, answer);
	}
	return r;
}

int run_trust_add(struct cli *cli)
{
	return trust_write_all(cli, false);
}

int run_trust_deny(struct cli *cli)
{
	return trust_write_all(cli, true);
}

/* Of a file that holds one certificate. */
static int fingerprint_of(struct cli *cli, const char *file, struct buf *out)
{
	CLEANUP(buf_done) struct buf octets = {};
	CLEANUP(cert_list_done) struct cert_list list = {};
	int r = cli_read_file(cli, file, &octets);

	if (r)
		return r;
	r = cert_list_from_file(&list, buf_span(&octets), &cli->why);
	if (r)
		return r < 0 ? r : CLIENT_E_REFUSED;
	if (list.n != 1) {
		why_set(&cli->why, "%zu certificates in %s: name one by its fingerprint", list.n, file);
		return CLIENT_E_REFUSED;
	}
	cert_add_fingerprint_text(list.certs[0], out);
	return 0;
}

int run_trust_remove(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {}, whole = {};
	int r = check_scope(cli);

	buf_add_string(&path, "/trust/");
	if (is_fingerprint(cli->words[0]))
		cli_add_segment(&path, cli->words[0]);
	else if (!r && is_beginning(cli->words[0]))
		r = find_beginning(cli, cli->words[0], &whole);
	else if (!r)
		r = fingerprint_of(cli, cli->words[0], &path);
	buf_add(&path, buf_span(&whole));
	add_scope(cli, &path);
	return r ? r : cli_ask_at(cli, "DELETE", &path, NULL, &answer);
}

/* Whose authority is asked stands in the address. */
int run_ca_issue(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	const char *at = strrchr(cli->words[0], '@');
	int r;

	if (!at || !at[1]) {
		why_set(&cli->why, "%s is not a mail address", cli->words[0]);
		return CLI_E_USAGE;
	}
	cli->domain = at + 1;
	r = cli_request(cli, &answer);
	return r ? r : cli_show(cli, answer);
}

/* Whether the server wants the passphrase of a file that was given without one, and could be sent again. */
static bool wants_passphrase(const struct cli *cli)
{
	return strcmp(client_field(cli->client), "passphrase") == 0 &&
		!cli_option(cli, "--passphrase-file");
}

/* Whether a key's file is encrypted, the server finds out: then it is asked for, where there is a terminal. */
int run_key_import(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(alloc_freep) char *reason = NULL;
	char *passphrase = NULL;
	int r = cli_request(cli, &answer), asked;

	if (r != CLIENT_E_REFUSED || !wants_passphrase(cli))
		return r ? r : cli_show(cli, answer);
	reason = alloc_string(cli->why.text);
	/* Standard input was read to its end. */
	asked = strcmp(cli->words[1], "-") == 0 ?
		CLI_E_NO_TERMINAL : cli_prompt(cli, "Passphrase of the file: ", &passphrase);
	if (asked == CLI_E_NO_TERMINAL) {
		why_set(&cli->why, "%s; --passphrase-file F gives it", reason);
		return r;
	}
	if (asked)
		return asked;
	cli->secret = passphrase;
	r = cli_request(cli, &answer);
	cli->secret = NULL;
	cli_password_free(passphrase);
	return r ? r : cli_show(cli, answer);
}
