/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* How CMS names certificates: by issuer and serial number, or by the key's identifier. */

#include "pki/cert.h"
#include "smime/cms.h"

/* The certificate is the one that is named. Key identifiers are compared with the extension (RFC
 * 5652 section 5.3), where there is none with the SHA-1 of the key (RFC 5280 section 4.2.1.2). */
bool identity_is(const struct cms_identity *id, const struct cert *cert);

/* As text: the issuer and the serial number in lower-case hexadecimal, or the key identifier. The
 * others are NULL. The caller frees. */
void identity_name(const struct cms_identity *id, char **ret_issuer, char **ret_serial,
	char **ret_key_id);
