/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The FETCH response for one message. Flags, UID and MODSEQ come from the view, which is what the
 * client has been told; the rest from the row, with ENVELOPE and BODYSTRUCTURE as they were made at
 * delivery. A section is a range of the message's octets: found in the structure, then copied piece
 * by piece, from the row where the body lies there, else from the store. So printing can stop at
 * (nearly) any octet and go on later, and a message takes no more memory than a piece.
 *
 * Octets go out as they came in, NULs too, although RFC 9051 has none in literals: clients that
 * count octets are fine with them, and a message that was changed has broken signatures.
 */

#include "svc/imap/fetch.h"

#include "mime/date.h"
#include "mime/header.h"
#include "svc/imap/print.h"

enum {
	/* Read for one call of fetch_message_print when nothing comes out of it (BINARY.SIZE). */
	READ_MAX = 4 << 20,
};

void fetch_message_begin(struct fetch_message *m, struct imap_command *c, const struct fetch *f,
	uint32_t position, const struct store_message *row)
{
	m->open = true;
	m->c = c;
	m->f = f;
	m->position = position;
	if (row) {
		m->row = *row;
		octets_set(&m->octets, row);
	}
	m->tree = part_tree_free(m->tree);
	m->begun = false;
	m->item = 0;
	m->phase = FETCH_ITEM;
}

static void keep_span(struct buf *kept, struct span *s)
{
	buf_add(kept, *s);
	s->p = kept->p + kept->end - s->n;
}

void fetch_message_keep(struct fetch_message *m)
{
	buf_clear(&m->kept);
	(void)buf_room(&m->kept, m->row.envelope.n + m->row.structure.n + 1);
	keep_span(&m->kept, &m->row.envelope);
	keep_span(&m->kept, &m->row.structure);
	m->octets.data = (struct span){};
}

void fetch_message_done(struct fetch_message *m)
{
	m->tree = part_tree_free(m->tree);
	buf_done(&m->kept);
	octets_done(&m->octets);
	buf_done(&m->plain);
}

static int message_tree(struct fetch_message *m)
{
	return m->tree ? 0 : structure_unpack(m->row.structure, &m->tree);
}

/* Cuts [*at, *at + *n) to what a partial asks for (RFC 9051 section 6.4.5: beyond the end there is
 * an empty string). */
static void partial_apply(const struct fetch_item *item, uint64_t *at, uint64_t *n)
{
	uint64_t skip;

	if (!item->partial)
		return;
	skip = item->offset < *n ? item->offset : *n;
	*at += skip;
	*n -= skip;
	if (*n > item->length)
		*n = item->length;
}

static void add_label(struct fetch_message *m, const struct fetch_item *item, struct buf *out)
{
	if (m->item > 0)
		buf_add_octet(out, ' ');
	buf_add(out, item->label);
	buf_add_octet(out, ' ');
}

static void add_literal(struct buf *out, uint64_t n)
{
	buf_add_octet(out, '{');
	buf_add_u64(out, n);
	buf_add(out, SPAN("}\r\n"));
}

static void add_modseq(struct buf *out, uint64_t modseq)
{
	buf_add_octet(out, '(');
	buf_add_u64(out, modseq);
	buf_add_octet(out, ')');
}

static void add_object_id(struct fetch_message *m, struct buf *out, char kind, int64_t id)
{
	buf_add_octet(out, '(');
	print_object_id(out, m->c->id_key, kind, m->c->owner, id);
	buf_add_octet(out, ')');
}

static void add_flags(struct fetch_message *m, struct buf *out)
{
	const struct view *v = m->c->view;
	uint64_t flags = v->flags[m->position];
	uint32_t recent_from = m->c->recent_from;

	/* This command is about to set it. */
	if (m->f->sets_seen)
		flags |= FLAG_SEEN;
	print_flags(out, flags, m->c->keywords, recent_from && v->uids[m->position] >= recent_from);
}

