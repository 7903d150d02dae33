/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What the rest of Signet does with keys, with keys that keyd holds, for each kind: handshakes on
 * either side, certificates, requests, revocation lists, CMS; verified by local code. And what must
 * not work: getting the private half out.
 */

#include "keyd/provider.h"

#include "keyd/testing.h"
#include "pki/cert.h"
#include "pki/selfsign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those four before it. */
#include <cmocka.h>
#include <openssl/cms.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>

enum { N_KINDS = 5 };

static struct kind {
	const char *name;
	EVP_PKEY *remote;
	EVP_PKEY *public;
	struct keyd_key *key;
	struct buf spki;
	struct cert *cert;
} kinds[N_KINDS] = {
	{ .name = "rsa:2048" },
	{ .name = "ec:p256" },
	{ .name = "ec:p384" },
	{ .name = "ed25519" },
	{ .name = "rsa-pss:2048" },
};

static struct testing keyd;

#define each_kind(k) for (struct kind *k = kinds; k < kinds + N_KINDS; k++)

static bool is_pss(const struct kind *k)
{
	return k == &kinds[4];
}

static void make_pss(struct keyd_made *made)
{
	EVP_PKEY *local = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", "provider=default");
	CLEANUP(secret_done) struct secret pkcs8 = {};

	assert_true(EVP_PKEY_keygen_init(ctx) > 0);
	assert_true(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048) > 0);
	assert_true(EVP_PKEY_generate(ctx, &local) > 0);
	assert_int_equal(key_to_pkcs8(local, &pkcs8), 0);
	assert_int_equal(keyd_wrap(keyd.client, secret_span(&pkcs8), SPAN("domain:1"), KEYD_SMIME,
				 made),
		0);
	EVP_PKEY_free(local);
	EVP_PKEY_CTX_free(ctx);
}

static void make_cert(struct kind *k)
{
	const struct span names[] = { SPAN("mail.example.org") };
	const struct selfsign s = {
		.signer = k->remote,
		.spki = buf_span(&k->spki),
		.subject = { .common_name = SPAN("mail.example.org"), .names = names, .n_names = 1 },
		.now_us = (int64_t)time(NULL) * 1000000,
		.days = 30,
	};
	struct why why = {};

	if (selfsign_make(&k->cert, &s, &why))
		fail_msg("%s: %s %s", k->name, why.text, err_last_trace());
}

static int setup(void **state)
{
	(void)state;
	testing_start(&keyd, KEYD_DOMAIN, 2);
	assert_int_equal(provider_load(), 0);
	each_kind(k) {
		struct keyd_made made = {};
		enum key_type type;

		if (key_type_parse(span_str(k->name), &type))
			assert_int_equal(keyd_generate(keyd.client, type, SPAN("domain:1"), KEYD_SMIME,
						 &made),
				0);
		else
			make_pss(&made);
		k->key = keyd_key_new(keyd.client, buf_span(&made.wrapped), span_str(made.key_id),
			SPAN("domain:1"), KEYD_SMIME);
		k->spki = made.spki;
		made.spki = (struct buf){};
		keyd_made_done(&made);
		assert_int_equal(provider_key(&k->remote, k->key, buf_span(&k->spki)), 0);
		assert_int_equal(key_from_spki(&k->public, buf_span(&k->spki), NULL), 0);
		make_cert(k);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	each_kind(k) {
		EVP_PKEY_free(k->remote);
		EVP_PKEY_free(k->public);
		keyd_key_unref(k->key);
		buf_done(&k->spki);
		cert_unref(k->cert);
	}
	testing_done(&keyd);
	provider_unload();
	return 0;
}

static void assert_reason(const char *text)
{
	struct why why = {};

	key_openssl_why(&why, "it failed");
	if (!strstr(why.text, text))
		fail_msg("reason is '%s'", why.text);
}

/* TLS in memory. */

static void check_ssl(int r, const char *what, const char *name)
{
	if (r != 1)
		fail_msg("%s %s: %s", name, what, ERR_error_string(ERR_get_error(), NULL));
}

static SSL_CTX *tls_context(const struct kind *k, bool server, int version, bool key_first)
{
	SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

	assert_non_null(ctx);
	assert_true(SSL_CTX_set_min_proto_version(ctx, version));
	assert_true(SSL_CTX_set_max_proto_version(ctx, version));
	if (!k)
		return ctx;
	if (key_first)
		check_ssl(SSL_CTX_use_PrivateKey(ctx, k->remote), "use_PrivateKey", k->name);
	check_ssl(SSL_CTX_use_certificate(ctx, cert_x509(k->cert)), "use_certificate", k->name);
	if (!key_first)
		check_ssl(SSL_CTX_use_PrivateKey(ctx, k->remote), "use_PrivateKey", k->name);
	check_ssl(SSL_CTX_check_private_key(ctx), "check_private_key", k->name);
	return ctx;
}

static void trust(SSL_CTX *ctx, const struct kind *k, int mode)
{
	assert_true(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert_x509(k->cert)));
	/* The certificate is an end entity's and its own anchor, for either purpose here. */
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_purpose(SSL_CTX_get0_param(ctx), X509_PURPOSE_ANY);
	SSL_CTX_set_verify(ctx, mode, NULL);
}

