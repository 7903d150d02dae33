/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Certificates in a PKCS #7 file (.p7b, .p7c): a SignedData that nobody has signed (RFC 5652
 * sections 3, 5.1 and 10.2, RFC 8551 section 3.2.2). What is signed is a message, not a bundle, and
 * is refused. Revocation lists in it are passed over.
 */

#include "pki/cert.h"

/* Whether DER is a ContentInfo that says it is SignedData; it may be damaged further in. */
bool pkcs7_is(struct span der);

/* Appends its certificates in the order of the file. CERT_E_SYNTAX with why (may be NULL) if it is
 * not such a file, is not in DER, holds no certificate, or the list would have more than
 * CERT_LIST_MAX; the list may have grown then. */
int pkcs7_add_certs(struct cert_list *list, struct span der, struct why *why) MUST_CHECK;
