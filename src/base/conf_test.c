/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/conf.h"

#include "base/test.h"

struct sample {
	uint64_t size;
	uint64_t time_s;
	bool on;
	unsigned mode;
	char *name;
};

static const char *const modes[] = { "never", "loopback", NULL };

static const struct conf_row rows[] = {
	{ "size", CONF_NUMBER, "50M", 1024, 1ULL << 40, "octets", NULL,
		offsetof(struct sample, size), "" },
	{ "time", CONF_NUMBER, "30m", 1, 86400, "seconds", NULL, offsetof(struct sample, time_s), "" },
	{ "on", CONF_BOOL, "yes", 0, 0, NULL, NULL, offsetof(struct sample, on), "" },
	{ "mode", CONF_CHOICE, "never", 0, 0, NULL, modes, offsetof(struct sample, mode), "" },
	{ "name", CONF_TEXT, "x", 1, 8, NULL, NULL, offsetof(struct sample, name), "" },
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static void defaults_and_printing(void **state)
{
	static const char *const printed[] = { "52428800", "1800", "yes", "never", "x" };
	struct sample s = {};

	(void)state;
	conf_defaults(rows, ROWS, &s);
	for (size_t i = 0; i < ROWS; i++) {
		CLEANUP(buf_done) struct buf out = {};

		conf_print(&rows[i], &s, &out);
		assert_true(span_is(buf_span(&out), printed[i]));
		assert_int_equal(conf_set(rows, ROWS, &s, span_str(rows[i].key), buf_span(&out),
			NULL), 0);
	}
	conf_done(rows, ROWS, &s);
}

static void setting(void **state)
{
	static const struct {
		const char *key, *value;
		int r;
	} cases[] = {
		{ "size", "2k", 0 },
		{ "size", "1G", 0 },
		{ "size", "1", CONF_E_VALUE },
		{ "size", "2s", CONF_E_VALUE },
		{ "size", "99999999999999999999G", CONF_E_VALUE },
		{ "size", "18446744073709551615k", CONF_E_VALUE },
		{ "size", "", CONF_E_VALUE },
		{ "size", "-5", CONF_E_VALUE },
		{ "time", "1d", 0 },
		{ "time", "2d", CONF_E_VALUE },
		{ "on", "OFF", 0 },
		{ "on", "2", CONF_E_VALUE },
		{ "mode", "Loopback", 0 },
		{ "mode", "always", CONF_E_VALUE },
		{ "name", "abcdefgh", 0 },
		{ "name", "abcdefghi", CONF_E_VALUE },
		{ "name", "", CONF_E_VALUE },
		{ "name", "\xFF", CONF_E_VALUE },
		{ "Size", "2k", CONF_E_UNKNOWN },
		{ "", "", CONF_E_UNKNOWN },
	};
	struct sample s = {};

	(void)state;
	conf_defaults(rows, ROWS, &s);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct why why = {};

		assert_int_equal(conf_set(rows, ROWS, &s, span_str(cases[i].key),
			span_str(cases[i].value), &why), cases[i].r);
		assert_int_equal(why.text[0] != 0, cases[i].r != 0);
	}
	assert_true(s.size == 1 << 30);
	assert_false(s.on);
	assert_int_equal(s.mode, 1);
	assert_string_equal(s.name, "abcdefgh");
	conf_done(rows, ROWS, &s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_and_printing),
		cmocka_unit_test(setting),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
