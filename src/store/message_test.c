/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Messages against a model: a few thousand random operations, each compared with arrays in memory:
 * views, what readers are given, counters, quotas, modification numbers and records of expunges.
 */

#include "store/message.h"

#include "base/alloc.h"
#include "base/log.h"
#include "db/db.h"
#include "store/account.h"
#include "store/fixture.h"
#include "store/mailbox.h"
#include "store/message_copy.h"
#include "store/view.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

enum { BOXES = 3, MESSAGES_MAX = 400, EXPUNGED_LOG = 20000 };

struct model_message {
	uint32_t uid;
	uint64_t flags;
	uint64_t modseq;
	uint64_t size;
	int64_t id, content, thread;
};

struct model_box {
	int64_t id;
	uint32_t uidnext;
	size_t n;
	struct model_message messages[MESSAGES_MAX];
	size_t n_expunged;
	struct {
		uint32_t uid;
		uint64_t modseq;
	} expunged[EXPUNGED_LOG];
	struct view *old; /* some earlier view, whose rows may not change */
	uint32_t *old_uids;
	uint64_t *old_flags;
};

struct model {
	struct fixture *f;
	struct model_box boxes[BOXES];
	uint64_t modseq; /* the newest seen */
	unsigned seed;
};

static const char *const box_names[BOXES] = { "INBOX", "Sent", "Trash" };

static unsigned pick(struct model *m, unsigned limit)
{
	return (unsigned)rand_r(&m->seed) % limit;
}

enum kind { ADD, FLAGS, EXPUNGE, COPY, MOVE, KINDS };

/* One operation: what is asked and what came out. */
struct op {
	enum kind kind;
	bool undo; /* the task fails after it has done its work */
	int64_t mailbox, target;
	const uint32_t *uids;
	size_t n_uids;
	enum flags_change change;
	uint64_t flags, unchanged_since;
	bool only_deleted;
	struct content_draft draft;
	uint32_t uid;
	int64_t id, content;
	uint64_t modseq;
	struct buf out;
};

static int op_add(struct store_conn *c, struct op *o)
{
	struct message_add add = { .mailbox = o->mailbox, .draft = &o->draft, .flags = o->flags };
	int r;

	TRY(store_content_add(c, &o->draft, &add.content));
	o->content = add.content;
	r = store_message_add(c, &add, &o->uid, &o->id);
	return r;
}

static int op_run(struct store_conn *c, void *arg)
{
	struct op *o = arg;
	int r = -EINVAL;

	buf_clear(&o->out);
	switch (o->kind) {
	case ADD:
		r = op_add(c, o);
		break;
	case FLAGS:
		r = store_flags(c, o->mailbox, o->uids, o->n_uids, o->change, o->flags,
			o->unchanged_since, &o->out, &o->modseq);
		break;
	case EXPUNGE:
		r = store_expunge(c, o->mailbox, o->uids, o->n_uids, o->only_deleted, &o->out,
			&o->modseq);
		break;
	case COPY:
		r = store_copy(c, o->mailbox, o->uids, o->n_uids, o->target, UINT64_MAX, &o->out);
		break;
	case MOVE:
		r = store_move(c, o->mailbox, o->uids, o->n_uids, o->target, &o->out, &o->modseq);
		break;
	case KINDS:
		break;
	}
	return r ? r : o->undo ? STORE_E_REFUSED : 0;
}

static struct model_message *model_find(struct model_box *box, uint32_t uid)
{
	for (size_t i = 0; i < box->n; i++) {
		if (box->messages[i].uid == uid)
			return &box->messages[i];
	}
	return NULL;
}

static void model_remove(struct model_box *box, struct model_message *message, uint64_t modseq)
{
	size_t i = (size_t)(message - box->messages);

	assert_true(box->n_expunged < EXPUNGED_LOG);
	box->expunged[box->n_expunged].uid = message->uid;
	box->expunged[box->n_expunged++].modseq = modseq;
	memmove(message, message + 1, (box->n - i - 1) * sizeof *message);
	box->n--;
}

static void model_add(struct model_box *box, struct model_message message)
{
	assert_true(box->n < MESSAGES_MAX);
	message.uid = box->uidnext++;
	box->messages[box->n++] = message;
}

