/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What takes time is done before the transaction: packing, scripts (on a reader), other forms of
 * the message. The one write task then runs one delivery for each copy and adds the sender's.
 */

#include "svc/send.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/random.h"
#include "mail/deliver.h"
#include "mail/intake.h"
#include "mail/plan.h"
#include "store/blob_rows.h"
#include "store/message.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/rule_log.h"

#include <stdlib.h>

struct packed {
	struct transaction *transaction;
	struct intake *intake;
	struct plan *plan;
	struct delivery delivery;
};

struct sending {
	struct env *env;
	const struct send_request *request;
	struct settings *settings;
	struct packed *copies; /* request->n_copies */
	struct packed kept;    /* its intake only */
	struct packed *at;     /* that is being prepared */
	struct send_done done;
	struct why *why;
};

static void packed_done(struct packed *p)
{
	plan_free(p->plan);
	intake_free(p->intake);
	transaction_free(p->transaction);
	arena_done(&p->delivery.refusal_arena);
}

static void sending_done(struct sending *s)
{
	for (size_t i = 0; i < s->request->n_copies; i++)
		packed_done(&s->copies[i]);
	packed_done(&s->kept);
	free(s->copies);
	settings_unref(s->settings);
}

static int pack(struct sending *s, struct span fields, struct span message)
{
	struct store *store = s->env->store;
	struct content_draft *draft;

	s->at->intake = intake_new(UINT64_MAX);
	TRY(intake_feed(s->at->intake, store, fields));
	TRY(intake_feed(s->at->intake, store, message));
	TRY(intake_finish(s->at->intake, store, &draft));
	return 0;
}

/* RFC 5321 section 4.4, without where the sender is: nobody asked for that to be told. */
static void add_trace(const struct sending *s, struct buf *out)
{
	const struct transaction *t = s->at->transaction;

	buf_add_string(out, "Return-Path: <");
	mail_address_add(out, &t->sender);
	buf_add_string(out, ">\r\n");
	if (t->n == 1) {
		buf_add_string(out, "Delivered-To: ");
		mail_address_add(out, &t->recipients[0].address);
		buf_add_string(out, "\r\n");
	}
	buf_add_format(out, "Received: by %s with HTTP;\r\n\t", s->env->hostname);
	clock_add_rfc5322(out, s->request->now_us);
	buf_add_string(out, "\r\n");
}

static struct transaction *transaction_of(const struct sending *s, const struct send_copy *copy)
{
	struct transaction *t = ALLOC(struct transaction);

	t->sender = mail_address_copy(&t->arena, &s->request->sender);
	t->relay = true;
	t->utf8 = !span_is_ascii(t->sender.local);
	for (size_t i = 0; i < copy->n_to; i++) {
		const struct recipient recipient = { .address = copy->to[i] };

		t->utf8 |= !span_is_ascii(copy->to[i].local);
		transaction_add(t, &recipient);
	}
	return t;
}

static int make_plan(struct store_conn *c, void *arg)
{
	struct sending *s = arg;
	struct plan_request request = {
		.transaction = s->at->transaction,
		.intake = s->at->intake,
		.cache = s->env->rules,
		.certs = s->env->mail_certs,
		.separators = s->settings->subaddress_separators,
		.hostname = span_str(s->env->hostname),
		.outgoing = MAIL_OUTGOING,
		.now_us = s->request->now_us,
		.unique = s->at->delivery.unique,
	};

	s->at->plan = plan_free(s->at->plan);
	return plan_make(c, &request, &s->at->plan);
}

/* What the rules of the recipients want. */
static int run_rules(struct sending *s)
{
	struct plan **plan = &s->at->plan;
	int r = store_read(s->env->store, make_plan, s);

	if (r == 0 && plan_needs_build(*plan))
		r = plan_build(*plan, s->env->store);
	if (r == 0)
		rule_log_notes(s->env, NULL, *plan);
	if (r != PLAN_E_TOO_MUCH)
		return err_fold(r);
	why_set(s->why, "the rules of so many recipients want too much of this message: send it"
			" to fewer at a time");
	return SEND_E_REFUSED;
}

static int prepare(struct sending *s, const struct send_copy *copy)
{
	CLEANUP(buf_done) struct buf trace = {};
	struct packed *p = s->at;
	int r;

	p->transaction = transaction_of(s, copy);
	random_name(p->delivery.unique);
	add_trace(s, &trace);
	TRY(pack(s, buf_span(&trace), copy->message));
	r = run_rules(s);
	if (r)
		return r;
	p->delivery.transaction = p->transaction;
	p->delivery.intake = p->intake;
	p->delivery.plan = p->plan;
	p->delivery.hostname = span_str(s->env->hostname);
	p->delivery.separators = s->settings->subaddress_separators;
	p->delivery.outgoing = MAIL_OUTGOING;
	p->delivery.has_delivered_to = p->transaction->n == 1;
	p->delivery.hops_max = s->settings->hops_max;
	p->delivery.now_us = s->request->now_us;
	return 0;
}

