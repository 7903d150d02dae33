/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Header blocks: RFC 5322 section 2.2 fields, one after the other, with CRLF or LF line ends. */

#include "base/buf.h"

struct header_field {
	struct span
		name; /* without white space before the colon; empty for a line that is no field */
	struct span value; /* behind the colon, still folded, without the last line end */
	struct span whole; /* all of it, with the last line end */
};

/* Splits one field, line end and all, into name and value. */
struct header_field header_split(struct span whole);

/* Takes the next field away from the block that is left, which ends with an empty line or its last
 * octet. */
bool header_next(struct span *rest, struct header_field *ret_field);

/* Octets of the header block at the front of a message, its empty line included. */
size_t header_size(struct span message);

/* The first field of that name. */
bool header_find(struct span block, const char *name, struct header_field *ret_field);

/* Appends the value without line ends (RFC 5322 section 2.2.3) and outer white space. */
void header_unfold(struct span value, struct buf *out);

/* Appends the fields with one of the names (or with none of them, if `without`), and an empty line:
 * IMAP's HEADER.FIELDS and HEADER.FIELDS.NOT. */
void header_select(
	struct span block, const struct span *names, size_t n, bool without, struct buf *out);
