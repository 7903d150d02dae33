/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Which warnings about the end of a certificate's life were given, so that each is given once. */

#include "base/err.h"
#include "base/span.h"

struct store_conn;

/* Reads: the smallest number of days before the end that was told; STORE_E_NOT_FOUND: nothing. */
int store_expiry_told(struct store_conn *c, int64_t domain, struct span sha256, unsigned *ret_days)
	MUST_CHECK;

/* Writes. STORE_E_EXISTS: this, or a later one, was told before. */
int store_expiry_tell(struct store_conn *c, int64_t domain, struct span sha256, unsigned days,
	int64_t now_us) MUST_CHECK;
