/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What reaches the HTTP library: octets of requests whose framing can be read in one way only
 * (RFC 9112). Pure: octets in, checked octets out, as they come.
 */

#include "base/buf.h"
#include "base/err.h"

enum {
	GUARD_HEAD_MAX = 16 * 1024,  /* octets of request line and fields */
	GUARD_LINE_MAX = 8 * 1024,   /* octets of the request line */
	GUARD_FIELDS_MAX = 100,
	GUARD_BODY_MAX = 1 << 30,    /* octets of a body where nothing less is said */
	GUARD_CHUNK_LINE_MAX = 256,
	GUARD_TRAILER_MAX = 4 * 1024,
};

enum guard_state {
	GUARD_HEAD,
	GUARD_BODY,
	GUARD_CHUNK_SIZE,
	GUARD_CHUNK_DATA,
	GUARD_CHUNK_END,
	GUARD_TRAILER,
	GUARD_REFUSED,
};

/* How many octets a body of the request may have; method and target are as they came. */
typedef uint64_t guard_limit_fn(void *context, struct span method, struct span target);

struct guard {
	guard_limit_fn *limit_of; /* set by the owner; NULL: GUARD_BODY_MAX for all */
	void *context;            /* of limit_of */

	enum guard_state state;
	struct buf line;      /* a head, chunk line or trailer as far as it has come */
	size_t line_start;    /* in it: of the line that is not complete yet */
	size_t method_n, target_n; /* octets of the head's first two words */
	unsigned n_fields;
	bool has_host, has_length, chunked, old;
	uint64_t left;        /* octets of the body or chunk */
	uint64_t body;        /* octets of all chunks so far */
	uint64_t limit;       /* of the body, by limit_of */
	uint64_t n_requests;  /* heads passed on */
	uint64_t n_octets;    /* of bodies passed on */

	/* When refused: what to answer; with 413 limit says how large the body may be. */
	unsigned status;
	char reason[100];
};

/* Takes all of data; appends to out what may be passed on. GUARD_E_REFUSED: status and reason are
 * set, nothing behind what is in out may be passed on, and the connection is to be closed. */
enum guard_outcome { GUARD_E_REFUSED = 1 };
int guard_add(struct guard *g, struct span data, struct buf *out) MUST_CHECK;

/* Between two requests. */
bool guard_is_idle(const struct guard *g);

void guard_done(struct guard *g);
