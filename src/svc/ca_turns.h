/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Whose turn it is to make an authority's revocation list: one at a time for each authority, and nobody waits
 * for another one's. A large list takes seconds (some 20 microseconds for each revoked certificate), and
 * anybody may ask for it. Thread-safe.
 */

#include <stdbool.h>
#include <stdint.h>

struct ca_turns;
struct ca_turns *ca_turns_new(void);
struct ca_turns *ca_turns_free(struct ca_turns *t);

/* Waits for the turn, which is given back then. false: somebody has it for a second already, and has_one: there
 * is a list from before, which is better than to wait. Blocks. */
bool ca_turns_take(struct ca_turns *t, int64_t authority, bool has_one);
void ca_turns_give(struct ca_turns *t, int64_t authority);
