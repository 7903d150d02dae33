/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Heap memory. Every size that comes from outside is compared with a limit of base/limit.h before
 * it gets here, so running out of memory is a failure of the host: these functions abort, the
 * supervisor restarts the process, and nothing accepted is lost because it was committed first.
 */

#include <stdarg.h>
#include <stddef.h>

/* n octets, zeroed. */
void *alloc_zero(size_t n) __attribute__((malloc, returns_nonnull));

/* One zeroed object of the type. */
#define ALLOC(type) ((type *)alloc_zero(sizeof(type)))

/* As realloc; never NULL. */
void *alloc_resize(void *p, size_t n) __attribute__((returns_nonnull));

/* Array resize with an overflow check: n objects of size octets. */
void *alloc_array(void *p, size_t n, size_t size) __attribute__((returns_nonnull));

/* A copy of a C string. */
char *alloc_string(const char *s) __attribute__((malloc, returns_nonnull));

/* "printf" into new memory. */
char *alloc_format(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull));
char *alloc_format_list(const char *format, va_list ap)
	__attribute__((format(printf, 1, 0), returns_nonnull));

/* For CLEANUP on plain heap pointers: CLEANUP(alloc_freep) char *path = NULL; */
void alloc_freep(void *p);
