/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/person.h"

#include "pki/cert_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_addresses(void **state)
{
	static const struct {
		const char *names;
		const char *addresses; /* a space behind each */
	} rows[] = {
		{ NULL, "" },
		{ "DNS:example.org,URI:mailto:alice@example.org,IP:192.0.2.1", "" },
		{ "email:alice@example.org", "alice@example.org " },
		{ "DNS:a.example,email:alice@example.org,email:a@b", "alice@example.org a@b " },
		{ "otherName:1.3.6.1.5.5.7.8.9;UTF8:bob@example.org,email:a@b",
			"bob@example.org a@b " },
		/* Another type of text, another kind of other name. */
		{ "otherName:1.3.6.1.5.5.7.8.9;IA5:a@example.org", "" },
		{ "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:a@example.org", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct cert_made made = cert_make(&(struct cert_order){
			.subject = "emailAddress=no@example.org", .names = rows[i].names });
		CLEANUP(buf_done) struct buf found = {};
		struct span address;

		for (size_t k = 0; person_address(made.cert, k, &address); k++) {
			buf_add(&found, address);
			buf_add_octet(&found, ' ');
		}
		if (!span_is(buf_span(&found), rows[i].addresses))
			fail_msg("row %zu", i);
		cert_made_done(&made);
	}
}

static void test_attributes(void **state)
{
	static const struct {
		const char *subject, *name;
		int result;
		const char *value;
	} rows[] = {
		{ "CN=Alice,UID=alice", "CN", 0, "Alice" },
		{ "CN=Alice,UID=alice", "UID", 0, "alice" },
		{ "CN=Alice,UID=alice", "commonName", 0, "Alice" },
		{ "CN=Alice,UID=alice", "2.5.4.3", 0, "Alice" },
		{ "emailAddress=a@b", "E", 0, "a@b" },
		{ "emailAddress=a@b", "email", 0, "a@b" },
		{ "CN=\xC3\x84", "CN", 0, "\xC3\x84" },
		{ "CN=Alice", "UID", PERSON_E_NONE, NULL },
		{ "CN=Alice", "nonsense", PERSON_E_NONE, NULL },
		{ "CN=Alice", "", PERSON_E_NONE, NULL },
		{ "CN=Alice,CN=Bob", "CN", PERSON_E_SEVERAL, NULL },
		{ "CN=Alice,O=Example,CN=Alice", "CN", PERSON_E_SEVERAL, NULL },
		{ "CN=Al\x01" "ice", "CN", PERSON_E_UNUSABLE, NULL },
		{ "CN=Al\nice", "CN", PERSON_E_UNUSABLE, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct cert_made made =
			cert_make(&(struct cert_order){ .subject = rows[i].subject });
		CLEANUP(buf_done) struct buf value = {};
		int r = person_attribute(made.cert, span_str(rows[i].name), &value);

		if (r != rows[i].result || (!r && !span_is(buf_span(&value), rows[i].value)))
			fail_msg("row %zu: %d", i, r);
		cert_made_done(&made);
	}
	assert_true(person_knows_attribute(SPAN("serialNumber")));
	assert_true(person_knows_attribute(SPAN("0.9.2342.19200300.100.1.1")));
	assert_false(person_knows_attribute(SPAN("nonsense")));
	assert_false(person_knows_attribute(SPAN("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_attributes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
