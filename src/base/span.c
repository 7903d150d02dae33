/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/span.h"

#include "base/alloc.h"

bool span_equal_nocase(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (octet_lower(a.p[i]) != octet_lower(b.p[i]))
			return false;
	}
	return true;
}

bool span_is(struct span a, const char *s)
{
	return span_equal(a, span_str(s));
}

bool span_is_nocase(struct span a, const char *s)
{
	return span_equal_nocase(a, span_str(s));
}

bool span_starts(struct span a, struct span prefix)
{
	return a.n >= prefix.n && span_equal(span_head(a, prefix.n), prefix);
}

bool span_starts_nocase(struct span a, struct span prefix)
{
	return a.n >= prefix.n && span_equal_nocase(span_head(a, prefix.n), prefix);
}

int span_compare(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n ? memcmp(a.p, b.p, n) : 0;

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

bool span_equal_secret(struct span a, struct span b)
{
	volatile uint8_t difference = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		difference |= a.p[i] ^ b.p[i];
	return difference == 0;
}

struct span span_skip(struct span a, size_t n)
{
	if (n > a.n)
		n = a.n;
	return (struct span){ a.p + n, a.n - n };
}

struct span span_head(struct span a, size_t n)
{
	return (struct span){ a.p, n < a.n ? n : a.n };
}

struct span span_head_utf8(struct span a, size_t n)
{
	while (n && n < a.n && (a.p[n] & 0xC0) == 0x80)
		n--;
	return span_head(a, n);
}

size_t span_find(struct span a, uint8_t octet)
{
	const uint8_t *hit = a.n ? memchr(a.p, octet, a.n) : NULL;

	return hit ? (size_t)(hit - a.p) : a.n;
}

size_t span_find_span(struct span a, struct span needle)
{
	const uint8_t *hit = a.n ? memmem(a.p, a.n, needle.p, needle.n) : NULL;

	return hit ? (size_t)(hit - a.p) : a.n;
}

struct span span_cut(struct span *a, uint8_t separator)
{
	size_t at = span_find(*a, separator);
	struct span head = span_head(*a, at);

	*a = span_skip(*a, at + 1);
	return head;
}

struct span span_word(struct span *a)
{
	size_t n = 0;
	struct span word;

	while (n < a->n && a->p[n] != ' ' && a->p[n] != '\t')
		n++;
	word = span_head(*a, n);
	while (n < a->n && (a->p[n] == ' ' || a->p[n] == '\t'))
		n++;
	*a = span_skip(*a, n);
	return word;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span span_trim(struct span a)
{
	while (a.n && is_space(a.p[0]))
		a = span_skip(a, 1);
	while (a.n && is_space(a.p[a.n - 1]))
		a.n--;
	return a;
}

bool span_to_u64(struct span a, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (a.n == 0)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (!octet_is_digit(a.p[i]))
			return false;
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, a.p[i] - '0', &value))
			return false;
	}
	if (value > max)
		return false;
	*ret_value = value;
	return true;
}

char *span_to_string(struct span a)
{
	char *s;

	if (span_find(a, 0) < a.n)
		return NULL;
	s = alloc_zero(a.n + 1);
	if (a.n)
		memcpy(s, a.p, a.n);
	return s;
}

/* Octets of the UTF-8 sequence at p, or 0 if it is not well formed. RFC 3629 section 4. */
static size_t utf8_length(const uint8_t *p, size_t n)
{
	uint8_t low = 0x80, high = 0xBF;
	size_t length;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xC2 && p[0] <= 0xDF)
		length = 2;
	else if ((p[0] & 0xF0) == 0xE0)
		length = 3;
	else if (p[0] >= 0xF0 && p[0] <= 0xF4)
		length = 4;
	else
		return 0;
	if (n < length)
		return 0;
	if (p[0] == 0xE0)
		low = 0xA0;
	if (p[0] == 0xED)
		high = 0x9F;
	if (p[0] == 0xF0)
		low = 0x90;
	if (p[0] == 0xF4)
		high = 0x8F;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	}
	return length;
}

bool span_is_utf8(struct span a)
{
	for (size_t i = 0; i < a.n;) {
		size_t n = utf8_length(a.p + i, a.n - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

bool span_is_ascii(struct span a)
{
	for (size_t i = 0; i < a.n; i++) {
		if (a.p[i] & 0x80)
			return false;
	}
	return true;
}
