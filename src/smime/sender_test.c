/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "smime/sender.h"

#include "base/test.h"
#include "mime/word.h"
#include "pki/cert_fixture.h"

struct header_case {
	const char *header;
	size_t n_authors;
	bool is_odd, name_is_address, has_sender;
};

static void authors(void **state)
{
	static const struct header_case cases[] = {
		{ "From: alice@example.org\r\n\r\n", 1, false, false, false },
		{ "FROM: Alice <alice@Example.ORG>\r\nSender: x@example.org\r\n\r\n", 1, false,
			false, true },
		{ "From: a@b.example, c@d.example\r\n\r\n", 2, false, false, false },
		{ "From: Us: a@b.example, c@d.example;\r\n\r\n", 2, false, false, false },
		{ "From: Us:;\r\n\r\n", 0, true, false, false },
		{ "Subject: x\r\n\r\n", 0, true, false, false },
		{ "From: a@b.example\r\nFrom: a@b.example\r\n\r\n", 2, true, false, false },
		{ "From: a@b.example, nobody\r\n\r\n", 1, true, false, false },
		{ "From: \"c@d.example\" <a@b.example>\r\n\r\n", 1, false, true, false },
		{ "From: \"a@b.example\" <a@b.example>\r\n\r\n", 1, false, false, false },
		{ "From: \"A <c@d.example>\" <a@b.example>\r\n\r\n", 1, false, true, false },
		{ "From: a@b.example\r\nSender: nobody\r\n\r\n", 1, false, false, false },
		/* Behind the header nothing counts. */
		{ "From: a@b.example\r\n\r\nFrom: c@d.example\r\n", 1, false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct sender s;

		sender_of(span_str(cases[i].header), &s);
		if (s.n_authors != cases[i].n_authors || s.is_odd != cases[i].is_odd ||
			s.name_is_address != cases[i].name_is_address ||
			s.has_sender != cases[i].has_sender)
			fail_msg("%s", cases[i].header);
		sender_done(&s);
	}
}

static void too_many_authors(void **state)
{
	CLEANUP(buf_done) struct buf header = {};
	struct sender s;

	(void)state;
	buf_add_string(&header, "From: a0@b.example");
	for (int i = 1; i <= SENDER_AUTHORS_MAX; i++)
		buf_add_format(&header, ", a%d@b.example", i);
	buf_add_string(&header, "\r\n\r\n");
	sender_of(buf_span(&header), &s);
	assert_int_equal(s.n_authors, SENDER_AUTHORS_MAX);
	assert_true(s.is_odd);
	sender_done(&s);
}

struct address_case {
	const char *names, *subject;
	const char *address;
	enum smime_address_match match;
};

static void addresses_of_certificates(void **state)
{
	static const struct address_case cases[] = {
		{ "email:alice@example.org", "CN=A", "alice@example.org", SMIME_ADDRESS_FROM },
		{ "email:Alice@EXAMPLE.org", "CN=A", "aLICE@example.ORG", SMIME_ADDRESS_FROM },
		{ "email:x@example.org,email:alice@example.org", "CN=A", "alice@example.org",
			SMIME_ADDRESS_FROM },
		{ "email:alice@example.org", "CN=A", "alice@example.org.example.net",
			SMIME_ADDRESS_NONE },
		{ "email:alice@example.org", "CN=A", "malice@example.org", SMIME_ADDRESS_NONE },
		{ "email:alice@example.org", "CN=A", "\"alice\"@example.org", SMIME_ADDRESS_FROM },
		/* RFC 9598 */
		{ "DER:3021a01f06082b06010505070809a0130c116ac3b67267406578616d706c652e6f7267",
			"CN=A", "j\xc3\xb6rg@example.org", SMIME_ADDRESS_FROM },
		/* the subject's, where there is no other */
		{ "DNS:example.org", "CN=A,emailAddress=alice@example.org", "alice@example.org",
			SMIME_ADDRESS_FROM },
		{ "email:bob@example.org", "CN=A,emailAddress=alice@example.org",
			"alice@example.org", SMIME_ADDRESS_NONE },
		/* A name is no address. */
		{ "DNS:example.org", "CN=alice@example.org", "alice@example.org",
			SMIME_ADDRESS_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		bool is_der = strncmp(cases[i].names, "DER:", 4) == 0;
		const struct cert_order order = { .subject = cases[i].subject,
			.names = is_der ? NULL : cases[i].names,
			.more = { { is_der ? "subjectAltName" : NULL, cases[i].names } } };
		struct cert_made made = cert_make(&order);
		CLEANUP(buf_done) struct buf header = {};
		struct sender s;

		buf_add_format(&header, "From: %s\r\nSender: nobody@example.com\r\n\r\n",
			cases[i].address);
		sender_of(buf_span(&header), &s);
		if (sender_match(&s, made.cert) != cases[i].match)
			fail_msg("%s, %s: %s", cases[i].names, cases[i].subject, cases[i].address);
		sender_done(&s);
		cert_made_done(&made);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(authors),
		cmocka_unit_test(too_many_authors),
		cmocka_unit_test(addresses_of_certificates),
	};

	word_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
