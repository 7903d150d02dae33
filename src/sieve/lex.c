/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Line ends may be CRLF or LF: scripts come from files as well as from ManageSieve. A CR alone is
 * white space. Offsets are counted while octets are taken, so every word knows its place. */

#include "sieve/lex.h"

static void take(struct sieve_lexer *l, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (l->rest.p[i] == '\n') {
			l->place.line++;
			l->place.column = 1;
		} else {
			l->place.column++;
		}
	}
	l->rest = span_skip(l->rest, n);
}

static bool at(const struct sieve_lexer *l, const char *text)
{
	return span_starts(l->rest, span_str(text));
}

/* Comments and white space (RFC 5228 section 2.3). */
static int skip_space(struct sieve_lexer *l)
{
	while (l->rest.n) {
		uint8_t c = l->rest.p[0];
		size_t end;

		if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
			take(l, 1);
		} else if (c == '#') {
			take(l, span_find(l->rest, '\n'));
		} else if (at(l, "/*")) {
			end = span_find_span(span_skip(l->rest, 2), SPAN("*/"));
			if (end == l->rest.n - 2)
				return sieve_error(l->making, l->place,
					"this comment has no end: write */ behind it");
			take(l, 2 + end + 2);
		} else {
			break;
		}
	}
	return 0;
}

static bool is_word(uint8_t c, bool first)
{
	return octet_is_alpha(c) || c == '_' || (!first && octet_is_digit(c));
}

static struct span word(const struct sieve_lexer *l, size_t from)
{
	size_t n = from;

	while (n < l->rest.n && is_word(l->rest.p[n], n == from))
		n++;
	return span_of(l->rest.p + from, n - from);
}

static int lex_number(struct sieve_lexer *l, struct sieve_token *t)
{
	static const uint64_t most = INT64_MAX;
	uint64_t value, unit = 1;
	size_t n = 0;

	while (n < l->rest.n && octet_is_digit(l->rest.p[n]))
		n++;
	if (!span_to_u64(span_head(l->rest, n), most, &value))
		return sieve_error(l->making, l->place, "this number is too large");
	if (n < l->rest.n) {
		/* RFC 5228 section 2.4.1 */
		switch (octet_lower(l->rest.p[n])) {
		case 'k':
			unit = 1ULL << 10;
			break;
		case 'm':
			unit = 1ULL << 20;
			break;
		case 'g':
			unit = 1ULL << 30;
			break;
		default:
			break;
		}
		n += unit > 1;
	}
	if (value > most / unit)
		return sieve_error(l->making, l->place, "this number is too large");
	if (n < l->rest.n && is_word(l->rest.p[n], false))
		return sieve_error(l->making, l->place,
			"a number is digits, perhaps with one of K, M and G behind it");
	t->kind = TOKEN_NUMBER;
	t->number = value * unit;
	take(l, n);
	return 0;
}

static int string_token(struct sieve_lexer *l, struct sieve_token *t, struct span text,
	size_t n_taken)
{
	if (++l->making->n_strings > SIEVE_STRINGS_MAX)
		return sieve_error(l->making, l->place, "a script has at most %d strings",
			SIEVE_STRINGS_MAX);
	t->kind = TOKEN_STRING;
	t->text = arena_span(&l->making->script->arena, text);
	take(l, n_taken);
	return 0;
}

static int lex_quoted(struct sieve_lexer *l, struct sieve_token *t)
{
	CLEANUP(buf_done) struct buf text = {};
	size_t i = 1;

	for (; i < l->rest.n && l->rest.p[i] != '"'; i++) {
		if (l->rest.p[i] == '\\' && i + 1 < l->rest.n)
			i++;
		buf_add_octet(&text, l->rest.p[i]);
	}
	if (i >= l->rest.n)
		return sieve_error(l->making, l->place, "this string has no end: a \" is missing");
	return string_token(l, t, buf_span(&text), i + 1);
}

/* RFC 5228 section 8.1: "text:" [white space, comment] line end, lines, a line with a dot. */
static int lex_multi_line(struct sieve_lexer *l, struct sieve_token *t, bool *ret_is_one)
{
	CLEANUP(buf_done) struct buf text = {};
	struct span rest = span_skip(l->rest, 5);
	struct span first = rest, line;

	*ret_is_one = false;
	line = span_trim(span_cut(&first, '\n'));
	if (line.n && line.p[0] != '#')
		return 0;
	*ret_is_one = true;
	rest = first;
	for (;;) {
		if (rest.n == 0)
			return sieve_error(l->making, l->place,
				"this text has no end: a line with only a dot is missing");
		line = span_cut(&rest, '\n');
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (span_is(line, "."))
			break;
		if (line.n && line.p[0] == '.') /* RFC 5228 section 2.4.2 */
			line = span_skip(line, 1);
		buf_add(&text, line);
		buf_add_string(&text, "\r\n");
	}
	return string_token(l, t, buf_span(&text), l->rest.n - rest.n);
}

static int lex_word(struct sieve_lexer *l, struct sieve_token *t)
{
	bool multi_line = false;
	int r = 0;

	if (span_starts_nocase(l->rest, SPAN("text:")))
		r = lex_multi_line(l, t, &multi_line);
	if (r || multi_line)
		return r;
	t->kind = TOKEN_IDENTIFIER;
	t->text = word(l, 0);
	take(l, t->text.n);
	return 0;
}

int sieve_lex(struct sieve_lexer *l, struct sieve_token *ret_token)
{
	uint8_t c;
	int r = skip_space(l);

	if (r)
		return r;
	*ret_token = (struct sieve_token){ .kind = TOKEN_END, .place = l->place };
	if (l->rest.n == 0)
		return 0;
	c = l->rest.p[0];
	if (is_word(c, true))
		return lex_word(l, ret_token);
	if (octet_is_digit(c))
		return lex_number(l, ret_token);
	if (c == '"')
		return lex_quoted(l, ret_token);
	if (c == ':') {
		ret_token->kind = TOKEN_TAG;
		ret_token->text = word(l, 1);
		if (ret_token->text.n == 0)
			return sieve_error(l->making, l->place,
				"a word is missing behind this colon");
		take(l, 1 + ret_token->text.n);
		return 0;
	}
	if (!strchr("[]{}(),;", c))
		return sieve_error(l->making, l->place,
			"a script cannot have this character here; texts stand in \"quotes\"");
	ret_token->kind = TOKEN_SIGN;
	ret_token->text = span_head(l->rest, 1);
	take(l, 1);
	return 0;
}
