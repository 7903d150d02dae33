/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Rules as a list of small functions, each of which adds a finding or none. They ask more than
 * OpenSSL's verifier does in its strict mode; doc/path-validation.md says where that matters. An
 * anchor is trusted by decision: its signature, serial number and dates' encoding are not held
 * against it, but what it may issue is. Those who keep the system's set of authorities have looked
 * at what is in it.
 */

#include "pki/profile.h"

#include "pki/key.h"

#include "base/clock.h"
#include "pki/altname.h"
#include "pki/der.h"
#include "pki/name.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

CLEANUP_POINTER(BIGNUM, BN_free)

enum {
	SERIAL_OCTETS_MAX = 20, /* RFC 5280 section 4.1.2.2 */
	RSA_BITS_MIN = 2048,
	RSA_BITS_MAX = KEY_BITS_MAX,
	RSA_EXPONENT_BITS_MAX = KEY_EXPONENT_BITS_MAX,
	EXTENSIONS_MAX = 100,
	POLICIES_MAX = 200, /* of one certificate: OpenSSL's time grows with their square */
};

struct check {
	const struct path_request *q;
	const struct profile_place *place;
	X509 *x;
	uint32_t flags; /* EXFLAG_ */
	struct verdict *out;
};

#define SAY(c, severity, rule, standard, ...)                                                      \
	verdict_add((c)->out, (severity), (rule), (standard), (c)->place->cert, (c)->place->depth, \
		__VA_ARGS__)
#define FAIL(c, rule, standard, ...) SAY(c, FINDING_ERROR, rule, standard, __VA_ARGS__)
#define WARN(c, rule, standard, ...) SAY(c, FINDING_WARNING, rule, standard, __VA_ARGS__)

bool profile_is_self_issued(const struct cert *cert)
{
	return X509_NAME_cmp(X509_get_subject_name(cert_x509(cert)),
		       X509_get_issuer_name(cert_x509(cert))) == 0;
}

static bool is_ca_place(const struct check *c)
{
	return c->place->depth > 0;
}

static void check_form(const struct check *c)
{
	long version = X509_get_version(c->x);

	if (!der_is_strict(cert_der(c->place->cert)))
		FAIL(c, "encoding", "RFC 5280 4.1", "the certificate is not in DER");
	if (version < X509_VERSION_1 || version > X509_VERSION_3)
		FAIL(c, "version", "RFC 5280 4.1.2.1", "there is no certificate of version %ld",
			version + 1);
	else if (version != X509_VERSION_3 && X509_get_ext_count(c->x) > 0)
		FAIL(c, "version", "RFC 5280 4.1.2.1",
			"a certificate of version %ld has extensions", version + 1);
	else if (version != X509_VERSION_3 && !c->place->anchor)
		FAIL(c, "version", "RFC 5280 6.1.4", "version %ld is not accepted, only version 3",
			version + 1);
}

static void check_serial(const struct check *c)
{
	const ASN1_STRING *serial = (const ASN1_STRING *)X509_get0_serialNumber(c->x);
	bool excused = c->place->anchor && is_ca_place(c);
	enum finding_severity severity = excused ? FINDING_WARNING : FINDING_ERROR;
	int n = ASN1_STRING_length(serial);

	if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER)
		SAY(c, severity, "serial", "RFC 5280 4.1.2.2", "the serial number is negative");
	else if (n == 0 || (n == 1 && ASN1_STRING_get0_data(serial)[0] == 0))
		SAY(c, severity, "serial", "RFC 5280 4.1.2.2", "the serial number is zero");
	/* The limit is of the encoding: a set first bit costs an octet. */
	else if (n > SERIAL_OCTETS_MAX ||
		 (n == SERIAL_OCTETS_MAX && ASN1_STRING_get0_data(serial)[0] & 0x80))
		SAY(c, severity, "serial", "RFC 5280 4.1.2.2",
			"the serial number has more than %d octets", SERIAL_OCTETS_MAX);
}

