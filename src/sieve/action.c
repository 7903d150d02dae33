/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Actions are gathered, with the fields and flags as they are at that moment; nothing is done
 * before the script is over, so one that fails has done nothing. */

#include "base/alloc.h"
#include "sieve/expand.h"
#include "sieve/run.h"

/* Whether actions of one kind exclude those of the other (RFC 5429 section 2.3, RFC 5230 section
 * 4.7). */
static bool excludes(enum sieve_action_kind a, enum sieve_action_kind b)
{
	bool reject_a = a == SIEVE_REJECT || a == SIEVE_EREJECT;
	bool reject_b = b == SIEVE_REJECT || b == SIEVE_EREJECT;

	return reject_a || reject_b;
}

/* Where two are to do the same, once is enough. */
static bool is_same(const struct sieve_action *a, const struct sieve_action *b)
{
	if (a->kind != b->kind || a->kind == SIEVE_VACATION)
		return false;
	return span_equal(a->target, b->target) && a->encrypt == b->encrypt;
}

static int add_action(struct sieve_run *r, const struct sieve_node *n, struct sieve_action *a)
{
	struct sieve_result *result = r->result;
	int failed;

	for (size_t i = 0; i < result->n; i++) {
		if (excludes(result->actions[i].kind, a->kind))
			return run_fail(r, "line %u: \"%s\" cannot go with another action",
				n->place.line, n->row->name);
		if (is_same(&result->actions[i], a)) {
			/* RFC 5232 section 5: the last counts. */
			result->actions[i].flags = a->flags;
			result->actions[i].create |= a->create;
			result->actions[i].mandatory |= a->mandatory;
			return 0;
		}
	}
	if (result->n == SIEVE_ACTIONS_MAX)
		return run_fail(r, "line %u: more than %d actions", n->place.line,
			SIEVE_ACTIONS_MAX);
	if (!result->actions)
		result->actions = alloc_array(NULL, SIEVE_ACTIONS_MAX, sizeof result->actions[0]);
	failed = run_header(r, &a->header);
	if (failed == 0)
		result->actions[result->n++] = *a;
	return failed;
}

/* What fileinto and keep have in common. */
static int file(struct sieve_run *r, const struct sieve_node *n, struct sieve_action *a)
{
	int result = 0;

	a->flags = r->result->flags;
	a->create = n->slots[SLOT_CREATE].tag != TAG_NOTHING;
	a->encrypt = n->slots[SLOT_ENCRYPT].tag != TAG_NOTHING;
	a->mandatory = n->slots[SLOT_MANDATORY].tag != TAG_NOTHING;
	if (n->slots[SLOT_FLAGS].tag)
		result = run_flags_of(r, n->slots[SLOT_FLAGS].value, &a->flags);
	if (result == 0)
		result = add_action(r, n, a);
	if (result == 0 && !n->slots[SLOT_COPY].tag) /* RFC 3894 section 3 */
		r->result->implicit_keep = false;
	return result;
}

int run_keep(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	struct sieve_action a = { .kind = SIEVE_KEEP };

	(void)ret_true;
	return file(r, n, &a);
}

int run_fileinto(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	struct sieve_action a = { .kind = SIEVE_FILEINTO };
	int result = sieve_expand(r, &n->positional[0]->strings[0], &a.target);

	(void)ret_true;
	return result ? result : file(r, n, &a);
}

int run_discard(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	(void)n;
	(void)ret_true;
	r->result->implicit_keep = false;
	return 0;
}

int run_redirect(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	CLEANUP(buf_done) struct buf address = {};
	struct sieve_action a = { .kind = SIEVE_REDIRECT };
	struct span text;
	int result = sieve_expand(r, &n->positional[0]->strings[0], &text);

	(void)ret_true;
	if (result)
		return result;
	if (!run_single_address(text, &address))
		return run_fail(r, "line %u: redirect to what is no mail address", n->place.line);
	if (++r->n_redirects > SIEVE_REDIRECTS_MAX)
		return run_fail(r, "line %u: more than %d redirects", n->place.line,
			SIEVE_REDIRECTS_MAX);
	a.target = arena_span(r->arena, buf_span(&address));
	result = add_action(r, n, &a);
	if (result == 0 && !n->slots[SLOT_COPY].tag)
		r->result->implicit_keep = false;
	return result;
}

static int reject(struct sieve_run *r, const struct sieve_node *n, enum sieve_action_kind kind)
{
	struct sieve_action a = { .kind = kind };
	int result = sieve_expand(r, &n->positional[0]->strings[0], &a.reason);

	if (result)
		return result;
	a.reason = span_head_utf8(a.reason, SIEVE_REASON_MAX);
	r->result->implicit_keep = false;
	return add_action(r, n, &a);
}

int run_reject(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	(void)ret_true;
	return reject(r, n, SIEVE_REJECT);
}

int run_ereject(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	(void)ret_true;
	return reject(r, n, SIEVE_EREJECT);
}

struct sieve_action sieve_implicit_keep(const struct sieve_result *r)
{
	return (struct sieve_action){
		.kind = SIEVE_KEEP,
		.flags = r->flags,
		.header = r->header,
	};
}

/* RFC 5229 section 4.1: the modifiers with the higher precedence first. */
static void change_case(uint8_t *p, size_t n, bool upper)
{
	for (size_t i = 0; i < n; i++) {
		if (octet_is_alpha(p[i]))
			p[i] = upper ? (uint8_t)(p[i] & ~32) : (uint8_t)(p[i] | 32);
	}
}

static void quote_wildcards(struct span text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		if (strchr("*?\\", text.p[i]) && text.p[i])
			buf_add_octet(out, '\\');
		buf_add_octet(out, text.p[i]);
	}
}

/* RFC 5229 section 4.1.4: characters, not octets. */
static size_t count_characters(struct span text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += (text.p[i] & 0xC0) != 0x80;
	return n;
}

int run_set(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	CLEANUP(buf_done) struct buf value = {}, changed = {};
	struct span text;
	int result = sieve_expand(r, &n->positional[1]->strings[0], &text);

	(void)ret_true;
	if (result)
		return result;
	buf_add(&value, text);
	if (n->slots[SLOT_CASE].tag)
		change_case(value.p + value.start, buf_size(&value),
			n->slots[SLOT_CASE].tag == TAG_UPPER);
	if (n->slots[SLOT_FIRST].tag)
		change_case(value.p + value.start, buf_size(&value) > 0,
			n->slots[SLOT_FIRST].tag == TAG_UPPERFIRST);
	if (n->slots[SLOT_QUOTE].tag)
		quote_wildcards(buf_span(&value), &changed);
	else
		buf_add(&changed, buf_span(&value));
	if (n->slots[SLOT_LENGTH].tag) {
		size_t length = count_characters(buf_span(&changed));

		buf_clear(&changed);
		buf_add_u64(&changed, length);
	}
	return sieve_variable_set(r, n->positional[0]->strings[0].text, buf_span(&changed));
}

/* One that answers: the script may say it once (RFC 5230 section 4.7). */
int run_add_vacation(struct sieve_run *r, const struct sieve_node *n, struct sieve_action *a)
{
	for (size_t i = 0; i < r->result->n; i++) {
		if (r->result->actions[i].kind == a->kind)
			return run_fail(r, "line %u: a second \"%s\"", n->place.line, n->row->name);
	}
	return add_action(r, n, a);
}
