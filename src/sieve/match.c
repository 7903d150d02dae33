/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Matching by patterns needs no way back: RFC 5229 section 3.2 wants each * to stand for as little
 * as possible, so the first place where the piece behind it fits is the right one, and the last
 * piece is fixed by the end of the text.
 */

#include "sieve/match.h"

#include "sieve/expand.h"

#include <stdio.h>

/* A piece of a pattern without *, and what of the text it was laid on. */
struct glob {
	struct span pattern;
	bool fold, octets;
	struct span *captures;
	size_t n_captures;
};

static size_t character(struct span text, bool octets)
{
	size_t n = 1;

	if (octets)
		return 1;
	while (n < text.n && n < 4 && (text.p[n] & 0xC0) == 0x80)
		n++;
	return n;
}

static void capture(struct glob *g, struct span s)
{
	if (g->n_captures < SIEVE_CAPTURES && g->captures)
		g->captures[g->n_captures++] = s;
}

static bool same(const struct glob *g, uint8_t a, uint8_t b)
{
	return g->fold ? octet_lower(a) == octet_lower(b) : a == b;
}

/* Lays the piece on the front of the text; *ret_n: octets it covers. Captures what ? stands for. */
static bool lay(struct glob *g, struct span piece, struct span text, size_t *ret_n)
{
	size_t before = g->n_captures, at = 0;

	for (size_t i = 0; i < piece.n; i++) {
		struct span rest = span_skip(text, at);

		if (rest.n == 0)
			break;
		if (piece.p[i] == '?') {
			size_t n = character(rest, g->octets);

			capture(g, span_head(rest, n));
			at += n;
			if (i + 1 == piece.n) {
				*ret_n = at;
				return true;
			}
			continue;
		}
		if (piece.p[i] == '\\' && i + 1 < piece.n)
			i++;
		if (!same(g, piece.p[i], rest.p[0]))
			break;
		at++;
		if (i + 1 == piece.n) {
			*ret_n = at;
			return true;
		}
	}
	*ret_n = 0;
	if (piece.n == 0)
		return true;
	g->n_captures = before;
	return false;
}

/* Takes the piece up to the next * that is not quoted; *ret_star: there is one. */
static struct span piece_cut(struct span *pattern, bool *ret_star)
{
	struct span piece;
	size_t i = 0;

	while (i < pattern->n && pattern->p[i] != '*')
		i += pattern->p[i] == '\\' && i + 1 < pattern->n ? 2 : 1;
	if (i > pattern->n)
		i = pattern->n;
	piece = span_head(*pattern, i);
	*ret_star = i < pattern->n;
	*pattern = span_skip(*pattern, i + *ret_star);
	return piece;
}

/* Where the text's last octets could begin that the last piece must cover: one place for each
 * number of characters; ? is one, everything else an octet. */
static bool lay_at_end(struct glob *g, struct span piece, struct span text, size_t *ret_start)
{
	size_t start = text.n, n;

	for (size_t i = piece.n; i-- > 0;) {
		bool quoted = i && piece.p[i - 1] == '\\';
		size_t slashes = 0;

		while (quoted && i > slashes && piece.p[i - 1 - slashes] == '\\')
			slashes++;
		quoted = slashes % 2 == 1;
		if (start == 0)
			return false;
		start--;
		if (piece.p[i] == '?' && !quoted && !g->octets) {
			while (start && (text.p[start] & 0xC0) == 0x80)
				start--;
		}
		i -= quoted;
	}
	*ret_start = start;
	return lay(g, piece, span_skip(text, start), &n) && start + n == text.n;
}

/* The first place at which the piece fits. */
static bool lay_first(struct glob *g, struct span piece, struct span text, size_t *ret_start,
	size_t *ret_n)
{
	for (size_t start = 0; start <= text.n; start++) {
		if (!g->octets && start < text.n && (text.p[start] & 0xC0) == 0x80)
			continue;
		if (lay(g, piece, span_skip(text, start), ret_n)) {
			*ret_start = start;
			return true;
		}
	}
	return false;
}

