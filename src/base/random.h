/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Random octets from the kernel. Never fails: without them nothing here is safe, so it aborts. */

#include <stddef.h>
#include <stdint.h>

void random_fill(void *p, size_t n);

/* Evenly distributed below limit (limit > 0). */
uint64_t random_below(uint64_t limit);
