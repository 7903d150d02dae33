/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What we say we read is read back; lists of others, and what is none. */

#include "smime/capability.h"

#include "base/enc.h"
#include "base/test.h"
#include "pki/der.h"

static void ours(void **state)
{
	CLEANUP(buf_done) struct buf der = {};
	struct capabilities c;
	const struct cipher *cipher;
	size_t n = 0;

	(void)state;
	assert_int_equal(capability_add(&der), 0);
	assert_true(der_is_strict(buf_span(&der)));
	assert_true(capability_parse(buf_span(&der), &c));
	for (size_t i = 0; (cipher = cipher_at(i)); i++) {
		if (cipher->is_weak)
			assert_false(capability_has(&c, cipher));
		else
			assert_ptr_equal(c.ciphers[n++], cipher);
	}
	assert_int_equal(c.n, n);
}

static void others(void **state)
{
	static const struct {
		const char *hex;
		bool parses;
		const char *names;
	} rows[] = {
		/* Empty; AES-256-CBC, 3DES; RC2 with 128, 40 and 41 bits, and without. */
		{ "3000", true, "" },
		{ "3019300b060960864801650304012a300a06082a864886f70d0307", true,
			"aes-256-cbc 3des " },
		{ "3010300e06082a864886f70d030202020080", true, "rc2-128 " },
		{ "300f300d06082a864886f70d0302020128", true, "rc2-40 " },
		{ "300f300d06082a864886f70d0302020129", true, "" },
		{ "300c300a06082a864886f70d0302", true, "" },
		/* Twice the same; something else; an entry without an identifier. */
		{ "301a300b060960864801650304012a300b060960864801650304012a", true,
			"aes-256-cbc " },
		{ "3007300506032a0304", true, "" },
		{ "30043002"
		  "0500",
			true, "" },
		/* Not lists. */
		{ "", false, NULL },
		{ "3100", false, NULL },
		{ "300000", false, NULL },
		{ "3001", false, NULL },
		{ "30020500", false, NULL },
		{ "300130", false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf der = {}, names = {};
		struct capabilities c = {};

		assert_true(enc_hex_decode(&der, span_str(rows[i].hex)));
		if (capability_parse(buf_span(&der), &c) != rows[i].parses)
			fail_msg("row %zu", i);
		for (size_t k = 0; k < c.n; k++)
			buf_add_format(&names, "%s ", c.ciphers[k]->name);
		if (rows[i].parses && !span_is(buf_span(&names), rows[i].names))
			fail_msg("row %zu: %.*s", i, (int)buf_size(&names), (const char *)names.p);
	}
}

/* More than anybody says is not looked at. */
static void bounds(void **state)
{
	CLEANUP(buf_done) struct buf entries = {}, list = {};
	struct capabilities c;

	(void)state;
	for (size_t i = 0; i < CAPABILITY_ENTRIES_MAX; i++)
		buf_add(&entries, span_of("\x30\x05\x06\x03\x2a\x03\x04", 7));
	buf_add(&entries, span_of("\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2e", 13));
	buf_add(&list, span_of((uint8_t[]){ 0x30, 0x82, (uint8_t)(buf_size(&entries) >> 8),
				       (uint8_t)buf_size(&entries) },
			       4));
	buf_add(&list, buf_span(&entries));
	assert_true(capability_parse(buf_span(&list), &c));
	assert_int_equal(c.n, 0);
	(void)buf_room(&list, CAPABILITY_OCTETS_MAX);
	buf_added(&list, CAPABILITY_OCTETS_MAX);
	assert_false(capability_parse(buf_span(&list), &c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ours),
		cmocka_unit_test(others),
		cmocka_unit_test(bounds),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
