/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Delivery. The addresses lead somewhere anew here, inside the transaction, since accounts may have
 * come and gone after RCPT. A quota that is exceeded is a temporary refusal only if nobody else can
 * have the message: otherwise the others get it and the sender is told, because deferring the whole
 * would let one full mailbox hold up everybody else's mail for as long as the sender tries.
 */

#include "mail/deliver.h"

#include "base/alloc.h"
#include "base/map.h"
#include "mail/bounce.h"
#include "mail/intake.h"
#include "mime/fold.h"
#include "mime/part.h"
#include "store/mailbox.h"
#include "store/message.h"
#include "store/queue_rows.h"

#include <assert.h>
#include <stdlib.h>

/* RFC 5321 section 4.5.4.1: give-up time at least four to five days. */
static const int64_t queue_lifetime_us = 5LL * 24 * 3600 * 1000000;

enum {
	RETURN_FULL_MAX = 256 << 10, /* octets; of larger messages the header is returned */
	REPORTED_MAX = 1000,         /* recipients of one notification */
};

/* One delivery while it runs. */
struct run {
	struct store_conn *conn;
	struct delivery *d;
	struct recipient_rules rules;
	struct content_draft *draft;
	int64_t content; /* 0: not stored yet */
	struct map seen; /* ids of mailboxes that have it already */
	struct arena arena;
	struct bounce_recipient *reports;
	size_t n_reports;
};

static void run_done(struct run *run)
{
	map_done(&run->seen, NULL);
	arena_done(&run->arena);
	free(run->reports);
}

static int ensure_content(struct run *run)
{
	if (run->content)
		return 0;
	TRY(store_content_add(run->conn, run->draft, &run->content));
	return 0;
}

/* RFC 5233: mail for user+detail goes to the mailbox of that name, if there is one. */
static int find_mailbox(struct run *run, const struct route_target *target, int64_t *ret_id)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct store_mailbox *all, inbox;
	size_t n;

	if (target->detail.n) {
		TRY(store_mailbox_list(run->conn, &arena, target->account, &all, &n));
		for (size_t i = 0; i < n; i++) {
			if (fold_compare(all[i].name, target->detail) == 0) {
				*ret_id = all[i].id;
				return 0;
			}
		}
	}
	TRY(store_mailbox_find(run->conn, &arena, target->account, SPAN("INBOX"), &inbox));
	*ret_id = inbox.id;
	return 0;
}

/* Into a mailbox, once, however many addresses lead there. */
static int into_mailbox(struct run *run, const struct route_target *target, bool over_quota,
	enum recipient_verdict *ret_verdict)
{
	struct message_add add = {
		.draft = run->draft,
		.received_us = run->d->now_us,
		.over_quota = over_quota,
	};
	int64_t id;
	uint32_t uid;
	int r;

	TRY(find_mailbox(run, target, &add.mailbox));
	*ret_verdict = RECIPIENT_OK;
	if (map_get(&run->seen, span_of(&add.mailbox, sizeof add.mailbox)))
		return 0;
	TRY(ensure_content(run));
	add.content = run->content;
	r = store_message_add(run->conn, &add, &uid, &id);
	if (r == STORE_E_QUOTA) {
		*ret_verdict = RECIPIENT_FULL;
		return 0;
	}
	TRY(r);
	(void)map_put(&run->seen, span_of(&add.mailbox, sizeof add.mailbox), run);
	run->d->n_mailboxes++;
	return 0;
}

static int into_queue(struct run *run, const struct recipient *recipient, struct span address)
{
	CLEANUP(buf_done) struct buf sender = {};
	const struct transaction *t = run->d->transaction;
	struct queue_row row = {
		.recipient = address,
		.envelope_id = t->envelope_id,
		.original_recipient = recipient->original,
		.notify = recipient->notify,
		.return_full = t->return_full,
		.state = QUEUE_READY,
		.next_us = run->d->now_us,
		.expires_us = run->d->now_us + queue_lifetime_us,
		.created_us = run->d->now_us,
	};
	int64_t id;

	TRY(ensure_content(run));
	mail_address_add(&sender, &t->sender);
	row.content = run->content;
	row.sender = buf_span(&sender);
	TRY(store_queue_add(run->conn, &row, &id));
	run->d->n_queued++;
	return 0;
}

/* A Delivered-To that names the recipient, other than the one we have put in front. */
static bool has_been_here(const struct run *run, const struct mail_address *address)
{
	CLEANUP(buf_done) struct buf text = {};
	const struct message_facts *facts = intake_facts(run->d->intake);

	if (facts->n_delivered_to <= run->d->has_delivered_to)
		return false;
	mail_address_add(&text, address);
	for (size_t i = run->d->has_delivered_to; i < facts->n_delivered_to; i++) {
		if (span_equal_nocase(facts->delivered_to[i], buf_span(&text)))
			return true;
	}
	return false;
}

