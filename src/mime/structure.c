/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The packed form is a version, the number of parts, and the parts in document order: each its
 * kind, its depth (which with the order is the shape of the tree), its extents as distances from
 * where it could begin at the earliest, its line counts, and its texts behind a bit set that says
 * which are there. A typical message takes some sixty octets. Reading it back checks all that
 * part.h promises, so whoever holds a tree need not ask where it came from.
 *
 * Rendering walks the tree by its links, without recursion.
 */

#include "mime/structure.h"

#include "base/alloc.h"
#include "base/limit.h"
#include "mime/envelope.h"

enum { STRUCTURE_VERSION = 1 };

/* The texts that most parts do not have, in the order of their bits. */
static const size_t texts[] = {
	offsetof(struct part, encoding_text),
	offsetof(struct part, id),
	offsetof(struct part, description),
	offsetof(struct part, md5),
	offsetof(struct part, disposition),
	offsetof(struct part, language),
	offsetof(struct part, location),
	offsetof(struct part, envelope),
};

enum {
	N_TEXTS = sizeof texts / sizeof *texts,
	BIT_PARAMS = 1 << N_TEXTS,
	BIT_DISPOSITION_PARAMS = 2 << N_TEXTS,
};

static struct span *text_of(struct part *part, int i)
{
	return (struct span *)(void *)((uint8_t *)part + texts[i]);
}

/* Where a part can begin at the earliest: behind its elder brother, else where its parent's body
 * does. */
struct places {
	uint64_t at[LIMIT_MIME_DEPTH + 2]; /* by depth */
};

static void pack_text(struct buf *out, struct span s)
{
	buf_add_varint(out, s.n);
	buf_add(out, s);
}

static void pack_params(struct buf *out, const struct param *params, size_t n)
{
	if (n == 0)
		return;
	buf_add_varint(out, n);
	for (size_t i = 0; i < n; i++) {
		pack_text(out, params[i].name);
		pack_text(out, params[i].value);
	}
}

static void pack_part(struct buf *out, const struct part *part, struct places *places)
{
	struct part copy = *part;
	unsigned bits = 0;

	for (int i = 0; i < N_TEXTS; i++)
		bits |= (unsigned)(text_of(&copy, i)->n != 0) << i;
	bits |= part->n_params ? BIT_PARAMS : 0;
	bits |= part->n_disposition_params ? BIT_DISPOSITION_PARAMS : 0;
	buf_add_varint(out, part->kind);
	buf_add_varint(out, part->depth);
	buf_add_varint(out, part->header_offset - places->at[part->depth]);
	buf_add_varint(out, part->body_offset - part->header_offset);
	buf_add_varint(out, part->end_offset - part->body_offset);
	buf_add_varint(out, part->header_lines);
	buf_add_varint(out, part->body_lines);
	buf_add_varint(out, part->encoding);
	buf_add_varint(out, bits);
	pack_text(out, part->type);
	pack_text(out, part->subtype);
	for (int i = 0; i < N_TEXTS; i++) {
		if (bits >> i & 1)
			pack_text(out, *text_of(&copy, i));
	}
	pack_params(out, part->params, part->n_params);
	pack_params(out, part->disposition_params, part->n_disposition_params);
	places->at[part->depth] = part->end_offset;
	places->at[part->depth + 1] = part->body_offset;
}

void structure_pack(const struct part_tree *t, struct buf *out)
{
	struct places places = {};

	buf_add_varint(out, STRUCTURE_VERSION);
	buf_add_varint(out, t->n);
	for (uint32_t i = 0; i < t->n; i++)
		pack_part(out, &t->parts[i], &places);
}

static uint64_t take_at_most(struct reader *r, uint64_t most)
{
	uint64_t value = reader_varint(r);

	if (value > most) {
		r->failed = true;
		return 0;
	}
	return value;
}

static uint64_t take_sum(struct reader *r, uint64_t base)
{
	return base + take_at_most(r, INT64_MAX - base);
}

/* A text that is there is not empty: else there would be two forms of the same tree. */
static struct span take_text(struct reader *r, struct arena *a, bool may_be_empty)
{
	struct span s = reader_span(r, reader_varint(r));

	r->failed |= s.n == 0 && !may_be_empty;
	return r->failed ? (struct span){} : arena_span(a, s);
}

static const struct param *take_params(struct reader *r, struct arena *a, size_t *ret_n)
{
	size_t n = (size_t)take_at_most(r, PARAM_MAX);
	struct param *params;

	r->failed |= n == 0;
	if (r->failed)
		return NULL;
	params = arena_alloc(a, n * sizeof *params);
	for (size_t i = 0; i < n; i++) {
		params[i].name = take_text(r, a, true);
		params[i].value = take_text(r, a, true);
	}
	*ret_n = n;
	return params;
}

