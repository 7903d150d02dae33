/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Dates by our own arithmetic: no time zone data base, no locale, no state. The RFC 5322 reader
 * takes the obsolete forms too (two-digit years, zone names, comments everywhere) and stops at the
 * zone: what senders write behind it means nothing. Day names are not compared with the date.
 */

#include "mime/date.h"

#include "mime/lex.h"

static const char months[][4] = { "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep",
	"oct", "nov", "dec" };

static const int64_t DAY_US = 86400 * INT64_C(1000000);

struct moment {
	int64_t year, month, day, hour, minute, second, zone; /* zone: minutes */
};

/* Days since 1970 of a day of the Gregorian calendar. Counted from March, so that the leap day is
 * a year's last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t m = month <= 2 ? month + 9 : month - 3;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

/* The reverse. */
static struct moment moment_of(int64_t day)
{
	struct moment t = {};
	int64_t era, in_era, year, in_year, m;

	day += 719468;
	era = (day >= 0 ? day : day - 146096) / 146097;
	in_era = day - era * 146097;
	year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	in_year = in_era - (365 * year + year / 4 - year / 100);
	m = (5 * in_year + 2) / 153;
	t.day = in_year - (153 * m + 2) / 5 + 1;
	t.month = m < 10 ? m + 3 : m - 9;
	t.year = year + era * 400 + (t.month <= 2);
	return t;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
	int64_t next = month == 12 ? days_of(year + 1, 1, 1) : days_of(year, month + 1, 1);

	return next - days_of(year, month, 1);
}

static bool moment_is_valid(const struct moment *t)
{
	return t->year >= 1900 && t->year <= 9999 && t->month >= 1 && t->month <= 12 &&
	       t->day >= 1 && t->day <= days_in_month(t->year, t->month) && t->hour <= 23 &&
	       t->minute <= 59 && t->second <= 60;
}

static int64_t moment_us(const struct moment *t)
{
	int64_t minutes = days_of(t->year, t->month, t->day) * 1440 + t->hour * 60 + t->minute;

	return ((minutes - t->zone) * 60 + t->second) * 1000000;
}

/* 1 to 12, or 0. */
static int64_t month_of(struct span name)
{
	for (int64_t i = 0; i < 12; i++) {
		if (name.n >= 3 && span_is_nocase(span_head(name, 3), months[i]))
			return i + 1;
	}
	return 0;
}

static bool take_octet(struct span *s, uint8_t octet)
{
	*s = lex_skip_cfws(*s);
	if (s->n == 0 || s->p[0] != octet)
		return false;
	*s = span_skip(*s, 1);
	return true;
}

/* Digits, at most `most` of them; *ret_n says how many. */
static bool take_number(struct span *s, size_t most, int64_t *ret_value, size_t *ret_n)
{
	uint64_t value;
	size_t n = 0;

	*s = lex_skip_cfws(*s);
	while (n < s->n && octet_is_digit(s->p[n]))
		n++;
	if (n > most || !span_to_u64(span_head(*s, n), INT32_MAX, &value))
		return false;
	*s = span_skip(*s, n);
	*ret_value = (int64_t)value;
	*ret_n = n;
	return true;
}

static struct span take_letters(struct span *s)
{
	struct span word;
	size_t n = 0;

	*s = lex_skip_cfws(*s);
	while (n < s->n && octet_is_alpha(s->p[n]))
		n++;
	word = span_head(*s, n);
	*s = span_skip(*s, n);
	return word;
}

static bool take_date(struct span *s, struct moment *t)
{
	size_t n;

	if (take_letters(s).n)
		(void)take_octet(s, ',');
	if (!take_number(s, 2, &t->day, &n))
		return false;
	t->month = month_of(take_letters(s));
	if (!take_number(s, 4, &t->year, &n) || n < 2)
		return false;
	if (n == 2) /* RFC 5322 section 4.3 */
		t->year += t->year < 50 ? 2000 : 1900;
	if (n == 3)
		t->year += 1900;
	return true;
}

static bool take_time(struct span *s, struct moment *t)
{
	size_t n;

	if (!take_number(s, 2, &t->hour, &n) || !take_octet(s, ':') ||
		!take_number(s, 2, &t->minute, &n))
		return false;
	return !take_octet(s, ':') || take_number(s, 2, &t->second, &n);
}