static bool handshake(SSL *client, SSL *server)
{
	int a = 0, b = 0;

	for (int round = 0; round < 20 && (a != 1 || b != 1); round++) {
		a = SSL_do_handshake(client);
		if (a != 1 && SSL_get_error(client, a) != SSL_ERROR_WANT_READ)
			return false;
		b = SSL_do_handshake(server);
		if (b != 1 && SSL_get_error(server, b) != SSL_ERROR_WANT_READ)
			return false;
	}
	return a == 1 && b == 1;
}

static bool connect_both(SSL_CTX *client_ctx, SSL_CTX *server_ctx)
{
	SSL *client = SSL_new(client_ctx), *server = SSL_new(server_ctx);
	BIO *one, *other;
	bool ok;

	assert_true(BIO_new_bio_pair(&one, 0, &other, 0));
	SSL_set_bio(client, one, one);
	SSL_set_bio(server, other, other);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	ok = handshake(client, server);
	SSL_free(client);
	SSL_free(server);
	return ok;
}

static void test_tls_server(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	each_kind(k) {
		for (int i = 0; i < 4; i++) {
			SSL_CTX *server = tls_context(k, true, versions[i % 2], i / 2);
			SSL_CTX *client = tls_context(NULL, false, versions[i % 2], false);

			trust(client, k, SSL_VERIFY_PEER);
			if (!connect_both(client, server))
				fail_msg("%s TLS 1.%d: %s", k->name, 2 + i % 2,
					ERR_error_string(ERR_get_error(), NULL));
			SSL_CTX_free(server);
			SSL_CTX_free(client);
		}
	}
}