static void check_subject(const struct check *c)
{
	if (X509_NAME_entry_count(X509_get_issuer_name(c->x)) == 0)
		FAIL(c, "issuer", "RFC 5280 4.1.2.4", "the certificate names no issuer");
	if (X509_NAME_entry_count(X509_get_subject_name(c->x)) > 0)
		return;
	if (is_ca_place(c) || c->flags & EXFLAG_CA)
		FAIL(c, "subject", "RFC 5280 4.1.2.6",
			"an authority's certificate names no subject");
	else if (!cert_alt_names(c->place->cert))
		FAIL(c, "subject", "RFC 5280 4.1.2.6",
			"the certificate names no subject and has no alternative names");
}

/* RFC 5280 section 4.1.2.5: YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ. */
static bool time_is_strict(const ASN1_TIME *t)
{
	int n = ASN1_STRING_length(t);

	return n == (ASN1_STRING_type(t) == V_ASN1_UTCTIME ? 13 : 15) &&
	       ASN1_STRING_get0_data(t)[n - 1] == 'Z';
}

/* The long form is for 2050 and later, but whoever reads takes either. */
static bool time_has_its_form(const ASN1_TIME *t)
{
	return ASN1_STRING_type(t) == V_ASN1_UTCTIME ||
	       memcmp(ASN1_STRING_get0_data(t), "2050", 4) >= 0;
}

static void check_time_form(const struct check *c, const ASN1_TIME *t)
{
	if (!time_is_strict(t))
		SAY(c, c->place->anchor ? FINDING_WARNING : FINDING_ERROR, "validity-encoding",
			"RFC 5280 4.1.2.5", "the validity is not written as the standard wants");
	else if (!time_has_its_form(t))
		WARN(c, "validity-encoding", "RFC 5280 4.1.2.5",
			"a time before 2050 is written in the form for later times");
}

static void check_time(const struct check *c)
{
	const struct cert *cert = c->place->cert;
	/* A time within a second is that second: the ends are inclusive. */
	int64_t now = c->q->time_us - (c->q->time_us % 1000000 + 1000000) % 1000000;
	CLEANUP(buf_done) struct buf when = {};

	check_time_form(c, X509_get0_notBefore(c->x));
	check_time_form(c, X509_get0_notAfter(c->x));
	if (now < cert_not_before_us(cert)) {
		clock_add_rfc3339(&when, cert_not_before_us(cert));
		FAIL(c, "not-yet-valid", "RFC 5280 4.1.2.5",
			"the certificate is valid from %.*s only", (int)buf_size(&when),
			(const char *)buf_span(&when).p);
	} else if (now > cert_not_after_us(cert)) {
		clock_add_rfc3339(&when, cert_not_after_us(cert));
		FAIL(c, "expired", "RFC 5280 4.1.2.5", "the certificate expired at %.*s",
			(int)buf_size(&when), (const char *)buf_span(&when).p);
	}
}

bool profile_key_is_bounded(const struct cert *cert)
{
	const EVP_PKEY *key = X509_get0_pubkey(cert_x509(cert));

	ERR_clear_error();
	return key && key_is_bounded(key);
}

static void check_rsa(const struct check *c, const EVP_PKEY *key)
{
	CLEANUP(BN_freep) BIGNUM *e = NULL;
	int bits = EVP_PKEY_get_bits(key);

	if (bits < RSA_BITS_MIN)
		FAIL(c, "weak-key", "", "an RSA key of %d bits; at least %d are wanted", bits,
			RSA_BITS_MIN);
	else if (bits > RSA_BITS_MAX)
		FAIL(c, "limit", "", "an RSA key of %d bits; at most %d are accepted", bits,
			RSA_BITS_MAX);
	else if (bits % 8)
		FAIL(c, "weak-key", "", "an RSA key of %d bits, which is not a multiple of 8",
			bits);
	if (!EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) || !BN_is_odd(e) || BN_is_one(e))
		FAIL(c, "weak-key", "", "the RSA key's exponent is not an odd number from 3");
	else if (BN_num_bits(e) > RSA_EXPONENT_BITS_MAX)
		FAIL(c, "limit", "", "the RSA key's exponent has more than %d bits",
			RSA_EXPONENT_BITS_MAX);
}

