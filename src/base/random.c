/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/random.h"

#include <errno.h>
#include <stdio.h>
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

void random_name(char ret_name[static RANDOM_NAME + 1])
{
	uint8_t octets[RANDOM_NAME / 2];

	random_fill(octets, sizeof octets);
	for (size_t i = 0; i < sizeof octets; i++)
		(void)snprintf(ret_name + 2 * i, 3, "%02x", octets[i]);
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
