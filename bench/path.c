/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * bench_path [SECONDS]: what it costs to validate a path of four certificates, with keys on P-256
 * and with RSA keys of 2,048 bits: validations a second, and how many times as long one takes as
 * the three signatures in it alone. The certificates are parsed once, as in a server; parsing has a
 * line too.
 */

#include "pki/path.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "pki/key.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CERTS = 4, BATCH = 20 };

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	(void)fprintf(stderr, "%s failed\n", what);
	exit(1);
}

static void add_extension(X509 *x, X509V3_CTX *ctx, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_nconf_nid(NULL, ctx, nid, value);

	if (!e || !X509_add_ext(x, e, -1))
		die("an extension");
	X509_EXTENSION_free(e);
}

/* i: 0 the leaf, CERTS - 1 the root. */
static struct cert *make(int i, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
	X509 *x = X509_new();
	X509V3_CTX ctx;
	struct cert *cert = NULL;
	char name[32];

	(void)snprintf(name, sizeof name, "Certificate %d", i);
	(void)X509_set_version(x, X509_VERSION_3);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(x), i + 1);
	(void)X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
		(const uint8_t *)name, -1, -1, 0);
	(void)X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
	(void)X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	(void)X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	(void)X509_set_pubkey(x, key);
	X509V3_set_ctx(&ctx, issuer ? issuer : x, x, NULL, NULL, 0);
	add_extension(x, &ctx, NID_subject_key_identifier, "hash");
	if (issuer)
		add_extension(x, &ctx, NID_authority_key_identifier, "keyid:always");
	add_extension(x, &ctx, NID_basic_constraints, i ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_extension(x, &ctx, NID_key_usage,
		i ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
	if (i == 0) {
		add_extension(x, &ctx, NID_ext_key_usage, "serverAuth");
		add_extension(x, &ctx, NID_subject_alt_name, "DNS:mail.example.org");
	}
	if (!X509_sign(x, issuer_key, EVP_sha256()) || cert_from_x509(&cert, x, NULL))
		die("signing");
	X509_free(x);
	return cert;
}

static void make_path(enum key_type type, struct cert *certs[static CERTS])
{
	EVP_PKEY *key = NULL, *issuer_key = NULL;

	for (int i = CERTS - 1; i >= 0; i--) {
		if (key_generate(&key, type))
			die("making a key");
		certs[i] = make(i, key, i + 1 < CERTS ? cert_x509(certs[i + 1]) : NULL,
			issuer_key ? issuer_key : key);
		EVP_PKEY_free(issuer_key);
		issuer_key = key;
		key = NULL;
	}
	EVP_PKEY_free(issuer_key);
}

static void validate(const struct path_request *q)
{
	CLEANUP(verdict_done) struct verdict v = {};

	if (path_validate(q, &v) || !v.valid || v.path.n != CERTS)
		die("validating");
}

static void verify_signatures(struct cert *const certs[static CERTS])
{
	for (size_t i = 0; i + 1 < CERTS; i++) {
		if (X509_verify(cert_x509(certs[i]), X509_get0_pubkey(cert_x509(certs[i + 1]))) !=
			1)
			die("verifying");
	}
}

static void parse(struct cert *const certs[static CERTS])
{
	for (size_t i = 0; i < CERTS; i++) {
		CLEANUP(cert_unrefp) struct cert *cert = NULL;

		if (cert_from_der(&cert, cert_der(certs[i]), NULL))
			die("parsing");
	}
}

static void measure(const char *name, enum key_type type, double seconds)
{
	static const struct path_name host = { PATH_DNS, SPAN("mail.example.org") };
	struct trust *trust = trust_new(TRUST_DOMAIN, NULL);
	struct cert *certs[CERTS];
	const struct cert_list untrusted = { certs + 1, CERTS - 2 };
	struct path_request q = { .untrusted = &untrusted,
		.trust = trust,
		.time_us = clock_now_us(),
		.purposes = TRUST_SERVER,
		.names = &host,
		.n_names = 1 };
	double spent[3] = {}, n = 0, begun;

	make_path(type, certs);
	trust_add(trust, certs[CERTS - 1], TRUST_ALL_PURPOSES);
	q.leaf = certs[0];
	/* In turns, so that what else runs on the machine touches all three alike. */
	for (begun = now(); now() - begun < seconds; n += BATCH) {
		double times[4] = { now() };

		for (int i = 0; i < BATCH; i++)
			validate(&q);
		times[1] = now();
		for (int i = 0; i < BATCH; i++)
			verify_signatures(certs);
		times[2] = now();
		for (int i = 0; i < BATCH; i++)
			parse(certs);
		times[3] = now();
		for (int i = 0; i < 3; i++)
			spent[i] += times[i + 1] - times[i];
	}
	(void)printf("path.%s.validations %.0f /s\n", name, n / spent[0]);
	(void)printf("path.%s.signatures_alone %.0f /s\n", name, n / spent[1]);
	(void)printf("path.%s.over_signatures %.2f x\n", name, spent[0] / spent[1]);
	(void)printf("path.%s.parsing_four %.0f us\n", name, spent[2] / n * 1e6);
	for (size_t i = 0; i < CERTS; i++)
		cert_unref(certs[i]);
	trust_unref(trust);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 3;

	measure("ec_p256", KEY_EC_P256, seconds);
	measure("rsa_2048", KEY_RSA_2048, seconds);
	return 0;
}
