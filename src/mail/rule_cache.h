/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Scripts in the form in which they run, by the digest of their text: a message costs no compiling.
 * Bounded: when it is full it is emptied. From any thread. */

#include "sieve/script.h"

struct rule_cache;
struct rule_cache *rule_cache_new(void);
struct rule_cache *rule_cache_free(struct rule_cache *c);

/* The caller unrefs the script. SIEVE_E_INVALID. */
int rule_cache_get(struct rule_cache *c, struct span sha256, struct span text,
	struct sieve_script **ret_script, struct sieve_report *ret_report) MUST_CHECK;