static void take_texts(struct reader *r, struct part *part, struct arena *a)
{
	unsigned bits = (unsigned)take_at_most(r, (4 << N_TEXTS) - 1);

	part->type = take_text(r, a, false);
	part->subtype = take_text(r, a, false);
	for (int i = 0; i < N_TEXTS && !r->failed; i++) {
		if (bits >> i & 1)
			*text_of(part, i) = take_text(r, a, false);
	}
	if (bits & BIT_PARAMS)
		part->params = take_params(r, a, &part->n_params);
	if (bits & BIT_DISPOSITION_PARAMS)
		part->disposition_params = take_params(r, a, &part->n_disposition_params);
}

/* The ways up from the part read last: open[d] is the part of depth d we are in. */
struct ancestry {
	uint32_t open[LIMIT_MIME_DEPTH + 1];
	uint32_t last_child[LIMIT_MIME_DEPTH + 1];
	uint32_t n;
	struct places places;
};

/* Hangs part i under its parent; false if it has no place there. */
static bool link_part(struct part_tree *t, uint32_t i, struct ancestry *up)
{
	struct part *part = &t->parts[i], *parent;
	uint32_t depth = part->depth;

	if (depth > up->n || (i != 0 && depth == 0))
		return false;
	up->n = depth + 1;
	up->open[depth] = i;
	up->last_child[depth] = PART_NONE;
	part->parent = part->first_child = part->next = PART_NONE;
	if (depth == 0)
		return true;
	part->parent = up->open[depth - 1];
	parent = &t->parts[part->parent];
	if (up->last_child[depth - 1] == PART_NONE)
		parent->first_child = i;
	else if (parent->kind == PART_MULTIPART)
		t->parts[up->last_child[depth - 1]].next = i;
	else
		return false; /* a message has one child */
	up->last_child[depth - 1] = i;
	return parent->kind != PART_LEAF && part->end_offset <= parent->end_offset;
}

static bool unpack_part(struct reader *r, struct part_tree *t, uint32_t i, struct ancestry *up)
{
	struct part *part = &t->parts[i];

	*part = (struct part){ .kind = (enum part_kind)take_at_most(r, PART_MESSAGE) };
	part->depth = (uint32_t)take_at_most(r, LIMIT_MIME_DEPTH);
	part->header_offset = take_sum(r, up->places.at[part->depth]);
	part->body_offset = take_sum(r, part->header_offset);
	part->end_offset = take_sum(r, part->body_offset);
	part->header_lines = take_at_most(r, part->body_offset - part->header_offset);
	part->body_lines = take_at_most(r, part->end_offset - part->body_offset);
	part->encoding = (enum transfer_encoding)take_at_most(r, ENCODING_UNKNOWN);
	take_texts(r, part, &t->arena);
	if (r->failed || !link_part(t, i, up))
		return false;
	up->places.at[part->depth] = part->end_offset;
	up->places.at[part->depth + 1] = part->body_offset;
	return (part->kind == PART_MESSAGE) == (part->envelope.n != 0);
}

/* Only a leaf has no children, and the message is all there is. */
static bool shape_is_complete(const struct part_tree *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		if ((t->parts[i].kind == PART_LEAF) != (t->parts[i].first_child == PART_NONE))
			return false;
	}
	return true;
}

int structure_unpack(struct span packed, struct part_tree **ret_tree)
{
	CLEANUP(part_tree_freep) struct part_tree *t = ALLOC(struct part_tree);
	struct reader r = { .rest = packed };
	struct ancestry up = {};
	uint64_t n;

	if (reader_varint(&r) != STRUCTURE_VERSION)
		return STRUCTURE_E_DAMAGED;
	n = take_at_most(&r, LIMIT_MIME_PARTS);
	/* A part takes more than ten octets: no memory for what cannot be there. */
	if (r.failed || n == 0 || n > packed.n / 10)
		return STRUCTURE_E_DAMAGED;
	t->parts = alloc_array(NULL, n, sizeof *t->parts);
	for (; t->n < n; t->n++) {
		if (!unpack_part(&r, t, t->n, &up))
			return STRUCTURE_E_DAMAGED;
	}
	if (r.rest.n || t->parts[0].header_offset || !shape_is_complete(t))
		return STRUCTURE_E_DAMAGED;
	*ret_tree = TAKE(t);
	return 0;
}

static void add_optional(struct buf *out, struct span s)
{
	buf_add_octet(out, ' ');
	envelope_add_string(out, s.n ? s : (struct span){});
}

static void add_params(struct buf *out, const struct param *params, size_t n)
{
	buf_add_octet(out, ' ');
	for (size_t i = 0; i < n; i++) {
		buf_add_octet(out, i ? ' ' : '(');
		envelope_add_string(out, params[i].name);
		buf_add_octet(out, ' ');
		envelope_add_string(out, params[i].value);
	}
	buf_add_string(out, n ? ")" : "NIL");
}

