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
#include "mail/plan.h"
#include "mime/fold.h"
#include "mime/part.h"
#include "store/mailbox.h"
#include "store/message.h"
#include "store/queue_rows.h"
#include "store/rule_rows.h"
#include "store/sharing.h"

#include <assert.h>
#include <stdlib.h>

/* RFC 5321 section 4.5.4.1: give-up time at least four to five days. */
static const int64_t queue_lifetime_us = 5LL * 24 * 3600 * 1000000;

enum {
	RETURN_FULL_MAX = 256 << 10, /* octets; of larger messages the header is returned */
	REPORTED_MAX = 1000,         /* recipients of one notification */
};

/* What an entry of the plan came to: the same for all that lead to it. LOOP while it is under way: who
 * redirects to where the message is redirected from keeps it, else nobody might have it. */
struct applied {
	bool known;
	enum recipient_verdict verdict;
	struct verdict_text rejection;
};

/* One delivery while it runs. */
struct run {
	struct store_conn *conn;
	struct delivery *d;
	struct recipient_rules rules;
	struct content_draft *draft; /* NULL: not asked for yet */
	int64_t content;             /* 0: not stored yet */
	struct map seen;             /* ids of mailboxes that have it already */
	struct arena arena;
	struct bounce_recipient *reports;
	size_t n_reports;
	int64_t *contents;                   /* of the plan's forms; 0: not stored yet */
	struct applied *applied;             /* entries of the plan */
	unsigned depth;                      /* of redirects */
	const struct redirected *redirected; /* the innermost of them; NULL: as it came */
	struct verdict_text rejection;       /* what the last RECIPIENT_REJECTED said */
	bool copied; /* somebody's rules refused the message and put it somewhere, too */
};

static void run_done(struct run *run)
{
	map_done(&run->seen, NULL);
	arena_done(&run->arena);
	free(run->reports);
	free(run->contents);
	free(run->applied);
}

/* What a rule sends on: in that form, as mail of that sender. */
struct redirected {
	uint32_t form;
	struct span sender;
};

/* A form of the message as a content. */
struct body {
	const struct content_draft *draft;
	int64_t content;
};

static int ensure_content(struct run *run)
{
	if (run->content)
		return 0;
	if (!run->draft)
		TRY(intake_end(run->d->intake, &run->draft));
	TRY(store_content_add(run->conn, run->draft, &run->content));
	return 0;
}

