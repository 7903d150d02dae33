/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/alloc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *p)
{
	if (!p) {
		static const char text[] = "out of memory\n";

		(void)fwrite(text, 1, sizeof text - 1, stderr);
		abort();
	}
	return p;
}

void *alloc_zero(size_t n)
{
	return checked(calloc(1, n ? n : 1));
}

void *alloc_resize(void *p, size_t n)
{
	return checked(realloc(p, n ? n : 1));
}

void *alloc_array(void *p, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size)
		(void)checked(NULL);
	return alloc_resize(p, n * size);
}

char *alloc_string(const char *s)
{
	return checked(strdup(s));
}

char *alloc_format_list(const char *format, va_list ap)
{
	char *s = NULL;

	if (vasprintf(&s, format, ap) < 0)
		s = NULL;
	return checked(s);
}

char *alloc_format(const char *format, ...)
{
	va_list ap;
	char *s;

	va_start(ap, format);
	s = alloc_format_list(format, ap);
	va_end(ap);
	return s;
}

void alloc_freep(void *p)
{
	free(*(void **)p);
}
