/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Threads: the rules of RFC 5256 one by one, against the algorithm written down naively, and in
 * shapes that are deep or wide. */

#include "svc/imap/thread_tree.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "mime/word.h"
#include "svc/imap/forest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct line {
	const char *id, *references, *subject;
	int day;
};

static void print_all(struct threads *t, struct buf *out, size_t piece)
{
	while (threads_print(t, out, buf_size(out) + piece))
		;
}

static char *thread_lines(enum thread_by by, const struct line *lines, size_t n, size_t piece)
{
	CLEANUP(threads_freep) struct threads *t = threads_new(by);
	struct buf out = {};

	for (size_t i = 0; i < n; i++) {
		struct thread_message m = {
			.number = (uint32_t)i + 1,
			.date_us = lines[i].day * INT64_C(86400000000),
			.subject = span_str(lines[i].subject),
			.id = span_str(lines[i].id),
			.references = span_str(lines[i].references),
		};

		assert_int_equal(threads_add(t, &m), 0);
	}
	threads_build(t);
	print_all(t, &out, piece);
	return buf_steal_string(&out);
}

enum { LINES = 8 };

static void tables(void **state)
{
	static const struct {
		enum thread_by by;
		const char *expected;
		struct line lines[LINES];
	} rows[] = {
		{ THREAD_REFERENCES, "", {} },
		{ THREAD_REFERENCES, "(1)", { { "a", "", "x", 1 } } },
		/* A chain, and who has no id. */
		{ THREAD_REFERENCES, "(1 2 3)(4)", {
			{ "a", "", "x", 1 }, { "b", "a", "Re: x", 2 }, { "c", "a\nb", "Re: x", 3 },
			{ "", "", "", 4 } } },
		/* Siblings by date, not by number. */
		{ THREAD_REFERENCES, "(1 (3)(2))", {
			{ "a", "", "x", 1 }, { "b", "a", "Re: x", 3 }, { "c", "a", "Re: x", 2 } } },
		/* The parent comes later in the mailbox; threads by date of their top. */
		{ THREAD_REFERENCES, "(2 1)(3)", {
			{ "b", "a", "Re: x", 5 }, { "a", "", "x", 1 }, { "c", "", "y", 3 } } },
		/* (3): a dummy with one child goes, with two it stays. */
		{ THREAD_REFERENCES, "(1)", { { "b", "gone", "x", 1 } } },
		{ THREAD_REFERENCES, "((1)(2))", {
			{ "b", "gone", "x", 1 }, { "c", "gone", "y", 2 } } },
		/* (3): dummies further down go, their children move up. */
		{ THREAD_REFERENCES, "(1 (2)(3))", {
			{ "a", "", "x", 1 }, { "b", "a\nlost", "x", 2 },
			{ "c", "a\nlost", "x", 3 } } },
		{ THREAD_REFERENCES, "((1)(2)(3))", {
			{ "a", "top\nl1", "x", 1 }, { "b", "top\nl2", "y", 2 },
			{ "c", "top\nl2", "z", 3 } } },
		/* (1) (A): what has a parent keeps it; (B): what the message itself says wins. */
		{ THREAD_REFERENCES, "(1 2 3)", {
			{ "a", "", "x", 1 }, { "b", "a", "x", 2 }, { "c", "a\nb", "x", 3 } } },
		{ THREAD_REFERENCES, "(1 4 3)(2)", {
			{ "a", "", "x", 1 }, { "b", "", "y", 2 }, { "d", "a\nc", "z", 4 },
			{ "c", "a", "w", 5 } } },
		/* A message without references loses a parent that others gave it. */
		{ THREAD_REFERENCES, "(1)(3 2)", {
			{ "a", "", "x", 1 }, { "c", "a\nb", "z", 3 }, { "b", "", "y", 2 } } },
		/* Loops are not closed. */
		{ THREAD_REFERENCES, "(2 1)", { { "a", "b", "x", 1 }, { "b", "a", "y", 2 } } },
		{ THREAD_REFERENCES, "(1)", { { "a", "a", "x", 1 } } },
		{ THREAD_REFERENCES, "(3 2 1)", {
			{ "a", "c\nb", "x", 1 }, { "b", "a\nc", "y", 2 },
			{ "c", "b\na", "z", 3 } } },
		/* The second message of an id is one without. */
		{ THREAD_REFERENCES, "(1 3)(2)", {
			{ "a", "", "x", 1 }, { "a", "", "y", 2 }, { "b", "a", "x", 3 } } },
		/* (5): by subject. A reply goes under the original, originals under a dummy. */
		{ THREAD_REFERENCES, "(1 2)", { { "a", "", "x", 1 }, { "b", "", "Re: x", 2 } } },
		{ THREAD_REFERENCES, "(2 1)", { { "b", "", "Re: x", 1 }, { "a", "", "X", 2 } } },
		{ THREAD_REFERENCES, "((1)(2)(3))", {
			{ "a", "", "x", 1 }, { "b", "", "x", 2 }, { "c", "", "x", 3 } } },
		{ THREAD_REFERENCES, "((1)(2))", {
			{ "a", "", "Re: x", 1 }, { "b", "", "fwd: x", 2 } } },
		{ THREAD_REFERENCES, "(1)(2)", { { "a", "", "", 1 }, { "b", "", "Re:", 2 } } },
		/* Two dummies become one; a thread joins a dummy. */
		{ THREAD_REFERENCES, "((1)(2)(3)(4))", {
			{ "a", "g", "x", 1 }, { "b", "g", "y", 2 }, { "c", "h", "x", 3 },
			{ "d", "h", "z", 4 } } },
		{ THREAD_REFERENCES, "((1)(2)(3))", {
			{ "a", "", "x", 1 }, { "b", "g", "x", 2 }, { "c", "g", "y", 3 } } },

		{ THREAD_ORDEREDSUBJECT, "(1)(2 3)(4 (5)(6))", {
			{ "", "", "a", 1 }, { "", "", "b", 2 }, { "", "", "Re: b", 3 },
			{ "", "", "c", 4 }, { "", "", "Re: c", 5 }, { "", "", "c (fwd)", 6 } } },
		{ THREAD_ORDEREDSUBJECT, "(3 1)(2)", {
			{ "", "", "a", 3 }, { "", "", "b", 2 }, { "", "", "A", 1 } } },
		{ THREAD_ORDEREDSUBJECT, "(1 2)", { { "", "", "", 1 }, { "", "", "Re:", 2 } } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t n = 0;

		while (n < LINES && rows[i].lines[n].id)
			n++;
		for (size_t piece = 1; piece < 100; piece += 33) {
			char *text = thread_lines(rows[i].by, rows[i].lines, n, piece);

			if (strcmp(text, rows[i].expected) != 0)
				fail_msg("row %zu: %s, not %s", i, text, rows[i].expected);
			free(text);
		}
	}
}

/* The forest against parents in an array. */
static void forest_random(void **state)
{
	enum { NODES = 60, STEPS = 20000 };
	uint32_t parents[NODES + 1] = {};
	struct forest f = {};
	unsigned seed = 1;

	(void)state;
	for (unsigned i = 0; i < NODES; i++)
		assert_int_equal(forest_add(&f), i + 1);
	for (unsigned i = 0; i < STEPS; i++) {
		uint32_t a = (uint32_t)rand_r(&seed) % NODES + 1;
		uint32_t b = (uint32_t)rand_r(&seed) % NODES + 1;
		uint32_t root = b;

		while (parents[root])
			root = parents[root];
		assert_int_equal(forest_root(&f, b), root);
		assert_int_equal(forest_parent(&f, a), parents[a]);
		if (parents[a]) {
			if (rand_r(&seed) % 3 == 0) {
				forest_cut(&f, a);
				parents[a] = 0;
			}
		} else if (root != a) {
			forest_link(&f, a, b);
			parents[a] = b;
		}
	}
	forest_done(&f);
}

/* Steps (1) to (3) as they are written, on small inputs: parents by walking up, children by
 * recursion. Prints the tree with all siblings by number, for comparison only. */
struct model {
	uint32_t parent[64];
	uint32_t number[64];
	unsigned n;
};

static bool model_below(const struct model *m, uint32_t node, uint32_t top)
{
	for (; node; node = m->parent[node]) {
		if (node == top)
			return true;
	}
	return false;
}

static void model_link(struct model *m, uint32_t child, uint32_t parent)
{
	if (!model_below(m, parent, child))
		m->parent[child] = parent;
}

static void model_add(struct model *m, uint32_t number, uint32_t id, const uint32_t *refs,
	unsigned n_refs)
{
	m->number[id] = number;
	for (unsigned i = 1; i < n_refs; i++) {
		if (!m->parent[refs[i]])
			model_link(m, refs[i], refs[i - 1]);
	}
	m->parent[id] = 0;
	if (n_refs)
		model_link(m, id, refs[n_refs - 1]);
}

/* Splices dummies out from below; the top is 0. Returns whether something changed. */
static bool model_prune_one(struct model *m)
{
	for (uint32_t d = 1; d <= m->n; d++) {
		unsigned n_children = 0;

		if (m->number[d])
			continue;
		for (uint32_t c = 1; c <= m->n; c++)
			n_children += m->parent[c] == d;
		if (m->parent[d] == 0 && n_children > 1)
			continue;
		for (uint32_t c = 1; c <= m->n; c++) {
			if (m->parent[c] == d)
				m->parent[c] = m->parent[d];
		}
		m->number[d] = UINT32_MAX; /* gone */
		m->parent[d] = 0;
		return true;
	}
	return false;
}

static void model_print(const struct model *m, uint32_t node, struct buf *out);

static void model_print_children(const struct model *m, uint32_t node, struct buf *out)
{
	unsigned n = 0;

	for (uint32_t c = 1; c <= m->n; c++)
		n += m->parent[c] == node && m->number[c] != UINT32_MAX;
	if (n == 0)
		return;
	if (m->number[node])
		buf_add_octet(out, ' ');
	for (uint32_t number = 1; number <= m->n; number++) {
		for (uint32_t c = 1; c <= m->n; c++) {
			if (m->parent[c] != node || m->number[c] != number)
				continue;
			if (n > 1)
				buf_add_octet(out, '(');
			model_print(m, c, out);
			if (n > 1)
				buf_add_octet(out, ')');
		}
	}
}

static void model_print(const struct model *m, uint32_t node, struct buf *out)
{
	if (m->number[node])
		buf_add_u64(out, m->number[node]);
	model_print_children(m, node, out);
}

/* The lowest number below a top node: by which it is sorted, as dates are equal. */
static uint32_t model_first(const struct model *m, uint32_t top)
{
	uint32_t first = UINT32_MAX;

	if (m->number[top])
		return m->number[top];
	for (uint32_t c = 1; c <= m->n; c++) {
		if (m->parent[c] == top && m->number[c] < first)
			first = m->number[c];
	}
	return first;
}

static void model_print_all(const struct model *m, struct buf *out)
{
	for (uint32_t number = 1; number <= m->n; number++) {
		for (uint32_t top = 1; top <= m->n; top++) {
			if (m->parent[top] || m->number[top] == UINT32_MAX ||
				model_first(m, top) != number)
				continue;
			buf_add_octet(out, '(');
			model_print(m, top, out);
			buf_add_octet(out, ')');
		}
	}
}

static void references_random(void **state)
{
	unsigned seed = 7;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		CLEANUP(threads_freep) struct threads *t = threads_new(THREAD_REFERENCES);
		CLEANUP(buf_done) struct buf ours = {}, theirs = {};
		struct model m = { .n = 2 + (unsigned)rand_r(&seed) % 12 };
		unsigned used = 0;

		for (uint32_t number = 1; number <= m.n; number++) {
			uint32_t id = (uint32_t)rand_r(&seed) % m.n + 1, refs[4];
			unsigned n_refs = (unsigned)rand_r(&seed) % 5;
			CLEANUP(buf_done) struct buf text = {};
			char name[12];

			if (used & 1u << id)
				continue;
			used |= 1u << id;
			for (unsigned i = 0; i < n_refs; i++) {
				refs[i] = (uint32_t)rand_r(&seed) % m.n + 1;
				buf_add_format(&text, "%s%u", i ? "\n" : "", refs[i]);
			}
			model_add(&m, number, id, refs, n_refs);
			(void)snprintf(name, sizeof name, "%u", id);
			assert_int_equal(threads_add(t, &(struct thread_message){
				.number = number, .id = span_str(name),
				.references = buf_span(&text) }), 0);
		}
		while (model_prune_one(&m))
			;
		threads_build(t);
		print_all(t, &ours, 1000);
		model_print_all(&m, &theirs);
		if (!span_equal(buf_span(&ours), buf_span(&theirs)))
			fail_msg("round %u: %.*s, not %.*s", round, (int)buf_size(&ours),
				(char *)buf_span(&ours).p, (int)buf_size(&theirs),
				(char *)buf_span(&theirs).p);
	}
}

