/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Comparing: match types (RFC 5228 section 2.7.1), comparators (RFC 4790) and relations (RFC 5231).
 * A test gathers its keys once, gives one value after the other, and asks at the end.
 */

#include "sieve/run.h"

struct sieve_matcher {
	struct sieve_run *run;
	enum sieve_tag_value type;
	enum sieve_comparator comparator;
	enum sieve_relation relation;
	bool capture; /* :matches sets ${1} and so on */
	const struct sieve_argument *keys;
	struct span *expanded;
	uint64_t count;
	bool found;
};

/* The node's way of comparing, and its keys. */
int sieve_matcher_init(struct sieve_matcher *m, struct sieve_run *r, const struct sieve_node *n,
	const struct sieve_argument *keys) MUST_CHECK;

/* One more value. Once .found is set there is nothing more to look at. */
int sieve_matcher_value(struct sieve_matcher *m, struct span value) MUST_CHECK;

/* All values were given; ret_true. */
int sieve_matcher_end(struct sieve_matcher *m, bool *ret_true) MUST_CHECK;

/*
 * Whether the text has the form of the pattern: * any run, ? one character (one octet, if
 * `octets`), \ the next character itself. captures (SIEVE_CAPTURES of them, may be NULL): what
 * each stood for, [0] the whole text. In time linear in the text for each piece between two *; a
 * pattern never costs more than text times pattern, and there is no way back over a *.
 */
bool sieve_glob(struct span pattern, struct span text, bool fold, bool octets,
	struct span *captures, size_t *ret_n_captures);
