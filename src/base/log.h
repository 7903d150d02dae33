/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * One line per fact: time, level, tag, the context's fields (server > listener > session), the
 * event's name and its fields, key=value. Values are escaped here, so nothing from outside can
 * forge a line; secrets have no field type. Lines go to stderr and to a ring in memory that
 * "signet log" reads. Thread-safe.
 */

#include "base/span.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

struct log_field {
	const char *key; /* NULL ends a list */
	struct span text;
	int64_t number;
	bool is_number;
};

static inline struct log_field log_span(const char *key, struct span value)
{
	return (struct log_field){ .key = key, .text = value };
}

static inline struct log_field log_str(const char *key, const char *value)
{
	return log_span(key, span_str(value));
}

static inline struct log_field log_int(const char *key, int64_t value)
{
	return (struct log_field){ .key = key, .number = value, .is_number = true };
}

/* Fields common to all lines of one thing; parents come first. The memory is its owner's. */
struct log_context {
	const struct log_context *parent;
	struct log_field field;
};

/* Writes a line: LOG(ctx, LOG_INFO, "SMTP", "smtp.mail", log_span("from", from)); ctx may be NULL.
 * Tags are the service or subject in capitals (SMTP, IMAP, TLS, STORE, KEYD, ADMIN). */
void log_write(const struct log_context *context, enum log_level level, const char *tag,
	const char *event, const struct log_field *fields);
#define LOG(context, level, tag, event, ...)                                                       \
	log_write(context, level, tag, event, (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(,) {} })

/* A fault at its boundary: event, error text and trace. Level error. */
void log_fault(const struct log_context *context, const char *tag, const char *event, int fault);

/* Lines below this level are dropped. Default LOG_INFO. */
void log_set_level(enum log_level level);

/* false: the ring only (unit tests). Default true. */
void log_set_stderr(bool on);

/* Lines of the ring after sequence number `after` (0: all that are kept) whose tag is `tag` (NULL:
 * any), oldest first, at most max_lines, each ended by LF, appended to out. Returns the sequence
 * number of the last line looked at, to be given as `after` the next time. */
struct buf;
uint64_t log_read(uint64_t after, const char *tag, size_t max_lines, struct buf *out);