static void test_tls_client(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	each_kind(k) {
		for (int i = 0; i < 2; i++) {
			SSL_CTX *server = tls_context(&kinds[1], true, versions[i], false);
			SSL_CTX *client = tls_context(k, false, versions[i], false);

			trust(client, &kinds[1], SSL_VERIFY_PEER);
			trust(server, k, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
			if (!connect_both(client, server))
				fail_msg("%s TLS 1.%d: %s", k->name, 2 + i,
					ERR_error_string(ERR_get_error(), NULL));
			SSL_CTX_free(server);
			SSL_CTX_free(client);
		}
	}
}

/* A server whose certificate is not trusted must fail here, or the tests above prove nothing. */
static void test_tls_untrusted(void **state)
{
	SSL_CTX *server = tls_context(&kinds[1], true, TLS1_3_VERSION, false);
	SSL_CTX *client = tls_context(NULL, false, TLS1_3_VERSION, false);

	(void)state;
	trust(client, &kinds[0], SSL_VERIFY_PEER);
	assert_false(connect_both(client, server));
	ERR_clear_error();
	SSL_CTX_free(server);
	SSL_CTX_free(client);
}

/* Signed objects. */

static void test_certificate(void **state)
{
	(void)state;
	each_kind(k) {
		assert_true(cert_is_self_signed(k->cert));
		assert_int_equal(X509_verify(cert_x509(k->cert), k->public), 1);
	}
}

static void test_request(void **state)
{
	(void)state;
	each_kind(k) {
		X509_REQ *request = X509_REQ_new();

		assert_true(X509_REQ_set_pubkey(request, k->public));
		assert_true(X509_REQ_sign(request, k->remote, key_digest(k->public)) > 0);
		assert_int_equal(X509_REQ_verify(request, k->public), 1);
		/* Through our own key too: verification is passed on. */
		assert_int_equal(X509_REQ_verify(request, k->remote), 1);
		X509_REQ_free(request);
	}
}

static void test_crl(void **state)
{
	(void)state;
	each_kind(k) {
		X509_CRL *crl = X509_CRL_new();
		ASN1_TIME *now = ASN1_TIME_set(NULL, time(NULL));

		assert_true(X509_CRL_set_version(crl, X509_CRL_VERSION_2));
		assert_true(X509_CRL_set_issuer_name(crl, X509_get_subject_name(cert_x509(k->cert))));
		assert_true(X509_CRL_set1_lastUpdate(crl, now));
		assert_true(X509_CRL_set1_nextUpdate(crl, now));
		assert_true(X509_CRL_sign(crl, k->remote, key_digest(k->public)) > 0);
		assert_int_equal(X509_CRL_verify(crl, k->public), 1);
		ASN1_TIME_free(now);
		X509_CRL_free(crl);
	}
}

/* Message digests and raw signatures, in pieces and at once. */
static void test_digest_sign(void **state)
{
	static const char text[] = "some octets that are signed";

	(void)state;
	each_kind(k) {
		EVP_MD_CTX *sign = EVP_MD_CTX_new(), *verify = EVP_MD_CTX_new();
		uint8_t signature[1024];
		size_t n = 0;

		assert_true(EVP_DigestSignInit(sign, NULL, key_digest(k->public), NULL, k->remote) > 0);
		if (key_is_ed25519(k->public)) {
			n = sizeof signature;
			assert_true(EVP_DigestSign(sign, signature, &n, (const void *)text,
					    sizeof text) > 0);
		} else {
			assert_true(EVP_DigestSignUpdate(sign, text, 4) > 0);
			assert_true(EVP_DigestSignUpdate(sign, text + 4, sizeof text - 4) > 0);
			assert_true(EVP_DigestSignFinal(sign, NULL, &n) > 0);
			assert_true(n <= sizeof signature);
			assert_true(EVP_DigestSignFinal(sign, signature, &n) > 0);
		}
		assert_true(EVP_DigestVerifyInit(verify, NULL, key_digest(k->public), NULL, k->public) > 0);
		assert_int_equal(EVP_DigestVerify(verify, signature, n, (const void *)text, sizeof text),
			1);
		signature[n / 2] ^= 1;
		EVP_MD_CTX_reset(verify);
		assert_true(EVP_DigestVerifyInit(verify, NULL, key_digest(k->public), NULL, k->public) > 0);
		assert_int_not_equal(
			EVP_DigestVerify(verify, signature, n, (const void *)text, sizeof text), 1);
		ERR_clear_error();
		EVP_MD_CTX_free(sign);
		EVP_MD_CTX_free(verify);
	}
}

/* What a key's first signature looked up serves others, but not with another digest; and whatever
 * was found of two keys holds for those two. */
static void test_again(void **state)
{
	static const char *const digests[] = { "SHA256", "SHA384", "SHA256", "SHA512" };
	static const char text[] = "some octets that are signed";

	(void)state;
	each_kind(k) {
		for (size_t i = 0; i < 4 && !key_is_ed25519(k->public); i++) {
			EVP_MD_CTX *sign = EVP_MD_CTX_new(), *verify = EVP_MD_CTX_new();
			const EVP_MD *md = EVP_get_digestbyname(digests[i]);
			uint8_t signature[1024];
			size_t n = sizeof signature;

			if (is_pss(k))
				md = key_digest(k->public);
			assert_true(EVP_DigestSignInit(sign, NULL, md, NULL, k->remote) > 0);
			assert_true(EVP_DigestSign(sign, signature, &n, (const void *)text,
					    sizeof text) > 0);
			assert_true(EVP_DigestVerifyInit(verify, NULL, md, NULL, k->public) > 0);
			assert_int_equal(EVP_DigestVerify(verify, signature, n, (const void *)text,
						 sizeof text), 1);
			EVP_MD_CTX_free(sign);
			EVP_MD_CTX_free(verify);
		}
		for (int i = 0; i < 2; i++) {
			each_kind(other)
				assert_int_equal(EVP_PKEY_eq(k->remote, other->public) == 1,
					k == other);
		}
		ERR_clear_error();
	}
}

/* Ed25519 is sent the whole message, so there is a greatest one. */
static void test_large_message(void **state)
{
	static uint8_t text[KEYD_SIGN_MAX + 1];
	const struct kind *k = &kinds[3];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t signature[64];
	size_t n = sizeof signature;

	(void)state;
	assert_true(EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->remote) > 0);
	assert_true(EVP_DigestSign(ctx, signature, &n, text, KEYD_SIGN_MAX) > 0);
	EVP_MD_CTX_reset(ctx);
	assert_true(EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->public) > 0);
	assert_int_equal(EVP_DigestVerify(ctx, signature, n, text, KEYD_SIGN_MAX), 1);
	EVP_MD_CTX_reset(ctx);
	assert_true(EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->remote) > 0);
	assert_true(EVP_DigestSign(ctx, signature, &n, text, sizeof text) <= 0);
	assert_reason("too much to sign");
	EVP_MD_CTX_free(ctx);
}

