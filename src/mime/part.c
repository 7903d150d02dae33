/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The parser sees lines. A line of a header is collected into a field; in a body only lines that
 * begin with "--" matter, when a boundary is open. The parts that are open at the moment lie on a
 * stack of bounded depth, so a boundary line is compared with at most LIMIT_MIME_DEPTH boundaries,
 * and closing parts is a loop. The tree grows in document order: a part's position is known when
 * its header begins, and the tree is complete, in the sense of part.h, whenever the input ends.
 *
 * What the fields mean is fields.c's business. Nothing here decodes or judges content.
 */

#include "mime/part.h"

#include "base/alloc.h"
#include "base/limit.h"
#include "mime/fields.h"
#include "mime/lex.h"

#include <stdlib.h>

enum {
	LINE_KEEP = LIMIT_HEADER_VALUE, /* octets of a line that are looked at */
	BOUNDARY_MAX = 998,             /* a line; RFC 2046 section 5.1.1 allows 70 */
};

struct open_part {
	uint32_t part;
	uint32_t last_child;
	struct span boundary;  /* of a multipart whose end was not seen yet; else n 0 */
	uint64_t lines_before; /* line ends before its header, later before its body */
};

struct part_parser {
	struct part_tree *tree;
	uint32_t capacity;
	struct open_part open[LIMIT_MIME_DEPTH + 1];
	uint32_t n_open;
	uint32_t n_boundaries; /* open ones that have a boundary */
	bool in_header;        /* of the innermost open part */

	uint64_t offset;    /* where the current line starts */
	uint64_t lines;     /* line ends before it */
	unsigned line_end;  /* octets of the line end before it: 0, 1 or 2 */
	struct buf line;    /* of a line that is not complete: its first LINE_KEEP octets */
	uint64_t line_size; /* octets of it so far */
	uint8_t line_last;  /* the last of them */

	struct fields *fields; /* of the header we are in */
};

static struct part *part_at(const struct part_parser *p, uint32_t i)
{
	return &p->tree->parts[i];
}

static struct open_part *innermost(struct part_parser *p)
{
	return &p->open[p->n_open - 1];
}

/* A header begins at the octet; its part is the next child of the innermost open part. */
static void open_part(struct part_parser *p, uint64_t offset, uint64_t lines)
{
	struct part_tree *t = p->tree;
	uint32_t i = t->n++, parent = PART_NONE;

	if (t->n > p->capacity) {
		p->capacity = p->capacity ? p->capacity * 2 : 4;
		t->parts = alloc_array(t->parts, p->capacity, sizeof *t->parts);
	}
	if (p->n_open) {
		struct open_part *above = innermost(p);

		parent = above->part;
		if (above->last_child == PART_NONE)
			part_at(p, parent)->first_child = i;
		else
			part_at(p, above->last_child)->next = i;
		above->last_child = i;
	}
	t->parts[i] = (struct part){
		.depth = p->n_open,
		.parent = parent,
		.first_child = PART_NONE,
		.next = PART_NONE,
		.header_offset = offset,
	};
	p->open[p->n_open++] = (struct open_part){
		.part = i, .last_child = PART_NONE, .lines_before = lines
	};
	p->in_header = true;
	fields_begin(
		p->fields, i == 0, parent == PART_NONE || part_at(p, parent)->kind == PART_MESSAGE);
}

struct part_parser *part_parser_new(void)
{
	struct part_parser *p = ALLOC(struct part_parser);

	p->tree = ALLOC(struct part_tree);
	p->fields = fields_new(p->tree);
	open_part(p, 0, 0);
	return p;
}

struct part_parser *part_parser_free(struct part_parser *p)
{
	if (!p)
		return NULL;
	part_tree_free(p->tree);
	fields_free(p->fields);
	buf_done(&p->line);
	free(p);
	return NULL;
}

struct part_tree *part_tree_free(struct part_tree *t)
{
	if (!t)
		return NULL;
	free(t->parts);
	arena_done(&t->arena);
	free(t);
	return NULL;
}

static bool can_open_child(const struct part_parser *p)
{
	return p->n_open <= LIMIT_MIME_DEPTH && p->tree->n < LIMIT_MIME_PARTS;
}

/* Decides what the part is whose header is complete. */
static void set_kind(struct part_parser *p, struct open_part *o)
{
	struct part *part = part_at(p, o->part);
	struct span boundary;

	if (span_is(part->type, "multipart")) {
		boundary = fields_boundary(p->fields, part);
		if (boundary.n && boundary.n <= BOUNDARY_MAX && can_open_child(p)) {
			part->kind = PART_MULTIPART;
			o->boundary = boundary;
			p->n_boundaries++;
		} else {
			fields_make_plain(part);
		}
	} else if (fields_is_message(part)) {
		/* RFC 2046 section 5.2.1 allows no other encoding; it would hide the message. */
		if (part->encoding <= ENCODING_BINARY && can_open_child(p))
			part->kind = PART_MESSAGE;
		else
			fields_make_octets(part);
	}
}

/* The innermost part's header is over and its body begins at the octet. A message begins with the
 * header of the message in it, so this can leave us in a header again. */
