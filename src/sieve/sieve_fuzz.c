/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Any octets, as a script: it is refused with a place that lies in it and a reason, or it is good.
 * With CR LF in place of LF the answer is the same one.
 */

#include "base/limit.h"
#include "sieve/script.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int compile(struct span text, struct sieve_report *report)
{
	CLEANUP(sieve_script_unrefp) struct sieve_script *s = NULL;

	return sieve_compile(&s, text, report);
}

static unsigned count_lines(struct span text)
{
	unsigned n = 1;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf crlf = {};
	struct span text = span_of(data, size);
	struct sieve_report report, again;
	int r = compile(text, &report), r_again;

	assert(r == 0 || r == SIEVE_E_INVALID);
	if (r) {
		assert(report.error.line >= 1 && report.error.line <= count_lines(text));
		assert(report.error.column >= 1 && report.error.column <= size + 1);
		assert(report.error.text[0]);
	}
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n' && (i == 0 || data[i - 1] != '\r'))
			buf_add_octet(&crlf, '\r');
		buf_add_octet(&crlf, data[i]);
	}
	r_again = compile(buf_span(&crlf), &again);
	/* Longer strings may meet limits that the shorter ones did not. */
	assert(r == r_again || buf_size(&crlf) > SIEVE_REASON_MAX / 4 || size > LIMIT_MAILBOX_NAME);
	return 0;
}
