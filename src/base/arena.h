/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Memory that lives as long as one command: taken piece by piece, given back all at once. What an
 * arena_ function returns may not be stored in anything that outlives the command.
 */

#include "base/span.h"

struct arena {
	struct arena_block *blocks; /* newest first */
};

/* n octets, zeroed, aligned for any type. */
void *arena_alloc(struct arena *a, size_t n) __attribute__((returns_nonnull));

#define ARENA_ALLOC(arena, type) ((type *)arena_alloc((arena), sizeof(type)))

/* A copy that lives in the arena; arena_string adds a NUL behind it. */
struct span arena_span(struct arena *a, struct span s);
const char *arena_string(struct arena *a, struct span s);

/* Octets of memory that it holds. */
size_t arena_size(const struct arena *a);

/* Everything given back but one block for the next command. */
void arena_clear(struct arena *a);
void arena_done(struct arena *a);