/* CMS. */

static const char cms_text[] = "Content-Type: text/plain\r\n\r\nhello\r\n";

static BIO *cms_input(void)
{
	return BIO_new_mem_buf(cms_text, sizeof cms_text - 1);
}

static void assert_text(BIO *out)
{
	char *p;
	long n = BIO_get_mem_data(out, &p);

	assert_int_equal(n, sizeof cms_text - 1);
	assert_memory_equal(p, cms_text, (size_t)n);
}

static void cms_sign_verify(const struct kind *k, unsigned flags, bool pss)
{
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_BINARY);
	BIO *in = cms_input(), *out = BIO_new(BIO_s_mem());
	X509_STORE *store = X509_STORE_new();
	CMS_SignerInfo *signer;

	if (pss)
		flags |= CMS_KEY_PARAM;
	signer = CMS_add1_signer(cms, cert_x509(k->cert), k->remote, key_digest(k->public), flags);
	if (!signer)
		fail_msg("%s: %s", k->name, ERR_error_string(ERR_get_error(), NULL));
	if (pss)
		assert_true(EVP_PKEY_CTX_set_rsa_padding(CMS_SignerInfo_get0_pkey_ctx(signer),
				    RSA_PKCS1_PSS_PADDING) > 0);
	if (!CMS_final(cms, in, NULL, CMS_BINARY))
		fail_msg("%s: %s", k->name, ERR_error_string(ERR_get_error(), NULL));
	assert_true(X509_STORE_add_cert(store, cert_x509(k->cert)));
	X509_VERIFY_PARAM_set_flags(X509_STORE_get0_param(store), X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_purpose(X509_STORE_get0_param(store), X509_PURPOSE_ANY);
	if (CMS_verify(cms, NULL, store, NULL, out, CMS_BINARY) != 1)
		fail_msg("%s: %s", k->name, ERR_error_string(ERR_get_error(), NULL));
	assert_text(out);
	X509_STORE_free(store);
	BIO_free(in);
	BIO_free(out);
	CMS_ContentInfo_free(cms);
}

