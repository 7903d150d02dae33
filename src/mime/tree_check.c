/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Checks shared by the tests, the vectors and the fuzz targets. They are assertions, so that a
 * fuzzer sees a broken promise as a crash.
 */

#include "mime/tree_check.h"

#include "base/alloc.h"
#include "base/limit.h"
#include "mime/envelope.h"
#include "mime/structure.h"

#include <assert.h>
#include <stdlib.h>

/* Takes an IMAP string, number or NIL; false if there is none. */
static bool take_atom(struct span *s)
{
	uint64_t n;

	if (s->n && s->p[0] == '"') {
		size_t i = 1;

		while (i < s->n && s->p[i] != '"') {
			if (s->p[i] == '\r' || s->p[i] == '\n' || s->p[i] == 0 || s->p[i] >= 0x80)
				return false;
			i += s->p[i] == '\\' ? 2 : 1;
		}
		if (i >= s->n)
			return false;
		*s = span_skip(*s, i + 1);
		return true;
	}
	if (s->n && s->p[0] == '{') {
		struct span rest = span_skip(*s, 1);

		if (!span_to_u64(span_cut(&rest, '}'), rest.n, &n) ||
			!span_starts(rest, SPAN("\r\n")))
			return false;
		rest = span_skip(rest, 2);
		if (n > rest.n || span_find(span_head(rest, (size_t)n), 0) < n)
			return false;
		*s = span_skip(rest, (size_t)n);
		return true;
	}
	if (span_starts(*s, SPAN("NIL"))) {
		*s = span_skip(*s, 3);
		return true;
	}
	if (s->n == 0 || !octet_is_digit(s->p[0]))
		return false;
	while (s->n && octet_is_digit(s->p[0]))
		*s = span_skip(*s, 1);
	return true;
}

bool tree_check_is_imap(struct span text)
{
	size_t depth = 0;
	bool list =
		false; /* the last thing was a list: bodies stand side by side without a space */

	do {
		if (text.n && text.p[0] == '(') {
			depth++;
			list = false;
			text = span_skip(text, 1);
			continue;
		}
		if (text.n && text.p[0] == ')') {
			depth--;
			list = true;
			text = span_skip(text, 1);
		} else {
			if (list || !take_atom(&text))
				return false;
		}
		if (depth && text.n && text.p[0] == ' ') {
			text = span_skip(text, 1);
			list = false;
			if (text.n == 0 || text.p[0] == ')')
				return false;
		} else if (depth && (text.n == 0 || (text.p[0] != ')' && !list))) {
			return false;
		}
	} while (depth);
	return text.n == 0;
}

static void check_part(const struct part_tree *t, uint32_t i, uint64_t size)
{
	const struct part *part = &t->parts[i];
	const struct part *parent = i ? &t->parts[part->parent] : NULL;
	uint64_t behind = part->body_offset;
	uint32_t n = 0;

	assert(part->header_offset <= part->body_offset && part->body_offset <= part->end_offset);
	assert(part->end_offset <= size);
	assert(part->header_lines <= part->body_offset - part->header_offset);
	assert(part->body_lines <= part->end_offset - part->body_offset);
	assert(part->type.n && part->subtype.n && part->depth <= LIMIT_MIME_DEPTH);
	assert(i == 0 || (part->parent < i && part->depth == parent->depth + 1));
	for (uint32_t c = part->first_child; c != PART_NONE; c = t->parts[c].next) {
		const struct part *child = &t->parts[c];

		assert(c > i && c < t->n && child->parent == i && child->header_offset >= behind);
		behind = child->end_offset;
		n++;
	}
	assert(behind <= part->end_offset);
	assert(part->kind != PART_LEAF || n == 0);
	assert(part->kind != PART_MULTIPART || n >= 1);
	assert(part->kind != PART_MESSAGE || n == 1);
	assert((part->kind == PART_MESSAGE) == (part->envelope.n != 0));
	if (part->kind == PART_MESSAGE) {
		const struct part *child = &t->parts[part->first_child];

		assert(child->header_offset == part->body_offset);
		assert(child->end_offset == part->end_offset);
	}
}

