/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* One line of "signet verify --batch": a validation as a JSON object in, its verdict as one out. */

#include "base/buf.h"
#include "base/err.h"

enum { BATCH_LINE_MAX = 16 << 20 };

/* Appends the answer with its newline; what is wrong with the line is an answer too. now_us: for
 * lines without a time. */
int batch_answer(struct span line, int64_t now_us, struct buf *out) MUST_CHECK;
