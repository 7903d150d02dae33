/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The certificate a domain serves before it has a better one. It is an end entity (CA:FALSE): whoever
 * trusts it trusts one server, not an authority. The signer may be a key that keyd holds, so the
 * certificate is given the plain public key (keyd/provider.h says why).
 */

#include "pki/selfsign.h"

#include "pki/build.h"
#include "pki/key.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

CLEANUP_POINTER(GENERAL_NAMES, GENERAL_NAMES_free)
CLEANUP_POINTER(ASN1_BIT_STRING, ASN1_BIT_STRING_free)
CLEANUP_POINTER(BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free)
CLEANUP_POINTER(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free)

enum { DAYS_MAX = 3650 };

static const int64_t day_us = (int64_t)24 * 3600 * 1000000;

static int check_days(unsigned days, struct why *why)
{
	if (days && days <= DAYS_MAX)
		return 0;
	why_set(why, "a certificate for %u days; allowed are 1 to %d", days, DAYS_MAX);
	return SELFSIGN_E_REFUSED;
}

static int set_serial(X509 *x)
{
	uint8_t serial[BUILD_SERIAL_OCTETS];

	build_random_serial(serial);
	return build_serial(x, span_of(serial, sizeof serial));
}

static int set_subject(X509 *x, const struct subject *subject)
{
	X509_NAME *name = X509_get_subject_name(x);

	TRY(subject_add_to(subject, name));
	if (!X509_set_issuer_name(x, name))
		return key_openssl_fault("X509_set_issuer_name");
	return 0;
}

static int set_validity(X509 *x, int64_t now_us, unsigned days)
{
	return build_validity(x, now_us, now_us + days * day_us);
}

static int add_names(X509 *x, const struct subject *subject)
{
	CLEANUP(GENERAL_NAMES_freep) GENERAL_NAMES *names = NULL;
	/* RFC 5280 section 4.2.1.6: critical where there is no subject. */
	bool critical = X509_NAME_entry_count(X509_get_subject_name(x)) == 0;

	TRY(subject_alt_names(subject, &names));
	return build_extension(x, NID_subject_alt_name, names, critical);
}

static int add_usage(X509 *x, const EVP_PKEY *key)
{
	CLEANUP(ASN1_BIT_STRING_freep) ASN1_BIT_STRING *usage = NULL;
	CLEANUP(EXTENDED_KEY_USAGE_freep) EXTENDED_KEY_USAGE *extended = NULL;

	TRY(subject_server_usage(key, &usage, &extended));
	TRY(build_extension(x, NID_key_usage, usage, true));
	return build_extension(x, NID_ext_key_usage, extended, false);
}

int selfsign_make(struct cert **ret_cert, const struct selfsign *s, struct why *why)
{
	CLEANUP(BASIC_CONSTRAINTS_freep) BASIC_CONSTRAINTS *end_entity = BASIC_CONSTRAINTS_new();
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *public = NULL;
	/* Without a property query of its own: its signer need not be in the default provider. */
	CLEANUP(X509_freep) X509 *x = X509_new();
	int r = check_days(s->days, why);

	if (!r)
		r = subject_check(&s->subject, NULL, why);
	if (r)
		return r;
	TRY(key_from_spki(&public, s->spki, why));
	if (!x || !X509_set_version(x, X509_VERSION_3) || !X509_set_pubkey(x, public))
		return key_openssl_fault("X509_set_pubkey");
	TRY(set_serial(x));
	TRY(set_subject(x, &s->subject));
	TRY(set_validity(x, s->now_us, s->days));
	TRY(build_extension(x, NID_basic_constraints, end_entity, true));
	TRY(add_usage(x, public));
	TRY(add_names(x, &s->subject));
	TRY(build_key_identifier(x));
	if (X509_sign(x, s->signer, key_digest(public)) <= 0)
		return key_openssl_fault("X509_sign");
	TRY(cert_from_x509(ret_cert, x, why));
	return 0;
}

static unsigned days_of(const struct cert *c)
{
	int64_t days = (cert_not_after_us(c) - cert_not_before_us(c) + day_us - 1) / day_us;

	return days < 1 ? 1 : days > DAYS_MAX ? DAYS_MAX : (unsigned)days;
}

int selfsign_renew(struct cert **ret_cert, const struct selfsign_refresh *s, struct why *why)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *public = NULL;
	CLEANUP(X509_freep) X509 *x = NULL;
	unsigned days = s->days ? s->days : days_of(s->old);
	const uint8_t *der;

	if (check_days(days, why))
		return SELFSIGN_E_REFUSED;
	if (!cert_is_self_signed(s->old) || !cert_has_key(s->old, s->spki)) {
		why_set(why, "only a certificate that its own key has signed can be refreshed; for this"
			" one a new one is asked of its authority");
		return SELFSIGN_E_REFUSED;
	}
	TRY(key_from_spki(&public, s->spki, why));
	/* Read anew, without a property query of its own, as above. */
	der = cert_der(s->old).p;
	x = d2i_X509(NULL, &der, (long)cert_der(s->old).n);
	if (!x)
		return key_openssl_fault("d2i_X509");
	if (s->new_serial)
		TRY(set_serial(x));
	TRY(set_validity(x, s->now_us, days));
	if (X509_sign(x, s->signer, key_digest(public)) <= 0)
		return key_openssl_fault("X509_sign");
	TRY(cert_from_x509(ret_cert, x, why));
	return 0;
}
