/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The tables agree with OpenSSL's objects, and say of each algorithm what the standard does. */

#include "smime/cipher.h"

#include "base/test.h"

#include <openssl/evp.h>
#include <openssl/objects.h>

static void assert_oid(int nid, const char *expected)
{
	char oid[80];

	OBJ_obj2txt(oid, sizeof oid, OBJ_nid2obj(nid), 1);
	assert_string_equal(oid, expected);
}

static void ciphers(void **state)
{
	const struct cipher *c;

	(void)state;
	for (size_t i = 0; (c = cipher_at(i)); i++) {
		assert_ptr_equal(cipher_by_name(span_str(c->name)), c);
		assert_ptr_equal(cipher_by_nid(c->nid), c);
		if (c->nid == NID_rc2_64_cbc || c->nid == NID_rc2_40_cbc)
			assert_string_equal(c->oid, cipher_by_nid(NID_rc2_cbc)->oid);
		else if (c->nid == NID_des_cbc)
			assert_oid(NID_des_cbc, c->oid);
		else
			assert_oid(c->nid, c->oid);
		assert_int_equal(c->is_authenticated, strstr(c->name, "gcm") != NULL);
		assert_int_equal(c->is_weak, strncmp(c->name, "aes", 3) != 0);
		/* Old mail only. */
		if (strncmp(c->name, "rc2", 3) == 0 || strcmp(c->name, "des") == 0)
			assert_false(c->may_write);
	}
	assert_ptr_equal(cipher_by_name(SPAN("AES-256-CBC")), cipher_by_nid(NID_aes_256_cbc));
	assert_null(cipher_by_name(SPAN("aes-256")));
	assert_null(cipher_by_name(SPAN("")));
	assert_null(cipher_by_nid(NID_undef));
}

/* An AlgorithmIdentifier of RC2 with that version and an initial vector of n octets. */
static const struct cipher *rc2(long version, int n)
{
	static unsigned char iv[16];
	X509_ALGOR *algorithm = X509_ALGOR_new();
	ASN1_TYPE *parameter = ASN1_TYPE_new();
	const struct cipher *c;

	ASN1_TYPE_set_int_octetstring(parameter, version, iv, n);
	X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_rc2_cbc), V_ASN1_SEQUENCE,
		ASN1_STRING_dup(parameter->value.sequence));
	c = cipher_of_algorithm(algorithm);
	ASN1_TYPE_free(parameter);
	X509_ALGOR_free(algorithm);
	return c;
}

static void algorithms(void **state)
{
	X509_ALGOR *algorithm = X509_ALGOR_new();

	(void)state;
	assert_string_equal(rc2(58, 8)->name, "rc2-128");
	assert_string_equal(rc2(120, 8)->name, "rc2-64");
	assert_string_equal(rc2(160, 8)->name, "rc2-40");
	assert_null(rc2(57, 8));
	assert_null(rc2(58, 7));
	assert_null(rc2(58, 16));

	X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_aes_128_gcm), V_ASN1_UNDEF, NULL);
	assert_string_equal(cipher_of_algorithm(algorithm)->name, "aes-128-gcm");
	X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_rc2_cbc), V_ASN1_UNDEF, NULL);
	assert_null(cipher_of_algorithm(algorithm));
	X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_camellia_128_cbc), V_ASN1_UNDEF, NULL);
	assert_null(cipher_of_algorithm(algorithm));
	X509_ALGOR_free(algorithm);
}

static void digests(void **state)
{
	const struct smime_digest *d;

	(void)state;
	for (size_t i = 0; (d = smime_digest_at(i)); i++) {
		const EVP_MD *md = EVP_get_digestbynid(d->nid);

		assert_ptr_equal(smime_digest_by_name(span_str(d->name)), d);
		assert_ptr_equal(smime_digest_by_nid(d->nid), d);
		assert_int_equal(EVP_MD_get_size(md) * 8, d->bits);
		assert_false(d->is_weak && d->may_write);
	}
	assert_int_equal(smime_digest_by_name(SPAN("SHA256"))->nid, NID_sha256);
	assert_int_equal(smime_digest_by_name(SPAN("sha1"))->nid, NID_sha1);
	assert_null(smime_digest_by_name(SPAN("sha-25")));
	assert_null(smime_digest_by_name(SPAN("sha--256")));
	assert_null(smime_digest_by_name(SPAN("-sha256")));
	assert_null(smime_digest_by_name(SPAN("sha2566")));
}

static void methods(void **state)
{
	const struct key_method *m;

	(void)state;
	for (size_t i = 0; (m = key_method_at(i)); i++) {
		assert_ptr_equal(key_method_by_name(span_str(m->name)), m);
		assert_ptr_equal(key_method_by_nid(m->nid), m);
		assert_int_equal(m->is_agreement, m->digest_nid != NID_undef);
		assert_false(m->is_weak && m->may_write);
	}
	/* RFC 5753 section 7.1.4. */
	assert_oid(key_method_by_name(SPAN("ecdh-sha256"))->nid, "1.3.132.1.11.1");
	assert_null(key_method_by_name(SPAN("dh")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ciphers),
		cmocka_unit_test(algorithms),
		cmocka_unit_test(digests),
		cmocka_unit_test(methods),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
