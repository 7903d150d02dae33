/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Another body in a message's place: what stays of the row, and that nothing stays of the body. */

#include "store/message.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/random.h"
#include "base/test.h"
#include "store/fixture.h"
#include "store/message_copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LARGE = 700 << 10, WAIT_MS = 5000 };

static const char clear[] = "Subject: plans\r\n\r\nthe combination is 38-7-21\r\n";
static const char sealed[] = "Subject: ...\r\n\r\nwhat only the owner reads\r\n";

struct one {
	struct message_replace replace;
	struct message_replaced replaced;
	int64_t mailbox;
	uint32_t uid;
	struct store_message seen;
	char text[200];
};

static int replace_run(struct store_conn *c, void *arg)
{
	struct one *o = arg;

	return store_message_replace(c, &o->replace, &o->replaced);
}

static int see(const struct store_message *m, void *context)
{
	struct one *o = context;

	o->seen = *m;
	(void)snprintf(o->text, sizeof o->text, "%.*s", (int)m->data.n, (const char *)m->data.p);
	return 0;
}

static int read_run(struct store_conn *c, void *arg)
{
	struct one *o = arg;

	return store_messages(c, o->mailbox, &o->uid, 1, WANT_DATA, see, o, NULL);
}

static struct one read_message(struct fixture *f, int64_t mailbox, uint32_t uid)
{
	struct one o = { .mailbox = mailbox, .uid = uid };

	assert_int_equal(store_read(f->store, read_run, &o), 0);
	return o;
}

static int replace(struct fixture *f, uint32_t uid, int64_t content, struct message_replaced *ret)
{
	CLEANUP(content_draft_done) struct content_draft draft = {};
	struct one o = {
		.replace = { .mailbox = f->inbox, .uid = uid, .content = content, .draft = &draft }
	};
	int r;

	fixture_draft(&draft, span_str(sealed));
	r = store_write(f->store, replace_run, &o);
	*ret = o.replaced;
	return r;
}

/* Whether the octets stand in the database or its log. */
static bool file_has(const char *path, struct span octets)
{
	FILE *file = fopen(path, "rb");
	size_t n = 0, room = 1 << 20;
	uint8_t *p = alloc_array(NULL, room, 1);
	bool found;

	assert_non_null(file);
	while (!feof(file)) {
		if (n == room)
			p = alloc_array(p, room *= 2, 1);
		n += fread(p + n, 1, room - n, file);
	}
	(void)fclose(file);
	found = memmem(p, n, octets.p, octets.n) != NULL;
	free(p);
	return found;
}

static bool files_have(struct fixture *f, struct span octets)
{
	CLEANUP(alloc_freep) char *log = alloc_format("%s-wal", f->path);

	return file_has(f->path, octets) || file_has(log, octets);
}

/* The log is emptied in the writer's next quiet moment. */
static bool files_have_soon(struct fixture *f, struct span octets)
{
	for (int ms = 0; ms < WAIT_MS; ms += 20) {
		if (!files_have(f, octets))
			return false;
		(void)usleep(20000);
	}
	return true;
}

static int setup(void **state)
{
	*state = fixture_new();
	return 0;
}

static int teardown(void **state)
{
	fixture_recount(*state);
	(void)fixture_free(*state);
	return 0;
}

