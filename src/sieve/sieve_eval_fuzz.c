/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A script, a NUL, a message: whatever they are, the run ends within its steps, twice with the same
 * result, and what it wants done is well-formed.
 */

#include "mime/word.h"
#include "sieve/eval.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool mailbox_exists(void *context, struct span name)
{
	(void)context;
	return name.n % 2;
}

static void check_action(const struct sieve_action *a)
{
	assert(a->reason.n <= SIEVE_REASON_MAX && a->days <= SIEVE_DAYS_MAX);
	assert(a->kind != SIEVE_REDIRECT || span_find(a->target, '@') < a->target.n);
	/* A header that a script made has no empty line but the last. */
	if (a->header.n)
		assert(span_is(span_skip(a->header, a->header.n - 2), "\r\n"));
}

static int run(const struct sieve_script *s, struct span message, struct buf *out)
{
	struct sieve_result result = {};
	struct sieve_input in = {
		.message = message,
		.size = message.n,
		.sender = SPAN("jim@example.com"),
		.recipient = SPAN("ann+lists@example.org"),
		.separators = "+",
		.own_address = SPAN("ann@example.org"),
		.now_us = 1700000000000000,
		.mailbox_exists = mailbox_exists,
	};
	struct why why = {};
	int r = sieve_eval(s, &in, &result, &why);

	assert(r == 0 || (r == SIEVE_E_FAILED && why.text[0]));
	assert(result.steps <= SIEVE_STEPS_MAX && result.n <= SIEVE_ACTIONS_MAX);
	for (size_t i = 0; i < result.n; i++) {
		check_action(&result.actions[i]);
		sieve_action_print(&result.actions[i], out);
	}
	sieve_result_done(&result);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf first = {}, second = {};
	CLEANUP(sieve_script_unrefp) struct sieve_script *s = NULL;
	struct span rest = span_of(data, size), script;
	static bool ready;

	if (!ready)
		word_init();
	ready = true;
	script = span_cut(&rest, 0);
	if (sieve_compile(&s, script, NULL))
		return 0;
	assert(run(s, rest, &first) == run(s, rest, &second));
	assert(span_equal(buf_span(&first), buf_span(&second)));
	return 0;
}
