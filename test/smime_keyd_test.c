/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Mail decrypted with keys that keyd holds: what smime/ does with an EVP_PKEY is asked of another
 * process. */

#include "base/test.h"
#include "keyd/provider.h"
#include "keyd/testing.h"
#include "smime/read.h"
#include "smime/smime_fixture.h"

#include <openssl/evp.h>

static struct testing keyd;
static struct people people;

#define HELLO SPAN("Content-Type: text/plain\r\n\r\nHello, Bob.\r\n")

static int setup(void **state)
{
	(void)state;
	testing_start(&keyd, KEYD_DOMAIN, 2);
	if (provider_load())
		return 1;
	people_make(&people);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	people_done(&people);
	testing_done(&keyd);
	provider_unload();
	return 0;
}

/* The person's key, from now on keyd's. */
static EVP_PKEY *remote_key(const struct cert_made *person)
{
	CLEANUP(secret_done) struct secret pkcs8 = {};
	struct keyd_made made = {};
	struct keyd_key *key;
	EVP_PKEY *remote = NULL;

	assert_int_equal(key_to_pkcs8(person->key, &pkcs8), 0);
	assert_int_equal(
		keyd_wrap(keyd.client, secret_span(&pkcs8), SPAN("domain:1"), KEYD_SMIME, &made),
		0);
	key = keyd_key_new(keyd.client, buf_span(&made.wrapped), span_str(made.key_id),
		SPAN("domain:1"), KEYD_SMIME);
	assert_int_equal(provider_key(&remote, key, buf_span(&made.spki)), 0);
	keyd_key_unref(key);
	keyd_made_done(&made);
	return remote;
}

static void decrypt_with(const struct cert_made *person, const struct smime_key *key,
	const EVP_CIPHER *cipher, unsigned flags)
{
	const struct cert_made *const to[] = { &people.alice, person };
	CLEANUP(buf_done) struct buf m = {};
	struct smime_request q = { .keys = key, .n_keys = 1, .time_us = people.now_us };
	struct smime_result result;

	buf_add_string(&m, "From: alice@example.org\r\n");
	fixture_encrypt(HELLO, cipher, flags ? &to[1] : to, flags ? 1 : 2, flags, &m);
	q.message = buf_span(&m);
	assert_int_equal(smime_read(&q, &result), 0);
	assert_int_equal(result.report.status, SMIME_STATUS_ENCRYPTED);
	assert_true(span_equal(smime_payload(&result), HELLO));
	smime_result_done(&result);
}

static void rsa(void **state)
{
	const struct smime_key key = { people.bob.cert, remote_key(&people.bob), NULL };

	(void)state;
	decrypt_with(&people.bob, &key, EVP_aes_256_gcm(), 0);
	decrypt_with(&people.bob, &key, EVP_des_ede3_cbc(), 0);
	decrypt_with(&people.bob, &key, EVP_aes_256_cbc(), FIXTURE_OAEP);
	EVP_PKEY_free(key.key);
}

static void ec(void **state)
{
	const struct smime_key key = { people.carol.cert, remote_key(&people.carol), NULL };

	(void)state;
	decrypt_with(&people.carol, &key, EVP_aes_256_gcm(), 0);
	decrypt_with(&people.carol, &key, EVP_aes_128_cbc(), 0);
	EVP_PKEY_free(key.key);
}

/* Another's key under the certificate's name: the failure is that of any other. */
static void wrong_key(void **state)
{
	const struct cert_made *const to[] = { &people.bob };
	struct cert_made other = people_cert(&people, "CN=Other", "email:other@example.org");
	const struct smime_key key = { people.bob.cert, remote_key(&other), NULL };
	CLEANUP(buf_done) struct buf m = {};
	struct smime_request q = { .keys = &key, .n_keys = 1, .time_us = people.now_us };
	struct smime_result result;

	(void)state;
	fixture_encrypt(HELLO, EVP_aes_256_gcm(), to, 1, 0, &m);
	q.message = buf_span(&m);
	assert_int_equal(smime_read(&q, &result), 0);
	assert_int_equal(result.report.status, SMIME_STATUS_UNREADABLE);
	assert_null(smime_payload(&result).p);
	smime_result_done(&result);
	EVP_PKEY_free(key.key);
	cert_made_done(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rsa),
		cmocka_unit_test(ec),
		cmocka_unit_test(wrong_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
