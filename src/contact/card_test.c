/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "contact/card.h"

#include "base/limit.h"
#include "base/test.h"

#define HEAD "\"@type\":\"Card\",\"version\":\"1.0\",\"uid\":\"urn:uuid:1\""

static struct card *read(const char *text)
{
	struct card *card = NULL;
	struct why why = {};

	if (card_parse(&card, span_str(text), &why))
		fail_msg("%s: %s", text, why.text);
	return card;
}

static void printed(const struct card *card, char *text, size_t size)
{
	CLEANUP(buf_done) struct buf out = {};

	card_print(card, &out);
	assert_true(buf_size(&out) < size);
	memcpy(text, buf_span(&out).p, buf_size(&out));
	text[buf_size(&out)] = 0;
}

static void smallest(void **state)
{
	CLEANUP(card_freep) struct card *card = read("{" HEAD "}");

	(void)state;
	assert_true(span_is(card->uid, "urn:uuid:1"));
	assert_true(span_is(card->kind, "individual"));
	assert_int_equal(card->name.n, 0);
	assert_int_equal(card->n_addresses + card->n_certs + card->n_members, 0);
}

static void person(void **state)
{
	CLEANUP(card_freep)
	struct card *card = read(
		"{" HEAD ",\"name\":{\"components\":["
		"{\"kind\":\"given\",\"value\":\"Ada\"},{\"kind\":\"surname\",\"value\":\"L.\"},"
		"{\"kind\":\"separator\",\"value\":\", "
		"\"},{\"kind\":\"credential\",\"value\":\"x\"}]},"
		"\"emails\":{\"a\":{\"address\":\"third@example.org\"},"
		"\"b\":{\"address\":\"second@example.org\",\"pref\":2},"
		"\"c\":{\"@type\":\"EmailAddress\",\"address\":\"first@example.org\",\"pref\":1,"
		"\"contexts\":{\"work\":true}}}}");

	(void)state;
	assert_true(span_is(card->name, "Ada L.,  x"));
	assert_int_equal(card->n_addresses, 3);
	assert_true(span_is(card->addresses[0], "first@example.org"));
	assert_true(span_is(card->addresses[1], "second@example.org"));
	assert_true(span_is(card->addresses[2], "third@example.org"));
}

static void certificates(void **state)
{
	CLEANUP(card_freep)
	struct card *card = read(
		"{" HEAD ",\"cryptoKeys\":{"
		"\"a\":{\"uri\":\"data:application/pkix-cert;base64,YWI%3D\"},"
		"\"b\":{\"uri\":\"DATA:;base64,Y2Q=\",\"mediaType\":\"Application/PKIX-Cert\"},"
		"\"c\":{\"uri\":\"https://example.org/cert.der\"},"
		"\"d\":{\"uri\":\"data:application/pgp-keys;base64,????\"},"
		"\"e\":{\"uri\":\"data:application/pkix-cert,ab\"}}}");
	char before[600], after[600];

	(void)state;
	assert_int_equal(card->n_certs, 2);
	assert_true(span_is(card->certs[0], "ab"));
	assert_true(span_is(card->certs[1], "cd"));
	printed(card, before, sizeof before);
	assert_int_equal(card_add_cert(&card, SPAN("ef"), NULL), 0);
	assert_int_equal(card_add_cert(&card, SPAN("ef"), NULL), 0);
	assert_int_equal(card_add_cert(&card, SPAN("cd"), NULL), 0);
	assert_int_equal(card->n_certs, 3);
	assert_int_equal(card_remove_cert(&card, SPAN("ef"), NULL), 0);
	printed(card, after, sizeof after);
	assert_string_equal(before, after);
	assert_int_equal(card_remove_cert(&card, SPAN("nothing"), NULL), 0);
	assert_int_equal(card->n_certs, 2);
}

static void group(void **state)
{
	CLEANUP(card_freep)
	struct card *card = read(
		"{" HEAD ",\"kind\":\"group\",\"members\":{\"urn:uuid:2\":true,\"x\":true}}");

	(void)state;
	assert_true(span_is(card->kind, "group"));
	assert_int_equal(card->n_members, 2);
	assert_true(span_is(card->members[1], "x"));
}

/* RFC 9553 section 1.7.3. */
static void unknown_is_kept(void **state)
{
	static const char text[] = "{" HEAD ",\"example.com:x\":{\"deep\":[1,2.5,null,{\"@type\":"
				   "\"Odd\"}]},\"name\":{\"full\":\"Z\\u00fc\",\"later\":true},"
				   "\"emails\":{\"k\":{\"address\":\"a@b\",\"vendor\":7}}}";
	CLEANUP(card_freep) struct card *card = read(text);
	CLEANUP(card_freep) struct card *again = NULL;
	char first[600], second[600];

	(void)state;
	printed(card, first, sizeof first);
	assert_non_null(
		strstr(first, "\"example.com:x\":{\"deep\":[1,2.5,null,{\"@type\":\"Odd\"}]}"));
	assert_non_null(strstr(first, "\"later\":true"));
	assert_non_null(strstr(first, "\"vendor\":7"));
	assert_true(span_is(card->name, "Z\xc3\xbc"));
	again = read(first);
	printed(again, second, sizeof second);
	assert_string_equal(first, second);
}

