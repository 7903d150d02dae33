/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The header as a script sees it: fields found once, then looked through by name, and changed by
 * editheader. */

#include "base/alloc.h"
#include "base/limit.h"
#include "mime/address.h"
#include "mime/encode.h"
#include "mime/word.h"
#include "sieve/expand.h"
#include "sieve/match.h"

#include <stdlib.h>

enum { LINE_OCTETS_MAX = 900 };

/* What is not indexed of a header that is cut is more than a script may make (run_header). */
_Static_assert(SIEVE_HEADER_MAX > SIEVE_MEMORY_MAX + LIMIT_HEADER_BLOCK, "no field gets lost");

/* The header block, and steps for looking for its end: as far as they last. */
static int find_block(struct sieve_run *r, struct span *ret_block)
{
	uint64_t octets = (r->steps_max - r->steps) * SIEVE_STEP_OCTETS;
	struct span block = r->header.n ? r->header : r->input->message;

	block = span_head(block, octets < SIEVE_HEADER_MAX ? octets : SIEVE_HEADER_MAX);
	*ret_block = span_head(block, header_size(block));
	return run_spend(r, ret_block->n);
}

int run_fields(struct sieve_run *r)
{
	struct span block, rest;
	struct header_field f;
	size_t capacity = 0;
	int result;

	if (r->indexed)
		return 0;
	result = find_block(r, &block);
	if (result)
		return result;
	rest = block;
	while (r->n_fields < LIMIT_HEADERS && header_next(&rest, &f)) {
		if ((size_t)(f.whole.p - block.p) + f.whole.n > LIMIT_HEADER_BLOCK) {
			rest = span_skip(block, (size_t)(f.whole.p - block.p));
			break;
		}
		if (r->n_fields == capacity) {
			capacity = capacity ? 2 * capacity : 64;
			r->fields = alloc_array(r->fields, capacity + SIEVE_EDITS_MAX,
				sizeof r->fields[0]);
		}
		r->fields[r->n_fields++] = (struct sieve_field){
			.name = f.name,
			.value = f.value,
			.whole = f.whole,
		};
	}
	if (!r->fields)
		r->fields = alloc_array(NULL, SIEVE_EDITS_MAX, sizeof r->fields[0]);
	/* Nothing is left but the empty line, or there is no such line. */
	if (header_next(&(struct span){ rest.p, rest.n }, &f))
		r->more = rest;
	r->indexed = true;
	return 0;
}

struct sieve_field *run_field_next(struct sieve_run *r, struct span name, size_t *i)
{
	for (; *i < r->n_fields; ++*i) {
		if (!r->fields[*i].removed && span_equal_nocase(r->fields[*i].name, name))
			return &r->fields[(*i)++];
	}
	return NULL;
}

/* RFC 5260 section 6: the one that is chosen by its number, from either end. */
int run_fields_chosen(struct sieve_run *r, const struct sieve_node *n, struct span name,
	struct sieve_field ***ret_fields, size_t *ret_n)
{
	uint64_t index = n->slots[SLOT_INDEX].tag ? n->slots[SLOT_INDEX].value->number : 0;
	bool last = n->slots[SLOT_LAST].tag != TAG_NOTHING;
	struct sieve_field *f, **fields;
	size_t i = 0, count = 0;
	int result = run_fields(r);

	if (result == 0) /* looking through all names */
		result = run_spend(r, r->n_fields);
	if (result)
		return result;
	while (run_field_next(r, name, &i))
		count++;
	result = run_room(r, (count + 1) * sizeof *fields);
	if (result)
		return result;
	fields = arena_alloc(r->arena, (count + 1) * sizeof *fields);
	*ret_fields = fields;
	*ret_n = 0;
	i = 0;
	for (size_t number = 1; (f = run_field_next(r, name, &i)); number++) {
		if (index == 0 || (last ? count - number + 1 : number) == index)
			fields[(*ret_n)++] = f;
	}
	return 0;
}

/* Encoded words that have no end take the square of their length (mime/word.h): 16 KiB about 20 ms,
 * as a million steps do. */
