/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A message: its octets from DATA or BDAT go through the scrub into the intake, and at the end one
 * task of the store's writer delivers it. 250 is said when that task comes back, which is after its
 * commit.
 *
 * A message of any length of line is taken: RFC 5321 section 4.5.3.1.6 obliges to 1000 octets only,
 * but what is kept is not sent on, and refusing what others wrote too long would lose mail. A bare
 * CR or LF is refused, since servers that disagree on where a message ends can be made to see two.
 *
 * While a task runs it owns intake and transaction, because the session may go away under it.
 */

#include "base/alloc.h"
#include "base/clock.h"
#include "base/random.h"
#include "mail/deliver.h"
#include "mail/intake.h"
#include "mail/plan.h"
#include "mail/trace.h"
#include "net/tls.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/rule_log.h"
#include "svc/smtp/smtp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	LARGE = 64 << 10, /* octets from which the end is packed off the loop */
	REASON_MAX =
		400, /* of a rule's refusal: a line has at most 512 (RFC 5321 section 4.5.3.1.5) */
};

struct message_task {
	struct session_task task;
	struct env *env;
	struct intake *intake;
	struct transaction *transaction;
	struct plan *plan;
	bool has_rules;
	struct plan_request request;
	struct delivery delivery;
	char *hostname;
	char *separators;
};

static struct message_task *message_task_of(struct task *t)
{
	return CONTAINER_OF(t, struct message_task, task.task);
}

static void message_task_drop(struct task *t)
{
	struct message_task *m = message_task_of(t);

	plan_free(m->plan);
	intake_free(m->intake);
	transaction_free(m->transaction);
	arena_done(&m->delivery.refusal_arena);
	free(m->hostname);
	free(m->separators);
	free(m);
}

static struct message_task *message_task_new(struct smtp *s)
{
	struct message_task *m = ALLOC(struct message_task);

	m->env = s->env;
	m->intake = TAKE(s->intake);
	m->transaction = TAKE(s->transaction);
	m->plan = TAKE(s->plan);
	m->has_rules = s->has_rules;
	m->task.task.drop = message_task_drop;
	return m;
}

/* The session is still there: it gets its things back. */
static void give_back(struct smtp *s, struct message_task *m)
{
	s->intake = TAKE(m->intake);
	s->transaction = TAKE(m->transaction);
	s->plan = TAKE(m->plan);
}

static void message_id(const struct smtp *s, struct buf *out)
{
	buf_add_format(out, "%s.%u", session_id(&s->session), s->n_transactions);
}

/* RFC 6409 sections 8.2 and 8.3: what a submission gets if it has none. */
static void set_extra_fields(struct smtp *s, int64_t now_us)
{
	char name[RANDOM_NAME + 1];
	size_t n_date;

	random_name(name);
	buf_add_string(&s->extra, "Date: ");
	clock_add_rfc5322(&s->extra, now_us);
	buf_add_string(&s->extra, "\r\n");
	n_date = buf_size(&s->extra);
	buf_add_format(&s->extra, "Message-ID: <%s@%s>\r\n", name, s->env->hostname);
	s->scrub.date = span_head(buf_span(&s->extra), n_date);
	s->scrub.message_id = span_skip(buf_span(&s->extra), n_date);
}

void smtp_message_begin(struct smtp *s)
{
	CLEANUP(buf_done) struct buf fields = {};
	CLEANUP(buf_done) struct buf peer = {};
	CLEANUP(buf_done) struct buf id = {};
	const struct tls_info *tls = session_tls(&s->session);
	struct trace trace = {
		.transaction = s->transaction,
		.helo = s->helo,
		.hostname = span_str(s->env->hostname),
		.extended = s->extended,
		.authenticated = s->logged_in,
		.tls_version = tls ? tls->version : NULL,
		.tls_cipher = tls ? tls->cipher : NULL,
		.now_us = clock_now_us(),
	};

	net_address_add_literal(&peer, session_peer(&s->session));
	message_id(s, &id);
	trace.peer = buf_span(&peer);
	trace.id = buf_span(&id);
	trace_add(&fields, &trace);
	s->receiving = true;
	s->text = (struct smtp_text){ .line_start = true };
	s->scrub = (struct scrub){};
	if (s->kind == SMTP_SUBMISSION)
		set_extra_fields(s, trace.now_us);
	s->intake = intake_new(UINT64_MAX);
	/* Far below what the intake keeps in memory, so there is nothing to flush. */
	(void)!intake_add(s->intake, buf_span(&fields));
}

