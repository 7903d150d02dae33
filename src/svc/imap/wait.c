/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Commands as heap objects, and waiting. A command has two owners: the session, until it has
 * answered, and the task that runs part of it on a worker. If the peer leaves, the session lets go
 * and the worker's end frees the command; nothing a worker touches belongs to the session. Both
 * owners come and go on the session's loop, so the count needs no lock.
 */

#include "base/alloc.h"
#include "store/rights.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/imap/core.h"

#include <stdlib.h>

struct imap_release {
	struct imap_release *next;
	void (*release)(void *p);
	void *p;
};

struct imap_command *command_new(struct imap *s)
{
	struct imap_command *c = ALLOC(struct imap_command);

	c->refs = 1;
	c->env = s->env;
	c->enabled = s->enabled;
	c->account = c->owner = s->account;
	c->rights = ACL_ALL;
	c->id_key = s->service->id_key;
	if (s->selected) {
		c->mailbox = s->selected->mailbox;
		c->owner = s->selected->owner;
		c->rights = s->selected->rights;
		c->view = view_ref(s->selected->view);
		c->keywords = keywords_ref(s->selected->keywords);
		c->recent_from = s->selected->recent_from;
	}
	return c;
}

void imap_command_release(struct imap_command *c, void (*release)(void *p), void *p)
{
	struct imap_release *r = ARENA_ALLOC(&c->arena, struct imap_release);

	*r = (struct imap_release){ c->releases, release, p };
	c->releases = r;
}

void command_unref(struct imap_command *c)
{
	if (!c || --c->refs > 0)
		return;
	for (struct imap_release *r = c->releases; r; r = r->next)
		r->release(r->p);
	(void)view_unref(c->sync.view);
	(void)keywords_unref(c->sync.keywords);
	(void)view_unref(c->view);
	(void)keywords_unref(c->keywords);
	buf_wipe(&c->text); /* passwords */
	buf_done(&c->out);
	arena_done(&c->arena);
	free(c);
}

static int wait_run(struct task *t, void *worker)
{
	struct imap_command *c = CONTAINER_OF(t, struct imap_command, task.task);

	return c->work(c, worker);
}

static void wait_drop(struct task *t)
{
	command_unref(CONTAINER_OF(t, struct imap_command, task.task));
}

/* What a worker could not do is said to the client and logged; the session goes on. */
static int wait_fault(struct imap *s, struct imap_command *c, int fault)
{
	log_fault(&s->log, "IMAP", "imap.command", fault);
	env_count(s->env, COUNT_FAULTS);
	if (s->selected)
		imap_changed(s); /* what could not be told now is told later */
	if (c->status) /* it was over, and only the changes of the mailbox were to be told */
		return command_end(s, c);
	if (s->on_octets) { /* more of it comes: the answer waits for its end */
		c->refused = "temporary failure, try again later";
		c->code = "UNAVAILABLE";
		return 0;
	}
	return imap_no(s, c, "UNAVAILABLE", "temporary failure, try again later");
}

static int wait_done(struct session *session, struct session_task *t)
{
	struct imap *s = imap_of(session);
	struct imap_command *c = CONTAINER_OF(t, struct imap_command, task);
	int r = t->task.result;

	session_reply(session, buf_span(&c->out));
	buf_done(&c->out);
	if (r < 0)
		return wait_fault(s, c, r);
	return c->done(s, c, r);
}

static int wait_on(struct imap *s, struct imap_command *c, struct executor *e, imap_work_fn *work,
	imap_done_fn *done)
{
	c->work = work;
	c->done = done;
	c->task.task.run = wait_run;
	c->task.task.drop = wait_drop;
	c->task.done = wait_done;
	c->refs++;
	session_wait(&s->session, e, &c->task);
	return 0;
}

int imap_wait_read(struct imap *s, struct imap_command *c, imap_work_fn *work, imap_done_fn *done)
{
	return wait_on(s, c, store_readers(s->env->store), work, done);
}

int imap_wait_write(struct imap *s, struct imap_command *c, imap_work_fn *work, imap_done_fn *done)
{
	return wait_on(s, c, store_writer(s->env->store), work, done);
}

int imap_wait_cpu(struct imap *s, struct imap_command *c, imap_work_fn *work, imap_done_fn *done)
{
	return wait_on(s, c, s->env->cpu, work, done);
}

int imap_wait_drained(struct imap *s, struct imap_command *c, imap_next_fn *next)
{
	c->next = next;
	session_send_from(&s->session);
	return 0;
}

bool imap_send_piece(struct imap *s, struct buf *text)
{
	struct span piece = span_head(buf_span(text), SESSION_CHUNK);

	session_reply(&s->session, piece);
	buf_take(text, piece.n);
	return buf_size(text) == 0;
}

int wait_pull(struct session *session)
{
	struct imap *s = imap_of(session);
	struct imap_command *c = s->command;
	imap_next_fn *next = c->next;

	c->next = NULL;
	session_sent_all(session);
	return next(s, c);
}
