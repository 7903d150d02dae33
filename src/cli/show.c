/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Text for people. What the API calls a member is what people read too, so that --json holds no
 * surprise; only tables have titles of their own.
 */

#include "cli/show.h"

#include "base/alloc.h"
#include "cli/harmless.h"
#include "cli/language.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Columns on a terminal that a UTF-8 text takes, near enough: code points. */
static int text_width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += (*text & 0xC0) != 0x80;
	return n;
}

char *show_clean(const char *text)
{
	struct buf out = {};

	harmless_add_line(&out, span_str(text));
	return buf_steal_string(&out);
}

/* A value in one line; the caller frees. */
static char *cell_text(const json_t *value)
{
	struct buf out = {};
	const json_t *item;
	size_t i;

	switch (json_typeof(value)) {
	case JSON_STRING:
		harmless_add_line(&out, span_of(json_string_value(value), json_string_length(value)));
		break;
	case JSON_INTEGER:
		buf_add_format(&out, "%lld", (long long)json_integer_value(value));
		break;
	case JSON_REAL:
		buf_add_format(&out, "%g", json_real_value(value));
		break;
	case JSON_TRUE:
		buf_add_string(&out, gettext("yes"));
		break;
	case JSON_FALSE:
		buf_add_string(&out, gettext("no"));
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

			buf_add_string(&out, buf_size(&out) ? ", " : "");
			harmless_add_line(&out, span_str(key));
			buf_add_format(&out, " %s", text);
			free(text);
		}
		break;
	}
	}
	return buf_steal_string(&out);
}

static void add_cell(struct buf *line, const char *text, int width)
{
	buf_add_format(line, "%s%*s", text, width - text_width(text) + 2, "");
}

/* Without what fills its last column. */
static void print_line(struct buf *line)
{
	struct span text = buf_span(line);

	while (text.n && text.p[text.n - 1] == ' ')
		text.n--;
	(void)printf("%.*s\n", (int)text.n, (const char *)text.p);
	buf_clear(line);
}

/* Times are cut to their date, fingerprints to their beginning; other texts end with a sign of it. */
static void cut_text(char *text, int width)
{
	size_t length = strlen(text);
	bool is_time = length == 20 && text[10] == 'T' && text[19] == 'Z';
	bool is_fingerprint = length == 95 && text[2] == ':' && text[5] == ':';
	int n = 0;

	for (char *p = text; *p; p++) {
		n += (*p & 0xC0) != 0x80;
		if (n <= width)
			continue;
		*p = 0;
		break;
	}
	if (n <= width || is_time || is_fingerprint)
		return;
	for (char *end = text + strlen(text); end > text;) {
		end--;
		if ((*end & 0xC0) != 0x80) {
			*end = '~';
			end[1] = 0;
			return;
		}
	}
}

static char *column_text(const json_t *row, const struct column *column)
{
	const json_t *value = json_object_get(row, column->member);
	char *text = value ? cell_text(value) : cell_text(json_null());

	if (column->width)
		cut_text(text, column->width);
	return text;
}

static void print_rule(const int *widths, size_t n_columns)
{
	for (size_t k = 0; k < n_columns; k++) {
		for (int i = 0; i < widths[k]; i++)
			(void)putchar('-');
		(void)fputs(k + 1 == n_columns ? "\n" : "  ", stdout);
	}
}

/* Columns of the terminal: as COLUMNS says, or as it says itself; 0: there is none, as in a pipe. */
static int terminal_width(void)
{
	const char *said = getenv("COLUMNS");
	struct winsize size;
	uint64_t n;

	if (said && span_to_u64(span_str(said), 10000, &n))
		return (int)n;
	return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col
										       : 0;
}

static bool is_too_wide(const int *widths, size_t n_columns)
{
	int width = terminal_width(), n = 0;

	for (size_t k = 0; k < n_columns; k++)
		n += widths[k] + (k ? 2 : 0);
	return width > 0 && n > width;
}

/* Each row as lines, whole, and an empty line between two. */
static void print_records(const json_t *list, const struct column *columns, size_t n_columns)
{
	CLEANUP(buf_done) struct buf line = {};
	const json_t *row;
	int width = 0;
	size_t i;

	for (size_t k = 0; k < n_columns; k++) {
		if (text_width(gettext(columns[k].title)) > width)
			width = text_width(gettext(columns[k].title));
	}
	json_array_foreach(list, i, row) {
		if (i)
			(void)putchar('\n');
		for (size_t k = 0; k < n_columns; k++) {
			const struct column whole = { columns[k].title, columns[k].member };
			char *text = column_text(row, &whole);

			if (text[0]) {
				add_cell(&line, gettext(columns[k].title), width);
				buf_add_string(&line, text);
				print_line(&line);
			}
			free(text);
		}
	}
}

/* Rows below each other, every column as wide as its widest cell. A title of NULL: none has one. */
static void print_rows(const json_t *list, const struct column *columns, size_t n_columns, bool ruled)
{
	int widths[COLUMNS_MAX] = {};
	bool titled = n_columns && columns[0].title;
	CLEANUP(buf_done) struct buf line = {};
	const json_t *row;
	size_t i;

	for (size_t k = 0; k < n_columns && titled; k++)
		widths[k] = text_width(gettext(columns[k].title));
	json_array_foreach(list, i, row) {
		for (size_t k = 0; k < n_columns; k++) {
			char *text = column_text(row, &columns[k]);

			if (text_width(text) > widths[k])
				widths[k] = text_width(text);
			free(text);
		}
	}
	if (titled && is_too_wide(widths, n_columns)) {
		print_records(list, columns, n_columns);
		return;
	}
	for (size_t k = 0; k < n_columns && titled; k++)
		add_cell(&line, gettext(columns[k].title), widths[k]);
	if (titled)
		print_line(&line);
	if (ruled)
		print_rule(widths, n_columns);
	json_array_foreach(list, i, row) {
		if (!titled)
			buf_add_string(&line, "  ");
		for (size_t k = 0; k < n_columns; k++) {
			char *text = column_text(row, &columns[k]);

			add_cell(&line, text, widths[k]);
			free(text);
		}
		print_line(&line);
	}
}

