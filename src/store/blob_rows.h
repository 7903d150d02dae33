/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Blobs (RFC 8620 section 6): octets that an account has uploaded to use them in a message soon.
 * They arrive in pieces (store/content.h), belong to that account alone, and are clear text of what
 * may be going to be encrypted: so they expire, and what is over is erased, not only deleted.
 */

#include "base/arena.h"
#include "base/err.h"
#include "store/content.h"

struct store_conn;

struct store_blob {
	int64_t id; /* of its upload; never given again */
	int64_t account;
	struct span type; /* as its sender said; in the arena */
	uint64_t size;    /* octets */
	int64_t expires_us;
};

/* What an account may have at a time. */
struct store_blob_limits {
	uint64_t octets_max; /* in all its blobs */
	unsigned n_max;
	unsigned n_open_max; /* that are being received */
};

/* Writes: begins one, and reserves its size, or nothing where that is not known yet (0). It expires
 * unless it grows before expires_us. STORE_E_LIMIT: too many or too much; STORE_E_IN_USE: too many
 * are being received; STORE_E_QUOTA: with it the account would hold more than its quota allows. */
int store_blob_begin(struct store_conn *c, const struct store_blob *blob,
	const struct store_blob_limits *limits, int64_t now_us, int64_t *ret_id) MUST_CHECK;

/* Writes: its next piece, after which it has so many octets, and it expires later. LIMIT, QUOTA as
 * above; STORE_E_NOT_FOUND: it is gone. */
int store_blob_add(struct store_conn *c, const struct store_blob *blob,
	const struct store_blob_limits *limits, uint32_t number, const struct content_piece *piece,
	int64_t now_us) MUST_CHECK;

/* Writes: it is complete, with the blob's size and expiry. STORE_E_NOT_FOUND. */
int store_blob_end(struct store_conn *c, const struct store_blob *blob) MUST_CHECK;

/* Reads one that is complete and has not expired. STORE_E_NOT_FOUND, also where it is another
 * account's. */
int store_blob_get(struct store_conn *c, struct arena *a, int64_t account, int64_t id,
	int64_t now_us, struct store_blob *ret_blob) MUST_CHECK;

/* Reads all such of the account, the oldest first; type is valid during the call. */
typedef int store_blob_fn(const struct store_blob *blob, void *context);
int store_blob_each(struct store_conn *c, int64_t account, int64_t now_us, store_blob_fn *each,
	void *context) MUST_CHECK;

/* Writes: it is not there any more, complete or not, and is erased by the next sweeps.
 * STORE_E_NOT_FOUND. All: those of an account that goes. */
int store_blob_remove(struct store_conn *c, int64_t account, int64_t id) MUST_CHECK;
int store_blob_remove_all(struct store_conn *c, int64_t account) MUST_CHECK;

/* Writes: erases a bounded part of one that was removed; *ret_more says whether to come again. */
int store_blob_erase(struct store_conn *c, int64_t id, bool *ret_more) MUST_CHECK;

/* Reads: whether there is something to erase. */
int store_blob_due(struct store_conn *c, int64_t now_us, bool *ret_due) MUST_CHECK;

/* Writes: erases a bounded part of what has expired or was removed; *ret_more says whether to come
 * again. */
int store_blob_sweep(struct store_conn *c, int64_t now_us, bool *ret_more) MUST_CHECK;
