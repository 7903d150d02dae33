/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Answers as people read them: a table with columns as wide as needed, or "name: value" lines. */

#include "cli/command.h"

/* A list of objects as a table on stdout, with the columns' titles. */
void show_table(const json_t *list, const struct column *columns);

/* The same with a line below the titles. */
void show_ruled_table(const json_t *list, const struct column *columns);

/* An object as lines: all its members, or those of the columns. */
void show_lines(const json_t *object);
void show_members(const json_t *object, const struct column *columns);

/* Text for one line as cli/harmless.h says; the caller frees. */
char *show_clean(const char *text);

/* Such a line, and one of a name with its value. */
void show_line(const char *text);
void show_named(const char *name, const char *value);

/* Text of lines, likewise. Nobody is to take what stands on its second for ours. */
void show_text(struct span text);

/* Words of ours, from a column on, in lines that fit a terminal, those after the first indented; what
 * stands in [] stays together. Elsewhere one line. */
void show_wrapped(const char *text, int column, int indent);

/* What somebody wrote, on standard output: as it is, but such a text on a terminal. */
int show_octets(struct span octets) MUST_CHECK;

/* What an answer warns of ("warnings", texts), on standard error. */
void show_warnings(const json_t *answer);

/* The JSON as it came. */
void show_json(const json_t *answer);
