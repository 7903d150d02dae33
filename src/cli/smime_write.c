/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* signet smime sign and encrypt: a message on standard input comes out as a whole message, its
 * header kept, without a server. */

#include "base/alloc.h"
#include "cli/show.h"
#include "cli/smime_files.h"
#include "cli/trust_files.h"
#include "smime/encrypt.h"

static int take_digest(struct cli *cli, const struct smime_digest **ret_digest)
{
	const char *name = cli_option(cli, "--digest");
	const struct smime_digest *d = name ? smime_digest_by_name(span_str(name)) : NULL;

	if (name && (!d || !d->may_write)) {
		why_set(&cli->why, "--digest is sha-256, sha-384 or sha-512");
		return CLI_E_USAGE;
	}
	*ret_digest = d;
	return 0;
}

int run_smime_sign(struct cli *cli)
{
	CLEANUP(smime_files_done) struct smime_files files = {};
	CLEANUP(buf_done) struct buf message = {}, out = {};
	struct sign_request s = {
		.opaque = cli_option(cli, "--opaque"),
		.pss = cli_option(cli, "--pss"),
		.keep_8bit = cli_option(cli, "--keep-8bit"),
		.protect_header = cli_option(cli, "--protect-header"),
	};
	int r;

	smime_files_init();
	if ((r = take_digest(cli, &s.digest)) || (r = smime_time(cli, &s.now_us)) ||
		(r = smime_read_keys(cli, &files)) || (r = smime_read_message(cli, &message)))
		return r;
	for (size_t i = 0; i < files.n; i++) {
		if (files.keys[i].cert)
			continue;
		why_set(&cli->why, "there is no certificate for a key: name its file with --cert");
		return CLI_E_USAGE;
	}
	s.signers = files.keys;
	s.n_signers = files.n;
	r = sign_message(&s, buf_span(&message), &out, &cli->why);
	if (r)
		return r < 0 ? r : CLIENT_E_REFUSED;
	return show_octets(buf_span(&out));
}

static int take_cipher(struct cli *cli, const struct cipher **ret_cipher)
{
	const char *name = cli_option(cli, "--cipher");

	*ret_cipher = name ? cipher_by_name(span_str(name)) : NULL;
	if (!name || strcmp(name, "automatic") == 0 || (*ret_cipher && (*ret_cipher)->may_write))
		return 0;
	why_set(&cli->why, "--cipher is automatic, aes-256-gcm, aes-256-cbc, aes-192-cbc, "
			   "aes-128-cbc or 3des");
	return CLI_E_USAGE;
}

/* Authorities beside people in a file are left out; a file that has nothing else is taken at its
 * word. */
static int add_recipients(struct cli *cli, const char *name, struct cert_list *to)
{
	CLEANUP(cert_list_done) struct cert_list file = {};
	size_t n = to->n;
	int r = cli_read_certs(cli, name, &file);

	if (r)
		return r;
	for (size_t i = 0; i < file.n; i++) {
		if (!cert_is_ca(file.certs[i]))
			cert_list_add(to, file.certs[i]);
	}
	if (to->n == n)
		cert_list_add(to, file.certs[0]);
	return 0;
}

static int take_recipients(struct cli *cli, struct cert_list *to, struct encrypt_request *e,
	struct encrypt_recipient **ret_recipients)
{
	struct encrypt_recipient *recipients;
	const char *name;

	for (size_t i = 0; (name = cli_option_at(cli, "--to", i)); i++) {
		int r = add_recipients(cli, name, to);

		if (r)
			return r;
	}
	if (to->n == 0) {
		why_set(&cli->why,
			"who is to read it: --to FILE, a certificate, as often as needed");
		return CLI_E_USAGE;
	}
	recipients = alloc_zero(to->n * sizeof *recipients);
	for (size_t i = 0; i < to->n; i++)
		recipients[i].cert = to->certs[i];
	*ret_recipients = recipients;
	e->recipients = recipients;
	e->n_recipients = to->n;
	return 0;
}

/* All of them in one line. */
static void say_faults(struct cli *cli, const struct encrypt_faults *faults)
{
	CLEANUP(buf_done) struct buf text = {};
	CLEANUP(alloc_freep) char *line = NULL;

	for (size_t i = 0; i < faults->n; i++)
		buf_add_format(&text, "%s%s", i ? "; " : "", faults->faults[i].why.text);
	line = buf_steal_string(&text);
	why_set(&cli->why, "%s", line);
}

int run_smime_encrypt(struct cli *cli)
{
	CLEANUP(cert_list_done) struct cert_list certs = {};
	CLEANUP(alloc_freep) struct encrypt_recipient *recipients = NULL;
	CLEANUP(encrypt_faults_done) struct encrypt_faults faults = {};
	CLEANUP(buf_done) struct buf message = {}, out = {};
	struct encrypt_request e = {
		.oaep = cli_option(cli, "--oaep"),
		.protect_header = cli_option(cli, "--protect-header"),
	};
	int r;

	smime_files_init();
	if ((r = take_cipher(cli, &e.cipher)) || (r = smime_time(cli, &e.now_us)) ||
		(r = take_recipients(cli, &certs, &e, &recipients)) ||
		(r = smime_read_message(cli, &message)))
		return r;
	r = encrypt_message(&e, buf_span(&message), &out, &faults, &cli->why);
	if (r == ENCRYPT_E_RECIPIENTS)
		say_faults(cli, &faults);
	if (r)
		return r < 0 ? r : CLIENT_E_REFUSED;
	return show_octets(buf_span(&out));
}
