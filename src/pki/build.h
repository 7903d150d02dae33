/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Parts of certificates that are made here, whoever signs them. */

#include "pki/cert.h"

#include <openssl/x509v3.h>

enum { BUILD_SERIAL_OCTETS = 16 };

/* A serial number that nobody can guess: positive, 126 random bits (RFC 5280 section 4.1.2.2 wants
 * at most 20 octets; CA/B, at least 64 random bits). */
void build_random_serial(uint8_t ret_serial[static BUILD_SERIAL_OCTETS]);
int build_serial(X509 *x, struct span serial) MUST_CHECK;

/* Appends the DER of a signing request. */
int build_add_request(X509_REQ *req, struct buf *out) MUST_CHECK;

/* Microseconds since 1970; a certificate is still valid in its last second (section 4.1.2.5). */
int build_validity(X509 *x, int64_t not_before_us, int64_t not_after_us) MUST_CHECK;

/* The value is copied; NULL is a fault: what was to be its value could not be made. */
int build_extension(X509 *x, int nid, void *value, bool critical) MUST_CHECK;
int build_list_extension(STACK_OF(X509_EXTENSION) **list, int nid, void *value,
	bool critical) MUST_CHECK;

/* subjectKeyIdentifier: RFC 5280 section 4.2.1.2, method (1). */
int build_key_identifier(X509 *x) MUST_CHECK;

/* authorityKeyIdentifier (section 4.2.1.1): as the issuer names its key, else by that method. The caller
 * frees. */
int build_authority_key(AUTHORITY_KEYID **ret_id, const struct cert *issuer) MUST_CHECK;

/* keyUsage with these bits of RFC 5280 section 4.2.1.3, by number; -1 ends. */
int build_usage(ASN1_BIT_STRING **ret_usage, const int *bits) MUST_CHECK;
enum build_usage_bit {
	USAGE_DIGITAL_SIGNATURE = 0,
	USAGE_KEY_ENCIPHERMENT = 2,
	USAGE_KEY_AGREEMENT = 4,
	USAGE_KEY_CERT_SIGN = 5,
	USAGE_CRL_SIGN = 6,
};

/* extendedKeyUsage with these purposes by NID; NID_undef ends. */
int build_extended_usage(EXTENDED_KEY_USAGE **ret_usage, const int *nids) MUST_CHECK;

/* A name of a kind whose value is an IA5String (GEN_DNS, GEN_EMAIL, GEN_URI). */
int build_name(GENERAL_NAME **ret_name, int kind, struct span text) MUST_CHECK;
