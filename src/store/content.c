/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Bodies as rows. Small ones are one row; large ones are pieces that were committed one by one
 * under the id of their upload, which the content's row takes over: nothing is copied when a
 * message is complete.
 *
 * Nothing counts references. Whoever takes a reference away puts the content on the garbage list,
 * and a content that no row refers to when its task ends goes there too; the sweeper (sweep.c)
 * looks at the list, so its work grows with what was removed and not with what is stored.
 */

#include "store/content.h"

#include "base/clock.h"
#include "store/conn.h"
#include "store/content_rows.h"
#include "store/pack.h"

#include <assert.h>
#include <errno.h>
#include <zstd.h>

int store_upload_begin(struct store_conn *c, int64_t *ret_upload)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	assert(c->writer);
	TRY(db_query_row(&q, &row, c->db, "insert into upload (created) values ($1) returning id",
		DB_ARGS(DB_INT(clock_now_us()))));
	*ret_upload = db_int(q, 0);
	return 0;
}

int store_upload_add(struct store_conn *c, int64_t upload, uint32_t number,
	const struct content_piece *piece)
{
	int64_t n_uploads;

	assert(c->writer);
	/* Its grace begins anew. One that was swept away would not take its pieces along again. */
	TRY(db_exec(c->db, &n_uploads, "update upload set created = $2 where id = $1",
		DB_ARGS(DB_INT(upload), DB_INT(clock_now_us()))));
	if (n_uploads != 1)
		return err_fault(ESTALE, "the upload was given up");
	TRY(db_exec(c->db, NULL,
		"insert into content_piece (upload, n, codec, data) values ($1, $2, $3, $4)",
		DB_ARGS(DB_INT(upload), DB_INT(number), DB_INT(piece->codec),
			DB_SPAN(buf_span(&piece->data)))));
	return 0;
}

static int upload_delete_rows(struct store_conn *c, int64_t upload)
{
	int64_t n;

	TRY(db_exec(c->db, &n, "delete from upload where id = $1", DB_ARGS(DB_INT(upload))));
	if (!n)
		return err_fault(EINVAL, "a content has taken the upload over");
	TRY(db_exec(c->db, NULL, "delete from content_piece where upload = $1",
		DB_ARGS(DB_INT(upload))));
	return 0;
}

int store_upload_erase(struct store_conn *c, int64_t upload)
{
	c->has_erased = true;
	db_erase(c->db);
	return upload_delete_rows(c, upload);
}

/* The pieces become the content's: the upload is not one any more. */
static int upload_link(struct store_conn *c, const struct content_draft *d)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	uint64_t n_pieces = (d->size + CONTENT_PIECE - 1) / CONTENT_PIECE;
	int64_t n_uploads;
	bool row;

	TRY(db_exec(c->db, &n_uploads, "delete from upload where id = $1",
		DB_ARGS(DB_INT(d->upload))));
	TRY(db_query_row(&q, &row, c->db,
		"select count(*), coalesce(max(n), 0) from content_piece where upload = $1",
		DB_ARGS(DB_INT(d->upload))));
	if (n_uploads != 1 || (uint64_t)db_int(q, 0) != n_pieces ||
		(uint64_t)db_int(q, 1) + 1 != n_pieces)
		return err_fault(EINVAL, "the upload is not complete");
	return 0;
}

int store_content_add(struct store_conn *c, const struct content_draft *d, int64_t *ret_content)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	assert(c->writer);
	TRY(content_settle(c));
	if (d->upload)
		TRY(upload_link(c, d));
	TRY(db_query_row(&q, &row, c->db,
		"insert into content (size, codec, upload, sent, created, sha256, refs, envelope,"
		" structure, data) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning id",
		DB_ARGS(DB_INT(d->size), DB_INT(d->codec), DB_INT(d->upload), DB_INT(d->sent_us),
			DB_INT(clock_now_us()), DB_SPAN(span_of(d->sha256, sizeof d->sha256)),
			DB_SPAN(buf_span(&d->references_text)), DB_SPAN(buf_span(&d->envelope)),
			DB_SPAN(buf_span(&d->structure)), DB_SPAN(buf_span(&d->data)))));
	*ret_content = c->loose_content = db_int(q, 0);
	return 0;
}

int content_settle(struct store_conn *c)
{
	int64_t content = c->loose_content;

	c->loose_content = 0;
	return content ? content_released(c, content, clock_now_us()) : 0;
}

void content_used(struct store_conn *c, int64_t content)
{
	if (c->loose_content == content)
		c->loose_content = 0;
}

int content_released(struct store_conn *c, int64_t content, int64_t now_us)
{
	TRY(db_exec(c->db, NULL,
		"insert into garbage (since, content) values ($1, $2) on conflict do nothing",
		DB_ARGS(DB_INT(now_us), DB_INT(content))));
	return 0;
}

