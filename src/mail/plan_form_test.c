/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The forms that rules give a message: what each copy holds, how much of it is made, and the bounds
 * of that. */

#include "mail/plan_fixture.h"
#include "mail/plan_parts.h"

#include "base/test.h"
#include "store/account.h"

#include <stdio.h>

enum { MANY = 1200 };

/* What others wrote stays as it was for those without rules; only this account gets other fields.
 */
static void forms(void **state)
{
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	plan_fixture_rule(f, "alice",
		"require [\"editheader\"]; addheader \"X-A\" \"b\";"
		" deleteheader \"Subject\";");
	mailing_send(&m, f, cache, "jim@example.com", "bob@example.org alice@example.org",
		plan_fixture_plain);
	assert_int_equal(m.result, 0);
	assert_int_equal(fixture_number(f, "select count(*) from content"), 2);
	mailing_expect(&m, "X-A: b\r\nFrom: Jim <jim@example.com>\r\nTo: alice@example.org\r\n"
			   "Message-ID: <1@example.com>\r\n\r\nbody text\r\n");
	mailing_done(&m);
	rule_cache_free(cache);
}

/* Larger than what lies in one row: read from its pieces, and written in pieces. */
static void large(void **state)
{
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	CLEANUP(buf_done) struct buf text = {};
	struct mailing m;

	buf_add_string(&text, "Subject: large\r\n\r\n");
	for (unsigned i = 0; i < 150000; i++)
		buf_add_format(&text, "text %u\r\n", i);
	buf_add_octet(&text, 0);
	plan_fixture_rule(f, "alice",
		"require [\"body\",\"editheader\",\"fileinto\"];"
		" if body :contains \"text 0\" { addheader \"X-A\" \"b\";"
		" fileinto \"Lists\"; }");
	mailing_send(&m, f, cache, "jim@example.com", "alice@example.org",
		(const char *)buf_span(&text).p);
	assert_int_equal(m.result, 0);
	mailing_list(&m);
	assert_true(span_is(buf_span(&m.out), "alice/Lists; "));
	mailing_expect(&m, "X-A: b\r\nSubject: large\r\n\r\ntext 0\r\n");
	assert_int_equal(fixture_number(f, "select size from content"), buf_size(&text) - 1 + 8);
	mailing_done(&m);
	rule_cache_free(cache);
}

/* What comes is packed in time where it will be stored, and nothing is made for nobody. */
static void building(void **state)
{
	static const struct {
		const char *rule, *to;
		bool needed, light;
	} cases[] = {
		{ "keep;", "alice@example.org", true, true },
		{ "discard;", "alice@example.org", false, true },
		{ "discard;", "alice@example.org bob@example.org", true, true },
		{ "require \"reject\"; reject \"no\";", "alice@example.org", false, true },
		{ "require \"editheader\"; addheader \"X-A\" \"b\";", "alice@example.org", true,
			true },
		{ "require [\"editheader\", \"copy\", \"fileinto\"];"
		  "addheader \"X-A\" \"1\"; fileinto :copy \"A\";"
		  "addheader \"X-A\" \"2\"; fileinto :copy \"B\";"
		  "addheader \"X-A\" \"3\"; fileinto \"C\";",
			"alice@example.org", true, false },
	};
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		plan_fixture_rule(f, "alice", cases[i].rule);
		mailing_send(&m, f, cache, "jim@example.com", cases[i].to, plan_fixture_plain);
		if (m.needed_build != cases[i].needed || m.was_light != cases[i].light)
			fail_msg("%s: %d %d", cases[i].rule, m.needed_build, m.was_light);
		mailing_done(&m);
	}
	rule_cache_free(cache);
}

/* Delivery comes to what the plan did not foresee: then the message is packed there. */
static void not_foreseen(void **state)
{
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	plan_fixture_rule(f, "alice", "require \"editheader\"; deleteheader \"Subject\";");
	mailing_send(&m, f, cache, "jim@example.com", "alice@example.org", plan_fixture_plain);
	assert_int_equal(m.result, 0);
	assert_int_equal(fixture_number(f, "select count(*) from content"), 1);
	m.delivery.plan = NULL;
	assert_int_equal(mailing_deliver(&m), 0);
	assert_int_equal(fixture_number(f, "select count(*) from content"), 2);
	mailing_expect(&m, "Subject: hello\r\nMessage-ID: <1@example.com>\r\n\r\nbody text\r\n");
	mailing_done(&m);
	rule_cache_free(cache);
}

/* Accounts u0, u1 and so on of the domain. */
static int add_many(struct store_conn *c, void *arg)
{
	const struct store_credentials none = {};
	struct fixture *f = arg;
	char local[16];
	int64_t id;

	for (unsigned i = 0; i < MANY; i++) {
		(void)snprintf(local, sizeof local, "u%u", i);
		TRY(store_account_add(c, f->domain, span_str(local), ROLE_USER, &none, &id));
	}
	return 0;
}

