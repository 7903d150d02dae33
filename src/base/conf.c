/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/conf.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>

struct suffix {
	const char *unit;
	const char *text;
	uint64_t factor;
};

static const struct suffix suffixes[] = {
	{ "octets", "k", 1024 },
	{ "octets", "M", 1024 * 1024 },
	{ "octets", "G", 1024 * 1024 * 1024 },
	{ "seconds", "s", 1 },
	{ "seconds", "m", 60 },
	{ "seconds", "h", 3600 },
	{ "seconds", "d", 86400 },
};

static uint64_t suffix_factor(const char *unit, struct span *value)
{
	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
		const struct suffix *s = &suffixes[i];

		if (strcmp(s->unit, unit) != 0 || value->n == 0)
			continue;
		if (value->p[value->n - 1] == (uint8_t)s->text[0]) {
			value->n--;
			return s->factor;
		}
	}
	return 1;
}

static int set_number(const struct conf_row *row, void *field, struct span value, struct why *why)
{
	uint64_t factor = suffix_factor(row->unit ? row->unit : "", &value);
	uint64_t number;

	if (!span_to_u64(value, UINT64_MAX, &number) ||
		__builtin_mul_overflow(number, factor, &number) || number < row->min ||
		number > row->max) {
		why_set(why, "%s is a number from %llu to %llu %s", row->key,
			(unsigned long long)row->min, (unsigned long long)row->max,
			row->unit ? row->unit : "");
		return CONF_E_VALUE;
	}
	*(uint64_t *)field = number;
	return 0;
}

static int set_bool(const struct conf_row *row, void *field, struct span value, struct why *why)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (span_is_nocase(value, words[i])) {
			*(bool *)field = i % 2;
			return 0;
		}
	}
	why_set(why, "%s is yes or no", row->key);
	return CONF_E_VALUE;
}

static int set_choice(const struct conf_row *row, void *field, struct span value, struct why *why)
{
	CLEANUP(buf_done) struct buf list = {};

	for (unsigned i = 0; row->choices[i]; i++) {
		if (span_is_nocase(value, row->choices[i])) {
			*(unsigned *)field = i;
			return 0;
		}
		buf_add_format(&list, "%s%s", i ? ", " : "", row->choices[i]);
	}
	buf_add_octet(&list, 0);
	why_set(why, "%s is one of: %s", row->key, (const char *)buf_span(&list).p);
	return CONF_E_VALUE;
}

static int set_text(const struct conf_row *row, void *field, struct span value, struct why *why)
{
	struct why reason = {};
	char *text;

	if (value.n < row->min || value.n > row->max || !span_is_utf8(value)) {
		why_set(why, "%s is UTF-8 text of %llu to %llu octets", row->key,
			(unsigned long long)row->min, (unsigned long long)row->max);
		return CONF_E_VALUE;
	}
	if (row->check && !row->check(value, &reason)) {
		why_set(why, "%s: %s", row->key, reason.text);
		return CONF_E_VALUE;
	}
	text = span_to_string(value);
	if (!text) {
		why_set(why, "%s may not hold a NUL", row->key);
		return CONF_E_VALUE;
	}
	free(*(char **)field);
	*(char **)field = text;
	return 0;
}

const struct conf_row *conf_find(const struct conf_row *rows, size_t n_rows, struct span key)
{
	for (size_t i = 0; i < n_rows; i++) {
		if (span_is(key, rows[i].key))
			return &rows[i];
	}
	return NULL;
}

static int set_row(const struct conf_row *row, void *target, struct span value, struct why *why)
{
	void *field = (char *)target + row->offset;

	switch (row->type) {
	case CONF_NUMBER:
		return set_number(row, field, value, why);
	case CONF_BOOL:
		return set_bool(row, field, value, why);
	case CONF_CHOICE:
		return set_choice(row, field, value, why);
	case CONF_TEXT:
		return set_text(row, field, value, why);
	}
	return CONF_E_VALUE;
}

int conf_set(const struct conf_row *rows, size_t n_rows, void *target, struct span key,
	struct span value, struct why *why)
{
	const struct conf_row *row = conf_find(rows, n_rows, key);

	if (!row) {
		why_set(why, "there is no such setting; \"signet setting list\" shows all");
		return CONF_E_UNKNOWN;
	}
	return set_row(row, target, value, why);
}

void conf_defaults(const struct conf_row *rows, size_t n_rows, void *target)
{
	for (size_t i = 0; i < n_rows; i++) {
		int r = set_row(&rows[i], target, span_str(rows[i].fallback), NULL);

		assert(r == 0);
	}
}

void conf_print(const struct conf_row *row, const void *target, struct buf *out)
{
	const void *field = (const char *)target + row->offset;

	switch (row->type) {
	case CONF_NUMBER:
		buf_add_u64(out, *(const uint64_t *)field);
		break;
	case CONF_BOOL:
		buf_add_string(out, *(const bool *)field ? "yes" : "no");
		break;
	case CONF_CHOICE:
		buf_add_string(out, row->choices[*(const unsigned *)field]);
		break;
	case CONF_TEXT:
		buf_add_string(out, *(char *const *)field);
		break;
	}
}

void conf_done(const struct conf_row *rows, size_t n_rows, void *target)
{
	for (size_t i = 0; i < n_rows; i++) {
		if (rows[i].type == CONF_TEXT)
			alloc_freep((char *)target + rows[i].offset);
	}
}