enum { MANY = 100000 };

/* Each message refers to the one before it: a chain, in the worst order for walking up. */
static void deep(void **state)
{
	for (int backwards = 0; backwards < 2; backwards++) {
		CLEANUP(threads_freep) struct threads *t = threads_new(THREAD_REFERENCES);
		CLEANUP(buf_done) struct buf out = {};
		int64_t begun = clock_monotonic_ms();

		(void)state;
		for (unsigned i = 0; i < MANY; i++) {
			unsigned k = backwards ? MANY - 1 - i : i;
			char id[16], refs[16];

			(void)snprintf(id, sizeof id, "%u", k + 1);
			(void)snprintf(refs, sizeof refs, "%u", k);
			assert_int_equal(threads_add(t, &(struct thread_message){
				.number = i + 1, .id = span_str(id), .references = span_str(refs),
				.subject = SPAN("Re: x") }), 0);
		}
		threads_build(t);
		print_all(t, &out, 1 << 16);
		assert_int_equal(buf_span(&out).p[0], '(');
		assert_int_equal(span_find(span_skip(buf_span(&out), 1), '('), buf_size(&out) - 1);
		/* Walking up would take minutes; the bound leaves room for sanitizers. */
		assert_true(clock_monotonic_ms() - begun < 20000);
	}
}

