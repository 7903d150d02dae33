/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Raw DEFLATE in both directions, for COMPRESS=DEFLATE (RFC 4978). About 110 KiB for each. */

#include "base/buf.h"
#include "base/err.h"

struct squeeze;
struct squeeze *squeeze_new(void);
struct squeeze *squeeze_free(struct squeeze *z);

/* Appends the compressed form of data, complete: the peer can expand all of it. */
void squeeze_compress(struct squeeze *z, struct span data, struct buf *out);

/* Where compressed input is to be appended. */
struct buf *squeeze_input(struct squeeze *z);

/* Whether squeeze_expand may give something without more input. */
bool squeeze_holds_input(const struct squeeze *z);

enum squeeze_outcome {
	SQUEEZE_E_MORE = 1, /* nothing without more input */
	SQUEEZE_E_SYNTAX,   /* not DEFLATE, or it has ended */
};

/* Appends 1 to max octets, however much the input would give. */
int squeeze_expand(struct squeeze *z, struct buf *out, size_t max) MUST_CHECK;
