/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Dates (RFC 5260): a moment in a zone, taken to parts. */

#include "mime/date.h"

#include "sieve/expand.h"
#include "sieve/match.h"

#include <stdio.h>
#include <time.h>

bool sieve_date_part_find(struct span name, enum sieve_date_part *ret_part)
{
	static const char *const names[] = {
		[DATE_YEAR] = "year",
		[DATE_MONTH] = "month",
		[DATE_DAY] = "day",
		[DATE_DATE] = "date",
		[DATE_JULIAN] = "julian",
		[DATE_HOUR] = "hour",
		[DATE_MINUTE] = "minute",
		[DATE_SECOND] = "second",
		[DATE_TIME] = "time",
		[DATE_ISO8601] = "iso8601",
		[DATE_STD11] = "std11",
		[DATE_ZONE] = "zone",
		[DATE_WEEKDAY] = "weekday",
	};

	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (span_is_nocase(name, names[i])) {
			*ret_part = i;
			return true;
		}
	}
	return false;
}

bool sieve_zone_parse(struct span text, int *ret_minutes)
{
	uint64_t value;

	if (text.n != 5 || (text.p[0] != '+' && text.p[0] != '-') ||
		!span_to_u64(span_skip(text, 1), 9999, &value) || value % 100 >= 60 ||
		value / 100 >= 24)
		return false;
	*ret_minutes = (int)(value / 100 * 60 + value % 100);
	if (text.p[0] == '-')
		*ret_minutes = -*ret_minutes;
	return true;
}

static int floor_divide(int64_t a, int64_t b, int64_t *ret_quotient)
{
	*ret_quotient = a / b - (a % b < 0);
	return (int)(a - *ret_quotient * b);
}

static void add_part(enum sieve_date_part part, int64_t time_us, int zone, struct buf *out)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
		"Aug", "Sep", "Oct", "Nov", "Dec" };
	int64_t seconds, day;
	struct tm t = {};
	char sign = zone < 0 ? '-' : '+';
	int east = zone < 0 ? -zone : zone;

	(void)floor_divide(time_us, 1000000, &seconds);
	seconds += (int64_t)zone * 60;
	(void)floor_divide(seconds, 86400, &day);
	(void)gmtime_r(&seconds, &t);
	switch (part) {
	case DATE_YEAR:
		buf_add_format(out, "%04d", t.tm_year + 1900);
		break;
	case DATE_MONTH:
		buf_add_format(out, "%02d", t.tm_mon + 1);
		break;
	case DATE_DAY:
		buf_add_format(out, "%02d", t.tm_mday);
		break;
	case DATE_DATE:
		buf_add_format(out, "%04d-%02d-%02d", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday);
		break;
	case DATE_JULIAN: /* the modified one, which counts from 17 November 1858 */
		buf_add_format(out, "%lld", (long long)(day + 40587));
		break;
	case DATE_HOUR:
		buf_add_format(out, "%02d", t.tm_hour);
		break;
	case DATE_MINUTE:
		buf_add_format(out, "%02d", t.tm_min);
		break;
	case DATE_SECOND:
		buf_add_format(out, "%02d", t.tm_sec);
		break;
	case DATE_TIME:
		buf_add_format(out, "%02d:%02d:%02d", t.tm_hour, t.tm_min, t.tm_sec);
		break;
	case DATE_ISO8601:
		buf_add_format(out, "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", t.tm_year + 1900,
			t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, sign, east / 60,
			east % 60);
		break;
	case DATE_STD11:
		buf_add_format(out, "%s, %02d %s %04d %02d:%02d:%02d %c%02d%02d", days[t.tm_wday],
			t.tm_mday, months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min,
			t.tm_sec, sign, east / 60, east % 60);
		break;
	case DATE_ZONE:
		buf_add_format(out, "%c%02d%02d", sign, east / 60, east % 60);
		break;
	case DATE_WEEKDAY:
		buf_add_format(out, "%d", t.tm_wday);
		break;
	}
}

/* RFC 5260 section 4: the date is the field, or stands behind its last semicolon. */
static bool field_date(struct span value, int64_t *ret_us, int *ret_zone)
{
	size_t at = value.n;

	if (date_parse(value, ret_us, ret_zone))
		return true;
	while (at && value.p[at - 1] != ';')
		at--;
	return at && date_parse(span_skip(value, at), ret_us, ret_zone);
}

static int zone_of(struct sieve_run *r, const struct sieve_node *n, int original, int *ret_zone)
{
	const struct sieve_slot_value *zone = &n->slots[SLOT_ZONE];
	struct span text;
	int result = 0;

	*ret_zone = zone->tag == TAG_ORIGINAL_ZONE ? original : r->input->zone_minutes;
	if (!zone->value)
		return 0;
	result = sieve_expand(r, &zone->value->strings[0], &text);
	if (result == 0 && !sieve_zone_parse(text, ret_zone))
		result = run_fail(r, "line %u: no time zone", n->place.line);
	return result;
}

static int match_part(struct sieve_matcher *m, const struct sieve_node *n, int64_t time_us,
	int original_zone, const struct sieve_argument *part_name)
{
	CLEANUP(buf_done) struct buf text = {};
	enum sieve_date_part part;
	struct span name;
	int zone = 0, result = sieve_expand(m->run, &part_name->strings[0], &name);

	if (result == 0 && !sieve_date_part_find(name, &part))
		result = run_fail(m->run, "line %u: no part of a date", n->place.line);
	if (result == 0)
		result = zone_of(m->run, n, original_zone, &zone);
	if (result)
		return result;
	add_part(part, time_us, zone, &text);
	return sieve_matcher_value(m, buf_span(&text));
}

int test_currentdate(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	struct sieve_matcher m;
	int result = sieve_matcher_init(&m, r, n, n->positional[1]);

	if (result == 0)
		result = match_part(&m, n, r->input->now_us, 0, n->positional[0]);
	return result ? result : sieve_matcher_end(&m, ret_true);
}

int test_date(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	struct sieve_field **fields;
	struct sieve_matcher m;
	struct span name;
	size_t count = 0;
	int64_t time_us;
	int zone, result = sieve_matcher_init(&m, r, n, n->positional[2]);

	if (result == 0)
		result = sieve_expand(r, &n->positional[0]->strings[0], &name);
	if (result == 0)
		result = run_fields_chosen(r, n, name, &fields, &count);
	/* RFC 5260 section 4: the first field, unless another is chosen. */
	for (size_t i = 0; i < count && i < 1 && result == 0; i++) {
		result = run_spend(r, fields[i]->value.n);
		if (result == 0 && field_date(fields[i]->value, &time_us, &zone))
			result = match_part(&m, n, time_us, zone, n->positional[1]);
	}
	return result ? result : sieve_matcher_end(&m, ret_true);
}
