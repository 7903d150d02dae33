/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* A reply is the same however it is cut into pieces, what is kept of it is bounded, and what is
 * behind it stays. What is refused stays refused with more behind it. */

#include "net/smtp_reply.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

/* As a connection does: what was not taken is there again with the next octets. */
static int read_in_pieces(struct span all, size_t piece, struct smtp_reply *r, size_t *ret_rest)
{
	struct buf in = {};
	struct why why;
	int outcome = SMTP_REPLY_E_MORE;

	while (outcome == SMTP_REPLY_E_MORE && all.n) {
		struct span rest;

		buf_add(&in, span_head(all, piece));
		all = span_skip(all, piece);
		rest = buf_span(&in);
		outcome = smtp_reply_read(r, &rest, &why);
		buf_take(&in, buf_size(&in) - rest.n);
		check(outcome != SMTP_REPLY_E_MORE || rest.n < SMTP_REPLY_LINE_MAX);
	}
	*ret_rest = buf_size(&in) + all.n;
	buf_done(&in);
	return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_reply whole = {}, part = {};
	struct span all = span_of(data, size);
	struct why why;
	size_t rest;
	int r = smtp_reply_read(&whole, &all, &why);
	int part_r = read_in_pieces(span_of(data, size), 1 + size % 7, &part, &rest);

	check(size == 0 || r == part_r);
	check(whole.n_lines <= SMTP_REPLY_LINES_MAX);
	check(buf_size(&whole.text) <= (size_t)SMTP_REPLY_LINES_MAX * SMTP_REPLY_LINE_MAX);
	if (r == 0) {
		check(part.code == whole.code && rest == all.n && part.n_lines == whole.n_lines);
		check(span_equal(buf_span(&part.text), buf_span(&whole.text)));
		check(smtp_reply_offers(&part, "STARTTLS") ==
			smtp_reply_offers(&whole, "STARTTLS"));
		check(whole.code >= 200 && whole.code < 600);
	}
	smtp_reply_why(&whole, &why);
	smtp_reply_done(&whole);
	smtp_reply_done(&part);
	return 0;
}