static void refused(void **state)
{
	static const struct {
		const char *text, *because;
	} cases[] = {
		{ "", "not JSON" },
		{ "[]", "the card is an object" },
		{ "{" HEAD "} x", "not JSON" },
		{ "{" HEAD ",\"uid\":\"2\"}", "not JSON" },
		{ "{\"@type\":\"Card\",\"version\":\"1.0\"}", "uid is missing" },
		{ "{\"@type\":\"Card\",\"uid\":\"1\"}", "version is missing" },
		{ "{\"version\":\"1.0\",\"uid\":\"1\"}", "@type is missing" },
		{ "{\"@type\":\"Note\",\"version\":\"1.0\",\"uid\":\"1\"}", "@type" },
		{ "{\"@type\":\"Card\",\"version\":\"2.0\",\"uid\":\"1\"}", "version 2.0" },
		{ "{\"@type\":\"Card\",\"version\":\"1.0\",\"uid\":\"\"}", "uid has 1 to" },
		{ "{" HEAD ",\"emails\":[]}", "emails is an object" },
		{ "{" HEAD ",\"emails\":{\"a b\":{\"address\":\"x@y\"}}}", "emails/a b is no Id" },
		{ "{" HEAD ",\"emails\":{\"a\":{}}}", "emails/a/address is missing" },
		{ "{" HEAD ",\"emails\":{\"a\":{\"address\":\"\"}}}", "emails/a/address has 1 to" },
		{ "{" HEAD ",\"emails\":{\"a\":{\"address\":\"x@y\\nceo@z\"}}}",
			"emails/a/address has a control" },
		{ "{" HEAD ",\"emails\":{\"a\":{\"address\":\"x@y\",\"pref\":0}}}", "1 to 100" },
		{ "{" HEAD ",\"emails\":{\"a\":{\"@type\":\"Phone\",\"address\":\"x@y\"}}}",
			"emails/a has an @type" },
		{ "{" HEAD ",\"name\":{\"components\":[{\"kind\":\"given\"}]}}",
			"name/components/value is missing" },
		{ "{" HEAD ",\"members\":{\"x\":true}}", "kind group" },
		{ "{" HEAD ",\"kind\":\"group\",\"members\":{\"x\":false}}", "members/x is true" },
		{ "{" HEAD ",\"updated\":\"2026-02-03T04:05:06+01:00\"}", "is a time like" },
		{ "{" HEAD
		  ",\"cryptoKeys\":{\"k\":{\"uri\":\"data:application/pkix-cert;base64,=\"}}}",
			"cryptoKeys/k/uri" },
		{ "{" HEAD
		  ",\"cryptoKeys\":{\"k\":{\"uri\":\"data:application/pkix-cert;base64,%4\"}}}",
			"cryptoKeys/k/uri" },
		{ "{" HEAD ",\"cryptoKeys\":{\"k\":{}}}", "cryptoKeys/k/uri is missing" },
		{ "{" HEAD ",\"x\":[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]}", "levels" },
		{ "{" HEAD ",\"kind\":\"\\u0000\"}", "not JSON" },
		{ "{" HEAD ",\"kind\":\"\xff\"}", "not JSON" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CLEANUP(card_freep) struct card *card = NULL;
		struct why why = {};

		assert_int_equal(card_parse(&card, span_str(cases[i].text), &why), CARD_E_INVALID);
		if (!strstr(why.text, cases[i].because))
			fail_msg("%s: %s", cases[i].text, why.text);
	}
}

static void add_keys(struct buf *text, unsigned n)
{
	buf_add_string(text, "{" HEAD ",\"cryptoKeys\":{");
	for (unsigned i = 0; i < n; i++)
		buf_add_format(text,
			"%s\"k%u\":{\"uri\":\"data:application/pkix-cert;base64,YWI=\"}",
			i ? "," : "", i);
	buf_add_string(text, "}}");
}

static void limits(void **state)
{
	CLEANUP(buf_done) struct buf full = {}, many = {}, large = {};
	CLEANUP(card_freep) struct card *card = NULL;
	struct why why = {};

	(void)state;
	add_keys(&full, CARD_CERTS_MAX);
	assert_int_equal(card_parse(&card, buf_span(&full), &why), 0);
	assert_int_equal(card_add_cert(&card, SPAN("other"), &why), CARD_E_INVALID);
	assert_non_null(strstr(why.text, "at most 20 certificates"));
	assert_int_equal(card->n_certs, CARD_CERTS_MAX);
	card = card_free(card);
	add_keys(&many, CARD_CERTS_MAX + 1);
	assert_int_equal(card_parse(&card, buf_span(&many), &why), CARD_E_INVALID);
	buf_add_string(&large, "{" HEAD ",\"x\":\"");
	memset(buf_room(&large, LIMIT_CARD), 'x', LIMIT_CARD);
	buf_added(&large, LIMIT_CARD);
	buf_add_string(&large, "\"}");
	assert_int_equal(card_parse(&card, buf_span(&large), &why), CARD_E_INVALID);
	assert_non_null(strstr(why.text, "octets"));
}

static void made(void **state)
{
	CLEANUP(card_freep) struct card *card = NULL, *nameless = NULL;

	(void)state;
	assert_int_equal(
		card_new(&card, SPAN("u"), SPAN("Ada \"L\""), SPAN("ada@example.org"), NULL), 0);
	assert_true(span_is(card->name, "Ada \"L\""));
	assert_true(span_is(card->addresses[0], "ada@example.org"));
	assert_int_equal(card_new(&nameless, SPAN("u"), SPAN(""), SPAN("a@b"), NULL), 0);
	assert_int_equal(nameless->name.n, 0);
	assert_int_equal(card_new(&card, SPAN(""), SPAN(""), SPAN("a@b"), NULL), CARD_E_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(smallest),
		cmocka_unit_test(person),
		cmocka_unit_test(certificates),
		cmocka_unit_test(group),
		cmocka_unit_test(unknown_is_kept),
		cmocka_unit_test(refused),
		cmocka_unit_test(limits),
		cmocka_unit_test(made),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
