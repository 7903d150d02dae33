/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * signet smime verify and decrypt: a message on standard input; what was signed or encrypted goes
 * to standard output as it is, the message's own header not merged into it, or with --json the
 * report alone. Nothing is written before everything has been checked.
 */

#include "base/alloc.h"
#include "cli/show.h"
#include "cli/smime_files.h"
#include "cli/trust_files.h"
#include "smime/read.h"

#include <errno.h>
#include <stdio.h>

struct smime_input {
	struct smime_files files;
	struct cert_list known;
	struct trust *trust;
	struct crl_list crls;
	struct buf message;
	struct smime_request q;
	struct smime_result result;
};

static void input_done(struct smime_input *in)
{
	smime_result_done(&in->result);
	smime_files_done(&in->files);
	cert_list_done(&in->known);
	trust_unref(in->trust);
	crl_list_done(&in->crls);
	buf_done(&in->message);
}

static int take_keys(struct cli *cli, struct smime_input *in)
{
	int r;

	/* A certificate without a key is one that a signer did not send along. */
	if (!cli_option_at(cli, "--key", 0) && !cli_option_at(cli, "--pfx", 0))
		return 0;
	r = smime_read_keys(cli, &in->files);
	if (r)
		return r;
	for (size_t i = 0; i < in->files.n; i++) {
		if (in->files.keys[i].cert)
			continue;
		why_set(&cli->why, "there is no certificate for a key: name its file with --cert");
		return CLI_E_USAGE;
	}
	in->q.keys = in->files.keys;
	in->q.n_keys = in->files.n;
	return 0;
}

static void take_address(struct cli *cli, struct smime_input *in)
{
	const char *email = cli_option(cli, "--email");

	/* What other programs sign may be an entity without a message's header. */
	in->q.expect = SMIME_EXPECT_FROM_IF_ANY;
	if (!email)
		return;
	in->q.expect = SMIME_EXPECT_GIVEN;
	in->q.address = span_str(email);
}

static int read_input(struct cli *cli, struct smime_input *in)
{
	int r;

	smime_files_init();
	take_address(cli, in);
	if ((r = smime_time(cli, &in->q.time_us)) || (r = take_keys(cli, in)) ||
		(r = smime_add_certs(cli, "--cert", &in->known)) ||
		(r = smime_add_certs(cli, "--chain", &in->known)) ||
		(r = cli_read_roots(cli, &in->trust)) || (r = cli_read_crls(cli, &in->crls)) ||
		(r = smime_read_message(cli, &in->message)))
		return r;
	in->q.message = buf_span(&in->message);
	in->q.trust = in->trust;
	in->q.known = &in->known;
	in->q.crls = &in->crls;
	return smime_read(&in->q, &in->result);
}

static int write_report(const struct smime_report *report)
{
	CLEANUP(buf_wipe) struct buf text = {};

	smime_report_add_json(report, &text);
	buf_add_octet(&text, '\n');
	return fwrite(buf_span(&text).p, 1, buf_size(&text), stdout) == buf_size(&text) ?
		0 : err_fault(errno, "stdout");
}

/* The report, or the entity if there is one to be written; then how it went. */
static int finish(struct cli *cli, const struct smime_input *in, struct span entity, bool good,
	const char *otherwise)
{
	CLEANUP(buf_done) struct buf reason = {};
	int r = 0;

	if (cli->json)
		r = write_report(&in->result.report);
	else if (good)
		r = show_octets(entity);
	if (r || good)
		return r;
	smime_report_add_reason(&in->result.report, &reason);
	if (!buf_size(&reason))
		buf_add_string(&reason, otherwise);
	why_set(&cli->why, "%.*s", (int)buf_size(&reason), (const char *)buf_span(&reason).p);
	return CLIENT_E_REFUSED;
}

int run_smime_verify(struct cli *cli)
{
	CLEANUP(input_done) struct smime_input in = {};
	size_t n;
	int r = read_input(cli, &in);

	if (r)
		return r;
	n = in.result.report.n_envelope;
	return finish(cli, &in, n ? smime_layer_entity(&in.result, n - 1) : (struct span){},
		smime_report_is_verified(&in.result.report), "the message is not signed");
}

/* What the innermost encryption of the envelope holds, signatures and all. */
static struct span decrypted(const struct smime_result *result)
{
	struct span entity = {};

	for (size_t i = 0; i < result->report.n_envelope; i++) {
		const struct smime_layer *l = &result->report.layers[i];

		if (l->kind != SMIME_ENCRYPTED && l->kind != SMIME_ENCRYPTED_AUTHENTICATED)
			continue;
		if (l->state != SMIME_OPEN)
			return (struct span){};
		entity = smime_layer_entity(result, i);
	}
	return entity;
}

int run_smime_decrypt(struct cli *cli)
{
	CLEANUP(input_done) struct smime_input in = {};
	struct span entity;
	int r = read_input(cli, &in);

	if (r)
		return r;
	entity = decrypted(&in.result);
	return finish(cli, &in, entity, entity.p != NULL, "the message is not encrypted");
}
