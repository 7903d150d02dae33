/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Responses of any length. LIST and UIDL are printed from memory as the client takes them; a message
 * is read from the store in pieces, each by a task of its own, so that neither a large message nor a
 * slow client holds more than one piece or keeps the database busy. The lease of the maildrop is
 * renewed here too, since a transfer may last longer than it.
 */

#include "base/alloc.h"
#include "base/clock.h"
#include "store/content.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/pop3/transfer.h"

#include <errno.h>
#include <stdlib.h>

/* TOP seldom needs more than this. */
enum { TOP_PIECE = 2 * SESSION_CHUNK };

struct piece {
	struct session_task task;
	int64_t content;
	uint64_t offset, n;
	struct buf data;
};

static struct piece *piece_of(struct session_task *t)
{
	return CONTAINER_OF(t, struct piece, task);
}

static int piece_run(struct task *t, void *worker)
{
	struct piece *p = piece_of(CONTAINER_OF(t, struct session_task, task));

	return store_content_read(worker, p->content, p->offset, p->n, &p->data);
}

static void piece_drop(struct task *t)
{
	struct piece *p = piece_of(CONTAINER_OF(t, struct session_task, task));

	buf_done(&p->data);
	free(p);
}

static int piece_read(struct pop3 *s, int (*done)(struct session *, struct session_task *))
{
	uint64_t most = s->stuffer.body_lines == UINT64_MAX ? (uint64_t)CONTENT_PIECE : TOP_PIECE;
	struct piece *p = ALLOC(struct piece);

	p->content = s->content;
	p->offset = s->offset;
	p->n = s->size - s->offset < most ? s->size - s->offset : most;
	p->task.task.run = piece_run;
	p->task.task.drop = piece_drop;
	p->task.done = done;
	session_wait(&s->session, store_readers(s->env->store), &p->task);
	return 0;
}

static int piece_taken(struct pop3 *s, struct piece *p)
{
	if (buf_size(&p->data) != p->n)
		return err_fault(EIO, "a message is shorter than its size");
	s->offset += p->n;
	buf_done(&s->chunk);
	s->chunk = p->data;
	p->data = (struct buf){};
	return 0;
}

static int piece_done(struct session *session, struct session_task *t)
{
	TRY(t->task.result);
	return piece_taken(pop3_of(session), piece_of(t));
}

/* The first piece decides between +OK and -ERR. */
static int piece_first_done(struct session *session, struct session_task *t)
{
	struct pop3 *s = pop3_of(session);

	if (t->task.result == STORE_E_NOT_FOUND)
		return pop3_err(s, "SYS/PERM", "the message is not there any more");
	TRY(t->task.result);
	TRY(piece_taken(s, piece_of(t)));
	(void)pop3_ok(s, "%llu octets", (unsigned long long)s->size);
	s->n_retrieved++;
	s->source = POP3_SRC_MESSAGE;
	session_send_from(session);
	return 0;
}

int pop3_send_message(struct pop3 *s, const struct drop_message *m, uint64_t body_lines)
{
	s->content = m->content;
	s->size = m->size;
	s->offset = 0;
	stuffer_init(&s->stuffer, body_lines);
	return piece_read(s, piece_first_done);
}

int pop3_send_table(struct pop3 *s, enum pop3_source source)
{
	s->source = source;
	s->next = 0;
	session_send_from(&s->session);
	return 0;
}

static int pop3_sent(struct pop3 *s)
{
	s->source = POP3_SRC_NONE;
	session_sent_all(&s->session);
	return 0;
}

static int pop3_pull_message(struct pop3 *s)
{
	struct buf *out = session_out(&s->session);
	struct span chunk;

	if (buf_size(&s->chunk) == 0 && s->offset < s->size && !s->stuffer.full)
		return piece_read(s, piece_done);
	chunk = span_head(buf_span(&s->chunk), SESSION_CHUNK);
	stuffer_add(&s->stuffer, chunk, out);
	buf_take(&s->chunk, chunk.n);
	if (!s->stuffer.full && (buf_size(&s->chunk) || s->offset < s->size))
		return 0;
	stuffer_end(&s->stuffer, out);
	buf_done(&s->chunk);
	return pop3_sent(s);
}

void pop3_add_listing(const struct pop3 *s, uint32_t number, enum pop3_source source,
	struct buf *out)
{
	const struct drop_message *m = &s->drop.messages[number - 1];

	if (source == POP3_SRC_LIST)
		buf_add_format(out, "%u %llu\r\n", number, (unsigned long long)m->size);
	else
		buf_add_format(out, "%u %u.%u\r\n", number, s->drop.uidvalidity, m->uid);
}

static int pop3_pull_table(struct pop3 *s)
{
	struct buf *out = session_out(&s->session);
	size_t enough = buf_size(out) + SESSION_CHUNK;

	while (s->next < s->drop.n && buf_size(out) < enough) {
		if (!s->drop.messages[s->next++].deleted)
			pop3_add_listing(s, s->next, s->source, out);
	}
	if (s->next < s->drop.n)
		return 0;
	buf_add(out, SPAN(".\r\n"));
	return pop3_sent(s);
}

int pop3_pull(struct session *session)
{
	struct pop3 *s = pop3_of(session);

	if (clock_monotonic_ms() >= s->renew_ms)
		return pop3_renew(session);
	return s->source == POP3_SRC_MESSAGE ? pop3_pull_message(s) : pop3_pull_table(s);
}

struct renewal {
	struct session_task task;
	int64_t account;
	uint64_t holder;
};

static int renewal_run(struct task *t, void *worker)
{
	struct renewal *n = CONTAINER_OF(CONTAINER_OF(t, struct session_task, task),
		struct renewal, task);

	return drop_hold(worker, n->account, n->holder);
}

static void renewal_drop(struct task *t)
{
	free(CONTAINER_OF(CONTAINER_OF(t, struct session_task, task), struct renewal, task));
}

static int renewal_done(struct session *session, struct session_task *t)
{
	struct pop3 *s = pop3_of(session);

	if (t->task.result == STORE_E_IN_USE) {
		/* This server stood still for a minute and somebody else has the maildrop now: nothing
		 * that this session says about it holds any more. */
		s->drop.holder = 0;
		session_end(session);
		return 0;
	}
	TRY(t->task.result);
	pop3_renewed(s);
	return 0;
}

void pop3_renewed(struct pop3 *s)
{
	s->renew_ms = clock_monotonic_ms() + DROP_RENEW_MS;
	session_alarm(&s->session, DROP_RENEW_MS);
}

int pop3_renew(struct session *session)
{
	struct pop3 *s = pop3_of(session);
	struct renewal *n;

	n = ALLOC(struct renewal);
	n->account = s->drop.account;
	n->holder = s->drop.holder;
	n->task.task.run = renewal_run;
	n->task.task.drop = renewal_drop;
	n->task.done = renewal_done;
	session_wait(session, store_writer(s->env->store), &n->task);
	return 0;
}
