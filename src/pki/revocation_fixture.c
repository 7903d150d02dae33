/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/revocation_fixture.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

static void require(bool condition, const char *what)
{
	if (condition)
		return;
	(void)fprintf(stderr, "revocation fixture: %s\n", what);
	ERR_print_errors_fp(stderr);
	abort();
}

static ASN1_TIME *time_of(int64_t us)
{
	ASN1_TIME *t = ASN1_TIME_adj(NULL, (time_t)(us / 1000000), 0, 0);

	require(t, "ASN1_TIME_adj");
	return t;
}

/* A critical extension of an arc that is nobody's. */
static X509_EXTENSION *unknown_extension(void)
{
	ASN1_OBJECT *object = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *e;

	require(object && value && ASN1_OCTET_STRING_set(value, (const uint8_t *)"\5\0", 2) == 1,
		"extension");
	e = X509_EXTENSION_create_by_OBJ(NULL, object, 1, value);
	require(e, "X509_EXTENSION_create_by_OBJ");
	ASN1_OBJECT_free(object);
	ASN1_OCTET_STRING_free(value);
	return e;
}

static void add_revoked(X509_CRL *crl, const struct cert *cert, const struct crl_order *o)
{
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_TIME *when = time_of(o->this_us);

	require(entry && X509_REVOKED_set_serialNumber(entry,
				 X509_get_serialNumber(cert_x509(cert))) == 1 &&
			X509_REVOKED_set_revocationDate(entry, when) == 1,
		"X509_REVOKED");
	if (o->entry_critical) {
		X509_EXTENSION *e = unknown_extension();

		require(X509_REVOKED_add_ext(entry, e, -1) == 1, "X509_REVOKED_add_ext");
		X509_EXTENSION_free(e);
	}
	require(X509_CRL_add0_revoked(crl, entry) == 1, "X509_CRL_add0_revoked");
	ASN1_TIME_free(when);
}

static void add_integer(X509_CRL *crl, int nid, int64_t number, bool critical)
{
	ASN1_INTEGER *n = ASN1_INTEGER_new();

	require(n && ASN1_INTEGER_set_int64(n, number) == 1 &&
			X509_CRL_add1_ext_i2d(crl, nid, n, critical, 0) == 1,
		"number");
	ASN1_INTEGER_free(n);
}

static void add_extensions(X509_CRL *crl, const struct crl_order *o)
{
	if (o->number >= 0)
		add_integer(crl, NID_crl_number, o->number, o->number_critical);
	if (o->delta)
		add_integer(crl, NID_delta_crl, 1, true);
	if (o->point) {
		X509V3_CTX ctx;
		X509_EXTENSION *e;

		X509V3_set_ctx(&ctx, cert_x509(o->authority->cert), NULL, NULL, crl, 0);
		e = X509V3_EXT_conf_nid(NULL, &ctx, NID_issuing_distribution_point, o->point);
		require(e && X509_CRL_add_ext(crl, e, -1) == 1, o->point);
		X509_EXTENSION_free(e);
	}
	if (o->critical) {
		X509_EXTENSION *e = unknown_extension();

		require(X509_CRL_add_ext(crl, e, -1) == 1, "X509_CRL_add_ext");
		X509_EXTENSION_free(e);
	}
}

void crl_make(const struct crl_order *o, struct buf *out)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *from = time_of(o->this_us), *till = time_of(o->next_us);
	uint8_t *der = NULL;
	int n;

	require(crl && X509_CRL_set_version(crl, o->version_1 ? 0 : 1) == 1 &&
			X509_CRL_set_issuer_name(crl,
				X509_get_subject_name(cert_x509(o->authority->cert))) == 1 &&
			X509_CRL_set1_lastUpdate(crl, from) == 1,
		"X509_CRL");
	if (o->next_us)
		require(X509_CRL_set1_nextUpdate(crl, till) == 1, "nextUpdate");
	for (size_t i = 0; i < 4 && o->revoked[i]; i++)
		add_revoked(crl, o->revoked[i], o);
	if (!o->version_1)
		add_extensions(crl, o);
	(void)X509_CRL_sort(crl);
	require(X509_CRL_sign(crl, o->authority->key, o->digest ? o->digest : EVP_sha256()) > 0,
		"X509_CRL_sign");
	n = i2d_X509_CRL(crl, &der);
	require(n > 0, "i2d_X509_CRL");
	buf_add(out, span_of(der, (size_t)n));
	OPENSSL_free(der);
	ASN1_TIME_free(from);
	ASN1_TIME_free(till);
	X509_CRL_free(crl);
}

static void add_single(OCSP_BASICRESP *basic, const struct ocsp_order *o)
{
	OCSP_CERTID *id = OCSP_cert_to_id(o->id_digest ? o->id_digest : EVP_sha1(),
		cert_x509(o->subject), cert_x509(o->issuer));
	ASN1_TIME *from = time_of(o->this_us), *till = o->next_us ? time_of(o->next_us) : NULL;
	OCSP_SINGLERESP *single;

	require(id, "OCSP_cert_to_id");
	single = OCSP_basic_add1_status(basic, id, o->status, 1, from, from, till);
	require(single, "OCSP_basic_add1_status");
	if (o->single_critical) {
		X509_EXTENSION *e = unknown_extension();

		require(OCSP_SINGLERESP_add_ext(single, e, -1) == 1, "OCSP_SINGLERESP_add_ext");
		X509_EXTENSION_free(e);
	}
	OCSP_CERTID_free(id);
	ASN1_TIME_free(from);
	ASN1_TIME_free(till);
}

static OCSP_BASICRESP *basic_of(const struct ocsp_order *o)
{
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();

	require(basic, "OCSP_BASICRESP_new");
	add_single(basic, o);
	if (o->twice)
		add_single(basic, o);
	if (o->critical) {
		X509_EXTENSION *e = unknown_extension();

		require(OCSP_BASICRESP_add_ext(basic, e, -1) == 1, "OCSP_BASICRESP_add_ext");
		X509_EXTENSION_free(e);
	}
	require(OCSP_basic_sign(basic, cert_x509(o->signer->cert), o->signer->key,
			o->digest ? o->digest : EVP_sha256(), NULL,
			(o->by_key ? OCSP_RESPID_KEY : 0) | (o->with_cert ? 0 : OCSP_NOCERTS)) == 1,
		"OCSP_basic_sign");
	return basic;
}

void ocsp_make(const struct ocsp_order *o, struct buf *out)
{
	OCSP_BASICRESP *basic = o->response_status ? NULL : basic_of(o);
	OCSP_RESPONSE *response = OCSP_response_create(o->response_status, basic);
	uint8_t *der = NULL;
	int n;

	require(response, "OCSP_response_create");
	n = i2d_OCSP_RESPONSE(response, &der);
	require(n > 0, "i2d_OCSP_RESPONSE");
	buf_add(out, span_of(der, (size_t)n));
	OPENSSL_free(der);
	OCSP_RESPONSE_free(response);
	OCSP_BASICRESP_free(basic);
}
