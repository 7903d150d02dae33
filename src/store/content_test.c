/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/content.h"

#include "base/alloc.h"
#include "base/log.h"
#include "store/fixture.h"
#include "store/message.h"
#include "store/message_copy.h"
#include "store/queue_rows.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

enum { HOUR_US = 3600 * 1000 * 1000LL };

/* Octets that can be told apart everywhere; compressible or not. */
static uint8_t *make_octets(size_t n, bool random)
{
	uint8_t *p = alloc_zero(n + 1);
	unsigned seed = 5;

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(random ? (unsigned)rand_r(&seed) >> 7 : i / 97);
	return p;
}

static void test_draft(void **state)
{
	static const size_t sizes[] = { 0, 1, 1024, 1025, 4096, CONTENT_INLINE };
	struct content_draft d = {};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		CLEANUP(alloc_freep) uint8_t *text = make_octets(sizes[i], false);
		CLEANUP(alloc_freep) uint8_t *noise = make_octets(sizes[i], true);
		uint8_t sha256[SHA256_OCTETS];

		content_draft_set_inline(&d, span_of(text, sizes[i]));
		assert_int_equal(d.size, sizes[i]);
		digest_sha256(span_of(text, sizes[i]), sha256);
		assert_memory_equal(d.sha256, sha256, sizeof sha256);
		if (sizes[i] > 1024)
			assert_true(buf_size(&d.data) <= sizes[i] - sizes[i] / 8);
		else
			assert_true(span_equal(buf_span(&d.data), span_of(text, sizes[i])));
		content_draft_set_inline(&d, span_of(noise, sizes[i]));
		assert_true(span_equal(buf_span(&d.data), span_of(noise, sizes[i])));
	}
	content_draft_done(&d);
}

struct call {
	int (*f)(struct store_conn *c, struct call *call);
	struct fixture *fixture;
	struct content_draft draft;
	struct content_piece piece;
	int64_t upload, content, id;
	uint32_t number;
	uint64_t offset, n;
	int64_t now_us;
	bool more;
	struct buf out;
};

static int call_run(struct store_conn *c, void *arg)
{
	struct call *call = arg;

	return call->f(c, call);
}

static int write_call(struct call *k, int (*f)(struct store_conn *, struct call *))
{
	k->f = f;
	return store_write(k->fixture->store, call_run, k);
}

static int upload_begin(struct store_conn *c, struct call *k)
{
	return store_upload_begin(c, &k->upload);
}

static int upload_add(struct store_conn *c, struct call *k)
{
	return store_upload_add(c, k->upload, k->number, &k->piece);
}

static int content_add(struct store_conn *c, struct call *k)
{
	struct message_add add = { .mailbox = k->fixture->inbox, .draft = &k->draft };
	uint32_t uid;

	TRY(store_content_add(c, &k->draft, &k->content));
	add.content = k->content;
	return store_message_add(c, &add, &uid, &k->id);
}

static int content_read(struct store_conn *c, struct call *k)
{
	buf_clear(&k->out);
	return store_content_read(c, k->content, k->offset, k->n, &k->out);
}

static int sweep(struct store_conn *c, struct call *k)
{
	return store_content_sweep(c, k->now_us, 24 * HOUR_US, &k->more);
}

static int expunge_all(struct store_conn *c, struct call *k)
{
	uint32_t uids[100];
	uint64_t modseq;

	for (uint32_t i = 0; i < 100; i++)
		uids[i] = i + 1;
	return store_expunge(c, k->fixture->inbox, uids, 100, false, &k->out, &modseq);
}

static void sweep_at(struct call *k, int64_t now_us)
{
	k->now_us = now_us;
	do {
		assert_int_equal(write_call(k, sweep), 0);
	} while (k->more);
}

static void expect_range(struct call *k, const uint8_t *octets, uint64_t size, uint64_t offset,
	uint64_t n)
{
	uint64_t there = offset < size ? size - offset : 0;

	k->f = content_read;
	k->offset = offset;
	k->n = n;
	assert_int_equal(store_read(k->fixture->store, call_run, k), 0);
	assert_true(span_equal(buf_span(&k->out),
		span_of(octets + (offset < size ? offset : 0), there < n ? there : n)));
}

static void upload(struct call *k, const uint8_t *octets, size_t size)
{
	assert_int_equal(write_call(k, upload_begin), 0);
	k->number = 0;
	for (size_t at = 0; at < size; at += CONTENT_PIECE) {
		size_t n = size - at < CONTENT_PIECE ? size - at : CONTENT_PIECE;

		content_piece_make(&k->piece, span_of(octets + at, n));
		assert_int_equal(write_call(k, upload_add), 0);
		k->number++;
	}
	k->draft.upload = k->upload;
	k->draft.size = size;
}

static void call_done(struct call *k)
{
	content_draft_done(&k->draft);
	buf_done(&k->piece.data);
	buf_done(&k->out);
}