/* body-fld-lang: a string, or a list of them. */
static void add_language(struct buf *out, struct span language)
{
	if (span_find(language, ',') == language.n) {
		add_optional(out, language);
		return;
	}
	buf_add_string(out, " (");
	for (bool first = true; language.n; first = false) {
		if (!first)
			buf_add_octet(out, ' ');
		envelope_add_string(out, span_trim(span_cut(&language, ',')));
	}
	buf_add_octet(out, ')');
}

/* body-fld-dsp, body-fld-lang, body-fld-loc */
static void add_extension(struct buf *out, const struct part *part)
{
	if (part->disposition.n) {
		buf_add_string(out, " (");
		envelope_add_string(out, part->disposition);
		add_params(out, part->disposition_params, part->n_disposition_params);
		buf_add_octet(out, ')');
	} else {
		buf_add_string(out, " NIL");
	}
	add_language(out, part->language);
	add_optional(out, part->location);
}

/* What stands before the children, or all of a leaf but its extension. */
static void begin_part(struct buf *out, const struct part *part)
{
	buf_add_octet(out, '(');
	if (part->kind == PART_MULTIPART)
		return;
	envelope_add_string(out, part->type);
	buf_add_octet(out, ' ');
	envelope_add_string(out, part->subtype);
	add_params(out, part->params, part->n_params);
	add_optional(out, part->id);
	add_optional(out, part->description);
	add_optional(out, part->encoding_text.n ? part->encoding_text : SPAN("7bit"));
	buf_add_octet(out, ' ');
	buf_add_u64(out, part->end_offset - part->body_offset);
	if (part->kind == PART_MESSAGE) {
		buf_add_octet(out, ' ');
		buf_add(out, part->envelope);
		buf_add_octet(out, ' ');
	} else if (span_is(part->type, "text")) {
		buf_add_octet(out, ' ');
		buf_add_u64(out, part->body_lines);
	}
}

static void end_part(struct buf *out, const struct part *part, bool extended)
{
	if (part->kind == PART_MULTIPART) {
		buf_add_octet(out, ' ');
		envelope_add_string(out, part->subtype);
		if (extended)
			add_params(out, part->params, part->n_params);
	} else {
		if (part->kind == PART_MESSAGE) {
			buf_add_octet(out, ' ');
			buf_add_u64(out, part->body_lines);
		}
		if (extended)
			add_optional(out, part->md5);
	}
	if (extended)
		add_extension(out, part);
	buf_add_octet(out, ')');
}

void structure_add_imap(const struct part_tree *t, bool extended, struct buf *out)
{
	const struct part *part = &t->parts[0];

	for (;;) {
		begin_part(out, part);
		if (part->first_child != PART_NONE) {
			part = &t->parts[part->first_child];
			continue;
		}
		end_part(out, part, extended);
		while (part->next == PART_NONE) {
			if (part->parent == PART_NONE)
				return;
			part = &t->parts[part->parent];
			end_part(out, part, extended);
		}
		part = &t->parts[part->next];
	}
}

const struct part *structure_part(const struct part_tree *t, const uint32_t *path, size_t n)
{
	const struct part *part = &t->parts[0];
	bool message = true; /* part is one, not yet a part of one */

	for (size_t i = 0; i < n; i++) {
		uint32_t number = path[i];

		if (part->kind == PART_MESSAGE && !message) {
			part = &t->parts[part->first_child];
			message = true;
		}
		if (number == 0)
			return NULL;
		if (part->kind == PART_MULTIPART) {
			part = &t->parts[part->first_child];
			for (; number > 1 && part->next != PART_NONE; number--)
				part = &t->parts[part->next];
		} else if (!message) {
			return NULL;
		}
		if (number > 1)
			return NULL;
		message = false;
	}
	return part;
}

bool structure_find(const struct part_tree *t, const uint32_t *path, size_t n, enum section section,
	uint64_t *ret_offset, uint64_t *ret_length)
{
	const struct part *part = structure_part(t, path, n);
	uint64_t start, end;

	if (!part)
		return false;
	/* HEADER and TEXT are those of a message: this one, or the one that the part holds. */
	if (n && (section == SECTION_HEADER || section == SECTION_TEXT)) {
		if (part->kind != PART_MESSAGE)
			return false;
		part = &t->parts[part->first_child];
	}
	if (n == 0 && section == SECTION_MIME)
		return false;
	start = part->body_offset;
	end = part->end_offset;
	if (section == SECTION_HEADER || section == SECTION_MIME)
		end = start;
	if (section == SECTION_HEADER || section == SECTION_MIME || (section == SECTION_BODY && !n))
		start = part->header_offset;
	*ret_offset = start;
	*ret_length = end - start;
	return true;
}
