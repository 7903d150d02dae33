/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The certificate a domain serves before it has a better one. It is an end entity (CA:FALSE): whoever
 * trusts it trusts one server, not an authority. The signer may be a key that keyd holds, so the
 * certificate is given the plain public key (keyd/provider.h says why).
 */

#include "pki/selfsign.h"

#include "base/limit.h"
#include "base/random.h"
#include "pki/key.h"
#include "pki/name.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

CLEANUP_POINTER(GENERAL_NAMES, GENERAL_NAMES_free)
CLEANUP_POINTER(ASN1_OCTET_STRING, ASN1_OCTET_STRING_free)
CLEANUP_POINTER(ASN1_BIT_STRING, ASN1_BIT_STRING_free)
CLEANUP_POINTER(BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free)
CLEANUP_POINTER(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free)
CLEANUP_POINTER(BIGNUM, BN_free)

enum {
	DAYS_MAX = 3650,
	COMMON_NAME_MAX = 64, /* RFC 5280 appendix A.1, ub-common-name */
	SERIAL_OCTETS = 16,
	SERIAL_MAX = 20,      /* RFC 5280 section 4.1.2.2 */
	USAGE_DIGITAL_SIGNATURE = 0,
	USAGE_KEY_ENCIPHERMENT = 2,
};

static int selfsign_check(const struct selfsign *s, struct why *why)
{
	if (s->days == 0 || s->days > DAYS_MAX) {
		why_set(why, "a certificate for %u days; allowed are 1 to %d", s->days, DAYS_MAX);
		return SELFSIGN_E_REFUSED;
	}
	if (s->serial.n > SERIAL_MAX) {
		why_set(why, "a serial number of %zu octets; allowed are %d", s->serial.n, SERIAL_MAX);
		return SELFSIGN_E_REFUSED;
	}
	if (s->n_names == 0 || s->n_names > SELFSIGN_NAMES_MAX) {
		why_set(why, "%zu names; allowed are 1 to %d", s->n_names, SELFSIGN_NAMES_MAX);
		return SELFSIGN_E_REFUSED;
	}
	for (size_t i = 0; i < s->n_names; i++) {
		if (name_is_dns(s->names[i], true))
			continue;
		why_set(why, "'%.*s' is not a DNS name",
			(int)span_head(s->names[i], LIMIT_NAME).n, (const char *)s->names[i].p);
		return SELFSIGN_E_REFUSED;
	}
	return 0;
}

static int set_serial(X509 *x, struct span kept)
{
	CLEANUP(BN_freep) BIGNUM *n = NULL;
	uint8_t random[SERIAL_OCTETS];

	random_fill(random, sizeof random);
	/* RFC 5280 section 4.1.2.2: positive; so neither the sign bit nor all zeros. */
	random[0] = (uint8_t)((random[0] & 0x7F) | 0x40);
	n = kept.n ? BN_bin2bn(kept.p, (int)kept.n, NULL) : BN_bin2bn(random, sizeof random, NULL);
	if (!n || !BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)))
		return key_openssl_fault("BN_to_ASN1_INTEGER");
	return 0;
}

static int set_subject(X509 *x, struct span common_name)
{
	X509_NAME *name = X509_get_subject_name(x);

	if (common_name.n > 0 && common_name.n <= COMMON_NAME_MAX &&
		!X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, common_name.p,
			(int)common_name.n, -1, 0))
		return key_openssl_fault("X509_NAME_add_entry_by_NID");
	if (!X509_set_issuer_name(x, name))
		return key_openssl_fault("X509_set_issuer_name");
	return 0;
}

static int set_validity(X509 *x, int64_t now_us, unsigned days)
{
	time_t now = (time_t)(now_us / 1000000);

	if (!ASN1_TIME_adj(X509_getm_notBefore(x), now, 0, 0) ||
		!ASN1_TIME_adj(X509_getm_notAfter(x), now, (int)days, 0))
		return key_openssl_fault("ASN1_TIME_adj");
	return 0;
}

