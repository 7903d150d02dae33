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

/* Text for one line, what would steer a terminal replaced; the caller frees. */
char *show_clean(const char *text);

/* Text of lines, likewise. Nobody is to take what stands on its second for ours. */
void show_text(const char *text);

/* What an answer warns of ("warnings", texts), on standard error. */
void show_warnings(const json_t *answer);

/* The JSON as it came. */
void show_json(const json_t *answer);