static void test_cms_sign(void **state)
{
	(void)state;
	each_kind(k) {
		/* OpenSSL 3.0 has no Ed25519 in CMS, for local keys neither. */
		if (key_is_ed25519(k->public))
			continue;
		for (unsigned i = 0; i < 2; i++) {
			unsigned flags = i ? CMS_NOATTR | CMS_BINARY : CMS_BINARY;

			if (!is_pss(k))
				cms_sign_verify(k, flags, false);
			if (key_is_rsa(k->public))
				cms_sign_verify(k, flags, true);
		}
	}
}

enum scheme { PKCS1, OAEP, OAEP_LABEL, ECDH };

static CMS_ContentInfo *cms_encrypt(const struct kind *k, enum scheme scheme)
{
	BIO *in = cms_input();
	CMS_ContentInfo *cms = CMS_encrypt(NULL, in, EVP_aes_256_cbc(), CMS_PARTIAL | CMS_BINARY);
	CMS_RecipientInfo *recipient;
	EVP_PKEY_CTX *ctx;

	recipient = CMS_add1_recipient_cert(cms, cert_x509(k->cert), CMS_KEY_PARAM);
	assert_non_null(recipient);
	ctx = CMS_RecipientInfo_get0_pkey_ctx(recipient);
	if (scheme == OAEP || scheme == OAEP_LABEL) {
		assert_true(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0);
		assert_true(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) > 0);
	}
	if (scheme == OAEP_LABEL)
		assert_true(EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, OPENSSL_strdup("label"), 5) > 0);
	assert_true(CMS_final(cms, in, NULL, CMS_BINARY));
	BIO_free(in);
	return cms;
}

static void cms_round(const struct kind *k, enum scheme scheme)
{
	for (int with_cert = 0; with_cert < 2; with_cert++) {
		CMS_ContentInfo *cms = cms_encrypt(k, scheme);
		BIO *out = BIO_new(BIO_s_mem());

		if (CMS_decrypt(cms, k->remote, with_cert ? cert_x509(k->cert) : NULL, NULL, out,
			    CMS_BINARY) != 1)
			fail_msg("%s scheme %d: %s", k->name, scheme,
				ERR_error_string(ERR_get_error(), NULL));
		assert_text(out);
		BIO_free(out);
		CMS_ContentInfo_free(cms);
	}
}

static void test_cms_decrypt(void **state)
{
	(void)state;
	cms_round(&kinds[0], PKCS1);
	cms_round(&kinds[0], OAEP);
	cms_round(&kinds[0], OAEP_LABEL);
	cms_round(&kinds[1], ECDH);
	cms_round(&kinds[2], ECDH);
}

/* Another RSA key's message: no text, and no crash on what implicit rejection makes of it. */
static void test_cms_decrypt_foreign(void **state)
{
	CMS_ContentInfo *cms = cms_encrypt(&kinds[0], PKCS1);
	struct keyd_made made = {};
	struct keyd_key *key;
	EVP_PKEY *other = NULL;
	BIO *out = BIO_new(BIO_s_mem());
	char *p;

	(void)state;
	assert_int_equal(keyd_generate(keyd.client, KEY_RSA_2048, SPAN("domain:1"), KEYD_SMIME, &made),
		0);
	key = keyd_key_new(keyd.client, buf_span(&made.wrapped), span_str(made.key_id),
		SPAN("domain:1"), KEYD_SMIME);
	assert_int_equal(provider_key(&other, key, buf_span(&made.spki)), 0);
	assert_int_not_equal(CMS_decrypt(cms, other, NULL, NULL, out, CMS_BINARY), 1);
	assert_true(BIO_get_mem_data(out, &p) != sizeof cms_text - 1 ||
		memcmp(p, cms_text, sizeof cms_text - 1) != 0);
	ERR_clear_error();
	EVP_PKEY_free(other);
	keyd_key_unref(key);
	keyd_made_done(&made);
	BIO_free(out);
	CMS_ContentInfo_free(cms);
}

/* Comparing, and not getting the private half. */