static int add_extension(X509 *x, int nid, void *value, bool critical)
{
	if (!value || X509_add1_ext_i2d(x, nid, value, critical, X509V3_ADD_DEFAULT) != 1)
		return key_openssl_fault("X509_add1_ext_i2d");
	return 0;
}

static int add_names(X509 *x, const struct selfsign *s)
{
	CLEANUP(GENERAL_NAMES_freep) GENERAL_NAMES *names = GENERAL_NAMES_new();
	/* RFC 5280 section 4.2.1.6: critical where there is no subject. */
	bool critical = X509_NAME_entry_count(X509_get_subject_name(x)) == 0;

	for (size_t i = 0; i < s->n_names; i++) {
		GENERAL_NAME *name = GENERAL_NAME_new();
		ASN1_IA5STRING *text = ASN1_IA5STRING_new();

		if (!name || !text || !ASN1_STRING_set(text, s->names[i].p, (int)s->names[i].n) ||
			!sk_GENERAL_NAME_push(names, name)) {
			ASN1_IA5STRING_free(text);
			GENERAL_NAME_free(name);
			return key_openssl_fault("GENERAL_NAME_new");
		}
		GENERAL_NAME_set0_value(name, GEN_DNS, text);
	}
	return add_extension(x, NID_subject_alt_name, names, critical);
}

static int add_usage(X509 *x, const EVP_PKEY *key)
{
	CLEANUP(ASN1_BIT_STRING_freep) ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
	CLEANUP(EXTENDED_KEY_USAGE_freep) EXTENDED_KEY_USAGE *extended = EXTENDED_KEY_USAGE_new();
	bool enciphers = EVP_PKEY_is_a(key, "RSA");

	if (!usage || !ASN1_BIT_STRING_set_bit(usage, USAGE_DIGITAL_SIGNATURE, 1) ||
		(enciphers && !ASN1_BIT_STRING_set_bit(usage, USAGE_KEY_ENCIPHERMENT, 1)))
		return key_openssl_fault("ASN1_BIT_STRING_set_bit");
	if (!extended || !sk_ASN1_OBJECT_push(extended, OBJ_nid2obj(NID_server_auth)))
		return key_openssl_fault("sk_ASN1_OBJECT_push");
	TRY(add_extension(x, NID_key_usage, usage, true));
	return add_extension(x, NID_ext_key_usage, extended, false);
}

/* RFC 5280 section 4.2.1.2, method (1). */
static int add_key_identifier(X509 *x)
{
	CLEANUP(ASN1_OCTET_STRING_freep) ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n;

	if (!id || !X509_pubkey_digest(x, EVP_sha1(), digest, &n) ||
		!ASN1_OCTET_STRING_set(id, digest, (int)n))
		return key_openssl_fault("X509_pubkey_digest");
	return add_extension(x, NID_subject_key_identifier, id, false);
}

int selfsign_make(struct cert **ret_cert, const struct selfsign *s, struct why *why)
{
	CLEANUP(BASIC_CONSTRAINTS_freep) BASIC_CONSTRAINTS *end_entity = BASIC_CONSTRAINTS_new();
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *public = NULL;
	/* Without a property query of its own: its signer need not be in the default provider. */
	CLEANUP(X509_freep) X509 *x = X509_new();
	int r = selfsign_check(s, why);

	if (r)
		return r;
	TRY(key_from_spki(&public, s->spki, why));
	if (!x || !X509_set_version(x, X509_VERSION_3) || !X509_set_pubkey(x, public))
		return key_openssl_fault("X509_set_pubkey");
	TRY(set_serial(x, s->serial));
	TRY(set_subject(x, s->common_name));
	TRY(set_validity(x, s->now_us, s->days));
	TRY(add_extension(x, NID_basic_constraints, end_entity, true));
	TRY(add_usage(x, public));
	TRY(add_names(x, s));
	TRY(add_key_identifier(x));
	if (X509_sign(x, s->signer, key_digest(public)) <= 0)
		return key_openssl_fault("X509_sign");
	TRY(cert_from_x509(ret_cert, x, why));
	return 0;
}
