/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Inside store/: the thread that writes (see store.h). */

#include "base/task.h"

#include <stdint.h>

struct store_conn;
struct writer;

/* Starts the thread. The connection is its own until writer_free. */
int writer_new(struct writer **ret_writer, struct store_conn *c) MUST_CHECK;

/* Runs what is queued, then ends the thread. */
struct writer *writer_free(struct writer *w);

struct executor *writer_executor(struct writer *w);

struct writer_figures {
	uint64_t commits, tasks, queued, commit_us;
};
void writer_figures(struct writer *w, struct writer_figures *ret_figures);
