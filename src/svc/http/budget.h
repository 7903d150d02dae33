/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * How much of something may be taken at a time, in all and by each of those who take it: octets of
 * memory for bodies, by account. Whoever takes gives back. Thread-safe.
 */

#include "base/span.h"

struct budget;

/* max: in all; max_each: by one key. */
struct budget *budget_new(uint64_t max, uint64_t max_each);
struct budget *budget_free(struct budget *b);

/* false: nothing was taken, there is not so much left. */
bool budget_take(struct budget *b, struct span key, uint64_t n);

/* Of what the key has taken. */
void budget_give(struct budget *b, struct span key, uint64_t n);
