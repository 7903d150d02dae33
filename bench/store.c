/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * bench_store FOLDER: how fast the store takes and gives mail, in a new database in the folder
 * (which should lie on the disk in question, and is left behind).
 *
 *   deliver    4 KiB messages to 50 accounts in turn, with 1, 16 and 32 of them queued at a time:
 *              messages a second, and the time from submitting to committed
 *   fetch      one reader, 10,000 messages in chunks of 100: envelopes, bodies
 *   view       a mailbox of 100,000 messages: first load, update after one arrived
 */

#include "base/alloc.h"
#include "store/account.h"
#include "store/content.h"
#include "store/domain.h"
#include "store/mailbox.h"
#include "store/message.h"
#include "store/store.h"
#include "store/view.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	ACCOUNTS = 50,
	BODY = 4096,
	DELIVERIES = 20000,
	FETCHED = 10000,
	CHUNK = 100,
	LARGE_MAILBOX = 100000,
	QUEUED_MAX = 32,
};

struct bench {
	struct store *store;
	int64_t domain;
	int64_t inbox[ACCOUNTS];
	char *text; /* bodies are parts of it */
	size_t text_n;
	size_t delivered;
};

/* One message on its way. */
struct delivery {
	struct task task;
	struct bench *bench;
	struct home *home;
	int64_t mailbox;
	struct content_draft draft;
	double started;
};

struct home {
	struct task_home home;
	pthread_mutex_t lock;
	pthread_cond_t posted;
	struct list back;
};

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(int r, const char *what)
{
	if (r == 0)
		return;
	(void)fprintf(stderr, "bench_store: %s: %d %s\n", what, r, err_last_trace());
	exit(1);
}

static void print(const char *name, double value, const char *unit)
{
	(void)printf("%s %.2f %s\n", name, value, unit);
	(void)fflush(stdout);
}

/* Words at random: compresses as mail does, to about a half. */
static void make_text(struct bench *b)
{
	static const char letters[] = "etaoinshrdlucmfwypvbgkjqxz";
	unsigned seed = 1;
	size_t n = 1 << 20;

	b->text = alloc_zero(n);
	b->text_n = n;
	for (size_t i = 0; i < n; i++) {
		unsigned r = (unsigned)rand_r(&seed);

		b->text[i] = r % 6 == 0 ? ' ' : letters[(r >> 8) % (1 + (r >> 16) % 26)];
		if (i % 74 == 72)
			b->text[i] = '\r';
		if (i % 74 == 73)
			b->text[i] = '\n';
	}
}

static void make_draft(struct bench *b, struct content_draft *d)
{
	size_t at = b->delivered++ * 509 % (b->text_n - BODY - 600);

	*d = (struct content_draft){ .message_id_hash = b->delivered * 2654435761 };
	content_draft_set_inline(d, span_of(b->text + at, BODY));
	buf_add(&d->envelope, span_of(b->text + at, 400));
	buf_add(&d->structure, span_of(b->text + at + 400, 200));
}

static int populate(struct store_conn *c, void *arg)
{
	CLEANUP(arena_done) struct arena a = {};
	struct bench *b = arg;

	TRY(store_domain_add(c, SPAN("example.org"), &b->domain));
	TRY(store_domain_set_main(c, b->domain));
	for (int i = 0; i < ACCOUNTS; i++) {
		CLEANUP(alloc_freep) char *name = alloc_format("user%d", i);
		struct store_credentials none = {};
		struct store_mailbox m;
		int64_t account;

		TRY(store_account_add(c, b->domain, span_str(name), ROLE_ADMIN, &none, &account));
		TRY(store_mailbox_find(c, &a, account, SPAN("INBOX"), &m));
		b->inbox[i] = m.id;
	}
	return 0;
}

static int delivery_run(struct task *t, void *worker)
{
	struct delivery *d = CONTAINER_OF(t, struct delivery, task);
	struct message_add add = { .mailbox = d->mailbox, .draft = &d->draft };
	uint32_t uid;
	int64_t id;

	TRY(store_content_add(worker, &d->draft, &add.content));
	TRY(store_message_add(worker, &add, &uid, &id));
	return 0;
}

static void home_post(struct task_home *home, struct task *t)
{
	struct home *h = CONTAINER_OF(home, struct home, home);

	(void)pthread_mutex_lock(&h->lock);
	list_append(&h->back, &t->link);
	(void)pthread_cond_signal(&h->posted);
	(void)pthread_mutex_unlock(&h->lock);
}

static struct delivery *home_take(struct home *h)
{
	struct list *first;

	(void)pthread_mutex_lock(&h->lock);
	while (list_is_empty(&h->back))
		(void)pthread_cond_wait(&h->posted, &h->lock);
	first = h->back.next;
	list_remove(first);
	(void)pthread_mutex_unlock(&h->lock);
	return CONTAINER_OF(CONTAINER_OF(first, struct task, link), struct delivery, task);
}

static void send(struct bench *b, struct home *h, struct delivery *d)
{
	content_draft_done(&d->draft);
	make_draft(b, &d->draft);
	d->mailbox = b->inbox[b->delivered % ACCOUNTS];
	d->started = now();
	task_start(store_writer(b->store), &h->home, &d->task);
}

