/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Looking for texts in a whole message: HEADER, BODY, TEXT. One pass over the octets for all texts
 * of a search, in pieces. What people would read is searched: header fields with their encoded
 * words decoded, text parts with transfer encoding and charset removed; other parts only by their
 * headers. Texts are compared as i;unicode-casemap has it (RFC 9051 section 6.4.4).
 */

#include "svc/imap/search.h"

#include "base/limit.h"
#include "mime/charset.h"
#include "mime/header.h"
#include "mime/structure.h"
#include "svc/imap/octets.h"

struct scan {
	const struct search *q;
	struct store_conn *conn;
	struct octets octets;
	bool *found;                             /* by slot */
	struct fold_finder finders[SEARCH_TEXTS];
};

static void scan_init(struct scan *s)
{
	for (unsigned i = 0; i < s->q->n_texts; i++) {
		const struct search_key *key = s->q->texts[i];

		/* RFC 9051 section 6.4.4: an empty string is in every text; in HEADER it asks
		 * whether there is the field. */
		s->found[i] = key->text.n == 0 && key->op != SEARCH_HEADER;
		fold_finder_init(&s->finders[i], key->text);
	}
}

static void scan_done(struct scan *s)
{
	for (unsigned i = 0; i < s->q->n_texts; i++)
		fold_finder_done(&s->finders[i]);
	octets_done(&s->octets);
}

/* Whether a text is still looked for in what comes: the message's own header, or behind it. */
static bool scan_wants(const struct scan *s, unsigned i, bool in_body)
{
	enum search_op op = s->q->texts[i]->op;

	if (s->found[i])
		return false;
	return in_body ? op != SEARCH_HEADER : op != SEARCH_BODY_TEXT;
}

static bool scan_wants_any(const struct scan *s, bool in_body)
{
	for (unsigned i = 0; i < s->q->n_texts; i++) {
		if (scan_wants(s, i, in_body))
			return true;
	}
	return false;
}

static void scan_text(struct scan *s, unsigned i, struct span text)
{
	fold_finder_feed(&s->finders[i], text);
	s->found[i] = fold_finder_end(&s->finders[i]);
}

static void scan_field(struct scan *s, const struct header_field *field, bool in_body)
{
	CLEANUP(buf_done) struct buf text = {};
	size_t name_n;

	buf_add(&text, field->name);
	buf_add(&text, SPAN(": "));
	name_n = buf_size(&text);
	search_decode(field->value, &text);
	for (unsigned i = 0; i < s->q->n_texts; i++) {
		const struct search_key *key = s->q->texts[i];

		if (!scan_wants(s, i, in_body))
			continue;
		if (key->op != SEARCH_HEADER)
			scan_text(s, i, buf_span(&text));
		else if (!span_equal_nocase(key->name, field->name))
			continue;
		else if (key->text.n == 0)
			s->found[i] = true;
		else
			scan_text(s, i, span_skip(buf_span(&text), name_n));
	}
}

static int scan_header(struct scan *s, uint64_t offset, uint64_t n, bool in_body)
{
	CLEANUP(buf_done) struct buf block = {};
	struct header_field field;
	struct span rest;
	unsigned n_fields = 0;

	TRY(octets_copy(&s->octets, s->conn, offset,
		n < LIMIT_HEADER_BLOCK ? n : LIMIT_HEADER_BLOCK, &block));
	rest = buf_span(&block);
	while (n_fields++ < LIMIT_HEADERS && header_next(&rest, &field))
		scan_field(s, &field, in_body);
	return 0;
}

static void scan_body_piece(struct scan *s, struct span utf8)
{
	for (unsigned i = 0; i < s->q->n_texts; i++) {
		if (scan_wants(s, i, true))
			fold_finder_feed(&s->finders[i], utf8);
	}
}

static void scan_body_end(struct scan *s)
{
	for (unsigned i = 0; i < s->q->n_texts; i++) {
		if (scan_wants(s, i, true))
			s->found[i] = fold_finder_end(&s->finders[i]);
	}
}

/* Text that does not say its charset, or one that is not known, is most likely UTF-8. */
static struct charset *part_charset(const struct part *part)
{
	struct span name = param_raw(part->params, part->n_params, "charset");
	struct charset *charset = name.n > 0 && !span_is_nocase(name, "us-ascii") ?
					  charset_new(name) : NULL;

	return charset ? charset : charset_new(SPAN("UTF-8"));
}

static int scan_body(struct scan *s, const struct part *part)
{
	CLEANUP(charset_freep) struct charset *charset = part_charset(part);
	CLEANUP(buf_done) struct buf plain = {}, utf8 = {};
	struct decoder decoder = { .encoding = part->encoding };
	uint64_t at = part->body_offset;

	while (at < part->end_offset) {
		struct span piece = {};

		TRY(octets_read(&s->octets, s->conn, at, part->end_offset - at, &piece));
		at += piece.n;
		decoder_feed(&decoder, piece, &plain);
		if (at == part->end_offset)
			decoder_end(&decoder, &plain);
		charset_feed(charset, buf_span(&plain), &utf8);
		if (at == part->end_offset)
			charset_end(charset, &utf8);
		scan_body_piece(s, buf_span(&utf8));
		buf_clear(&plain);
		buf_clear(&utf8);
	}
	scan_body_end(s);
	return 0;
}

static int scan_parts(struct scan *s, const struct part_tree *tree)
{
	for (uint32_t i = 0; i < tree->n && scan_wants_any(s, true); i++) {
		const struct part *part = &tree->parts[i];

		if (part->parent != PART_NONE)
			TRY(scan_header(s, part->header_offset,
				part->body_offset - part->header_offset, true));
		if (part->kind == PART_LEAF &&
			(span_is(part->type, "text") || span_is(part->type, "message")))
			TRY(scan_body(s, part));
	}
	return 0;
}

int search_scan(const struct search *q, struct store_conn *conn, const struct store_message *row,
	bool *found)
{
	CLEANUP(part_tree_freep) struct part_tree *tree = NULL;
	CLEANUP(scan_done) struct scan s = { .q = q, .conn = conn, .found = found };

	octets_set(&s.octets, row);
	scan_init(&s);
	TRY(structure_unpack(row->structure, &tree));
	if (scan_wants_any(&s, false))
		TRY(scan_header(&s, 0, tree->parts[0].body_offset, false));
	return scan_parts(&s, tree);
}
