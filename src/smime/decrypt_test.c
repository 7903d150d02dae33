/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Structures that OpenSSL 3.0 does not make: AuthEnvelopedData with authenticated attributes
 * (RFC 5083), and keys that are derived from the one that was sent (RFC 9709). */

#include "smime/read.h"

#include "base/test.h"
#include "smime/smime_fixture.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rsa.h>

static struct people people;

#define HELLO SPAN("Content-Type: text/plain\r\n\r\nHello, Bob.\r\n")
#define DATA  SPAN("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01")
/* aes256-GCM with the nonce 0123456789ab and a tag of 16 octets */
#define GCM                                                                                        \
	SPAN("\x30\x1e\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2e\x30\x11\x04\x0c"                \
	     "0123456789ab"                                                                        \
	     "\x02\x01\x10")
/* id-alg-cek-hkdf-sha256, without its parameter */
#define DERIVED SPAN("\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x03\x1f")
/* contentType is id-data */
#define ATTRIBUTES                                                                                 \
	SPAN("\x30\x18\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03\x31\x0b\x06\x09\x2a\x86\x48"    \
	     "\x86\xf7\x0d\x01\x07\x01")

static int setup(void **state)
{
	(void)state;
	people_make(&people);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	people_done(&people);
	return 0;
}

static void add_tlv(struct buf *out, uint8_t tag, struct span content)
{
	buf_add_octet(out, tag);
	buf_add_octet(out, 0x82);
	buf_add_octet(out, (uint8_t)(content.n >> 8));
	buf_add_octet(out, (uint8_t)content.n);
	buf_add(out, content);
}

static void wrap(struct buf *b, uint8_t tag)
{
	CLEANUP(buf_done) struct buf outer = {};

	add_tlv(&outer, tag, buf_span(b));
	buf_clear(b);
	buf_add(b, buf_span(&outer));
}

/* KeyTransRecipientInfo for Bob, named by his key's identifier. */
static void add_recipient(struct span key, struct buf *out)
{
	CLEANUP(buf_done) struct buf info = {};
	const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(cert_x509(people.bob.cert));
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(people.bob.key, NULL);
	uint8_t encrypted[512];
	size_t n = sizeof encrypted;

	assert_non_null(id);
	assert_int_equal(EVP_PKEY_encrypt_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING), 1);
	assert_int_equal(EVP_PKEY_encrypt(ctx, encrypted, &n, key.p, key.n), 1);
	EVP_PKEY_CTX_free(ctx);
	buf_add(&info, SPAN("\x02\x01\x02"));
	add_tlv(&info, 0x80, span_of(ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id)));
	buf_add(&info, SPAN("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"));
	add_tlv(&info, 0x04, span_of(encrypted, n));
	wrap(&info, 0x30);
	add_tlv(out, 0x31, buf_span(&info));
}

/* AES-256-GCM over HELLO. */
static void encrypt(const uint8_t *key, struct span authenticated, struct buf *out, uint8_t *tag)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t *room = buf_room(out, HELLO.n + 16);
	int n, more;

	assert_int_equal(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key,
				 (const uint8_t *)"0123456789ab"),
		1);
	if (authenticated.n)
		assert_int_equal(
			EVP_EncryptUpdate(ctx, NULL, &n, authenticated.p, (int)authenticated.n), 1);
	assert_int_equal(EVP_EncryptUpdate(ctx, room, &n, HELLO.p, (int)HELLO.n), 1);
	assert_int_equal(EVP_EncryptFinal_ex(ctx, room + n, &more), 1);
	buf_added(out, (size_t)(n + more));
	assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag), 1);
	EVP_CIPHER_CTX_free(ctx);
}

/* RFC 9709 section 2. */
static void derive(const uint8_t *key, struct span algorithm, uint8_t *ret_key)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key, 32),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
			(void *)(uintptr_t) "The Cryptographic Message Syntax", 32),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
			(void *)(uintptr_t)algorithm.p, algorithm.n),
		OSSL_PARAM_construct_end(),
	};

	assert_int_equal(EVP_KDF_derive(ctx, ret_key, 32, params), 1);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

struct shape {
	bool has_attributes;
	bool is_derived;    /* says so */
	bool with_sent_key; /* all the same the key that was sent is in use */
	bool changed;       /* the attributes are not those that were authenticated */
};

