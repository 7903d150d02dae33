/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Keys: kinds by name, making, reading, writing, trying. Everything asks OpenSSL with
 * "provider=default", so that a local key stays local in a process where keyd's provider is loaded.
 * Reading is strict: one structure, nothing behind it, and only kinds that the rest of Signet works
 * with. How a private key is protected at rest is not decided here.
 */

#include "pki/key.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "base/enc.h"
#include "base/random.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#define PROVIDER "provider=default"

CLEANUP_POINTER(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
CLEANUP_POINTER(EVP_MD_CTX, EVP_MD_CTX_free)
CLEANUP_POINTER(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free)

enum { RSA_BITS_MIN = 1024, RSA_BITS_MAX = 8192, GROUP_NAME = 64 };

static const struct key_row {
	enum key_type type;
	const char *name;
	const char *algorithm;
	unsigned bits;     /* RSA */
	const char *group; /* EC */
} key_rows[] = {
	{ KEY_RSA_2048, "rsa:2048", "RSA", 2048, NULL },
	{ KEY_RSA_3072, "rsa:3072", "RSA", 3072, NULL },
	{ KEY_RSA_4096, "rsa:4096", "RSA", 4096, NULL },
	{ KEY_EC_P256, "ec:p256", "EC", 0, "P-256" },
	{ KEY_EC_P384, "ec:p384", "EC", 0, "P-384" },
	{ KEY_ED25519, "ed25519", "ED25519", 0, NULL },
};

static const struct key_curve {
	const char *group; /* as OpenSSL calls it */
	const char *name;
	const char *text;
} key_curves[] = {
	{ "prime256v1", "ec:p256", "EC P-256" },
	{ "secp384r1", "ec:p384", "EC P-384" },
	{ "secp521r1", "ec:p521", "EC P-521" },
};

enum {
	N_ROWS = sizeof key_rows / sizeof key_rows[0],
	N_CURVES = sizeof key_curves / sizeof key_curves[0]
};

const char *key_type_name(enum key_type type)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (key_rows[i].type == type)
			return key_rows[i].name;
	return NULL;
}

bool key_type_parse(struct span name, enum key_type *ret_type)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		if (!span_is(name, key_rows[i].name))
			continue;
		*ret_type = key_rows[i].type;
		return true;
	}
	return false;
}

int key_generate(EVP_PKEY **ret_key, enum key_type type)
{
	CLEANUP(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	const struct key_row *row = NULL;
	EVP_PKEY *key = NULL;

	for (size_t i = 0; i < N_ROWS; i++)
		if (key_rows[i].type == type)
			row = &key_rows[i];
	if (!row)
		return err_fault(EINVAL, "kind of key");

	ctx = EVP_PKEY_CTX_new_from_name(NULL, row->algorithm, PROVIDER);
	if (!ctx || EVP_PKEY_keygen_init(ctx) <= 0)
		return key_openssl_fault("EVP_PKEY_keygen_init");
	if (row->bits && EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)row->bits) <= 0)
		return key_openssl_fault("EVP_PKEY_CTX_set_rsa_keygen_bits");
	if (row->group && EVP_PKEY_CTX_set_group_name(ctx, row->group) <= 0)
		return key_openssl_fault("EVP_PKEY_CTX_set_group_name");
	if (EVP_PKEY_generate(ctx, &key) <= 0)
		return key_openssl_fault("EVP_PKEY_generate");
	*ret_key = key;
	return 0;
}

static const struct key_curve *key_curve(const EVP_PKEY *key)
{
	char group[GROUP_NAME];
	size_t n;

	if (!EVP_PKEY_get_group_name(key, group, sizeof group, &n))
		return NULL;
	for (size_t i = 0; i < N_CURVES; i++)
		if (strcmp(group, key_curves[i].group) == 0)
			return &key_curves[i];
	return NULL;
}

bool key_is_rsa(const EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS");
}

bool key_is_ec(const EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "EC");
}

bool key_is_ed25519(const EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "ED25519");
}

/* RFC 5480 section 2.1.1: a curve written out in numbers must not be used, not even a known one. */
static bool curve_is_explicit(const EVP_PKEY *key)
{
	int is_explicit = 0;

	return EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
		       &is_explicit) &&
	       is_explicit;
}

