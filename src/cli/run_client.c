/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Commands about client certificates. Where a domain is named, "server" stands for what serves all that
 * have nothing of their own. */

#include "cli/command.h"

#include "pki/cert.h"

#include <stdlib.h>

/* The path of something that a domain has, or the server. */
static void add_place(const struct cli *cli, const char *what, struct buf *path)
{
	if (strcmp(cli->words[0], "server") != 0) {
		buf_add_string(path, "/domains/");
		cli_add_segment(path, cli->words[0]);
	}
	buf_add_format(path, "/%s", what);
}

static int ask_place(struct cli *cli, const char *method, const char *what, const json_t *body)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {};
	int r;

	add_place(cli, what, &path);
	r = cli_ask_at(cli, method, &path, body, &answer);
	return r ? r : cli_show(cli, answer);
}

int run_issuer_show(struct cli *cli)
{
	return ask_place(cli, "GET", "client-issuers", NULL);
}

int run_certmap_show(struct cli *cli)
{
	return ask_place(cli, "GET", "certmap", NULL);
}

int run_certmap_remove(struct cli *cli)
{
	return ask_place(cli, "DELETE", "certmap", NULL);
}

int run_certmap_set(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *body = json_object();
	json_t *list = json_array();

	for (size_t i = 0; i < cli->n_rest; i++)
		(void)json_array_append_new(list, json_string(cli->rest[i]));
	(void)json_object_set_new(body, "rules", list);
	return ask_place(cli, "PUT", "certmap", body);
}

static bool is_fingerprint(const char *text)
{
	size_t n = strlen(text);

	return n >= 40 && strspn(text, "0123456789abcdefABCDEF:") == n;
}

/* The certificate of a file that holds one. */
static int read_cert(struct cli *cli, const char *name, struct cert **ret_cert)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	CLEANUP(buf_done) struct buf file = {};
	struct why why = {};
	int r = cli_read_file(cli, name, &file);

	if (r)
		return r;
	r = cert_list_from_file(&list, buf_span(&file), &why);
	if (r < 0)
		return r;
	if (!r && list.n == 1) {
		*ret_cert = cert_ref(list.certs[0]);
		return 0;
	}
	if (!r)
		why_set(&why, "%zu certificates in the file, one is wanted", list.n);
	why_set(&cli->why, "%s: %s", name, why.text);
	return CLIENT_E_REFUSED;
}

/* As PEM, if it is a file. */
static int add_issuer(struct cli *cli, json_t *list, const char *what)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	CLEANUP(buf_done) struct buf pem = {};
	int r;

	if (is_fingerprint(what))
		return json_array_append_new(list, json_string(what)) ? CLI_E_USAGE : 0;
	r = read_cert(cli, what, &cert);
	if (r)
		return r;
	cert_add_pem(cert, &pem);
	(void)json_array_append_new(list,
		json_stringn((const char *)buf_span(&pem).p, buf_size(&pem)));
	return 0;
}

int run_issuer_set(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *body = json_object();
	json_t *list = json_array();

	(void)json_object_set_new(body, "issuers", list);
	for (size_t i = 0; i < cli->n_rest; i++) {
		int r = add_issuer(cli, list, cli->rest[i]);

		if (r)
			return r;
	}
	return ask_place(cli, "PUT", "client-issuers", body);
}

/* Of a file: its certificate's. */
static int add_fingerprint(struct cli *cli, const char *what, struct buf *path)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	int r;

	if (is_fingerprint(what)) {
		cli_add_segment(path, what);
		return 0;
	}
	r = read_cert(cli, what, &cert);
	if (!r)
		cert_add_fingerprint_text(cert, path);
	return r;
}

int run_issuer_remove(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {};
	int r = 0;

	add_place(cli, "client-issuers", &path);
	if (cli->words[1]) {
		buf_add_octet(&path, '/');
		r = add_fingerprint(cli, cli->words[1], &path);
	}
	return r ? r : cli_ask_at(cli, "DELETE", &path, NULL, &answer);
}

int run_own_cert_remove(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(buf_done) struct buf path = {};
	int r;

	buf_add_string(&path, "/accounts/");
	cli_add_segment(&path, cli->words[0]);
	buf_add_string(&path, "/certificates/");
	r = add_fingerprint(cli, cli->words[1], &path);
	return r ? r : cli_ask_at(cli, "DELETE", &path, NULL, &answer);
}