/* RFC 5480 section 2.1.1: a named curve, never one that is spelt out. */
static void check_ec(const struct check *c, const EVP_PKEY *key)
{
	static const int accepted[] = { NID_X9_62_prime256v1, NID_secp384r1, NID_secp521r1,
		NID_brainpoolP256r1, NID_brainpoolP384r1, NID_brainpoolP512r1 };
	char name[64] = "";
	int named = 1, nid;

	if (EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &named) &&
		named) {
		FAIL(c, "explicit-curve", "RFC 5480 2.1.1",
			"the key's curve is spelt out, not named");
		return;
	}
	(void)EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, name, sizeof name,
		NULL);
	nid = OBJ_txt2nid(name);
	for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
		if (accepted[i] == nid)
			return;
	}
	FAIL(c, "weak-key", "", "keys on the curve %s are not accepted",
		name[0] ? name : "without a name");
}

static void check_key(const struct check *c)
{
	EVP_PKEY *key = X509_get0_pubkey(c->x);

	if (!key)
		FAIL(c, "key", "RFC 5280 4.1.2.7", "the public key is not readable");
	else if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS"))
		check_rsa(c, key);
	else if (EVP_PKEY_is_a(key, "EC"))
		check_ec(c, key);
	else if (!EVP_PKEY_is_a(key, "ED25519") && !EVP_PKEY_is_a(key, "ED448") &&
		 (is_ca_place(c) || !(EVP_PKEY_is_a(key, "X25519") || EVP_PKEY_is_a(key, "X448"))))
		FAIL(c, "weak-key", "", "keys of the kind %s are not accepted",
			EVP_PKEY_get0_type_name(key));
	ERR_clear_error();
}

/* SHA-2 with 256 bits or more; EdDSA has no digest of its own. */
static bool digest_is_accepted(int digest)
{
	return digest == NID_sha256 || digest == NID_sha384 || digest == NID_sha512 ||
	       digest == NID_undef;
}

/* The signature by which an anchor vouches for itself proves nothing and is not asked for. */
static void check_signature_algorithm(const struct check *c)
{
	const X509_ALGOR *outer, *inner = X509_get0_tbs_sigalg(c->x);
	int digest;
	uint32_t flags;

	X509_get0_signature(NULL, &outer, c->x);
	if (X509_ALGOR_cmp(outer, inner) != 0)
		FAIL(c, "signature-algorithm", "RFC 5280 4.1.1.2",
			"the certificate names two different signature algorithms");
	if (c->place->anchor)
		return;
	if (!X509_get_signature_info(c->x, &digest, NULL, NULL, &flags))
		FAIL(c, "signature-algorithm", "RFC 5280 4.1.1.2",
			"the signature algorithm is not known");
	else if (!digest_is_accepted(digest))
		FAIL(c, "weak-signature", "", "the signature rests on %s, which is not accepted",
			OBJ_nid2ln(digest));
	ERR_clear_error();
}

enum { CRITICAL_ANY, CRITICAL_NEVER, CRITICAL_ALWAYS, CRITICAL_SHOULD };
enum { IN_ANY = 0, IN_CA = 1, IN_LEAF = 2 };

