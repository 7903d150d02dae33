/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "mail/intake.h"

#include "base/digest.h"
#include "mime/part.h"
#include "store/fixture.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void add(struct fixture *f, struct intake *in, struct span octets)
{
	assert_int_equal(intake_feed(in, f->store, octets), 0);
}

static struct content_draft *end(struct fixture *f, struct intake *in)
{
	struct content_draft *draft;

	assert_int_equal(intake_finish(in, f->store, &draft), 0);
	return draft;
}

static const struct span small = SPAN("Message-ID: <one@example.org>\r\n"
				      "References: <a@example.org> <b@example.org>\r\n"
				      "Date: Tue, 03 Feb 2026 04:05:06 +0000\r\n"
				      "Received: by x; y\r\n"
				      "Subject: x\r\n\r\ntext\r\n");

/* Pieces make no difference. */
static void test_small(void **state)
{
	struct fixture *f = *state;
	uint8_t digest[SHA256_OCTETS];

	digest_sha256(small, digest);
	for (size_t step = 1; step <= small.n; step += 7) {
		CLEANUP(intake_freep) struct intake *in = intake_new(10000);
		struct content_draft *draft;

		for (size_t at = 0; at < small.n; at += step)
			add(f, in, span_head(span_skip(small, at), step));
		assert_int_equal(intake_end_parsing(in), 0);
		assert_int_equal(intake_facts(in)->n_received, 1);
		draft = end(f, in);
		assert_int_equal(draft->size, small.n);
		assert_int_equal(intake_size(in), small.n);
		assert_int_equal(draft->upload, 0);
		assert_memory_equal(draft->sha256, digest, sizeof digest);
		assert_true(draft->message_id_hash != 0);
		assert_int_equal(draft->n_references, 2);
		assert_true(draft->references[0] != draft->references[1]);
		assert_true(
			span_is(buf_span(&draft->references_text), "a@example.org\nb@example.org"));
		assert_int_equal(draft->sent_us, 1770091506000000);
		assert_true(buf_size(&draft->envelope) > 0);
		assert_true(buf_size(&draft->structure) > 0);
		assert_int_equal(intake_facts(in)->n_received, 1);
		assert_true(span_equal(intake_head(in), small));
	}
}

static void test_in_reply_to(void **state)
{
	CLEANUP(intake_freep) struct intake *reply = intake_new(10000);
	CLEANUP(intake_freep) struct intake *first = intake_new(10000);
	struct content_draft *draft;
	uint64_t id;

	add(*state, first, small);
	id = end(*state, first)->message_id_hash;
	add(*state, reply, SPAN("In-Reply-To: <one@example.org>\r\n\r\n"));
	draft = end(*state, reply);
	assert_int_equal(draft->n_references, 1);
	assert_true(draft->references[0] == id);
	assert_int_equal(draft->message_id_hash, 0);
	assert_int_equal(draft->sent_us, 0);
}

static void test_empty(void **state)
{
	CLEANUP(intake_freep) struct intake *in = intake_new(10);

	assert_int_equal(end(*state, in)->size, 0);
}

static void test_too_large(void **state)
{
	CLEANUP(intake_freep) struct intake *in = intake_new(10);
	struct content_draft *draft;
	struct fixture *f = *state;

	assert_int_equal(intake_add(in, SPAN("0123456789")), 0);
	assert_int_equal(intake_add(in, SPAN("")), 0);
	assert_int_equal(intake_add(in, SPAN("x")), INTAKE_E_TOO_LARGE);
	assert_int_equal(intake_add(in, SPAN("")), INTAKE_E_TOO_LARGE);
	assert_int_equal(intake_end(in, &draft), INTAKE_E_TOO_LARGE);
	assert_int_equal(intake_feed(in, f->store, SPAN("x")), INTAKE_E_TOO_LARGE);
	assert_int_equal(intake_finish(in, f->store, &draft), INTAKE_E_TOO_LARGE);
}

