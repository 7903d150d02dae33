/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* When a certificate is renewed, and when what failed is tried again. Times and a random number in,
 * a time out. */

#include "pki/cert.h"

/* Appends the certificate's identifier of RFC 9773 section 4.1. NONE: it has no authority key
 * identifier, so it has none. */
enum renewal_outcome { RENEWAL_E_NONE = 1 };
int renewal_add_id(const struct cert *cert, struct buf *out) MUST_CHECK;

/* Without the authority's advice: when two thirds of its life are over, up to a twentieth of it
 * earlier, so that many certificates of one day are not renewed in one minute. */
int64_t renewal_time(int64_t not_before_us, int64_t not_after_us, uint64_t random);

/* RFC 9773 section 4.2: a moment of the window, all alike; not before now. */
int64_t renewal_pick(int64_t start_us, int64_t end_us, int64_t now_us, uint64_t random);

/* When to ask for advice again: as the server says (0: nothing), within one minute and one day;
 * RFC 9773 section 4.3. */
int64_t renewal_ask_again(int64_t retry_after_us, int64_t now_us);

/* After so many failures in a row (from 1): 5 minutes, doubled up to a day, each up to a quarter
 * longer; not before the server's own time (0: none), of which a week is believed. */
int64_t renewal_retry(unsigned n_failures, int64_t retry_after_us, int64_t now_us, uint64_t random);

/* The moment that a Retry-After field means (RFC 9110 section 10.2.3); 0 if it means none. text may
 * be NULL. */
int64_t renewal_retry_after(const char *text, int64_t now_us);
