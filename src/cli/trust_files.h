/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What commands without a server are given in files: certificates, and whom to trust. Outcomes are
 * the client's, with why. */

#include "cli/command.h"
#include "pki/crl.h"
#include "pki/trust.h"

/* Certificates from a file, PEM or DER; at least one. */
int cli_read_certs(struct cli *cli, const char *name, struct cert_list *ret_list) MUST_CHECK;

/* The certificates of --roots, for everything; else those that came with the system. */
int cli_read_roots(struct cli *cli, struct trust **ret_trust) MUST_CHECK;

/* Appends the lists of each --crl. */
int cli_read_crls(struct cli *cli, struct crl_list *crls) MUST_CHECK;

/* The reason with the file's name before it; a fault stays one. */
int cli_refuse_file(struct cli *cli, const char *name, int r) MUST_CHECK;
