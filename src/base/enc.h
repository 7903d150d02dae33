/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Text forms of octets: base64 (RFC 4648 section 4, 5) and hexadecimal. */

#include "base/buf.h"
#include "base/err.h"

/* Appends the base64 form, padded, in one line. */
void enc_base64(struct buf *out, struct span data);

/* The URL-safe alphabet without padding. */
void enc_base64url(struct buf *out, struct span data);

/* Appends the decoded octets. Strict: only the alphabet, right padding, no white space, no stray
 * bits; false otherwise, with nothing appended. */
bool enc_base64_decode(struct buf *out, struct span text);

/* The same for the URL-safe alphabet without padding. */
bool enc_base64url_decode(struct buf *out, struct span text);

/* Lower-case digits. */
void enc_hex(struct buf *out, struct span data);
bool enc_hex_decode(struct buf *out, struct span text);
