/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Files that accounts upload for messages that they compose (store/blob_rows.h): received piece by
 * piece, read, erased. What an account may have at a time is decided here.
 */

#include "store/blob_rows.h"

struct env;

enum {
	BLOBS_MAX = 200,    /* of an account */
	BLOBS_OPEN_MAX = 4, /* that it sends at a time */
	BLOBS_MESSAGES =
		4, /* of the largest messages (message_max) that all of them are as large as */
};

/* One that is being received; used by one thread at a time. */
struct blob_upload;

enum blob_outcome {
	BLOB_E_TOO_LARGE = 1, /* over message_max */
	BLOB_E_TOO_MUCH,      /* number or octets of an account's blobs */
	BLOB_E_BUSY,          /* too many at a time */
	BLOB_E_QUOTA,
	BLOB_E_GONE, /* there is no such blob (any more) */
};

/* size: octets, 0 where it is not known. Each with why. All block but blob_upload_free. */
int blob_upload_new(struct blob_upload **ret_upload, struct env *e, int64_t account,
	struct span type, uint64_t size, struct why *why) MUST_CHECK;

/* A piece of CONTENT_PIECE octets. */
int blob_upload_add(struct blob_upload *u, struct span piece, struct why *why) MUST_CHECK;

/* What is left, fewer than CONTENT_PIECE octets; type in *ret_blob is valid as long as u. */
int blob_upload_end(struct blob_upload *u, struct span rest, struct store_blob *ret_blob,
	struct why *why) MUST_CHECK;

/* One that was not ended is given up, and erased soon. */
struct blob_upload *blob_upload_free(struct blob_upload *u);
CLEANUP_POINTER(struct blob_upload, blob_upload_free)

/* What is known of it; type in the arena. GONE. */
int blob_look(struct env *e, struct arena *a, int64_t account, int64_t id,
	struct store_blob *ret_blob) MUST_CHECK;

/* Its octets, appended, with room for no more than them. GONE. */
int blob_read(struct env *e, int64_t account, int64_t id, struct buf *out) MUST_CHECK;

/* It is not there any more, and is erased. GONE. */
int blob_remove(struct env *e, int64_t account, int64_t id) MUST_CHECK;

/* Erases one that was removed; not there: nothing to do. Blocks. */
int blob_erase(struct env *e, int64_t id) MUST_CHECK;

/* Erases a bounded part of all that has expired or was removed; *ret_more: come again. Blocks. */
int blobs_erase_some(struct env *e, bool *ret_more) MUST_CHECK;
