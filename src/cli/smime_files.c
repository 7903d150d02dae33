/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Nothing here asks a server: keys are local, in this process, for as long as the command runs. */

#include "cli/smime_files.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limit.h"
#include "cli/trust_files.h"
#include "mime/word.h"
#include "pki/import_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { PIECE = 1 << 20 };

void smime_files_init(void)
{
	word_init();
	import_load_legacy();
}

int smime_add_certs(struct cli *cli, const char *option, struct cert_list *list)
{
	const char *name;

	for (size_t i = 0; (name = cli_option_at(cli, option, i)); i++) {
		CLEANUP(cert_list_done) struct cert_list more = {};
		int r = cli_read_certs(cli, name, &more);

		if (r)
			return r;
		for (size_t k = 0; k < more.n; k++)
			cert_list_add(list, more.certs[k]);
	}
	return 0;
}

int smime_read_message(struct cli *cli, struct buf *out)
{
	int r = cli_take_input(cli);

	if (r)
		return r;
	while (!feof(stdin) && !ferror(stdin) && buf_size(out) <= LIMIT_SMIME_MESSAGE)
		buf_added(out, fread(buf_room(out, PIECE), 1, PIECE, stdin));
	if (ferror(stdin))
		return err_fault(errno, "stdin");
	if (buf_size(out) == 0)
		why_set(&cli->why, "there is no message on standard input");
	else if (buf_size(out) > LIMIT_SMIME_MESSAGE)
		why_set(&cli->why, "the message is larger than %d octets", LIMIT_SMIME_MESSAGE);
	else
		return 0;
	return CLIENT_E_REFUSED;
}

int smime_time(struct cli *cli, int64_t *ret_time_us)
{
	const char *time = cli_option(cli, "--time");

	*ret_time_us = clock_now_us();
	if (!time || clock_parse_rfc3339(span_str(time), ret_time_us))
		return 0;
	why_set(&cli->why, "--time is written like 2026-02-03T04:05:06Z");
	return CLI_E_USAGE;
}

/* Opens the file, with the passphrase if it needs one. */
static int import_file(struct cli *cli, const char *name, struct imported *ret_imported)
{
	CLEANUP(buf_done) struct buf file = {};
	struct import_order order = {};
	char *password = NULL;
	int r = cli_read_file(cli, name, &file);

	if (r)
		return r;
	if (buf_size(&file) > IMPORT_FILE_MAX) {
		why_set(&cli->why, "%s is larger than %d octets", name, IMPORT_FILE_MAX);
		return CLIENT_E_REFUSED;
	}
	order.file = buf_span(&file);
	r = import_parse(&order, ret_imported, &cli->why);
	if (r == IMPORT_E_PASSWORD) {
		r = cli_password(cli, "--password-file", false, &password);
		if (!r) {
			order.passphrase = span_str(password);
			r = import_parse(&order, ret_imported, &cli->why);
			if (r)
				r = cli_refuse_file(cli, name, r);
		}
		cli_password_free(password);
	} else if (r) {
		r = cli_refuse_file(cli, name, r);
	}
	explicit_bzero(file.p, file.end);
	return r;
}

/* The key, and the certificates that are in its file. */
static int read_key(struct cli *cli, const char *name, struct smime_files *files)
{
	CLEANUP(imported_done) struct imported imported = {};
	struct smime_key *k = &files->keys[files->n];
	struct cert_list *chain = &files->chains[files->n];
	int r;

	if (files->n == SIGNERS_MAX) {
		why_set(&cli->why, "there are more than %d keys", SIGNERS_MAX);
		return CLI_E_USAGE;
	}
	r = import_file(cli, name, &imported);
	if (r)
		return r;
	TRY(key_from_pkcs8(&k->key, secret_span(&imported.pkcs8), &cli->why));
	files->n++;
	r = cert_list_from_der(chain, buf_span(&imported.certs), &cli->why);
	if (r)
		return cli_refuse_file(cli, name, r);
	if (chain->n)
		k->cert = cert_ref(chain->certs[0]);
	k->chain = chain;
	return 0;
}

/* Another file has the key's certificate, and perhaps its chain. */
static int read_key_cert(struct cli *cli, const char *name, struct smime_files *files, size_t i)
{
	CLEANUP(cert_list_done) struct cert_list certs = {};
	int r = cli_read_certs(cli, name, &certs);

	if (r)
		return r;
	cert_unref(files->keys[i].cert);
	files->keys[i].cert = cert_ref(certs.certs[0]);
	for (size_t k = 1; k < certs.n; k++)
		cert_list_add(&files->chains[i], certs.certs[k]);
	return 0;
}

static int add_chain(struct cli *cli, struct smime_files *files)
{
	CLEANUP(cert_list_done) struct cert_list chain = {};
	int r = smime_add_certs(cli, "--chain", &chain);

	if (r)
		return r;
	for (size_t i = 0; i < files->n; i++) {
		for (size_t k = 0; k < chain.n; k++)
			cert_list_add(&files->chains[i], chain.certs[k]);
	}
	return 0;
}

/* Standard input is the message's. */
static int check_name(struct cli *cli, const char *option, const char *name)
{
	if (!name || strcmp(name, "-") != 0)
		return 0;
	why_set(&cli->why, "standard input is the message: %s needs a file", option);
	return CLI_E_USAGE;
}

static int check_names(struct cli *cli)
{
	static const char *const options[] = { "--key", "--cert", "--pfx", "--chain" };
	int r = check_name(cli, "--password-file", cli_option(cli, "--password-file"));

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		const char *name;

		for (size_t k = 0; !r && (name = cli_option_at(cli, options[i], k)); k++)
			r = check_name(cli, options[i], name);
	}
	return r;
}

int smime_read_keys(struct cli *cli, struct smime_files *files)
{
	const char *name, *cert;
	int r = check_names(cli);

	for (size_t i = 0; !r && (name = cli_option_at(cli, "--key", i)); i++) {
		r = read_key(cli, name, files);
		cert = cli_option_at(cli, "--cert", i);
		if (!r && cert)
			r = read_key_cert(cli, cert, files, i);
	}
	for (size_t i = 0; !r && (name = cli_option_at(cli, "--pfx", i)); i++)
		r = read_key(cli, name, files);
	if (r)
		return r;
	if (files->n == 0) {
		why_set(&cli->why, "a key is needed: --key FILE --cert FILE, or --pfx FILE");
		return CLI_E_USAGE;
	}
	return add_chain(cli, files);
}

void smime_files_done(struct smime_files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		EVP_PKEY_free(files->keys[i].key);
		cert_unref(files->keys[i].cert);
		cert_list_done(&files->chains[i]);
	}
	*files = (struct smime_files){};
}
