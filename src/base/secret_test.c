/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/secret.h"

#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void grows_and_keeps(void **state)
{
	struct secret_buf b = { .max = 10 << 20 };
	uint8_t piece[1000];

	(void)state;
	for (size_t i = 0; i < 10000; i++) {
		memset(piece, (int)(i % 251), sizeof piece);
		assert_true(secret_buf_add(&b, span_of(piece, sizeof piece)));
	}
	assert_int_equal(b.n, 10000000);
	for (size_t i = 0; i < 10000; i++)
		assert_int_equal(b.p[i * 1000 + 500], i % 251);
	secret_buf_done(&b);
	assert_null(b.p);
	secret_buf_done(&b);
}

static void has_a_limit(void **state)
{
	struct secret_buf b = { .max = 100 };

	(void)state;
	assert_true(secret_buf_add(&b, SPAN("0123456789")));
	assert_null(secret_buf_room(&b, 91));
	assert_null(secret_buf_room(&b, SIZE_MAX));
	assert_non_null(secret_buf_room(&b, 90));
	assert_int_equal(b.n, 10);
	secret_buf_done(&b);
	b = (struct secret_buf){};
	assert_null(secret_buf_room(&b, 1));
	assert_true(secret_buf_add(&b, (struct span){}));
	secret_buf_done(&b);
}

/* The flags of the mapping that holds the address: /proc/self/smaps, VmFlags. */
static bool mapping_has(const void *p, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	char *line = NULL;
	size_t size = 0;
	bool here = false, found = false;

	assert_non_null(f);
	while (getline(&line, &size, f) > 0) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = (unsigned long)p >= from && (unsigned long)p < to;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag) != NULL;
	}
	free(line);
	(void)fclose(f);
	return found;
}

static void is_kept_out_of_dumps(void **state)
{
	struct secret_buf secret = { .max = 1 << 20 }, plain = { .max = 1 << 20, .is_plain = true };

	(void)state;
	assert_true(secret_buf_add(&secret, SPAN("secret")));
	assert_true(secret_buf_add(&plain, SPAN("plain")));
	assert_true(mapping_has(secret.p, " dd"));
	/* The sanitizers lock nothing, and keep a heap of their own out of dumps. */
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
	assert_false(mapping_has(plain.p, " dd"));
	if (!secret.is_swappable)
		assert_true(mapping_has(secret.p, " lo"));
#endif
	/* Still so when it has grown. */
	assert_non_null(secret_buf_room(&secret, 500000));
	assert_true(mapping_has(secret.p, " dd"));
	assert_memory_equal(secret.p, "secret", 6);
	secret_buf_done(&secret);
	secret_buf_done(&plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_keeps),
		cmocka_unit_test(has_a_limit),
		cmocka_unit_test(is_kept_out_of_dumps),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