int key_check(const EVP_PKEY *key, struct why *why)
{
	int bits = EVP_PKEY_get_bits(key);

	if (key_is_rsa(key)) {
		if (bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX)
			return 0;
		why_set(why, "an RSA key of %d bits; supported are %d to %d", bits, RSA_BITS_MIN,
			RSA_BITS_MAX);
		return KEY_E_KIND;
	}
	if (key_is_ed25519(key) || (key_is_ec(key) && key_curve(key) && !curve_is_explicit(key)))
		return 0;
	ERR_clear_error();
	why_set(why, "a key of a kind that is not supported; supported are RSA, EC on the named "
		     "curves P-256, P-384 and P-521, and Ed25519");
	return KEY_E_KIND;
}

int key_from_spki(EVP_PKEY **ret_key, struct span der, struct why *why)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	const uint8_t *end = der.p;
	int r;

	key = d2i_PUBKEY_ex(NULL, &end, (long)der.n, NULL, PROVIDER);
	if (!key || end != der.p + der.n) {
		key_openssl_why(why, "not a public key");
		return KEY_E_SYNTAX;
	}
	r = key_check(key, why);
	if (r)
		return r;
	*ret_key = TAKE(key);
	return 0;
}

int key_from_pkcs8(EVP_PKEY **ret_key, struct span der, struct why *why)
{
	CLEANUP(PKCS8_PRIV_KEY_INFO_freep) PKCS8_PRIV_KEY_INFO *info = NULL;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	const uint8_t *end = der.p;
	int r;

	info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &end, (long)der.n);
	if (!info || end != der.p + der.n) {
		key_openssl_why(why, "not a PKCS #8 private key");
		return KEY_E_SYNTAX;
	}
	key = EVP_PKCS82PKEY_ex(info, NULL, PROVIDER);
	if (!key) {
		key_openssl_why(why, "the private key cannot be read");
		return KEY_E_SYNTAX;
	}
	r = key_check(key, why);
	if (r)
		return r;
	*ret_key = TAKE(key);
	return 0;
}

int key_to_spki(const EVP_PKEY *key, struct buf *out)
{
	int n = i2d_PUBKEY(key, NULL);
	uint8_t *p;

	if (n <= 0)
		return key_openssl_fault("i2d_PUBKEY");
	p = buf_room(out, (size_t)n);
	if (i2d_PUBKEY(key, &p) != n)
		return key_openssl_fault("i2d_PUBKEY");
	buf_added(out, (size_t)n);
	return 0;
}

int key_to_pkcs8(const EVP_PKEY *key, struct secret *ret_der)
{
	CLEANUP(PKCS8_PRIV_KEY_INFO_freep) PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	struct secret der;
	uint8_t *p;
	int n;

	if (!info)
		return key_openssl_fault("EVP_PKEY2PKCS8");
	n = i2d_PKCS8_PRIV_KEY_INFO(info, NULL);
	if (n <= 0)
		return key_openssl_fault("i2d_PKCS8_PRIV_KEY_INFO");
	der = secret_new((size_t)n);
	p = der.p;
	if (i2d_PKCS8_PRIV_KEY_INFO(info, &p) != n) {
		secret_done(&der);
		return key_openssl_fault("i2d_PKCS8_PRIV_KEY_INFO");
	}
	*ret_der = der;
	return 0;
}

void key_add_name(const EVP_PKEY *key, struct buf *out)
{
	const struct key_curve *curve = key_is_ec(key) ? key_curve(key) : NULL;

	if (key_is_rsa(key))
		buf_add_format(out, "%s:%d", EVP_PKEY_is_a(key, "RSA") ? "rsa" : "rsa-pss",
			EVP_PKEY_get_bits(key));
	else
		buf_add_string(out, curve ? curve->name : "ed25519");
}

void key_add_size_text(const EVP_PKEY *key, struct buf *out)
{
	const struct key_curve *curve = key_is_ec(key) ? key_curve(key) : NULL;
	const char *text = curve ? curve->text : EVP_PKEY_get0_type_name(key);

	if (key_is_ed25519(key))
		text = "Ed25519";
	else if (key_is_rsa(key))
		text = EVP_PKEY_is_a(key, "RSA") ? "RSA" : "RSA-PSS";
	buf_add_format(out, "%s, %d bits", text, EVP_PKEY_get_bits(key));
}

void key_id(struct span spki, char ret_id[static KEY_ID_LENGTH + 1])
{
	CLEANUP(buf_done) struct buf text = {};
	uint8_t digest[SHA256_OCTETS];

	digest_sha256(spki, digest);
	enc_hex(&text, span_of(digest, sizeof digest));
	memcpy(ret_id, buf_span(&text).p, KEY_ID_LENGTH);
	ret_id[KEY_ID_LENGTH] = '\0';
}