/* The message goes no further than this; what still comes of it is read and dropped. */
static void refuse(struct smtp *s, enum smtp_reply reply)
{
	s->refusal = reply;
	s->intake = intake_free(s->intake);
}

static enum smtp_reply reply_to_fault(int fault)
{
	return fault == -ENOSPC || fault == -EDQUOT ? REPLY_NO_ROOM : REPLY_TEMPORARY;
}

static int flush_run(struct task *t, void *worker)
{
	return intake_flush(message_task_of(t)->intake, worker);
}

/* Before the last octets: reading goes on. */
static int flush_done(struct session *session, struct session_task *t)
{
	struct smtp *s = smtp_of(session);

	give_back(s, CONTAINER_OF(t, struct message_task, task));
	if (t->task.result) {
		log_fault(session_log(session), "SMTP", "smtp.upload", t->task.result);
		refuse(s, reply_to_fault(t->task.result));
	}
	return 0;
}

static void flush(struct smtp *s, int (*done)(struct session *, struct session_task *))
{
	struct message_task *m = message_task_new(s);

	m->task.task.run = flush_run;
	m->task.done = done;
	session_wait(&s->session, store_writer(s->env->store), &m->task);
}

/* Octets of the message, dots removed, through the scrub into the intake; says whether the store
 * has to take some before the next ones. */
static bool put(struct smtp *s, struct span octets)
{
	CLEANUP(buf_done) struct buf header = {};
	size_t n_header;
	int r = 0, r_body = 0;

	s->n_received += octets.n;
	if (s->refusal)
		return false;
	if (s->n_received > s->settings->message_max) {
		refuse(s, REPLY_TOO_LARGE);
		return false;
	}
	n_header = scrub_feed(&s->scrub, octets, &header);
	if (buf_size(&header))
		r = intake_add(s->intake, buf_span(&header));
	if (n_header < octets.n)
		r_body = intake_add(s->intake, span_skip(octets, n_header));
	return r == INTAKE_E_FLUSH || r_body == INTAKE_E_FLUSH;
}

static int deliver_run(struct task *t, void *worker)
{
	return deliver(worker, &message_task_of(t)->delivery);
}

static void log_message(struct smtp *s, const struct message_task *m, const char *outcome)
{
	CLEANUP(buf_done) struct buf sender = {};
	CLEANUP(buf_done) struct buf id = {};
	const struct delivery *d = &m->delivery;

	mail_address_add(&sender, &m->transaction->sender);
	message_id(s, &id);
	LOG(session_log(&s->session), LOG_INFO, "SMTP", "smtp.message",
		log_span("id", buf_span(&id)), log_span("from", buf_span(&sender)),
		log_int("size", (int64_t)intake_size(m->intake)),
		log_int("recipients", (int64_t)m->transaction->n),
		log_int("delivered", (int64_t)d->n_mailboxes),
		log_int("queued", (int64_t)d->n_queued), log_int("failed", (int64_t)d->n_failed),
		log_str("outcome", outcome));
}

/* A reason for a client that reads ASCII alone: a question mark for each other character, or nothing
 * if that leaves little. */
static struct span ascii_reason(struct span reason, struct buf *out)
{
	size_t n_other = 0;

	for (size_t i = 0; i < reason.n; i++) {
		uint8_t c = reason.p[i];

		if (c < 0x80)
			buf_add_octet(out, c);
		else if ((c & 0xC0) == 0xC0) {
			buf_add_octet(out, '?');
			n_other++;
		}
	}
	return n_other * 3 > buf_size(out) ? (struct span){} : buf_span(out);
}

