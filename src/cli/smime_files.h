/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What the commands of S/MIME are given: a message on standard input, keys and certificates in
 * files. Outcomes are the client's or CLI_E_USAGE, with why. */

#include "cli/command.h"
#include "smime/key.h"
#include "smime/sign.h"

/* Once, before anything else here. */
void smime_files_init(void);

/* Appends the certificates of each file that the option names. */
int smime_add_certs(struct cli *cli, const char *option, struct cert_list *list) MUST_CHECK;

/* The message on standard input, at most LIMIT_SMIME_MESSAGE octets. */
int smime_read_message(struct cli *cli, struct buf *out) MUST_CHECK;

/* --time, else now. */
int smime_time(struct cli *cli, int64_t *ret_time_us) MUST_CHECK;

/*
 * The keys of --key (with the certificate of the --cert at the same place, or from the key's own
 * file), then those of --pfx. With --password-file encrypted ones are opened; else a terminal is
 * asked. --chain is for all of them. Zeroed memory is empty.
 */
struct smime_files {
	struct smime_key keys[SIGNERS_MAX];
	struct cert_list chains[SIGNERS_MAX];
	size_t n;
};
int smime_read_keys(struct cli *cli, struct smime_files *files) MUST_CHECK;
void smime_files_done(struct smime_files *files);