static const char *many(unsigned n, struct buf *out)
{
	for (unsigned i = 0; i < n; i++)
		buf_add_format(out, "u%u@example.org ", i);
	buf_add_octet(out, 0);
	return (const char *)buf_span(out).p;
}

/* However many recipients: each redirect carries its own mark, and each copy its own fields. */
static void many_forms(void **state)
{
	CLEANUP(buf_done) struct buf to = {};
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	assert_int_equal(store_write(f->store, add_many, f), 0);
	plan_fixture_rule(f, "domain",
		"require [\"envelope\",\"variables\",\"editheader\",\"copy\"];"
		" if envelope :matches \"to\" \"*@*\" { addheader \"X-To\" \"${1}\"; }"
		" redirect :copy \"x@example.net\";");
	mailing_send(&m, f, cache, "jim@example.com", many(MANY, &to), plan_fixture_plain);
	assert_int_equal(m.result, 0);
	/* Nobody sends what is in the queue, so each of them keeps it twice. */
	assert_int_equal(fixture_number(f, "select count(*) from queue"), MANY);
	assert_int_equal(fixture_number(f, "select count(distinct content) from queue"), MANY);
	for (unsigned i = 0; i < MANY; i += 97) {
		CLEANUP(buf_done) struct buf text = {}, expected = {}, sql = {};

		buf_add_format(&sql,
			"select content from queue where sender = cast('u%u@example.org' as "
			"blob)",
			i);
		buf_add_octet(&sql, 0);
		buf_add_format(&expected, "Delivered-To: u%u@example.org\r\nX-To: u%u\r\nFrom: Jim",
			i, i);
		plan_fixture_content(f, fixture_number(f, (const char *)buf_span(&sql).p), &text);
		assert_true(span_starts(buf_span(&text), buf_span(&expected)));
	}
	assert_int_equal(fixture_number(f, "select count(*) from message where content in"
					   " (select content from queue)"),
		0);
	mailing_done(&m);
	rule_cache_free(cache);
}

/* Too much of it is said before anything is delivered. */
static void too_many_forms(void **state)
{
	CLEANUP(buf_done) struct buf to = {}, script = {};
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	assert_int_equal(store_write(f->store, add_many, f), 0);
	buf_add_string(&script, "require [\"envelope\",\"variables\",\"editheader\",\"fileinto\"];"
				" if envelope :matches \"to\" \"*\" { set \"to\" \"${1}\"; }");
	for (unsigned i = 0; i < 32; i++)
		buf_add_format(&script, "addheader \"X\" \"${to}\"; fileinto \"%u\";", i);
	buf_add_octet(&script, 0);
	plan_fixture_rule(f, "domain", (const char *)buf_span(&script).p);
	mailing_begin(&m, f, cache, "jim@example.com", many(700, &to),
		span_str(plan_fixture_plain));
	assert_int_equal(mailing_plan(&m), PLAN_E_TOO_MUCH);
	assert_null(m.plan);
	mailing_done(&m);
	rule_cache_free(cache);
}

/* The same header is held once for all; of different ones only so many octets, and who comes too
 * late has the message without the rule, and that is said. */
static void headers_are_shared(void **state)
{
	CLEANUP(buf_done) struct buf to = {}, text = {};
	struct fixture *f = *state;
	const struct plan_note *notes;
	size_t n, more;

	assert_int_equal(store_write(f->store, add_many, f), 0);
	for (unsigned i = 0; i < 9000; i++)
		buf_add_string(&text,
			"X: ccccccccccccccccccccccccccccccccccccccccccccccccccccc\r\n");
	buf_add_string(&text, "\r\nbody\r\n");
	many(100, &to);
	for (unsigned own = 0; own < 2; own++) {
		struct rule_cache *cache = rule_cache_new();
		struct mailing m;

		plan_fixture_rule(f, "server",
			own ? "require [\"editheader\",\"envelope\",\"variables\"];"
			      " if envelope :matches \"to\" \"*\" {"
			      " addheader \"X-To\" \"${1}\"; }"
			    : "require \"editheader\"; addheader \"X\" \"b\";");
		mailing_octets(&m, f, cache, "jim@example.com", (const char *)buf_span(&to).p,
			buf_span(&text));
		assert_int_equal(m.result, 0);
		assert_int_equal(fixture_number(f, "select count(*) from message"),
			own ? 200 : 100);
		notes = plan_notes(m.plan, &n, &more);
		if (own) {
			assert_in_range(n, 20, 99);
			assert_non_null(strstr((const char *)notes[0].text.p, "too many headers"));
			assert_true(m.plan->held <= PLAN_HELD_MAX);
		} else {
			assert_int_equal(n, 0);
			assert_int_equal(fixture_number(f, "select count(*) from content"), 1);
		}
		mailing_done(&m);
		rule_cache_free(cache);
	}
}

