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
		/* Three words, whatever they are, and with something added: not the best. */
		{ "new passphrase here", STRENGTH_FAIR, STRENGTH_FAIR },
		{ "New Passphrase Here", STRENGTH_FAIR, STRENGTH_GOOD },
		{ "strength rhythm psychology", STRENGTH_FAIR, STRENGTH_GOOD },
		{ "strong passphrase here 2026!", STRENGTH_GOOD, STRENGTH_GOOD },
		{ "Pferd Batterie Klammer S\xc3\xbc\xc3\x9f", STRENGTH_GOOD, STRENGTH_GOOD },
		{ "angstschweiss", STRENGTH_VERY_WEAK, STRENGTH_VERY_WEAK },
		{ "P@ssw0rd", STRENGTH_VERY_WEAK, STRENGTH_VERY_WEAK },
		{ "5t@rw4r5", STRENGTH_VERY_WEAK, STRENGTH_VERY_WEAK },
		{ "xkqvzwptmrjf", STRENGTH_GOOD, STRENGTH_GOOD },
		{ "mrqaktzewubqnolp", STRENGTH_GOOD, STRENGTH_STRONG },
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
		struct password_strength e = password_strength_of(span_str(cases[i].password), NULL,
			0);

		if (e.strength < cases[i].least || e.strength > cases[i].most)
			fail_msg("%s: %s, %u bits", cases[i].password, e.label, e.bits);
	}
}

/* What stands in every message of hers is no secret of Alice's. */
static void test_known(void **state)
{
	static const struct span known[] = { SPAN("alice.m\xc3\xbcller@example.org"),
		SPAN("Alice Anne M\xc3\xbcller"), SPAN("") };
	static const struct {
		const char *password;
		enum strength most, least_without;
	} cases[] = {
		{ "alice.m\xc3\xbcller@example.org", STRENGTH_VERY_WEAK, STRENGTH_FAIR },
		{ "alice.m\xc3\xbcller@example.org alice", STRENGTH_VERY_WEAK, STRENGTH_GOOD },
		{ "alice.mueller@example.org", STRENGTH_WEAK, STRENGTH_FAIR },
		{ "Alice Anne M\xc3\xbcller", STRENGTH_VERY_WEAK, STRENGTH_WEAK },
		{ "M\xc3\x9cLLER", STRENGTH_VERY_WEAK, STRENGTH_VERY_WEAK },
		{ "4l1c3 @nne Examp1e", STRENGTH_VERY_WEAK, STRENGTH_GOOD },
		{ "gro.elpmaxe@rell\xc3\xbcm.ecila", STRENGTH_VERY_WEAK, STRENGTH_FAIR },
		{ "alice2026alice!", STRENGTH_VERY_WEAK, STRENGTH_WEAK },
		/* In front of, behind and within something better it counts next to nothing, too. */
		{ "alice xK7#pq2", STRENGTH_FAIR, STRENGTH_FAIR },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct span password = span_str(cases[i].password);
		struct password_strength with = password_strength_of(password, known, 3);
		struct password_strength without = password_strength_of(password, NULL, 0);

		if (with.strength > cases[i].most || without.strength < cases[i].least_without)
			fail_msg("%s: %s, %u bits; of somebody else's %s, %u bits",
				cases[i].password, with.label, with.bits, without.label,
				without.bits);
	}
}

/* The longest there are cost milliseconds. */
static void test_long(void **state)
{
	static const char *const pieces[] = { "a", "ab", "alice", "x", "\xcc\x81", "1" };
	struct span known[] = { SPAN("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@aaaaaaaaaaaaaaaaaaaaaa") };

	(void)state;
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		CLEANUP(buf_done) struct buf text = {};

		while (buf_size(&text) + 5 <= SECURE_PASSWORD_OCTETS)
			buf_add_string(&text, pieces[i]);
		(void)password_strength_of(buf_span(&text), known, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prepare),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_strength),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_long),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
