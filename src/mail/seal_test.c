/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What counts as encrypted already, and certificates that will not do. That mail can be read again is
 * tested live, with keys of keyd. */

#include "mail/seal.h"

#include "base/test.h"
#include "mime/part.h"
#include "mime/word.h"

static void sealed(void **state)
{
	static const struct {
		const char *type;
		bool sealed;
	} rows[] = {
		{ "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", true },
		{ "application/pkcs7-mime; smime-type=authEnveloped-data", true },
		{ "APPLICATION/X-PKCS7-MIME; SMIME-TYPE=\"Enveloped-Data\"", true },
		{ "multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b", true },
		/* signed only: anybody can read it */
		{ "application/pkcs7-mime; smime-type=signed-data", false },
		{ "multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=b", false },
		/* it does not say what it is */
		{ "application/pkcs7-mime; name=smime.p7m", false },
		{ "text/plain", false },
		{ "application/octet-stream; smime-type=enveloped-data", false },
	};

	(void)state;
	word_init();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf message = {};
		CLEANUP(part_tree_freep) struct part_tree *tree = NULL;

		buf_add_format(&message, "Content-Type: %s\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
			rows[i].type);
		tree = part_parse(buf_span(&message));
		if (seal_is_sealed(tree) != rows[i].sealed)
			fail_msg("%s", rows[i].type);
	}
}

static void bad_certificate(void **state)
{
	CLEANUP(buf_done) struct buf out = {};
	struct seal_recipient to = { .der = SPAN("no certificate"), .address = SPAN("a@b.example") };
	struct why why = {};

	(void)state;
	assert_int_equal(seal_message(&to, 1, SPAN("Subject: x\r\n\r\ny\r\n"), NULL, 1770091506000000, &out,
				 &why),
		SEAL_E_REFUSED);
	assert_true(why.text[0]);
	assert_int_equal(buf_size(&out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sealed),
		cmocka_unit_test(bad_certificate),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