static void test_inline_ranges(void **state)
{
	struct fixture *f = *state;

	for (int random = 0; random < 2; random++) {
		struct call k = { .fixture = f };
		CLEANUP(alloc_freep) uint8_t *octets = make_octets(10000, random);

		fixture_draft(&k.draft, span_of(octets, 10000));
		assert_int_equal(write_call(&k, content_add), 0);
		expect_range(&k, octets, 10000, 0, CONTENT_INLINE);
		expect_range(&k, octets, 10000, 0, 0);
		expect_range(&k, octets, 10000, 17, 100);
		expect_range(&k, octets, 10000, 9999, 100);
		expect_range(&k, octets, 10000, 10000, 1);
		expect_range(&k, octets, 10000, UINT64_MAX, 1);
		k.content = 4711;
		k.f = content_read;
		assert_int_equal(store_read(f->store, call_run, &k), STORE_E_NOT_FOUND);
		call_done(&k);
	}
}

static int count_large(const struct store_message *m, void *context)
{
	assert_true(m->large);
	assert_int_equal(m->data.n, 0);
	++*(uint32_t *)context;
	return 0;
}

static int read_message(struct store_conn *c, struct call *k)
{
	uint32_t uid = 1;

	return store_messages(c, k->fixture->inbox, &uid, 1, WANT_DATA, count_large, &k->number,
		NULL);
}

static void test_upload(void **state)
{
	struct fixture *f = *state;
	size_t size = 5 * 1000 * 1000;

	for (int random = 0; random < 2; random++) {
		struct call k = { .fixture = f };
		CLEANUP(alloc_freep) uint8_t *octets = make_octets(size, random);
		unsigned seed = 3;

		upload(&k, octets, size);
		assert_int_equal(write_call(&k, content_add), 0);
		for (uint64_t at = 0; at < size; at += CONTENT_INLINE)
			expect_range(&k, octets, size, at, CONTENT_INLINE);
		for (int i = 0; i < 50; i++)
			expect_range(&k, octets, size, (unsigned)rand_r(&seed) % (size + 1000),
				(unsigned)rand_r(&seed) % 600000);
		expect_range(&k, octets, size, CONTENT_PIECE, CONTENT_PIECE);
		expect_range(&k, octets, size, CONTENT_PIECE - 1, 2);
		k.number = 0;
		k.f = read_message;
		assert_int_equal(store_read(f->store, call_run, &k), 0);
		assert_int_equal(k.number, 1);
		/* It was linked: it cannot be again. */
		assert_true(write_call(&k, content_add) < 0);
		call_done(&k);
	}
	assert_int_equal(fixture_number(f, "select count(*) from upload"), 0);
}

static void test_incomplete_upload_is_not_linked(void **state)
{
	struct fixture *f = *state;
	struct call k = { .fixture = f };
	CLEANUP(alloc_freep) uint8_t *octets = make_octets(2000000, false);

	upload(&k, octets, 2000000);
	k.draft.size += CONTENT_PIECE;
	assert_true(write_call(&k, content_add) < 0);
	k.draft.size -= CONTENT_PIECE;
	k.draft.upload = 4711;
	assert_true(write_call(&k, content_add) < 0);
	k.draft.upload = k.upload;
	assert_int_equal(write_call(&k, content_add), 0);
	k.number = 1; /* once more the same piece */
	assert_true(write_call(&k, upload_add) < 0);
	call_done(&k);
}

static int queue_add(struct store_conn *c, struct call *k)
{
	struct queue_row row = { .content = k->content, .recipient = SPAN("x@far.example") };

	return store_queue_add(c, &row, &k->id);
}

static int queue_remove(struct store_conn *c, struct call *k)
{
	return store_queue_remove(c, k->id);
}

/* What nothing refers to goes after the grace and not before; what one row refers to stays. */
static void test_sweep(void **state)
{
	struct fixture *f = *state;
	struct call k = { .fixture = f };
	struct call unfinished = { .fixture = f };
	CLEANUP(alloc_freep) uint8_t *octets = make_octets(2000000, false);
	int64_t now_us = fixture_number(f, "select created from account");

	upload(&k, octets, 2000000);
	assert_int_equal(write_call(&k, content_add), 0);
	assert_int_equal(write_call(&k, queue_add), 0);
	upload(&unfinished, octets, 2000000);
	(void)fixture_deliver(f, f->inbox, SPAN("removed"), 0);
	assert_int_equal(write_call(&k, expunge_all), 0);
	(void)fixture_deliver(f, f->inbox, SPAN("stays"), 0);

	sweep_at(&k, now_us + 12 * HOUR_US);
	assert_int_equal(fixture_number(f, "select count(*) from content"), 3);
	assert_int_equal(fixture_number(f, "select count(*) from content_piece"), 16);
	sweep_at(&k, now_us + 25 * HOUR_US);
	assert_int_equal(fixture_number(f, "select count(*) from content"), 2);
	assert_int_equal(fixture_number(f, "select count(*) from content_piece"), 8);
	assert_int_equal(fixture_number(f, "select count(*) from upload"), 0);
	expect_range(&k, octets, 2000000, 1000000, 500000);
	assert_int_equal(write_call(&k, queue_remove), 0);
	assert_int_equal(write_call(&k, queue_remove), STORE_E_NOT_FOUND);
	sweep_at(&k, now_us + 50 * HOUR_US);
	assert_int_equal(fixture_number(f, "select count(*) from content"), 1);
	assert_int_equal(fixture_number(f, "select count(*) from content_piece"), 0);
	assert_int_equal(fixture_number(f, "select count(*) from garbage"), 0);

	/* The newest waits until it is not: ids are not given twice. */
	assert_int_equal(write_call(&k, expunge_all), 0);
	sweep_at(&k, now_us + 75 * HOUR_US);
	assert_int_equal(fixture_number(f, "select count(*) from content"), 1);
	(void)fixture_deliver(f, f->inbox, SPAN("newer"), 0);
	sweep_at(&k, now_us + 75 * HOUR_US);
	assert_int_equal(fixture_number(f, "select count(*) from content"), 1);
	assert_int_equal(fixture_number(f, "select count(*) from garbage"), 0);
	call_done(&k);
	call_done(&unfinished);
}

