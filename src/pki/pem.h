/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The text form of what is DER (RFC 7468). */

#include "base/buf.h"

/* Appends DER as a block "-----BEGIN label-----". */
void pem_add(struct buf *out, const char *label, struct span der);

/* Whether a file has the form of PEM: then it is read as such, else as DER. */
bool pem_is(struct span file);

/* The first block of that label (NULL: of any) in a text, decoded and appended; false if there is none or it is
 * damaged. */
bool pem_find(struct span text, const char *label, struct buf *out);

/* Whether a text has a block with a private key, encrypted or not: what people take for a certificate. */
bool pem_has_private_key(struct span text);