static int holders(struct store_conn *c, int64_t content, size_t *ret_n)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select (select count(*) from message where content = $1)"
		" + (select count(*) from queue where content = $1)",
		DB_ARGS(DB_INT(content))));
	*ret_n = (size_t)db_int(q, 0);
	return 0;
}

/* Not the newest content: its id would be given again, and clients keep ids. */
static int content_delete_rows(struct store_conn *c, int64_t content)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int64_t upload;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"delete from content where id = $1 and id < (select max(id) from content)"
		" returning upload",
		DB_ARGS(DB_INT(content))));
	if (!row)
		return err_fault(EINVAL, "the newest body was to be erased");
	upload = db_int(q, 0);
	db_reset(TAKE(q));
	if (upload)
		TRY(db_exec(c->db, NULL, "delete from content_piece where upload = $1",
			DB_ARGS(DB_INT(upload))));
	return 0;
}

int content_erase(struct store_conn *c, int64_t content, size_t *ret_n_holders)
{
	TRY(holders(c, content, ret_n_holders));
	if (*ret_n_holders)
		return 0;
	c->has_erased = true;
	db_erase(c->db);
	return content_delete_rows(c, content);
}

void content_unpack_end(struct store_conn *c)
{
	(void)ZSTD_freeDCtx(c->unpack);
	c->unpack = NULL;
}

int content_unpack(struct store_conn *c, unsigned codec, struct span stored, uint64_t size,
	struct buf *out)
{
	size_t n;

	if (size > CONTENT_INLINE)
		return err_fault(EBADMSG, "size of a stored body");
	if (codec == PACK_NONE && stored.n == size) {
		buf_add(out, stored);
		return 0;
	}
	if (codec != PACK_ZSTD)
		return err_fault(EBADMSG, "stored body");
	if (!c->unpack)
		c->unpack = ZSTD_createDCtx();
	n = ZSTD_decompressDCtx(c->unpack, buf_room(out, size), size, stored.p, stored.n);
	if (ZSTD_isError(n) || n != size)
		return err_fault(EBADMSG, "compressed body");
	buf_added(out, n);
	return 0;
}

/* One piece (or inline body), of which octets from `from` on are wanted, at most n. */
static int read_part(struct store_conn *c, struct db_statement *q, uint64_t size, uint64_t from,
	uint64_t n, struct buf *out)
{
	CLEANUP(buf_done) struct buf whole = {};
	unsigned codec = (unsigned)db_int(q, 0);

	if (codec == PACK_NONE && db_blob(q, 1).n == size) {
		buf_add(out, span_head(span_skip(db_blob(q, 1), from), n));
		return 0;
	}
	TRY(content_unpack(c, codec, db_blob(q, 1), size, &whole));
	buf_add(out, span_head(span_skip(buf_span(&whole), from), n));
	return 0;
}

static int read_inline(struct store_conn *c, int64_t content, uint64_t size, uint64_t from,
	uint64_t n, struct buf *out)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select codec, data from content where id = $1",
		DB_ARGS(DB_INT(content))));
	if (!row)
		return STORE_E_NOT_FOUND;
	return read_part(c, q, size, from, n, out);
}

static int read_pieces(struct store_conn *c, int64_t upload, uint64_t size, uint64_t from,
	uint64_t n, struct buf *out)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	uint64_t number = from / CONTENT_PIECE;
	bool row;

	TRY(db_query(&q, c->db,
		"select codec, data from content_piece where upload = $1 and n >= $2 order by n",
		DB_ARGS(DB_INT(upload), DB_INT(number))));
	for (; n > 0; number++) {
		uint64_t start = number * CONTENT_PIECE;
		uint64_t piece = size - start < CONTENT_PIECE ? size - start : CONTENT_PIECE;
		uint64_t take = piece - (from - start) < n ? piece - (from - start) : n;

		TRY(db_step(q, &row));
		if (!row)
			return err_fault(EBADMSG, "a piece of a body is missing");
		TRY(read_part(c, q, piece, from - start, take, out));
		from += take;
		n -= take;
	}
	return 0;
}

int store_upload_read(struct store_conn *c, int64_t upload, uint64_t size, uint64_t offset,
	uint64_t n, struct buf *out)
{
	if (offset >= size)
		return 0;
	return read_pieces(c, upload, size, offset, n < size - offset ? n : size - offset, out);
}

int store_content_read(struct store_conn *c, int64_t content, uint64_t offset, uint64_t n,
	struct buf *out)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	uint64_t size;
	bool row;

	assert(n <= CONTENT_INLINE);
	TRY(db_query_row(&q, &row, c->db, "select size, upload from content where id = $1",
		DB_ARGS(DB_INT(content))));
	if (!row)
		return STORE_E_NOT_FOUND;
	size = (uint64_t)db_int(q, 0);
	if (offset >= size)
		return 0;
	if (n > size - offset)
		n = size - offset;
	if (db_int(q, 1))
		return read_pieces(c, db_int(q, 1), size, offset, n, out);
	return read_inline(c, content, size, offset, n, out);
}
