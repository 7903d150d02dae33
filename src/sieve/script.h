/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Sieve scripts (RFC 5228): text in, a checked script out, which never changes and may be run by
 * several threads at a time. Everything that can be said about a script without a message is said
 * here, with line and column and what to do about it.
 *
 * Not done here: include (RFC 6609), environment, notify.
 */

#include "base/buf.h"
#include "base/err.h"
#include "sieve/limit.h"

struct sieve_script;

/* A place in the script, from 1; the column counts octets. */
struct sieve_remark {
	unsigned line, column;
	char text[240];
};

struct sieve_report {
	struct sieve_remark error; /* of SIEVE_E_INVALID */
	struct sieve_remark warnings[SIEVE_WARNINGS_MAX];
	size_t n_warnings;
};

enum sieve_outcome {
	SIEVE_E_INVALID = 1, /* the report's error says why */
};

/* The text is copied. ret_report may be NULL; it is written in any case. */
int sieve_compile(struct sieve_script **ret_script, struct span text,
	struct sieve_report *ret_report) MUST_CHECK;

/* Shared by count, from any thread. */
struct sieve_script *sieve_script_ref(struct sieve_script *s);
struct sieve_script *sieve_script_unref(struct sieve_script *s);
CLEANUP_POINTER(struct sieve_script, sieve_script_unref)

/* Octets of memory that it takes: more than its text, for commands of a few letters a hundred
 * times. */
size_t sieve_script_size(const struct sieve_script *s);

/* Whether it looks at the body, which its input must hold then. */
bool sieve_script_uses_body(const struct sieve_script *s);

/* Whether some command of it wants mail encrypted or not at all. */
bool sieve_script_is_mandatory(const struct sieve_script *s);

/* "line 3, column 7: text", as commands and ManageSieve show it. */
void sieve_remark_add(struct buf *out, const struct sieve_remark *remark);

/* Appends the names of all extensions that a script may require, with one space between. */
void sieve_extensions_add(struct buf *out);
