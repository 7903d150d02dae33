/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * SMIMECapabilities (RFC 8551 section 2.5.2): what somebody's mail program can read, as it says in
 * its signatures, or as an authority says in a certificate (RFC 4262). Kept and passed on as DER.
 */

#include "pki/cert.h"
#include "smime/cipher.h"

#include <openssl/cms.h>

/* Longer ones, and what comes behind so many entries, is not looked at. */
enum { CAPABILITY_OCTETS_MAX = 4096, CAPABILITY_ENTRIES_MAX = 64, CAPABILITY_CIPHERS_MAX = 16 };

/* The ciphers that we know, in order of preference, each once. */
struct capabilities {
	const struct cipher *ciphers[CAPABILITY_CIPHERS_MAX];
	size_t n;
};

/* Appends what we read: every cipher that is not weak. */
int capability_add(struct buf *out) MUST_CHECK;

/* False, and nothing found, if it is not such a list or too long. */
bool capability_parse(struct span der, struct capabilities *ret_capabilities);

bool capability_has(const struct capabilities *c, const struct cipher *cipher);

/* The DER in a signature's signed attributes, and in a certificate's extension. Borrowed; empty:
 * there is none. */
struct span capability_of_signer(const CMS_SignerInfo *signer);
struct span capability_of_cert(const struct cert *cert);
