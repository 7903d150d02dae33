/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Object identifiers, as the content octets that a message has. */

#include "base/buf.h"
#include "base/err.h"

#include <openssl/x509.h>

CLEANUP_POINTER(X509_ALGOR, X509_ALGOR_free)

/* OpenSSL's number; NID_undef for one it does not know. */
int oid_nid(struct span oid);

/* Whether it is the one that is written so, with dots. */
bool oid_is(struct span oid, const char *dotted);

/* Appends a name for people: that of an algorithm that is known though not supported, else the
 * identifier with dots. */
void oid_add_name(struct span oid, struct buf *out);
