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

/* n digits and, unless it is 0, the octet behind them. */
static bool take_number(struct span *text, size_t n, uint8_t end, int *ret_number)
{
	uint64_t number;

	if (text->n < n + !!end || !span_to_u64(span_head(*text, n), 9999, &number) ||
		(end && octet_lower(text->p[n]) != end))
		return false;
	*text = span_skip(*text, n + !!end);
	*ret_number = (int)number;
	return true;
}

static bool take_fraction(struct span *text, int64_t *ret_us)
{
	int64_t unit = 100000, us = 0;

	if (!span_starts(*text, SPAN(".")))
		return true;
	*text = span_skip(*text, 1);
	if (text->n == 0 || !octet_is_digit(text->p[0]))
		return false;
	for (; text->n && octet_is_digit(text->p[0]); unit /= 10, *text = span_skip(*text, 1))
		us += unit * (text->p[0] - '0');
	*ret_us = us;
	return true;
}

static bool take_offset(struct span *text, int *ret_minutes)
{
	int sign = span_starts(*text, SPAN("-")) ? -1 : 1, hours, minutes;

	if (span_is_nocase(*text, "Z")) {
		*ret_minutes = 0;
		return true;
	}
	if (sign > 0 && !span_starts(*text, SPAN("+")))
		return false;
	*text = span_skip(*text, 1);
	if (!take_number(text, 2, ':', &hours) || !take_number(text, 2, 0, &minutes) || text->n ||
		hours > 23 || minutes > 59)
		return false;
	*ret_minutes = sign * (hours * 60 + minutes);
	return true;
}

bool clock_parse_rfc3339(struct span text, int64_t *ret_time_us)
{
	struct tm tm = {}, back;
	int minutes = 0;
	int64_t us = 0;
	time_t seconds;

	if (!take_number(&text, 4, '-', &tm.tm_year) || !take_number(&text, 2, '-', &tm.tm_mon) ||
		!take_number(&text, 2, 't', &tm.tm_mday) ||
		!take_number(&text, 2, ':', &tm.tm_hour) ||
		!take_number(&text, 2, ':', &tm.tm_min) || !take_number(&text, 2, 0, &tm.tm_sec) ||
		!take_fraction(&text, &us) || !take_offset(&text, &minutes))
		return false;
	/* A leap second is the next second's first. */
	if (tm.tm_year < 1970 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	back = tm;
	back.tm_sec = 0;
	seconds = timegm(&back);
	/* timegm makes another day of one that does not exist. */
	if (tm.tm_mon < 0 || back.tm_mon != tm.tm_mon || back.tm_mday != tm.tm_mday)
		return false;
	*ret_time_us = ((int64_t)seconds + tm.tm_sec - minutes * 60) * 1000000 + us;
	return true;
}

static void add_date(struct buf *out, int64_t time_us, const char *zone)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = broken_down(time_us);

	buf_add_format(out, "%.3s, %02d %.3s %04d %02d:%02d:%02d %s", days + 3 * tm.tm_wday,
		tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		tm.tm_sec, zone);
}

void clock_add_rfc5322(struct buf *out, int64_t time_us)
{
	add_date(out, time_us, "+0000");
}

void clock_add_http(struct buf *out, int64_t time_us)
{
	add_date(out, time_us, "GMT");
}
