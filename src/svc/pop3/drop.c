/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The maildrop in the store. What is kept in memory is what commands need without asking: which
 * contents, how large, which UIDs; 24 octets a message. Contents are kept by number, so a message
 * that another session expunges meanwhile can still be fetched: nothing is swept within a day.
 */

#include "svc/pop3/drop.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/account.h"
#include "store/mailbox.h"
#include "store/message.h"
#include "store/store.h"
#include "store/view.h"

#include <stdlib.h>

void drop_done(struct drop *d)
{
	free(d->messages);
	*d = (struct drop){};
}

int drop_hold(struct store_conn *c, int64_t account, uint64_t holder)
{
	int64_t now = clock_now_us();

	return store_lease_take(c, account, holder, now, now + DROP_LEASE_MS * INT64_C(1000));
}

static int drop_take_row(const struct store_message *m, void *context)
{
	struct drop *d = context;

	d->messages[d->n++] = (struct drop_message){ .content = m->content, .size = m->size,
		.uid = m->uid };
	return 0;
}

int drop_load(struct store_conn *c, int64_t account, struct drop *ret_drop)
{
	CLEANUP(arena_done) struct arena arena = {};
	CLEANUP(view_unrefp) struct view *view = NULL;
	CLEANUP(drop_done) struct drop d = { .account = account };
	struct store_mailbox mailbox;

	TRY(store_mailbox_find(c, &arena, account, SPAN("INBOX"), &mailbox));
	TRY(store_view(c, mailbox.id, &view));
	d.mailbox = mailbox.id;
	d.uidvalidity = view->uidvalidity;
	if (view->n) {
		d.messages = alloc_array(NULL, view->n, sizeof d.messages[0]);
		TRY(store_messages(c, mailbox.id, view->uids, view->n, 0, drop_take_row, &d, NULL));
	}
	*ret_drop = d;
	d.messages = NULL;
	return 0;
}

int drop_commit(struct store_conn *c, const struct drop *d, const uint32_t *uids, size_t n)
{
	CLEANUP(buf_done) struct buf removed = {};
	uint64_t modseq;

	if (n)
		TRY(store_expunge(c, d->mailbox, uids, n, false, &removed, &modseq));
	return store_lease_release(c, d->account, d->holder);
}

struct abandoned {
	struct task task;
	int64_t account;
	uint64_t holder;
};

static int abandoned_run(struct task *t, void *worker)
{
	struct abandoned *a = CONTAINER_OF(t, struct abandoned, task);

	return store_lease_release(worker, a->account, a->holder);
}

static void abandoned_done(struct task *t)
{
	if (t->result)
		log_fault(NULL, "POP3", "pop3.release", err_fold(t->result));
}

static void abandoned_drop(struct task *t)
{
	free(CONTAINER_OF(t, struct abandoned, task));
}

void drop_abandon(struct store *s, int64_t account, uint64_t holder)
{
	struct abandoned *a = ALLOC(struct abandoned);

	a->account = account;
	a->holder = holder;
	a->task.run = abandoned_run;
	a->task.done = abandoned_done;
	a->task.drop = abandoned_drop;
	task_start(store_writer(s), &task_home_here, &a->task);
}

void drop_figures(const struct drop *d, uint32_t *ret_n, uint64_t *ret_octets)
{
	uint32_t n = 0;
	uint64_t octets = 0;

	for (uint32_t i = 0; i < d->n; i++) {
		if (d->messages[i].deleted)
			continue;
		n++;
		octets += d->messages[i].size;
	}
	*ret_n = n;
	*ret_octets = octets;
}
