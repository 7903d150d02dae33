/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Message ids as they are compared: without brackets, white space and quoting, so that equal ids
 * have equal octets (RFC 5256 section 2.2). */

#include "base/buf.h"

/* The ids of a Message-ID, References or In-Reply-To field. */
struct message_ids {
	struct span rest;
	bool brackets; /* whether there are any */
};

struct message_ids message_ids_of(struct span value);

/* Replaces id by the next one; false at the end. A word without brackets must look like an id; one
 * that is longer than a line may be is passed over. */
bool message_id_next(struct message_ids *ids, struct buf *id);

/* 64 bits of an id in that form, the same on all machines and at all times; 0: it is empty. */
uint64_t message_id_hash(struct span id);
