/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The tests about header, envelope and size: RFC 5228 section 5. */

#include "mime/address.h"
#include "sieve/expand.h"
#include "sieve/match.h"

#include <string.h>

int test_true(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	(void)r;
	(void)n;
	*ret_true = true;
	return 0;
}

int test_false(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	(void)r;
	(void)n;
	*ret_true = false;
	return 0;
}

int test_not(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	bool inner = false;
	int result = run_one_test(r, n->tests, &inner);

	*ret_true = !inner;
	return result;
}

/* Until one is as `until`: what is behind it is not asked (RFC 5229 section 3.2). */
static int test_each(struct sieve_run *r, const struct sieve_node *n, bool until, bool *ret_true)
{
	int result = 0;

	*ret_true = !until;
	for (const struct sieve_node *t = n->tests; t && result == 0 && *ret_true != until;
		t = t->next)
		result = run_one_test(r, t, ret_true);
	return result;
}

int test_allof(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	return test_each(r, n, false, ret_true);
}

int test_anyof(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	return test_each(r, n, true, ret_true);
}

int test_size(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	uint64_t limit = n->positional[0]->number;

	*ret_true = n->slots[SLOT_SIZE].tag == TAG_OVER ? r->input->size > limit
							: r->input->size < limit;
	return 0;
}

int test_exists(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	const struct sieve_argument *names = n->positional[0];
	int result = run_fields(r);

	*ret_true = true;
	for (size_t i = 0; i < names->n_strings && result == 0 && *ret_true; i++) {
		struct span name;
		size_t at = 0;

		result = sieve_expand(r, &names->strings[i], &name);
		if (result == 0)
			result = run_spend(r, r->n_fields);
		*ret_true = result == 0 && run_field_next(r, name, &at) != NULL;
	}
	return result;
}

/* Calls each(m, n, field) for the chosen fields of all names. */
static int each_field(struct sieve_run *r, const struct sieve_node *n, struct sieve_matcher *m,
	int (*each)(struct sieve_matcher *m, const struct sieve_node *n, struct sieve_field *f))
{
	const struct sieve_argument *names = n->positional[0];
	int result = 0;

	for (size_t i = 0; i < names->n_strings && result == 0 && !m->found; i++) {
		struct sieve_field **fields;
		struct span name;
		size_t count = 0;

		result = sieve_expand(r, &names->strings[i], &name);
		if (result == 0)
			result = run_fields_chosen(r, n, name, &fields, &count);
		for (size_t j = 0; j < count && result == 0 && !m->found; j++)
			result = each(m, n, fields[j]);
	}
	return result;
}

static int header_value(struct sieve_matcher *m, const struct sieve_node *n, struct sieve_field *f)
{
	struct span text = {};
	int result = 0;

	(void)n;
	if (m->type != TAG_COUNT) /* counting needs no decoding */
		result = run_field_text(m->run, f, &text);
	return result ? result : sieve_matcher_value(m, text);
}

int test_header(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	struct sieve_matcher m;
	int result = sieve_matcher_init(&m, r, n, n->positional[1]);

	if (result == 0)
		result = each_field(r, n, &m, header_value);
	return result ? result : sieve_matcher_end(&m, ret_true);
}

/* RFC 5233 section 4: what is in front of the first separator, and behind it. */
static bool subaddress(const struct sieve_run *r, struct span local, bool detail,
	struct span *ret_part)
{
	const char *separators = r->input->separators ? r->input->separators : "";
	size_t at = 0;

	while (at < local.n && (local.p[at] == 0 || !strchr(separators, local.p[at])))
		at++;
	if (detail && at == local.n)
		return false;
	*ret_part = detail ? span_skip(local, at + 1) : span_head(local, at);
	return true;
}

/* RFC 5228 section 2.7.4. An address without a domain is none. */
static int address_value(struct sieve_matcher *m, enum sieve_tag_value part, struct span local,
	struct span host)
{
	CLEANUP(buf_done) struct buf whole = {};
	struct span value;

