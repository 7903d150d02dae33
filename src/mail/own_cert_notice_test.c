/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "mail/own_cert_notice.h"

#include "base/err.h"
#include "base/test.h"

static const int64_t now_us = 1770091506000000;
static const int64_t day_us = 86400LL * 1000000;

static struct own_cert_notice notice(void)
{
	return (struct own_cert_notice){ .hostname = SPAN("mail.example"),
		.local = SPAN("alice"), .domain = SPAN("example.org"), .unique = SPAN("0123456789abcdef"),
		.address = SPAN("ally@example.org"), .issuer = SPAN("CN=S/MIME CA of example.org"),
		.serial = SPAN("4102"), .not_after_us = now_us + 14 * day_us, .now_us = now_us };
}

static bool has(const struct own_cert_notice *n, const char *text)
{
	CLEANUP(buf_done) struct buf out = {};

	own_cert_notice_compose(n, &out);
	/* RFC 5322 section 2.3: lines end with CRLF, and only so. */
	for (size_t i = 0; i < buf_size(&out); i++) {
		const uint8_t *p = buf_span(&out).p + i;

		assert_true(*p != '\n' || (i && p[-1] == '\r'));
		assert_true(*p != '\r' || (i + 1 < buf_size(&out) && p[1] == '\n'));
	}
	return span_find_span(buf_span(&out), span_str(text)) < buf_size(&out);
}

static void test_facts(void **state)
{
	static const char *const texts[] = { "To: <alice@example.org>\r\n",
		"From: Signet <postmaster@mail.example>\r\n",
		"Subject: The certificate of your mail will expire\r\n",
		"Date: Tue, 03 Feb 2026 04:05:06 +0000\r\n",
		"Message-ID: <0123456789abcdef@mail.example>\r\n",
		"Auto-Submitted: auto-generated\r\n", "ends in 14 days", "ally@example.org\r\n",
		"CN=S/MIME CA of example.org\r\n", "4102\r\n", "2026-02-17T04:05:06Z\r\n",
		"Get a new one" };
	struct own_cert_notice n = notice();

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		if (!has(&n, texts[i]))
			fail_msg("%s", texts[i]);
	}
	assert_false(has(&n, "Trouble:"));
	n.trouble = SPAN("the account\r\nBcc: x");
	assert_true(has(&n, "Trouble:     the account??Bcc: x\r\n"));
}

static void test_kinds(void **state)
{
	struct own_cert_notice n = notice();

	(void)state;
	n.renewed = true;
	assert_true(has(&n, "Subject: The certificate of your mail was renewed\r\n"));
	assert_true(has(&n, "Your key is the same"));
	assert_false(has(&n, "Get a new one"));
	n.renewed = false;
	n.not_after_us = now_us - day_us;
	assert_true(has(&n, "Subject: The certificate of your mail has expired\r\n"));
	assert_true(has(&n, "is over"));
	n = notice();
	n.revoked_us = now_us - day_us;
	n.reason = SPAN("superseded");
	assert_true(has(&n, "Subject: The certificate of your mail was revoked\r\n"));
	assert_true(has(&n, "Revoked:     2026-02-02T04:05:06Z\r\n"));
	assert_true(has(&n, "Reason:      superseded\r\n"));
	assert_true(has(&n, "Get a new one"));
	assert_false(has(&n, "will expire"));
	n.key_compromised = true;
	assert_true(has(&n, "Make a new\r\nkey"));
	n.has_other = true;
	assert_true(has(&n, "Another certificate of yours is used"));
	assert_false(has(&n, "Make a new"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_kinds),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
