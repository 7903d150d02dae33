/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* msgcert: Sun's command for certificates, on the API. */

#include "cli/command.h"

/* Before a subcommand: which domain, and whether who calls knows the key store's password. */
int msgcert_begin(struct cli *cli) MUST_CHECK;

/* Answers as Sun's command shows them: a list (also of trusted certificates), and one certificate. */
void msgcert_show_list(const json_t *list);
/* trusted: the same list, for its trust flags. */
int msgcert_show_cert(struct cli *cli, const json_t *cert, const json_t *trusted) MUST_CHECK;

/* The trusted certificate of an alias or fingerprint in a list of them; NULL: none. Borrowed. */
const json_t *msgcert_find_trusted(const json_t *list, const char *alias);

/* Subcommands that are more than one request. */
command_fn run_add_cert, run_add_selfsign_cert, run_generate_certdb, run_list_certs, run_remove_cert,
	run_renew_selfsign_cert, run_request_cert, run_show_cert;
