/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/alloc.h"
#include "base/limit.h"
#include "base/log.h"
#include "store/fixture.h"
#include "store/message.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

struct call {
	int64_t account;
	struct span name;
	uint64_t bit;
	struct keywords *keywords;
};

static int get_bit(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_keyword_bit(c, k->account, k->name, &k->bit);
}

static int get_keywords(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_keywords(c, k->account, &k->keywords);
}

static void test_bits(void **state)
{
	struct fixture *f = *state;
	struct call k = { .account = f->account };

	for (unsigned i = 0; i < KEYWORDS_MAX; i++) {
		CLEANUP(alloc_freep) char *name = alloc_format("$Label%u", i);

		k.name = span_str(name);
		assert_int_equal(store_write(f->store, get_bit, &k), 0);
		assert_true(k.bit == (uint64_t)1 << (FLAG_KEYWORD_SHIFT + i));
	}
	k.name = SPAN("$lABEL0");
	assert_int_equal(store_write(f->store, get_bit, &k), 0);
	assert_int_equal(k.bit, 1 << FLAG_KEYWORD_SHIFT);
	k.name = SPAN("one-more");
	assert_int_equal(store_write(f->store, get_bit, &k), STORE_E_LIMIT);
	assert_int_equal(store_read(f->store, get_keywords, &k), 0);
	assert_int_equal(k.keywords->n, KEYWORDS_MAX);
	assert_string_equal(k.keywords->names[0], "$Label0");
	assert_string_equal(k.keywords->names[KEYWORDS_MAX - 1], "$Label57");
	keywords_unref(keywords_ref(k.keywords));
	keywords_unref(k.keywords);
}

static void test_names_that_are_none(void **state)
{
	struct fixture *f = *state;
	struct call k = { .account = f->account };
	char longest[LIMIT_KEYWORD + 1];

	memset(longest, 'k', sizeof longest);
	assert_int_equal(store_write(f->store, get_bit, &k), STORE_E_LIMIT);
	k.name = SPAN("a\0b");
	assert_int_equal(store_write(f->store, get_bit, &k), STORE_E_LIMIT);
	k.name = span_of(longest, sizeof longest);
	assert_int_equal(store_write(f->store, get_bit, &k), STORE_E_LIMIT);
	k.name.n--;
	assert_int_equal(store_write(f->store, get_bit, &k), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_bits),
		FIXTURE_TEST(test_names_that_are_none),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
