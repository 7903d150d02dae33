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
				(int)value.n, 0, 0) == 1,
			text);
		free(type_text);
	}
	return name;
}

static void add_extension(X509 *x, X509 *issuer, const char *name, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;

	if (!value)
		return;
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	extension = X509V3_EXT_conf(NULL, &ctx, name, value);
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

static bool is_among(const struct cert_order *o, int nid)
{
	for (size_t i = 0; i < sizeof o->more / sizeof o->more[0] && o->more[i].name; i++) {
		if (OBJ_txt2nid(o->more[i].name) == nid)
			return true;
	}
	return false;
}

static void add_extensions(X509 *x, X509 *issuer, const struct cert_order *o)
{
	const struct {
		int nid;
		const char *value;
	} usual[] = {
		{ NID_basic_constraints, o->is_authority ? "critical,CA:TRUE" : "CA:FALSE" },
		{ NID_key_usage, o->is_authority ? "critical,keyCertSign,cRLSign"
						 : "critical,digitalSignature" },
		{ NID_subject_key_identifier, "hash" },
		{ NID_authority_key_identifier, o->issuer ? "keyid:always" : NULL },
		{ NID_ext_key_usage, o->usage },
		{ NID_subject_alt_name, o->names },
		{ NID_info_access, o->access },
		{ NID_crl_distribution_points, o->points },
		{ NID_tlsfeature, o->must_staple ? "status_request" : NULL },
	};

	for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
		if (!is_among(o, usual[i].nid))
			add_extension(x, issuer, OBJ_nid2sn(usual[i].nid), usual[i].value);
	}
	for (size_t i = 0; i < sizeof o->more / sizeof o->more[0] && o->more[i].name; i++)
		add_extension(x, issuer, o->more[i].name, o->more[i].value);
}

static EVP_PKEY *make_key(const struct cert_order *o)
{
	if (o->use_key && EVP_PKEY_up_ref(o->use_key))
		return o->use_key;
	if (!o->key)
		return EVP_EC_gen("P-256");
	require(strncmp(o->key, "rsa:", 4) == 0, o->key);
	return EVP_RSA_gen((unsigned)atoi(o->key + 4));
}

static void set_serial(X509 *x, long number)
{
	ASN1_INTEGER *serial = X509_get_serialNumber(x);
	BIGNUM *random = BN_new();

	if (number)
		require(ASN1_INTEGER_set_int64(serial, number) == 1, "serial number");
	else
		require(random && BN_rand(random, 120, BN_RAND_TOP_ONE, 0) == 1 &&
				BN_to_ASN1_INTEGER(random, serial),
			"serial number");
	BN_free(random);
}

struct cert_made cert_make(const struct cert_order *o)
{
	struct cert_made made = { .key = make_key(o) };
	X509 *x = X509_new(), *issuer = o->issuer ? cert_x509(o->issuer->cert) : x;
	const EVP_MD *digest = o->digest ? EVP_get_digestbyname(o->digest) : EVP_sha256();
	X509_NAME *subject = name_of(o->subject);
	struct why why = {};

	require(made.key && x && X509_set_version(x, 2) == 1 && X509_set_pubkey(x, made.key) == 1 &&
			X509_set_subject_name(x, subject) == 1 &&
			X509_set_issuer_name(x, X509_get_subject_name(issuer)) == 1,
		"certificate");
	set_serial(x, o->serial);
	set_times(x, o);
	add_extensions(x, issuer, o);
	require(X509_sign(x, o->issuer ? o->issuer->key : made.key, digest) > 0, "X509_sign");
	require(cert_from_x509(&made.cert, x, &why) == 0, why.text);
	X509_free(x);
	X509_NAME_free(subject);
	return made;
}
