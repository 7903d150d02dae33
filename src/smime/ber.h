/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * BER as mailers write CMS (X.690 section 8): lengths that are not known in advance, strings in
 * pieces. It is put into definite lengths first, so that there is one reader of structures.
 */

#include "base/secret.h"

enum { BER_CONSTRUCTED = 0x20 }; /* of an identifier octet */

struct ber_head {
	uint8_t tag;
	bool is_indefinite;
	uint64_t size; /* of the content, if definite; perhaps more than there is */
};

/* Takes identifier and length (X.690 sections 8.1.2, 8.1.3) from the front: a tag number below 31,
 * a length of at most eight octets. After false *s is of no use. */
bool ber_head_next(struct span *s, struct ber_head *ret_head);

enum ber_outcome {
	BER_E_SYNTAX = 1, /* no value, or octets behind it */
	BER_E_LIMIT,      /* nested too deeply, too many values, or larger than out may be */
};

/*
 * Appends the value with definite lengths in as few octets as possible and OCTET STRINGs in one
 * piece. The order of a SET, and what primitive values hold, stay as they are. An implicitly tagged
 * string in pieces stays so, because nothing tells it from another structure: its pieces are OCTET
 * STRINGs in it.
 */
int ber_to_definite(struct span ber, struct secret_buf *out) __attribute__((warn_unused_result));
