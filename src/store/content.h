/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Bodies. A content is one message's octets with what was found by parsing them: envelope and
 * structure, so that listing never parses. It is shared by all rows that are copies of it and never
 * changes. Bodies up to CONTENT_INLINE octets lie in the content's row; larger ones arrive in
 * pieces, each committed on its own, and are linked by the short final transaction. There are no
 * reference counts: what nothing refers to is swept after a day.
 */

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"

struct store_conn;

enum {
	CONTENT_INLINE = 1 << 20, /* octets; larger bodies are uploaded in pieces */
	CONTENT_PIECE = 256 << 10, /* octets of one piece, before compression; all but the last */
};

/* Everything of a content that can be made before the transaction, on any thread. */
struct content_draft {
	uint64_t size;
	uint8_t sha256[SHA256_OCTETS];
	int64_t upload;            /* 0: inline */
	unsigned codec;
	struct buf data;           /* inline octets as stored */
	struct buf envelope;       /* mime/envelope text */
	struct buf structure;      /* mime/structure, packed */
	/* For threads and searches: hashes of the message's own id and of those it refers to. */
	uint64_t message_id_hash;  /* 0: none */
	size_t n_references;
	uint64_t references[100];
	int64_t sent_us;           /* Date:, or 0 */
	struct buf references_text; /* the References ids, one per LF: THREAD=REFERENCES */
};

void content_draft_done(struct content_draft *d);

/* Takes a body of at most CONTENT_INLINE octets in: compresses where it saves an eighth (zstd level
 * 1, above 1 KiB), digests. envelope, structure and ids are the caller's to fill (mail/intake). */
void content_draft_set_inline(struct content_draft *d, struct span octets);

/* A piece as it is stored; pure, any thread. */
struct content_piece {
	unsigned codec;
	struct buf data;
};
void content_piece_make(struct content_piece *piece, struct span octets);

/* Writes: uploads, each call in a task of its own. number counts from 0. */
int store_upload_begin(struct store_conn *c, int64_t *ret_upload) MUST_CHECK;
int store_upload_add(struct store_conn *c, int64_t upload, uint32_t number,
	const struct content_piece *piece) MUST_CHECK;

/* Reads octets [offset, offset + n) of an upload that has `size` of them and is complete, and appends
 * them. */
int store_upload_read(struct store_conn *c, int64_t upload, uint64_t size, uint64_t offset, uint64_t n,
	struct buf *out) MUST_CHECK;

/* Writes: an upload that no content has taken over goes at once, and is overwritten. */
int store_upload_erase(struct store_conn *c, int64_t upload) MUST_CHECK;

/* Writes: makes the content; its id. The draft's upload is linked. */
int store_content_add(struct store_conn *c, const struct content_draft *d, int64_t *ret_content)
	MUST_CHECK;

/* Reads octets [offset, offset + n) and appends them; fewer only at the end. At most CONTENT_INLINE
 * at a time. STORE_E_NOT_FOUND. */
int store_content_read(struct store_conn *c, int64_t content, uint64_t offset, uint64_t n,
	struct buf *out) MUST_CHECK;

/* Writes: removes a bounded number of contents and uploads that nothing refers to and that are older
 * than the grace; *ret_more says whether to come again. */
int store_content_sweep(struct store_conn *c, int64_t now_us, int64_t grace_us, bool *ret_more)
	MUST_CHECK;