static void make_message(const struct shape *s, struct buf *out)
{
	uint8_t key[32] = { 1, 2, 3 }, used[32], tag[16];
	CLEANUP(buf_done) struct buf data = {};
	CLEANUP(buf_done) struct buf content = {};
	CLEANUP(buf_done) struct buf algorithm = {};
	CLEANUP(buf_done) struct buf authenticated = {};
	CLEANUP(buf_done) struct buf encrypted = {};
	CLEANUP(buf_done) struct buf info = {};

	memcpy(used, key, sizeof used);
	if (s->is_derived && !s->with_sent_key)
		derive(key, GCM, used);
	if (s->has_attributes) {
		/* DER: the shortest length */
		buf_add_octet(&authenticated, 0x31);
		buf_add_octet(&authenticated, (uint8_t)ATTRIBUTES.n);
		buf_add(&authenticated, ATTRIBUTES);
	}
	encrypt(used, buf_span(&authenticated), &encrypted, tag);
	buf_add(&algorithm, GCM);
	if (s->is_derived) {
		CLEANUP(buf_done) struct buf outer = {};

		buf_add(&outer, DERIVED);
		buf_add(&outer, GCM);
		wrap(&outer, 0x30);
		buf_clear(&algorithm);
		buf_add(&algorithm, buf_span(&outer));
	}
	buf_add(&content, DATA);
	buf_add(&content, buf_span(&algorithm));
	add_tlv(&content, 0x80, buf_span(&encrypted));
	wrap(&content, 0x30);
	buf_add(&data, SPAN("\x02\x01\x00"));
	add_recipient(span_of(key, sizeof key), &data);
	buf_add(&data, buf_span(&content));
	if (s->has_attributes) {
		add_tlv(&data, 0xa1, ATTRIBUTES);
		if (s->changed)
			data.p[data.end - 1] ^= 3;
	}
	add_tlv(&data, 0x04, span_of(tag, sizeof tag));
	wrap(&data, 0x30);
	wrap(&data, 0xa0);
	buf_add(&info, SPAN("\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17"));
	buf_add(&info, buf_span(&data));
	wrap(&info, 0x30);
	buf_add_string(out, "From: alice@example.org\r\n");
	fixture_wrap(buf_span(&info), out);
}

static enum smime_layer_state state_of(const struct shape *shape)
{
	const struct smime_key key = { people.bob.cert, people.bob.key, NULL };
	CLEANUP(buf_done) struct buf m = {};
	struct smime_request q = { .keys = &key, .n_keys = 1, .time_us = people.now_us };
	struct smime_result result;
	enum smime_layer_state state;

	make_message(shape, &m);
	q.message = buf_span(&m);
	assert_int_equal(smime_read(&q, &result), 0);
	assert_int_equal(result.report.n_layers, 1);
	assert_int_equal(result.report.layers[0].kind, SMIME_ENCRYPTED_AUTHENTICATED);
	state = result.report.layers[0].state;
	if (state == SMIME_OPEN)
		assert_true(span_equal(smime_payload(&result), HELLO));
	else
		assert_null(smime_payload(&result).p);
	smime_result_done(&result);
	return state;
}

static void plain_structure(void **state)
{
	(void)state;
	assert_int_equal(state_of(&(struct shape){}), SMIME_OPEN);
}

static void authenticated_attributes(void **state)
{
	(void)state;
	assert_int_equal(state_of(&(struct shape){ .has_attributes = true }), SMIME_OPEN);
	assert_int_equal(state_of(&(struct shape){ .has_attributes = true, .changed = true }),
		SMIME_FAILED);
}

static void derived_keys(void **state)
{
	(void)state;
	assert_int_equal(state_of(&(struct shape){ .is_derived = true }), SMIME_OPEN);
	assert_int_equal(state_of(&(struct shape){ .is_derived = true, .has_attributes = true }),
		SMIME_OPEN);
	/* What was made without derivation is not opened under its name. */
	assert_int_equal(state_of(&(struct shape){ .is_derived = true, .with_sent_key = true }),
		SMIME_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_structure),
		cmocka_unit_test(authenticated_attributes),
		cmocka_unit_test(derived_keys),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