	switch (part) {
	case TAG_LOCALPART:
		return sieve_matcher_value(m, local);
	case TAG_DOMAIN:
		return sieve_matcher_value(m, host);
	case TAG_USER:
	case TAG_DETAIL:
		if (!subaddress(m->run, local, part == TAG_DETAIL, &value))
			return 0;
		return sieve_matcher_value(m, value);
	default:
		buf_add(&whole, local);
		buf_add_octet(&whole, '@');
		buf_add(&whole, host);
		return sieve_matcher_value(m, buf_span(&whole));
	}
}

static int address_field(struct sieve_matcher *m, const struct sieve_node *n, struct sieve_field *f)
{
	struct span value = span_head(f->value, LIMIT_HEADER_VALUE);
	struct address_reader reader = { .rest = value };
	struct address a;
	int result = run_spend_addresses(m->run, value.n);

	while (result == 0 && !m->found && address_next(&reader, &a)) {
		if (a.kind == ADDRESS_MAILBOX && a.host.n)
			result = address_value(m, n->slots[SLOT_PART].tag, a.local, a.host);
	}
	address_reader_done(&reader);
	return result;
}

int test_address(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	struct sieve_matcher m;
	int result = sieve_matcher_init(&m, r, n, n->positional[1]);

	if (result == 0)
		result = each_field(r, n, &m, address_field);
	return result ? result : sieve_matcher_end(&m, ret_true);
}

static int envelope_value(struct sieve_matcher *m, enum sieve_tag_value part, struct span address)
{
	size_t at = address.n;

	/* RFC 5228 section 5.4: the null reverse-path is an empty text, whatever part is asked for.
	 */
	if (address.n == 0)
		return sieve_matcher_value(m, address);
	while (at && address.p[at - 1] != '@')
		at--;
	return address_value(m, part, span_head(address, at ? at - 1 : 0), span_skip(address, at));
}

int test_envelope(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	const struct sieve_argument *parts = n->positional[0];
	struct sieve_matcher m;
	int result = sieve_matcher_init(&m, r, n, n->positional[1]);

	for (size_t i = 0; i < parts->n_strings && result == 0 && !m.found; i++) {
		struct span name;

		result = sieve_expand(r, &parts->strings[i], &name);
		if (result == 0 && span_is_nocase(name, "from"))
			result = envelope_value(&m, n->slots[SLOT_PART].tag, r->input->sender);
		else if (result == 0 && span_is_nocase(name, "to"))
			result = envelope_value(&m, n->slots[SLOT_PART].tag, r->input->recipient);
	}
	return result ? result : sieve_matcher_end(&m, ret_true);
}

/* RFC 5229 section 5: an empty source counts for nothing. */
int test_string(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	const struct sieve_argument *sources = n->positional[0];
	struct sieve_matcher m;
	int result = sieve_matcher_init(&m, r, n, n->positional[1]);

	for (size_t i = 0; i < sources->n_strings && result == 0 && !m.found; i++) {
		struct span value;

		result = sieve_expand(r, &sources->strings[i], &value);
		if (result == 0 && (m.type != TAG_COUNT || value.n))
			result = sieve_matcher_value(&m, value);
	}
	return result ? result : sieve_matcher_end(&m, ret_true);
}

int test_mailboxexists(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	const struct sieve_argument *names = n->positional[0];
	int result = 0;

	*ret_true = true;
	for (size_t i = 0; i < names->n_strings && result == 0 && *ret_true; i++) {
		struct span name;

		result = sieve_expand(r, &names->strings[i], &name);
		if (result == 0) /* a look-up in the store */
			result = run_spend(r, 16 << 10);
		*ret_true = result == 0 && r->input->mailbox_exists &&
			    r->input->mailbox_exists(r->input->context, name);
	}
	return result;
}