static int copy_and_expunge(struct store_conn *c, struct call *k)
{
	CLEANUP(buf_done) struct buf pairs = {};
	uint32_t uid = 1;
	uint64_t modseq;
	uint32_t copy;

	TRY(store_copy(c, k->fixture->inbox, &uid, 1, k->fixture->inbox, UINT64_MAX, &pairs));
	memcpy(&copy, buf_span(&pairs).p + sizeof copy, sizeof copy);
	buf_clear(&k->out);
	return store_expunge(c, k->fixture->inbox, &copy, 1, false, &k->out, &modseq);
}

/* The newest content, however often it was let go of, does not keep the sweeper busy for ever. */
static void test_newest_released_often(void **state)
{
	struct fixture *f = *state;
	struct call k = { .fixture = f };

	(void)fixture_deliver(f, f->inbox, SPAN("newest"), 0);
	for (int i = 0; i < 150; i++)
		assert_int_equal(write_call(&k, copy_and_expunge), 0);
	k.now_us = fixture_number(f, "select created from account") + 25 * HOUR_US;
	assert_true(fixture_number(f, "select count(*) from garbage") > 100);
	assert_int_equal(write_call(&k, sweep), 0);
	assert_false(k.more);
	(void)fixture_deliver(f, f->inbox, SPAN("newer"), 0);
	sweep_at(&k, k.now_us);
	assert_int_equal(fixture_number(f, "select count(*) from garbage"), 0);
	assert_int_equal(fixture_number(f, "select count(*) from content"), 2);
	call_done(&k);
}

/* A sender slower than the grace: what it sends in the end must not stay without an owner. */
static void test_swept_upload(void **state)
{
	struct fixture *f = *state;
	struct call k = { .fixture = f };
	CLEANUP(alloc_freep) uint8_t *octets = make_octets(1000000, false);
	int64_t now_us = fixture_number(f, "select created from account");

	upload(&k, octets, 1000000);
	sweep_at(&k, now_us + 25 * HOUR_US);
	k.number++;
	content_piece_make(&k.piece, span_of(octets, CONTENT_PIECE));
	assert_true(write_call(&k, upload_add) < 0);
	assert_int_equal(fixture_number(f, "select count(*) from content_piece"), 0);
	call_done(&k);
}

static int queue_state(struct store_conn *c, struct call *k)
{
	return store_queue_set_state(c, k->id, QUEUE_HELD);
}

static int see_row(const struct queue_row *row, void *context)
{
	struct call *k = context;

	assert_true(row->id == k->id);
	assert_true(row->content == k->content);
	assert_true(span_is(row->recipient, "x@far.example"));
	assert_int_equal(row->sender.n, 0);
	assert_int_equal(row->state, QUEUE_HELD);
	return 1;
}

static int queue_each(struct store_conn *c, struct call *k)
{
	return store_queue_each(c, see_row, k);
}

static void test_queue(void **state)
{
	struct call k = { .fixture = *state };

	fixture_draft(&k.draft, SPAN("to far away"));
	assert_int_equal(write_call(&k, content_add), 0);
	k.f = queue_each;
	assert_int_equal(store_read(k.fixture->store, call_run, &k), 0); /* empty */
	assert_int_equal(write_call(&k, queue_add), 0);
	assert_int_equal(write_call(&k, queue_state), 0);
	k.f = queue_each;
	assert_int_equal(store_read(k.fixture->store, call_run, &k), 1);
	k.id++;
	assert_int_equal(write_call(&k, queue_state), STORE_E_NOT_FOUND);
	call_done(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_draft),
		FIXTURE_TEST(test_inline_ranges),
		FIXTURE_TEST(test_upload),
		FIXTURE_TEST(test_incomplete_upload_is_not_linked),
		FIXTURE_TEST(test_sweep),
		FIXTURE_TEST(test_newest_released_often),
		FIXTURE_TEST(test_swept_upload),
		FIXTURE_TEST(test_queue),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