/* RFC 5429 section 2.1.1: the reason of a rule in the reply, as far as it fits into it. */
static int rule_refused(struct smtp *s, const struct message_task *m)
{
	const struct verdict_text *text = &m->delivery.refusal_text;
	CLEANUP(buf_done) struct buf ascii = {};
	struct span reason = span_str(text->text);
	char line[REASON_MAX + 1];
	size_t n = 0;

	if (!m->transaction->utf8 && !span_is_ascii(reason))
		reason = ascii_reason(reason, &ascii);
	if (reason.n == 0)
		reason = span_str(recipient_verdict_text(RECIPIENT_REJECTED)->text);
	reason = span_trim(span_head_utf8(reason, REASON_MAX));
	for (size_t i = 0; i < reason.n; i++) {
		bool blank = reason.p[i] < 32 || reason.p[i] == 127;

		if (!blank || (n && line[n - 1] != ' '))
			line[n++] = blank ? ' ' : (char)reason.p[i];
	}
	line[n] = 0;
	session_reply_format(&s->session, "%u %s %s\r\n", text->code, text->status, line);
	return 0;
}

/* Nothing was committed. */
static int deliver_refused(struct smtp *s, const struct message_task *m)
{
	enum recipient_verdict verdict = m->delivery.refusal;

	if (m->delivery.too_many_hops)
		return smtp_reply(s, REPLY_HOPS);
	if (verdict == RECIPIENT_REJECTED)
		return rule_refused(s, m);
	return smtp_reply_verdict(s, verdict);
}

static int deliver_done(struct session *session, struct session_task *t)
{
	struct smtp *s = smtp_of(session);
	const struct message_task *m = CONTAINER_OF(t, struct message_task, task);
	int r = t->task.result;

	smtp_reset(s);
	if (r == 0) {
		env_count(s->env, COUNT_SMTP_ACCEPTED);
		atomic_fetch_add_explicit(&s->env->counters[COUNT_DELIVERED],
			m->delivery.n_mailboxes, memory_order_relaxed);
		atomic_fetch_add_explicit(&s->env->counters[COUNT_ANSWERED], m->delivery.n_answered,
			memory_order_relaxed);
		log_message(s, m, "accepted");
		session_reply_format(session, "250 2.0.0 accepted as %s.%u\r\n",
			session_id(session), s->n_transactions);
		return 0;
	}
	if (r == DELIVER_E_REFUSED) {
		env_count(s->env, COUNT_SMTP_REFUSED);
		log_message(s, m, "refused");
		return deliver_refused(s, m);
	}
	env_count(s->env, COUNT_SMTP_DEFERRED);
	log_fault(session_log(session), "SMTP", "smtp.deliver", r);
	log_message(s, m, "deferred");
	return smtp_reply(s, reply_to_fault(r));
}

static void start_delivery(struct smtp *s)
{
	struct message_task *m = message_task_new(s);

	random_name(m->delivery.unique);
	m->hostname = alloc_string(s->env->hostname);
	m->separators = alloc_string(s->settings->subaddress_separators);
	m->delivery.transaction = m->transaction;
	m->delivery.intake = m->intake;
	m->delivery.plan = m->plan;
	m->delivery.hostname = span_str(m->hostname);
	m->delivery.separators = m->separators;
	m->delivery.outgoing = MAIL_OUTGOING;
	m->delivery.has_delivered_to = trace_has_delivered_to(m->transaction);
	m->delivery.hops_max = s->settings->hops_max;
	m->delivery.now_us = clock_now_us();
	m->task.task.run = deliver_run;
	m->task.done = deliver_done;
	session_wait(&s->session, store_writer(s->env->store), &m->task);
}

/* A message that was read to its end and refused before. */
static int end_refused(struct smtp *s);

static int build_run(struct task *t, void *worker)
{
	struct message_task *m = message_task_of(t);

	(void)worker;
	return plan_build(m->plan, m->env->store);
}