static void apply_flags(struct model_box *box, const struct op *o)
{
	size_t n_modified = 0;

	for (size_t i = 0; i < o->n_uids; i++) {
		struct model_message *message = model_find(box, o->uids[i]);
		uint64_t flags;

		if (!message)
			continue;
		if (message->modseq > o->unchanged_since) {
			assert_int_equal(
				((const uint32_t *)(const void *)buf_span(&o->out).p)[n_modified++],
				message->uid);
			continue;
		}
		flags = o->change == FLAGS_SET ? o->flags :
			o->change == FLAGS_ADD ? message->flags | o->flags :
						 message->flags & ~o->flags;
		if (flags == message->flags)
			continue;
		assert_true(o->modseq > 0);
		message->flags = flags;
		message->modseq = o->modseq;
	}
	assert_int_equal(buf_size(&o->out), n_modified * sizeof(uint32_t));
}

static void apply_expunge(struct model_box *box, const struct op *o)
{
	const uint32_t *removed = (const uint32_t *)(const void *)buf_span(&o->out).p;
	size_t n = 0;

	for (size_t i = 0; i < o->n_uids; i++) {
		struct model_message *message = model_find(box, o->uids[i]);

		if (!message || (o->only_deleted && !(message->flags & FLAG_DELETED)))
			continue;
		assert_int_equal(removed[n++], message->uid);
		model_remove(box, message, o->modseq);
	}
	assert_int_equal(buf_size(&o->out), n * sizeof(uint32_t));
}

static void apply_pairs(struct model_box *box, struct model_box *target, const struct op *o)
{
	const uint32_t *pairs = (const uint32_t *)(const void *)buf_span(&o->out).p;
	/* Within one mailbox, what arrives is not copied again. */
	uint32_t first_new = box->uidnext;
	size_t n = 0;

	for (size_t i = 0; i < o->n_uids; i++) {
		struct model_message *message = model_find(box, o->uids[i]);
		struct model_message copy;

		if (!message || message->uid >= first_new)
			continue;
		copy = *message;
		assert_int_equal(pairs[2 * n], message->uid);
		assert_int_equal(pairs[2 * n + 1], target->uidnext);
		n++;
		if (o->kind == MOVE) {
			model_remove(box, message, o->modseq);
			copy.modseq = o->modseq;
		} else {
			copy.id = 0; /* a new one, learned from the database */
			copy.modseq = 0;
		}
		model_add(target, copy);
	}
	assert_int_equal(buf_size(&o->out), n * 2 * sizeof(uint32_t));
}

struct check {
	struct model *m;
	struct model_box *box;
	struct view *view;
	size_t n_seen;
};

/* What store_messages shows against the model; learns what only the database knew. */
static int check_message(const struct store_message *message, void *context)
{
	struct check *check = context;
	struct model_message *expected = &check->box->messages[check->n_seen++];

	assert_int_equal(message->uid, expected->uid);
	assert_true(message->flags == expected->flags);
	if (!expected->modseq)
		expected->modseq = message->modseq;
	if (!expected->id)
		expected->id = message->id;
	assert_true(message->modseq == expected->modseq);
	assert_true(message->id == expected->id);
	assert_true(message->content == expected->content);
	if (!expected->thread)
		expected->thread = message->thread;
	assert_true(message->thread == expected->thread);
	assert_int_equal(message->size, expected->size);
	assert_true(span_is(message->envelope, "envelope"));
	assert_null(message->structure.p);
	assert_int_equal(message->data.n, expected->size);
	return 0;
}

static int read_box(struct store_conn *c, void *arg)
{
	CLEANUP(arena_done) struct arena a = {};
	struct check *check = arg;
	struct model_box *box = check->box;
	struct store_mailbox row;
	struct view *v;
	size_t n_done;
	uint64_t n_unseen = 0, n_deleted = 0, octets = 0;

	TRY(store_view(c, box->id, &check->view));
	v = check->view;
	TRY(store_messages(c, box->id, v->uids, v->n, WANT_ENVELOPE | WANT_DATA, check_message,
		check, &n_done));
	assert_int_equal(n_done, v->n);
	assert_int_equal(check->n_seen, box->n);
	TRY(store_mailbox_get(c, &a, box->id, &row));
	for (size_t i = 0; i < box->n; i++) {
		n_unseen += !(box->messages[i].flags & FLAG_SEEN);
		n_deleted += (box->messages[i].flags & FLAG_DELETED) != 0;
		octets += box->messages[i].size;
		assert_true(box->messages[i].modseq <= row.highest_modseq);
	}
	assert_int_equal(row.n_messages, box->n);
	assert_int_equal(row.n_unseen, n_unseen);
	assert_int_equal(row.n_deleted, n_deleted);
	assert_int_equal(row.octets, octets);
	assert_int_equal(row.uidnext, box->uidnext);
	assert_true(row.highest_modseq == v->modseq);
	assert_int_equal(v->uidnext, row.uidnext);
	assert_int_equal(v->uidvalidity, row.uidvalidity);
	return 0;
}