/* The piece after a *: its captures come behind the star's own, whose place is kept free. */
static bool after_star(struct glob *g, struct span piece, bool last, struct span *text)
{
	size_t star = g->n_captures, start, n = 0;
	bool fits;

	capture(g, span_head(*text, 0));
	if (last)
		fits = lay_at_end(g, piece, *text, &start);
	else
		fits = lay_first(g, piece, *text, &start, &n);
	if (!fits)
		return false;
	if (g->captures && star < SIEVE_CAPTURES)
		g->captures[star] = span_head(*text, start);
	*text = last ? span_skip(*text, text->n) : span_skip(*text, start + n);
	return true;
}

bool sieve_glob(struct span pattern, struct span text, bool fold, bool octets,
	struct span *captures, size_t *ret_n_captures)
{
	struct glob g = { .fold = fold, .octets = octets, .captures = captures };
	struct span piece, rest = text;
	bool star;
	size_t n;

	capture(&g, text);
	piece = piece_cut(&pattern, &star);
	if (!lay(&g, piece, rest, &n) || (!star && n != rest.n))
		return false;
	rest = span_skip(rest, n);
	while (star) {
		piece = piece_cut(&pattern, &star);
		if (!after_star(&g, piece, !star, &rest))
			return false;
	}
	if (ret_n_captures)
		*ret_n_captures = g.n_captures;
	return true;
}

/* RFC 4790 section 9.1: leading digits are the number; without any it is greater than all. */
static struct span number_of(struct span s)
{
	size_t n = 0, zeros = 0;

	while (n < s.n && octet_is_digit(s.p[n]))
		n++;
	while (zeros + 1 < n && s.p[zeros] == '0')
		zeros++;
	return span_skip(span_head(s, n), zeros);
}

static int sign_of(bool less, bool greater)
{
	return less ? -1 : greater;
}

static int compare_numbers(struct span a, struct span b)
{
	struct span x = number_of(a), y = number_of(b);

	if (x.n == 0 || y.n == 0)
		return sign_of(x.n > y.n, x.n < y.n);
	if (x.n != y.n)
		return sign_of(x.n<y.n, x.n> y.n);
	return span_compare(x, y);
}