struct stored {
	struct content_draft *draft;
	struct span octets;
};

static int store_and_compare(struct store_conn *c, void *arg)
{
	const struct stored *s = arg;
	int64_t content;

	TRY(store_content_add(c, s->draft, &content));
	for (uint64_t at = 0; at < s->octets.n; at += CONTENT_INLINE) {
		CLEANUP(buf_done) struct buf got = {};

		TRY(store_content_read(c, content, at, CONTENT_INLINE, &got));
		assert_true(span_equal(buf_span(&got),
			span_head(span_skip(s->octets, (size_t)at), CONTENT_INLINE)));
	}
	return 0;
}

static void make(struct buf *out, size_t n)
{
	srand((unsigned)n);
	buf_add_string(out, "Subject: large\r\n\r\n");
	while (buf_size(out) < n)
		buf_add_octet(out, (uint8_t)('a' + rand() % 26));
}

/* Around the sizes at which something changes; what comes back is what went in. */
static void test_sizes(void **state)
{
	static const size_t sizes[] = { CONTENT_INLINE - 1, CONTENT_INLINE, CONTENT_INLINE + 1,
		5 * CONTENT_PIECE - 1, 5 * CONTENT_PIECE, 5 * CONTENT_PIECE + 1, 3000000 };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		CLEANUP(intake_freep) struct intake *in = intake_new(10000000);
		CLEANUP(buf_done) struct buf message = {};
		struct stored s;
		uint8_t digest[SHA256_OCTETS];

		make(&message, sizes[i]);
		for (size_t at = 0; at < sizes[i]; at += 70001)
			add(f, in, span_head(span_skip(buf_span(&message), at), 70001));
		s = (struct stored){ end(f, in), buf_span(&message) };
		digest_sha256(s.octets, digest);
		assert_memory_equal(s.draft->sha256, digest, sizeof digest);
		assert_int_equal(s.draft->upload != 0, sizes[i] > CONTENT_INLINE);
		assert_true(span_starts(s.octets, intake_head(in)));
		assert_true(intake_head(in).n >= 1000);
		assert_int_equal(store_write(f->store, store_and_compare, &s), 0);
	}
}

/* A large message given at once does not become one large transaction. */
static void test_steps(void **state)
{
	CLEANUP(intake_freep) struct intake *in = intake_new(10000000);
	CLEANUP(buf_done) struct buf message = {};
	struct store_figures before, after;
	struct fixture *f = *state;
	struct stored s;

	make(&message, 7 * CONTENT_INLINE);
	store_figures(f->store, &before);
	add(f, in, buf_span(&message));
	store_figures(f->store, &after);
	assert_true(after.tasks - before.tasks >= 6);
	s = (struct stored){ end(f, in), buf_span(&message) };
	assert_int_equal(store_write(f->store, store_and_compare, &s), 0);
}

static int run_flush(struct store_conn *c, void *arg)
{
	return intake_flush(arg, c);
}

static int flush_twice_and_fail(struct store_conn *c, void *arg)
{
	TRY(intake_flush(arg, c));
	return err_fault(5, "on purpose");
}

/* A task that is run again, or whose commit fails, leaves the intake as it was. */
static void test_flush_again(void **state)
{
	CLEANUP(intake_freep) struct intake *in = intake_new(10000000);
	CLEANUP(buf_done) struct buf message = {};
	struct fixture *f = *state;
	struct stored s;

	make(&message, 2000000);
	assert_int_equal(intake_add(in, span_head(buf_span(&message), 1500000)), INTAKE_E_FLUSH);
	assert_int_not_equal(store_write(f->store, flush_twice_and_fail, in), 0);
	assert_int_equal(store_write(f->store, run_flush, in), 0);
	add(f, in, span_skip(buf_span(&message), 1500000));
	s = (struct stored){ end(f, in), buf_span(&message) };
	assert_int_equal(store_write(f->store, store_and_compare, &s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_in_reply_to),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_flush_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
