/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Appending the pieces of responses. Everything takes a buffer, so workers use it too. */

#include "base/buf.h"

#include <stdint.h>

struct keywords;

/* A quoted string where the octets allow it (no CR, LF, NUL, 8-bit unless utf8), else a literal. */
void print_string(struct buf *out, struct span s, bool utf8);
/* NIL for a span with p == NULL. */
void print_nstring(struct buf *out, struct span s, bool utf8);
void print_astring(struct buf *out, struct span s, bool utf8);

/* A name in UTF-8; modified UTF-7 unless utf8. */
void print_mailbox(struct buf *out, struct span name, bool utf8);

/* "(\Seen $Junk)"; recent adds \Recent. */
void print_flags(struct buf *out, uint64_t flags, const struct keywords *keywords, bool recent);

/* RFC 8474 section 4: an identifier of a row, with its kind in front: 'F' mailbox, 'M' email,
 * 'T' thread. It is a keyed digest of account and id: it says nothing about rows, and the same
 * content has different ids in different accounts. */
enum { PRINT_ID_KEY = 32 };
void print_object_id(struct buf *out, const uint8_t key[PRINT_ID_KEY], char kind, int64_t account,
	int64_t id);
