/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What proves to an authority that a name is ours (RFC 8555 section 8, RFC 8737). */

#include "pki/cert.h"

/* The key authorization of a challenge (section 8.1): token, ".", thumbprint of the account's
 * key. */
void proof_add_authorization(struct span token, struct span thumbprint, struct buf *out);

/* dns-01 (section 8.4): the record's name and its text. The name may be a wildcard's without
 * "*.". */
void proof_add_record_name(struct span name, struct buf *out);
void proof_add_record_text(struct span authorization, struct buf *out);

/* tls-alpn-01 (RFC 8737 section 3): the self-signed certificate for the name, by a key that is used
 * for nothing but that, or for the order. */
int proof_certificate(struct cert **ret_cert, EVP_PKEY *signer, struct span spki, struct span name,
	struct span authorization, int64_t now_us) MUST_CHECK;
