/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * THREAD and UID THREAD (RFC 5256): a search, then what it found put into threads on a worker, then
 * the threads in pieces.
 */

#include "base/clock.h"
#include "mime/message_id.h"
#include "svc/imap/commands.h"
#include "svc/imap/search.h"
#include "svc/imap/sort.h"
#include "svc/imap/thread_tree.h"

struct thread {
	struct search search; /* first: search_start finds it */
	enum thread_by by;
	struct threads *threads;
	struct buf id;        /* of one message */
};

bool imap_parse_thread(struct imap_parser *p, struct imap_command *c)
{
	struct thread *thread = ARENA_ALLOC(p->arena, struct thread);

	c->args = thread;
	if (!parse_space(p))
		return false;
	if (parse_skip_word(p, "REFERENCES"))
		thread->by = THREAD_REFERENCES;
	else if (!parse_skip_word(p, "ORDEREDSUBJECT"))
		return parse_fail(p, "unknown threading algorithm");
	return parse_space(p) && search_parse_charset(p, &thread->search) && parse_space(p) &&
	       search_parse_keys(p, &thread->search, clock_now_us());
}

static void thread_release(void *p)
{
	struct thread *thread = p;

	thread->threads = threads_free(thread->threads);
	buf_done(&thread->id);
}

static int thread_each(struct imap_command *c, uint32_t position, const struct store_message *row,
	const struct envelope *envelope)
{
	struct thread *thread = c->args;
	struct message_ids ids = message_ids_of(envelope->message_id);
	struct thread_message m = {
		.number = search_number(c, position),
		.date_us = sort_date(row),
		.subject = envelope->subject,
		.references = row->references,
	};
	int r;

	if (message_id_next(&ids, &thread->id))
		m.id = buf_span(&thread->id);
	r = threads_add(thread->threads, &m);
	return r == THREAD_E_LIMIT ? SEARCH_E_LIMIT : r;
}

static void thread_build(struct imap_command *c)
{
	threads_build(((struct thread *)c->args)->threads);
}

static int thread_print(struct imap *s, struct imap_command *c)
{
	struct thread *thread = c->args;
	struct buf *out = imap_out(s);

	if (threads_print(thread->threads, out, buf_size(out) + IMAP_CHUNK))
		return imap_wait_drained(s, c, thread_print);
	buf_add(out, SPAN("\r\n"));
	return imap_ok(s, c, NULL, "THREAD completed");
}

static int thread_done(struct imap *s, struct imap_command *c, int outcome)
{
	if (outcome == SEARCH_E_LIMIT)
		return imap_no(s, c, "LIMIT", "Too many messages to put into threads");
	buf_add(imap_out(s), SPAN("* THREAD"));
	if (search_count(c->args) > 0)
		buf_add_octet(imap_out(s), ' ');
	return thread_print(s, c);
}

static int thread_found(struct imap *s, struct imap_command *c)
{
	struct thread *thread = c->args;
	unsigned want = WANT_ENVELOPE;

	if (thread->by == THREAD_REFERENCES)
		want |= WANT_REFERENCES;
	thread->threads = threads_new(thread->by);
	imap_command_release(c, thread_release, thread);
	return search_walk(s, c, want, thread_each, thread_build, thread_done);
}

int imap_thread(struct imap *s, struct imap_command *c)
{
	return search_start(s, c, thread_found);
}
