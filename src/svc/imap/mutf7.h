/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Modified UTF-7 of mailbox names (RFC 3501 section 5.1.3). */

#include "base/buf.h"

/* Appends the UTF-8 form. Only the one right spelling of a name is taken, so that decoding and
 * encoding again gives the same octets; false otherwise, with nothing appended. */
bool mutf7_decode(struct buf *out, struct span text);

/* Appends the modified UTF-7 form of well-formed UTF-8. */
void mutf7_encode(struct buf *out, struct span utf8);
