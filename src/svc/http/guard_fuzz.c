/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The guard. What must hold: what it lets through does not depend on how the input was cut, goes
 * through a second guard unchanged, and is read there as the same number of requests; after a
 * refusal nothing comes out.
 */

#include "svc/http/guard.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Small enough to be met by small inputs. */
static uint64_t limit_of(void *context, struct span method, struct span target)
{
	(void)context;
	return method.n + 4 * target.n;
}

static int run(struct guard *g, struct span in, size_t step, struct buf *out)
{
	int r = 0;

	while (in.n && !r) {
		r = guard_add(g, span_head(in, step), out);
		in = span_skip(in, step);
	}
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf whole = {}, cut = {}, again = {};
	struct span in = span_of(data, size);
	struct guard a = { .limit_of = limit_of }, b = a, c = a;
	size_t step = size ? data[size - 1] % 7 + 1u : 1;
	int r = run(&a, in, size + 1, &whole);

	if (run(&b, in, step, &cut) != r || a.status != b.status || a.n_requests != b.n_requests ||
		a.n_octets != b.n_octets ||
		!span_equal(buf_span(&whole), buf_span(&cut)))
		abort();
	if (run(&c, buf_span(&whole), size + 1, &again) || c.n_requests != a.n_requests ||
		!span_equal(buf_span(&whole), buf_span(&again)))
		abort();
	if (r && (guard_add(&a, in, &again) != GUARD_E_REFUSED ||
			 buf_size(&again) != buf_size(&whole)))
		abort();
	guard_done(&a);
	guard_done(&b);
	guard_done(&c);
	return 0;
}
