/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* A stored message as its owner is shown it: which parts count and what they are called, what their text
 * becomes, and that an encrypted one shows nothing while no key is there. */

#include "svc/mail_read.h"

#include "base/log.h"
#include "base/test.h"
#include "keyd/provider.h"
#include "mime/word.h"
#include "svc/mail_fixture.h"

#include <stdlib.h>

#define NESTED                                                                                     \
	"From: bob@example.org\r\nMIME-Version: 1.0\r\n"                                           \
	"Content-Type: multipart/mixed; boundary=o\r\n\r\n"                                        \
	"--o\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"                           \
	"--i\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"                                  \
	"Content-Transfer-Encoding: quoted-printable\r\n\r\ngr=FC=DFe\r\n"                         \
	"--i\r\nContent-Type: text/html\r\n\r\n<p>hello\r\n--i--\r\n"                              \
	"--o\r\nContent-Type: message/rfc822\r\n\r\n"                                              \
	"Subject: inner\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n"                      \
	"--m\r\n\r\nnot entered\r\n--m--\r\n"                                                      \
	"--o\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"   \
	"Content-Disposition: attachment; filename=a\r\n\r\nAAEC/w==\r\n--o--\r\n"

static int read_with(struct env_fixture *f, const char *local, int64_t id,
	const struct secure_keys *keys, struct mail_read *ret_read)
{
	struct mail_reader who = { .account = env_fixture_account(f, local),
		.domain = f->store->domain,
		.keys = keys ? keys->keys : NULL,
		.n_keys = keys ? keys->n : 0 };
	struct why why = {};

	return mail_read(&f->env, &who, id, ret_read, &why);
}

static void read_text(struct env_fixture *f, const char *octets, struct mail_read *ret_read)
{
	assert_int_equal(
		read_with(f, "alice", mail_fixture_deliver(f, octets), NULL, ret_read), 0);
}

/* The numbers of the parts that count, a space behind each. */
static void list_numbers(const struct mail_read *m, struct buf *out)
{
	for (uint32_t i = 0; i < m->parts->n; i++) {
		const struct part *part = &m->parts->parts[i];
		CLEANUP(buf_done) struct buf number = {};

		if (!mail_part_counts(m->parts, part))
			continue;
		mail_part_add_number(m->parts, part, &number);
		/* Found again by its number. */
		assert_ptr_equal(mail_part_find(m->parts, buf_span(&number)), part);
		buf_add(out, buf_span(&number));
		buf_add_octet(out, ' ');
	}
	buf_add_octet(out, 0);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *octets, *numbers;
	} cases[] = {
		{ "Subject: x\r\n\r\ntext\r\n", "1 " },
		{ "\r\n", "1 " },
		{ NESTED, "1.1 1.2 2 3 " },
		{ "Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ntext\r\n", "1 " },
		{ "Content-Type: multipart/mixed; boundary=b\r\n\r\nno parts\r\n", "1 " },
	};
	struct env_fixture *f = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CLEANUP(mail_read_done) struct mail_read m = {};
		CLEANUP(buf_done) struct buf numbers = {};

		read_text(f, cases[i].octets, &m);
		assert_int_equal(m.result.report.status, SMIME_STATUS_NONE);
		list_numbers(&m, &numbers);
		assert_string_equal((const char *)buf_span(&numbers).p, cases[i].numbers);
	}
}

/* What a client asks for may be anything. */
static void test_odd_numbers(void **state)
{
	static const char *const odd[] = { "", "0", "4", "1", "1.", ".1", "1..1", "1.0", "1.3", "1.1.1",
		"2.1", "2.1.1", "-1", "+1", " 1.1", "1.1 ", "1,1", "a", "4294967297.1",
		"18446744073709551617", "1.18446744073709551618",
		"1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1" };
	struct env_fixture *f = *state;
	CLEANUP(mail_read_done) struct mail_read m = {}, single = {};

	read_text(f, NESTED, &m);
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		if (mail_part_find(m.parts, span_str(odd[i])))
			fail_msg("\"%s\" is a part", odd[i]);
	}
	read_text(f, "Subject: x\r\n\r\ntext\r\n", &single);
	assert_non_null(mail_part_find(single.parts, SPAN("1")));
	assert_null(mail_part_find(single.parts, SPAN("1.1")));
	assert_null(mail_part_find(single.parts, SPAN("2")));
	assert_null(mail_part_find(single.parts, SPAN("")));
}

static void expect_part(const struct mail_read *m, const char *number, bool is_text, size_t max,
	struct span expected)
{
	CLEANUP(buf_done) struct buf out = {};

	mail_part_add(m, mail_part_find(m->parts, span_str(number)), is_text, max, &out);
	if (!span_equal(buf_span(&out), expected))
		fail_msg("%s: \"%.*s\" instead of \"%.*s\"", number, (int)buf_size(&out),
			(const char *)buf_span(&out).p, (int)expected.n, (const char *)expected.p);
}

