/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Uploads of accounts: whose they are, how many, how long, and that nothing of them is left. */

#include "store/blob_rows.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/test.h"
#include "store/account.h"
#include "store/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOUR = 1000 };

struct call {
	struct store_blob blob;
	struct store_blob_limits limits;
	uint32_t number;
	struct span octets;
	int64_t now;
	struct arena arena;
	struct store_blob seen;
	struct buf out;
	size_t n;
	bool more;
};

static struct call call_of(const struct fixture *f)
{
	return (struct call){
		.blob = { .account = f->account, .type = SPAN("image/png"), .expires_us = HOUR },
		.limits = { 2000000, 3, 2 }
	};
}

static int begin(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_blob_begin(c, &k->blob, &k->limits, k->now, &k->blob.id);
}

static int add(struct store_conn *c, void *arg)
{
	struct call *k = arg;
	struct content_piece piece = {};
	int r;

	content_piece_make(&piece, k->octets);
	r = store_blob_add(c, &k->blob, &k->limits, k->number, &piece, k->now);
	buf_done(&piece.data);
	return r;
}

static int end(struct store_conn *c, void *arg)
{
	return store_blob_end(c, &((struct call *)arg)->blob);
}

static int get(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_blob_get(c, &k->arena, k->blob.account, k->blob.id, k->now, &k->seen);
}

static int read_all(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	buf_clear(&k->out);
	return store_upload_read(c, k->blob.id, k->blob.size, 0, k->blob.size, &k->out);
}

static int count(const struct store_blob *blob, void *context)
{
	struct call *k = context;

	k->n++;
	k->seen = *blob;
	return 0;
}

static int each(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	k->n = 0;
	return store_blob_each(c, k->blob.account, k->now, count, k);
}

static int take_away(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_blob_remove(c, k->blob.account, k->blob.id);
}

static int sweep(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_blob_sweep(c, k->now, &k->more);
}

static int due(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_blob_due(c, k->now, &k->more);
}

static void sweep_all(struct fixture *f, int64_t now)
{
	struct call k = { .now = now };

	do
		assert_int_equal(store_write(f->store, sweep, &k), 0);
	while (k.more);
	assert_int_equal(store_read(f->store, due, &k), 0);
	assert_false(k.more);
}

/* A complete one with so many octets. */
static void make(struct fixture *f, struct call *k, struct span octets)
{
	k->blob.size = octets.n;
	assert_int_equal(store_write(f->store, begin, k), 0);
	k->blob.size = 0;
	for (k->number = 0; octets.n; k->number++) {
		k->octets = span_head(octets, CONTENT_PIECE);
		k->blob.size += k->octets.n;
		assert_int_equal(store_write(f->store, add, k), 0);
		octets = span_skip(octets, k->octets.n);
	}
	assert_int_equal(store_write(f->store, end, k), 0);
}

static void *noise(size_t n)
{
	uint8_t *octets = malloc(n);

	for (size_t i = 0; i < n; i++)
		octets[i] = (uint8_t)rand();
	return octets;
}

static int setup(void **state)
{
	*state = fixture_new();
	return 0;
}

static int teardown(void **state)
{
	(void)fixture_free(*state);
	return 0;
}

static void test_whole(void **state)
{
	struct fixture *f = *state;
	CLEANUP(alloc_freep) char *octets = noise(700000);
	struct call k = call_of(f), other;

	make(f, &k, span_of(octets, 700000));
	assert_int_equal(store_read(f->store, get, &k), 0);
	assert_int_equal(k.seen.size, 700000);
	assert_true(span_is(k.seen.type, "image/png"));
	assert_int_equal(store_read(f->store, read_all, &k), 0);
	assert_true(span_equal(buf_span(&k.out), span_of(octets, 700000)));
	/* Nobody else's, and not for ever. */
	other = k;
	other.blob.account++;
	assert_int_equal(store_read(f->store, get, &other), STORE_E_NOT_FOUND);
	assert_int_equal(store_write(f->store, take_away, &other), STORE_E_NOT_FOUND);
	k.now = HOUR - 1;
	assert_int_equal(store_read(f->store, get, &k), 0);
	assert_int_equal(store_read(f->store, each, &k), 0);
	assert_int_equal(k.n, 1);
	k.now = HOUR;
	assert_int_equal(store_read(f->store, get, &k), STORE_E_NOT_FOUND);
	assert_int_equal(store_read(f->store, each, &k), 0);
	assert_int_equal(k.n, 0);
	sweep_all(f, HOUR);
	assert_int_equal(fixture_number(f, "select count(*) from content_piece"), 0);
	assert_int_equal(fixture_number(f, "select count(*) from upload"), 0);
	assert_int_equal(fixture_number(f, "select count(*) from account_blob"), 0);
	buf_done(&k.out);
	arena_done(&k.arena);
}

static void test_empty(void **state)
{
	struct fixture *f = *state;
	struct call k = call_of(f);

	make(f, &k, SPAN(""));
	assert_int_equal(store_read(f->store, get, &k), 0);
	assert_int_equal(k.seen.size, 0);
	assert_int_equal(store_read(f->store, read_all, &k), 0);
	assert_int_equal(store_write(f->store, take_away, &k), 0);
	assert_int_equal(store_write(f->store, take_away, &k), STORE_E_NOT_FOUND);
	assert_int_equal(store_read(f->store, get, &k), STORE_E_NOT_FOUND);
	sweep_all(f, 0);
	assert_int_equal(fixture_number(f, "select count(*) from account_blob"), 0);
	arena_done(&k.arena);
}

