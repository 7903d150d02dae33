/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What the header and the parts of a message are written in. mime/decode.h, word.h and param.h read
 * it. */

#include "mime/decode.h"

/* Appends the octets with each CR LF, LF and lone CR as CR LF: text in canonical form (RFC 2046
 * section 4.1.1). What has CRLF only comes out as it is. */
void encode_crlf(struct span octets, struct buf *out);

/* Whether that would change nothing. */
bool encode_is_crlf(struct span octets);

/* Whether it needs no encoding: 7-bit octets without NUL in lines of at most 998 (RFC 2045 section
 * 2.7). */
bool encode_is_7bit(struct span octets);

/* What a text with CRLF needs: ENCODING_7BIT, or quoted-printable if that leaves it readable, or
 * base64 (RFC 2045 section 6). */
enum transfer_encoding encode_choose(struct span text);

/* Appends base64 in lines of 76 with CRLF between them; none behind the last. */
void encode_base64(struct span octets, struct buf *out);

/* Appends text whose line ends are CRLF, so that no line is longer than 76. Only CRLF is a line
 * end: lone CR and LF are octets as others are. */
void encode_quoted_printable(struct span text, struct buf *out);

/* Header text and a display name from UTF-8: as they are, quoted, or in encoded words (RFC 2047).
 * In one line; control characters become spaces. */
void encode_text(struct span utf8, struct buf *out);
void encode_phrase(struct span utf8, struct buf *out);

/* Appends "; name=value" in lines of their own: a token, quoted, or as RFC 2231 says for UTF-8. */
void encode_param(const char *name, struct span utf8, struct buf *out);

/* Appends a field whose value is encoded, folded at its spaces where it is longer than 76 (RFC 5322
 * section 2.2.3). */
void encode_field(struct span name, struct span value, struct buf *out);
