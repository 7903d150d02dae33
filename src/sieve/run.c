/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The interpreter: walks the tree, whose depth was bounded when it was checked. There are no loops
 * in the language, so what a run can cost is fields and octets of the message times the tests of
 * the script; each is charged for, and the run fails when its steps are used up.
 */

#include "sieve/run.h"

#include "base/alloc.h"
#include "mime/part.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int run_fail(struct sieve_run *r, const char *format, ...)
{
	struct why why;
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(why.text, sizeof why.text, format, ap);
	va_end(ap);
	why_set(r->why, "%s", why.text);
	return SIEVE_E_FAILED;
}

int run_spend(struct sieve_run *r, size_t octets)
{
	uint64_t steps = 1 + octets / SIEVE_STEP_OCTETS;

	if (steps > r->steps_max - r->steps)
		return run_fail(r, "the script takes too long for this message");
	r->steps += steps;
	return 0;
}

int run_room(struct sieve_run *r, size_t octets)
{
	size_t all = octets + SIEVE_PIECE_OCTETS;

	if (all > SIEVE_MEMORY_MAX - r->octets)
		return run_fail(r, "the script takes too much memory for this message");
	r->octets += all;
	return run_spend(r, octets);
}

int run_nothing(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	(void)r;
	(void)n;
	(void)ret_true;
	return 0;
}

int run_stop(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	(void)n;
	(void)ret_true;
	r->stop = true;
	r->result->stopped = true;
	return 0;
}

int run_one_test(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	int result = run_spend(r, 0);

	return result ? result : n->row->run(r, n, ret_true);
}

/* Whether the block of a command is run. */
static int enters(struct sieve_run *r, const struct sieve_node *n, bool done_before,
	bool *ret_enters)
{
	*ret_enters = false;
	if (!n->has_block || (n->row->after_if && done_before))
		return 0;
	*ret_enters = true;
	return n->tests ? run_one_test(r, n->tests, ret_enters) : 0;
}

static int run_block(struct sieve_run *r, const struct sieve_node *first)
{
	bool taken = false, enter, unused;
	int result = 0;

	for (const struct sieve_node *n = first; n && result == 0 && !r->stop; n = n->next) {
		result = run_spend(r, 0);
		if (result == 0)
			result = n->row->run(r, n, &unused);
		if (result == 0)
			result = enters(r, n, taken, &enter);
		if (result == 0 && enter)
			result = run_block(r, n->block);
		taken = n->row->after_if ? taken || (result == 0 && enter) : result == 0 && enter;
	}
	return result;
}

void sieve_result_done(struct sieve_result *r)
{
	free(r->actions);
	arena_done(&r->arena);
	*r = (struct sieve_result){};
}

int sieve_eval(const struct sieve_script *s, const struct sieve_input *in,
	struct sieve_result *ret_result, struct why *why)
{
	struct sieve_run *r = ALLOC(struct sieve_run);
	int result;

	sieve_result_done(ret_result);
	ret_result->implicit_keep = true;
	r->script = s;
	r->input = in;
	r->result = ret_result;
	r->arena = &ret_result->arena;
	r->why = why;
	r->steps_max = in->steps_max && in->steps_max < SIEVE_STEPS_MAX ? in->steps_max
									: SIEVE_STEPS_MAX;
	r->header = in->header;
	ret_result->flags = arena_span(r->arena, in->flags);
	result = run_block(r, s->commands);
	if (result == 0)
		result = run_header(r, &ret_result->header);
	ret_result->steps = r->steps;
	part_tree_free(r->tree);
	free(r->fields);
	free(r);
	return result;
}
