/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "cli/show.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>

/* Columns on a terminal that a UTF-8 text takes, near enough: code points. Control characters,
 * which a server of ours does not send, would be shown as they are: so they are replaced. */
static int text_width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += (*text & 0xC0) != 0x80;
	return n;
}

static void add_clean(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_add_octet(out, (uint8_t)*text < ' ' || *text == 0x7F ? '?' : (uint8_t)*text);
}

/* A value in one cell; the caller frees. */
static char *cell_text(const json_t *value)
{
	struct buf out = {};
	const json_t *item;
	size_t i;

	switch (json_typeof(value)) {
	case JSON_STRING:
		add_clean(&out, json_string_value(value));
		break;
	case JSON_INTEGER:
		buf_add_format(&out, "%lld", (long long)json_integer_value(value));
		break;
	case JSON_REAL:
		buf_add_format(&out, "%g", json_real_value(value));
		break;
	case JSON_TRUE:
		buf_add_string(&out, "yes");
		break;
	case JSON_FALSE:
		buf_add_string(&out, "no");
		break;
	case JSON_NULL:
		break;
	case JSON_ARRAY:
		json_array_foreach(value, i, item) {
			char *text = cell_text(item);

			buf_add_format(&out, "%s%s", i ? ", " : "", text);
			free(text);
		}
		break;
	case JSON_OBJECT: {
		const char *key;
		json_t *member;

		json_object_foreach((json_t *)(uintptr_t)value, key, member) {
			char *text = cell_text(member);

			buf_add_format(&out, "%s%s %s", buf_size(&out) ? ", " : "", key, text);
			free(text);
		}
		break;
	}
	}
	return buf_steal_string(&out);
}

static const json_t *find_list(const json_t *answer)
{
	const char *key;
	json_t *member;

	if (json_is_array(answer))
		return answer;
	json_object_foreach((json_t *)(uintptr_t)answer, key, member) {
		if (json_is_array(member))
			return member;
	}
	return NULL;
}

static void print_cell(const char *text, int width, bool last)
{
	(void)fputs(text, stdout);
	if (last)
		(void)putchar('\n');
	else
		(void)printf("%*s", width - text_width(text) + 2, "");
}

static char *column_text(const json_t *row, const struct column *column)
{
	const json_t *value = json_object_get(row, column->member);

	return value ? cell_text(value) : cell_text(json_null());
}

void show_table(const json_t *answer, const struct column *columns)
{
	const json_t *list = find_list(answer);
	int widths[COLUMNS_MAX] = {};
	size_t n_columns = 0, i;
	const json_t *row;

	if (!list)
		return;
	for (; n_columns < COLUMNS_MAX && columns[n_columns].title; n_columns++)
		widths[n_columns] = text_width(columns[n_columns].title);
	json_array_foreach(list, i, row) {
		for (size_t k = 0; k < n_columns; k++) {
			char *text = column_text(row, &columns[k]);

			if (text_width(text) > widths[k])
				widths[k] = text_width(text);
			free(text);
		}
	}
	for (size_t k = 0; k < n_columns; k++)
		print_cell(columns[k].title, widths[k], k + 1 == n_columns);
	json_array_foreach(list, i, row) {
		for (size_t k = 0; k < n_columns; k++) {
			char *text = column_text(row, &columns[k]);

			print_cell(text, widths[k], k + 1 == n_columns);
			free(text);
		}
	}
}

static void show_member(const char *key, const json_t *value, int indent)
{
	const json_t *item;
	size_t i;

	if (json_is_object(value) || (json_is_array(value) &&
		json_is_object(json_array_get(value, 0)))) {
		(void)printf("%*s%s:\n", indent, "", key);
		if (json_is_object(value)) {
			const char *inner;
			json_t *member;

			json_object_foreach((json_t *)(uintptr_t)value, inner, member)
				show_member(inner, member, indent + 2);
			return;
		}
		json_array_foreach(value, i, item) {
			char *text = cell_text(item);

			(void)printf("%*s%s\n", indent + 2, "", text);
			free(text);
		}
		return;
	}
	/* PEM and the like stand on lines of their own. */
	if (json_is_string(value) && strchr(json_string_value(value), '\n')) {
		(void)printf("%*s%s:\n%s", indent, "", key, json_string_value(value));
		return;
	}
	{
		char *text = cell_text(value);

		(void)printf("%*s%s: %s\n", indent, "", key, text);
		free(text);
	}
}

void show_lines(const json_t *answer)
{
	const char *key;
	json_t *member;

	json_object_foreach((json_t *)(uintptr_t)answer, key, member)
		show_member(key, member, 0);
}

void show_json(const json_t *answer)
{
	char *text = json_dumps(answer, JSON_INDENT(2));

	if (text)
		(void)puts(text);
	free(text);
}
