/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What the readers of key files share. Outcomes are enum import_outcome, with why set. */

#include "pki/cert.h"
#include "pki/import_file.h"

#include <openssl/pkcs12.h>

/* What is being found in the file. */
struct import {
	const char *passphrase; /* "" if none was given */
	bool has_passphrase;
	struct span which;
	EVP_PKEY *key;
	struct cert_list certs;
	struct buf name;
	struct why *why;
};

/* No passphrase, or not this one. */
int import_no_password(struct import *i) MUST_CHECK;
int import_not_supported(struct import *i, const char *what,
	const ASN1_OBJECT *algorithm) MUST_CHECK;

/* The file's one private key: taken over, also if it is refused. A certificate: with a reference.
 */
int import_take_key(struct import *i, EVP_PKEY *key) MUST_CHECK;
int import_pkcs8_info(struct import *i, PKCS8_PRIV_KEY_INFO *info) MUST_CHECK;
int import_take_cert(struct import *i, struct cert *cert) MUST_CHECK;

/* A number of iterations; -1: none, or more than is allowed. What an encryption asks for is looked
 * at before work is done for it. */
long import_iterations(const ASN1_INTEGER *n);
int import_check_pbe(struct import *i, const X509_ALGOR *algorithm) MUST_CHECK;

/* Reads a whole PKCS #12 file (RFC 7292). */
int import_pkcs12(struct import *i, PKCS12 *p12) MUST_CHECK;