/* The message as it came, or as a rule wants it. */
static int ensure_body(struct run *run, uint32_t form, struct body *ret_body)
{
	if (form != PLAN_SAME) {
		const struct content_draft *draft = plan_form(run->d->plan, form)->draft;

		if (!run->contents[form])
			TRY(store_content_add(run->conn, draft, &run->contents[form]));
		*ret_body = (struct body){ draft, run->contents[form] };
		return 0;
	}
	TRY(ensure_content(run));
	*ret_body = (struct body){ run->draft, run->content };
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

/* Into a mailbox, once in each form, however many addresses lead there. */
static int put(struct run *run, int64_t mailbox, uint32_t form, uint64_t flags, bool over_quota,
	enum recipient_verdict *ret_verdict)
{
	struct {
		int64_t mailbox, form;
	} key = { mailbox, form };
	struct message_add add = {
		.mailbox = mailbox,
		.flags = flags,
		.received_us = run->d->now_us,
		.over_quota = over_quota,
	};
	struct body body;
	int64_t id;
	uint32_t uid;
	int r;

	*ret_verdict = RECIPIENT_OK;
	if (map_get(&run->seen, span_of(&key, sizeof key)))
		return 0;
	TRY(ensure_body(run, form, &body));
	add.content = body.content;
	add.draft = body.draft;
	r = store_message_add(run->conn, &add, &uid, &id);
	if (r == STORE_E_QUOTA) {
		*ret_verdict = RECIPIENT_FULL;
		return 0;
	}
	TRY(r);
	(void)map_put(&run->seen, span_of(&key, sizeof key), run);
	run->d->n_mailboxes++;
	return 0;
}

static int into_mailbox(struct run *run, const struct route_target *target, bool over_quota,
	enum recipient_verdict *ret_verdict)
{
	int64_t mailbox;

	TRY(find_mailbox(run, target, &mailbox));
	return put(run, mailbox, PLAN_SAME, 0, over_quota, ret_verdict);
}

static int queue(struct run *run, const struct recipient *recipient, int64_t content,
	struct span sender, struct span address)
{
	const struct transaction *t = run->d->transaction;
	struct queue_row row = {
		.content = content,
		.sender = sender,
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

	TRY(store_queue_add(run->conn, &row, &id));
	run->d->n_queued++;
	return 0;
}

static int into_queue(struct run *run, const struct recipient *recipient, struct span address)
{
	CLEANUP(buf_done) struct buf sender = {};
	struct body body;

	if (run->redirected) {
		TRY(ensure_body(run, run->redirected->form, &body));
		return queue(run, recipient, body.content, run->redirected->sender, address);
	}
	TRY(ensure_content(run));
	mail_address_add(&sender, &run->d->transaction->sender);
	return queue(run, recipient, run->content, buf_span(&sender), address);
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

static const struct verdict_text *text_of(struct run *run, enum recipient_verdict verdict)
{
	struct verdict_text *text;

	if (verdict != RECIPIENT_REJECTED)
		return recipient_verdict_text(verdict);
	text = ARENA_ALLOC(&run->arena, struct verdict_text);
	*text = run->rejection;
	return text;
}

static void report(struct run *run, const struct recipient *recipient,
	const struct mail_address *final, enum bounce_action action, enum recipient_verdict verdict)
{
	if (run->depth) /* who redirected keeps it, or its own verdict tells */
		return;
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
		.verdict = text_of(run, verdict),
	};
}

/* Flags of a rule as the account's bits, as far as the rights allow (RFC 4314 section 4). Keywords
 * beyond what an account can have are left out. */
static int flag_bits(struct run *run, int64_t account, struct span flags, unsigned rights,
	uint64_t *ret_bits)
{
	static const struct {
		const char *name;
		uint64_t bit;
		unsigned right;
	} known[] = { { "\\Seen", FLAG_SEEN, ACL_SEEN }, { "\\Answered", FLAG_ANSWERED, ACL_WRITE },
		{ "\\Flagged", FLAG_FLAGGED, ACL_WRITE }, { "\\Deleted", FLAG_DELETED, ACL_DELETE },
		{ "\\Draft", FLAG_DRAFT, ACL_WRITE } };

	*ret_bits = 0;
	while (flags.n) {
		struct span flag = span_cut(&flags, ' ');
		unsigned right = ACL_WRITE;
		uint64_t bit = 0;
		int r = 0;

		for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
			if (span_is_nocase(flag, known[i].name)) {
				bit = known[i].bit;
				right = known[i].right;
			}
		}
		if (!(rights & right))
			continue;
		if (!bit)
			r = store_keyword_bit(run->conn, account, flag, &bit);
		if (r < 0)
			return r;
		*ret_bits |= r ? 0 : bit;
	}
	return 0;
}

/* RFC 5490 section 3.2: a mailbox that is not there is made if the rule says so; else, and if it
 * cannot be made, mail goes where it would go without the rule, or to its owner's INBOX if nobody else
 * could read it: nowhere (*ret_id 0) if that is gone too. The right to somebody else's is asked for
 * again: it may have been taken since the rule ran. */
static int find_for(struct run *run, const struct route_target *target, const struct plan_act *act,
	int64_t *ret_id, int64_t *ret_owner, unsigned *ret_rights)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct store_mailbox box;
	int r = STORE_E_NOT_FOUND;

	*ret_owner = act->owner;
	*ret_rights = ACL_ALL;
	if (act->target.n)
		r = store_mailbox_find(run->conn, &arena, act->owner, act->target, &box);
	if (r == 0 && act->by) {
		TRY(store_mailbox_rights(run->conn, act->by, box.id, ret_rights));
		if (!(*ret_rights & ACL_POST))
			r = STORE_E_RIGHTS;
	}
	if (r == 0)
		*ret_id = box.id;
	else if (r == STORE_E_NOT_FOUND && act->target.n && act->create && !act->by)
		r = store_mailbox_create(run->conn, act->owner, act->target, USE_NONE, ret_id,
			NULL);
	if (r <= 0)
		return r;
	*ret_rights = ACL_ALL;
	if (act->owner_only) {
		r = store_mailbox_find(run->conn, &arena, act->owner, SPAN("INBOX"), &box);
		*ret_id = r ? 0 : box.id;
		return r < 0 ? r : 0;
	}
	*ret_owner = target->account;
	return find_mailbox(run, target, ret_id);
}

