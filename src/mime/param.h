/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Parameters of Content-Type and Content-Disposition: RFC 2045 section 5.1 with the continuations
 * and charsets of RFC 2231. The list is as written (an IMAP BODYSTRUCTURE shows it so); param_get
 * puts a value together.
 */

#include "base/arena.h"
#include "base/buf.h"

struct param {
	struct span name;  /* lower-case, with any *0* of RFC 2231 */
	struct span value; /* quoting removed */
};

enum { PARAM_MAX = 100 }; /* of one field; more are not looked at */

/* Parses "; a=b; c=d" (what follows the type or the disposition) into the arena. Tolerant: what is
 * no parameter is skipped to the next semicolon. */
void param_parse(struct span text, struct arena *a, const struct param **ret_params, size_t *ret_n);

/* As written, of the first parameter of that name; n 0 if there is none. */
struct span param_raw(const struct param *params, size_t n, const char *name);

/* The value put together as octets, charset and language dropped: for boundary. false if there is
 * none, with nothing appended. */
bool param_join(const struct param *params, size_t n, const char *name, struct buf *out);

/* The same as UTF-8: RFC 2231, or RFC 2047 where a sender misused it. */
bool param_get(const struct param *params, size_t n, const char *name, struct buf *out);
