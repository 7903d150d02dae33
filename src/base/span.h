/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Octets somebody else owns. Everything from the network is a span: it may hold NULs, it has no
 * terminator, and its length has been compared with a limit. Comparisons "_nocase" are ASCII only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *p;
	size_t n;
};

/* A string literal as a span, without its NUL. */
#define SPAN(literal) ((struct span){ (const uint8_t *)("" literal), sizeof(literal) - 1 })

static inline struct span span_of(const void *p, size_t n)
{
	return (struct span){ p, n };
}

/* The span of a C string; empty for NULL. */
static inline struct span span_str(const char *s)
{
	return (struct span){ (const uint8_t *)s, s ? strlen(s) : 0 };
}

static inline bool span_equal(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool span_equal_nocase(struct span a, struct span b);
bool span_is(struct span a, const char *s);
bool span_is_nocase(struct span a, const char *s);
bool span_starts(struct span a, struct span prefix);
bool span_starts_nocase(struct span a, struct span prefix);

/* Order as memcmp, shorter first. */
int span_compare(struct span a, struct span b);

/* Equal, in a time that depends on the lengths only. For secrets. */
bool span_equal_secret(struct span a, struct span b);

/* The span less its first n octets (n is cut to the length), and its first n octets. */
struct span span_skip(struct span a, size_t n);
struct span span_head(struct span a, size_t n);

/* Of UTF-8: its first characters that have room in n octets. */
struct span span_head_utf8(struct span a, size_t n);

/* Position of the octet or the text, or a.n if it is not there. */
size_t span_find(struct span a, uint8_t octet);
size_t span_find_span(struct span a, struct span needle);

/* Takes the octets up to the separator out of *a and the separator away; the whole rest where there
 * is none. */
struct span span_cut(struct span *a, uint8_t separator);

/* Takes a word that ends at SP or HT, and the white space behind it, out of *a. */
struct span span_word(struct span *a);

/* Without SP, HT, CR, LF at both ends. */
struct span span_trim(struct span a);

/* Decimal digits only, the whole span, no sign; false if empty, not a number or over max. */
bool span_to_u64(struct span a, uint64_t max, uint64_t *ret_value);

/* A new C string with the span's octets, for whoever needs a terminator. NULL if the span holds a
 * NUL: what comes from outside must not be cut short silently. The caller frees it. */
char *span_to_string(struct span a);

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, to U+10FFFF). */
bool span_is_utf8(struct span a);
bool span_is_ascii(struct span a);

/* ASCII classes that do not ask the locale. */
static inline bool octet_is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static inline bool octet_is_alpha(uint8_t c)
{
	return (uint8_t)((c | 32) - 'a') < 26;
}

static inline uint8_t octet_lower(uint8_t c)
{
	return (uint8_t)(c - 'A') < 26 ? (uint8_t)(c + 32) : c;
}
