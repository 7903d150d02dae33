/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Faults and reasons. A fault leaves a trace of the places it passed, kept per thread, so that the
 * one log line at the boundary can say where it came from without every level logging.
 */

#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char trace[1024];

static void trace_append(const char *function, int line, const char *what, bool fresh)
{
	size_t used = fresh ? 0 : strlen(trace);

	(void)snprintf(trace + used, sizeof trace - used, "%s%s:%d %s", used ? " < " : "", function,
		line, what);
}

int err_fold(int r)
{
	return r > 0 ? -EPROTO : r;
}

int err_trace(int r, const char *call, const char *function, int line)
{
	trace_append(function, line, call, r > 0);
	return err_fold(r);
}

int err_fault_at(int error, const char *what, const char *function, int line)
{
	trace_append(function, line, what, true);
	return error > 0 ? -error : -EIO;
}

const char *err_last_trace(void)
{
	return trace;
}

void why_set(struct why *why, const char *format, ...)
{
	va_list ap;

	if (!why)
		return;
	va_start(ap, format);
	(void)vsnprintf(why->text, sizeof why->text, format, ap);
	va_end(ap);
}
