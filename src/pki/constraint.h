/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Name constraints (RFC 5280 sections 4.2.1.10 and 6.1.4 (g), RFC 9598 section 6, RFC 9549):
 * whether the names below an authority are those it may speak for.
 */

#include "pki/path.h"

/* The authority's constraints against the names of the n certificates below it, the leaf first.
 * Each comparison of a name with a constraint takes one from *budget; nothing left is a finding,
 * "limit". */
void constraint_check(struct cert *authority, size_t depth, struct cert *const *below,
	size_t n_below, size_t *budget, struct verdict *out);
