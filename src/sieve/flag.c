/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * imap4flags (RFC 5232). A set of flags is a text of words with one space between, none twice. The
 * set without a name is that of the message; others are variables.
 */

#include "base/limit.h"
#include "sieve/expand.h"
#include "sieve/match.h"

static bool has_flag(struct span flags, struct span flag)
{
	struct span word;

	while (flags.n) {
		word = span_cut(&flags, ' ');
		if (span_equal_nocase(word, flag))
			return true;
	}
	return false;
}

static size_t count_flags(struct span flags)
{
	size_t n = flags.n > 0;

	for (size_t i = 0; i < flags.n; i++)
		n += flags.p[i] == ' ';
	return n;
}

/* An IMAP flag: a keyword is an atom, with a backslash in front only the five of the system. What
 * is none is left out (RFC 5232 section 2). */
static bool is_flag(struct span flag)
{
	static const char *const known[] = { "\\seen", "\\answered", "\\flagged", "\\deleted",
		"\\draft" };

	if (flag.n == 0 || flag.n > LIMIT_KEYWORD)
		return false;
	for (size_t i = 0; flag.p[0] == '\\' && i < sizeof known / sizeof known[0]; i++) {
		if (span_is_nocase(flag, known[i]))
			return true;
	}
	for (size_t i = 0; i < flag.n; i++) {
		if (flag.p[i] <= 32 || flag.p[i] >= 127 || strchr("(){%*\"\\]", flag.p[i]))
			return false;
	}
	return true;
}

/* Adds the words of a text to the set; each is looked for in what is there already. */
static int add_flags(struct sieve_run *r, struct buf *set, struct span text)
{
	while (text.n) {
		struct span flag = span_cut(&text, ' ');
		int result = run_spend(r, flag.n + 2 * buf_size(set));

		if (result)
			return result;
		if (!is_flag(flag) || has_flag(buf_span(set), flag) ||
			count_flags(buf_span(set)) >= SIEVE_FLAGS_MAX)
			continue;
		if (buf_size(set))
			buf_add_octet(set, ' ');
		buf_add(set, flag);
	}
	return 0;
}

static int add_list(struct sieve_run *r, const struct sieve_argument *a, struct buf *set)
{
	int result = 0;

	for (size_t i = 0; i < a->n_strings && result == 0; i++) {
		struct span text;

		result = sieve_expand(r, &a->strings[i], &text);
		if (result == 0)
			result = add_flags(r, set, text);
	}
	return result;
}

int run_flags_of(struct sieve_run *r, const struct sieve_argument *a, struct span *ret_flags)
{
	CLEANUP(buf_done) struct buf set = {};
	int result = add_list(r, a, &set);

	if (result == 0)
		result = run_room(r, buf_size(&set));
	if (result == 0)
		*ret_flags = arena_span(r->arena, buf_span(&set));
	return result;
}

static struct span flags_get(const struct sieve_run *r, const struct sieve_argument *name)
{
	return name ? sieve_variable_get(r, name->strings[0].text) : r->result->flags;
}

static int flags_put(struct sieve_run *r, const struct sieve_argument *name, struct span flags)
{
	int result;

	if (name)
		return sieve_variable_set(r, name->strings[0].text, flags);
	result = run_room(r, flags.n);
	if (result == 0)
		r->result->flags = arena_span(r->arena, flags);
	return result;
}

int run_setflag(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	struct span flags;
	int result = run_flags_of(r, n->positional[1], &flags);

	(void)ret_true;
	return result ? result : flags_put(r, n->positional[0], flags);
}

int run_addflag(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	CLEANUP(buf_done) struct buf set = {};
	int result;

	(void)ret_true;
	result = add_flags(r, &set, flags_get(r, n->positional[0]));
	if (result == 0)
		result = add_list(r, n->positional[1], &set);
	return result ? result : flags_put(r, n->positional[0], buf_span(&set));
}

int run_removeflag(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	CLEANUP(buf_done) struct buf set = {};
	struct span rest = flags_get(r, n->positional[0]), removed;
	int result = run_flags_of(r, n->positional[1], &removed);

	(void)ret_true;
	while (result == 0 && rest.n) {
		struct span flag = span_cut(&rest, ' ');

		result = run_spend(r, removed.n);
		if (result == 0 && !has_flag(removed, flag))
			result = add_flags(r, &set, flag);
	}
	return result ? result : flags_put(r, n->positional[0], buf_span(&set));
}

static int each_flag(struct sieve_matcher *m, struct span flags)
{
	int result = 0;

	while (flags.n && result == 0)
		result = sieve_matcher_value(m, span_cut(&flags, ' '));
	return result;
}

/* RFC 5232 section 4: the flags of one or more sets, one by one; a key may hold several words. */
int test_hasflag(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	const struct sieve_argument *names = n->positional[0];
	struct sieve_matcher m;
	int result = sieve_matcher_init(&m, r, n, n->positional[1]);

	if (result == 0 && !names)
		result = each_flag(&m, r->result->flags);
	for (size_t i = 0; names && i < names->n_strings && result == 0; i++)
		result = each_flag(&m, sieve_variable_get(r, names->strings[i].text));
	return result ? result : sieve_matcher_end(&m, ret_true);
}
