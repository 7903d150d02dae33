/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What lies in the database: opens with the right key and associated data, and with nothing else. */

#include "keyd/wrap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those four before it. */
#include <cmocka.h>

static const struct span key = { (const uint8_t *)"0123456789abcdef0123456789abcdef", 32 };

static void test_round(void **state)
{
	static const uint8_t content[3000] = { 7 };
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 3000 };

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		CLEANUP(buf_done) struct buf sealed = {};
		CLEANUP(secret_done) struct secret plain = {};

		assert_int_equal(wrap_seal(key, SPAN("aad"), span_of(content, sizes[i]), &sealed), 0);
		assert_int_equal(wrap_open(key, SPAN("aad"), buf_span(&sealed), &plain), 0);
		assert_true(span_equal(secret_span(&plain), span_of(content, sizes[i])));
	}
}

static void test_refused(void **state)
{
	CLEANUP(buf_done) struct buf sealed = {};
	struct secret plain;
	struct span s;

	(void)state;
	assert_int_equal(wrap_seal(key, SPAN("aad"), SPAN("content"), &sealed), 0);
	s = buf_span(&sealed);
	assert_int_equal(wrap_open(key, SPAN("aae"), s, &plain), WRAP_E_OPEN);
	assert_int_equal(wrap_open(key, SPAN(""), s, &plain), WRAP_E_OPEN);
	assert_int_equal(wrap_open(SPAN("0123456789abcdef0123456789abcdeF"), SPAN("aad"), s, &plain),
		WRAP_E_OPEN);
	for (size_t n = 0; n < s.n; n++)
		assert_int_equal(wrap_open(key, SPAN("aad"), span_head(s, n), &plain), WRAP_E_OPEN);
	for (size_t i = 0; i < s.n * 8; i++) {
		sealed.p[sealed.start + i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(wrap_open(key, SPAN("aad"), s, &plain), WRAP_E_OPEN);
		sealed.p[sealed.start + i / 8] ^= (uint8_t)(1 << i % 8);
	}
	/* A key of the wrong size is our own mistake. */
	assert_true(wrap_open(SPAN("short"), SPAN("aad"), s, &plain) < 0);
}

static void test_password(void **state)
{
	CLEANUP(buf_done) struct buf sealed = {};
	CLEANUP(secret_done) struct secret plain = {};
	struct secret none;
	uint8_t *cost;

	(void)state;
	assert_int_equal(wrap_seal_password(SPAN("password"), SPAN("aad"), SPAN("content"), &sealed), 0);
	cost = sealed.p + sealed.start + 1;
	/* N=2^17, r=8, p=1, in the open. */
	assert_int_equal(cost[0], 17);
	assert_int_equal(cost[1], 8);
	assert_int_equal(cost[2], 1);
	assert_int_equal(wrap_open_password(SPAN("password"), SPAN("aad"), buf_span(&sealed), &plain), 0);
	assert_true(span_is(secret_span(&plain), "content"));
	assert_int_equal(wrap_open_password(SPAN("Password"), SPAN("aad"), buf_span(&sealed), &none),
		WRAP_E_OPEN);
	assert_int_equal(wrap_open_password(SPAN("password"), SPAN("aaf"), buf_span(&sealed), &none),
		WRAP_E_OPEN);
	/* Costs that would take the machine down are not tried. */
	cost[0] = 40;
	assert_int_equal(wrap_open_password(SPAN("password"), SPAN("aad"), buf_span(&sealed), &none),
		WRAP_E_OPEN);
	cost[0] = 0;
	assert_int_equal(wrap_open_password(SPAN("password"), SPAN("aad"), buf_span(&sealed), &none),
		WRAP_E_OPEN);
	cost[0] = 17;
	cost[2] = 255;
	assert_int_equal(wrap_open_password(SPAN("password"), SPAN("aad"), buf_span(&sealed), &none),
		WRAP_E_OPEN);
}

/* RFC 7914 section 12, the second vector. */
static void test_scrypt(void **state)
{
	static const uint8_t expected[64] = { 0xfd, 0xba, 0xbe, 0x1c, 0x9d, 0x34, 0x72, 0x00, 0x78, 0x56,
		0xe7, 0x19, 0x0d, 0x01, 0xe9, 0xfe, 0x7c, 0x6a, 0xd7, 0xcb, 0xc8, 0x23, 0x78, 0x30,
		0xe7, 0x73, 0x76, 0x63, 0x4b, 0x37, 0x31, 0x62, 0x2e, 0xaf, 0x30, 0xd9, 0x2e, 0x22,
		0xa3, 0x88, 0x6f, 0xf1, 0x09, 0x27, 0x9d, 0x98, 0x30, 0xda, 0xc7, 0x27, 0xaf, 0xb9,
		0x4a, 0x83, 0xee, 0x6d, 0x83, 0x60, 0xcb, 0xdf, 0xa2, 0xcc, 0x06, 0x40 };
	const struct wrap_cost cost = { 10, 8, 16 };
	uint8_t out[64];

	(void)state;
	assert_int_equal(wrap_scrypt(SPAN("password"), SPAN("NaCl"), &cost, out, sizeof out), 0);
	assert_memory_equal(out, expected, sizeof out);
}

/* Fields that run into each other make different associated data. */
static void test_aad(void **state)
{
	const struct span lists[][3] = {
		{ SPAN("ab"), SPAN("c"), SPAN("") },
		{ SPAN("a"), SPAN("bc"), SPAN("") },
		{ SPAN("a"), SPAN("b"), SPAN("c") },
		{ SPAN(""), SPAN("abc"), SPAN("") },
	};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		for (size_t k = 0; k < i; k++) {
			CLEANUP(buf_done) struct buf one = {};
			CLEANUP(buf_done) struct buf other = {};

			wrap_aad(&one, lists[i], 3);
			wrap_aad(&other, lists[k], 3);
			assert_false(span_equal(buf_span(&one), buf_span(&other)));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_password),
		cmocka_unit_test(test_scrypt),
		cmocka_unit_test(test_aad),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("wrap", tests, NULL, NULL);
}
