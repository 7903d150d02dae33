/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What stands in strings: characters by number, and variables. */

#include "base/arena.h"
#include "base/err.h"

struct sieve_run;
struct sieve_string;

/* RFC 5228 section 2.4.2.4: ${hex: 40 41} and ${unicode: 40}. The text is replaced, in the arena,
 * if there is one; what is not of that form stays. false: a number that is no character. */
bool sieve_decode_characters(struct arena *a, struct span *text);

/* RFC 5229 section 3: the string with its variables replaced; lives as long as the run. */
int sieve_expand(struct sieve_run *r, const struct sieve_string *s,
	struct span *ret_text) MUST_CHECK;

/* Sets a variable; the value is copied, and cut to SIEVE_VARIABLE_MAX. SIEVE_E_FAILED: too many. */
int sieve_variable_set(struct sieve_run *r, struct span name, struct span value) MUST_CHECK;

/* The value, empty for one that was never set. */
struct span sieve_variable_get(const struct sieve_run *r, struct span name);