static int read_expunged(struct store_conn *c, void *arg)
{
	CLEANUP(buf_done) struct buf uids = {};
	struct check *check = arg;
	struct model_box *box = check->box;
	const uint32_t *p;
	uint64_t since;
	size_t n = 0;
	bool complete = false;

	if (!box->n_expunged)
		return 0;
	since = box->expunged[pick(check->m, (unsigned)box->n_expunged)].modseq;
	TRY(store_expunged_since(c, box->id, since, &uids, &complete));
	assert_true(complete);
	p = (const uint32_t *)(const void *)buf_span(&uids).p;
	for (size_t i = 0; i < box->n_expunged; i++) {
		bool found = false;

		if (box->expunged[i].modseq <= since)
			continue;
		for (size_t k = 0; k < buf_size(&uids) / sizeof *p; k++)
			found |= p[k] == box->expunged[i].uid;
		assert_true(found);
		n++;
	}
	assert_int_equal(buf_size(&uids) / sizeof *p, n);
	return 0;
}

static void forget_old(struct model_box *box)
{
	view_unref(box->old);
	free(box->old_uids);
	free(box->old_flags);
	box->old = NULL;
	box->old_uids = NULL;
	box->old_flags = NULL;
}

/* A view is immutable, however much of its memory newer ones share. */
static void check_old(struct model *m, struct model_box *box, struct view *v)
{
	for (uint32_t i = 0; box->old && i < box->old->n; i++) {
		assert_int_equal(box->old->uids[i], box->old_uids[i]);
		assert_true(box->old->flags[i] == box->old_flags[i]);
	}
	if (box->old && pick(m, 10))
		return;
	forget_old(box);
	box->old = view_ref(v);
	box->old_uids = alloc_array(NULL, v->n + 1, sizeof *v->uids);
	box->old_flags = alloc_array(NULL, v->n + 1, sizeof *v->flags);
	memcpy(box->old_uids, v->uids, v->n * sizeof *v->uids);
	memcpy(box->old_flags, v->flags, v->n * sizeof *v->flags);
}

static void check_box(struct model *m, struct model_box *box)
{
	struct check check = { .m = m, .box = box };
	CLEANUP(view_unrefp) struct view *cached = NULL;
	struct view *v;

	assert_int_equal(store_read(m->f->store, read_box, &check), 0);
	v = check.view;
	assert_int_equal(v->n, box->n);
	for (uint32_t i = 0; i < v->n; i++) {
		assert_int_equal(v->uids[i], box->messages[i].uid);
		assert_true(v->flags[i] == box->messages[i].flags);
		assert_true(v->modseqs[i] == box->messages[i].modseq);
		assert_int_equal(view_find(v, v->uids[i]), i);
	}
	assert_int_equal(view_find(v, UINT32_MAX), v->n);
	cached = store_view_cached(m->f->store, box->id);
	assert_ptr_equal(cached, v);
	check_old(m, box, v);
	view_unref(v);
	assert_int_equal(store_read(m->f->store, read_expunged, &check), 0);
}

/* Some UIDs of the mailbox, ascending, and some that are not there. */
static size_t pick_uids(struct model *m, struct model_box *box, uint32_t uids[static MESSAGES_MAX])
{
	unsigned share = 1 + pick(m, 20);
	size_t n = 0;

	for (uint32_t uid = 1; uid < box->uidnext + 3 && n < MESSAGES_MAX; uid++) {
		struct model_message *there = model_find(box, uid);

		if (pick(m, there ? share : 20) == 0)
			uids[n++] = uid;
	}
	return n;
}

static void run_op(struct model *m, struct op *o, struct model_box *box, struct model_box *target)
{
	CLEANUP(view_unrefp) struct view *before = store_view_cached(m->f->store, box->id);
	int r;

	r = store_write(m->f->store, op_run, o);
	if (o->undo) {
		CLEANUP(view_unrefp) struct view *after = NULL;

		assert_int_equal(r, STORE_E_REFUSED);
		after = store_view_cached(m->f->store, box->id);
		assert_ptr_equal(before, after);
		return;
	}
	assert_int_equal(r, 0);
	switch (o->kind) {
	case ADD:
		assert_int_equal(o->uid, box->uidnext);
		model_add(box,
			(struct model_message){ .flags = o->flags, .size = o->draft.size,
				.id = o->id, .content = o->content });
		break;
	case FLAGS:
		apply_flags(box, o);
		break;
	case EXPUNGE:
		apply_expunge(box, o);
		break;
	case COPY:
	case MOVE:
		apply_pairs(box, target, o);
		break;
	case KINDS:
		break;
	}
}

