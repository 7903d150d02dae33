/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Random octets from the kernel. Never fails: without them nothing here is safe, so it aborts. */

#include <stddef.h>
#include <stdint.h>

void random_fill(void *p, size_t n);

/* 128 bits as lower-case hexadecimal digits: a name that nobody can guess or has had before. */
enum { RANDOM_NAME = 32 };
void random_name(char ret_name[static RANDOM_NAME + 1]);

/* Evenly distributed below limit (limit > 0). */
uint64_t random_below(uint64_t limit);