static void test_row_stays_but_for_its_names(void **state)
{
	struct fixture *f = *state;
	uint32_t uid = fixture_deliver(f, f->inbox, span_str(clear), FLAG_SEEN | FLAG_FLAGGED);
	struct one before = read_message(f, f->inbox, uid), after;
	struct message_replaced new;

	(void)fixture_deliver(f, f->inbox, span_str("Subject: other\r\n\r\n"), 0);
	assert_int_equal(replace(f, uid, before.seen.content, &new), 0);
	assert_int_equal(new.uid, uid + 2);
	assert_int_equal(new.n_holders, 0);
	after = read_message(f, f->inbox, new.uid);
	assert_string_equal(after.text, sealed);
	assert_true(after.seen.id == new.id &&new.id != before.seen.id);
	assert_true(after.seen.flags == before.seen.flags);
	assert_true(after.seen.thread == before.seen.thread);
	assert_true(after.seen.received_us == before.seen.received_us);
	assert_true(after.seen.saved_us == before.seen.saved_us);
	assert_true(after.seen.modseq == new.modseq &&new.modseq > before.seen.modseq);
	assert_int_equal(after.seen.size, strlen(sealed));
	assert_int_equal(read_message(f, f->inbox, uid).seen.uid, 0);
}

static void test_nothing_stays_of_the_body(void **state)
{
	struct fixture *f = *state;
	struct span secret = span_str("the combination is");
	uint32_t uid = fixture_deliver(f, f->inbox, span_str(clear), 0);
	struct one before = read_message(f, f->inbox, uid);
	struct message_replaced new;

	assert_true(files_have(f, secret)); /* else the test sees nothing */
	assert_int_equal(replace(f, uid, before.seen.content, &new), 0);
	assert_false(files_have_soon(f, secret));
	assert_true(files_have(f, span_str("what only the owner reads")));
}

/* A body of many pages: the pages behind the first are overwritten too. */
static void test_nothing_stays_of_a_large_body(void **state)
{
	struct fixture *f = *state;
	CLEANUP(alloc_freep) char *text = alloc_array(NULL, LARGE, 1);
	struct message_replaced new;
	struct one before;
	struct span part;
	uint32_t uid;

	random_fill(text, LARGE);
	uid = fixture_deliver(f, f->inbox, (struct span){ (uint8_t *)text, LARGE }, 0);
	before = read_message(f, f->inbox, uid);
	part = (struct span){ (uint8_t *)text + LARGE / 2, 64 };
	assert_true(files_have(f, part));
	assert_int_equal(replace(f, uid, before.seen.content, &new), 0);
	for (size_t at = 0; at + 64 < LARGE; at += 40000)
		assert_false(files_have_soon(f, (struct span){ (uint8_t *)text + at, 64 }));
}

static int copy_run(struct store_conn *c, void *arg)
{
	CLEANUP(buf_done) struct buf pairs = {};
	struct one *o = arg;

	return store_copy(c, o->mailbox, &o->uid, 1, o->replace.mailbox, UINT64_MAX, &pairs);
}

static void test_holders_are_counted(void **state)
{
	struct fixture *f = *state;
	int64_t trash = fixture_mailbox(f, f->account, "Trash");
	uint32_t uid = fixture_deliver(f, f->inbox, span_str(clear), 0);
	struct one copy = { .mailbox = f->inbox, .uid = uid, .replace.mailbox = trash };
	struct one before = read_message(f, f->inbox, uid);
	struct message_replaced new;

	assert_int_equal(store_write(f->store, copy_run, &copy), 0);
	assert_int_equal(replace(f, uid, before.seen.content, &new), 0);
	assert_int_equal(new.n_holders, 1);
	assert_string_equal(read_message(f, trash, 1).text, clear);
}

static void test_only_what_was_meant(void **state)
{
	struct fixture *f = *state;
	uint32_t uid = fixture_deliver(f, f->inbox, span_str(clear), 0);
	struct one before = read_message(f, f->inbox, uid);
	struct message_replaced new;

	assert_int_equal(replace(f, uid + 1, before.seen.content, &new), STORE_E_NOT_FOUND);
	assert_int_equal(replace(f, uid, before.seen.content + 1, &new), STORE_E_STALE);
	assert_string_equal(read_message(f, f->inbox, uid).text, clear);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_row_stays_but_for_its_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_stays_of_the_body, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_stays_of_a_large_body, setup,
			teardown),
		cmocka_unit_test_setup_teardown(test_holders_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_what_was_meant, setup, teardown),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
