/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Comparing text as i;unicode-casemap does (RFC 5051): without case and compatibility variants. */

#include "base/buf.h"

/* Appends the form in which equal texts have equal octets; order is the order of those. Octets that
 * are not UTF-8 stand for themselves. */
void fold_text(struct span text, struct buf *out);

int fold_compare(struct span a, struct span b);
bool fold_contains(struct span text, struct span needle);

/* The same for text that comes in pieces, which may be cut within a character: SEARCH BODY. Zeroed
 * memory is not a finder. */
struct fold_finder {
	bool found;

	/* Private. */
	struct buf needle; /* folded */
	struct buf window; /* folded; the end of what was seen */
	struct buf cut;    /* not folded yet: could go on */
};

void fold_finder_init(struct fold_finder *f, struct span needle);
void fold_finder_feed(struct fold_finder *f, struct span utf8);
/* The end of a text; true if the needle was in this or an earlier one. The finder can go on with
 * the next text: a hit never spans two. */
bool fold_finder_end(struct fold_finder *f);
void fold_finder_done(struct fold_finder *f);
