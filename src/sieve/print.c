/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Actions in words. */

#include "sieve/eval.h"

static void add_quoted(struct span text, struct buf *out)
{
	buf_add_octet(out, '"');
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (c == '"' || c == '\\')
			buf_add_octet(out, '\\');
		if (c == '\r')
			continue;
		if (c == '\n')
			buf_add_string(out, "\\n");
		else
			buf_add_octet(out, c < 32 || c == 127 ? '?' : c);
	}
	buf_add_octet(out, '"');
}

static void add_text(const char *name, struct span text, struct buf *out)
{
	if (text.n == 0)
		return;
	buf_add_format(out, " %s ", name);
	add_quoted(text, out);
}

void sieve_action_print(const struct sieve_action *a, struct buf *out)
{
	static const char *const names[] = {
		[SIEVE_KEEP] = "keep",
		[SIEVE_FILEINTO] = "fileinto",
		[SIEVE_REDIRECT] = "redirect",
		[SIEVE_REJECT] = "reject",
		[SIEVE_EREJECT] = "ereject",
		[SIEVE_VACATION] = "vacation",
	};

	buf_add_string(out, names[a->kind]);
	if (a->create)
		buf_add_string(out, " :create");
	if (a->encrypt)
		buf_add_string(out, " :encrypt");
	if (a->mandatory)
		buf_add_string(out, " :mandatory");
	add_text(":flags", a->flags, out);
	if (a->kind == SIEVE_VACATION)
		buf_add_format(out, " :days %u%s", a->days, a->mime ? " :mime" : "");
	add_text(":from", a->from, out);
	add_text(":subject", a->subject, out);
	if (a->target.n) {
		buf_add_octet(out, ' ');
		add_quoted(a->target, out);
	}
	if (a->reason.n) {
		buf_add_octet(out, ' ');
		add_quoted(a->reason, out);
	}
}
