/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The pattern as an automaton whose states are the places between its literal octets, all states
 * held as bits and moved forward for each octet of the name. Wildcards are no octets but loops at a
 * place. There is no backtracking, so a pattern made of wildcards costs what any other does.
 */

#include "svc/imap/pattern.h"

enum { WORD = 64, OCTETS = 256 };

struct pattern {
	size_t n;          /* literal octets: n + 1 places */
	size_t words;
	bool ends_in_level;
	uint64_t *any;     /* places with a '*' */
	uint64_t *level;   /* places with a '%' */
	uint64_t *literal; /* words of octet c from c * words on: places that c leads on from */
	uint64_t *now;
};

static void bit_set(uint64_t *bits, size_t i)
{
	bits[i / WORD] |= UINT64_C(1) << i % WORD;
}

struct pattern *pattern_new(struct arena *a, struct span text)
{
	struct pattern *p = ARENA_ALLOC(a, struct pattern);
	size_t octets;

	p->words = text.n / WORD + 1;
	octets = p->words * sizeof(uint64_t);
	p->any = arena_alloc(a, octets);
	p->level = arena_alloc(a, octets);
	p->now = arena_alloc(a, octets);
	p->literal = arena_alloc(a, OCTETS * octets);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '*')
			bit_set(p->any, p->n);
		else if (text.p[i] == '%')
			bit_set(p->level, p->n);
		else
			bit_set(p->literal + text.p[i] * p->words, p->n++);
	}
	p->ends_in_level = text.n > 0 && text.p[text.n - 1] == '%';
	return p;
}

static void pattern_step(struct pattern *p, uint8_t c, bool nocase)
{
	const uint64_t *literal = p->literal + c * p->words;
	const uint64_t *other = literal;
	uint64_t carry = 0;

	if (nocase && octet_is_alpha(c))
		other = p->literal + (c ^ 32) * p->words;
	for (size_t w = 0; w < p->words; w++) {
		uint64_t on = p->now[w] & (literal[w] | other[w]);
		uint64_t stay = p->now[w] & (p->any[w] | (c != '/' ? p->level[w] : 0));

		p->now[w] = on << 1 | carry | stay;
		carry = on >> (WORD - 1);
	}
}

bool pattern_matches(struct pattern *p, struct span name, bool nocase)
{
	memset(p->now, 0, p->words * sizeof *p->now);
	p->now[0] = 1;
	for (size_t i = 0; i < name.n; i++)
		pattern_step(p, name.p[i], nocase);
	return p->now[p->n / WORD] >> p->n % WORD & 1;
}

bool pattern_ends_in_level(const struct pattern *p)
{
	return p->ends_in_level;
}
