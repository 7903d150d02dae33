/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The forms in which names are compared. Only a domain's owner may say that case matters in a local
 * part (RFC 5321 section 2.4); here it never does, since people would lose mail by it.
 */

#include "store/name.h"

#include "base/limit.h"

#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>

struct span name_lower(struct arena *a, struct span s)
{
	uint8_t *copy = arena_alloc(a, s.n + 1);

	for (size_t i = 0; i < s.n; i++)
		copy[i] = octet_lower(s.p[i]);
	return span_of(copy, s.n);
}

struct span name_local(struct arena *a, struct span s)
{
	struct span result;
	uint8_t *folded;
	size_t n;

	if (span_is_ascii(s) || !span_is_utf8(s))
		return name_lower(a, s);
	folded = u8_tolower(s.p, s.n, NULL, UNINORM_NFC, NULL, &n);
	if (!folded)
		return name_lower(a, s);
	result = arena_span(a, span_of(folded, n));
	free(folded);
	return result;
}

bool name_local_is_valid(struct span s)
{
	if (s.n == 0 || s.n > LIMIT_LOCAL_PART || !span_is_utf8(s))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '@' || s.p[i] == ',')
			return false;
	}
	return true;
}
