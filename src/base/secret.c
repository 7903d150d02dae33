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

struct secret secret_new(size_t n)
{
	size_t size = mapped_size(n);
	void *p;

	if (n > SECRET_MAX)
		abort();
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		abort();
	/* The limit on locked memory may be small; not being dumped and being wiped still holds. */
	(void)mlock(p, size);
	(void)madvise(p, size, MADV_DONTDUMP);
	(void)madvise(p, size, MADV_WIPEONFORK);
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
