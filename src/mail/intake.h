/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * A message on its way in, from SMTP DATA or BDAT or IMAP APPEND: octets arrive in pieces and are
 * parsed, digested and, beyond CONTENT_INLINE, staged in the store piece by piece, so memory stays
 * bounded whatever the size. At the end there is a content_draft, ready for the final transaction.
 */

#include "store/content.h"

struct intake;
struct message_facts; /* mime/part.h */
struct part_tree;
struct store;
struct store_conn;

enum intake_outcome {
	INTAKE_E_FLUSH = 1, /* intake_flush must run on the store's writer before the next add */
	INTAKE_E_TOO_LARGE, /* over max; the intake swallows the rest and stays at this answer */
};

/* max: octets of the whole message. */
struct intake *intake_new(uint64_t max);
struct intake *intake_free(struct intake *in);
CLEANUP_POINTER(struct intake, intake_free)

/* Before the first add: it goes to the store in pieces however small it is, so that what stays in
 * memory is small. */
void intake_stage(struct intake *in);

/* Takes all of data. INTAKE_E_FLUSH is an answer to accepted data, not a refusal. */
int intake_add(struct intake *in, struct span data) MUST_CHECK;

/* Writes, in a task of its own: what waits goes to the store. */
int intake_flush(struct intake *in, struct store_conn *c) MUST_CHECK;

/* The end: the draft and what the parser saw (valid as long as the intake). Takes about 20 us per
 * 4 KiB; for larger messages call it on env->cpu. If the answer is INTAKE_E_FLUSH, flush and call
 * again. */
int intake_end(struct intake *in, struct content_draft **ret_draft) MUST_CHECK;

/* The same without the draft, whose packing is most of the time, for a message that may be stored
 * in another form instead; intake_end can follow. */
int intake_end_parsing(struct intake *in) MUST_CHECK;

/* The same as intake_add, intake_flush and intake_end, for a thread that may wait: what is to be
 * flushed is, in short transactions, so no more than a step of the octets is in memory twice. */
int intake_feed(struct intake *in, struct store *store, struct span octets) MUST_CHECK;
int intake_finish(struct intake *in, struct store *store,
	struct content_draft **ret_draft) MUST_CHECK;

const struct message_facts *intake_facts(const struct intake *in);
uint64_t intake_size(const struct intake *in);

/* The message's front: all of an inline one, else its first 64 KiB. Valid as long as the intake. */
struct span intake_head(const struct intake *in);

/* After the end: the structure, and all octets of the message or n of them from an offset on (fewer
 * only at its end), read from the store where they are there; appended. Valid as long as the
 * intake. */
const struct part_tree *intake_tree(const struct intake *in);
int intake_read(const struct intake *in, struct store_conn *c, struct buf *out) MUST_CHECK;
int intake_read_part(const struct intake *in, struct store_conn *c, uint64_t offset, uint64_t n,
	struct buf *out) MUST_CHECK;

/* Whether nothing of it is in the store: intake_head is all, and intake_read needs no connection.
 */
bool intake_in_memory(const struct intake *in);

/* After intake_end: gives up everything but the draft, and returns the octets of memory that this
 * takes. */
size_t intake_keep_draft(struct intake *in);

/* After the end: the upload that holds the message in the store; 0: none. */
int64_t intake_upload(const struct intake *in);
