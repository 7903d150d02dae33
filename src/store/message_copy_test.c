/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Copies, most of them on their way to another account: flags, keywords, threads, counters, quota.
 */

#include "store/message_copy.h"

#include "base/log.h"
#include "base/test.h"
#include "mime/message_id.h"
#include "store/account.h"
#include "store/fixture.h"
#include "store/mailbox.h"
#include "store/message.h"

struct call {
	struct fixture *f;
	int (*run)(struct store_conn *c, struct call *k);
	int64_t bob, from, to;
	const char *id, *reference; /* message ids */
	const char *keyword;
	uint64_t flags, kept, modseq;
	uint32_t uid;
	bool move;
	struct buf pairs;
	struct store_message seen;
	struct buf text;
};

static int call_run(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return k->run(c, k);
}

static int act(struct call *k, int (*run)(struct store_conn *c, struct call *k))
{
	k->run = run;
	return store_write(k->f->store, call_run, k);
}

static int add_bob(struct store_conn *c, struct call *k)
{
	struct store_credentials none = {};

	return store_account_add(c, k->f->domain, SPAN("bob"), ROLE_USER, &none, &k->bob);
}

static int setup(void **state)
{
	struct call *k = test_calloc(1, sizeof *k);

	log_set_level(LOG_ERROR);
	k->f = fixture_new();
	assert_int_equal(act(k, add_bob), 0);
	k->from = k->f->inbox;
	k->to = fixture_mailbox(k->f, k->bob, "INBOX");
	k->kept = UINT64_MAX;
	*state = k;
	return 0;
}

static int teardown(void **state)
{
	struct call *k = *state;

	fixture_recount(k->f);
	fixture_free(k->f);
	buf_done(&k->pairs);
	buf_done(&k->text);
	test_free(k);
	return 0;
}

/* A message with the ids, as it is delivered. */
static int deliver(struct store_conn *c, struct call *k)
{
	struct content_draft d = {};
	struct message_add add = { .mailbox = k->from, .draft = &d, .flags = k->flags };
	int64_t id;
	int r;

	fixture_draft(&d, span_str(k->id));
	buf_clear(&d.envelope);
	buf_add_format(&d.envelope, "(NIL NIL NIL NIL NIL NIL NIL NIL NIL \"<%s>\")", k->id);
	d.message_id_hash = message_id_hash(span_str(k->id));
	buf_clear(&d.references_text);
	if (k->reference) {
		buf_add_string(&d.references_text, k->reference);
		d.references[d.n_references++] = message_id_hash(span_str(k->reference));
	}
	r = store_content_add(c, &d, &add.content);
	if (!r)
		r = store_message_add(c, &add, &k->uid, &id);
	content_draft_done(&d);
	return r;
}

static int across(struct store_conn *c, struct call *k)
{
	buf_clear(&k->pairs);
	return k->move ? store_move_across(c, k->from, &k->uid, 1, k->to, k->kept, &k->pairs,
				 &k->modseq)
		       : store_copy(c, k->from, &k->uid, 1, k->to, k->kept, &k->pairs);
}

static int keyword(struct store_conn *c, struct call *k)
{
	return store_keyword_bit(c, k->f->account, span_str(k->keyword), &k->flags);
}

static int see(const struct store_message *m, void *context)
{
	((struct call *)context)->seen = *m;
	return 0;
}

/* The newest message of a mailbox. */
static int newest(struct store_conn *c, int64_t mailbox, struct call *k)
{
	uint32_t uids[100];

	for (uint32_t i = 0; i < 100; i++)
		uids[i] = i + 1;
	k->seen = (struct store_message){};
	return store_messages(c, mailbox, uids, 100, 0, see, k, NULL);
}

static int newest_there(struct store_conn *c, struct call *k)
{
	return newest(c, k->to, k);
}

static int names_there(struct store_conn *c, struct call *k)
{
	CLEANUP(keywords_unrefp) struct keywords *names = NULL;

	TRY(store_keywords(c, k->bob, &names));
	buf_clear(&k->text);
	for (unsigned i = 0; i < names->n; i++)
		buf_add_format(&k->text, "%s ", names->names[i]);
	buf_add_octet(&k->text, 0);
	return 0;
}

static int use_up(struct store_conn *c, struct call *k)
{
	for (int i = 0; i < KEYWORDS_MAX; i++) {
		CLEANUP(buf_done) struct buf name = {};
		uint64_t bit;

		buf_add_format(&name, "k%d", i);
		TRY(store_keyword_bit(c, k->bob, buf_span(&name), &bit));
	}
	return 0;
}

