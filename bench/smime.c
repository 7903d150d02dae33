/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * bench_smime [SECONDS]: what it costs to read S/MIME: a detached signature with a chain of three
 * certificates, verified with and without the cache of certificates, beside OpenSSL's CMS_verify
 * over the same octets and with the same root; and decrypting a message of 1 MB, beside
 * CMS_decrypt. In processor time, each figure with its unit.
 */

#include "base/clock.h"
#include "base/enc.h"
#include "mime/word.h"
#include "smime/cert_cache.h"
#include "smime/read.h"
#include "smime/smime_fixture.h"

#include <openssl/cms.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BATCH = 10, BODY = 1 << 20 };

struct bench {
	struct people people;
	struct cert_made middle, signer;
	struct buf entity, der, message; /* what is signed; its signature; both as a mail */
	struct buf encrypted, encrypted_der;
	struct cert_cache *cache;
	X509_STORE *store;
	struct smime_key key;
};

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void need(bool condition, const char *what)
{
	if (condition)
		return;
	(void)fprintf(stderr, "%s failed\n", what);
	exit(1);
}

static void read_message(struct bench *b, struct cert_cache *cache, const struct buf *message,
	enum smime_status expected)
{
	const struct smime_request q = {
		.message = buf_span(message),
		.keys = &b->key,
		.n_keys = 1,
		.trust = b->people.trust,
		.time_us = b->people.now_us,
		.cache = cache,
	};
	struct smime_result result;

	need(smime_read(&q, &result) == 0 && result.report.status == expected, "smime_read");
	smime_result_done(&result);
}

static void verify_cold(struct bench *b)
{
	read_message(b, NULL, &b->message, SMIME_STATUS_SIGNED);
}

static void verify_cached(struct bench *b)
{
	read_message(b, b->cache, &b->message, SMIME_STATUS_SIGNED);
}

static void decrypt_ours(struct bench *b)
{
	read_message(b, b->cache, &b->encrypted, SMIME_STATUS_ENCRYPTED);
}

/* As a program would: from octets to a verdict. */
static void verify_openssl(struct bench *b)
{
	const uint8_t *p = buf_span(&b->der).p;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)buf_size(&b->der));
	BIO *content = BIO_new_mem_buf(buf_span(&b->entity).p, (int)buf_size(&b->entity));

	need(cms && CMS_verify(cms, NULL, b->store, content, NULL, CMS_BINARY) == 1, "CMS_verify");
	BIO_free(content);
	CMS_ContentInfo_free(cms);
}

static void decrypt_openssl(struct bench *b)
{
	const uint8_t *p = buf_span(&b->encrypted_der).p;
	BIO *out = BIO_new(BIO_s_mem());
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)buf_size(&b->encrypted_der));

	need(cms && CMS_decrypt(cms, b->key.key, cert_x509(b->key.cert), NULL, out, 0) == 1,
		"CMS_decrypt");
	CMS_ContentInfo_free(cms);
	BIO_free(out);
}

/* Microseconds a call, of at least so many seconds. */
static double measure(struct bench *b, void (*call)(struct bench *b), double seconds)
{
	double begin = now(), end;
	long n = 0;

	do {
		for (int i = 0; i < BATCH; i++)
			call(b);
		n += BATCH;
		end = now();
	} while (end - begin < seconds);
	return (end - begin) * 1e6 / (double)n;
}

static void add_certs(struct bench *b)
{
	const uint8_t *p = buf_span(&b->der).p;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)buf_size(&b->der));
	unsigned char *der = NULL;
	int n;

	need(cms && CMS_add1_cert(cms, cert_x509(b->middle.cert)) == 1 &&
			CMS_add1_cert(cms, cert_x509(b->people.ca.cert)) == 1,
		"CMS_add1_cert");
	n = i2d_CMS_ContentInfo(cms, &der);
	need(n > 0, "i2d_CMS_ContentInfo");
	buf_clear(&b->der);
	buf_add(&b->der, span_of(der, (size_t)n));
	OPENSSL_free(der);
	CMS_ContentInfo_free(cms);
}

static void make_signed(struct bench *b, const char *key)
{
	struct cert_order order = { .subject = "CN=Middle",
		.is_authority = true,
		.key = key,
		.issuer = &b->people.ca };

	b->middle = cert_make(&order);
	order = (struct cert_order){ .subject = "CN=Alice",
		.names = "email:alice@example.org",
		.usage = "emailProtection",
		.key = key,
		.issuer = &b->middle };
	b->signer = cert_make(&order);
	buf_add_string(&b->entity, "Content-Type: text/plain\r\n\r\nHello\r\n");
	fixture_sign_der(buf_span(&b->entity), &b->signer, FIXTURE_DETACHED, &b->der);
	add_certs(b);
	buf_add_string(&b->message, "From: alice@example.org\r\n");
	fixture_multipart(buf_span(&b->entity), buf_span(&b->der), &b->message);
}

static void make_encrypted(struct bench *b)
{
	const struct cert_made *const to[] = { &b->people.bob };
	CLEANUP(buf_done) struct buf body = {};
	struct span rest;

	buf_add_string(&body, "Content-Type: text/plain\r\n\r\n");
	for (size_t i = 0; i < BODY / 64; i++)
		buf_add_string(&body,
			"It was a dark and stormy night, and the captain said to the:\r\n");
	buf_add_string(&b->encrypted, "From: alice@example.org\r\n");
	fixture_encrypt(buf_span(&body), EVP_aes_256_cbc(), to, 1, 0, &b->encrypted);
	rest = span_skip(buf_span(&b->encrypted),
		span_find_span(buf_span(&b->encrypted), SPAN("\r\n\r\n")) + 4);
	need(enc_base64_decode(&b->encrypted_der, span_trim(rest)), "base64");
	b->key = (struct smime_key){ b->people.bob.cert, b->people.bob.key, NULL };
}

static void print(const char *kind, const char *name, double value, const char *unit)
{
	(void)printf("smime_%s_%s %.1f %s\n", kind, name, value, unit);
}

static void bench_signatures(struct bench *b, const char *kind, const char *key, double seconds)
{
	double cached, cold, openssl;

	make_signed(b, key);
	verify_cached(b);
	cached = measure(b, verify_cached, seconds);
	cold = measure(b, verify_cold, seconds);
	openssl = measure(b, verify_openssl, seconds);
	print(kind, "verify", cached, "us");
	print(kind, "verify_without_cache", cold, "us");
	print(kind, "verify_openssl", openssl, "us");
	print(kind, "verify_speedup", openssl / cached, "x");
	buf_done(&b->entity);
	buf_done(&b->der);
	buf_done(&b->message);
	cert_made_done(&b->middle);
	cert_made_done(&b->signer);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 2, ours, openssl;
	struct bench b = { .cache = cert_cache_new(1000), .store = X509_STORE_new() };

	people_make(&b.people);
	need(b.store && X509_STORE_add_cert(b.store, cert_x509(b.people.ca.cert)) == 1,
		"X509_STORE_add_cert");
	bench_signatures(&b, "ec", NULL, seconds);
	bench_signatures(&b, "rsa", "rsa:2048", seconds);
	make_encrypted(&b);
	ours = measure(&b, decrypt_ours, seconds);
	openssl = measure(&b, decrypt_openssl, seconds);
	print("rsa", "decrypt_1mb", ours, "us");
	print("rsa", "decrypt_1mb_openssl", openssl, "us");
	X509_STORE_free(b.store);
	cert_cache_free(b.cache);
	buf_done(&b.encrypted);
	buf_done(&b.encrypted_der);
	people_done(&b.people);
	return 0;
}
