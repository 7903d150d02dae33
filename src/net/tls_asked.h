/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Which names clients ask for (RFC 6066 section 3), below the names that are ours: what a certificate
 * should be for is what people have written into their mail programs. Kept since the start, in bounded
 * memory; whoever asks for nonsense names can fill it, and does no more harm than that.
 */

#include "base/span.h"

enum { TLS_ASKED_MAX = 512 };

struct tls_asked;

struct tls_asked *tls_asked_new(void);
struct tls_asked *tls_asked_free(struct tls_asked *a);

/* One client has asked for it; lower-case. From any thread. */
void tls_asked_add(struct tls_asked *a, struct span name);

/* Each name that is the domain or below it, and how often it was asked for. */
void tls_asked_each(struct tls_asked *a, struct span domain,
	void (*each)(struct span name, uint64_t n, void *context), void *context);
