/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Strings are looked through once, from left to right: what a variable holds is never expanded
 * again (RFC 5229 section 3). */

#include "sieve/expand.h"

#include "sieve/run.h"

static bool hex_value(struct span digits, size_t most, uint32_t *ret_value)
{
	uint32_t value = 0;

	if (digits.n == 0 || digits.n > most)
		return false;
	for (size_t i = 0; i < digits.n; i++) {
		uint8_t c = octet_lower(digits.p[i]);

		if (!octet_is_digit(c) && (c < 'a' || c > 'f'))
			return false;
		value = value << 4 | (uint32_t)(octet_is_digit(c) ? c - '0' : c - 'a' + 10);
	}
	*ret_value = value;
	return true;
}

static void add_character(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_add_octet(out, (uint8_t)c);
	} else if (c < 0x800) {
		buf_add_octet(out, (uint8_t)(0xC0 | c >> 6));
		buf_add_octet(out, (uint8_t)(0x80 | (c & 0x3F)));
	} else if (c < 0x10000) {
		buf_add_octet(out, (uint8_t)(0xE0 | c >> 12));
		buf_add_octet(out, (uint8_t)(0x80 | (c >> 6 & 0x3F)));
		buf_add_octet(out, (uint8_t)(0x80 | (c & 0x3F)));
	} else {
		buf_add_octet(out, (uint8_t)(0xF0 | c >> 18));
		buf_add_octet(out, (uint8_t)(0x80 | (c >> 12 & 0x3F)));
		buf_add_octet(out, (uint8_t)(0x80 | (c >> 6 & 0x3F)));
		buf_add_octet(out, (uint8_t)(0x80 | (c & 0x3F)));
	}
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum characters { CHARACTERS_NONE, CHARACTERS_DONE, CHARACTERS_WRONG };

/* The numbers between "hex:" or "unicode:" and "}". */
static enum characters decode_numbers(struct span numbers, bool unicode, struct buf *out)
{
	size_t before = buf_size(out), i = 0, n_numbers = 0;
	enum characters result = CHARACTERS_DONE;

	while (i < numbers.n) {
		size_t from = i;
		uint32_t value;

		if (is_blank(numbers.p[i])) {
			i++;
			continue;
		}
		while (i < numbers.n && i - from <= 6 && !is_blank(numbers.p[i]))
			i++;
		if (!hex_value(span_of(numbers.p + from, i - from), unicode ? 6 : 2, &value)) {
			buf_cut(out, before);
			return CHARACTERS_NONE;
		}
		n_numbers++;
		if (!unicode)
			buf_add_octet(out, (uint8_t)value);
		else if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
			result = CHARACTERS_WRONG;
		else
			add_character(out, value);
	}
	return n_numbers ? result : CHARACTERS_NONE;
}

bool sieve_decode_characters(struct arena *a, struct span *text)
{
	CLEANUP(buf_done) struct buf out = {};
	struct span rest = *text;
	const uint8_t *close = NULL; /* the next }, kept: else many ${ would make this quadratic */
	bool changed = false;

	while (rest.n) {
		size_t at = span_find_span(rest, SPAN("${"));
		struct span inside = span_skip(rest, at + 2);
		size_t end;
		enum characters result = CHARACTERS_NONE;

		buf_add(&out, span_head(rest, at));
		if (at == rest.n)
			break;
		if (!close || close < inside.p)
			close = inside.p + span_find(inside, '}');
		end = (size_t)(close - inside.p);
		if (end < inside.n && span_starts_nocase(inside, SPAN("hex:")))
			result = decode_numbers(span_skip(span_head(inside, end), 4), false, &out);
		else if (end < inside.n && span_starts_nocase(inside, SPAN("unicode:")))
			result = decode_numbers(span_skip(span_head(inside, end), 8), true, &out);
		if (result == CHARACTERS_WRONG)
			return false;
		if (result == CHARACTERS_NONE) {
			buf_add_string(&out, "${");
			rest = inside;
			continue;
		}
		changed = true;
		rest = span_skip(inside, end + 1);
	}
	if (changed)
		*text = arena_span(a, buf_span(&out));
	return true;
}

bool sieve_variable_name_is_valid(struct span name)
{
	if (name.n == 0 || name.n > SIEVE_VARIABLE_NAME_MAX || octet_is_digit(name.p[0]))
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (!octet_is_alpha(name.p[i]) && !octet_is_digit(name.p[i]) && name.p[i] != '_')
			return false;
	}
	return true;
}

struct span sieve_variable_get(const struct sieve_run *r, struct span name)
{
	for (size_t i = 0; i < r->n_variables; i++) {
		if (span_equal_nocase(r->variables[i].name, name))
			return r->variables[i].value;
	}
	return (struct span){};
}

int sieve_variable_set(struct sieve_run *r, struct span name, struct span value)
{
	size_t i = 0;
	int result = run_room(r, value.n);

	if (result)
		return result;
	while (i < r->n_variables && !span_equal_nocase(r->variables[i].name, name))
		i++;
	if (i == SIEVE_VARIABLES_MAX)
		return run_fail(r, "more than %d variables", SIEVE_VARIABLES_MAX);
	if (i == r->n_variables)
		r->variables[r->n_variables++].name = name;
	r->variables[i].value = arena_span(r->arena,
		span_head_utf8(value, SIEVE_VARIABLE_MAX));
	return 0;
}

/* What "${name}" stands for; false: it is no reference and stays as it is. */
static bool resolve(const struct sieve_run *r, struct span name, struct span *ret_value)
{
	uint64_t number;

	*ret_value = (struct span){};
	if (span_to_u64(name, UINT32_MAX, &number)) {
		if (number < r->n_captures)
			*ret_value = r->captures[number];
		return true;
	}
	if (!sieve_variable_name_is_valid(name))
		return false;
	*ret_value = sieve_variable_get(r, name);
	return true;
}

int sieve_expand(struct sieve_run *r, const struct sieve_string *s, struct span *ret_text)
{
	CLEANUP(buf_done) struct buf out = {};
	struct span rest = s->text, value;
	int result;

	*ret_text = s->text;
	if (!s->variable)
		return 0;
	result = run_spend(r, s->text.n);
	while (result == 0 && rest.n && buf_size(&out) < SIEVE_STRING_MAX) {
		size_t at = span_find_span(rest, SPAN("${"));
		struct span inside = span_skip(rest, at + 2);
		struct span name = span_head(inside, SIEVE_VARIABLE_NAME_MAX + 1);
		size_t end = span_find(name, '}');

		buf_add(&out, span_head(rest, at));
		if (at == rest.n)
			break;
		if (end < name.n) /* what looking the name up costs */
			result = run_spend(r, r->n_variables * end);
		if (end < name.n && resolve(r, span_head(inside, end), &value)) {
			buf_add(&out, value);
			rest = span_skip(inside, end + 1);
		} else {
			buf_add_string(&out, "${");
			rest = inside;
		}
	}
	if (result == 0)
		result = run_room(r, buf_size(&out));
	if (result)
		return result;
	*ret_text = arena_span(r->arena,
		span_head_utf8(buf_span(&out), SIEVE_STRING_MAX));
	return 0;
}