static void end_header(struct part_parser *p, uint64_t offset, uint64_t lines)
{
	struct open_part *o = innermost(p);
	struct part *part = part_at(p, o->part);
	uint32_t parent = part->parent;

	part->body_offset = offset;
	part->header_lines = lines - o->lines_before;
	o->lines_before = lines;
	p->in_header = false;
	fields_end(p->fields, part, parent == PART_NONE ? NULL : part_at(p, parent));
	set_kind(p, o);
	if (part_at(p, o->part)->kind == PART_MESSAGE)
		open_part(p, offset, lines);
}

/* Closes open parts until n are left; what is closed ends at the octet. */
static void close_parts(struct part_parser *p, uint32_t n, uint64_t offset, uint64_t lines)
{
	while (p->in_header)
		end_header(p, offset, lines);
	while (p->n_open > n) {
		struct open_part *o = innermost(p);
		struct part *part = part_at(p, o->part);

		part->end_offset = offset;
		part->body_lines = lines - o->lines_before;
		if (part->kind == PART_MULTIPART && part->first_child == PART_NONE)
			fields_make_plain(part);
		if (o->boundary.n)
			p->n_boundaries--;
		p->n_open--;
	}
}

/* The line end before a boundary belongs to the boundary (RFC 2046 section 5.1.1), unless it ends
 * something that must stay: the header, or the boundary before. */
static void close_before_line(struct part_parser *p, uint32_t n)
{
	const struct open_part *o = innermost(p);
	const struct part *part = part_at(p, o->part);
	uint64_t least = p->in_header ? part->header_offset : part->body_offset;
	uint64_t offset = p->offset - p->line_end, lines = p->lines - (p->line_end != 0);

	if (offset < least) {
		offset = p->offset;
		lines = p->lines;
	}
	close_parts(p, n, offset, lines);
}

/* Position on the stack of the multipart to which a line belongs as its boundary, or n_open. */
static uint32_t find_boundary(const struct part_parser *p, struct span line, bool *ret_final)
{
	struct span text = span_skip(line, 2);

	while (text.n && lex_is_space(text.p[text.n - 1]))
		text.n--;
	for (uint32_t i = p->n_open; i-- > 0;) {
		struct span boundary = p->open[i].boundary;

		if (boundary.n == 0 || !span_starts(text, boundary))
			continue;
		if (text.n == boundary.n || span_is(span_skip(text, boundary.n), "--")) {
			*ret_final = text.n != boundary.n;
			return i;
		}
	}
	return p->n_open;
}

/* Returns whether the line was a boundary. next: the octet behind it. */
static bool take_boundary(struct part_parser *p, struct span line, uint64_t next, uint64_t lines)
{
	bool final;
	uint32_t i = find_boundary(p, line, &final);

	if (i == p->n_open)
		return false;
	close_before_line(p, i + 1);
	if (!final && can_open_child(p)) {
		open_part(p, next, lines);
		return true;
	}
	/* The end, or no room for more parts: what follows is the multipart's epilogue. */
	p->open[i].boundary = (struct span){};
	p->n_boundaries--;
	return true;
}

/* A whole line of `size` octets, of which `line` are the first LINE_KEEP. */
static void take_line(struct part_parser *p, struct span line, uint64_t size, unsigned line_end)
{
	uint64_t next = p->offset + size, lines = p->lines + (line_end != 0);
	bool boundary = p->n_boundaries && line.n > 2 && line.n == size && line.p[0] == '-' &&
			line.p[1] == '-' && take_boundary(p, line, next, lines);

	if (p->in_header && !boundary) {
		if (size == line_end)
			end_header(p, next, lines);
		else
			fields_line(p->fields, line);
	}
	p->offset = next;
	p->lines = lines;
	p->line_end = line_end;
}

/* Sets aside octets of a line whose end has not come. */
static void keep(struct part_parser *p, struct span piece)
{
	size_t room = LINE_KEEP - buf_size(&p->line);

	buf_add(&p->line, span_head(piece, room));
	p->line_size += piece.n;
	p->line_last = piece.p[piece.n - 1];
}

/* The line that was set aside is complete, with its LF or without at the end of the input. */
static void take_kept_line(struct part_parser *p, unsigned line_end)
{
	uint64_t size = p->line_size;

	p->line_size = 0;
	take_line(p, buf_span(&p->line), size, line_end);
	buf_clear(&p->line);
}

void part_parser_feed(struct part_parser *p, struct span octets)
{
	while (octets.n) {
		size_t at = span_find(octets, '\n');
		struct span piece = span_head(octets, at + 1);
		unsigned line_end;

		octets = span_skip(octets, piece.n);
		if (at == piece.n) {
			keep(p, piece);
			return;
		}
		if (at)
			line_end = piece.p[at - 1] == '\r' ? 2 : 1;
		else
			line_end = p->line_size && p->line_last == '\r' ? 2 : 1;
		if (p->line_size == 0) {
			take_line(p, span_head(piece, LINE_KEEP), piece.n, line_end);
		} else {
			keep(p, piece);
			take_kept_line(p, line_end);
		}
	}
}

void part_parser_end(struct part_parser *p, struct part_tree **ret_tree)
{
	if (p->line_size)
		take_kept_line(p, 0);
	close_parts(p, 0, p->offset, p->lines);
	*ret_tree = TAKE(p->tree);
}

struct part_tree *part_parse(struct span message)
{
	CLEANUP(part_parser_freep) struct part_parser *p = part_parser_new();
	struct part_tree *tree;

	part_parser_feed(p, message);
	part_parser_end(p, &tree);
	return tree;
}
