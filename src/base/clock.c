/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t fixed_now_us;
static _Atomic int64_t fixed_monotonic_ms;

static struct timespec read_clock(clockid_t id)
{
	struct timespec t = {};

	(void)clock_gettime(id, &t);
	return t;
}

int64_t clock_now_us(void)
{
	int64_t fixed = atomic_load_explicit(&fixed_now_us, memory_order_relaxed);
	struct timespec t;

	if (fixed)
		return fixed;
	t = read_clock(CLOCK_REALTIME);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_monotonic_ms(void)
{
	int64_t fixed = atomic_load_explicit(&fixed_monotonic_ms, memory_order_relaxed);
	struct timespec t;

	if (fixed)
		return fixed;
	t = read_clock(CLOCK_MONOTONIC);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void clock_set(int64_t now_us, int64_t monotonic_ms)
{
	atomic_store(&fixed_now_us, now_us);
	atomic_store(&fixed_monotonic_ms, monotonic_ms);
}

static struct tm broken_down(int64_t time_us)
{
	time_t seconds = (time_t)(time_us / 1000000 - (time_us % 1000000 < 0));
	struct tm tm = {};

	(void)gmtime_r(&seconds, &tm);
	return tm;
}

void clock_add_rfc3339(struct buf *out, int64_t time_us)
{
	struct tm tm = broken_down(time_us);

	buf_add_format(out, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
		tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void clock_add_rfc5322(struct buf *out, int64_t time_us)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = broken_down(time_us);

	buf_add_format(out, "%.3s, %02d %.3s %04d %02d:%02d:%02d +0000", days + 3 * tm.tm_wday,
		tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		tm.tm_sec);
}
