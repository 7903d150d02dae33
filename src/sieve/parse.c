/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The generic grammar of RFC 5228 section 8.2: any identifier may be a command or a test here, with
 * any arguments; what they mean is the checker's. Descent is bounded by SIEVE_NESTING_MAX, so a
 * script cannot use up the stack.
 */

#include "sieve/lex.h"

struct parser {
	struct sieve_making *making;
	struct sieve_lexer lexer;
	struct sieve_token token; /* the next one, not taken yet */
};

static int advance(struct parser *p)
{
	return sieve_lex(&p->lexer, &p->token);
}

static bool is_sign(const struct parser *p, char sign)
{
	return p->token.kind == TOKEN_SIGN && p->token.text.p[0] == (uint8_t)sign;
}

static int expected(struct parser *p, const char *what)
{
	const struct sieve_token *t = &p->token;

	if (t->kind == TOKEN_END)
		return sieve_error(p->making, t->place, "the script ends here, where %s should be",
			what);
	if (t->kind == TOKEN_STRING || t->kind == TOKEN_NUMBER)
		return sieve_error(p->making, t->place, "%s should be here, not a %s", what,
			t->kind == TOKEN_STRING ? "string" : "number");
	return sieve_error(p->making, t->place, "%s should be here, not \"%.*s\"", what,
		SIEVE_SHOWN(t->text));
}

static int node_new(struct parser *p, unsigned depth, struct sieve_node **ret_node)
{
	struct sieve_node *n;

	if (++p->making->n_nodes > SIEVE_NODES_MAX)
		return sieve_error(p->making, p->token.place,
			"a script has at most %d commands and tests", SIEVE_NODES_MAX);
	if (depth > SIEVE_NESTING_MAX)
		return sieve_error(p->making, p->token.place,
			"blocks and tests can be at most %d deep in each other", SIEVE_NESTING_MAX);
	n = ARENA_ALLOC(&p->making->script->arena, struct sieve_node);
	n->place = p->token.place;
	n->name = arena_span(&p->making->script->arena, p->token.text);
	n->depth = depth;
	*ret_node = n;
	return 0;
}

static struct sieve_string string_of(const struct sieve_token *t)
{
	return (struct sieve_string){ .text = t->text, .place = t->place };
}

/* Copies the list gathered in buf into the arena. */
static void set_strings(struct parser *p, struct sieve_argument *a, const struct buf *strings)
{
	struct span all = arena_span(&p->making->script->arena, buf_span(strings));

	a->strings = (struct sieve_string *)(uintptr_t)all.p;
	a->n_strings = all.n / sizeof a->strings[0];
}

static int parse_list(struct parser *p, struct sieve_argument *a)
{
	CLEANUP(buf_done) struct buf strings = {};
	struct sieve_string string;
	int r;

	a->kind = ARGUMENT_LIST;
	for (;;) {
		r = advance(p);
		if (r)
			return r;
		/* RFC 5228 section 8.2 has no empty list, but later standards need one (RFC 5232).
		 */
		if (is_sign(p, ']') && buf_size(&strings) == 0)
			break;
		if (p->token.kind != TOKEN_STRING)
			return expected(p, "a string of this list");
		string = string_of(&p->token);
		buf_add(&strings, span_of(&string, sizeof string));
		r = advance(p);
		if (r)
			return r;
		if (is_sign(p, ']'))
			break;
		if (!is_sign(p, ','))
			return expected(p, "a comma, or the ] that ends this list,");
	}
	set_strings(p, a, &strings);
	return advance(p);
}

static int parse_argument(struct parser *p, struct sieve_argument *a)
{
	CLEANUP(buf_done) struct buf strings = {};
	struct sieve_string string;

	a->place = p->token.place;
	switch (p->token.kind) {
	case TOKEN_NUMBER:
		a->kind = ARGUMENT_NUMBER;
		a->number = p->token.number;
		return advance(p);
	case TOKEN_TAG:
		a->kind = ARGUMENT_TAG;
		a->tag = arena_span(&p->making->script->arena, p->token.text);
		return advance(p);
	case TOKEN_STRING:
		a->kind = ARGUMENT_STRING;
		string = string_of(&p->token);
		buf_add(&strings, span_of(&string, sizeof string));
		set_strings(p, a, &strings);
		return advance(p);
	default:
		return parse_list(p, a);
	}
}

