/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/outgoing_rules.h"

#include "base/alloc.h"
#include "base/limit.h"
#include "mime/address.h"
#include "net/address.h"
#include "store/outgoing_rows.h"

#include <stdlib.h>

const char *const outgoing_tls_names[OUTGOING_TLS + 1] = {
	[OUTGOING_NONE] = "none",
	[OUTGOING_MAY] = "may",
	[OUTGOING_MUST] = "must",
	[OUTGOING_VERIFY] = "verify",
};

const char *const outgoing_who_names[OUTGOING_WHO + 1] = {
	[OUTGOING_NOBODY] = "none",
	[OUTGOING_MAIN] = "main",
	[OUTGOING_DOMAIN] = "domain",
};

/* Of each key: how many there are means that the rule does not say. */
struct outgoing_rule {
	char *pattern;
	unsigned tls, oldest, who;
	int64_t domain;
	char *alias;
};

/* The position of the name; n if it is none of them. */
static unsigned find_name(struct span name, const char *const *names, unsigned n)
{
	unsigned i = 0;

	while (i < n && !span_is(name, names[i]))
		i++;
	return i;
}

static unsigned find_version(struct span name)
{
	unsigned v = 0;

	while (v < TLS_VERSIONS && !span_is(name, tls_version_name(v)))
		v++;
	return v;
}

bool outgoing_rules_add(struct outgoing_rules *r, const struct store_outgoing *row)
{
	struct outgoing_rule rule = {
		.tls = find_name(row->tls, outgoing_tls_names, OUTGOING_TLS),
		.oldest = find_version(row->oldest),
		.who = find_name(row->identity, outgoing_who_names, OUTGOING_WHO),
		.domain = row->domain,
	};

	if ((rule.tls == OUTGOING_TLS && row->tls.n) ||
		(rule.oldest == TLS_VERSIONS && row->oldest.n) ||
		(rule.who == OUTGOING_WHO && row->identity.n))
		return false;
	rule.pattern = span_to_string(row->pattern);
	rule.alias = span_to_string(row->alias);
	if (!rule.pattern || !rule.alias) {
		free(rule.pattern);
		free(rule.alias);
		return false;
	}
	if (r->n == r->capacity) {
		r->capacity = r->capacity ? 2 * r->capacity : 16;
		r->rules = alloc_array(r->rules, r->capacity, sizeof r->rules[0]);
	}
	r->rules[r->n++] = rule;
	return true;
}

void outgoing_rules_done(struct outgoing_rules *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->rules[i].pattern);
		free(r->rules[i].alias);
	}
	free(r->rules);
	*r = (struct outgoing_rules){};
}

static const struct outgoing_rule *find_pattern(const struct outgoing_rules *r, struct span pattern)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = span_compare(span_str(r->rules[middle].pattern), pattern);

		if (order == 0)
			return &r->rules[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* What has no answer yet. */
struct search {
	struct outgoing_policy policy;
	bool has_tls, has_oldest, has_who;
};

static void take(struct search *s, const struct outgoing_rule *rule)
{
	if (!rule)
		return;
	if (!s->has_tls && rule->tls != OUTGOING_TLS) {
		s->has_tls = true;
		s->policy.tls = rule->tls;
		s->policy.tls_from = rule->pattern;
	}
	if (!s->has_oldest && rule->oldest != TLS_VERSIONS) {
		s->has_oldest = true;
		s->policy.oldest = rule->oldest;
		s->policy.oldest_from = rule->pattern;
	}
	if (!s->has_who && rule->who != OUTGOING_WHO) {
		s->has_who = true;
		s->policy.who = rule->who;
		s->policy.domain = rule->domain;
		s->policy.alias = span_str(rule->alias);
		s->policy.who_from = rule->pattern;
	}
}

/* The domain itself, then from each of its dots on. An address literal is in no domain. */
static void search_domain(const struct outgoing_rules *r, struct span name, struct search *s)
{
	take(s, find_pattern(r, name));
	if (name.n == 0 || name.p[0] == '[')
		return;
	for (;;) {
		name = span_skip(name, span_find(name, '.'));
		if (name.n == 0)
			return;
		take(s, find_pattern(r, name));
		name = span_skip(name, 1);
	}
}

void outgoing_rules_find(const struct outgoing_rules *r, struct span destination,
	struct outgoing_policy *ret_policy)
{
	struct search s = {
		.policy = { .tls = OUTGOING_MAY, .oldest = TLS_1_2, .who = OUTGOING_NOBODY }
	};
	uint8_t lower[LIMIT_NAME];

	if (destination.n && destination.p[destination.n - 1] == '.')
		destination.n--;
	/* Longer ones are no domains: what holds for all holds for them. */
	if (destination.n <= sizeof lower) {
		for (size_t i = 0; i < destination.n; i++)
			lower[i] = octet_lower(destination.p[i]);
		search_domain(r, span_of(lower, destination.n), &s);
	}
	take(&s, find_pattern(r, SPAN("*")));
	*ret_policy = s.policy;
}

int outgoing_pattern_parse(struct span text, struct buf *out, struct why *why)
{
	bool below = text.n && text.p[0] == '.';
	CLEANUP(buf_done) struct buf name = {};
	struct net_address address;
	int r;

	if (span_is(text, "*")) {
		buf_add(out, text);
		return 0;
	}
	r = address_normalize_domain(span_skip(text, below), &name);
	if (r < 0)
		return r;
	if (r || buf_span(&name).p[0] == '[' || net_address_parse(buf_span(&name), &address) == 0 ||
		buf_size(&name) + below > LIMIT_NAME) {
		why_set(why,
			"a pattern is a domain (example.com), what is below one (.example.com), or"
			" * for all");
		return OUTGOING_E_SYNTAX;
	}
	if (below)
		buf_add_octet(out, '.');
	buf_add(out, buf_span(&name));
	return 0;
}

/* "inherit" is a word of the commands; in the store it is nothing. */
static bool is_inherited(struct span *value)
{
	if (!span_is(*value, "inherit"))
		return false;
	*value = SPAN("");
	return true;
}

int outgoing_tls_check(struct span *value, struct why *why)
{
	if (is_inherited(value) ||
		find_name(*value, outgoing_tls_names, OUTGOING_TLS) != OUTGOING_TLS)
		return 0;
	why_set(why,
		"tls is none (never), may (where it is offered), must (always), verify (always,"
		" with a server that is verified) or inherit");
	return OUTGOING_E_SYNTAX;
}

int outgoing_oldest_check(struct span *value, struct why *why)
{
	if (is_inherited(value) || find_version(*value) != TLS_VERSIONS)
		return 0;
	why_set(why, "oldest is 1.0, 1.1, 1.2, 1.3 or inherit");
	return OUTGOING_E_SYNTAX;
}
