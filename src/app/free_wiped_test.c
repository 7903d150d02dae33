/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The program's free() and realloc(), by looking at memory that was given back. */

#include "base/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The allocator keeps its lists in the first octets. */
enum { SIZE = 4000, LISTS = 64, MARK = 0x5a };

/* By way of the kernel: the compiler knows what it may think of memory that was freed. */
static size_t marks_at(uintptr_t address, size_t n)
{
	uint8_t copy[SIZE];
	size_t n_marks = 0;
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, copy, n, (off_t)address), n);
	(void)close(fd);
	for (size_t i = 0; i < n; i++)
		n_marks += copy[i] == MARK;
	return n_marks;
}

static uint8_t *marked(size_t n)
{
	uint8_t *p = malloc(n);

	assert_non_null(p);
	memset(p, MARK, n);
	return p;
}

static void test_freed_memory_is_wiped(void **state)
{
	uint8_t *p = marked(SIZE);
	uintptr_t address = (uintptr_t)p;

	(void)state;
	assert_int_equal(marks_at(address, SIZE), SIZE);
	free(p);
	assert_int_equal(marks_at(address + LISTS, SIZE - LISTS), 0);
	free(NULL);
}

static void test_what_moves_leaves_nothing(void **state)
{
	uint8_t *p = marked(SIZE);
	uintptr_t address = (uintptr_t)p;
	uint8_t *wall = malloc(SIZE); /* so that it cannot grow where it is */

	(void)state;
	p = realloc(p, 100 * SIZE);
	assert_non_null(p);
	assert_true((uintptr_t)p != address);
	for (size_t i = 0; i < SIZE; i++)
		assert_int_equal(p[i], MARK);
	assert_int_equal(marks_at(address + LISTS, SIZE - LISTS), 0);
	free(p);
	free(wall);
}

static void test_realloc_keeps_its_contract(void **state)
{
	uint8_t *p = realloc(NULL, SIZE);
	uint8_t *same;

	(void)state;
	assert_non_null(p);
	memset(p, MARK, SIZE);
	same = realloc(p, SIZE - 1);
	assert_ptr_equal(same, p);
	p = realloc(same, 16);
	assert_non_null(p);
	for (size_t i = 0; i < 16; i++)
		assert_int_equal(p[i], MARK);
	assert_null(realloc(p, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_freed_memory_is_wiped),
		cmocka_unit_test(test_what_moves_leaves_nothing),
		cmocka_unit_test(test_realloc_keeps_its_contract),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