/* What is known here. Any other is passed over, or refused where it is critical. */
static const struct extension {
	int nid;
	const char *oid; /* where OpenSSL 3.0 has no name for it */
	const char *name;
	const char *standard;
	int critical;
	int in;
} extensions[] = {
	{ NID_basic_constraints, NULL, "basic constraints", "RFC 5280 4.2.1.9", CRITICAL_ANY,
		IN_ANY },
	{ NID_key_usage, NULL, "key usage", "RFC 5280 4.2.1.3", CRITICAL_ANY, IN_ANY },
	{ NID_ext_key_usage, NULL, "extended key usage", "RFC 5280 4.2.1.12", CRITICAL_ANY,
		IN_ANY },
	{ NID_subject_alt_name, NULL, "alternative names", "RFC 5280 4.2.1.6", CRITICAL_ANY,
		IN_ANY },
	{ NID_issuer_alt_name, NULL, "issuer's alternative names", "RFC 5280 4.2.1.7", CRITICAL_ANY,
		IN_ANY },
	{ NID_subject_key_identifier, NULL, "subject key identifier", "RFC 5280 4.2.1.2",
		CRITICAL_NEVER, IN_ANY },
	{ NID_authority_key_identifier, NULL, "authority key identifier", "RFC 5280 4.2.1.1",
		CRITICAL_NEVER, IN_ANY },
	{ NID_name_constraints, NULL, "name constraints", "RFC 5280 4.2.1.10", CRITICAL_SHOULD,
		IN_CA },
	{ NID_certificate_policies, NULL, "certificate policies", "RFC 5280 4.2.1.4", CRITICAL_ANY,
		IN_ANY },
	{ NID_policy_mappings, NULL, "policy mappings", "RFC 5280 4.2.1.5", CRITICAL_ANY, IN_ANY },
	{ NID_policy_constraints, NULL, "policy constraints", "RFC 5280 4.2.1.11", CRITICAL_ALWAYS,
		IN_ANY },
	{ NID_inhibit_any_policy, NULL, "inhibit anyPolicy", "RFC 5280 4.2.1.14", CRITICAL_ALWAYS,
		IN_ANY },
	{ NID_crl_distribution_points, NULL, "revocation list distribution points",
		"RFC 5280 4.2.1.13", CRITICAL_ANY, IN_ANY },
	{ NID_freshest_crl, NULL, "freshest revocation list", "RFC 5280 4.2.1.15", CRITICAL_NEVER,
		IN_ANY },
	{ NID_info_access, NULL, "authority information access", "RFC 5280 4.2.2.1", CRITICAL_NEVER,
		IN_ANY },
	{ NID_sinfo_access, NULL, "subject information access", "RFC 5280 4.2.2.2", CRITICAL_NEVER,
		IN_ANY },
	{ NID_id_pkix_OCSP_noCheck, NULL, "OCSP no check", "RFC 6960 4.2.2.2.1", CRITICAL_ANY,
		IN_ANY },
	{ NID_undef, "2.5.29.56", "no revocation available", "RFC 9608 2", CRITICAL_NEVER,
		IN_LEAF },
};

static const struct extension *extension_find(const ASN1_OBJECT *object)
{
	int nid = OBJ_obj2nid(object);
	char oid[32] = "";

	(void)OBJ_obj2txt(oid, sizeof oid, object, 1);
	for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++) {
		const struct extension *e = &extensions[i];

		if (e->oid ? strcmp(e->oid, oid) == 0 : e->nid == nid)
			return e;
	}
	return NULL;
}

static void check_criticality(const struct check *c, const struct extension *e, bool critical)
{
	if (critical && e->critical == CRITICAL_NEVER)
		FAIL(c, "criticality", e->standard, "the extension %s is critical and must not be",
			e->name);
	else if (!critical && e->critical == CRITICAL_ALWAYS)
		FAIL(c, "criticality", e->standard, "the extension %s is not critical and must be",
			e->name);
	else if (!critical && e->critical == CRITICAL_SHOULD)
		WARN(c, "criticality", e->standard,
			"the extension %s is not critical and should be", e->name);
}

/* The value is one that its own syntax and DER have, with nothing behind it. */
static void check_value(const struct check *c, const struct extension *e, X509_EXTENSION *extension)
{
	const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);
	const X509V3_EXT_METHOD *method = X509V3_EXT_get(extension);
	void *read;

	if (!der_is_strict(
		    span_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)))) {
		FAIL(c, "extension-encoding", e->standard, "the extension %s is not in DER",
			e->name);
		return;
	}
	/* Lists have at least one element; what is all defaults is another thing. */
	if (ASN1_STRING_length(value) == 2 && ASN1_STRING_get0_data(value)[0] == DER_SEQUENCE &&
		e->nid != NID_basic_constraints)
		FAIL(c, "extension-encoding", e->standard, "the extension %s is empty", e->name);
	if (!method)
		return;
	read = X509V3_EXT_d2i(extension);
	if (!read)
		FAIL(c, "extension-encoding", e->standard, "the extension %s is not readable",
			e->name);
	else if (method->it)
		ASN1_item_free(read, ASN1_ITEM_ptr(method->it));
	else
		method->ext_free(read);
	ERR_clear_error();
}

static void check_unknown(const struct check *c, const ASN1_OBJECT *object, bool critical)
{
	char oid[128] = "";

	if (!critical)
		return;
	(void)OBJ_obj2txt(oid, sizeof oid, object, 1);
	FAIL(c, "critical-extension", "RFC 5280 4.2",
		"the extension %s is critical and not known here", oid);
}

