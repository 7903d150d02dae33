/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * A server's certificate looked at point by point, for the person who has to do something about it:
 * each row says what was looked at, how it is, and in words why and what to do.
 */

#include "base/arena.h"
#include "pki/chain.h"

enum check_result {
	CHECK_OK,
	CHECK_NOTE,    /* nothing is wrong; worth knowing */
	CHECK_WARNING, /* works, but not for all, or not for long */
	CHECK_ERROR,   /* clients will not accept it */
};

/* "ok", "note", "warning", "error". */
const char *check_result_name(enum check_result result);

struct check_row {
	const char *check; /* "names", "validity", ...: constants */
	enum check_result result;
	struct span text;
};

/* Rows in the order in which they were added. Texts live in the arena. */
struct check_list {
	struct arena *arena;
	struct check_row *rows;
	size_t n;
};

void check_add(struct check_list *l, const char *check, enum check_result result,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The worst result among the rows; CHECK_OK for none. */
enum check_result check_worst(const struct check_list *l);

/* What the certificate says by itself: "validity", "names" (the domain's, which clients ask for; they
 * are checked against the alternative names only, RFC 9525), "usage", "key", "signature". */
void check_certificate(struct check_list *l, const struct cert *cert, const struct span *names,
	size_t n_names, int64_t now_us);

/* "chain": whether what is sent leads to a trusted authority. */
void check_chain(struct check_list *l, const struct chain *chain);
