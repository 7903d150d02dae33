/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What a certificate says about the person that it was issued to. Whether to believe it is the
 * business of a path. */

#include "pki/cert.h"

/* The mail addresses of subjectAltName: rfc822Name (RFC 5280 section 4.2.1.6) and SmtpUTF8Mailbox (RFC
 * 9598), as they stand. Borrowed; false behind the last. */
bool person_address(const struct cert *c, size_t i, struct span *ret_address);

/* Whether the name of a subject's attribute is known: "CN", "UID", "emailAddress" or "E", ...; names as
 * in RFC 4514 section 3 and OpenSSL's long and short ones, and identifiers with dots. */
bool person_knows_attribute(struct span name);

/* The value of an attribute of the subject in UTF-8, appended. PERSON_E_SEVERAL: which one is meant
 * cannot be said. PERSON_E_UNUSABLE: it holds a control character, or is not text. */
enum person_outcome { PERSON_E_NONE = 1, PERSON_E_SEVERAL, PERSON_E_UNUSABLE };
int person_attribute(const struct cert *c, struct span name, struct buf *out) MUST_CHECK;
