/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Mail on its way out. One row per message and recipient, written in the same transaction as local
 * deliveries. Taking rows for delivery comes with the network client; here they are added, listed,
 * held, released and removed.
 */

#include "base/err.h"
#include "base/span.h"

struct store_conn;

enum queue_state { QUEUE_READY, QUEUE_HELD };

struct queue_row {
	int64_t id;
	int64_t content;
	struct span sender;    /* reverse-path without <>; empty: null */
	struct span recipient;
	struct span envelope_id; /* DSN ENVID, xtext as given */
	struct span original_recipient; /* DSN ORCPT */
	unsigned notify;       /* DSN NOTIFY bits: 1 never, 2 success, 4 failure, 8 delay */
	bool return_full;      /* DSN RET=FULL */
	enum queue_state state;
	unsigned attempts;
	int64_t next_us;
	int64_t expires_us;
	int64_t created_us;
	struct span last_error;
};

int store_queue_add(struct store_conn *c, const struct queue_row *row, int64_t *ret_id) MUST_CHECK;
int store_queue_each(struct store_conn *c,
	int (*each)(const struct queue_row *row, void *context), void *context) MUST_CHECK;
/* STORE_E_NOT_FOUND */
int store_queue_set_state(struct store_conn *c, int64_t id, enum queue_state state) MUST_CHECK;
int store_queue_remove(struct store_conn *c, int64_t id) MUST_CHECK;