static void random_op(struct model *m)
{
	struct model_box *box = &m->boxes[pick(m, BOXES)];
	struct model_box *target = &m->boxes[pick(m, BOXES)];
	uint32_t uids[MESSAGES_MAX];
	char body[3000];
	struct op o = {
		.kind = pick(m, 3) ? ADD : (enum kind)pick(m, KINDS),
		.undo = pick(m, 10) == 0,
		.mailbox = box->id,
		.target = target->id,
		.change = (enum flags_change)pick(m, 3),
		.flags = pick(m, 64),
		.unchanged_since = pick(m, 4) ? UINT64_MAX : m->modseq / 2,
		.only_deleted = pick(m, 2),
	};

	/* Keeps the mailboxes small: what is full is emptied. */
	if (box->n > MESSAGES_MAX / 3 || target->n > MESSAGES_MAX / 3) {
		o.kind = EXPUNGE;
		o.only_deleted = false;
		if (target->n > box->n)
			box = target;
		o.mailbox = box->id;
	}
	o.uids = uids;
	o.n_uids = pick_uids(m, box, uids);
	memset(body, 'b', sizeof body);
	fixture_draft(&o.draft, span_of(body, pick(m, sizeof body)));
	run_op(m, &o, box, target);
	if (o.modseq > m->modseq)
		m->modseq = o.modseq;
	content_draft_done(&o.draft);
	buf_done(&o.out);
}

static void test_model(void **state)
{
	struct model *m = ALLOC(struct model);

	m->f = *state;
	m->seed = 4711;
	for (size_t i = 0; i < BOXES; i++) {
		m->boxes[i].id = fixture_mailbox(m->f, m->f->account, box_names[i]);
		m->boxes[i].uidnext = 1;
		check_box(m, &m->boxes[i]);
	}
	for (int step = 0; step < 2500; step++) {
		random_op(m);
		for (size_t i = 0; i < BOXES; i++)
			check_box(m, &m->boxes[i]);
		if (step % 500 == 0) {
			fixture_recount(m->f);
			fixture_sweep(m->f);
		}
		if (step == 1200) {
			for (size_t i = 0; i < BOXES; i++)
				forget_old(&m->boxes[i]);
			fixture_reopen(m->f);
			for (size_t i = 0; i < BOXES; i++)
				check_box(m, &m->boxes[i]);
		}
	}
	fixture_recount(m->f);
	fixture_sweep(m->f);
	assert_int_equal(fixture_number(m->f,
				 "select count(*) from content c where id < (select max(id) from"
				 " content) and not exists (select 1 from message where content ="
				 " c.id)"),
		0);
	for (size_t i = 0; i < BOXES; i++)
		forget_old(&m->boxes[i]);
	free(m);
}

/* Each database call of each operation fails once: nothing half-done remains. */
static void test_every_failure(void **state)
{
	static const int failures[] = { -EIO, DB_E_FULL };
	struct fixture *f = *state;
	int64_t sent = fixture_mailbox(f, f->account, "Sent");

	for (unsigned variant = 0; variant < 2 * KINDS; variant++) {
		uint32_t uids[3];
		struct op o = { .kind = variant % KINDS, .mailbox = f->inbox, .target = sent,
			.uids = uids, .n_uids = 3, .change = FLAGS_ADD, .flags = FLAG_SEEN,
			.unchanged_since = UINT64_MAX };
		int failure = failures[variant / KINDS];
		uint64_t nth = 0;
		int64_t before;
		int r;

		for (size_t i = 0; i < 3; i++)
			uids[i] = fixture_deliver(f, f->inbox, SPAN("hello"), 0);
		fixture_draft(&o.draft, SPAN("failing"));
		o.draft.message_id_hash = 17 + variant;
		o.draft.n_references = 2;
		before = fixture_number(f, "select sum(modseq) from account");
		do {
			db_fail_at(++nth, failure);
			r = store_write(f->store, op_run, &o);
			db_fail_at(0, 0);
			if (r)
				assert_int_equal(
					fixture_number(f, "select sum(modseq) from account"),
					before);
			assert_true(nth < 1000);
		} while (r);
		assert_true(nth > 10);
		assert_true(fixture_number(f, "select sum(modseq) from account") > before);
		fixture_recount(f);
		content_draft_done(&o.draft);
		buf_done(&o.out);
	}
}