/* Others can take all that there is for all, and an account's rule has what it needs. */
static void share_of_its_own(void **state)
{
	CLEANUP(buf_done) struct buf to = {}, script = {};
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	const struct plan_note *notes;
	struct mailing m;
	size_t n, more;

	assert_int_equal(store_write(f->store, add_many, f), 0);
	buf_add_string(&script, "require [\"envelope\",\"reject\"];"
				" if not envelope :localpart \"to\" \"alice\" { reject \"");
	for (size_t i = sizeof(struct plan_act); i < 32 << 10; i++)
		buf_add_octet(&script, 'x');
	buf_add_string(&script, "\"; }");
	buf_add_octet(&script, 0);
	plan_fixture_rule(f, "domain", (const char *)buf_span(&script).p);
	plan_fixture_rule(f, "alice", "require \"editheader\"; addheader \"X-A\" \"b\";");
	many(MANY, &to);
	buf_cut(&to, buf_size(&to) - 1);
	buf_add_string(&to, "alice@example.org");
	buf_add_octet(&to, 0);
	mailing_send(&m, f, cache, "jim@example.com", (const char *)buf_span(&to).p,
		plan_fixture_plain);
	assert_int_equal(m.result, 0);
	assert_int_equal(m.plan->held, PLAN_HELD_MAX);
	notes = plan_notes(m.plan, &n, &more);
	assert_int_equal(n + more, MANY - 1024);
	assert_non_null(notes);
	mailing_expect(&m, "X-A: b\r\nFrom: Jim");
	mailing_done(&m);
	rule_cache_free(cache);
}

/* Too large to be looked into or encrypted: other headers and marks it has all the same. */
static void very_large(void **state)
{
	CLEANUP(buf_done) struct buf text = {}, got = {}, sql = {};
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	buf_add_string(&text, "Subject: large\r\nX-B: c\r\n\r\n");
	while (buf_size(&text) < 49 << 20)
		buf_add_string(&text,
			"0123456789012345678901234567890123456789012345678901234567\r\n");
	plan_fixture_rule(f, "alice",
		"require [\"editheader\",\"copy\",\"vnd.signet.encrypt\"]; redirect :copy"
		" \"x@example.net\"; deleteheader \"X-B\"; addheader \"X-A\" \"b\"; keep "
		":encrypt;");
	mailing_octets(&m, f, cache, "jim@example.com", "alice@example.org bob@example.org",
		buf_span(&text));
	assert_int_equal(m.result, 0);
	assert_int_equal(fixture_number(f, "select count(*) from content"), 3);
	plan_fixture_content(f, fixture_number(f, "select content from queue"), &got);
	assert_true(span_starts(buf_span(&got),
		SPAN("Delivered-To: alice@example.org\r\nSubject: large\r\nX-B: c\r\n\r\n0123")));
	assert_int_equal(fixture_number(f, "select size from content where id ="
					   " (select content from queue)"),
		buf_size(&text) + 33);
	buf_clear(&got);
	buf_add_format(&sql, "select content from message where mailbox = %lld order by uid desc",
		(long long)f->inbox);
	buf_add_octet(&sql, 0);
	plan_fixture_content(f, fixture_number(f, (const char *)buf_span(&sql).p), &got);
	assert_true(span_starts(buf_span(&got),
		SPAN("Signet-Not-Encrypted: the owner of the mailbox has no certificate\r\n"
		     "X-A: b\r\nSubject: large\r\n\r\n0123")));
	mailing_done(&m);
	rule_cache_free(cache);
}

/* A header of which rules do not see the end is not changed. */
static void very_long_header(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	while (buf_size(&text) < SIEVE_HEADER_MAX + (3 << 20))
		buf_add_string(&text,
			"X-B: 89012345678901234567890123456789012345678901234567890123\r\n");
	buf_add_string(&text, "\r\nbody\r\n");
	plan_fixture_rule(f, "server", "require \"editheader\"; addheader \"X-A\" \"b\";");
	plan_fixture_rule(f, "alice",
		"require \"fileinto\"; if exists \"X-A\" { discard; } fileinto \"Lists\";");
	mailing_octets(&m, f, cache, "jim@example.com", "alice@example.org", buf_span(&text));
	assert_int_equal(m.result, 0);
	assert_int_equal(fixture_number(f, "select size from content"), buf_size(&text));
	mailing_list(&m);
	mailing_add_notes(&m);
	assert_true(span_is(buf_span(&m.out), "alice/Lists; server failed: the script takes too "
					      "much memory for this message; "));
	mailing_done(&m);
	rule_cache_free(cache);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, plan_fixture_setup, plan_fixture_teardown)
	const struct CMUnitTest tests[] = {
		ROW(forms),
		ROW(large),
		ROW(building),
		ROW(not_foreseen),
		ROW(many_forms),
		ROW(too_many_forms),
		ROW(headers_are_shared),
		ROW(share_of_its_own),
		ROW(very_large),
		ROW(very_long_header),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
