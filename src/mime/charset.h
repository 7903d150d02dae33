/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Charsets to UTF-8, in a stream. */

#include "base/buf.h"
#include "base/err.h"

struct charset;

/* NULL for a charset that is not known. An empty name is US-ASCII. What cannot be converted becomes
 * U+FFFD, so the output is always well-formed. */
struct charset *charset_new(struct span name);
struct charset *charset_free(struct charset *c);
CLEANUP_POINTER(struct charset, charset_free)

void charset_feed(struct charset *c, struct span in, struct buf *out);
void charset_end(struct charset *c, struct buf *out);

/* Whether something had to be replaced. */
bool charset_damaged(const struct charset *c);
