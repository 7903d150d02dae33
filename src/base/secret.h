/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Octets that must not leave traces: in locked memory that is not dumped, wiped when freed. There
 * is no way to print one. Sizes are those of keys and passwords.
 */

#include "base/span.h"

struct secret {
	uint8_t *p;
	size_t n;
};

enum { SECRET_MAX = 1 << 20 };

/* A new secret of n octets (at most SECRET_MAX), zeroed. */
struct secret secret_new(size_t n);
struct secret secret_copy(struct span s);
void secret_done(struct secret *s);

static inline struct span secret_span(const struct secret *s)
{
	return (struct span){ s->p, s->n };
}

/*
 * Secret octets that grow while they are made, to some tens of megabytes: decrypted mail. The same
 * promises as above, and growing leaves no copy behind. Zeroed memory with `max` set is an empty
 * one.
 */
struct secret_buf {
	uint8_t *p;
	size_t n;
	size_t max;        /* octets it may hold */
	bool is_plain;     /* what it holds is no secret: neither locked nor kept out of dumps */
	bool is_swappable; /* RLIMIT_MEMLOCK did not allow for locking all of it */

	/* Private. */
	size_t capacity;
};

/* Room for n more octets behind what is there, or NULL if that is more than max. secret_buf_added
 * says how many were written. What is held may move. */
uint8_t *secret_buf_room(struct secret_buf *b, size_t n);
void secret_buf_added(struct secret_buf *b, size_t n);

/* False, and nothing added, if that is more than max. */
bool secret_buf_add(struct secret_buf *b, struct span s);

void secret_buf_done(struct secret_buf *b);

static inline struct span secret_buf_span(const struct secret_buf *b)
{
	return (struct span){ b->p, b->n };
}
