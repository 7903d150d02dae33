/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The table-driven reader of settings. A table says key, type, default, limits and the sentence of
 * documentation; from it come the parser, the error messages, "signet setting list" and the manual.
 */

#include "base/buf.h"
#include "base/err.h"

enum conf_type {
	CONF_NUMBER, /* uint64_t; accepts the suffixes k, M, G (octets) and s, m, h, d (time) by unit */
	CONF_BOOL,   /* bool; yes, no, true, false, on, off */
	CONF_CHOICE, /* unsigned; the position in `choices` */
	CONF_TEXT,   /* char *, heap */
};

/* What else a text must be: false with why. The default passes, too. */
typedef bool conf_check_fn(struct span value, struct why *why);

struct conf_row {
	const char *key;
	enum conf_type type;
	const char *fallback; /* the default, as text */
	uint64_t min, max;    /* numbers: value; text: octets */
	const char *unit;     /* "octets", "seconds", "ms", "" */
	const char *const *choices; /* NULL-terminated */
	size_t offset;        /* in the settings structure */
	const char *help;     /* one sentence */
	conf_check_fn *check; /* of a text; NULL: any text */
};

enum conf_outcome { CONF_E_UNKNOWN = 1, CONF_E_VALUE };

/* Sets one field of the structure from text; why says what is allowed. */
int conf_set(const struct conf_row *rows, size_t n_rows, void *target, struct span key,
	struct span value, struct why *why) MUST_CHECK;

/* All fields at their defaults. The table's defaults must parse: it asserts. */
void conf_defaults(const struct conf_row *rows, size_t n_rows, void *target);

/* The row, or NULL. */
const struct conf_row *conf_find(const struct conf_row *rows, size_t n_rows, struct span key);

/* A field as text, in the form conf_set reads. */
void conf_print(const struct conf_row *row, const void *target, struct buf *out);

/* Frees the texts. */
void conf_done(const struct conf_row *rows, size_t n_rows, void *target);
