/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The header as a script sees it: fields found once, then looked through by name, and changed by
 * editheader. */

#include "base/alloc.h"
#include "base/limit.h"
#include "mime/address.h"
#include "mime/word.h"
#include "sieve/expand.h"
#include "sieve/match.h"

#include <stdlib.h>

int run_fields(struct sieve_run *r)
{
	struct span rest = r->header.n ? r->header : r->input->message;
	size_t n = header_size(rest), capacity = 0;
	struct header_field f;
	int result;

	if (r->indexed)
		return 0;
	rest = span_head(rest, n < LIMIT_HEADER_BLOCK ? n : LIMIT_HEADER_BLOCK);
	result = run_spend(r, rest.n);
	if (result)
		return result;
	while (r->n_fields < LIMIT_HEADERS && header_next(&rest, &f)) {
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

int run_field_text(struct sieve_run *r, struct span value, struct span *ret_text)
{
	CLEANUP(buf_done) struct buf unfolded = {}, decoded = {};
	int result;

	value = span_head(value, LIMIT_HEADER_VALUE);
	result = run_room(r, value.n * 2);
	if (result)
		return result;
	header_unfold(value, &unfolded);
	word_decode(buf_span(&unfolded), &decoded);
	*ret_text = arena_span(r->arena, span_trim(buf_span(&decoded)));
	return 0;
}

struct span run_header(struct sieve_run *r)
{
	CLEANUP(buf_done) struct buf out = {};

	if (!r->edited)
		return r->header;
	for (size_t i = 0; i < r->n_fields; i++) {
		if (!r->fields[i].removed)
			buf_add(&out, r->fields[i].whole);
	}
	buf_add_string(&out, "\r\n");
	r->header = arena_span(r->arena, buf_span(&out));
	r->edited = false;
	return r->header;
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

/* What is added is one line of printable text, folded where that is possible: a script cannot
 * smuggle in another field or the end of the header. */
static void add_value(struct span value, size_t column, struct buf *out)
{
	for (size_t i = 0; i < value.n; i++) {
		uint8_t c = value.p[i];

		if (c == '\r' || c == '\n' || c == 0)
			continue;
		if (c == ' ' && column > 70 && i + 1 < value.n && value.p[i + 1] != ' ' &&
			buf_size(out)) {
			buf_add_string(out, "\r\n");
			column = 0;
		}
		buf_add_octet(out, c);
		column++;
	}
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
static int is_meant(struct sieve_run *r, const struct sieve_node *n, const struct sieve_field *f,
	bool *ret_meant)
{
	struct sieve_matcher m;
	struct span text;
	int result;

	*ret_meant = true;
	if (!n->positional[1])
		return 0;
	result = sieve_matcher_init(&m, r, n, n->positional[1]);
	m.capture = false;
	if (result == 0)
		result = run_field_text(r, f->value, &text);
	if (result == 0)
		result = sieve_matcher_value(&m, text);
	return result ? result : sieve_matcher_end(&m, ret_meant);
}

int run_deleteheader(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	struct sieve_field **fields;
	struct span name;
	bool meant;
	size_t count = 0;
	int result = next_edit(r);

	(void)ret_true;
	if (result == 0)
		result = sieve_expand(r, &n->positional[0]->strings[0], &name);
	if (result)
		return result;
	if (!sieve_field_name_is_valid(name))
		return run_fail(r, "deleteheader: not the name of a header field");
	if (is_protected(name))
		return 0;
	result = run_fields_chosen(r, n, name, &fields, &count);
	for (size_t i = 0; i < count && result == 0; i++) {
		result = is_meant(r, n, fields[i], &meant);
		if (result == 0 && meant)
			fields[i]->removed = r->edited = true;
	}
	return result;
}
