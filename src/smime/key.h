/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* A key to sign or decrypt with. */

#include "pki/cert.h"
#include "pki/key.h"

/* The key is a local one or one of keyd/provider.h: here it is only handed to OpenSSL. Everything
 * is borrowed from the caller. */
struct smime_key {
	struct cert *cert; /* for this key */
	EVP_PKEY *key;
	const struct cert_list *chain; /* issuers of the certificate, sent with signatures; may be
					* NULL; in any order, a root among them is left out */
};