static int act_mailbox(struct run *run, const struct recipient *recipient,
	const struct route_target *target, const struct plan_act *act,
	enum recipient_verdict *ret_verdict)
{
	bool over_quota = recipient_is_postmaster(&recipient->address);
	int64_t mailbox, owner;
	unsigned rights;
	uint64_t flags;

	TRY(find_for(run, target, act, &mailbox, &owner, &rights));
	*ret_verdict = RECIPIENT_FULL; /* for now: the next time rules know that its owner is gone */
	if (!mailbox)
		return 0;
	TRY(flag_bits(run, owner, act->flags, rights, &flags));
	TRY(put(run, mailbox, act->form, flags, over_quota, ret_verdict));
	/* That somebody else's mailbox is full is no reason for others to wait, unless nobody else
	 * can read it. */
	if (*ret_verdict == RECIPIENT_FULL && owner != target->account && !act->owner_only) {
		TRY(find_mailbox(run, target, &mailbox));
		TRY(put(run, mailbox, act->form, 0, over_quota, ret_verdict));
	}
	return 0;
}

static int to_targets(struct run *run, const struct recipient *recipient, const struct route *route,
	enum recipient_verdict *ret_verdict);

/* To an address of ours: as mail for it, rules and all. To others: by the queue, as the account's
 * mail (RFC 5228 section 4.2), whose sender stays null if it was. While nobody sends what is in the
 * queue, the account keeps the message too. */
static int act_redirect(struct run *run, const struct route_target *target,
	const struct plan_act *act, enum recipient_verdict *ret_verdict)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct recipient recipient = { .address = mail_address_split(act->target), .notify = NOTIFY_NEVER };
	struct route route;
	struct body body;
	bool null = transaction_sender_is_null(run->d->transaction);
	const struct redirected redirected = {
		.form = act->form,
		.sender = null ? (struct span){} : target->address,
	};
	const struct redirected *outer = run->redirected;
	int r;

	*ret_verdict = RECIPIENT_LOOP;
	if (run->depth == PLAN_REDIRECT_DEPTH || has_been_here(run, &recipient.address))
		return 0;
	TRY(store_route(run->conn, &arena, recipient.address.local, recipient.address.domain,
		run->rules.separators, &route));
	*ret_verdict = RECIPIENT_UNKNOWN;
	if (route.kind == ROUTE_NONE)
		return 0;
	if (route.kind != ROUTE_REMOTE) {
		run->redirected = &redirected;
		run->depth++;
		r = to_targets(run, &recipient, &route, ret_verdict);
		run->depth--;
		run->redirected = outer;
		return r;
	}
	TRY(ensure_body(run, act->form, &body));
	TRY(queue(run, &recipient, body.content, redirected.sender, act->target));
	*ret_verdict = RECIPIENT_OK;
	if (!run->d->outgoing)
		return into_mailbox(run, target, false, ret_verdict);
	return 0;
}

