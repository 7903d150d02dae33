/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Time. Pure modules take it as an argument; the others ask here, where tests can set it.
 * Microseconds since 1970 UTC for what is stored and shown, milliseconds of a clock that never
 * jumps for time-outs.
 */

#include "base/buf.h"

int64_t clock_now_us(void);
int64_t clock_monotonic_ms(void);

/* Tests only: both clocks stand still at these values from now on. */
void clock_set(int64_t now_us, int64_t monotonic_ms);

/* RFC 3339 in UTC: 2026-02-03T04:05:06Z. */
void clock_add_rfc3339(struct buf *out, int64_t time_us);

/* Reads RFC 3339 section 5.6 from years 1970 to 9999, fractions of a second cut to microseconds; false
 * for anything else, white space around it included. */
bool clock_parse_rfc3339(struct span text, int64_t *ret_time_us);

/* RFC 5322 section 3.3, in UTC: Tue, 03 Feb 2026 04:05:06 +0000. */
void clock_add_rfc5322(struct buf *out, int64_t time_us);

/* The same for HTTP, with "GMT" (RFC 9110 section 5.6.7). */
void clock_add_http(struct buf *out, int64_t time_us);
