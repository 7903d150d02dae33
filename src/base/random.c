/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void random_fill(void *p, size_t n)
{
	uint8_t *at = p;

	while (n) {
		ssize_t got = getrandom(at, n, 0);

		if (got < 0) {
			if (errno == EINTR)
				continue;
			abort();
		}
		at += got;
		n -= (size_t)got;
	}
}

uint64_t random_below(uint64_t limit)
{
	uint64_t fair = UINT64_MAX - UINT64_MAX % limit;
	uint64_t value;

	do
		random_fill(&value, sizeof value);
	while (value >= fair);
	return value % limit;
}
