/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "sieve/script.h"

#include "base/alloc.h"
#include "sieve/node.h"

#include <inttypes.h>
#include <stdlib.h>

struct sieve_script *sieve_script_ref(struct sieve_script *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

struct sieve_script *sieve_script_unref(struct sieve_script *s)
{
	if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1) {
		arena_done(&s->arena);
		free(s);
	}
	return NULL;
}

size_t sieve_script_size(const struct sieve_script *s)
{
	return sizeof *s + arena_size(&s->arena);
}

bool sieve_script_uses_body(const struct sieve_script *s)
{
	return s->uses_body;
}

bool sieve_script_is_mandatory(const struct sieve_script *s)
{
	return s->is_mandatory;
}

static int make(struct sieve_making *m, struct span text)
{
	struct sieve_place start = { 1, 1 };
	int r;

	if (text.n > SIEVE_SCRIPT_MAX)
		return sieve_error(m, start, "a script has at most %d octets, this one has %zu",
			SIEVE_SCRIPT_MAX, text.n);
	if (!span_is_utf8(text) || memchr(text.n ? text.p : (const uint8_t *)"", 0, text.n))
		return sieve_error(m, start,
			"a script is text in UTF-8 without NUL characters (RFC 5228 section 2.1)");
	r = sieve_parse(m, text);
	return r ? r : sieve_check(m);
}

int sieve_compile(struct sieve_script **ret_script, struct span text,
	struct sieve_report *ret_report)
{
	CLEANUP(sieve_script_unrefp) struct sieve_script *s = ALLOC(struct sieve_script);
	struct sieve_report report = {};
	struct sieve_making m = { .script = s, .report = ret_report ? ret_report : &report };
	int r;

	atomic_init(&s->refs, 1);
	*m.report = (struct sieve_report){};
	r = make(&m, text);
	if (r)
		return r;
	*ret_script = TAKE(s);
	return 0;
}

void sieve_remark_add(struct buf *out, const struct sieve_remark *remark)
{
	buf_add_format(out, "line %u, column %u: %s", remark->line, remark->column, remark->text);
}
