/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The Secure Mail Password: the same octets from every keyboard, and honest estimates. */

#include "svc/secure_password.h"

#include "base/buf.h"
#include "base/test.h"

#define REFUSED NULL

static void test_prepare(void **state)
{
	static const struct {
		const char *typed, *prepared;
	} cases[] = {
		{ "correct horse", "correct horse" },
		{ "Gr\xc3\xbc\xc3\x9f"
		  "e",
			"Gr\xc3\xbc\xc3\x9f"
			"e" },
		/* u and diaeresis: composed */
		{ "Gru\xcc\x88\xc3\x9f"
		  "e",
			"Gr\xc3\xbc\xc3\x9f"
			"e" },
		/* no-break space, ideographic space */
		{ "a\xc2\xa0"
		  "b\xe3\x80\x80"
		  "c",
			"a b c" },
		/* case, width and surrounding spaces count (RFC 8265 section 4.2.2) */
		{ " \xef\xbc\xa1"
		  "a ",
			" \xef\xbc\xa1"
			"a " },
		{ "\xd0\xbf\xd0\xb0\xd1\x80\xd0\xbe\xd0\xbb\xd1\x8c",
			"\xd0\xbf\xd0\xb0\xd1\x80\xd0\xbe\xd0\xbb\xd1\x8c" },
		/* a family, one character of several joined */
		{ "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb",
			"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb" },
		{ "", REFUSED },
		{ "a\nb", REFUSED },
		{ "a\x7f", REFUSED },
		{ "\xff\xfe", REFUSED },
		{ "\xed\xa0\x80", REFUSED },
		{ "\xef\xbf\xbf", REFUSED },
		{ "\xe2\x80\xa8", REFUSED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CLEANUP(secret_done) struct secret got = {};
		struct why why = {};
		int r = secure_password_prepare(span_str(cases[i].typed), &got, &why);

		assert_int_equal(r, cases[i].prepared ? 0 : SECURE_PASSWORD_E_REFUSED);
		if (r)
			assert_true(why.text[0] != 0);
		else
			assert_true(span_is(secret_span(&got), cases[i].prepared));
	}
}

static int prepare_many(const char *piece, size_t n)
{
	CLEANUP(secret_done) struct secret got = {};
	CLEANUP(buf_done) struct buf text = {};

	for (size_t i = 0; i < n; i++)
		buf_add_string(&text, piece);
	return secure_password_prepare(buf_span(&text), &got, NULL);
}

/* CGPW-6: a hundred symbols of any language, which may be hundreds of octets. */
static void test_length(void **state)
{
	(void)state;
	assert_int_equal(prepare_many("a", 100), 0);
	assert_int_equal(prepare_many("a", 101), SECURE_PASSWORD_E_REFUSED);
	assert_int_equal(prepare_many("\xe5\xaf\x86", 100), 0);
	assert_int_equal(prepare_many("\xf0\x9f\x94\x91", 100), 0);
	assert_int_equal(prepare_many("\xf0\x9f\x94\x91", 101), SECURE_PASSWORD_E_REFUSED);
	/* e with an accent that has to be composed */
	assert_int_equal(prepare_many("e\xcc\x81", 100), 0);
	assert_int_equal(prepare_many("e\xcc\x81", 101), SECURE_PASSWORD_E_REFUSED);
}

static void test_strength(void **state)
{
	static const struct {
		const char *password;
		enum strength least, most;
	} cases[] = {
		{ "a", STRENGTH_VERY_WEAK, STRENGTH_VERY_WEAK },
		{ "password", STRENGTH_VERY_WEAK, STRENGTH_VERY_WEAK },
		{ "Passwort123", STRENGTH_VERY_WEAK, STRENGTH_VERY_WEAK },
		{ "qwertz1234", STRENGTH_VERY_WEAK, STRENGTH_VERY_WEAK },
		{ "aaaaaaaaaaaaaaaaaaaaaaaa", STRENGTH_VERY_WEAK, STRENGTH_VERY_WEAK },
		{ "abcdefghijklmnopqrstuvwxyz", STRENGTH_VERY_WEAK, STRENGTH_VERY_WEAK },
		{ "Sommer2026!", STRENGTH_VERY_WEAK, STRENGTH_VERY_WEAK },
		{ "schmetterling", STRENGTH_VERY_WEAK, STRENGTH_VERY_WEAK },
		{ "gurkegurkegurke", STRENGTH_VERY_WEAK, STRENGTH_WEAK },
		{ "gurke-lampe", STRENGTH_WEAK, STRENGTH_WEAK },
		{ "xK7#pq2", STRENGTH_WEAK, STRENGTH_FAIR },
		{ "gurke lampe wolke", STRENGTH_FAIR, STRENGTH_FAIR },
		{ "correct horse battery staple", STRENGTH_GOOD, STRENGTH_GOOD },
		{ "xK7#pq2!vT9z", STRENGTH_GOOD, STRENGTH_GOOD },
		{ "gurke lampe wolke eisen pfeffer", STRENGTH_STRONG, STRENGTH_STRONG },
		{ "q8Z!r2#Lw0p$Xe7m", STRENGTH_STRONG, STRENGTH_STRONG },
		{ "\xe7\xa7\x81\xe7\x9a\x84\xe5\xaf\x86\xe7\xa0\x81\xe6\x98\xaf\xe7\x8c\xab",
			STRENGTH_GOOD, STRENGTH_GOOD },
		{ "\xd0\xbf\xd0\xb0\xd1\x80\xd0\xbe\xd0\xbb\xd1\x8c", STRENGTH_VERY_WEAK,
			STRENGTH_VERY_WEAK },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct password_strength e = password_strength_of(span_str(cases[i].password));

		if (e.strength < cases[i].least || e.strength > cases[i].most)
			fail_msg("%s: %s, %u bits", cases[i].password, e.label, e.bits);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prepare),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_strength),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
