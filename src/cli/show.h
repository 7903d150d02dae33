/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Answers as people read them: a table with columns as wide as needed, or "name: value" lines. */

#include "cli/command.h"

/* The answer's list as a table on stdout; an object without a list as lines. */
void show_table(const json_t *answer, const struct column *columns);
void show_lines(const json_t *answer);

/* The JSON as it came. */
void show_json(const json_t *answer);
