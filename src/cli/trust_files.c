/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "cli/trust_files.h"

#include "base/alloc.h"
#include "pki/pem.h"

#include <stdlib.h>

int cli_refuse_file(struct cli *cli, const char *name, int r)
{
	CLEANUP(alloc_freep) char *text = NULL;

	if (r < 0)
		return r;
	text = alloc_format("%s: %s", name, cli->why.text);
	why_set(&cli->why, "%s", text);
	return CLIENT_E_REFUSED;
}

int cli_read_certs(struct cli *cli, const char *name, struct cert_list *ret_list)
{
	CLEANUP(buf_done) struct buf file = {};
	int r = cli_read_file(cli, name, &file);

	if (r)
		return r;
	r = cert_list_from_file(ret_list, buf_span(&file), &cli->why);
	return r ? cli_refuse_file(cli, name, r) : 0;
}

/* Roots of a file without a certificate in PEM: DER or PKCS #7, or it is no such file. */
static int add_few_roots(struct cli *cli, const char *name, struct trust *trust, unsigned purposes)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	int r = cli_read_certs(cli, name, &list);

	for (size_t i = 0; i < list.n; i++)
		trust_add(trust, list.certs[i], purposes);
	return r;
}

static int add_roots(struct cli *cli, const char *name, struct trust *trust, unsigned purposes)
{
	CLEANUP(buf_done) struct buf file = {};
	CLEANUP(buf_done) struct buf first = {};
	size_t n_unreadable;
	int r = cli_read_file(cli, name, &file);

	if (r)
		return r;
	if (purposes != TRUST_BUILT_IN_PURPOSES && !pem_find(buf_span(&file), "CERTIFICATE", &first))
		return add_few_roots(cli, name, trust, purposes);
	trust_add_bundle(trust, buf_span(&file), purposes, &n_unreadable);
	if (!n_unreadable || purposes == TRUST_BUILT_IN_PURPOSES)
		return 0;
	why_set(&cli->why, n_unreadable == 1 ? "%zu certificate in it cannot be read" :
				       "%zu certificates in it cannot be read",
		n_unreadable);
	return cli_refuse_file(cli, name, CERT_E_SYNTAX);
}

static int read_all(struct cli *cli, const char *first, struct trust *trust)
{
	const char *name = first;
	int r = 0;

	if (!name)
		return add_roots(cli, TRUST_BUNDLE, trust, TRUST_BUILT_IN_PURPOSES);
	for (size_t i = 0; !r && (name = cli_option_at(cli, "--roots", i)); i++)
		r = add_roots(cli, name, trust, TRUST_ALL_PURPOSES);
	return r;
}

int cli_read_roots(struct cli *cli, struct trust **ret_trust)
{
	const char *first = cli_option_at(cli, "--roots", 0);
	CLEANUP(trust_unrefp)
	struct trust *trust = trust_new(first ? TRUST_DOMAIN : TRUST_BUILT_IN, NULL);
	int r = read_all(cli, first, trust);

	if (!r)
		*ret_trust = TAKE(trust);
	return r;
}

int cli_read_crls(struct cli *cli, struct crl_list *crls)
{
	const char *name;

	for (size_t i = 0; (name = cli_option_at(cli, "--crl", i)); i++) {
		CLEANUP(buf_done) struct buf file = {};
		int r = cli_read_file(cli, name, &file);

		if (r)
			return r;
		r = crl_list_add(crls, buf_span(&file), &cli->why);
		if (r)
			return cli_refuse_file(cli, name, r);
	}
	return 0;
}