static int add_word(struct fetch_message *m, const struct fetch_item *item, struct buf *out)
{
	const struct view *v = m->c->view;

	add_label(m, item, out);
	switch (item->kind) {
	case FETCH_FLAGS:
		add_flags(m, out);
		break;
	case FETCH_UID:
		buf_add_u64(out, v->uids[m->position]);
		break;
	case FETCH_MODSEQ:
		add_modseq(out, v->modseqs[m->position]);
		break;
	case FETCH_INTERNALDATE:
		date_add_imap(out, m->row.received_us);
		break;
	case FETCH_SAVEDATE:
		date_add_imap(out, m->row.saved_us);
		break;
	case FETCH_SIZE:
		buf_add_u64(out, m->row.size);
		break;
	case FETCH_EMAILID:
		add_object_id(m, out, 'M', m->row.content);
		break;
	case FETCH_THREADID:
		add_object_id(m, out, 'T', m->row.thread);
		break;
	case FETCH_ENVELOPE:
		buf_add(out, m->row.envelope);
		break;
	default: /* BODY, BODYSTRUCTURE */
		TRY(message_tree(m));
		structure_add_imap(m->tree, item->kind == FETCH_BODYSTRUCTURE, out);
		break;
	}
	m->item++;
	return 0;
}

/* Where the item's section lies; false: there is none. */
static int find_section(struct fetch_message *m, const struct fetch_item *item, bool *ret_found,
	uint64_t *ret_at, uint64_t *ret_n)
{
	if (item->n_path == 0 && item->section == SECTION_BODY) {
		*ret_at = 0;
		*ret_n = m->row.size;
		*ret_found = true;
		return 0;
	}
	TRY(message_tree(m));
	*ret_found = structure_find(m->tree, item->path, item->n_path, item->section, ret_at,
		ret_n);
	return 0;
}

/* RFC 9051 section 9, nstring: a section that is not there. */
static int add_nil(struct fetch_message *m, struct buf *out)
{
	buf_add(out, SPAN("NIL"));
	m->item++;
	return 0;
}

static int begin_section(struct fetch_message *m, const struct fetch_item *item, struct buf *out)
{
	uint64_t at = 0, n = 0;
	bool found = false;

	TRY(find_section(m, item, &found, &at, &n));
	add_label(m, item, out);
	if (!found)
		return add_nil(m, out);
	partial_apply(item, &at, &n);
	add_literal(out, n);
	m->at = at;
	m->end = at + n;
	m->phase = FETCH_OCTETS;
	return 0;
}

static int add_octets(struct fetch_message *m, struct store_conn *conn, struct buf *out, size_t max)
{
	uint64_t n = m->end - m->at, room = max - buf_size(out);
	struct span octets = {};

	TRY(octets_read(&m->octets, conn, m->at, n < room ? n : room, &octets));
	buf_add(out, octets);
	m->at += octets.n;
	if (m->at < m->end)
		return 0;
	m->phase = FETCH_ITEM;
	m->item++;
	return 0;
}

/* HEADER.FIELDS, in one go: what is looked at of a header is bounded. */
static int add_fields(struct fetch_message *m, const struct fetch_item *item,
	struct store_conn *conn, struct buf *out)
{
	CLEANUP(buf_done) struct buf block = {};
	uint64_t at = 0, n = 0;
	bool found = false;

	TRY(find_section(m, item, &found, &at, &n));
	if (!found) {
		add_label(m, item, out);
		return add_nil(m, out);
	}
	if (n > LIMIT_HEADER_BLOCK)
		n = LIMIT_HEADER_BLOCK;
	TRY(octets_copy(&m->octets, conn, at, n, &block));
	buf_clear(&m->plain);
	header_select(buf_span(&block), item->fields, item->n_fields,
		item->kind == FETCH_FIELDS_NOT, &m->plain);
	at = 0;
	n = buf_size(&m->plain);
	partial_apply(item, &at, &n);
	add_label(m, item, out);
	add_literal(out, n);
	buf_add(out, span_head(span_skip(buf_span(&m->plain), at), n));
	m->item++;
	return 0;
}

static enum transfer_encoding item_encoding(struct fetch_message *m, const struct fetch_item *item)
{
	const struct part *part;

	/* Only leaves are encoded (RFC 2045 section 6.4); without a number it is the message. */
	if (item->n_path == 0)
		return ENCODING_BINARY;
	part = structure_part(m->tree, item->path, item->n_path);
	return part && part->kind == PART_LEAF ? part->encoding : ENCODING_BINARY;
}

/* BINARY and BINARY.SIZE: the part is decoded once to learn its length and whether it has NULs, and
 * for BINARY a second time to send it. */
static int begin_binary(struct fetch_message *m, const struct fetch_item *item, struct buf *out)
{
	uint64_t at = 0, n = 0;
	bool found = false;

	TRY(find_section(m, item, &found, &at, &n));
	m->decoder = (struct decoder){ .encoding = item_encoding(m, item) };
	if (m->decoder.encoding == ENCODING_UNKNOWN)
		m->unknown_encoding = true;
	if (!found || m->decoder.encoding == ENCODING_UNKNOWN) {
		add_label(m, item, out);
		if (item->kind == FETCH_BINARY)
			return add_nil(m, out);
		buf_add_octet(out, '0');
		m->item++;
		return 0;
	}
	m->start = m->at = at;
	m->end = at + n;
	m->n_plain = 0;
	m->has_nul = false;
	m->phase = FETCH_COUNTING;
	return 0;
}

