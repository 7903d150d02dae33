/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Content-Transfer-Encoding (RFC 2045 section 6), written; mime/decode.h removes it. */

#include "base/buf.h"

/* Appends base64 in lines of 76 with CRLF between them; none behind the last. */
void encode_base64(struct span octets, struct buf *out);

/* Appends text whose line ends are CRLF, so that no line is longer than 76. Only CRLF is a line
 * end: lone CR and LF are octets as others are. */
void encode_quoted_printable(struct span text, struct buf *out);
