/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The table of open keys: bounds, order of forgetting, sessions. */

#include "keyd/vault.h"

#include "base/secret.h"
#include "pki/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those four before it. */
#include <cmocka.h>

enum { N = 4 };

struct handle {
	uint8_t p[KEYD_HANDLE];
};

static EVP_PKEY *key;

static int setup(void **state)
{
	(void)state;
	return key_generate(&key, KEY_ED25519);
}

static int teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	return 0;
}

static bool has(struct vault *v, const struct handle *h, const char *session, int64_t now)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *got = NULL;
	enum keyd_purpose purpose;

	return vault_get(v, span_of(h->p, KEYD_HANDLE), span_str(session), now, &got, &purpose) == 0;
}

/* A full table forgets the key that was used longest ago, not the one that came first. */
static void test_full(void **state)
{
	struct vault *v = vault_new(N, 0);
	struct handle h[N + 1];

	(void)state;
	for (int i = 0; i < N; i++)
		vault_add(v, key, KEYD_TLS, (struct span){}, i, h[i].p);
	assert_true(has(v, &h[0], "", N));
	vault_add(v, key, KEYD_TLS, (struct span){}, N, h[N].p);
	assert_true(has(v, &h[0], "", N));
	assert_false(has(v, &h[1], "", N));
	assert_true(has(v, &h[2], "", N));
	assert_true(has(v, &h[N], "", INT64_MAX));
	vault_free(v);
}

static void test_expire(void **state)
{
	struct vault *v = vault_new(N, 100);
	struct handle one, other;

	(void)state;
	vault_add(v, key, KEYD_USER_SMIME, SPAN("s"), 0, one.p);
	vault_add(v, key, KEYD_USER_SMIME, SPAN("s"), 50, other.p);
	assert_true(has(v, &one, "s", 99));
	vault_expire(v, 160);
	assert_true(has(v, &one, "s", 160));
	assert_false(has(v, &other, "s", 160));
	vault_free(v);
}

static void test_sessions(void **state)
{
	struct vault *v = vault_new(N, 100);
	struct handle a1, a2, b;

	(void)state;
	vault_add(v, key, KEYD_USER_SMIME, SPAN("a"), 0, a1.p);
	vault_add(v, key, KEYD_USER_SMIME, SPAN("a"), 0, a2.p);
	vault_add(v, key, KEYD_USER_SMIME, SPAN("b"), 0, b.p);
	assert_false(has(v, &a1, "b", 1));
	assert_false(has(v, &a1, "", 1));
	assert_false(has(v, &a1, "aa", 1));
	vault_forget(v, span_of(a1.p, KEYD_HANDLE), SPAN("b"));
	assert_true(has(v, &a1, "a", 1));
	vault_forget_session(v, SPAN("a"));
	assert_false(has(v, &a1, "a", 1));
	assert_false(has(v, &a2, "a", 1));
	assert_true(has(v, &b, "b", 1));
	vault_forget(v, span_of(b.p, KEYD_HANDLE), SPAN("b"));
	assert_false(has(v, &b, "b", 1));
	vault_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_expire),
		cmocka_unit_test(test_sessions),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("vault", tests, setup, teardown);
}