static size_t count_columns(const struct column *columns)
{
	size_t n = 0;

	while (n < COLUMNS_MAX && columns[n].title)
		n++;
	return n;
}

void show_table(const json_t *list, const struct column *columns)
{
	print_rows(list, columns, count_columns(columns), false);
}

void show_ruled_table(const json_t *list, const struct column *columns)
{
	print_rows(list, columns, count_columns(columns), true);
}

/* Objects in a member speak for themselves: their values stand without titles. */
static void show_objects(const char *key, const json_t *list)
{
	struct column columns[COLUMNS_MAX] = {};
	const char *member;
	json_t *value;
	size_t n = 0;

	json_object_foreach(json_array_get(list, 0), member, value) {
		if (n < COLUMNS_MAX)
			columns[n++].member = member;
	}
	(void)printf("%s:\n", key);
	print_rows(list, columns, n, false);
}

void show_named(const char *name, const char *value)
{
	CLEANUP(alloc_freep) char *clean = show_clean(value);

	(void)printf("%s:%s%s\n", name, clean[0] ? " " : "", clean);
}

/* One line, whatever somebody has put into it: the next one is ours. PEM, which people cut out and paste,
 * stands on lines of its own. */
static void show_value(const char *indent, const char *key, const json_t *value)
{
	struct span text = span_of(json_string_value(value), json_string_length(value));
	CLEANUP(alloc_freep) char *name = show_clean(key);
	CLEANUP(alloc_freep) char *line = NULL;

	(void)fputs(indent, stdout);
	if (json_is_string(value) && harmless_is_pem(text)) {
		(void)printf("%s:\n%.*s", name, (int)text.n, (const char *)text.p);
		return;
	}
	line = cell_text(value);
	(void)printf("%s:%s%s\n", name, line[0] ? " " : "", line);
}

static void show_member(const char *key, const json_t *value)
{
	const char *inner;
	json_t *member;

	if (json_is_object(value)) {
		(void)printf("%s:\n", key);
		json_object_foreach((json_t *)(uintptr_t)value, inner, member)
			show_value("  ", inner, member);
	} else if (json_is_object(json_array_get(value, 0))) {
		show_objects(key, value);
	} else {
		show_value("", key, value);
	}
}

void show_lines(const json_t *object)
{
	const char *key;
	json_t *member;

	json_object_foreach((json_t *)(uintptr_t)object, key, member) {
		if (strcmp(key, "warnings") != 0)
			show_member(key, member);
	}
}

void show_members(const json_t *object, const struct column *columns)
{
	for (size_t i = 0; i < COLUMNS_MAX && columns[i].title; i++) {
		const json_t *value = json_object_get(object, columns[i].member);

		if (value)
			show_member(gettext(columns[i].title), value);
	}
}

void show_text(struct span text)
{
	CLEANUP(buf_done) struct buf out = {};

	harmless_add_text(&out, text);
	(void)fwrite(buf_span(&out).p, 1, buf_size(&out), stdout);
	if (text.n && text.p[text.n - 1] != '\n')
		(void)putchar('\n');
}

void show_line(const char *text)
{
	CLEANUP(alloc_freep) char *clean = show_clean(text);

	(void)puts(clean);
}

static size_t word_octets(const char *text)
{
	size_t n = 0;

	for (int depth = 0; text[n] && (depth > 0 || text[n] != ' '); n++)
		depth += text[n] == '[' ? 1 : text[n] == ']' ? -1 : 0;
	return n;
}

void show_wrapped(const char *text, int column, int indent)
{
	int limit = isatty(STDOUT_FILENO) ? terminal_width() : 0;
	bool first = true;

	while (*text) {
		size_t n = word_octets(text);
		CLEANUP(alloc_freep) char *word = span_to_string(span_of(text, n));
		int width = text_width(word);

		if (!first && limit && column + 1 + width > limit) {
			(void)printf("\n%*s", indent, "");
			column = indent;
		} else if (!first) {
			(void)putchar(' ');
			column++;
		}
		(void)fputs(word, stdout);
		column += width;
		first = false;
		text += n;
		text += *text == ' ';
	}
	(void)putchar('\n');
}

int show_octets(struct span octets)
{
	CLEANUP(buf_wipe) struct buf clean = {};

	if (isatty(STDOUT_FILENO)) {
		harmless_add_text(&clean, octets);
		octets = buf_span(&clean);
	}
	return fwrite(octets.p, 1, octets.n, stdout) == octets.n && fflush(stdout) == 0 ?
		0 : err_fault(errno, "stdout");
}

void show_warnings(const json_t *answer)
{
	const json_t *warning;
	size_t i;

	json_array_foreach(json_object_get(answer, "warnings"), i, warning) {
		char *text = cell_text(warning);

		(void)fprintf(stderr, gettext("%s: warning: %s\n"), program_name, text);
		free(text);
	}
}

void show_json(const json_t *answer)
{
	char *text = json_dumps(answer, JSON_INDENT(2));

	if (text)
		(void)puts(text);
	free(text);
}
