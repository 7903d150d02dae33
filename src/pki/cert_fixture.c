/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/cert_fixture.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { HOUR_S = 3600, YEAR_S = 365 * 24 * 3600 };

static void require(bool condition, const char *what)
{
	if (condition)
		return;
	(void)fprintf(stderr, "certificate fixture: %s\n", what);
	ERR_print_errors_fp(stderr);
	abort();
}

void cert_made_done(struct cert_made *m)
{
	cert_unref(m->cert);
	EVP_PKEY_free(m->key);
	*m = (struct cert_made){};
}

static X509_NAME *name_of(const char *text)
{
	X509_NAME *name = X509_NAME_new();
	struct span rest = span_str(text);

	require(name, "X509_NAME_new");
	while (rest.n) {
		struct span value = span_cut(&rest, ',');
		struct span type = span_cut(&value, '=');
		char *type_text = span_to_string(type);

		/* Written from the front, as RFC 4514 does: the first is the most specific. */
		require(X509_NAME_add_entry_by_txt(name, type_text, MBSTRING_UTF8, value.p,
				(int)value.n, 0, 0) == 1, text);
		free(type_text);
	}
	return name;
}

static void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;

	if (!value)
		return;
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	require(extension && X509_add_ext(x, extension, -1) == 1, value);
	X509_EXTENSION_free(extension);
}

static void set_times(X509 *x, const struct cert_order *o)
{
	time_t now = time(NULL);
	time_t from = o->from_us ? (time_t)(o->from_us / 1000000) : now - HOUR_S;
	time_t till = o->till_us ? (time_t)(o->till_us / 1000000) : now + YEAR_S;

	require(X509_time_adj(X509_getm_notBefore(x), 0, &from) &&
			X509_time_adj(X509_getm_notAfter(x), 0, &till),
		"validity");
}

struct cert_made cert_make(const struct cert_order *o)
{
	struct cert_made made = { .key = EVP_EC_gen("P-256") };
	X509 *x = X509_new(), *issuer = o->issuer ? cert_x509(o->issuer->cert) : x;
	X509_NAME *subject = name_of(o->subject);
	BIGNUM *serial = BN_new();
	struct why why = {};

	require(made.key && x && serial && BN_rand(serial, 120, BN_RAND_TOP_ONE, 0) == 1 &&
			BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)),
		"certificate");
	require(X509_set_version(x, 2) == 1 && X509_set_pubkey(x, made.key) == 1 &&
			X509_set_subject_name(x, subject) == 1 &&
			X509_set_issuer_name(x, X509_get_subject_name(issuer)) == 1,
		"names");
	set_times(x, o);
	add_extension(x, issuer, NID_basic_constraints,
		o->is_authority ? "critical,CA:TRUE" : "CA:FALSE");
	add_extension(x, issuer, NID_key_usage,
		o->is_authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
	add_extension(x, issuer, NID_subject_key_identifier, "hash");
	if (o->issuer)
		add_extension(x, issuer, NID_authority_key_identifier, "keyid:always");
	add_extension(x, issuer, NID_ext_key_usage, o->usage);
	add_extension(x, issuer, NID_subject_alt_name, o->names);
	add_extension(x, issuer, NID_info_access, o->access);
	add_extension(x, issuer, NID_crl_distribution_points, o->points);
	add_extension(x, issuer, NID_tlsfeature, o->must_staple ? "status_request" : NULL);
	require(X509_sign(x, o->issuer ? o->issuer->key : made.key, EVP_sha256()) > 0, "X509_sign");
	require(cert_from_x509(&made.cert, x, &why) == 0, why.text);
	X509_free(x);
	X509_NAME_free(subject);
	BN_free(serial);
	return made;
}
