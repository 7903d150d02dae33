/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "mail/expiry_notice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const int64_t day_us = 24LL * 3600 * 1000000, hour_us = 3600LL * 1000000;
static const int64_t now_us = 1770091506000000; /* 2026-02-03T04:05:06Z */

static void test_thresholds(void **state)
{
	static const struct {
		int64_t left_us;
		int days; /* -1: nothing is told */
	} rows[] = {
		{ 31LL * 86400 * 1000000, -1 },
		{ 30LL * 86400 * 1000000 + 1, -1 },
		{ 30LL * 86400 * 1000000, 30 },
		{ 15LL * 86400 * 1000000, 30 },
		{ 14LL * 86400 * 1000000, 14 },
		{ 7LL * 86400 * 1000000 + 1, 14 },
		{ 7LL * 86400 * 1000000, 7 },
		{ 2LL * 86400 * 1000000, 7 },
		{ 1LL * 86400 * 1000000, 1 },
		{ 1, 1 },
		{ 0, 0 },
		{ -400LL * 86400 * 1000000, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		unsigned days = 99;
		int r = expiry_threshold(now_us + rows[i].left_us, now_us, &days);

		assert_int_equal(r, rows[i].days < 0 ? EXPIRY_E_NONE : 0);
		assert_int_equal(days, rows[i].days < 0 ? 99 : rows[i].days);
	}
}

static struct expiry_warning warning(enum expiry_kind kind, int64_t left_us)
{
	return (struct expiry_warning){
		.hostname = SPAN("mail.example.org"),
		.domain = SPAN("example.net"),
		.unique = SPAN("0123456789abcdef"),
		.kind = kind,
		.alias = SPAN("first"),
		.services = SPAN("smtp,imap"),
		.subject = SPAN("CN=example.net"),
		.issuer = SPAN("CN=Test CA"),
		.serial = SPAN("01ab"),
		.fingerprint = SPAN("AB:CD"),
		.not_after_us = now_us + left_us,
		.now_us = now_us,
	};
}

static void assert_has(const struct buf *b, const char *text)
{
	if (span_find_span(buf_span(b), span_str(text)) == buf_size(b))
		fail_msg("no \"%s\" in:\n%.*s", text, (int)buf_size(b), buf_span(b).p);
}

static void test_left(void **state)
{
	const struct {
		int64_t left_us;
		const char *subject;
	} rows[] = {
		{ 30 * day_us, "Subject: A certificate of example.net expires in 30 days\r\n" },
		{ 7 * day_us - 1, "Subject: A certificate of example.net expires in 6 days\r\n" },
		{ 2 * day_us - 1, "Subject: A certificate of example.net expires in 47 hours\r\n" },
		{ hour_us, "Subject: A certificate of example.net expires in 1 hour\r\n" },
		{ hour_us - 1, "Subject: A certificate of example.net expires within the hour\r\n" },
		{ 0, "Subject: A certificate of example.net has expired\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct expiry_warning w = warning(EXPIRY_ISSUED, rows[i].left_us);
		CLEANUP(buf_done) struct buf out = {};

		expiry_compose(&w, &out);
		assert_has(&out, rows[i].subject);
	}
}

static void test_what_to_do(void **state)
{
	static const struct {
		enum expiry_kind kind;
		const char *texts[4];
	} rows[] = {
		{ EXPIRY_SELF_SIGNED, { "signet cert self-sign example.net\r\n", "Name here:   first" } },
		{ EXPIRY_ISSUED, { "signet request create example.net -o request.pem\r\n",
					 "signet cert install example.net FILE\r\n",
					 "Serves:      smtp,imap\r\n" } },
		{ EXPIRY_RENEWAL, { "signet acme renew example.net\r\n" } },
		{ EXPIRY_CHAIN, { "An issuer of the certificate of example.net expires",
					"Chain of:    first", "signet chain set example.net FILE\r\n" } },
		{ EXPIRY_TRUSTED, { "signet trust list --domain example.net\r\n",
					  "nobody can log in" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct expiry_warning w = warning(rows[i].kind, 7 * day_us);
		CLEANUP(buf_done) struct buf out = {};

		expiry_compose(&w, &out);
		assert_has(&out, "To: <postmaster@example.net>\r\n");
		assert_has(&out, "Issued to:   CN=example.net\r\n");
		assert_has(&out, "Ends:        2026-02-10T04:05:06Z\r\n");
		for (size_t k = 0; k < 4 && rows[i].texts[k]; k++)
			assert_has(&out, rows[i].texts[k]);
	}
}

/* Names come from certificates, which others make. */
static void test_hostile_names(void **state)
{
	struct expiry_warning w = warning(EXPIRY_RENEWAL, 0);
	CLEANUP(buf_done) struct buf name = {}, out = {};
	struct span rest, line;

	(void)state;
	for (int i = 0; i < 5000; i++)
		buf_add_string(&name, "\xC3\xA4");
	w.subject = buf_span(&name);
	w.issuer = SPAN("CN=x\r\nBcc: y\r\n\r\n.\x7F");
	w.trouble = SPAN("no\nanswer");
	expiry_compose(&w, &out);
	assert_has(&out, "Issued by:   CN=x??Bcc: y????.?\r\n");
	assert_has(&out, "Last answer: no?answer\r\n");
	assert_has(&out, "\xC3\xA4...\r\n");
	assert_true(span_is_utf8(buf_span(&out)));
	/* RFC 5322 section 2.1.1; no bare line ends. */
	for (rest = buf_span(&out); rest.n;) {
		line = span_cut(&rest, '\n');
		assert_true(line.n <= 999);
		assert_true(line.n && line.p[line.n - 1] == '\r');
	}
}

static void test_not_in_use(void **state)
{
	struct expiry_warning w = warning(EXPIRY_SELF_SIGNED, -day_us);
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	w.services = (struct span){};
	expiry_compose(&w, &out);
	assert_has(&out, "Serves:      nothing yet");
	assert_has(&out, "Ended:       2026-02-02T04:05:06Z\r\n");
	assert_int_equal(span_find_span(buf_span(&out), SPAN("refuse")), buf_size(&out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thresholds),
		cmocka_unit_test(test_left),
		cmocka_unit_test(test_what_to_do),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_not_in_use),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
