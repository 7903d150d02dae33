/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Envelopes, and the one place that says what becomes of a recipient. SMTP asks when the recipient
 * is named, and delivery asks again inside its transaction, because accounts and quotas may have
 * changed meanwhile.
 */

#include "mail/transaction.h"

#include "base/alloc.h"
#include "mime/address.h"
#include "store/account.h"
#include "store/rule_rows.h"
#include "store/store.h"

#include <stdlib.h>

struct transaction *transaction_free(struct transaction *t)
{
	if (t) {
		arena_done(&t->arena);
		free(t->recipients);
		free(t);
	}
	return NULL;
}

struct mail_address mail_address_copy(struct arena *a, const struct mail_address *from)
{
	return (struct mail_address){
		.local = arena_span(a, from->local),
		.domain = arena_span(a, from->domain),
	};
}

bool mail_address_equal(const struct mail_address *a, const struct mail_address *b)
{
	return span_equal_nocase(a->local, b->local) && span_equal_nocase(a->domain, b->domain);
}

void mail_address_add(struct buf *out, const struct mail_address *a)
{
	if (a->domain.n)
		address_add(out, a->local, a->domain);
}

void transaction_add(struct transaction *t, const struct recipient *recipient)
{
	/* Powers of two: grown when n reaches one. */
	if ((t->n & (t->n - 1)) == 0)
		t->recipients = alloc_array(t->recipients, t->n ? t->n * 2 : 1,
			sizeof *t->recipients);
	t->recipients[t->n++] = (struct recipient){
		.address = mail_address_copy(&t->arena, &recipient->address),
		.original = arena_span(&t->arena, recipient->original),
		.notify = recipient->notify,
	};
}

const struct verdict_text *recipient_verdict_text(enum recipient_verdict v)
{
	static const struct verdict_text texts[] = {
		[RECIPIENT_OK] = { 250, "2.1.5", "recipient ok" },
		[RECIPIENT_UNKNOWN] = { 550, "5.1.1", "no such mailbox here" },
		[RECIPIENT_DISABLED] = { 550, "5.2.1", "mailbox is disabled" },
		/* Temporary: people make room, and senders try for days. */
		[RECIPIENT_FULL] = { 452, "4.2.2", "mailbox is full" },
		[RECIPIENT_RELAY] = { 550, "5.7.1", "relaying denied" },
		[RECIPIENT_NO_OUTGOING] = { 550, "5.3.2",
			"outgoing delivery is not available yet on this server" },
		[RECIPIENT_LOOP] = { 554, "5.4.6",
			"message has been delivered to this mailbox before" },
		[RECIPIENT_REJECTED] = { 550, "5.7.1", "refused by the rules of the recipient" },
	};

	return &texts[v];
}

enum recipient_verdict recipient_target_verdict(const struct recipient_rules *rules,
	const struct route_target *target)
{
	if (!target->account)
		return rules->outgoing ? RECIPIENT_OK : RECIPIENT_NO_OUTGOING;
	return target->disabled ? RECIPIENT_DISABLED : RECIPIENT_OK;
}

enum recipient_verdict recipient_route_verdict(const struct recipient_rules *rules,
	const struct route *route)
{
	switch (route->kind) {
	case ROUTE_REMOTE:
		if (!rules->relay)
			return RECIPIENT_RELAY;
		return rules->outgoing ? RECIPIENT_OK : RECIPIENT_NO_OUTGOING;
	case ROUTE_NONE:
		return RECIPIENT_UNKNOWN;
	case ROUTE_ACCOUNT:
	case ROUTE_LIST:
		break;
	}
	return RECIPIENT_OK;
}

bool recipient_is_postmaster(const struct mail_address *address)
{
	return span_is_nocase(address->local, "postmaster");
}

static int check_target(struct store_conn *c, const struct recipient_rules *rules,
	const struct mail_address *address, const struct route_target *target,
	enum recipient_verdict *ret_verdict, bool *ret_lasting)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct store_account account;

	*ret_verdict = recipient_target_verdict(rules, target);
	*ret_lasting = target->account && *ret_verdict == RECIPIENT_OK;
	if (*ret_verdict != RECIPIENT_OK || !target->account || recipient_is_postmaster(address))
		return 0;
	TRY(store_account_get(c, &arena, target->account, &account));
	if (account.quota && (account.used_octets >= account.quota ||
				     rules->size > account.quota - account.used_octets))
		*ret_verdict = RECIPIENT_FULL;
	*ret_lasting = !account.quota;
	return 0;
}

static int any_has_rules(struct store_conn *c, const struct route *route, bool *ret_has_rules)
{
	*ret_has_rules = false;
	for (size_t i = 0; i < route->n_targets && !*ret_has_rules; i++) {
		if (route->targets[i].account)
			TRY(store_rules_due(c, route->targets[i].account, ret_has_rules));
	}
	return 0;
}

int recipient_look(struct store_conn *c, const struct recipient_rules *rules,
	const struct mail_address *address, enum recipient_verdict *ret_verdict, bool *ret_lasting,
	bool *ret_has_rules)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct route route;
	enum recipient_verdict first, verdict;
	bool lasting = false;

	TRY(store_route(c, &arena, address->local, address->domain, rules->separators, &route));
	first = recipient_route_verdict(rules, &route);
	if (first == RECIPIENT_OK && route.n_targets)
		TRY(check_target(c, rules, address, &route.targets[0], &first, &lasting));
	for (size_t i = 1; first != RECIPIENT_OK && i < route.n_targets; i++) {
		TRY(check_target(c, rules, address, &route.targets[i], &verdict, &lasting));
		if (verdict == RECIPIENT_OK)
			first = RECIPIENT_OK;
	}
	TRY(any_has_rules(c, &route, ret_has_rules));
	*ret_verdict = first;
	*ret_lasting = lasting;
	return 0;
}

struct mail_address mail_address_split(struct span address)
{
	size_t at = address.n;

	while (at && address.p[at - 1] != '@')
		at--;
	return (struct mail_address){
		.local = span_head(address, at ? at - 1 : 0),
		.domain = span_skip(address, at),
	};
}
