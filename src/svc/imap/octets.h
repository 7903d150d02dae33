/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* A message's octets, wherever they lie: in a row that was read, or in the store, from where they
 * come one CONTENT_PIECE at a time. */

#include "store/message.h"

struct octets {
	struct span data;     /* all of them; p NULL: in the store */
	int64_t content;
	uint64_t size;

	/* Private. */
	struct buf window;
	uint64_t window_at;
};

/* Of another message; memory is kept. The row's data is borrowed. */
void octets_set(struct octets *o, const struct store_message *row);
void octets_done(struct octets *o);

/* Some octets from offset on: at least one and at most n unless n is 0. Valid until the next call.
 * Beyond the message's end is a fault. conn is not used if data is there. */
int octets_read(struct octets *o, struct store_conn *conn, uint64_t offset, uint64_t n,
	struct span *ret_octets) MUST_CHECK;

/* Appends all n; bound n before. */
int octets_copy(struct octets *o, struct store_conn *conn, uint64_t offset, uint64_t n,
	struct buf *out) MUST_CHECK;