static void test_equal(void **state)
{
	(void)state;
	each_kind(k) {
		EVP_PKEY *of_cert = X509_get0_pubkey(cert_x509(k->cert));

		assert_int_equal(EVP_PKEY_eq(k->remote, of_cert), 1);
		assert_int_equal(EVP_PKEY_eq(of_cert, k->remote), 1);
		assert_int_equal(EVP_PKEY_eq(k->remote, k->public), 1);
		assert_int_equal(EVP_PKEY_eq(k->public, k->remote), 1);
		assert_int_equal(X509_check_private_key(cert_x509(k->cert), k->remote), 1);
		each_kind(other) {
			if (other == k)
				continue;
			assert_int_not_equal(EVP_PKEY_eq(k->remote, other->public), 1);
			assert_int_not_equal(EVP_PKEY_eq(other->public, k->remote), 1);
			assert_int_equal(X509_check_private_key(cert_x509(k->cert), other->remote), 0);
		}
	}
	ERR_clear_error();
}

static void test_export_refused(void **state)
{
	(void)state;
	each_kind(k) {
		uint8_t *der = NULL;
		BIO *out = BIO_new(BIO_s_mem());
		OSSL_PARAM *params = NULL;
		PKCS12 *p12;
		BIGNUM *d = NULL;
		uint8_t raw[64];
		size_t n = sizeof raw;
		char *p;

		assert_true(i2d_PrivateKey(k->remote, &der) <= 0);
		assert_null(der);
		ERR_clear_error();
		assert_int_not_equal(PEM_write_bio_PrivateKey(out, k->remote, NULL, NULL, 0, NULL, NULL), 1);
		assert_int_equal(BIO_get_mem_data(out, &p), 0);
		BIO_free(out);
		p12 = PKCS12_create("password", "name", k->remote, cert_x509(k->cert), NULL, 0, 0, 0, 0, 0);
		assert_null(p12);
		assert_null(EVP_PKEY2PKCS8(k->remote));
		assert_int_not_equal(EVP_PKEY_get_bn_param(k->remote, OSSL_PKEY_PARAM_RSA_D, &d), 1);
		assert_int_not_equal(EVP_PKEY_get_bn_param(k->remote, OSSL_PKEY_PARAM_PRIV_KEY, &d), 1);
		assert_int_not_equal(EVP_PKEY_get_raw_private_key(k->remote, raw, &n), 1);
		ERR_clear_error();
		assert_int_not_equal(EVP_PKEY_todata(k->remote, EVP_PKEY_KEYPAIR, &params), 1);
		assert_reason("is kept by keyd");
	}
}

/* The public half may be had, and looks like any other. */
static void test_public_half(void **state)
{
	(void)state;
	each_kind(k) {
		CLEANUP(buf_done) struct buf spki = {};
		CLEANUP(buf_done) struct buf name = {};

		assert_int_equal(key_to_spki(k->remote, &spki), 0);
		assert_true(span_equal(buf_span(&spki), buf_span(&k->spki)));
		key_add_name(k->remote, &name);
		assert_true(span_is(buf_span(&name), k->name));
	}
}

static void test_self_test(void **state)
{
	(void)state;
	each_kind(k) {
		struct why why = {};

		if (key_self_test(k->remote, buf_span(&k->spki), true, &why))
			fail_msg("%s: %s", k->name, why.text);
		assert_string_equal(why.text, "Verification String is OK");
	}
	/* With another's public half it must fail. */
	assert_int_equal(key_self_test(kinds[0].remote, buf_span(&kinds[1].spki), false, NULL),
		KEY_TEST_E_FAILED);
}