static void test_content(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(mail_read_done) struct mail_read m = {};

	read_text(f, NESTED, &m);
	expect_part(&m, "1.1", true, SIZE_MAX, SPAN("gr\xC3\xBC\xC3\x9F" "e"));
	expect_part(&m, "1.1", false, SIZE_MAX, SPAN("gr\xFC\xDF" "e"));
	expect_part(&m, "1.2", true, SIZE_MAX, SPAN("<p>hello"));
	expect_part(&m, "3", false, SIZE_MAX, SPAN("\0\1\2\xFF"));
	/* max counts what is encoded: "gr" and half of an octet, "AAEC". */
	expect_part(&m, "1.2", true, 3, SPAN("<p>"));
	expect_part(&m, "3", false, 4, SPAN("\0\1\2"));
	expect_part(&m, "3", false, 0, SPAN(""));
}

/* Text is UTF-8 whatever it says that it is. */
static void test_odd_charsets(void **state)
{
	static const struct {
		const char *octets, *text;
	} cases[] = {
		{ "Content-Type: text/plain; charset=x-nobody-knows\r\n\r\nplain", "plain" },
		{ "Content-Type: text/plain; charset=\"\"\r\n\r\nplain", "plain" },
		{ "Content-Type: text/plain; charset=koi8-r\r\n\r\n\xD0", "\xD0\xBF" },
		{ "\r\n\xC3\xBC", "\xC3\xBC" },
	};
	struct env_fixture *f = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CLEANUP(mail_read_done) struct mail_read m = {};

		read_text(f, cases[i].octets, &m);
		expect_part(&m, "1", true, SIZE_MAX, span_str(cases[i].text));
	}
	{
		CLEANUP(mail_read_done) struct mail_read m = {};
		CLEANUP(buf_done) struct buf out = {};

		read_text(f, "Content-Type: text/plain; charset=utf-8\r\n\r\na\xFF\xC3(b", &m);
		mail_part_add(&m, mail_part_find(m.parts, SPAN("1")), true, SIZE_MAX, &out);
		assert_true(span_is_utf8(buf_span(&out)));
	}
}

static void test_encrypted(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(secure_keys_done) struct secure_keys keys = {}, others = {};
	CLEANUP(mail_read_done) struct mail_read locked = {}, wrong = {}, open = {};
	int64_t account = env_fixture_account(f, "alice"), id = mail_fixture_deliver(f, NESTED);
	CLEANUP(buf_done) struct buf numbers = {};
	struct message_replaced sealed;
	struct why why = {};

	mail_fixture_key(f, "alice", &keys);
	mail_fixture_key(f, "bob", &others);
	assert_int_equal(stored_encrypt(&f->env, account, id, &sealed, &why), 0);
	/* Nothing is shown: not even how many parts there are. */
	assert_int_equal(read_with(f, "alice", sealed.id, NULL, &locked), 0);
	assert_int_equal(locked.result.report.status, SMIME_STATUS_LOCKED);
	assert_null(locked.shown.p);
	assert_null(locked.parts);
	assert_int_equal(read_with(f, "alice", sealed.id, &others, &wrong), 0);
	assert_int_equal(wrong.result.report.status, SMIME_STATUS_LOCKED);
	assert_null(wrong.parts);
	assert_int_equal(read_with(f, "alice", sealed.id, &keys, &open), 0);
	assert_int_equal(open.result.report.status, SMIME_STATUS_ENCRYPTED);
	list_numbers(&open, &numbers);
	assert_string_equal((const char *)buf_span(&numbers).p, "1.1 1.2 2 3 ");
	expect_part(&open, "3", false, SIZE_MAX, SPAN("\0\1\2\xFF"));
}

static void test_not_found(void **state)
{
	struct env_fixture *f = *state;
	struct mail_read m = {};
	int64_t id = mail_fixture_deliver(f, NESTED);

	assert_int_equal(read_with(f, "bob", id, NULL, &m), STORED_E_NOT_FOUND);
	assert_int_equal(read_with(f, "alice", id + 1, NULL, &m), STORED_E_NOT_FOUND);
	assert_int_equal(read_with(f, "alice", -1, NULL, &m), STORED_E_NOT_FOUND);
}

int main(void)
{
	struct env_fixture *f = env_fixture_new();
	int failed;
	const struct CMUnitTest tests[] = {
		ENV_FIXTURE_TEST(test_numbers, f),
		ENV_FIXTURE_TEST(test_odd_numbers, f),
		ENV_FIXTURE_TEST(test_content, f),
		ENV_FIXTURE_TEST(test_odd_charsets, f),
		ENV_FIXTURE_TEST(test_encrypted, f),
		ENV_FIXTURE_TEST(test_not_found, f),
	};

	log_set_stderr(false);
	env_fixture_person(f, "bob", "builder");
	word_init();
	if (provider_load())
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	env_fixture_free(f);
	provider_unload();
	return failed;
}
