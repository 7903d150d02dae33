/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* A header that is accepted lies within the input and within the limit, does not depend on what
 * follows it, and each of its prefixes asks for more. What is refused stays refused with more
 * octets behind it. */

#include "net/proxy_header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole, part;
	int r = proxy_header_parse(span_of(data, size), &whole);

	for (size_t n = 0; n < size; n++) {
		int part_r = proxy_header_parse(span_of(data, n), &part);

		if (part_r == PROXY_HEADER_E_SYNTAX)
			check(r == PROXY_HEADER_E_SYNTAX);
		if (part_r == 0)
			check(r == 0 && part.size == whole.size &&
				net_address_equal(&part.peer, &whole.peer));
		if (r == 0)
			check(part_r == (n < whole.size ? PROXY_HEADER_E_MORE : 0));
	}
	if (r == 0)
		check(whole.size <= size && whole.size <= PROXY_HEADER_MAX);
	return 0;
}