static int spend_decoding(struct sieve_run *r, struct span unfolded)
{
	bool words = unfolded.n <= WORD_TEXT_MAX &&
		     span_find_span(unfolded, SPAN("=?")) < unfolded.n;

	return words ? run_spend(r, unfolded.n * unfolded.n / 16) : 0;
}

int run_field_text(struct sieve_run *r, struct sieve_field *f, struct span *ret_text)
{
	CLEANUP(buf_done) struct buf unfolded = {}, decoded = {};
	struct span value = span_head(f->value, LIMIT_HEADER_VALUE);
	int result;

	*ret_text = f->text;
	if (f->text.p)
		return 0;
	result = run_spend(r, 2 * value.n);
	if (result)
		return result;
	header_unfold(value, &unfolded);
	result = spend_decoding(r, buf_span(&unfolded));
	if (result)
		return result;
	word_decode(buf_span(&unfolded), &decoded);
	value = span_trim(buf_span(&decoded));
	result = run_room(r, value.n);
	if (result)
		return result;
	*ret_text = f->text = arena_span(r->arena, value);
	return 0;
}

/* One field, ended: the last one of a message without a body may have no line end. */
static void add_whole(struct span whole, struct buf *out)
{
	buf_add(out, whole);
	if (whole.n && whole.p[whole.n - 1] != '\n')
		buf_add_string(out, "\r\n");
}

int run_header(struct sieve_run *r, struct span *ret_header)
{
	CLEANUP(buf_done) struct buf out = {};
	size_t n = r->more.n + 2;
	int result;

	*ret_header = r->header;
	if (!r->edited)
		return 0;
	for (size_t i = 0; i < r->n_fields; i++)
		n += r->fields[i].removed ? 0 : r->fields[i].whole.n + 2;
	result = run_room(r, n);
	if (result)
		return result;
	(void)buf_room(&out, n);
	for (size_t i = 0; i < r->n_fields; i++) {
		if (!r->fields[i].removed)
			add_whole(r->fields[i].whole, &out);
	}
	if (r->more.n) /* with the empty line, if there is one */
		buf_add(&out, r->more);
	else
		buf_add_string(&out, "\r\n");
	r->header = arena_span(r->arena, buf_span(&out));
	r->edited = false;
	*ret_header = r->header;
	return 0;
}

int run_spend_addresses(struct sieve_run *r, size_t octets)
{
	return run_spend(r, 8 * octets); /* words are copied several times, hosts are mapped */
}

bool run_single_address(struct span text, struct buf *out)
{
	struct address_reader reader = { .rest = text };
	struct address_name name;
	struct address a, more;
	bool good = false;

	if (address_next(&reader, &a) && a.kind == ADDRESS_MAILBOX && a.host.n) {
		CLEANUP(buf_done) struct buf address = {};

		address_add(&address, a.local, a.host);
		good = !address_next(&reader, &more) &&
		       address_normalize(buf_span(&address), &name) == 0;
	}
	address_reader_done(&reader);
	if (good)
		address_add(out, address_name_local(&name), address_name_domain(&name));
	return good;
}

static int next_edit(struct sieve_run *r)
{
	if (++r->n_edits > SIEVE_EDITS_MAX)
		return run_fail(r, "more than %d changes of the header", SIEVE_EDITS_MAX);
	return run_fields(r);
}

/* What deleteheader and :last need is the end of the header. */
static int needs_all_fields(struct sieve_run *r, const struct sieve_node *n)
{
	if (r->more.n == 0)
		return 0;
	return run_fail(r,
		"line %u: the message has more than %d header fields, or more than %d octets of"
		" them: \"%s\" does not reach the end",
		n->place.line, LIMIT_HEADERS, LIMIT_HEADER_BLOCK, n->row->name);
}

static bool is_visible(uint8_t c)
{
	return c > ' ' && c != 0x7F;
}

/* What is added is one line of printable text, folded where that is possible: a script cannot
 * smuggle in another field or the end of the header, and no line of it is empty or too long (RFC
 * 5322 section 2.1.1, 3.2.2). */
