/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* For tests: revocation lists and answers of responders of any shape, from authorities of
 * pki/cert_fixture.h. Calls that fail end the test. */

#include "pki/cert_fixture.h"

struct crl_order {
	const struct cert_made *authority;
	int64_t number;             /* -1: none */
	int64_t this_us, next_us;   /* next 0: none */
	const struct cert *revoked[4];
	const char *point;          /* issuingDistributionPoint as OpenSSL's configuration writes it */
	bool delta;
	bool version_1;
	bool critical, entry_critical; /* with an extension that nobody knows */
	bool number_critical;
	const EVP_MD *digest;       /* NULL: SHA-256 */
};

/* Appends the DER. */
void crl_make(const struct crl_order *order, struct buf *out);

struct ocsp_order {
	const struct cert *subject, *issuer;
	const struct cert_made *signer;
	int response_status;         /* 0: successful; else there is nothing in it */
	int status;                  /* V_OCSP_CERTSTATUS_ */
	int64_t this_us, next_us;    /* next 0: none */
	bool by_key;                 /* names the signer by its key */
	bool with_cert;              /* the signer's certificate goes along */
	bool twice;
	bool critical, single_critical;
	const EVP_MD *id_digest, *digest; /* NULL: SHA-1, SHA-256 */
};

void ocsp_make(const struct ocsp_order *order, struct buf *out);