static bool is_twice(X509 *x, int i)
{
	const ASN1_OBJECT *object = X509_EXTENSION_get_object(X509_get_ext(x, i));

	return X509_get_ext_by_OBJ(x, object, i) >= 0;
}

static void check_extensions(const struct check *c)
{
	int n = X509_get_ext_count(c->x);

	if (n > EXTENSIONS_MAX) {
		FAIL(c, "limit", "", "%d extensions; at most %d are accepted", n, EXTENSIONS_MAX);
		return;
	}
	if (n == 0 && X509_get0_extensions(c->x))
		FAIL(c, "extension-encoding", "RFC 5280 4.1.2.9",
			"the list of extensions is empty");
	for (int i = 0; i < n; i++) {
		X509_EXTENSION *extension = X509_get_ext(c->x, i);
		const ASN1_OBJECT *object = X509_EXTENSION_get_object(extension);
		const struct extension *e = extension_find(object);
		bool critical = X509_EXTENSION_get_critical(extension);

		if (is_twice(c->x, i))
			FAIL(c, "duplicate-extension", "RFC 5280 4.2",
				"an extension is there twice");
		if (!e) {
			check_unknown(c, object, critical);
			continue;
		}
		check_criticality(c, e, critical);
		check_value(c, e, extension);
		if (e->in == IN_CA && !(c->flags & EXFLAG_CA))
			FAIL(c, "misplaced-extension", e->standard,
				"the extension %s is for authorities, which this is not", e->name);
		if (e->in == IN_LEAF && c->flags & EXFLAG_CA)
			FAIL(c, "misplaced-extension", e->standard,
				"the extension %s is not for authorities", e->name);
	}
	if (c->flags & EXFLAG_INVALID)
		FAIL(c, "extension-encoding", "RFC 5280 4.2", "an extension is not readable");
}

static bool is_critical(X509 *x, int nid)
{
	int i = X509_get_ext_by_NID(x, nid, -1);

	return i >= 0 && X509_EXTENSION_get_critical(X509_get_ext(x, i));
}

static void check_key_identifiers(const struct check *c)
{
	const ASN1_OCTET_STRING *subject = X509_get0_subject_key_id(c->x);
	const ASN1_OCTET_STRING *authority = X509_get0_authority_key_id(c->x);
	bool has_issuer = X509_get0_authority_issuer(c->x),
	     has_serial = X509_get0_authority_serial(c->x);
	bool has_authority = X509_get_ext_by_NID(c->x, NID_authority_key_identifier, -1) >= 0;

	if (!subject && c->flags & EXFLAG_CA && X509_get_version(c->x) == X509_VERSION_3)
		SAY(c, c->place->built_in ? FINDING_WARNING : FINDING_ERROR,
			"subject-key-identifier", "RFC 5280 4.2.1.2",
			"an authority's certificate has no subject key identifier");
	/* Who issued an anchor is of no interest, but what it says of that is well-formed. */
	if (!authority && X509_get_version(c->x) == X509_VERSION_3 &&
		(has_authority || !(c->place->anchor || profile_is_self_issued(c->place->cert))))
		FAIL(c, "authority-key-identifier", "RFC 5280 4.2.1.1",
			"the certificate does not identify its issuer's key");
	if (authority && subject && cert_is_self_signed(c->place->cert) &&
		ASN1_OCTET_STRING_cmp(authority, subject) != 0)
		FAIL(c, "authority-key-identifier", "RFC 5280 4.2.1.1",
			"the certificate is self-signed and names another key as its issuer's");
	if (has_issuer != has_serial)
		FAIL(c, "authority-key-identifier", "RFC 5280 4.2.1.1",
			"the authority key identifier has one of issuer and serial number, not "
			"both");
}

