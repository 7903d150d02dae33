/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* RSA v1.5 padding: what is good comes off, and what is bad cannot be told from it. */

#include "keyd/unpad.h"

#include "keyd/operation.h"
#include "pki/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those four before it. */
#include <cmocka.h>
#include <openssl/rsa.h>

enum { K = 256 };

static const struct span digest = { (const uint8_t *)"0123456789abcdef0123456789abcdef", 32 };
static uint8_t ciphertext[K], block[K], out[K], again[K];

/* 00 02 padding 00 message */
static void make_block(struct span message)
{
	memset(block, 0x5a, sizeof block);
	block[0] = 0;
	block[1] = 2;
	block[K - message.n - 1] = 0;
	memcpy(block + K - message.n, message.p, message.n);
}

static size_t unpad(uint8_t *to)
{
	size_t n = 0;

	assert_int_equal(unpad_pkcs1(span_of(block, K), span_of(ciphertext, K), digest, to, &n), 0);
	assert_true(n <= K);
	return n;
}

static void test_good(void **state)
{
	static const uint8_t content[K] = { 0, 1, 2, 0, 4, 0 };

	(void)state;
	/* The longest leaves eight octets of padding. */
	for (size_t n = 0; n <= K - 11; n++) {
		make_block(span_of(content, n));
		assert_int_equal(unpad(out), n);
		assert_memory_equal(out, content, n);
	}
}

static void assert_synthetic(struct span message)
{
	size_t n = unpad(out);

	assert_true(n < K - 10);
	assert_false(span_equal(span_of(out, n), message));
	/* The same every time, whatever is wrong with the block. */
	memset(block, 0xFF, sizeof block);
	assert_int_equal(unpad(again), n);
	assert_memory_equal(out, again, n);
}

static void test_bad(void **state)
{
	struct span message = SPAN("a message");

	(void)state;
	make_block(message);
	block[0] = 1;
	assert_synthetic(message);
	make_block(message);
	block[1] = 1;
	assert_synthetic(message);
	for (size_t i = 2; i < 10; i++) {
		make_block(message);
		block[i] = 0;
		assert_synthetic(span_of(block + i + 1, K - i - 1));
	}
	make_block(message);
	block[K - message.n - 1] = 1;
	assert_synthetic(message);
}

/* Another ciphertext, or another key, gives another message; the lengths vary. */
static void test_synthetic_varies(void **state)
{
	size_t n, first, n_different = 0;

	(void)state;
	memset(block, 0xFF, sizeof block);
	first = unpad(again);
	for (int i = 1; i < 20; i++) {
		ciphertext[K - 1] = (uint8_t)i;
		n = unpad(out);
		n_different += n != first;
		assert_false(span_equal(span_of(out, n), span_of(again, first)));
	}
	assert_true(n_different > 10);
	ciphertext[K - 1] = 0;
}

static void test_sizes(void **state)
{
	size_t n;

	(void)state;
	assert_true(unpad_pkcs1(span_of(block, 63), span_of(ciphertext, 63), digest, out, &n) < 0);
	assert_true(unpad_pkcs1(span_of(block, K), span_of(ciphertext, K + 1), digest, out, &n) < 0);
}

/* The whole operation: OpenSSL encrypts, we decrypt; a bit flipped in the ciphertext still "works". */
static void test_operation(void **state)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	struct operation_decrypt d = { .how = { .padding = KEYD_PAD_PKCS1 } };
	static const uint8_t none[1024];
	static uint8_t result[2048], result_again[2048];
	const struct operation_out room = { result, sizeof result };
	EVP_PKEY_CTX *ctx;
	size_t n = sizeof ciphertext, n_out, n_again;

	(void)state;
	assert_int_equal(key_generate(&key, KEY_RSA_2048), 0);
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	assert_true(EVP_PKEY_encrypt_init(ctx) > 0);
	assert_true(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0);
	assert_true(EVP_PKEY_encrypt(ctx, ciphertext, &n, (const uint8_t *)"content", 7) > 0);
	EVP_PKEY_CTX_free(ctx);
	d.ciphertext = span_of(ciphertext, n);
	assert_int_equal(operation_decrypt(key, &d, room, &n_out), 0);
	assert_true(span_is(span_of(result, n_out), "content"));
	/* Nothing is left of the block. */
	assert_memory_equal(result + 1024, none, sizeof none);

	ciphertext[n - 1] ^= 1;
	assert_int_equal(operation_decrypt(key, &d, room, &n_out), 0);
	assert_false(span_is(span_of(result, n_out), "content"));
	assert_int_equal(operation_decrypt(key, &d,
				 (struct operation_out){ result_again, sizeof result_again },
				 &n_again),
		0);
	assert_true(span_equal(span_of(result_again, n_again), span_of(result, n_out)));
	/* Not below the modulus, and not of its size: everybody can see that. */
	memset(ciphertext, 0xFF, n);
	assert_int_equal(operation_decrypt(key, &d, room, &n_out), KEYD_E_FAILED);
	d.ciphertext.n--;
	assert_int_equal(operation_decrypt(key, &d, room, &n_out), KEYD_E_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_synthetic_varies),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_operation),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("unpad", tests, NULL, NULL);
}