static int set_quota(struct store_conn *c, void *arg)
{
	return store_account_set(c, ((struct fixture *)arg)->account, SPAN("quota"),
		SPAN("1000000"), NULL);
}

static void test_limits(void **state)
{
	struct fixture *f = *state;
	CLEANUP(alloc_freep) char *octets = noise(CONTENT_PIECE);
	struct call a = call_of(f), b = call_of(f), c = call_of(f);

	/* At a time. */
	a.blob.size = 1500000;
	assert_int_equal(store_write(f->store, begin, &a), 0);
	assert_int_equal(store_write(f->store, begin, &b), 0);
	assert_int_equal(store_write(f->store, begin, &c), STORE_E_IN_USE);
	/* Octets: what was reserved counts, and what nobody announced. */
	b.octets = span_of(octets, CONTENT_PIECE);
	b.blob.size = CONTENT_PIECE;
	assert_int_equal(store_write(f->store, add, &b), 0);
	b.number++;
	b.blob.size = 500001;
	assert_int_equal(store_write(f->store, add, &b), STORE_E_LIMIT);
	b.blob.size = 500000;
	assert_int_equal(store_write(f->store, add, &b), 0);
	assert_int_equal(store_write(f->store, end, &b), 0);
	/* One that is removed while it comes takes nothing more. */
	assert_int_equal(store_write(f->store, take_away, &a), 0);
	a.octets = b.octets;
	assert_int_equal(store_write(f->store, add, &a), STORE_E_NOT_FOUND);
	assert_int_equal(store_write(f->store, end, &a), STORE_E_NOT_FOUND);
	/* Number. */
	make(f, &c, SPAN("x"));
	make(f, &c, SPAN("x"));
	c.blob.size = 1;
	assert_int_equal(store_write(f->store, begin, &c), STORE_E_LIMIT);
	/* The account's quota. */
	assert_int_equal(store_write(f->store, set_quota, f), 0);
	c.limits.n_max = 10;
	c.blob.size = 500000;
	assert_int_equal(store_write(f->store, begin, &c), STORE_E_QUOTA);
	c.blob.size = 499998;
	assert_int_equal(store_write(f->store, begin, &c), 0);
	/* An account that is gone. */
	c.blob.account = 4711;
	assert_int_equal(store_write(f->store, begin, &c), STORE_E_NOT_FOUND);
}

/* Whether the files of the store have the octets in them. */
static bool is_in_files(const struct fixture *f, struct span octets)
{
	static const char *const ends[] = { "", "-wal" };
	bool found = false;

	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		char path[200];
		CLEANUP(buf_done) struct buf file = {};
		ssize_t n;
		int fd;

		(void)snprintf(path, sizeof path, "%s%s", f->path, ends[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		while (fd >= 0 && (n = read(fd, buf_room(&file, 1 << 20), 1 << 20)) > 0)
			buf_added(&file, (size_t)n);
		if (fd >= 0)
			(void)close(fd);
		found |= span_find_span(buf_span(&file), octets) < buf_size(&file);
	}
	return found;
}

/* The pages are overwritten, and the log that had them is cut. */
static void test_erased(void **state)
{
	struct fixture *f = *state;
	CLEANUP(alloc_freep) uint8_t *octets = noise(3 * CONTENT_PIECE);
	struct call k = call_of(f);
	struct span middle = span_of(octets + CONTENT_PIECE + 5000, 200);

	make(f, &k, span_of(octets, 3 * CONTENT_PIECE));
	assert_true(is_in_files(f, middle));
	assert_int_equal(store_write(f->store, take_away, &k), 0);
	sweep_all(f, 0);
	for (int i = 0; i < 500 && is_in_files(f, middle); i++)
		(void)usleep(10000);
	assert_false(is_in_files(f, middle));
}

static int add_bob(struct store_conn *c, void *arg)
{
	struct call *k = arg;
	const struct store_credentials none = {};

	return store_account_add(c, k->n, SPAN("bob"), ROLE_USER, &none, &k->blob.account);
}

static int remove_bob(struct store_conn *c, void *arg)
{
	return store_account_remove(c, ((struct call *)arg)->blob.account);
}

/* Those of an account that goes; and a day's grace for what others stage is none for these. */
static void test_account_goes(void **state)
{
	struct fixture *f = *state;
	struct call k = call_of(f), mine = call_of(f);

	k.n = (size_t)f->domain;
	mine.blob.expires_us = INT64_MAX;
	assert_int_equal(store_write(f->store, add_bob, &k), 0);
	make(f, &k, SPAN("x"));
	make(f, &mine, SPAN("y"));
	assert_int_equal(store_write(f->store, remove_bob, &k), 0);
	assert_int_equal(store_read(f->store, get, &k), STORE_E_NOT_FOUND);
	sweep_all(f, 0);
	fixture_sweep(f);
	assert_int_equal(fixture_number(f, "select count(*) from account_blob"), 1);
	assert_int_equal(fixture_number(f, "select count(*) from upload"), 1);
	assert_int_equal(store_read(f->store, read_all, &mine), 0);
	assert_true(span_is(buf_span(&mine.out), "y"));
	buf_done(&mine.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_erased, setup, teardown),
		cmocka_unit_test_setup_teardown(test_account_goes, setup, teardown),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("blob_rows", tests, NULL, NULL);
}