static int compare_folded(struct span a, struct span b)
{
	for (size_t i = 0; i < a.n && i < b.n; i++) {
		uint8_t x = octet_lower(a.p[i]), y = octet_lower(b.p[i]);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return sign_of(a.n<b.n, a.n> b.n);
}

static int compare(enum sieve_comparator comparator, struct span a, struct span b)
{
	switch (comparator) {
	case COMPARATOR_NUMERIC:
		return compare_numbers(a, b);
	case COMPARATOR_OCTET:
		return span_compare(a, b);
	case COMPARATOR_CASEMAP:
		break;
	}
	return compare_folded(a, b);
}

static bool holds(enum sieve_relation relation, int order)
{
	switch (relation) {
	case RELATION_GT:
		return order > 0;
	case RELATION_GE:
		return order >= 0;
	case RELATION_LT:
		return order < 0;
	case RELATION_LE:
		return order <= 0;
	case RELATION_EQ:
		return order == 0;
	case RELATION_NE:
		break;
	}
	return order != 0;
}

static void fold(struct span text, struct buf *out)
{
	uint8_t *p = buf_room(out, text.n);

	for (size_t i = 0; i < text.n; i++)
		p[i] = octet_lower(text.p[i]);
	buf_added(out, text.n);
}

/* Keys of :contains are folded once, and each value is: then searching takes linear time. */
static void fold_keys(struct sieve_matcher *m)
{
	CLEANUP(buf_done) struct buf folded = {};

	for (size_t i = 0; i < m->keys->n_strings; i++) {
		buf_clear(&folded);
		fold(m->expanded[i], &folded);
		m->expanded[i] = arena_span(m->run->arena, buf_span(&folded));
	}
}

int sieve_matcher_init(struct sieve_matcher *m, struct sieve_run *r, const struct sieve_node *n,
	const struct sieve_argument *keys)
{
	int result = run_room(r, (keys->n_strings + 1) * sizeof(struct span));

	*m = (struct sieve_matcher){
		.run = r,
		.type = n->slots[SLOT_MATCH].tag ? n->slots[SLOT_MATCH].tag : TAG_IS,
		.comparator = n->comparator,
		.relation = n->relation,
		.capture = r->script->extensions & EXT_BIT(EXT_VARIABLES),
		.keys = keys,
	};
	if (result)
		return result;
	m->expanded = arena_alloc(r->arena, (keys->n_strings + 1) * sizeof(struct span));
	for (size_t i = 0; i < keys->n_strings; i++) {
		result = sieve_expand(r, &keys->strings[i], &m->expanded[i]);
		if (result == 0)
			result = run_room(r, m->expanded[i].n);
		if (result)
			return result;
	}
	if (m->type == TAG_CONTAINS && m->comparator == COMPARATOR_CASEMAP)
		fold_keys(m);
	return 0;
}

static int match_glob(struct sieve_matcher *m, struct span value, struct span pattern,
	bool *ret_matches)
{
	struct span captures[SIEVE_CAPTURES];
	bool octets = m->comparator == COMPARATOR_OCTET;
	size_t n;

	*ret_matches = sieve_glob(pattern, value, !octets, octets, captures, &n);
	if (!*ret_matches || !m->capture)
		return 0;
	/* The value may lie in a buffer of the test's. RFC 5229 section 3.2: captures that are not
	 * there are empty. */
	for (size_t i = 0; i < n; i++) {
		int r = run_room(m->run, captures[i].n);

		if (r)
			return r;
		m->run->captures[i] = arena_span(m->run->arena,
			span_head_utf8(captures[i], SIEVE_VARIABLE_MAX));
	}
	m->run->n_captures = n;
	return 0;
}

static int match_key(struct sieve_matcher *m, struct span value, struct span key, bool *ret_matches)
{
	switch (m->type) {
	case TAG_CONTAINS:
		*ret_matches = key.n == 0 || span_find_span(value, key) < value.n;
		return 0;
	case TAG_MATCHES:
		return match_glob(m, value, key, ret_matches);
	case TAG_VALUE:
		*ret_matches = holds(m->relation, compare(m->comparator, value, key));
		return 0;
	default:
		*ret_matches = compare(m->comparator, value, key) == 0;
		return 0;
	}
}

/* What comparing costs at most. */
static size_t cost(const struct sieve_matcher *m, struct span value, struct span key)
{
	if (m->type == TAG_MATCHES)
		return (value.n + 1) * (1 + key.n);
	/* All digits are looked at, however few the other has. */
	if (m->comparator == COMPARATOR_NUMERIC)
		return value.n + key.n;
	return m->type == TAG_CONTAINS || value.n < key.n ? value.n : key.n;
}

int sieve_matcher_value(struct sieve_matcher *m, struct span value)
{
	CLEANUP(buf_done) struct buf folded = {};
	int r = 0;

	m->count++;
	if (m->type == TAG_COUNT || m->found)
		return 0;
	if (m->type == TAG_CONTAINS && m->comparator == COMPARATOR_CASEMAP) {
		fold(value, &folded);
		value = buf_span(&folded);
	}
	for (size_t i = 0; i < m->keys->n_strings && !m->found && r == 0; i++) {
		r = run_spend(m->run, cost(m, value, m->expanded[i]));
		if (r == 0)
			r = match_key(m, value, m->expanded[i], &m->found);
	}
	return r;
}

int sieve_matcher_end(struct sieve_matcher *m, bool *ret_true)
{
	char text[24];
	int n;

	/* RFC 5231 section 4.2 */
	if (m->type == TAG_COUNT) {
		n = snprintf(text, sizeof text, "%llu", (unsigned long long)m->count);
		for (size_t i = 0; i < m->keys->n_strings && !m->found; i++)
			m->found = holds(m->relation,
				compare(m->comparator, span_of(text, (size_t)n), m->expanded[i]));
	}
	*ret_true = m->found;
	return 0;
}