/* Once to each sender in a time. Strangers could fill the queue with answers while nobody sends
 * them, so then they get none. */
static int act_vacation(struct run *run, const struct route_target *target,
	const struct plan_act *act)
{
	CLEANUP(arena_done) struct arena arena = {};
	CLEANUP(buf_done) struct buf sender = {};
	struct recipient to = { .address = mail_address_split(act->target), .notify = NOTIFY_NEVER };
	enum recipient_verdict verdict;
	struct route route;
	struct body body;
	int r;

	assert(act->form != PLAN_SAME);
	TRY(store_route(run->conn, &arena, to.address.local, to.address.domain,
		run->rules.separators, &route));
	if (route.kind == ROUTE_REMOTE && !run->d->outgoing)
		return 0;
	for (size_t i = 0; i < act->target.n; i++)
		buf_add_octet(&sender, octet_lower(act->target.p[i]));
	r = store_vacation_take(run->conn, target->account, act->handle, buf_span(&sender),
		run->d->now_us, act->until_us);
	if (r)
		return r < 0 ? r : 0;
	run->d->n_answered++;
	TRY(ensure_body(run, act->form, &body));
	if (route.kind == ROUTE_REMOTE)
		return queue(run, &to, body.content, (struct span){}, act->target);
	for (size_t i = 0; i < route.n_targets; i++) {
		int64_t mailbox;

		if (!route.targets[i].account || route.targets[i].disabled)
			continue;
		TRY(find_mailbox(run, &route.targets[i], &mailbox));
		TRY(put(run, mailbox, act->form, 0, false, &verdict));
	}
	return 0;
}

static void act_reject(struct run *run, const struct plan_act *act)
{
	run->rejection = (struct verdict_text){
		.code = 550,
		.status = act->status,
		.text = arena_string(&run->arena, act->reason),
	};
}

/* What the rules of an account want. What cannot be done at all is no reason to lose the message:
 * then it is kept. Refused is what one of them refuses, and copies of it stay where others have put
 * them (RFC 5429 section 2.3: an archive, say). */
static int apply_entry(struct run *run, const struct recipient *recipient,
	const struct route_target *target, const struct plan_entry *entry,
	enum recipient_verdict *ret_verdict)
{
	enum recipient_verdict verdict = RECIPIENT_OK, refusal = RECIPIENT_OK;
	const struct plan_act *rejecting = NULL;
	bool done = entry->n == 0; /* discarded */

	for (size_t i = 0; i < entry->n; i++) {
		const struct plan_act *act = &entry->acts[i];

		if (act->kind == PLAN_VACATION) {
			TRY(act_vacation(run, target, act));
			continue;
		}
		if (act->kind == PLAN_REJECT) {
			rejecting = act;
			continue;
		}
		if (act->kind == PLAN_REDIRECT) {
			TRY(act_redirect(run, target, act, &verdict));
			if (verdict != RECIPIENT_OK && verdict != RECIPIENT_FULL)
				TRY(into_mailbox(run, target, false, &verdict));
		} else {
			TRY(act_mailbox(run, recipient, target, act, &verdict));
		}
		if (verdict == RECIPIENT_OK)
			done = true;
		else
			refusal = verdict;
	}
	*ret_verdict = done ? RECIPIENT_OK : refusal;
	if (rejecting) { /* last: what a redirect led to may have refused in other words */
		act_reject(run, rejecting);
		run->copied |= done;
		*ret_verdict = RECIPIENT_REJECTED;
	}
	return 0;
}

