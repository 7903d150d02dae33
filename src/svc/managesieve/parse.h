/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Commands of RFC 5804 section 4, whole: lines with their literals in place. Pure. */

#include "svc/managesieve/managesieve.h"

/* Whether the line ends in a literal {n+} or {n} (a server takes the first only, but what old
 * clients send is understood too); *ret_size its octets, or UINT64_MAX if the number is too large.
 */
bool ms_parse_literal(struct span line, uint64_t *ret_size);

/* Takes the verb. */
struct span ms_parse_verb(struct span *rest);

/* Takes all arguments; quoting is removed, into the arena where that changes something. NULL, or
 * what is wrong in words. */
const char *ms_parse_arguments(struct span rest, struct arena *a,
	struct ms_argument ret_arguments[static MS_ARGUMENTS_MAX], size_t *ret_n);
