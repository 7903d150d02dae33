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