/* Rules that cannot be run because of a fault here are tried again with the message. What is too
 * much for so many recipients comes again for fewer. */
static int rules_failed(struct smtp *s, int fault)
{
	if (fault == PLAN_E_TOO_MUCH) {
		LOG(session_log(&s->session), LOG_WARNING, "RULE", "rule.plan",
			log_int("recipients", (int64_t)s->transaction->n),
			log_str("outcome", "too_much"));
		refuse(s, REPLY_TOO_MANY_RECIPIENTS);
		return end_refused(s);
	}
	log_fault(session_log(&s->session), "RULE", "rule.plan", fault);
	refuse(s, reply_to_fault(fault));
	return end_refused(s);
}

static int build_done(struct session *session, struct session_task *t)
{
	struct smtp *s = smtp_of(session);

	give_back(s, CONTAINER_OF(t, struct message_task, task));
	if (t->task.result)
		return rules_failed(s, t->task.result);
	rule_log_notes(s->env, session_log(&s->session), s->plan);
	start_delivery(s);
	return 0;
}

static int plan_run(struct task *t, void *worker)
{
	struct message_task *m = message_task_of(t);

	int r;

	m->plan = plan_free(m->plan);
	r = plan_make(worker, &m->request, &m->plan);
	if (r == 0 && plan_needs_build(m->plan) && plan_is_light(m->plan))
		r = plan_build(m->plan, NULL);
	return r;
}

static int plan_done(struct session *session, struct session_task *t)
{
	struct smtp *s = smtp_of(session);
	struct message_task *m;

	give_back(s, CONTAINER_OF(t, struct message_task, task));
	if (t->task.result)
		return rules_failed(s, t->task.result);
	if (!plan_needs_build(s->plan)) {
		rule_log_notes(s->env, session_log(&s->session), s->plan);
		start_delivery(s);
		return 0;
	}
	m = message_task_new(s);
	m->task.task.run = build_run;
	m->task.done = build_done;
	session_wait(session, s->env->cpu, &m->task);
	return 0;
}

/* Scripts read the store, so they run on a reader; other forms of the message are made on the cpu
 * pool, but for the light ones. The writer only writes. */
static void start_rules(struct smtp *s)
{
	struct message_task *m = message_task_new(s);

	random_name(m->delivery.unique);
	m->hostname = alloc_string(s->env->hostname);
	m->separators = alloc_string(s->settings->subaddress_separators);
	m->request = (struct plan_request){
		.transaction = m->transaction,
		.intake = m->intake,
		.cache = s->env->rules,
		.certs = s->env->mail_certs,
		.separators = m->separators,
		.hostname = span_str(m->hostname),
		.outgoing = MAIL_OUTGOING,
		.now_us = clock_now_us(),
		.unique = m->delivery.unique,
	};
	m->task.task.run = plan_run;
	m->task.done = plan_done;
	session_wait(&s->session, store_readers(s->env->store), &m->task);
}

static int end_refused(struct smtp *s)
{
	enum smtp_reply reply = s->refusal;

	if (s->transaction)
		env_count(s->env,
			smtp_reply_code(reply) < 500 ? COUNT_SMTP_DEFERRED : COUNT_SMTP_REFUSED);
	smtp_reset(s);
	return smtp_reply(s, reply);
}

static int message_ended(struct smtp *s, int result);

/* What rules may want in another form is packed once that is known (plan_build). */
static int end_intake(struct intake *in, bool has_rules)
{
	struct content_draft *draft;

	return has_rules ? intake_end_parsing(in) : intake_end(in, &draft);
}

static int last_flush_done(struct session *session, struct session_task *t)
{
	struct smtp *s = smtp_of(session);

	(void)flush_done(session, t);
	return s->refusal ? end_refused(s) : message_ended(s, end_intake(s->intake, s->has_rules));
}

/* The intake's end has answered. */
static int message_ended(struct smtp *s, int result)
{
	if (result == INTAKE_E_FLUSH)
		flush(s, last_flush_done);
	else if (result)
		return err_fold(result);
	else if (s->has_rules)
		start_rules(s);
	else
		start_delivery(s);
	return 0;
}