static int set_quota(struct store_conn *c, void *arg)
{
	struct fixture *f = arg;

	return store_account_set(c, f->account, SPAN("quota"), SPAN("1000"), NULL);
}

static void test_quota(void **state)
{
	struct fixture *f = *state;
	char body[600] = {};
	struct op add = { .kind = ADD, .mailbox = f->inbox };
	uint32_t uid;
	struct op copy = { .kind = COPY, .mailbox = f->inbox, .target = f->inbox, .uids = &uid,
		.n_uids = 1 };

	assert_int_equal(store_write(f->store, set_quota, f), 0);
	fixture_draft(&add.draft, span_of(body, sizeof body));
	uid = fixture_deliver(f, f->inbox, span_of(body, sizeof body), 0);
	assert_int_equal(store_write(f->store, op_run, &add), STORE_E_QUOTA);
	assert_int_equal(store_write(f->store, op_run, &copy), STORE_E_QUOTA);
	assert_int_equal(buf_size(&copy.out), 0);
	content_draft_done(&add.draft);
	fixture_draft(&add.draft, span_of(body, 400));
	assert_int_equal(store_write(f->store, op_run, &add), 0);
	content_draft_done(&add.draft);
	fixture_recount(f);
}

/* A refused recipient beside one that is served: nothing of the refusal remains. */
static int deliver_twice(struct store_conn *c, void *arg)
{
	struct op *o = arg;
	struct message_add add = { .mailbox = o->mailbox, .draft = &o->draft };

	TRY(store_content_add(c, &o->draft, &add.content));
	if (store_message_add(c, &add, &o->uid, &o->id) != STORE_E_QUOTA)
		return err_fault(EINVAL, "quota");
	add.over_quota = true;
	TRY(store_message_add(c, &add, &o->uid, &o->id));
	add.mailbox = 4711;
	if (store_message_add(c, &add, &o->uid, &o->id) != STORE_E_NOT_FOUND)
		return err_fault(EINVAL, "mailbox");
	return 0;
}

static void test_refusal_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	char body[2000] = {};
	struct op o = { .mailbox = f->inbox };

	assert_int_equal(store_write(f->store, set_quota, f), 0);
	fixture_draft(&o.draft, span_of(body, sizeof body));
	assert_int_equal(store_write(f->store, deliver_twice, &o), 0);
	assert_int_equal(fixture_number(f, "select count(*) from message"), 1);
	content_draft_done(&o.draft);
	fixture_recount(f);
}

static int add_content_only(struct store_conn *c, void *arg)
{
	struct op *o = arg;

	TRY(store_content_add(c, &o->draft, &o->content));
	return 0;
}

static void test_loose_content_is_swept(void **state)
{
	struct fixture *f = *state;
	struct op o = {};

	fixture_draft(&o.draft, SPAN("nobody wants it"));
	assert_int_equal(store_write(f->store, add_content_only, &o), 0);
	content_draft_done(&o.draft);
	(void)fixture_deliver(f, f->inbox, SPAN("wanted"), 0);
	assert_int_equal(fixture_number(f, "select count(*) from content"), 2);
	fixture_sweep(f);
	assert_int_equal(fixture_number(f, "select count(*) from content"), 1);
	assert_int_equal(fixture_number(f, "select count(*) from garbage"), 0);
}

static void expect_thread(struct fixture *f, uint64_t own, uint64_t reference, int64_t *thread)
{
	struct op o = { .kind = ADD, .mailbox = f->inbox };
	CLEANUP(alloc_freep) char *sql = NULL;
	int64_t found;

	fixture_draft(&o.draft, SPAN("x"));
	o.draft.message_id_hash = own;
	o.draft.n_references = reference != 0;
	o.draft.references[0] = reference;
	assert_int_equal(store_write(f->store, op_run, &o), 0);
	content_draft_done(&o.draft);
	sql = alloc_format("select thread from message where id = %lld", (long long)o.id);
	found = fixture_number(f, sql);
	if (*thread)
		assert_true(found == *thread);
	*thread = found;
}

