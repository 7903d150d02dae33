/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Compressed content (RFC 3274): zlib's format (RFC 1950) and nothing behind it. */

#include "base/err.h"
#include "base/secret.h"

enum inflate_outcome {
	INFLATE_E_DAMAGED = 1,
	INFLATE_E_LIMIT, /* larger than out may be */
};

/* Appends the content. The memory that zlib works in is wiped. */
int inflate_content(struct span compressed, struct secret_buf *out) MUST_CHECK;
