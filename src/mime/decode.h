/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Content-Transfer-Encoding (RFC 2045 section 6): which one a part has, and its removal in a
 * stream. */

#include "base/buf.h"

enum transfer_encoding {
	ENCODING_7BIT,
	ENCODING_8BIT,
	ENCODING_BINARY, /* the octets are what they are */
	ENCODING_BASE64,
	ENCODING_QUOTED_PRINTABLE,
	ENCODING_UNKNOWN, /* cannot be removed: RFC 3516 [UNKNOWN-CTE] */
};

/* The encoding of that name, compared without case; an empty one is 7bit. */
enum transfer_encoding transfer_encoding_of(struct span name);

/*
 * Removes an encoding. Tolerant, as mail is: octets outside of the alphabet are passed over,
 * missing padding is supplied. `damaged` tells that this was needed. Zeroed memory with the
 * encoding set is a decoder at its start; nothing to free. ENCODING_UNKNOWN passes everything.
 */
struct decoder {
	enum transfer_encoding encoding;
	bool damaged;

	/* Private. */
	uint32_t bits; /* base64: sextets collected */
	unsigned n_sextets;
	bool padded;        /* base64: after '=' */
	unsigned state;     /* quoted-printable */
	uint8_t digit;      /* the first of two */
	uint8_t blanks[80]; /* that may turn out to be the end of a line */
	unsigned n_blanks;
};

/* Appends the decoded form of the next octets; never more than they are, and what was held back. */
void decoder_feed(struct decoder *d, struct span in, struct buf *out);
void decoder_end(struct decoder *d, struct buf *out);