static void test_threads(void **state)
{
	struct fixture *f = *state;
	int64_t one = 0, two = 0, three = 0;

	expect_thread(f, 100, 0, &one);
	expect_thread(f, 101, 100, &one); /* an answer */
	expect_thread(f, 102, 101, &one); /* an answer to it */
	expect_thread(f, 200, 199, &two); /* its parent has not come yet */
	expect_thread(f, 201, 199, &two); /* a sibling */
	expect_thread(f, 199, 0, &two);   /* the parent */
	expect_thread(f, 0, 0, &three);
	assert_true(one != two && two != three && one != three);
}

static int stop_at_second(const struct store_message *message, void *context)
{
	*(uint32_t *)context = message->uid;
	return message->uid >= 2;
}

struct stopping {
	int64_t mailbox;
	uint32_t last;
	size_t n_done;
};

static int read_until(struct store_conn *c, void *arg)
{
	static const uint32_t uids[] = { 1, 2, 3 };
	struct stopping *s = arg;

	return store_messages(c, s->mailbox, uids, 3, 0, stop_at_second, &s->last, &s->n_done);
}

static void test_reading_stops(void **state)
{
	struct fixture *f = *state;
	struct stopping s = { .mailbox = f->inbox };

	for (int i = 0; i < 3; i++)
		(void)fixture_deliver(f, f->inbox, SPAN("x"), 0);
	assert_int_equal(store_read(f->store, read_until, &s), 0);
	assert_int_equal(s.last, 2);
	assert_int_equal(s.n_done, 2);
}

/* Everything in the mailbox once more, until it has at least n messages. */
static int double_up(struct store_conn *c, void *arg)
{
	struct op *o = arg;
	CLEANUP(buf_done) struct buf pairs = {};
	CLEANUP(alloc_freep) uint32_t *uids = alloc_array(NULL, o->n_uids, sizeof *uids);
	uint32_t n = 1;

	for (uint32_t i = 0; i < o->n_uids; i++)
		uids[i] = i + 1;
	for (; n < o->n_uids; n *= 2)
		TRY(store_copy(c, o->mailbox, uids, n, o->mailbox, UINT64_MAX, &pairs));
	return 0;
}

struct since {
	int64_t mailbox;
	uint64_t modseq;
	bool complete;
	size_t n;
	struct view *view;
};

static int expunged_since(struct store_conn *c, void *arg)
{
	struct since *s = arg;
	CLEANUP(buf_done) struct buf uids = {};

	TRY(store_expunged_since(c, s->mailbox, s->modseq, &uids, &s->complete));
	s->n = buf_size(&uids) / sizeof(uint32_t);
	TRY(store_view(c, s->mailbox, &s->view));
	return 0;
}

/* Records of expunges are bounded: the oldest go, and who asks for them is told. A view from before
 * them is made anew. */
static void test_expunged_records_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct op o = { .kind = EXPUNGE, .mailbox = f->inbox, .n_uids = 1 << 17 };
	struct since since = { .mailbox = f->inbox };
	uint32_t uids[6000];
	uint64_t first = 0;

	(void)fixture_deliver(f, f->inbox, SPAN("x"), 0);
	assert_int_equal(store_write(f->store, double_up, &o), 0);
	assert_int_equal(store_read(f->store, expunged_since, &since), 0);
	assert_int_equal(since.view->n, 1 << 17);
	view_unref(since.view);
	o.uids = uids;
	o.n_uids = 6000;
	for (uint32_t from = 1; from < 102000; from += 6000) {
		for (uint32_t i = 0; i < 6000; i++)
			uids[i] = from + i;
		assert_int_equal(store_write(f->store, op_run, &o), 0);
		if (!first)
			first = o.modseq;
	}
	assert_int_equal(store_read(f->store, expunged_since, &since), 0);
	assert_false(since.complete);
	assert_int_equal(since.view->n, (1 << 17) - 102000);
	assert_int_equal(since.view->uids[0], 102001);
	view_unref(since.view);
	since.modseq = first;
	assert_int_equal(store_read(f->store, expunged_since, &since), 0);
	assert_true(since.complete);
	assert_int_equal(since.n, 96000);
	view_unref(since.view);
	fixture_recount(f);
	buf_done(&o.out);
}

static int setup(void **state)
{
	*state = fixture_new();
	return 0;
}

static int teardown(void **state)
{
	db_fail_at(0, 0);
	fixture_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_model, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_failure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_quota, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusal_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loose_content_is_swept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_expunged_records_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reading_stops, setup, teardown),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
