/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* An account's key and secret between the store's row and keyd. */

#include "base/secret.h"
#include "store/acme_rows.h"

#include <openssl/evp.h>

struct env;

/* Makes a key (EC P-256) for the account in keyd and puts it into the row; spans live in the
 * arena. */
int acme_account_make_key(struct env *e, struct arena *a, struct store_acme_account *account)
	MUST_CHECK;

/* The key of a row, usable through keyd. */
int acme_account_open(struct env *e, const struct store_acme_account *account, EVP_PKEY **ret_key)
	MUST_CHECK;

/* The secret of an external account binding, sealed by keyd. */
int acme_account_seal(struct env *e, struct arena *a, struct span mac_key, struct span *ret_sealed)
	MUST_CHECK;
int acme_account_unseal(struct env *e, struct span sealed, struct secret *ret_mac_key) MUST_CHECK;
