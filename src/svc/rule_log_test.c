/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What the log says about rules: each note in a line, hostile texts in theirs, and how many more
 * there were. */

#include "svc/rule_log.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/test.h"
#include "mail/plan_parts.h"
#include "svc/env.h"

#include <stdlib.h>

struct state {
	struct env *env;
	struct plan *plan;
	uint64_t before; /* lines of the log */
};

static int setup(void **state)
{
	CLEANUP(buf_done) struct buf lines = {};
	struct state *s = ALLOC(struct state);

	log_set_stderr(false);
	s->env = ALLOC(struct env);
	s->plan = ALLOC(struct plan);
	s->before = log_read(0, NULL, SIZE_MAX, &lines);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct state *s = *state;

	plan_free(s->plan);
	free(s->env);
	free(s);
	return 0;
}

static void note(struct state *s, enum plan_note_kind kind, const char *account, const char *level,
	const char *text)
{
	plan_note_add(s->plan, kind, span_str(account), level, span_str(text));
}

static unsigned long long n_failed(const struct state *s)
{
	return atomic_load(&s->env->counters[COUNT_RULES_FAILED]);
}

/* The lines since the beginning, without their times. */
static void read_lines(const struct state *s, struct buf *out)
{
	CLEANUP(buf_done) struct buf lines = {};
	struct span rest, line;

	(void)log_read(s->before, "RULE", SIZE_MAX, &lines);
	rest = buf_span(&lines);
	while (rest.n) {
		line = span_cut(&rest, '\n');
		(void)span_word(&line);
		buf_add(out, line);
		buf_add_octet(out, '\n');
	}
}

static void expect(const struct state *s, const char *expected)
{
	CLEANUP(buf_done) struct buf got = {};

	read_lines(s, &got);
	if (!span_is(buf_span(&got), expected))
		fail_msg("expected\n%s\ngot\n%.*s", expected, (int)buf_size(&got),
			(const char *)buf_span(&got).p);
}

static void nothing(void **state)
{
	struct state *s = *state;

	rule_log_notes(s->env, NULL, s->plan);
	expect(s, "");
	assert_int_equal(n_failed(s), 0);
}

static void kinds(void **state)
{
	struct state *s = *state;
	const struct log_context context = { .field = log_str("session", "abc") };

	note(s, NOTE_FAILED, "a@example.org", "server", "line 1: why");
	note(s, NOTE_CLEAR, "b@example.org", "domain", "no certificate");
	note(s, NOTE_RIGHT, "c@example.org", "account", "~jim/INBOX");
	rule_log_notes(s->env, &context, s->plan);
	expect(s,
		"level=warning tag=RULE session=abc rule.run account=a@example.org level=server"
		" reason=\"line 1: why\" outcome=failed\n"
		"level=warning tag=RULE session=abc rule.encrypt account=b@example.org level=domain"
		" reason=\"no certificate\" outcome=not_encrypted\n"
		"level=warning tag=RULE session=abc rule.file account=c@example.org level=account"
		" reason=~jim/INBOX outcome=no_right\n");
	/* Only scripts that failed are counted. */
	assert_int_equal(n_failed(s), 1);
}

/* A mailbox name comes from a script: it cannot make a line of its own. */
static void hostile(void **state)
{
	CLEANUP(buf_done) struct buf got = {};
	struct state *s = *state;
	size_t n = 0;

	note(s, NOTE_RIGHT, "a@example.org", "account", "~x\"\nrule.run outcome=\"failed\r\x1b[2J");
	rule_log_notes(s->env, NULL, s->plan);
	read_lines(s, &got);
	for (size_t i = 0; i < buf_size(&got); i++) {
		uint8_t c = buf_span(&got).p[i];

		n += c == '\n';
		assert_true(c >= ' ' || c == '\n');
	}
	assert_int_equal(n, 1);
}

static void many(void **state)
{
	CLEANUP(buf_done) struct buf got = {};
	struct state *s = *state;
	size_t n = 0;

	for (unsigned i = 0; i < PLAN_NOTES_MAX + 7; i++)
		note(s, NOTE_FAILED, "a@example.org", "account", "why");
	rule_log_notes(s->env, NULL, s->plan);
	read_lines(s, &got);
	for (size_t i = 0; i < buf_size(&got); i++)
		n += buf_span(&got).p[i] == '\n';
	assert_int_equal(n, PLAN_NOTES_MAX + 1);
	assert_true(span_find_span(buf_span(&got), SPAN("tag=RULE rule.more notes=7\n")) <
		    buf_size(&got));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(kinds, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(many, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