static void check_envelope(struct span text)
{
	struct arena arena = {};
	struct envelope e;

	assert(tree_check_is_imap(text));
	assert(envelope_parse(text, &arena, &e) == 0);
	arena_done(&arena);
}

static void check_sections(const struct part_tree *t, uint64_t size)
{
	static const uint32_t paths[][3] = { { 1, 1, 1 }, { 1, 2, 1 }, { 2, 1, 1 }, { 2, 2, 2 } };

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		for (size_t n = 0; n <= 3; n++) {
			for (int s = SECTION_BODY; s <= SECTION_MIME; s++) {
				uint64_t offset, length;

				if (structure_find(
					    t, paths[i], n, (enum section)s, &offset, &length))
					assert(offset <= size && length <= size - offset);
			}
		}
	}
}

void tree_check(const struct part_tree *t, uint64_t size)
{
	struct buf packed = {}, again = {}, text = {};
	struct part_tree *back = NULL;

	assert(t->n >= 1 && t->n <= LIMIT_MIME_PARTS);
	assert(t->parts[0].header_offset == 0 && t->parts[0].end_offset == size);
	for (uint32_t i = 0; i < t->n; i++) {
		check_part(t, i, size);
		if (t->parts[i].kind == PART_MESSAGE)
			check_envelope(t->parts[i].envelope);
	}
	if (t->envelope.n)
		check_envelope(t->envelope);
	check_sections(t, size);

	structure_pack(t, &packed);
	assert(structure_unpack(buf_span(&packed), &back) == 0);
	structure_pack(back, &again);
	assert(span_equal(buf_span(&packed), buf_span(&again)));
	buf_clear(&again);

	structure_add_imap(t, true, &text);
	structure_add_imap(back, true, &again);
	assert(tree_check_is_imap(buf_span(&text)));
	assert(span_equal(buf_span(&text), buf_span(&again)));
	buf_clear(&text);
	structure_add_imap(t, false, &text);
	assert(tree_check_is_imap(buf_span(&text)));

	part_tree_free(back);
	buf_done(&packed);
	buf_done(&again);
	buf_done(&text);
}

static void check_same(const struct part_tree *a, const struct part_tree *b)
{
	const struct message_facts *x = &a->facts, *y = &b->facts;
	struct buf packed = {}, other = {};

	structure_pack(a, &packed);
	structure_pack(b, &other);
	assert(span_equal(buf_span(&packed), buf_span(&other)));
	buf_done(&packed);
	buf_done(&other);
	assert(span_equal(a->envelope, b->envelope));
	assert(span_equal(x->message_id, y->message_id));
	assert(span_equal(x->base_subject, y->base_subject));
	assert(x->n_references == y->n_references && x->n_received == y->n_received);
	assert(x->n_delivered_to == y->n_delivered_to && x->sent_us == y->sent_us);
	assert(x->header_has_8bit == y->header_has_8bit);
}

struct part_tree *tree_check_message(struct span message, unsigned seed, size_t cut)
{
	struct part_tree *whole = part_parse(message), *pieces;
	struct part_parser *p;
	struct span rest = message;

	tree_check(whole, message.n);
	if (cut == 0)
		return whole;
	p = part_parser_new();
	while (rest.n) {
		struct span piece;
		uint8_t *copy;

		seed = seed * 1103515245 + 12345;
		piece = span_head(rest, 1 + (seed >> 8) % cut);
		/* A copy of its own, so that reading behind a piece is seen. */
		copy = alloc_array(NULL, piece.n, 1);
		memcpy(copy, piece.p, piece.n);
		part_parser_feed(p, span_of(copy, piece.n));
		free(copy);
		rest = span_skip(rest, piece.n);
	}
	part_parser_end(p, &pieces);
	part_parser_free(p);
	check_same(whole, pieces);
	part_tree_free(pieces);
	return whole;
}