/* RFC 3461 section 4.1: failures are told unless the sender said otherwise, successes if asked. */
static bool is_due(const struct recipient *recipient, enum bounce_action action)
{
	if (recipient->notify == 0)
		return action == BOUNCE_FAILED;
	return recipient->notify & (action == BOUNCE_FAILED ? NOTIFY_FAILURE : NOTIFY_SUCCESS);
}

static void report(struct run *run, const struct recipient *recipient,
	const struct mail_address *final, enum bounce_action action, enum recipient_verdict verdict)
{
	if (action == BOUNCE_FAILED)
		run->d->n_failed++;
	if (!is_due(recipient, action) || run->n_reports == REPORTED_MAX)
		return;
	if (!run->reports)
		run->reports = alloc_array(NULL, REPORTED_MAX, sizeof *run->reports);
	run->reports[run->n_reports++] = (struct bounce_recipient){
		.address = mail_address_copy(&run->arena, final),
		.original = recipient->original,
		.action = action,
		.verdict = recipient_verdict_text(verdict),
	};
}

static struct mail_address split(struct span address)
{
	size_t at = address.n;

	while (at && address.p[at - 1] != '@')
		at--;
	return (struct mail_address){
		.local = span_head(address, at ? at - 1 : 0),
		.domain = span_skip(address, at),
	};
}

static int to_target(struct run *run, const struct recipient *recipient,
	const struct route_target *target, enum recipient_verdict *ret_verdict)
{
	struct mail_address own = split(target->address);

	*ret_verdict = recipient_target_verdict(&run->rules, target);
	if (*ret_verdict == RECIPIENT_OK && has_been_here(run, &own))
		*ret_verdict = RECIPIENT_LOOP;
	if (*ret_verdict != RECIPIENT_OK)
		return 0;
	if (!target->account)
		return into_queue(run, recipient, target->address);
	return into_mailbox(run, target, recipient_is_postmaster(&recipient->address), ret_verdict);
}

/* One recipient of the envelope: refused only if none of its targets can have the message. */
static int to_targets(struct run *run, const struct recipient *recipient, const struct route *route,
	enum recipient_verdict *ret_verdict)
{
	enum recipient_verdict first = RECIPIENT_UNKNOWN, verdict;
	bool accepted = false;

	for (size_t i = 0; i < route->n_targets; i++) {
		struct mail_address own = split(route->targets[i].address);

		TRY(to_target(run, recipient, &route->targets[i], &verdict));
		if (i == 0)
			first = verdict;
		if (verdict == RECIPIENT_OK)
			accepted = true;
		else
			report(run, recipient, route->n_targets > 1 ? &own : &recipient->address,
				BOUNCE_FAILED, verdict);
	}
	if (accepted)
		report(run, recipient, &recipient->address, BOUNCE_DELIVERED, RECIPIENT_OK);
	*ret_verdict = accepted ? RECIPIENT_OK : first;
	return 0;
}

static int to_recipient(
	struct run *run, const struct recipient *recipient, enum recipient_verdict *ret_verdict)
{
	CLEANUP(arena_done) struct arena arena = {};
	CLEANUP(buf_done) struct buf text = {};
	const struct mail_address *address = &recipient->address;
	struct route route;

	TRY(store_route(
		run->conn, &arena, address->local, address->domain, run->rules.separators, &route));
	*ret_verdict = recipient_route_verdict(&run->rules, &route);
	if (*ret_verdict == RECIPIENT_OK && has_been_here(run, address))
		*ret_verdict = RECIPIENT_LOOP;
	if (*ret_verdict != RECIPIENT_OK) {
		report(run, recipient, address, BOUNCE_FAILED, *ret_verdict);
		return 0;
	}
	if (route.kind != ROUTE_REMOTE)
		return to_targets(run, recipient, &route, ret_verdict);
	mail_address_add(&text, address);
	return into_queue(run, recipient, buf_span(&text));
}

static void compose(const struct run *run, struct buf *out)
{
	const struct delivery *d = run->d;
	struct span head = intake_head(d->intake);
	struct bounce bounce = {
		.hostname = d->hostname,
		.to = d->transaction->sender,
		.envelope_id = d->transaction->envelope_id,
		.unique = span_str(d->unique),
		.arrival_us = d->now_us,
		.now_us = d->now_us,
		.recipients = run->reports,
		.n = run->n_reports,
		.message = head,
		.full = d->transaction->return_full && head.n == intake_size(d->intake) &&
			head.n <= RETURN_FULL_MAX,
	};

	bounce_compose(&bounce, out);
}

