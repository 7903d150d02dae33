/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/crl_check.h"

#include "base/clock.h"
#include "pki/revocation_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const int64_t hour_us = 3600LL * 1000000;
static int64_t now_us;
static struct cert_made authority, twin, no_crls, user;

static int set_up(void **state)
{
	struct cert_order o = { .subject = "CN=Test CA", .is_authority = true };

	(void)state;
	now_us = clock_now_us();
	authority = cert_make(&o);
	twin = cert_make(&o);
	o.is_authority = false; /* keyUsage is digitalSignature alone */
	no_crls = cert_make(&o);
	user = cert_make(&(struct cert_order){ .subject = "CN=User", .issuer = &authority });
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cert_made_done(&authority);
	cert_made_done(&twin);
	cert_made_done(&no_crls);
	cert_made_done(&user);
	return 0;
}

static struct crl_order good(void)
{
	return (struct crl_order){ .authority = &authority, .number = 7,
		.this_us = now_us - hour_us, .next_us = now_us + hour_us,
		.revoked = { user.cert } };
}

static struct crl *make(const struct crl_order *o)
{
	CLEANUP(buf_done) struct buf der = {};
	struct crl *crl = NULL;
	struct why why = {};

	crl_make(o, &der);
	if (crl_from_der(&crl, buf_span(&der), &why))
		fail_msg("%s", why.text);
	return crl;
}

static void expect(struct crl_order o, const struct cert *who, const char *reason)
{
	CLEANUP(crl_unrefp) struct crl *crl = make(&o);
	struct why why = {};
	int r = crl_check(crl, who, now_us, &why);

	assert_int_equal(r, reason ? CRL_CHECK_E_REFUSED : 0);
	if (reason && !strstr(why.text, reason))
		fail_msg("\"%s\" instead of \"%s\"", why.text, reason);
}

static void test_checks(void **state)
{
	struct crl_order o;

	(void)state;
	expect(good(), authority.cert, NULL);
	expect(good(), user.cert, "of another authority");
	/* The same name with another key. */
	expect(good(), twin.cert, "signature is not the authority's");
	o = good();
	o.authority = &no_crls;
	expect(o, no_crls.cert, "not for revocation lists");
	o = good();
	o.number = -1;
	expect(o, authority.cert, "has no number");
	o = good();
	o.number_critical = true;
	expect(o, authority.cert, "number is none");
	o = good();
	o.version_1 = true;
	expect(o, authority.cert, "not of version 2");
	o = good();
	o.next_us = 0;
	expect(o, authority.cert, "when the next one comes");
	o = good();
	o.next_us = o.this_us;
	expect(o, authority.cert, "ends before it begins");
	o = good();
	o.next_us = now_us - 1000000;
	expect(o, authority.cert, "has expired");
	o = good();
	o.this_us = now_us + hour_us / 2;
	expect(o, authority.cert, "of the future");
	o = good();
	o.critical = true;
	expect(o, authority.cert, "critical extension that is not known");
	o = good();
	o.entry_critical = true;
	expect(o, authority.cert, "an entry with a critical extension");
	o = good();
	o.digest = EVP_sha1();
	expect(o, authority.cert, "of a kind that is not believed");
	o = good();
	o.point = "critical,onlyuser:TRUE";
	o.delta = true;
	expect(o, authority.cert, NULL);
}

static void test_changed(void **state)
{
	CLEANUP(buf_done) struct buf der = {};
	struct crl_order o = good();
	size_t n_read = 0;

	(void)state;
	crl_make(&o, &der);
	for (size_t i = 0; i < buf_size(&der); i++) {
		CLEANUP(crl_unrefp) struct crl *crl = NULL;
		CLEANUP(buf_done) struct buf changed = {};
		struct why why;

		buf_add(&changed, buf_span(&der));
		changed.p[changed.start + i] ^= 0x10;
		if (crl_from_der(&crl, buf_span(&changed), &why))
			continue;
		n_read++;
		assert_int_equal(crl_check(crl, authority.cert, now_us, &why), CRL_CHECK_E_REFUSED);
	}
	assert_true(n_read > 50);
}

static void test_facts(void **state)
{
	static const struct {
		int64_t number;
		struct span octets;
	} numbers[] = {
		{ 0, { (const uint8_t *)"", 0 } },
		{ 7, { (const uint8_t *)"\7", 1 } },
		{ 255, { (const uint8_t *)"\xff", 1 } },
		{ 65536, { (const uint8_t *)"\1\0\0", 3 } },
	};
	CLEANUP(buf_done) struct buf plain = {}, part = {}, delta = {};

	(void)state;
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		CLEANUP(buf_done) struct buf number = {};
		CLEANUP(crl_unrefp) struct crl *crl = NULL;
		struct crl_order o = good();

		o.number = numbers[i].number;
		crl = make(&o);
		crl_add_number(crl, &number);
		assert_true(span_equal(buf_span(&number), numbers[i].octets));
		assert_int_equal(crl_n_revoked(crl), 1);
	}
	for (int i = 0; i < 3; i++) {
		CLEANUP(crl_unrefp) struct crl *crl = NULL;
		struct crl_order o = good();

		o.point = i ? "critical,onlyuser:TRUE" : NULL;
		o.delta = i == 2;
		crl = make(&o);
		crl_add_scope(crl, i == 0 ? &plain : i == 1 ? &part : &delta);
		assert_int_equal(crl_is_delta(crl), i == 2);
	}
	assert_int_equal(buf_size(&plain), 0);
	assert_true(buf_size(&part) > 0);
	assert_true(span_starts(buf_span(&delta), SPAN("delta ")));
}

static void expect_point(const char *points, const char *url)
{
	CLEANUP(buf_done) struct buf out = {};
	struct cert_made m = cert_make(&(struct cert_order){ .subject = "CN=x", .points = points });

	assert_int_equal(crl_point(m.cert, &out), url != NULL);
	assert_true(span_is(buf_span(&out), url ? url : ""));
	cert_made_done(&m);
}

static void test_points(void **state)
{
	(void)state;
	expect_point(NULL, NULL);
	expect_point("URI:http://crl.example/a.crl", "http://crl.example/a.crl");
	expect_point("URI:ldap://x/y,URI:http://crl.example/b.crl", "http://crl.example/b.crl");
	expect_point("URI:https://crl.example/a.crl", NULL);
	expect_point("URI:file:///etc/passwd", NULL);
	expect_point("URI:http://crl.example/a b", NULL);
	expect_point("URI:http://crl.example/\xC3\xA4", NULL);
	expect_point("email:a@example.org", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_points),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
