/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double read_clock(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double measure_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

double measure_processor(pid_t other)
{
	clockid_t clock;

	return read_clock(CLOCK_PROCESS_CPUTIME_ID) +
	       (clock_getcpuclockid(other, &clock) ? 0 : read_clock(clock));
}

_Noreturn void die(const char *what)
{
	(void)fprintf(stderr, "%s failed\n", what);
	exit(1);
}