/* Decodes the next piece into m->plain; *ret_end: it was the last. */
static int decode_piece(struct fetch_message *m, struct store_conn *conn, bool *ret_end)
{
	uint64_t n = m->end - m->at;
	struct span octets = {};

	if (n > CONTENT_PIECE)
		n = CONTENT_PIECE;
	TRY(octets_read(&m->octets, conn, m->at, n, &octets));
	buf_clear(&m->plain);
	decoder_feed(&m->decoder, octets, &m->plain);
	m->at += octets.n;
	if (m->at == m->end)
		decoder_end(&m->decoder, &m->plain);
	*ret_end = m->at == m->end;
	return 0;
}

static int count_piece(struct fetch_message *m, struct store_conn *conn, struct buf *out)
{
	const struct fetch_item *item = &m->f->items[m->item];
	bool end = false;
	struct span plain;

	TRY(decode_piece(m, conn, &end));
	plain = buf_span(&m->plain);
	m->has_nul |= plain.n > 0 && memchr(plain.p, 0, plain.n);
	m->n_plain += plain.n;
	if (!end)
		return 0;
	add_label(m, item, out);
	if (item->kind == FETCH_BINARY_SIZE) {
		buf_add_u64(out, m->n_plain);
		m->phase = FETCH_ITEM;
		m->item++;
		return 0;
	}
	m->skip = 0;
	m->take = m->n_plain;
	partial_apply(item, &m->skip, &m->take);
	/* RFC 3516 section 4.2: what holds a NUL must be a literal8. */
	if (m->has_nul)
		buf_add_octet(out, '~');
	add_literal(out, m->take);
	m->n_plain = 0;
	m->decoder = (struct decoder){ .encoding = m->decoder.encoding };
	m->phase = FETCH_DECODING;
	m->at = m->start;
	return 0;
}

static int add_decoded(struct fetch_message *m, struct store_conn *conn, struct buf *out)
{
	struct span plain;
	uint64_t before;
	bool end = false;

	TRY(decode_piece(m, conn, &end));
	plain = buf_span(&m->plain);
	before = m->skip < plain.n ? m->skip : plain.n;
	plain = span_head(span_skip(plain, before), m->take);
	m->skip -= before;
	m->take -= plain.n;
	buf_add(out, plain);
	if (m->take > 0 && !end)
		return 0;
	m->phase = FETCH_ITEM;
	m->item++;
	return 0;
}

static int begin_item(struct fetch_message *m, struct store_conn *conn, struct buf *out)
{
	const struct fetch_item *item = &m->f->items[m->item];

	switch (item->kind) {
	case FETCH_SECTION:
		return begin_section(m, item, out);
	case FETCH_FIELDS:
	case FETCH_FIELDS_NOT:
		return add_fields(m, item, conn, out);
	case FETCH_BINARY:
	case FETCH_BINARY_SIZE:
		return begin_binary(m, item, out);
	default:
		return add_word(m, item, out);
	}
}

static int message_step(struct fetch_message *m, struct store_conn *conn, struct buf *out,
	size_t max)
{
	switch (m->phase) {
	case FETCH_OCTETS:
		return add_octets(m, conn, out, max);
	case FETCH_COUNTING:
		return count_piece(m, conn, out);
	case FETCH_DECODING:
		return add_decoded(m, conn, out);
	default:
		return begin_item(m, conn, out);
	}
}

int fetch_message_print(struct fetch_message *m, struct store_conn *conn, struct buf *out,
	size_t max)
{
	unsigned n_pieces = 0;

	if (!m->begun) {
		m->begun = true;
		buf_add(out, SPAN("* "));
		buf_add_u64(out, m->position + 1);
		buf_add(out, SPAN(" FETCH ("));
	}
	while (m->item < m->f->n_items) {
		if (buf_size(out) >= max)
			return FETCH_E_MORE;
		if (m->phase == FETCH_COUNTING && n_pieces++ == READ_MAX / CONTENT_PIECE)
			return FETCH_E_MORE;
		TRY(message_step(m, conn, out, max));
	}
	buf_add(out, SPAN(")\r\n"));
	m->open = false;
	return 0;
}