static int order(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static void deliver(struct bench *b, unsigned queued)
{
	static double took[DELIVERIES];
	struct delivery deliveries[QUEUED_MAX] = {};
	struct home h = { .home.post = home_post };
	CLEANUP(alloc_freep) char *rate = alloc_format("deliver_%u_queued", queued);
	CLEANUP(alloc_freep) char *p50 = alloc_format("deliver_%u_queued_p50", queued);
	CLEANUP(alloc_freep) char *p99 = alloc_format("deliver_%u_queued_p99", queued);
	double start = now();

	(void)pthread_mutex_init(&h.lock, NULL);
	(void)pthread_cond_init(&h.posted, NULL);
	list_init(&h.back);
	for (unsigned i = 0; i < queued; i++) {
		deliveries[i].task.run = delivery_run;
		send(b, &h, &deliveries[i]);
	}
	for (size_t n = 0; n < DELIVERIES; n++) {
		struct delivery *d = home_take(&h);

		must(d->task.result, "delivery");
		took[n] = now() - d->started;
		if (n + queued < DELIVERIES)
			send(b, &h, d);
		else
			content_draft_done(&d->draft);
	}
	print(rate, DELIVERIES / (now() - start), "messages/s");
	qsort(took, DELIVERIES, sizeof took[0], order);
	print(p50, took[DELIVERIES / 2] * 1e3, "ms");
	print(p99, took[DELIVERIES / 100 * 99] * 1e3, "ms");
}

struct fetch {
	int64_t mailbox;
	unsigned want;
	uint32_t uids[CHUNK];
	size_t n;
	size_t octets;
};

static int add_octets(const struct store_message *m, void *context)
{
	struct fetch *f = context;

	f->n++;
	f->octets += m->envelope.n + m->data.n;
	return 0;
}

static int fetch_chunk(struct store_conn *c, void *arg)
{
	struct fetch *f = arg;

	return store_messages(c, f->mailbox, f->uids, CHUNK, f->want, add_octets, f, NULL);
}

static void fetch(struct bench *b, const char *name, unsigned want)
{
	struct fetch f = { .mailbox = b->inbox[0], .want = want };
	double start = now();

	for (uint32_t first = 1; first <= FETCHED; first += CHUNK) {
		for (uint32_t i = 0; i < CHUNK; i++)
			f.uids[i] = first + i;
		must(store_read(b->store, fetch_chunk, &f), "fetch");
	}
	print(name, (double)f.n / (now() - start), "messages/s");
	if (f.n != FETCHED)
		must(-1, "messages are missing");
}

/* Copies of one body until the mailbox is large. */
static int fill(struct store_conn *c, void *arg)
{
	struct delivery *d = arg;
	struct message_add add = { .mailbox = d->mailbox, .draft = &d->draft };
	uint32_t uid = 0;
	int64_t id;

	while (uid < LARGE_MAILBOX) {
		if (uid < FETCHED)
			TRY(store_content_add(c, &d->draft, &add.content));
		TRY(store_message_add(c, &add, &uid, &id));
	}
	return 0;
}

static int load_view(struct store_conn *c, void *arg)
{
	struct delivery *d = arg;
	struct view *v;

	TRY(store_view(c, d->mailbox, &v));
	view_unref(v);
	return 0;
}

static void view(struct bench *b, struct delivery *d)
{
	double start = now();

	must(store_read(b->store, load_view, d), "view");
	print("view_100000_load", (now() - start) * 1e3, "ms");
	must(task_call(store_writer(b->store), &d->task), "delivery");
	start = now();
	must(store_read(b->store, load_view, d), "view");
	print("view_100000_update", (now() - start) * 1e3, "ms");
}

int main(int argc, char **argv)
{
	struct bench b = {};
	struct delivery d = { .task.run = delivery_run };
	CLEANUP(alloc_freep) char *path = NULL;
	struct why why;
	static const unsigned queued[] = { 1, 16, 32 };

	if (argc != 2) {
		(void)fprintf(stderr, "usage: bench_store FOLDER\n");
		return 2;
	}
	path = alloc_format("%s/bench.db", argv[1]);
	if (store_open(&b.store, path, 2, &why)) {
		(void)fprintf(stderr, "bench_store: %s\n", why.text);
		return 1;
	}
	make_text(&b);
	must(store_write(b.store, populate, &b), "populate");
	for (size_t i = 0; i < sizeof queued / sizeof queued[0]; i++)
		deliver(&b, queued[i]);
	make_draft(&b, &d.draft);
	/* The first account's mailbox has messages already: the large one is the second's. */
	d.mailbox = b.inbox[1];
	b.inbox[0] = b.inbox[1];
	must(store_write(b.store, fill, &d), "fill");
	fetch(&b, "fetch_envelope", WANT_ENVELOPE);
	fetch(&b, "fetch_envelope_again", WANT_ENVELOPE);
	fetch(&b, "fetch_body", WANT_DATA);
	view(&b, &d);
	content_draft_done(&d.draft);
	store_close(b.store);
	free(b.text);
	return 0;
}
