/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t mapped_size(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (n + page) / page * page;
}

/* Not dumped, not inherited, and not swapped: false where the limit on locked memory is too small
 * for the last. */
static bool mapping_protect(void *p, size_t size)
{
	(void)madvise(p, size, MADV_DONTDUMP);
	(void)madvise(p, size, MADV_WIPEONFORK);
	return mlock(p, size) == 0;
}

static void *mapping_new(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

struct secret secret_new(size_t n)
{
	size_t size = mapped_size(n);
	void *p;

	if (n > SECRET_MAX)
		abort();
	p = mapping_new(size);
	/* The limit on locked memory may be small; not being dumped and being wiped still holds. */
	(void)mapping_protect(p, size);
	return (struct secret){ p, n };
}

struct secret secret_copy(struct span s)
{
	struct secret copy = secret_new(s.n);

	if (s.n)
		memcpy(copy.p, s.p, s.n);
	return copy;
}

void secret_done(struct secret *s)
{
	if (s->p) {
		explicit_bzero(s->p, s->n);
		(void)munmap(s->p, mapped_size(s->n));
	}
	*s = (struct secret){};
}

/* To a new mapping, because one that is moved by the kernel may come to lie where a part of it is
 * locked and another is not. Doubling keeps the copying to twice what is held. */
static void secret_buf_grow(struct secret_buf *b, size_t capacity)
{
	size_t size = mapped_size(capacity);
	uint8_t *p = mapping_new(size);

	if (!b->is_plain)
		b->is_swappable = !mapping_protect(p, size);
	if (b->n)
		memcpy(p, b->p, b->n);
	if (b->p) {
		if (!b->is_plain)
			explicit_bzero(b->p, b->n);
		(void)munmap(b->p, b->capacity);
	}
	b->p = p;
	b->capacity = size;
}

uint8_t *secret_buf_room(struct secret_buf *b, size_t n)
{
	enum { FIRST = 16 << 10 };
	size_t wanted;

	if (b->n > b->max || n > b->max - b->n)
		return NULL;
	if (n <= b->capacity - b->n && b->p)
		return b->p + b->n;
	wanted = b->n + n;
	if (wanted < 2 * b->n)
		wanted = 2 * b->n;
	secret_buf_grow(b, wanted < FIRST ? FIRST : wanted);
	return b->p + b->n;
}

void secret_buf_added(struct secret_buf *b, size_t n)
{
	b->n += n;
}

bool secret_buf_add(struct secret_buf *b, struct span s)
{
	uint8_t *room = secret_buf_room(b, s.n);

	if (!room)
		return false;
	if (s.n)
		memcpy(room, s.p, s.n);
	secret_buf_added(b, s.n);
	return true;
}

void secret_buf_done(struct secret_buf *b)
{
	if (b->p) {
		if (!b->is_plain)
			explicit_bzero(b->p, b->n);
		(void)munmap(b->p, b->capacity);
	}
	*b = (struct secret_buf){};
}