static bool begins_argument(const struct parser *p)
{
	return p->token.kind == TOKEN_NUMBER || p->token.kind == TOKEN_TAG ||
	       p->token.kind == TOKEN_STRING || is_sign(p, '[');
}

static int parse_arguments(struct parser *p, struct sieve_node *n)
{
	struct sieve_argument arguments[SIEVE_ARGUMENTS_MAX] = {};
	int r;

	while (begins_argument(p)) {
		if (n->n_arguments == SIEVE_ARGUMENTS_MAX)
			return sieve_error(p->making, p->token.place,
				"there are at most %d arguments", SIEVE_ARGUMENTS_MAX);
		r = parse_argument(p, &arguments[n->n_arguments]);
		if (r)
			return r;
		n->n_arguments++;
	}
	n->arguments = (struct sieve_argument *)(uintptr_t)arena_span(&p->making->script->arena,
		span_of(arguments, n->n_arguments * sizeof arguments[0]))
			       .p;
	return 0;
}

static int parse_test(struct parser *p, unsigned depth, struct sieve_node **ret_test);

/* "(" test *("," test) ")", the first token taken. */
static int parse_tests(struct parser *p, struct sieve_node *n)
{
	struct sieve_node **end = &n->tests;
	int r;

	n->tests_listed = true;
	do {
		r = advance(p);
		if (r == 0)
			r = parse_test(p, n->depth + 1, end);
		if (r)
			return r;
		end = &(*end)->next;
		n->n_tests++;
	} while (is_sign(p, ','));
	if (!is_sign(p, ')'))
		return expected(p, "a comma, or the ) that ends these tests,");
	return advance(p);
}

/* Name, arguments, tests: what a command and a test have in common. */
static int parse_head(struct parser *p, unsigned depth, struct sieve_node **ret_node)
{
	struct sieve_node *n;
	int r = node_new(p, depth, &n);

	if (r == 0)
		r = advance(p);
	if (r == 0)
		r = parse_arguments(p, n);
	if (r)
		return r;
	*ret_node = n;
	if (is_sign(p, '('))
		return parse_tests(p, n);
	if (p->token.kind == TOKEN_IDENTIFIER) {
		n->n_tests = 1;
		return parse_test(p, depth + 1, &n->tests);
	}
	return 0;
}

static int parse_test(struct parser *p, unsigned depth, struct sieve_node **ret_test)
{
	if (p->token.kind != TOKEN_IDENTIFIER)
		return expected(p, "a test");
	return parse_head(p, depth, ret_test);
}

/* Commands up to the end of the block or the script. */
static int parse_commands(struct parser *p, unsigned depth, struct sieve_node **end);

static int parse_command(struct parser *p, unsigned depth, struct sieve_node **ret_node)
{
	struct sieve_node *n;
	int r;

	if (p->token.kind != TOKEN_IDENTIFIER)
		return expected(p, "a command");
	r = parse_head(p, depth, &n);
	if (r)
		return r;
	*ret_node = n;
	if (is_sign(p, ';'))
		return advance(p);
	if (!is_sign(p, '{'))
		return expected(p, "a semicolon that ends this command, or a block in {},");
	n->has_block = true;
	r = advance(p);
	if (r == 0)
		r = parse_commands(p, depth + 1, &n->block);
	if (r)
		return r;
	if (!is_sign(p, '}'))
		return expected(p, "the } that ends this block");
	return advance(p);
}

static int parse_commands(struct parser *p, unsigned depth, struct sieve_node **end)
{
	int r;

	while (p->token.kind != TOKEN_END && !is_sign(p, '}')) {
		r = parse_command(p, depth, end);
		if (r)
			return r;
		end = &(*end)->next;
	}
	return 0;
}

int sieve_parse(struct sieve_making *m, struct span text)
{
	struct parser p = {
		.making = m,
		.lexer = { .making = m, .rest = text, .place = { 1, 1 } },
	};
	int r;

	if (span_starts(text, SPAN("\xEF\xBB\xBF"))) /* a byte order mark says nothing here */
		p.lexer.rest = span_skip(text, 3);
	r = advance(&p);
	if (r == 0)
		r = parse_commands(&p, 1, &m->script->commands);
	if (r)
		return r;
	return p.token.kind == TOKEN_END ? 0 : expected(&p, "a command");
}