static int find_kept(struct store_conn *c, const struct send_request *request, int64_t *ret_id)
{
	struct span name = request->use == USE_DRAFTS ? SPAN("Drafts") : SPAN("Sent");
	CLEANUP(arena_done) struct arena arena = {};
	struct store_mailbox box;
	int r = store_mailbox_with_use(c, &arena, request->account, request->use, &box);

	if (r == STORE_E_NOT_FOUND)
		r = store_mailbox_find(c, &arena, request->account, name, &box);
	if (r == STORE_E_NOT_FOUND)
		return store_mailbox_create(c, request->account, name, request->use, ret_id, NULL);
	*ret_id = box.id;
	return r;
}

static int keep(struct store_conn *c, struct sending *s)
{
	struct message_add add = {
		.flags = s->request->flags,
		.received_us = s->request->now_us,
	};
	struct content_draft *draft;
	int r;

	TRY(find_kept(c, s->request, &add.mailbox));
	TRY(intake_end(s->kept.intake, &draft));
	add.draft = draft;
	TRY(store_content_add(c, draft, &add.content));
	r = store_message_add(c, &add, &s->done.kept_uid, &s->done.kept);
	if (r != STORE_E_QUOTA)
		return r;
	why_set(s->why, "your mailboxes are full: there is no room for your own copy");
	return SEND_E_QUOTA;
}

static int refused(struct sending *s, const struct delivery *d)
{
	const struct verdict_text *text = recipient_verdict_text(d->refusal);

	if (d->refusal == RECIPIENT_REJECTED && d->refusal_text.text && d->refusal_text.text[0])
		text = &d->refusal_text;
	why_set(s->why, "%u %s %s", text->code, text->status, text->text);
	return SEND_E_REFUSED;
}

static int commit(struct store_conn *c, void *arg)
{
	struct sending *s = arg;

	s->done = (struct send_done){};
	for (size_t i = 0; i < s->request->n_copies; i++) {
		struct delivery *d = &s->copies[i].delivery;
		int r = deliver(c, d);

		if (r == DELIVER_E_REFUSED)
			return refused(s, d);
		TRY(r);
		s->done.n_delivered += d->n_mailboxes;
		s->done.n_queued += d->n_queued;
		s->done.n_failed += d->n_failed;
	}
	for (size_t i = 0; i < s->request->n_blobs; i++) {
		int r = store_blob_remove(c, s->request->account, s->request->blobs[i]);

		if (r != STORE_E_NOT_FOUND)
			TRY(r);
	}
	return s->kept.intake ? keep(c, s) : 0;
}

static void count(const struct sending *s)
{
	atomic_fetch_add_explicit(&s->env->counters[COUNT_DELIVERED], s->done.n_delivered,
		memory_order_relaxed);
	for (size_t i = 0; i < s->request->n_copies; i++)
		atomic_fetch_add_explicit(&s->env->counters[COUNT_ANSWERED],
			s->copies[i].delivery.n_answered, memory_order_relaxed);
}

int send_message(struct env *e, const struct send_request *request, struct send_done *ret_done,
	struct why *why)
{
	CLEANUP(sending_done)
	struct sending s = {
		.env = e,
		.request = request,
		.settings = settings_get(e->store),
		.copies = alloc_zero((request->n_copies + 1) * sizeof *s.copies),
		.why = why,
	};
	int r;

	for (size_t i = 0; i < request->n_copies; i++) {
		s.at = &s.copies[i];
		r = prepare(&s, &request->copies[i]);
		if (r)
			return r;
	}
	s.at = &s.kept;
	if (request->kept.p)
		TRY(pack(&s, (struct span){}, request->kept));
	r = store_write(e->store, commit, &s);
	if (r)
		return r;
	count(&s);
	*ret_done = s.done;
	return 0;
}

struct looking {
	const struct recipient_rules rules;
	const struct mail_address *to;
	size_t n;
	enum recipient_verdict *verdicts;
};

static int look(struct store_conn *c, void *arg)
{
	struct looking *l = arg;
	bool lasting, has_rules;

	for (size_t i = 0; i < l->n; i++)
		TRY(recipient_look(c, &l->rules, &l->to[i], &l->verdicts[i], &lasting, &has_rules));
	return 0;
}

int send_look(struct env *e, const struct mail_address *to, size_t n,
	enum recipient_verdict *ret_verdicts)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(e->store);
	struct looking l = {
		.rules = { .separators = settings->subaddress_separators,
			.relay = true,
			.outgoing = MAIL_OUTGOING },
		.to = to,
		.n = n,
		.verdicts = ret_verdicts,
	};

	return store_read(e->store, look, &l);
}
