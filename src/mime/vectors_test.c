/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Every message among the test vectors, well-formed or not, is parsed whole, in random pieces and,
 * if it is small, octet by octet; what comes out must be the same and keep all promises of part.h.
 * SIGNET_VECTORS names the folder, which is no part of the project: without it the test says so and
 * is skipped.
 */

#include "base/alloc.h"
#include "mime/tree_check.h"
#include "mime/word.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static unsigned n_files;

static struct span read_file(const char *path, size_t size)
{
	uint8_t *data = alloc_zero(size + 1);
	FILE *f = fopen(path, "rb");

	assert_non_null(f);
	assert_int_equal(fread(data, 1, size, f), size);
	(void)fclose(f);
	return span_of(data, size);
}

/* The same message with CRLF line ends, as it is in the store. */
static struct span with_crlf(struct span s)
{
	struct buf out = {};
	size_t n;
	uint8_t *p;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r'))
			buf_add_octet(&out, '\r');
		buf_add_octet(&out, s.p[i]);
	}
	p = buf_steal(&out, &n);
	return span_of(p, n);
}

static void check(struct span message)
{
	part_tree_free(tree_check_message(message, 7, 300));
	if (message.n <= 64 << 10)
		part_tree_free(tree_check_message(message, 1, 1));
}

static int check_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct span message, crlf;

	(void)ftw;
	if (type != FTW_F)
		return 0;
	message = read_file(path, (size_t)st->st_size);
	crlf = with_crlf(message);
	check(message);
	check(crlf);
	free((void *)(uintptr_t)message.p);
	free((void *)(uintptr_t)crlf.p);
	n_files++;
	return 0;
}

static void all_vectors(void **state)
{
	static const char *const folders[] = { "mime", "dkim", "protected-headers", "rfc4134" };
	const char *root = getenv("SIGNET_VECTORS");

	(void)state;
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		char *path = alloc_format("%s/%s", root, folders[i]);

		n_files = 0;
		assert_int_equal(nftw(path, check_file, 20, FTW_PHYS), 0);
		assert_true(n_files > 0);
		free(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(all_vectors) };

	/* cmocka would write "not ok" of a test that is skipped. */
	if (!getenv("SIGNET_VECTORS") || access(getenv("SIGNET_VECTORS"), R_OK)) {
		puts("1..0 # SKIP no test vectors at SIGNET_VECTORS");
		return 0;
	}
	word_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
