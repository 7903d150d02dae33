/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A message on its way in. Up to CONTENT_INLINE octets stay in memory and become an inline draft at
 * the end. With the first octet beyond, what is there is cut into pieces, and from then on no more
 * than one read's worth and one piece waits. Parsing follows the octets as they come; only the
 * final packing is left for the end.
 *
 * A flush runs on the store's writer, where a task may be run again or its commit may fail, so it
 * changes nothing but `next_upload` and `flushed`; what it wrote is let go at the next call here.
 */

#include "mail/intake.h"

#include "base/alloc.h"
#include "mime/message_id.h"
#include "mime/part.h"
#include "mime/structure.h"
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* Octets of the message's front that are kept of a large one, for delivery status notifications. */
enum { HEAD_KEPT = 64 << 10 };

/* Octets that intake_feed takes at a time: a transaction for each step of a large message. */
enum { FEED_STEP = 4 * CONTENT_PIECE };

struct piece {
	struct piece *next;
	struct content_piece stored;
};

struct intake {
	uint64_t max;
	uint64_t size;
	bool too_large;
	bool large; /* in pieces */
	bool packed;
	struct buf waiting;    /* inline: everything; large: less than a piece */
	struct buf head;       /* large: the front */
	struct digest *digest; /* large */
	struct piece *pieces;  /* made, to be flushed; in order */
	struct piece **pieces_end;
	uint32_t n_flushed; /* number of the first of them */
	int64_t upload;
	int64_t next_upload; /* by a flush, until it is known to be committed */
	bool flushed;
	struct part_parser *parser;
	struct part_tree *tree;
	struct content_draft draft;
};

struct intake *intake_new(uint64_t max)
{
	struct intake *in = ALLOC(struct intake);

	in->max = max;
	in->parser = part_parser_new();
	in->pieces_end = &in->pieces;
	return in;
}

static void drop_pieces(struct intake *in)
{
	while (in->pieces) {
		struct piece *piece = in->pieces;

		in->pieces = piece->next;
		buf_done(&piece->stored.data);
		free(piece);
	}
	in->pieces_end = &in->pieces;
}

struct intake *intake_free(struct intake *in)
{
	if (in) {
		drop_pieces(in);
		buf_done(&in->waiting);
		buf_done(&in->head);
		digest_free(in->digest);
		part_parser_free(in->parser);
		part_tree_free(in->tree);
		content_draft_done(&in->draft);
		free(in);
	}
	return NULL;
}

/* What a flush has written is committed by now. */
static void settle(struct intake *in)
{
	if (!in->flushed)
		return;
	for (struct piece *piece = in->pieces; piece; piece = piece->next)
		in->n_flushed++;
	drop_pieces(in);
	in->upload = in->next_upload;
	in->flushed = false;
}

static void make_piece(struct intake *in, size_t n)
{
	struct piece *piece = ALLOC(struct piece);

	content_piece_make(&piece->stored, span_head(buf_span(&in->waiting), n));
	*in->pieces_end = piece;
	in->pieces_end = &piece->next;
	buf_take(&in->waiting, n);
}

/* The message outgrew CONTENT_INLINE: from here on it is digested and cut as it comes. */
static void become_large(struct intake *in)
{
	in->large = true;
	in->digest = digest_new();
	digest_add(in->digest, buf_span(&in->waiting));
	buf_add(&in->head, span_head(buf_span(&in->waiting), HEAD_KEPT));
}

void intake_stage(struct intake *in)
{
	assert(in->size == 0);
	become_large(in);
}

int intake_add(struct intake *in, struct span data)
{
	settle(in);
	if (in->too_large || data.n > in->max - in->size) {
		in->too_large = true;
		drop_pieces(in);
		buf_done(&in->waiting);
		return INTAKE_E_TOO_LARGE;
	}
	in->size += data.n;
	part_parser_feed(in->parser, data);
	buf_add(&in->waiting, data);
	if (in->large)
		digest_add(in->digest, data);
	else if (in->size > CONTENT_INLINE)
		become_large(in);
	if (!in->large)
		return 0;
	while (buf_size(&in->waiting) >= CONTENT_PIECE)
		make_piece(in, CONTENT_PIECE);
	return in->pieces ? INTAKE_E_FLUSH : 0;
}

int intake_flush(struct intake *in, struct store_conn *c)
{
	uint32_t number = in->n_flushed;

	in->next_upload = in->upload;
	if (!in->next_upload)
		TRY(store_upload_begin(c, &in->next_upload));
	for (const struct piece *piece = in->pieces; piece; piece = piece->next)
		TRY(store_upload_add(c, in->next_upload, number++, &piece->stored));
	in->flushed = true;
	return 0;
}