static int to_target(struct run *run, const struct recipient *recipient,
	const struct route_target *target, enum recipient_verdict *ret_verdict)
{
	CLEANUP(buf_done) struct buf reached = {};
	struct mail_address own = mail_address_split(target->address);
	const struct plan_entry *entry;
	struct applied *applied;
	size_t position;

	*ret_verdict = recipient_target_verdict(&run->rules, target);
	if (*ret_verdict == RECIPIENT_OK && has_been_here(run, &own))
		*ret_verdict = RECIPIENT_LOOP;
	if (*ret_verdict != RECIPIENT_OK)
		return 0;
	if (!target->account)
		return into_queue(run, recipient, target->address);
	mail_address_add(&reached, &recipient->address);
	entry = plan_find(run->d->plan, target->account, buf_span(&reached), &position);
	if (!entry)
		return into_mailbox(run, target, recipient_is_postmaster(&recipient->address),
			ret_verdict);
	applied = &run->applied[position];
	if (!applied->known) {
		applied->known = true;
		applied->verdict = RECIPIENT_LOOP;
		TRY(apply_entry(run, recipient, target, entry, &applied->verdict));
		applied->rejection = run->rejection;
	}
	run->rejection = applied->rejection;
	*ret_verdict = applied->verdict;
	return 0;
}

/* One recipient of the envelope: refused only if none of its targets can have the message. */
static int to_targets(struct run *run, const struct recipient *recipient, const struct route *route,
	enum recipient_verdict *ret_verdict)
{
	enum recipient_verdict first = RECIPIENT_UNKNOWN, verdict;
	bool accepted = false;

	for (size_t i = 0; i < route->n_targets; i++) {
		struct mail_address own = mail_address_split(route->targets[i].address);

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

static int to_recipient(struct run *run, const struct recipient *recipient,
	enum recipient_verdict *ret_verdict)
{
	CLEANUP(arena_done) struct arena arena = {};
	CLEANUP(buf_done) struct buf text = {};
	const struct mail_address *address = &recipient->address;
	struct route route;

	TRY(store_route(run->conn, &arena, address->local, address->domain, run->rules.separators,
		&route));
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
	TRY(store_route(run->conn, &notice.arena, to->local, to->domain, run->rules.separators,
		&route));
	if (route.kind != ROUTE_REMOTE)
		return notify_local(&notice, &route);
	/* While nothing is sent to other domains, strangers could fill the queue by asking to be
	 * told of successes. Failures are kept: they are few, since recipients are known at RCPT.
	 */
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

/* What the rules said, in memory that outlives the run. */
static int refuse_all(struct run *run, enum recipient_verdict verdict)
{
	if (verdict == RECIPIENT_REJECTED) {
		run->d->refusal_text = run->rejection;
		run->d->refusal_text.text = arena_string(&run->d->refusal_arena,
			span_str(run->rejection.text));
	}
	return refuse(run->d, verdict);
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
	/* A refusal that may pass undoes the copies too: they are made when the message comes again. */
	if (n_accepted == 0 && (!run->copied || refusal == RECIPIENT_FULL))
		return refuse_all(run, refusal);
	if (run->n_reports && !transaction_sender_is_null(t))
		TRY(notify(run));
	return 0;
}

/* Who had the message encrypted before it is stored does not want what came in to lie about until
 * the sweeper comes. */
static int erase_unused(struct run *run)
{
	int64_t upload = intake_upload(run->d->intake);

	if (!run->d->plan || run->content || !upload)
		return 0;
	return store_upload_erase(run->conn, upload);
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
	int r;

	assert(d->transaction->n);
	d->n_mailboxes = d->n_queued = d->n_failed = d->n_answered = 0;
	/* RFC 5321 section 6.3. One Received field is ours. */
	d->too_many_hops = intake_facts(d->intake)->n_received > d->hops_max + 1;
	if (d->too_many_hops)
		return refuse(d, RECIPIENT_LOOP);
	if (d->plan) {
		run.contents = alloc_zero((plan_n_forms(d->plan) + 1) * sizeof run.contents[0]);
		run.applied = alloc_zero((plan_n_entries(d->plan) + 1) * sizeof run.applied[0]);
	}
	r = run_all(&run);
	return r ? r : erase_unused(&run);
}