/* A DKIM key signs, and that is all. */
static void test_purpose(void **state)
{
	struct keyd_made made = {};
	struct keyd_key *key;
	EVP_PKEY *pkey = NULL;
	struct why why = {};

	(void)state;
	assert_int_equal(keyd_generate(keyd.client, KEY_RSA_2048, SPAN("domain:1"), KEYD_DKIM, &made), 0);
	key = keyd_key_new(keyd.client, buf_span(&made.wrapped), span_str(made.key_id),
		SPAN("domain:1"), KEYD_DKIM);
	assert_int_equal(provider_key(&pkey, key, buf_span(&made.spki)), 0);
	assert_int_equal(key_self_test(pkey, buf_span(&made.spki), false, &why), 0);
	assert_int_equal(key_self_test(pkey, buf_span(&made.spki), true, &why), KEY_TEST_E_FAILED);
	assert_non_null(strstr(why.text, "keyd refuses this use"));
	EVP_PKEY_free(pkey);
	keyd_key_unref(key);
	keyd_made_done(&made);
}

/* Bare RSA would be a decryption oracle under the name of a signature. */
static void test_no_bare_rsa(void **state)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, kinds[0].remote, NULL);
	uint8_t block[256] = { 0, 1, 2, 3 }, out[256];
	size_t n = sizeof out;

	(void)state;
	assert_true(EVP_PKEY_sign_init(ctx) > 0);
	assert_true(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) > 0);
	assert_true(EVP_PKEY_sign(ctx, out, &n, block, sizeof block) <= 0);
	assert_reason("keyd refuses");
	assert_true(EVP_PKEY_decrypt_init(ctx) > 0);
	assert_true(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) > 0);
	n = sizeof out;
	assert_true(EVP_PKEY_decrypt(ctx, out, &n, block, sizeof block) <= 0);
	assert_reason("keyd refuses");
	EVP_PKEY_CTX_free(ctx);
}

/* Without its key derivation function ECDH would give out the shared secret. */
static void test_no_bare_ecdh(void **state)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, kinds[1].remote, NULL);
	EVP_PKEY *local = EVP_PKEY_Q_keygen(NULL, "provider=default", "EC", "P-256"), *peer = NULL;
	CLEANUP(buf_done) struct buf spki = {};
	uint8_t out[64];
	size_t n = sizeof out;

	(void)state;
	assert_int_equal(key_to_spki(local, &spki), 0);
	assert_int_equal(key_from_spki(&peer, buf_span(&spki), NULL), 0);
	assert_true(EVP_PKEY_derive_init(ctx) > 0);
	assert_true(EVP_PKEY_derive_set_peer(ctx, peer) > 0);
	assert_true(EVP_PKEY_derive(ctx, out, &n) <= 0);
	assert_reason("X9.63");
	EVP_PKEY_free(local);
	EVP_PKEY_free(peer);
	EVP_PKEY_CTX_free(ctx);
}

/* keyd dies: signing fails at once and says so; a new one with the same KEK goes on with the same
 * objects. Last, because it restarts keyd. */
static void test_keyd_dies(void **state)
{
	struct why why = {};

	(void)state;
	assert_int_equal(kill(keyd.pid, SIGKILL), 0);
	(void)testing_wait(&keyd);
	each_kind(k) {
		assert_int_equal(key_self_test(k->remote, buf_span(&k->spki), true, &why),
			KEY_TEST_E_FAILED);
		assert_non_null(strstr(why.text, "keyd does not answer"));
	}
	testing_restart(&keyd, 2);
	each_kind(k)
		assert_int_equal(key_self_test(k->remote, buf_span(&k->spki), true, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tls_server),
		cmocka_unit_test(test_tls_client),
		cmocka_unit_test(test_tls_untrusted),
		cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_crl),
		cmocka_unit_test(test_digest_sign),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_large_message),
		cmocka_unit_test(test_cms_sign),
		cmocka_unit_test(test_cms_decrypt),
		cmocka_unit_test(test_cms_decrypt_foreign),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_export_refused),
		cmocka_unit_test(test_public_half),
		cmocka_unit_test(test_self_test),
		cmocka_unit_test(test_purpose),
		cmocka_unit_test(test_no_bare_rsa),
		cmocka_unit_test(test_no_bare_ecdh),
		cmocka_unit_test(test_keyd_dies),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("provider", tests, setup, teardown);
}