/* At each step of a chain two siblings: lists within lists, a hundred thousand deep. */
static void nested(void **state)
{
	CLEANUP(threads_freep) struct threads *t = threads_new(THREAD_REFERENCES);
	CLEANUP(buf_done) struct buf out = {};
	size_t depth = 0, deepest = 0;

	(void)state;
	for (unsigned i = 0; i < 2 * MANY; i++) {
		char id[16], refs[16];

		(void)snprintf(id, sizeof id, "%u", i);
		(void)snprintf(refs, sizeof refs, "%u", (i / 2 - 1) * 2);
		assert_int_equal(threads_add(t, &(struct thread_message){
			.number = i + 1, .id = span_str(id),
			.references = i < 2 ? SPAN("") : span_str(refs) }), 0);
	}
	threads_build(t);
	print_all(t, &out, 1 << 16);
	for (size_t i = 0; i < buf_size(&out); i++) {
		uint8_t c = buf_span(&out).p[i];

		depth += c == '(';
		deepest = depth > deepest ? depth : deepest;
		depth -= c == ')';
	}
	assert_int_equal(depth, 0);
	assert_int_equal(deepest, MANY);
}

static void limit(void **state)
{
	CLEANUP(threads_freep) struct threads *t = threads_new(THREAD_REFERENCES);
	unsigned n = 0;
	int r = 0;

	(void)state;
	while (r == 0 && n < THREAD_NODES_MAX + 1)
		r = threads_add(t, &(struct thread_message){ .number = ++n });
	assert_int_equal(r, THREAD_E_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables),
		cmocka_unit_test(forest_random),
		cmocka_unit_test(references_random),
		cmocka_unit_test(deep),
		cmocka_unit_test(nested),
		cmocka_unit_test(limit),
	};

	word_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