/* RFC 5322 section 4.3: zones it does not name, and the military ones, say nothing. */
static int64_t zone_of_name(struct span name)
{
	static const struct {
		char name[4];
		int hours;
	} zones[] = {
		{ "EDT", -4 },
		{ "EST", -5 },
		{ "CDT", -5 },
		{ "CST", -6 },
		{ "MDT", -6 },
		{ "MST", -7 },
		{ "PDT", -7 },
		{ "PST", -8 },
	};

	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
		if (span_is_nocase(name, zones[i].name))
			return zones[i].hours * 60;
	}
	return 0;
}

static bool take_zone(struct span *s, struct moment *t)
{
	bool west;
	int64_t value;
	size_t n;

	*s = lex_skip_cfws(*s);
	if (s->n == 0 || (s->p[0] != '+' && s->p[0] != '-')) {
		t->zone = zone_of_name(take_letters(s));
		return true;
	}
	west = s->p[0] == '-';
	*s = span_skip(*s, 1);
	if (!take_number(s, 4, &value, &n) || n != 4 || value % 100 > 59)
		return false;
	t->zone = value / 100 * 60 + value % 100;
	if (west)
		t->zone = -t->zone;
	return true;
}

bool date_parse(struct span text, int64_t *ret_us, int *ret_zone_minutes)
{
	struct moment t = {};

	if (!take_date(&text, &t) || !take_time(&text, &t) || !take_zone(&text, &t) ||
		!moment_is_valid(&t))
		return false;
	*ret_us = moment_us(&t);
	*ret_zone_minutes = (int)t.zone;
	return true;
}

static bool digits(struct span s, size_t at, size_t n, int64_t *ret_value)
{
	uint64_t value;

	if (!span_to_u64(span_head(span_skip(s, at), n), INT32_MAX, &value))
		return false;
	*ret_value = (int64_t)value;
	return true;
}

bool date_parse_imap(struct span text, int64_t *ret_us)
{
	struct moment t = {};
	int64_t zone;

	/* RFC 9051 section 9, date-time: every field has its place. */
	if (text.n != 26 || text.p[2] != '-' || text.p[6] != '-' || text.p[11] != ' ' ||
		text.p[14] != ':' || text.p[17] != ':' || text.p[20] != ' ' ||
		(text.p[21] != '+' && text.p[21] != '-'))
		return false;
	if (!(text.p[0] == ' ' ? digits(text, 1, 1, &t.day) : digits(text, 0, 2, &t.day)) ||
		!digits(text, 7, 4, &t.year) || !digits(text, 12, 2, &t.hour) ||
		!digits(text, 15, 2, &t.minute) || !digits(text, 18, 2, &t.second) ||
		!digits(text, 22, 4, &zone) || zone % 100 > 59)
		return false;
	t.month = month_of(span_head(span_skip(text, 3), 3));
	t.zone = zone / 100 * 60 + zone % 100;
	if (text.p[21] == '-')
		t.zone = -t.zone;
	if (!moment_is_valid(&t))
		return false;
	*ret_us = moment_us(&t);
	return true;
}

void date_add_imap(struct buf *out, int64_t time_us)
{
	int64_t day = date_day(time_us, 0);
	int64_t second = (time_us - day * DAY_US) / 1000000;
	struct moment t = moment_of(day);
	const char *month = months[t.month - 1];

	buf_add_format(out, "\"%02d-%c%s-%04d %02d:%02d:%02d +0000\"", (int)t.day, month[0] - 32,
		month + 1, (int)t.year, (int)(second / 3600), (int)(second / 60 % 60),
		(int)(second % 60));
}

bool date_parse_day(struct span text, int64_t *ret_day)
{
	struct moment t = {};
	struct span day, month;

	if (text.n >= 2 && text.p[0] == '"' && text.p[text.n - 1] == '"')
		text = span_head(span_skip(text, 1), text.n - 2);
	day = span_cut(&text, '-');
	month = span_cut(&text, '-');
	if (day.n > 2 || !digits(day, 0, 2, &t.day) || month.n != 3 || text.n != 4 ||
		!digits(text, 0, 4, &t.year))
		return false;
	t.month = month_of(month);
	if (!moment_is_valid(&t))
		return false;
	*ret_day = days_of(t.year, t.month, t.day);
	return true;
}

int64_t date_day(int64_t time_us, int zone_minutes)
{
	int64_t local = time_us + zone_minutes * INT64_C(60000000);

	return local / DAY_US - (local % DAY_US < 0);
}
