/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Encoded words (RFC 2047). */

#include "base/buf.h"

/* Once, in the main thread, before anything else of mime/: sets GMime up. */
void word_init(void);

/* Decoding is quadratic in bad cases: longer text stays as it is. */
enum { WORD_TEXT_MAX = 16 << 10 };

/* Appends header text (unfolded or not) as well-formed UTF-8: encoded words decoded, what cannot be
 * replaced by U+FFFD. */
void word_decode(struct span text, struct buf *out);

/* The same for a display name. */
void word_decode_phrase(struct span phrase, struct buf *out);

/* Appends text with each octet that is not UTF-8 replaced by U+FFFD. */
void word_add_utf8(struct buf *out, struct span text);
