/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Patterns of LIST: '*' for anything, '%' for anything within a level (RFC 9051 section 6.3.9). */

#include "base/arena.h"

struct pattern;

/* Lives in the arena; costs about 32 octets for each octet of the pattern. */
struct pattern *pattern_new(struct arena *a, struct span text);

/* Time is the name's length times a sixty-fourth of the pattern's, whatever they are. nocase: ASCII
 * letters match in both cases (INBOX). */
bool pattern_matches(struct pattern *p, struct span name, bool nocase);

/* Whether it ends in '%': then LSUB shows what is above its matches (RFC 3501 section 6.3.9). */
bool pattern_ends_in_level(const struct pattern *p);
