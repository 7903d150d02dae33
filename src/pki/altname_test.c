/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/altname.h"

#include "base/test.h"
#include "pki/cert_fixture.h"
#include "pki/constraint.h"

/* An SmtpUTF8Mailbox, \xc3\xa4@example.org (RFC 9598). */
#define UTF8_MAILBOX "DER:301ea01c06082b06010505070809a0100c0ec3a4406578616d706c652e6f7267"

/* Which certificate is for which name. */
static void test_covers(void **state)
{
	static const struct {
		const char *subject, *names;
		struct path_name name;
		bool covers;
	} rows[] = {
		{ "CN=a", "DNS:mail.example.org", { PATH_DNS, SPAN("Mail.Example.ORG") }, true },
		{ "CN=a", "DNS:mail.example.org", { PATH_DNS, SPAN("mail.example.org.") }, true },
		{ "CN=a", "DNS:*.example.org", { PATH_DNS, SPAN("mail.example.org") }, true },
		{ "CN=a", "DNS:localhost", { PATH_DNS, SPAN("localhost") }, true },
		{ "CN=a", "DNS:xn--mnchen-3ya.example",
			{ PATH_DNS, SPAN("m\xc3\xbcnchen.example") }, true },
		{ "CN=a", "DNS:xn--mnchen-3ya.example",
			{ PATH_DNS, SPAN("M\xc3\x9cNCHEN.example") }, true },
		{ "CN=a", "DNS:*.example.org", { PATH_DNS, SPAN("a.b.example.org") }, false },
		{ "CN=a", "DNS:*.example.org", { PATH_DNS, SPAN("example.org") }, false },
		{ "CN=a", "DNS:*.example.org", { PATH_DNS, SPAN("*.example.org") }, false },
		{ "CN=a", "DNS:*.org", { PATH_DNS, SPAN("example.org") }, false },
		{ "CN=a", "DNS:*", { PATH_DNS, SPAN("localhost") }, false },
		{ "CN=a", "DNS:m*.example.org", { PATH_DNS, SPAN("mail.example.org") }, false },
		{ "CN=mail.example.org", NULL, { PATH_DNS, SPAN("mail.example.org") }, false },
		{ "CN=a", "DNS:mail.example.org",
			{ PATH_DNS, SPAN("mail.example.org\0.evil.example") }, false },
		{ "CN=a", "DNS:mail.example.org", { PATH_DNS, SPAN("") }, false },
		{ "CN=a", "DNS:192.0.2.1", { PATH_DNS, SPAN("192.0.2.1") }, false },
		{ "CN=a", "DNS:192.0.2.1", { PATH_IP, SPAN("192.0.2.1") }, false },
		{ "CN=a", "IP:192.0.2.1", { PATH_IP, SPAN("192.0.2.1") }, true },
		{ "CN=a", "IP:192.0.2.1", { PATH_IP, SPAN("192.0.2.01") }, false },
		{ "CN=a", "IP:192.0.2.1", { PATH_IP, SPAN("::ffff:192.0.2.1") }, false },
		{ "CN=a", "IP:192.0.2.1", { PATH_IP, SPAN("192.0.2.1\0") }, false },
		{ "CN=a", "IP:2001:db8::1", { PATH_IP, SPAN("2001:DB8:0:0::1") }, true },
		{ "CN=a", "IP:2001:db8::1", { PATH_IP, SPAN("2001:db8::2") }, false },
		{ "CN=a", "IP:2001:db8::1", { PATH_IP, SPAN("2001:db8::1%lo") }, false },
		{ "CN=a", "email:alice@example.org", { PATH_EMAIL, SPAN("alice@EXAMPLE.org") },
			true },
		{ "CN=a", "email:alice@example.org", { PATH_EMAIL, SPAN("Alice@example.org") },
			false },
		{ "CN=a", "email:alice@example.org", { PATH_EMAIL, SPAN("alice") }, false },
		{ "CN=a", "email:alice@example.org", { PATH_EMAIL, SPAN("@example.org") }, false },
		{ "CN=a", "email:alice@xn--mnchen-3ya.example",
			{ PATH_EMAIL, SPAN("alice@m\xc3\xbcnchen.example") }, true },
		{ "CN=a", UTF8_MAILBOX, { PATH_EMAIL, SPAN("\xc3\xa4@Example.org") }, true },
		{ "CN=a", UTF8_MAILBOX, { PATH_EMAIL, SPAN("a@example.org") }, false },
		{ "CN=a,emailAddress=alice@example.org", NULL,
			{ PATH_EMAIL, SPAN("alice@example.org") }, true },
		{ "CN=a,emailAddress=alice@example.org", "email:bob@example.org",
			{ PATH_EMAIL, SPAN("alice@example.org") }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct cert_order order = { .subject = rows[i].subject,
			.names = rows[i].names };
		struct cert_made made = cert_make(&order);

		if (altname_covers(made.cert, &rows[i].name) != rows[i].covers)
			fail_msg("row %zu", i);
		cert_made_done(&made);
	}
}

static void test_well_formed(void **state)
{
	static const struct {
		const char *names;
		bool fine;
	} rows[] = {
		{ "DNS:mail.example.org", true },
		{ "DNS:*.example.org", true },
		{ "email:alice@example.org", true },
		{ "email:*@example.org", true },
		{ "email:\"a b\"@example.org", true },
		{ "URI:https://example.org/", true },
		{ "URI:urn:uuid:1", true },
		{ "RID:1.2.3", true },
		{ "otherName:1.2.3;UTF8:a", true },
		{ "DNS:a_b.example.org", false },
		{ "DNS:.example.org", false },
		{ "DNS:example.org.", false },
		{ "DNS:a b.example.org", false },
		{ "DNS:a*.example.org", false },
		{ "DNS:a.*.org", false },
		{ "DNS:192.0.2.1", false },
		{ "DNS:-a.example.org", false },
		{ "DNS:a..example.org", false },
		{ "DNS:\xc3\xa4.example.org", false },
		{ "email:alice", false },
		{ "email:@example.org", false },
		{ "email:alice@", false },
		{ "email:a b@example.org", false },
		{ "email:.a@example.org", false },
		{ "email:a.@example.org", false },
		{ "email:a..b@example.org", false },
		{ "email:\"a@example.org", false },
		{ "email:\"a\\\"@example.org", false },
		{ "email:\xc3\xa4@example.org", false },
		{ "email:a@[192.0.2.1]", false },
		{ "URI:example.org", false },
		{ "URI:1http://a", false },
		{ "URI:http:", false },
		{ "URI:http://a b", false },
		{ "otherName:1.3.6.1.5.5.7.8.9;UTF8:a@example.org",
			false }, /* ASCII has its own form */
		{ "otherName:1.3.6.1.5.5.7.8.9;IA5:a@example.org", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct cert_order order = { .subject = "CN=a", .names = rows[i].names };
		struct cert_made made = cert_make(&order);
		struct why why = {};

		if (altname_is_well_formed(sk_GENERAL_NAME_value(cert_alt_names(made.cert), 0),
			    &why) != rows[i].fine)
			fail_msg("%s", rows[i].names);
		cert_made_done(&made);
	}
}

/* An authority's constraints against the names of a certificate. */
static void test_constraints(void **state)
{
	static const struct {
		const char *constraints;
		const char *subject, *names;
		bool fine;
	} rows[] = {
		{ "permitted;DNS:example.org", "CN=a", "DNS:a.example.org", true },
		{ "permitted;DNS:example.org", "CN=a", "DNS:*.example.org", true },
		{ "permitted;DNS:example.org", "CN=a", "email:a@other.example", true },
		{ "permitted;DNS:example.org", "CN=a", "DNS:example.org,DNS:other.example", false },
		{ "permitted;DNS:example.org", "CN=a", "DNS:myexample.org", false },
		{ "permitted;DNS:a.example.org", "CN=a", "DNS:*.example.org", false },
		{ "permitted;DNS:example.org", "CN=host.other.example", NULL, false },
		{ "permitted;DNS:example.org", "CN=Some Body", NULL, true },
		{ "permitted;DNS:example.org", "CN=host.other.example", "DNS:a.example.org", true },
		{ "excluded;DNS:a.example.org", "CN=a", "DNS:*.example.org", false },
		{ "excluded;DNS:a.b.example.org", "CN=a", "DNS:*.example.org", true },
		{ "excluded;DNS:example.org", "CN=a", "DNS:*.example.org", false },
		{ "excluded;DNS:a.example.org", "CN=a", "DNS:b.example.org", true },
		{ "excluded;DNS:a.example.org", "CN=a", "DNS:A.Example.Org", false },
		{ "permitted;email:example.org", "CN=a", "email:a@example.org", true },
		{ "permitted;email:example.org", "CN=a", "email:a@b.example.org", false },
		{ "permitted;email:.example.org", "CN=a", "email:a@b.example.org", true },
		{ "permitted;email:.example.org", "CN=a", "email:a@example.org", false },
		{ "permitted;email:a@example.org", "CN=a", "email:a@EXAMPLE.org", true },
		{ "permitted;email:a@example.org", "CN=a", "email:A@example.org", false },
		{ "permitted;email:example.org", "CN=a,emailAddress=a@other.example", NULL, false },
		{ "permitted;email:example.org", "CN=a", UTF8_MAILBOX, true },
		{ "permitted;email:other.example", "CN=a", UTF8_MAILBOX, false },
		{ "permitted;IP:192.0.2.0/255.255.255.0", "CN=a", "IP:192.0.2.9", true },
		{ "permitted;IP:192.0.2.0/255.255.255.0", "CN=a", "IP:192.0.3.9", false },
		{ "permitted;IP:192.0.2.0/255.255.255.0", "CN=a", "IP:2001:db8::1", false },
		{ "excluded;IP:0.0.0.0/0.0.0.0", "CN=a", "IP:192.0.2.9", false },
		{ "permitted;IP:192.0.2.0/255.0.255.0", "CN=a", "DNS:a.example", false },
		{ "permitted;URI:example.org", "CN=a", "URI:https://u@example.org:1/a", true },
		{ "permitted;URI:.example.org", "CN=a", "URI:https://a.example.org", true },
		{ "permitted;URI:example.org", "CN=a", "URI:https://a.example.org", false },
		{ "permitted;URI:example.org", "CN=a", "URI:https://192.0.2.1/", false },
		{ "excluded;URI:example.org", "CN=a", "URI:urn:example.org", false },
		{ "excluded;URI:example.org", "CN=a", "URI:https://other.example/", true },
		{ "excluded;otherName:1.2.3;UTF8:x", "CN=a", "otherName:1.2.3;UTF8:y", false },
		{ "excluded;otherName:1.2.3;UTF8:x", "CN=a", "DNS:a.example", true },
		{ "excluded;RID:1.2.3", "CN=a", "RID:1.2.4", false },
		{ "permitted;DNS:*.example.org", "CN=a", "DNS:a.example.org", false },
		{ "permitted;DNS:.example.org", "CN=a", "DNS:a.example.org", false },
		{ "permitted;email:a b", "CN=a", "DNS:a.example.org", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct cert_order authority = { .subject = "CN=ca",
			.is_authority = true,
			.more = { { "nameConstraints", rows[i].constraints } } };
		struct cert_made ca = cert_make(&authority);
		const struct cert_order order = { .subject = rows[i].subject,
			.names = rows[i].names,
			.issuer = &ca };
		struct cert_made made = cert_make(&order);
		CLEANUP(verdict_done) struct verdict v = {};
		size_t budget = 100;

		constraint_check(ca.cert, 1, &made.cert, 1, &budget, &v);
		if ((verdict_n_errors(&v) == 0) != rows[i].fine)
			fail_msg("%s: %s, %s", rows[i].constraints, rows[i].subject,
				rows[i].names ? rows[i].names : "");
		cert_made_done(&made);
		cert_made_done(&ca);
	}
}

static void test_budget(void **state)
{
	const struct cert_order authority = { .subject = "CN=ca",
		.is_authority = true,
		.more = {
			{ "nameConstraints", "excluded;DNS:a.example,excluded;DNS:b.example" } } };
	struct cert_made ca = cert_make(&authority);
	const struct cert_order order = { .subject = "CN=a",
		.names = "DNS:x.example,DNS:y.example",
		.issuer = &ca };
	struct cert_made made = cert_make(&order);

	(void)state;
	/* Two constraints are read, and met by the subject and two names. */
	for (size_t budget = 0; budget < 12; budget++) {
		CLEANUP(verdict_done) struct verdict v = {};
		size_t left = budget;

		constraint_check(ca.cert, 1, &made.cert, 1, &left, &v);
		assert_int_equal(verdict_n_errors(&v), budget < 8);
		if (budget < 8)
			assert_string_equal(verdict_error(&v)->rule, "limit");
	}
	cert_made_done(&made);
	cert_made_done(&ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_covers),
		cmocka_unit_test(test_well_formed),
		cmocka_unit_test(test_constraints),
		cmocka_unit_test(test_budget),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("altname", tests, NULL, NULL);
}