/* RFC 5256 section 3: References, else the first id of In-Reply-To. */
static void set_references(struct content_draft *d, const struct message_facts *facts)
{
	const struct span *ids = facts->references;
	size_t n = facts->n_references;

	if (n == 0 && facts->in_reply_to.n) {
		ids = &facts->in_reply_to;
		n = 1;
	}
	for (size_t i = 0; i < n; i++) {
		d->references[d->n_references++] = message_id_hash(ids[i]);
		if (i)
			buf_add_octet(&d->references_text, '\n');
		buf_add(&d->references_text, ids[i]);
	}
}

static void describe(struct content_draft *d, const struct part_tree *tree)
{
	_Static_assert(FACTS_REFERENCES <= sizeof d->references / sizeof d->references[0],
		"as many references as the parser keeps");

	buf_add(&d->envelope, tree->envelope);
	structure_pack(tree, &d->structure);
	d->message_id_hash = message_id_hash(tree->facts.message_id);
	set_references(d, &tree->facts);
	if (tree->facts.has_date)
		d->sent_us = tree->facts.sent_us;
}

int intake_end_parsing(struct intake *in)
{
	settle(in);
	if (in->too_large)
		return INTAKE_E_TOO_LARGE;
	if (!in->tree) {
		part_parser_end(in->parser, &in->tree);
		describe(&in->draft, in->tree);
		if (in->large) {
			digest_end(in->digest, in->draft.sha256);
			if (buf_size(&in->waiting))
				make_piece(in, buf_size(&in->waiting));
		}
		in->draft.size = in->size;
	}
	return in->pieces ? INTAKE_E_FLUSH : 0;
}

int intake_end(struct intake *in, struct content_draft **ret_draft)
{
	int r = intake_end_parsing(in);

	if (r)
		return r;
	if (!in->large && !in->packed)
		content_draft_set_inline(&in->draft, buf_span(&in->waiting));
	in->packed = true;
	in->draft.upload = in->upload;
	*ret_draft = &in->draft;
	return 0;
}

static int flush(struct store_conn *c, void *arg)
{
	return intake_flush(arg, c);
}

int intake_feed(struct intake *in, struct store *store, struct span octets)
{
	int r = 0;

	while (octets.n && r == 0) {
		r = intake_add(in, span_head(octets, FEED_STEP));
		octets = span_skip(octets, FEED_STEP);
		if (r == INTAKE_E_FLUSH)
			r = store_write(store, flush, in);
	}
	return r;
}

int intake_finish(struct intake *in, struct store *store, struct content_draft **ret_draft)
{
	int r = intake_end(in, ret_draft);

	if (r != INTAKE_E_FLUSH)
		return r;
	TRY(store_write(store, flush, in));
	return intake_end(in, ret_draft);
}

size_t intake_keep_draft(struct intake *in)
{
	const struct content_draft *d = &in->draft;

	buf_done(&in->waiting);
	buf_done(&in->head);
	in->tree = part_tree_free(in->tree);
	return buf_size(&d->data) + buf_size(&d->envelope) + buf_size(&d->structure) +
	       buf_size(&d->references_text) + sizeof *in;
}

int64_t intake_upload(const struct intake *in)
{
	return in->upload;
}

const struct message_facts *intake_facts(const struct intake *in)
{
	return &in->tree->facts;
}

uint64_t intake_size(const struct intake *in)
{
	return in->size;
}

struct span intake_head(const struct intake *in)
{
	return buf_span(in->large ? &in->head : &in->waiting);
}

const struct part_tree *intake_tree(const struct intake *in)
{
	return in->tree;
}

bool intake_in_memory(const struct intake *in)
{
	return !in->large;
}

int intake_read_part(const struct intake *in, struct store_conn *c, uint64_t offset, uint64_t n,
	struct buf *out)
{
	struct span all = buf_span(&in->waiting);

	if (in->large)
		return store_upload_read(c, in->upload, in->size, offset, n, out);
	all = span_skip(all, offset < all.n ? (size_t)offset : all.n);
	buf_add(out, span_head(all, n < all.n ? (size_t)n : all.n));
	return 0;
}

int intake_read(const struct intake *in, struct store_conn *c, struct buf *out)
{
	return intake_read_part(in, c, 0, in->size, out);
}
