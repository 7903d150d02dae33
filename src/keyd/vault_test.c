/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The table of open keys: bounds, order of forgetting, sessions. */

#include "keyd/vault.h"

#include "base/secret.h"
#include "keyd/operation.h"
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
	struct vault *v = vault_new(N);
	struct handle h[N + 1];

	(void)state;
	for (int i = 0; i < N; i++)
		vault_add(v, key, KEYD_TLS, (struct span){}, 0, i, h[i].p);
	assert_true(has(v, &h[0], "", N));
	vault_add(v, key, KEYD_TLS, (struct span){}, 0, N, h[N].p);
	assert_true(has(v, &h[0], "", N));
	assert_false(has(v, &h[1], "", N));
	assert_true(has(v, &h[2], "", N));
	assert_true(has(v, &h[N], "", INT64_MAX));
	vault_free(v);
}

static int64_t left(struct vault *v, const struct handle *h, const char *session, int64_t now)
{
	int64_t ms;

	return vault_left(v, span_of(h->p, KEYD_HANDLE), span_str(session), now, &ms) ? -1 : ms;
}

/* The keys of a session lock together, when none of them was used; asking how long is no use. */
static void test_expire(void **state)
{
	struct vault *v = vault_new(N);
	struct handle one, other, third;

	(void)state;
	vault_add(v, key, KEYD_USER_SMIME, SPAN("s"), 100, 0, one.p);
	vault_add(v, key, KEYD_USER_SMIME, SPAN("s"), 100, 50, other.p);
	vault_add(v, key, KEYD_USER_SMIME, SPAN("t"), 1000, 50, third.p);
	assert_int_equal(left(v, &one, "s", 60), 90);
	assert_int_equal(left(v, &one, "t", 60), -1);
	assert_int_equal(left(v, &one, "s", 99), 51);
	assert_true(has(v, &one, "s", 149));
	vault_expire(v, 248);
	assert_int_equal(left(v, &other, "s", 248), 1);
	assert_false(has(v, &other, "s", 249));
	assert_false(has(v, &one, "s", 0));
	assert_int_equal(left(v, &third, "t", 249), 801);
	vault_expire(v, 1050);
	assert_int_equal(left(v, &third, "t", 0), -1);
	vault_free(v);
}

/* What is unlocked again gets the time of that moment, and what was there before with it. */
static void test_other_time(void **state)
{
	struct vault *v = vault_new(N);
	struct handle one, other;

	(void)state;
	vault_add(v, key, KEYD_USER_SMIME, SPAN("s"), 1000, 0, one.p);
	vault_add(v, key, KEYD_USER_SMIME, SPAN("s"), 10, 100, other.p);
	assert_int_equal(left(v, &one, "s", 105), 5);
	vault_expire(v, 110);
	assert_false(has(v, &one, "s", 0));
	assert_false(has(v, &other, "s", 0));
	vault_free(v);
}

static void test_sessions(void **state)
{
	struct vault *v = vault_new(N);
	struct handle a1, a2, b;

	(void)state;
	vault_add(v, key, KEYD_USER_SMIME, SPAN("a"), 100, 0, a1.p);
	vault_add(v, key, KEYD_USER_SMIME, SPAN("a"), 100, 0, a2.p);
	vault_add(v, key, KEYD_USER_SMIME, SPAN("b"), 100, 0, b.p);
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

/* Whether a signature that begins with what is kept, or may be, is one by the key over these octets. */
static bool signs(struct vault *v, const struct handle *h, const struct keyd_sign *how, EVP_PKEY *ec)
{
	EVP_PKEY_CTX *signer = vault_signer(v, span_of(h->p, KEYD_HANDLE), how);
	EVP_PKEY_CTX *verifier = EVP_PKEY_CTX_new(ec, NULL);
	uint8_t digest[32] = { 7 }, signature[128];
	size_t n = 0;
	bool ok = signer &&
		operation_sign(ec, signer, span_of(digest, sizeof digest),
			(struct operation_out){ signature, sizeof signature }, &n) == 0 &&
		EVP_PKEY_verify_init(verifier) == 1 &&
		EVP_PKEY_verify(verifier, signature, n, digest, sizeof digest) == 1;

	EVP_PKEY_CTX_free(signer);
	EVP_PKEY_CTX_free(verifier);
	return ok;
}

/* A copy for the same parameters, as often as one likes; none for others, nor of a key that is gone;
 * and none of another key. */
static void test_signer(void **state)
{
	const struct keyd_sign how = { .digest = "SHA256" }, other = { .digest = "SHA384" };
	struct vault *v = vault_new(N);
	EVP_PKEY_CTX *signer = NULL;
	EVP_PKEY *ec = NULL;
	struct handle h, h2;

	(void)state;
	assert_int_equal(key_generate(&ec, KEY_EC_P256), 0);
	vault_add(v, ec, KEYD_TLS, (struct span){}, 0, 0, h.p);
	vault_add(v, key, KEYD_TLS, (struct span){}, 0, 0, h2.p);
	assert_false(signs(v, &h, &how, ec));
	assert_int_equal(operation_signer(ec, &how, &signer), 0);
	vault_keep_signer(v, span_of(h.p, KEYD_HANDLE), &how, signer);
	EVP_PKEY_CTX_free(signer);
	assert_true(signs(v, &h, &how, ec));
	assert_true(signs(v, &h, &how, ec));
	assert_false(signs(v, &h, &other, ec));
	assert_false(signs(v, &h2, &how, ec));
	vault_forget(v, span_of(h.p, KEYD_HANDLE), (struct span){});
	assert_false(signs(v, &h, &how, ec));
	EVP_PKEY_free(ec);
	vault_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_expire),
		cmocka_unit_test(test_other_time),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_signer),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("vault", tests, setup, teardown);
}