static void check_alternative_names(const struct check *c)
{
	const GENERAL_NAMES *names = cert_alt_names(c->place->cert);

	if (!names)
		return;
	if (sk_GENERAL_NAME_num(names) == 0)
		FAIL(c, "alternative-name", "RFC 5280 4.2.1.6",
			"the list of alternative names is empty");
	if (X509_NAME_entry_count(X509_get_subject_name(c->x)) == 0 &&
		!is_critical(c->x, NID_subject_alt_name))
		FAIL(c, "criticality", "RFC 5280 4.2.1.6",
			"the alternative names are not critical although there is no subject");
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		struct why why = {};

		if (!altname_is_well_formed(sk_GENERAL_NAME_value(names, i), &why)) {
			FAIL(c, "alternative-name", "RFC 5280 4.2.1.6", "%s", why.text);
			break;
		}
		if (altname_is_suspicious(sk_GENERAL_NAME_value(names, i), &why))
			WARN(c, "mixed-script", "RFC 5890 4.4", "%s", why.text);
	}
}

/* Nothing here takes a common name for a host, but who reads it may (RFC 9525 section 2). */
static void check_common_name(const struct check *c)
{
	const X509_NAME *subject = X509_get_subject_name(c->x);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	uint8_t *utf8 = NULL;
	struct span name;
	int n;

	if (is_ca_place(c) || at < 0)
		return;
	n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	name = span_of(utf8, n > 0 ? (size_t)n : 0);
	if (name_is_dns(name, true) && span_find(name, '.') < name.n &&
		!altname_has_host(c->place->cert, name))
		WARN(c, "common-name", "RFC 9525 2",
			"the common name is a host that is not among the"
			" alternative names");
	OPENSSL_free(utf8);
	ERR_clear_error();
}

/* Basic constraints and key usage, which must agree (RFC 5280 sections 4.2.1.3 and 4.2.1.9). */
static void check_authority(const struct check *c)
{
	uint32_t usage = X509_get_key_usage(c->x);
	bool ca = c->flags & EXFLAG_CA, has_usage = usage != UINT32_MAX;

	if (has_usage && usage == 0)
		FAIL(c, "key-usage", "RFC 5280 4.2.1.3", "the key usage is empty");
	if (!ca && has_usage && usage & KU_KEY_CERT_SIGN && !(c->place->anchor && !is_ca_place(c)))
		FAIL(c, "key-usage", "RFC 5280 4.2.1.9",
			"the key usage says that it signs certificates, the basic constraints do "
			"not");
	if (ca && has_usage && !(usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) && !c->place->anchor)
		FAIL(c, "key-usage", "RFC 5280 4.2.1.3",
			"an authority whose key signs neither certificates nor revocation lists");
	if (!ca && c->flags & EXFLAG_BCONS && X509_get_pathlen(c->x) >= 0)
		FAIL(c, "basic-constraints", "RFC 5280 4.2.1.9",
			"a path length without an authority");
	/* Section 6.1.4 asks intermediates for the extension only; a root should be well made. */
	if (ca && !is_critical(c->x, NID_basic_constraints) && is_ca_place(c))
		SAY(c, c->place->anchor ? FINDING_ERROR : FINDING_WARNING, "criticality",
			"RFC 5280 4.2.1.9", "an authority's basic constraints are not critical");
	if (!is_ca_place(c) || (c->place->anchor && X509_get_version(c->x) != X509_VERSION_3))
		return;
	if (!ca)
		FAIL(c, "basic-constraints", "RFC 5280 6.1.4",
			"the certificate is not an authority's");
	if (has_usage && !(usage & KU_KEY_CERT_SIGN))
		FAIL(c, "key-usage", "RFC 5280 6.1.4", "the key is not for signing certificates");
}

static const struct usage {
	unsigned usage;
	unsigned flag;
	const char *name;
} usages[] = {
	{ TRUST_SERVER, XKU_SSL_SERVER, "servers" },
	{ TRUST_CLIENT, XKU_SSL_CLIENT, "clients" },
	{ TRUST_MAIL, XKU_SMIME, "mail" },
	{ PATH_CODE_SIGNING, XKU_CODE_SIGN, "signing code" },
	{ PATH_TIME_STAMPING, XKU_TIMESTAMP, "time stamps" },
	{ PATH_OCSP_SIGNING, XKU_OCSP_SIGN, "OCSP answers" },
	{ PATH_ANY_USAGE, XKU_ANYEKU, "anything" },
};

