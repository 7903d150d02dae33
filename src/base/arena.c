/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/arena.h"

#include "base/alloc.h"

#include <stdalign.h>
#include <stdlib.h>

/* A command's arguments mostly fit one block of this size; what is larger gets its own. */
enum { ARENA_BLOCK = 2000 };

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t size;
	alignas(max_align_t) uint8_t data[];
};

static struct arena_block *block_new(size_t size)
{
	struct arena_block *block = alloc_zero(sizeof *block + size);

	block->size = size;
	return block;
}

void *arena_alloc(struct arena *a, size_t n)
{
	size_t need = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	struct arena_block *block = a->blocks;
	void *p;

	if (!block || block->size - block->used < need) {
		block = block_new(need > ARENA_BLOCK ? need : ARENA_BLOCK);
		block->next = a->blocks;
		a->blocks = block;
	}
	p = block->data + block->used;
	block->used += need;
	return p;
}

struct span arena_span(struct arena *a, struct span s)
{
	uint8_t *copy = arena_alloc(a, s.n ? s.n : 1);

	if (s.n)
		memcpy(copy, s.p, s.n);
	return span_of(copy, s.n);
}

const char *arena_string(struct arena *a, struct span s)
{
	char *copy = arena_alloc(a, s.n + 1);

	if (s.n)
		memcpy(copy, s.p, s.n);
	return copy;
}

size_t arena_size(const struct arena *a)
{
	size_t n = 0;

	for (const struct arena_block *block = a->blocks; block; block = block->next)
		n += sizeof *block + block->size;
	return n;
}

void arena_clear(struct arena *a)
{
	struct arena_block *keep = NULL;

	while (a->blocks) {
		struct arena_block *block = a->blocks;

		a->blocks = block->next;
		if (!keep && block->size == ARENA_BLOCK)
			keep = block;
		else
			free(block);
	}
	if (keep) {
		memset(keep->data, 0, keep->used);
		keep->used = 0;
		keep->next = NULL;
	}
	a->blocks = keep;
}

void arena_done(struct arena *a)
{
	arena_clear(a);
	free(a->blocks);
	a->blocks = NULL;
}