static void flags_and_keywords(void **state)
{
	struct call *k = *state;

	k->keyword = "First";
	assert_int_equal(act(k, keyword), 0);
	k->keyword = "Second";
	assert_int_equal(act(k, keyword), 0);
	k->flags |= FLAG_SEEN | FLAG_DELETED;
	k->id = "1@x";
	assert_int_equal(act(k, deliver), 0);
	assert_int_equal(act(k, across), 0);
	assert_int_equal(act(k, newest_there), 0);
	/* Only the keyword that the message has comes along, with a bit of bob's. */
	assert_int_equal(k->seen.flags, FLAG_SEEN | FLAG_DELETED | 1 << FLAG_KEYWORD_SHIFT);
	assert_int_equal(act(k, names_there), 0);
	assert_string_equal((const char *)buf_span(&k->text).p, "Second ");
	k->kept = FLAG_SEEN;
	assert_int_equal(act(k, across), 0);
	assert_int_equal(act(k, newest_there), 0);
	assert_int_equal(k->seen.flags, FLAG_SEEN);
	assert_int_equal(buf_size(&k->pairs), 2 * sizeof(uint32_t));
}

/* No room for another keyword there is no reason to fail (RFC 4314 section 4). */
static void no_room_for_keywords(void **state)
{
	struct call *k = *state;

	assert_int_equal(act(k, use_up), 0);
	k->keyword = "Mine";
	assert_int_equal(act(k, keyword), 0);
	k->flags |= FLAG_FLAGGED;
	k->id = "1@x";
	assert_int_equal(act(k, deliver), 0);
	assert_int_equal(act(k, across), 0);
	assert_int_equal(act(k, newest_there), 0);
	assert_int_equal(k->seen.flags, FLAG_FLAGGED);
}

static void threads(void **state)
{
	struct call *k = *state;
	int64_t first;

	k->id = "1@x";
	assert_int_equal(act(k, deliver), 0);
	assert_int_equal(act(k, across), 0);
	assert_int_equal(act(k, newest_there), 0);
	first = k->seen.thread;
	k->id = "2@x";
	k->reference = "1@x";
	assert_int_equal(act(k, deliver), 0);
	assert_int_equal(act(k, across), 0);
	assert_int_equal(act(k, newest_there), 0);
	assert_true(k->seen.thread == first);
	k->id = "3@x";
	k->reference = NULL;
	assert_int_equal(act(k, deliver), 0);
	assert_int_equal(act(k, across), 0);
	assert_int_equal(act(k, newest_there), 0);
	assert_true(k->seen.thread != first);
	assert_int_equal(fixture_number(k->f, "select count(*) from content"), 3);
}

static int set_quota(struct store_conn *c, struct call *k)
{
	return store_account_set(c, k->bob, SPAN("quota"), SPAN("3"), NULL);
}

static void moves(void **state)
{
	struct call *k = *state;

	k->move = true;
	k->id = "1@x";
	assert_int_equal(act(k, deliver), 0);
	assert_int_equal(act(k, across), 0);
	assert_true(k->modseq > 0);
	assert_int_equal(fixture_number(k->f, "select count(*) from message"), 1);
	assert_int_equal(fixture_number(k->f,
				 "select used_messages from account where quota = -1 and role = 0"),
		1);
	/* What does not exist is passed over. */
	assert_int_equal(act(k, across), 0);
	assert_int_equal(buf_size(&k->pairs), 0);
	/* Within one mailbox it gets another UID. */
	k->id = "2@x";
	k->to = k->from;
	assert_int_equal(act(k, deliver), 0);
	assert_int_equal(act(k, across), 0);
	assert_int_equal(act(k, newest_there), 0);
	assert_true(k->seen.uid > k->uid);
}

static void refused(void **state)
{
	struct call *k = *state;

	k->id = "1@x";
	assert_int_equal(act(k, deliver), 0);
	assert_int_equal(act(k, set_quota), 0);
	assert_int_equal(act(k, across), 0); /* three octets */
	assert_int_equal(act(k, across), STORE_E_QUOTA);
	k->move = true;
	assert_int_equal(act(k, across), STORE_E_QUOTA);
	assert_int_equal(fixture_number(k->f, "select count(*) from message"), 2);
	k->to = 4711;
	assert_int_equal(act(k, across), STORE_E_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(flags_and_keywords, setup, teardown),
		cmocka_unit_test_setup_teardown(no_room_for_keywords, setup, teardown),
		cmocka_unit_test_setup_teardown(threads, setup, teardown),
		cmocka_unit_test_setup_teardown(moves, setup, teardown),
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
