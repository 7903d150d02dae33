/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Inside store/: bodies as rows, for the parts that refer to them. */

#include "base/buf.h"
#include "base/err.h"

struct store_conn;

/* The end of a task: a content that nothing came to refer to goes to the sweeper. */
int content_settle(struct store_conn *c) MUST_CHECK;

/* A row that refers to the content was written. */
void content_used(struct store_conn *c, int64_t content);

/* A row that referred to the content is gone: the sweeper shall look. */
int content_released(struct store_conn *c, int64_t content, int64_t now_us) MUST_CHECK;

/* Deletes the content at once and overwrites it, unless a row refers to it: then *ret_n_holders says
 * how many messages and queue rows do, and nothing happens. */
int content_erase(struct store_conn *c, int64_t content, size_t *ret_n_holders) MUST_CHECK;

/* What unpacking keeps in memory of the last bodies goes; it is made again when it is needed. */
void content_unpack_end(struct store_conn *c);

/* Octets as stored, appended as they were. size is what must come out. */
int content_unpack(struct store_conn *c, unsigned codec, struct span stored, uint64_t size,
	struct buf *out) MUST_CHECK;