static void add_folded(struct span value, size_t column, struct buf *out)
{
	for (size_t i = 0; i < value.n; i++) {
		uint8_t c = value.p[i];

		if (!is_visible(c) && c != ' ' && c != '\t')
			continue;
		if (c == ' ' && column > 70 && i + 1 < value.n && is_visible(value.p[i + 1])) {
			buf_add_string(out, "\r\n");
			column = 0;
		} else if (column > LINE_OCTETS_MAX && is_visible(c)) {
			buf_add_string(out, "\r\n ");
			column = 1;
		}
		buf_add_octet(out, c);
		column++;
	}
}

/* RFC 5322 section 2.2: a field is ASCII; what is not is written as encoded words. */
static void add_value(struct span value, size_t column, struct buf *out)
{
	CLEANUP(buf_done) struct buf words = {};

	if (!span_is_ascii(value)) {
		encode_text(value, &words);
		value = buf_span(&words);
	}
	add_folded(value, column, out);
}

int run_addheader(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	CLEANUP(buf_done) struct buf whole = {};
	bool last = n->slots[SLOT_LAST].tag != TAG_NOTHING;
	struct sieve_field field;
	struct header_field parts;
	struct span name, value;
	int result = next_edit(r);

	(void)ret_true;
	if (result == 0 && last)
		result = needs_all_fields(r, n);
	if (result == 0)
		result = sieve_expand(r, &n->positional[0]->strings[0], &name);
	if (result == 0)
		result = sieve_expand(r, &n->positional[1]->strings[0], &value);
	if (result)
		return result;
	/* RFC 5293 section 4 */
	if (!sieve_field_name_is_valid(name))
		return run_fail(r, "addheader: not the name of a header field");
	if (name.n + value.n > SIEVE_FIELD_MAX)
		return run_fail(r, "addheader: more than %d octets", SIEVE_FIELD_MAX);
	buf_add(&whole, name);
	buf_add_string(&whole, ": ");
	add_value(value, name.n + 2, &whole);
	buf_add_string(&whole, "\r\n");
	parts = header_split(arena_span(r->arena, buf_span(&whole)));
	field = (struct sieve_field){
		.name = parts.name,
		.value = parts.value,
		.whole = parts.whole,
	};
	if (!last)
		memmove(r->fields + 1, r->fields, r->n_fields * sizeof field);
	r->fields[last ? r->n_fields : 0] = field;
	r->n_fields++;
	r->edited = true;
	return run_room(r, buf_size(&whole) + r->n_fields);
}

/* RFC 5293 section 6; the others are how loops are found and where a message came from. */
static bool is_protected(struct span name)
{
	static const char *const names[] = { "received", "auto-submitted", "return-path",
		"delivered-to" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (span_is_nocase(name, names[i]))
			return true;
	}
	return false;
}

/* RFC 5293 section 5: without patterns all are removed. Those of an address or date are texts too.
 */
static int is_meant(struct sieve_matcher *m, struct sieve_field *f, bool *ret_meant)
{
	struct span text;
	int result;

	*ret_meant = true;
	if (!m->keys)
		return 0;
	m->found = false;
	m->count = 0;
	result = run_field_text(m->run, f, &text);
	if (result == 0)
		result = sieve_matcher_value(m, text);
	return result ? result : sieve_matcher_end(m, ret_meant);
}

int run_deleteheader(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	struct sieve_field **fields;
	struct sieve_matcher m = {};
	struct span name;
	bool meant;
	size_t count = 0;
	int result = next_edit(r);

	(void)ret_true;
	if (result == 0)
		result = needs_all_fields(r, n);
	if (result == 0)
		result = sieve_expand(r, &n->positional[0]->strings[0], &name);
	if (result)
		return result;
	if (!sieve_field_name_is_valid(name))
		return run_fail(r, "deleteheader: not the name of a header field");
	if (is_protected(name))
		return 0;
	result = run_fields_chosen(r, n, name, &fields, &count);
	if (result == 0 && n->positional[1])
		result = sieve_matcher_init(&m, r, n, n->positional[1]);
	m.capture = false;
	for (size_t i = 0; i < count && result == 0; i++) {
		result = is_meant(&m, fields[i], &meant);
		if (result == 0 && meant)
			fields[i]->removed = r->edited = true;
	}
	return result;
}
