/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Memory that is given back is wiped first, whoever gives it back: ourselves, OpenSSL, SQLite,
 * jansson. What passes through this process (mail that is then stored encrypted, passwords) does
 * not stay behind in heap memory that nobody uses any more.
 *
 * The program's free() and realloc() stand in front of those of the C library, which all libraries
 * get. Secrets are wiped by their owners all the same (base/secret.h): this is for the rest.
 */

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* glibc's own, under the names that it keeps for this purpose. */
extern void __libc_free(void *p);

/* NOLINTNEXTLINE: the linker wants these names */
void free(void *p)
{
	int saved = errno;

	if (!p)
		return;
	explicit_bzero(p, malloc_usable_size(p));
	__libc_free(p);
	errno = saved;
}

/* The C library's would move what does not fit and leave the old octets where they were. */
void *realloc(void *p, size_t n)
{
	size_t room;
	void *new;

	if (!p)
		return malloc(n);
	if (!n) {
		free(p);
		return NULL;
	}
	room = malloc_usable_size(p);
	/* Not worth moving: it fits, and would leave less than half of it unused. */
	if (n <= room && n >= room / 2)
		return p;
	new = malloc(n);
	if (!new)
		return NULL;
	memcpy(new, p, n < room ? n : room);
	free(p);
	return new;
}
