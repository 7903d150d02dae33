/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * DER (X.690) as values of tag, length and content: what OpenSSL's readers let pass, and what of an
 * extension they do not hand out.
 */

#include "base/span.h"

enum der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_UTF8_STRING = 0x0c,
	DER_IA5_STRING = 0x16,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
};

struct der {
	uint8_t tag; /* the whole identifier octet; higher tag numbers are not read */
	struct span content;
	struct span whole; /* with tag and length */
};

/* Takes one value from the front of *s: definite length in as few octets as it can be (X.690
 * section 10.1). False, and nothing taken, if there is none. */
bool der_next(struct span *s, struct der *ret_value);

/* One value and nothing behind it. */
bool der_only(struct span s, uint8_t tag, struct span *ret_content);

/* Whether all of it, down to primitive values, is one value whose lengths, booleans, integers and
 * object identifiers are in the one form DER has. Depth and count are bounded. */
bool der_is_strict(struct span s);
