/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What a responder says about one certificate of ours (OCSP), sent along with it to clients that ask
 * (RFC 6066 section 8, RFC 8446 section 4.4.2.1). It belongs to the certificate rather than to a
 * profile: it lives on when profiles are made anew, and is replaced while connections go on. Whoever
 * sets it has verified it.
 */

#include "base/span.h"

struct tls_staple;

/* With nothing in it. */
struct tls_staple *tls_staple_new(void);
struct tls_staple *tls_staple_ref(struct tls_staple *s);
struct tls_staple *tls_staple_unref(struct tls_staple *s);

/* Whether somebody else holds it, too. */
bool tls_staple_is_shared(const struct tls_staple *s);

/* The answer in DER (empty: none) and the time from which on it is not shown any more. From any
 * thread. */
void tls_staple_set(struct tls_staple *s, struct span response, int64_t until_us);

/* A copy as OpenSSL wants it (OPENSSL_malloc), or NULL if there is none at that time. */
uint8_t *tls_staple_copy(struct tls_staple *s, int64_t now_us, size_t *ret_n);