bool key_is_bounded(const EVP_PKEY *key)
{
	BIGNUM *e = NULL;
	bool bounded = EVP_PKEY_get_bits(key) <= KEY_BITS_MAX;

	if (bounded && key_is_rsa(key))
		bounded = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) &&
			  BN_num_bits(e) <= KEY_EXPONENT_BITS_MAX;
	BN_free(e);
	ERR_clear_error();
	return bounded;
}

const EVP_MD *key_digest(const EVP_PKEY *key)
{
	char name[GROUP_NAME] = "";

	if (key_is_ed25519(key))
		return NULL;
	if (key_is_ec(key) && EVP_PKEY_get_bits(key) > 256)
		return EVP_sha384();
	/* A key restricted to PSS may name the one digest it allows (RFC 4055 section 3.1). */
	if (EVP_PKEY_is_a(key, "RSA-PSS") &&
		EVP_PKEY_get_default_digest_name((EVP_PKEY *)key, name, sizeof name) > 0 &&
		EVP_get_digestbyname(name))
		return EVP_get_digestbyname(name);
	return EVP_sha256();
}

static int test_signature(EVP_PKEY *key, EVP_PKEY *public, struct span text, struct why *why)
{
	CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *sign = EVP_MD_CTX_new();
	CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *verify = EVP_MD_CTX_new();
	CLEANUP(alloc_freep) uint8_t *signature = NULL;
	size_t n = (size_t)EVP_PKEY_get_size(public);

	signature = alloc_zero(n);
	if (EVP_DigestSignInit(sign, NULL, key_digest(key), NULL, key) <= 0 ||
		EVP_DigestSign(sign, signature, &n, text.p, text.n) <= 0) {
		key_openssl_why(why, "the private key does not sign");
		return KEY_TEST_E_FAILED;
	}
	if (EVP_DigestVerifyInit(verify, NULL, key_digest(public), NULL, public) <= 0 ||
		EVP_DigestVerify(verify, signature, n, text.p, text.n) != 1) {
		key_openssl_why(why, "the public key does not verify what the private key signed");
		return KEY_TEST_E_FAILED;
	}
	return 0;
}

static int test_encryption(EVP_PKEY *key, EVP_PKEY *public, struct span text, struct why *why)
{
	CLEANUP(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *to = NULL;
	CLEANUP(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *from = NULL;
	CLEANUP(alloc_freep) uint8_t *sealed = alloc_zero((size_t)EVP_PKEY_get_size(public));
	CLEANUP(alloc_freep) uint8_t *opened = alloc_zero((size_t)EVP_PKEY_get_size(public));
	size_t n = (size_t)EVP_PKEY_get_size(public), n_opened = n;

	to = EVP_PKEY_CTX_new_from_pkey(NULL, public, PROVIDER);
	from = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	if (!to || EVP_PKEY_encrypt_init(to) <= 0 ||
		EVP_PKEY_CTX_set_rsa_padding(to, RSA_PKCS1_OAEP_PADDING) <= 0 ||
		EVP_PKEY_encrypt(to, sealed, &n, text.p, text.n) <= 0) {
		key_openssl_why(why, "the public key does not encrypt");
		return KEY_TEST_E_FAILED;
	}
	if (!from || EVP_PKEY_decrypt_init(from) <= 0 ||
		EVP_PKEY_CTX_set_rsa_padding(from, RSA_PKCS1_OAEP_PADDING) <= 0 ||
		EVP_PKEY_decrypt(from, opened, &n_opened, sealed, n) <= 0 ||
		!span_equal(span_of(opened, n_opened), text)) {
		key_openssl_why(why,
			"the private key does not decrypt what the public key encrypted");
		return KEY_TEST_E_FAILED;
	}
	return 0;
}

int key_self_test(EVP_PKEY *key, struct span spki, bool decrypts, struct why *why)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *public = NULL;
	uint8_t text[32];
	int r;

	TRY(key_from_spki(&public, spki, why));
	random_fill(text, sizeof text);
	r = test_signature(key, public, span_of(text, sizeof text), why);
	if (!r && decrypts && EVP_PKEY_is_a(key, "RSA"))
		r = test_encryption(key, public, span_of(text, sizeof text), why);
	if (!r)
		why_set(why, "Verification String is OK");
	return r;
}

void key_openssl_why(struct why *why, const char *what)
{
	/* The newest entry is the outermost call's; an empty queue happens (some failures leave
	 * none). */
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	if (reason)
		why_set(why, "%s: %s", what, reason);
	else
		why_set(why, "%s", what);
	ERR_clear_error();
}

int key_openssl_fault_at(const char *what, const char *function, int line)
{
	struct why why;

	key_openssl_why(&why, what);
	return err_fault_at(EIO, why.text, function, line);
}
