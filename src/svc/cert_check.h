/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Whether clients will accept a domain's certificate, and why not: everything that can be looked at. */

#include "pki/check.h"
#include "store/key_rows.h"

struct env;

struct cert_check {
	const struct store_cert *cert;
	const struct store_key *key; /* NULL: not here */
	const struct span *names;    /* that clients ask for; the domain's own first */
	size_t n_names;
};

/* Adds its rows. Blocks: keyd is asked, signatures are verified. */
int cert_check(struct env *e, const struct cert_check *what, struct check_list *l) MUST_CHECK;