/* To all who read the sender's mail, full mailbox or not. A sender that is nobody of ours any more
 * hears nothing. */
static int notify_local(struct run *notice, const struct route *route)
{
	enum recipient_verdict verdict;

	for (size_t i = 0; i < route->n_targets; i++) {
		if (route->targets[i].account && !route->targets[i].disabled)
			TRY(into_mailbox(notice, &route->targets[i], true, &verdict));
	}
	return 0;
}

/* A text of ours as a draft that lives as long as the intake. */
static int notice_draft(struct run *notice, struct intake *intake, struct span text)
{
	int r = intake_add(intake, text);

	if (r == 0)
		r = intake_end(intake, &notice->draft);
	while (r == INTAKE_E_FLUSH) {
		TRY(intake_flush(intake, notice->conn));
		r = intake_end(intake, &notice->draft);
	}
	return err_fold(r);
}

/* The notification as a message of its own, in the same transaction. */
static int notify(struct run *run)
{
	CLEANUP(intake_freep) struct intake *intake = intake_new(UINT64_MAX);
	CLEANUP(buf_done) struct buf text = {};
	CLEANUP(buf_done) struct buf address = {};
	const struct mail_address *to = &run->d->transaction->sender;
	struct recipient recipient = { .address = *to, .notify = NOTIFY_NEVER };
	struct transaction transaction = {}; /* its sender is null: RFC 5321 section 4.5.5 */
	struct delivery delivery = { .now_us = run->d->now_us, .transaction = &transaction };
	CLEANUP(run_done) struct run notice = { .conn = run->conn, .d = &delivery };
	struct route route;

	compose(run, &text);
	TRY(notice_draft(&notice, intake, buf_span(&text)));
	TRY(store_route(
		run->conn, &notice.arena, to->local, to->domain, run->rules.separators, &route));
	if (route.kind != ROUTE_REMOTE)
		return notify_local(&notice, &route);
	/* While nothing is sent to other domains, strangers could fill the queue by asking to be told
	 * of successes. Failures are kept: they are few, since recipients are known at RCPT. */
	if (!run->d->outgoing && run->d->n_failed == 0)
		return 0;
	mail_address_add(&address, to);
	return into_queue(&notice, &recipient, buf_span(&address));
}

int deliver_notice(struct store_conn *c, const struct notice *n, size_t *ret_n)
{
	CLEANUP(intake_freep) struct intake *intake = intake_new(UINT64_MAX);
	struct transaction transaction = {};
	struct delivery delivery = { .now_us = n->now_us, .transaction = &transaction };
	CLEANUP(run_done) struct run notice = { .conn = c, .d = &delivery };
	struct route route;

	TRY(store_route(c, &notice.arena, n->to.local, n->to.domain, n->separators, &route));
	TRY(notice_draft(&notice, intake, n->message));
	if (route.kind != ROUTE_REMOTE)
		TRY(notify_local(&notice, &route));
	*ret_n = delivery.n_mailboxes;
	return 0;
}

static int refuse(struct delivery *d, enum recipient_verdict verdict)
{
	d->refusal = verdict;
	return DELIVER_E_REFUSED;
}

static int run_all(struct run *run)
{
	struct delivery *d = run->d;
	const struct transaction *t = d->transaction;
	enum recipient_verdict refusal = RECIPIENT_OK, verdict;
	size_t n_accepted = 0;

	for (size_t i = 0; i < t->n; i++) {
		TRY(to_recipient(run, &t->recipients[i], &verdict));
		if (verdict == RECIPIENT_OK)
			n_accepted++;
		else if (refusal == RECIPIENT_OK || verdict == RECIPIENT_FULL)
			refusal = verdict; /* what may pass by itself is said first */
	}
	if (n_accepted == 0)
		return refuse(d, refusal);
	if (run->n_reports && !transaction_sender_is_null(t))
		TRY(notify(run));
	return 0;
}

int deliver(struct store_conn *c, struct delivery *d)
{
	CLEANUP(run_done) struct run run = {
		.conn = c,
		.d = d,
		.rules = {
			.separators = d->separators,
			.relay = d->transaction->relay,
			.outgoing = d->outgoing,
		},
	};

	assert(d->transaction->n);
	d->n_mailboxes = d->n_queued = d->n_failed = 0;
	/* RFC 5321 section 6.3. One Received field is ours. */
	d->too_many_hops = intake_facts(d->intake)->n_received > d->hops_max + 1;
	if (d->too_many_hops)
		return refuse(d, RECIPIENT_LOOP);
	TRY(intake_end(d->intake, &run.draft));
	return run_all(&run);
}