/* An authority that restricts its use restricts what it issues. Who trusts an anchor for some
 * purposes and not for others has decided, whatever the anchor says. "Anything" names neither
 * servers nor clients (RFC 5280 leaves that to us; TLS libraries want the name) nor time stamps
 * (RFC 3161 section 2.3) nor OCSP (RFC 6960 section 4.2.2.2), where an authority's restriction does
 * not reach. */
static void check_extended_usage(const struct check *c)
{
	enum { EXACT = TRUST_SERVER | TRUST_CLIENT | PATH_TIME_STAMPING | PATH_OCSP_SIGNING };
	unsigned trusted = c->place->trusted_for;
	uint32_t allowed = X509_get_extended_key_usage(c->x);

	if (!(c->flags & EXFLAG_XKUSAGE) || (c->place->anchor && trusted != TRUST_ALL_PURPOSES))
		return;
	for (size_t i = 0; i < sizeof usages / sizeof usages[0]; i++) {
		const struct usage *u = &usages[i];
		bool exact = u->usage & EXACT && !is_ca_place(c);

		if (!(c->q->purposes & u->usage) || allowed & u->flag ||
			(allowed & XKU_ANYEKU && !exact))
			continue;
		if (!(u->usage == PATH_OCSP_SIGNING && is_ca_place(c)))
			FAIL(c, "extended-key-usage", "RFC 5280 4.2.1.12",
				is_ca_place(c) ? "the authority issues no certificates for %s"
					       : "the certificate is not for %s",
				u->name);
	}
}

static void check_key_usage(const struct check *c)
{
	uint32_t usage = X509_get_key_usage(c->x);

	if (!is_ca_place(c) && usage != UINT32_MAX && (usage & c->q->key_usage) != c->q->key_usage)
		FAIL(c, "key-usage", "RFC 5280 4.2.1.3",
			"the key is not for what it is wanted for");
}

static void check_policies(const struct check *c)
{
	CERTIFICATEPOLICIES *policies = X509_get_ext_d2i(c->x, NID_certificate_policies, NULL,
		NULL);
	POLICY_MAPPINGS *mappings = X509_get_ext_d2i(c->x, NID_policy_mappings, NULL, NULL);

	if (sk_POLICYINFO_num(policies) > POLICIES_MAX ||
		sk_POLICY_MAPPING_num(mappings) > POLICIES_MAX)
		FAIL(c, "limit", "", "more than %d policies or mappings of policies", POLICIES_MAX);
	CERTIFICATEPOLICIES_free(policies);
	sk_POLICY_MAPPING_pop_free(mappings, POLICY_MAPPING_free);
	ERR_clear_error();
}

bool profile_has_no_revocation(const struct cert *cert)
{
	X509 *x = cert_x509(cert);

	for (int i = 0; i < X509_get_ext_count(x); i++) {
		const struct extension *e = extension_find(
			X509_EXTENSION_get_object(X509_get_ext(x, i)));

		if (e && e->oid && strcmp(e->oid, "2.5.29.56") == 0)
			return !(X509_get_extension_flags(x) & EXFLAG_CA);
	}
	return false;
}

/* RFC 9608 section 2: nor may the certificate say where that information is. */
static void check_no_revocation(const struct check *c)
{
	static const int others[] = { NID_crl_distribution_points, NID_freshest_crl };

	if (!profile_has_no_revocation(c->place->cert))
		return;
	for (size_t i = 0; i < 2; i++) {
		if (X509_get_ext_by_NID(c->x, others[i], -1) >= 0)
			FAIL(c, "no-revocation", "RFC 9608 2",
				"no revocation is available, yet the certificate says where it is");
	}
}

void profile_check(const struct path_request *q, const struct profile_place *place,
	struct verdict *out)
{
	static void (*const rules[])(const struct check *c) = {
		check_form,
		check_serial,
		check_subject,
		check_time,
		check_key,
		check_signature_algorithm,
		check_extensions,
		check_key_identifiers,
		check_alternative_names,
		check_common_name,
		check_authority,
		check_key_usage,
		check_extended_usage,
		check_policies,
		check_no_revocation,
	};
	X509 *x = cert_x509(place->cert);
	const struct check c = { q, place, x, X509_get_extension_flags(x), out };

	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
		rules[i](&c);
}