static int pack_run(struct task *t, void *worker)
{
	struct message_task *m = message_task_of(t);

	(void)worker;
	return end_intake(m->intake, m->has_rules);
}

static int pack_done(struct session *session, struct session_task *t)
{
	struct smtp *s = smtp_of(session);

	give_back(s, CONTAINER_OF(t, struct message_task, task));
	if (t->task.result >= 0)
		return message_ended(s, t->task.result);
	log_fault(session_log(session), "SMTP", "smtp.pack", t->task.result);
	refuse(s, REPLY_TEMPORARY);
	return end_refused(s);
}

/* The message is complete: small ones are packed in place, for about 20 us. */
static int message_end(struct smtp *s)
{
	CLEANUP(buf_done) struct buf fields = {};
	struct message_task *m;

	if (s->refusal)
		return end_refused(s);
	scrub_end(&s->scrub, &fields);
	if (buf_size(&fields))
		(void)!intake_add(s->intake,
			buf_span(&fields)); /* what is to be flushed is below */
	if (intake_size(s->intake) <= LARGE)
		return message_ended(s, end_intake(s->intake, s->has_rules));
	m = message_task_new(s);
	m->task.task.run = pack_run;
	m->task.done = pack_done;
	session_wait(&s->session, s->env->cpu, &m->task);
	return 0;
}

/* Nobody sends us this much by accident: we stop listening. */
static bool is_endless(const struct smtp *s)
{
	return s->n_received / 2 > s->settings->message_max;
}

static int close_with(struct smtp *s, enum smtp_reply reply)
{
	smtp_reset(s);
	(void)smtp_reply(s, reply);
	session_end(&s->session);
	return 0;
}

/* Counted, so everything is taken. RFC 3030 section 4.2: without BINARYMIME these are lines. */
static int take_chunk(struct smtp *s, struct span data)
{
	if (!s->refusal && smtp_has_bare(data, &s->chunk_cr))
		refuse(s, REPLY_CHUNK_BARE);
	if (data.n)
		s->text.line_start = data.p[data.n - 1] == '\n';
	if (put(s, data))
		flush(s, flush_done);
	return is_endless(s) ? close_with(s, REPLY_TOO_LARGE) : 0;
}

int smtp_message_octets(struct session *session, struct span data, size_t *ret_taken)
{
	struct smtp *s = smtp_of(session);
	enum smtp_text_outcome outcome = SMTP_TEXT_MORE;
	struct span rest = data, piece;
	bool must_flush = false;

	*ret_taken = data.n;
	if (s->chunked)
		return take_chunk(s, data);
	do {
		outcome = smtp_text_next(&s->text, &rest, &piece);
		if (piece.n)
			must_flush = put(s, piece);
	} while (outcome == SMTP_TEXT_MORE && piece.n && !must_flush);
	if (outcome == SMTP_TEXT_BARE || is_endless(s))
		return close_with(s, outcome == SMTP_TEXT_BARE ? REPLY_DATA_BARE : REPLY_TOO_LARGE);
	*ret_taken = data.n - rest.n;
	if (outcome == SMTP_TEXT_END) {
		session_expect_line(session);
		return message_end(s);
	}
	if (must_flush)
		flush(s, flush_done);
	return 0;
}

int smtp_message_chunk_end(struct session *session)
{
	struct smtp *s = smtp_of(session);

	if (!s->refusal && s->last_chunk && s->chunk_cr)
		refuse(s, REPLY_CHUNK_BARE);
	if (s->refusal)
		return end_refused(s);
	if (!s->last_chunk) {
		session_reply_format(session, "250 2.0.0 %" PRIu64 " octets so far\r\n",
			s->n_received);
		return 0;
	}
	/* A message is lines; a last one without its end gets it. */
	if (!s->text.line_start)
		(void)put(s, SPAN("\r\n"));
	return message_end(s);
}
