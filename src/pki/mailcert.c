/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* One certificate is put together, signed, and then looked at as others would: the signature by the
 * issuer's public key, the names by its constraints. */

#include "pki/mailcert.h"

#include "base/limit.h"
#include "pki/altname.h"
#include "pki/authority.h"
#include "pki/build.h"
#include "pki/constraint.h"
#include "pki/key.h"
#include "pki/name.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>

CLEANUP_POINTER(ASN1_BIT_STRING, ASN1_BIT_STRING_free)
CLEANUP_POINTER(ASN1_OCTET_STRING, ASN1_OCTET_STRING_free)
CLEANUP_POINTER(AUTHORITY_INFO_ACCESS, AUTHORITY_INFO_ACCESS_free)
CLEANUP_POINTER(AUTHORITY_KEYID, AUTHORITY_KEYID_free)
CLEANUP_POINTER(BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free)
CLEANUP_POINTER(CRL_DIST_POINTS, CRL_DIST_POINTS_free)
CLEANUP_POINTER(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free)
CLEANUP_POINTER(GENERAL_NAME, GENERAL_NAME_free)
CLEANUP_POINTER(GENERAL_NAMES, GENERAL_NAMES_free)

enum {
	RSA_BITS_MIN = 2048,
	SERIAL_OCTETS_MIN = 8,  /* CA/B: at least 64 random bits */
	SERIAL_OCTETS_MAX = 20, /* RFC 5280 section 4.1.2.2 */
	COMMON_NAME_MAX = 64,   /* RFC 5280 appendix A.1, ub-common-name, in characters */
	CONSTRAINT_BUDGET = 10000,
};

/* Clocks of those who get the first message differ from ours. */
static const int64_t early_us = (int64_t)10 * 60 * 1000000;
static const int64_t day_us = (int64_t)24 * 3600 * 1000000;

static int refuse(struct why *why, const char *text)
{
	why_set(why, "%s", text);
	return MAILCERT_E_REFUSED;
}

int mailcert_address(struct span address, struct buf *out, struct why *why)
{
	CLEANUP(buf_done) struct buf domain = {};
	struct span local, rest;

	if (address.n > LIMIT_ADDRESS || !span_is_utf8(address) ||
		!altname_split_address(address, &local, &rest) || local.n == 0 ||
		local.n > LIMIT_LOCAL_PART || !name_to_ascii(rest, &domain) ||
		!name_is_dns(buf_span(&domain), false)) {
		why_set(why, "%.*s is not a mail address", (int)span_head(address, LIMIT_ADDRESS).n,
			(const char *)address.p);
		return MAILCERT_E_REFUSED;
	}
	buf_add(out, local);
	buf_add_octet(out, '@');
	for (size_t i = 0; i < buf_size(&domain); i++)
		buf_add_octet(out, octet_lower(buf_span(&domain).p[i]));
	return 0;
}

/* RFC 9598 section 3: SmtpUTF8Mailbox, for local parts that are not ASCII and for those only. */
static int make_utf8_name(struct span address, GENERAL_NAME **ret_name)
{
	CLEANUP(GENERAL_NAME_freep) GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_UTF8STRING *text = ASN1_UTF8STRING_new();
	ASN1_TYPE *value = ASN1_TYPE_new();

	if (!name || !text || !value || !ASN1_STRING_set(text, address.p, (int)address.n)) {
		ASN1_UTF8STRING_free(text);
		ASN1_TYPE_free(value);
		return key_openssl_fault("ASN1_STRING_set");
	}
	ASN1_TYPE_set(value, V_ASN1_UTF8STRING, text);
	if (!GENERAL_NAME_set0_othername(name, OBJ_nid2obj(NID_id_on_SmtpUTF8Mailbox), value)) {
		ASN1_TYPE_free(value);
		return key_openssl_fault("GENERAL_NAME_set0_othername");
	}
	*ret_name = TAKE(name);
	return 0;
}

static int add_address(GENERAL_NAMES *names, struct span address, struct why *why)
{
	CLEANUP(GENERAL_NAME_freep) GENERAL_NAME *name = NULL;
	CLEANUP(buf_done) struct buf text = {};
	struct why form = {};
	int r = mailcert_address(address, &text, why);

	if (r)
		return r;
	if (span_is_ascii(buf_span(&text)))
		TRY(build_name(&name, GEN_EMAIL, buf_span(&text)));
	else
		TRY(make_utf8_name(buf_span(&text), &name));
	if (!altname_is_well_formed(name, &form)) {
		why_set(why, "%.*s is an address that certificates cannot hold", (int)address.n,
			(const char *)address.p);
		return MAILCERT_E_REFUSED;
	}
	if (!sk_GENERAL_NAME_push(names, name))
		return key_openssl_fault("sk_GENERAL_NAME_push");
	(void)TAKE(name);
	return 0;
}

static int add_names(X509 *x, const struct mailcert_order *o, struct why *why)
{
	CLEANUP(GENERAL_NAMES_freep) GENERAL_NAMES *names = GENERAL_NAMES_new();
	/* RFC 5280 section 4.2.1.6: critical where there is no subject. */
	bool critical = X509_NAME_entry_count(X509_get_subject_name(x)) == 0;
	int r = names ? 0 : key_openssl_fault("GENERAL_NAMES_new");

	for (size_t i = 0; !r && i < o->n_addresses; i++)
		r = add_address(names, o->addresses[i], why);
	return r ? r : build_extension(x, NID_subject_alt_name, names, critical);
}

static size_t n_characters(struct span text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += (text.p[i] & 0xC0) != 0x80;
	return n;
}

/* RFC 8550 section 3: addresses stand in subjectAltName, not in an emailAddress of the subject. */
static int set_subject(X509 *x, const struct mailcert_order *o, struct why *why)
{
	struct span name = o->name.n ? o->name : o->addresses[0];

	if (!span_is_utf8(name))
		return refuse(why, "the name is not UTF-8");
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] < ' ' || name.p[i] == 0x7F)
			return refuse(why, "the name has control characters");
	}
	if (n_characters(name) > COMMON_NAME_MAX && o->name.n)
		return refuse(why, "the name has more than 64 characters");
	if (n_characters(name) <= COMMON_NAME_MAX &&
		!X509_NAME_add_entry_by_NID(X509_get_subject_name(x), NID_commonName, MBSTRING_UTF8,
			name.p, (int)name.n, -1, 0))
		return key_openssl_fault("X509_NAME_add_entry_by_NID");
	return 0;
}

static int set_validity(X509 *x, const struct mailcert_order *o, struct why *why)
{
	int64_t from_us = o->now_us - early_us, till_us;

	if (from_us < cert_not_before_us(o->issuer))
		from_us = cert_not_before_us(o->issuer);
	till_us = from_us + o->days * day_us - 1000000;
	if (till_us > cert_not_after_us(o->issuer))
		till_us = cert_not_after_us(o->issuer);
	if (o->now_us < from_us || till_us <= o->now_us)
		return refuse(why, "the authority's own certificate is not valid now: renew it"
				   " (ca refresh)");
	return build_validity(x, from_us, till_us);
}

/* RFC 8550 section 4.4.2, and the CA/B profile: RSA keys sign and encipher keys, EC keys sign and
 * agree on keys. */
static int add_usage(X509 *x, const struct mailcert_order *o, const EVP_PKEY *public)
{
	static const int rsa[] = { USAGE_DIGITAL_SIGNATURE, USAGE_KEY_ENCIPHERMENT, -1 };
	static const int ec[] = { USAGE_DIGITAL_SIGNATURE, USAGE_KEY_AGREEMENT, -1 };
	static const int mail[] = { NID_email_protect, NID_undef };
	static const int login[] = { NID_email_protect, NID_client_auth, NID_undef };
	CLEANUP(ASN1_BIT_STRING_freep) ASN1_BIT_STRING *usage = NULL;
	CLEANUP(EXTENDED_KEY_USAGE_freep) EXTENDED_KEY_USAGE *extended = NULL;

	TRY(build_usage(&usage, key_is_rsa(public) ? rsa : ec));
	TRY(build_extended_usage(&extended, o->client_auth ? login : mail));
	TRY(build_extension(x, NID_key_usage, usage, true));
	return build_extension(x, NID_ext_key_usage, extended, false);
}

static int add_authority_key(X509 *x, const struct cert *issuer)
{
	CLEANUP(AUTHORITY_KEYID_freep) AUTHORITY_KEYID *id = NULL;

	TRY(build_authority_key(&id, issuer));
	return build_extension(x, NID_authority_key_identifier, id, false);
}

static int add_access_to(AUTHORITY_INFO_ACCESS *list, int method, struct span url)
{
	ACCESS_DESCRIPTION *access;

	if (!url.n)
		return 0;
	access = ACCESS_DESCRIPTION_new();
	if (!access || !sk_ACCESS_DESCRIPTION_push(list, access)) {
		ACCESS_DESCRIPTION_free(access);
		return key_openssl_fault("ACCESS_DESCRIPTION_new");
	}
	ASN1_OBJECT_free(access->method);
	access->method = OBJ_nid2obj(method);
	GENERAL_NAME_free(access->location);
	access->location = NULL;
	return build_name(&access->location, GEN_URI, url);
}

/* RFC 5280 section 4.2.2.1. */
static int add_access(X509 *x, const struct mailcert_order *o)
{
	CLEANUP(AUTHORITY_INFO_ACCESS_freep)
	AUTHORITY_INFO_ACCESS *list = AUTHORITY_INFO_ACCESS_new();

	if (!o->ocsp_url.n && !o->issuer_url.n)
		return 0;
	if (!list)
		return key_openssl_fault("AUTHORITY_INFO_ACCESS_new");
	TRY(add_access_to(list, NID_ad_OCSP, o->ocsp_url));
	TRY(add_access_to(list, NID_ad_ca_issuers, o->issuer_url));
	return build_extension(x, NID_info_access, list, false);
}

/* RFC 5280 section 4.2.1.13: a full name; whose list it is the issuer says. */
static int add_points(X509 *x, struct span url)
{
	CLEANUP(CRL_DIST_POINTS_freep) CRL_DIST_POINTS *points = CRL_DIST_POINTS_new();
	CLEANUP(GENERAL_NAME_freep) GENERAL_NAME *name = NULL;
	DIST_POINT *point = DIST_POINT_new();

	if (!points || !point || !sk_DIST_POINT_push(points, point)) {
		DIST_POINT_free(point);
		return key_openssl_fault("DIST_POINT_new");
	}
	TRY(build_name(&name, GEN_URI, url));
	point->distpoint = DIST_POINT_NAME_new();
	if (!point->distpoint || !(point->distpoint->name.fullname = GENERAL_NAMES_new()) ||
		!sk_GENERAL_NAME_push(point->distpoint->name.fullname, name))
		return key_openssl_fault("DIST_POINT_NAME_new");
	(void)TAKE(name);
	point->distpoint->type = 0;
	return build_extension(x, NID_crl_distribution_points, points, false);
}

/* RFC 8551 section 2.5.2 in a certificate (RFC 4262): what the person's mail program (ours) reads,
 * best first, so that the first message already is encrypted well. RFC 5084 section 3 and RFC 3565
 * section 4.1: no parameters. */
static int add_capabilities(X509 *x)
{
	static const uint8_t der[] = {
		0x30, 0x34, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01,
		0x2e, /* 256-GCM */
		0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01,
		0x06, /* 128-GCM */
		0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01,
		0x2a, /* 256-CBC */
		0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01,
		0x02, /* 128-CBC */
	};
	CLEANUP(ASN1_OCTET_STRING_freep) ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension = NULL;
	bool ok = octets && ASN1_OCTET_STRING_set(octets, der, sizeof der);

	if (ok)
		extension = X509_EXTENSION_create_by_NID(NULL, NID_SMIMECapabilities, 0, octets);
	ok = extension && X509_add_ext(x, extension, -1);
	X509_EXTENSION_free(extension);
	return ok ? 0 : key_openssl_fault("X509_add_ext");
}

static int check_key(const EVP_PKEY *key, struct why *why)
{
	if (key_is_ec(key) ||
		(EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= RSA_BITS_MIN &&
			key_is_bounded(key)))
		return 0;
	return refuse(why, "a key for mail is RSA with 2048 bits or more, or EC");
}

static int check_order(const struct mailcert_order *o, struct why *why)
{
	if (authority_check(o->issuer, why))
		return MAILCERT_E_REFUSED;
	if (o->n_addresses == 0 || o->n_addresses > MAILCERT_ADDRESSES_MAX) {
		why_set(why, "%zu addresses; a certificate has 1 to %d", o->n_addresses,
			MAILCERT_ADDRESSES_MAX);
		return MAILCERT_E_REFUSED;
	}
	if (o->days == 0 || o->days > MAILCERT_DAYS_MAX) {
		why_set(why, "a certificate for %u days; allowed are 1 to %d", o->days,
			MAILCERT_DAYS_MAX);
		return MAILCERT_E_REFUSED;
	}
	if (o->serial.n < SERIAL_OCTETS_MIN || o->serial.n > SERIAL_OCTETS_MAX || !o->serial.p[0] ||
		o->serial.p[0] > 0x7F)
		return refuse(why, "the serial number is not a positive one of 8 to 20 octets");
	return 0;
}

static int fill(X509 *x, const struct mailcert_order *o, EVP_PKEY *public, struct why *why)
{
	CLEANUP(BASIC_CONSTRAINTS_freep) BASIC_CONSTRAINTS *end_entity = BASIC_CONSTRAINTS_new();
	int r;

	if (!X509_set_version(x, X509_VERSION_3) || !X509_set_pubkey(x, public) ||
		!X509_set_issuer_name(x, X509_get_subject_name(cert_x509(o->issuer))))
		return key_openssl_fault("X509_set_pubkey");
	TRY(build_serial(x, o->serial));
	r = set_validity(x, o, why);
	if (!r)
		r = set_subject(x, o, why);
	if (r)
		return r;
	TRY(build_extension(x, NID_basic_constraints, end_entity, true));
	TRY(add_usage(x, o, public));
	r = add_names(x, o, why);
	if (r)
		return r;
	TRY(build_key_identifier(x));
	TRY(add_authority_key(x, o->issuer));
	if (o->crl_url.n)
		TRY(add_points(x, o->crl_url));
	TRY(add_access(x, o));
	return add_capabilities(x);
}

/* What the issuer's name constraints say of it. */
static int check_constraints(const struct mailcert_order *o, struct cert *cert, struct why *why)
{
	CLEANUP(verdict_done) struct verdict verdict = {};
	struct cert *below[] = { cert };
	size_t budget = CONSTRAINT_BUDGET;
	const struct finding *error;

	constraint_check(o->issuer, 1, below, 1, &budget, &verdict);
	error = verdict_error(&verdict);
	if (!error)
		return 0;
	why_set(why, "the authority may not issue this: %s; a name that the domain has got since is covered"
		     " once the authority is made anew (ca refresh)", error->text);
	return MAILCERT_E_REFUSED;
}

int mailcert_make(struct cert **ret_cert, const struct mailcert_order *o, struct why *why)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *public = NULL;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	CLEANUP(X509_freep) X509 *x = X509_new();
	EVP_PKEY *issuer_key = X509_get0_pubkey(cert_x509(o->issuer));
	int r = check_order(o, why);

	if (!r)
		r = key_from_spki(&public, o->spki, why);
	if (!r)
		r = check_key(public, why);
	if (r)
		return r < 0 ? r : MAILCERT_E_REFUSED;
	if (!x)
		return key_openssl_fault("X509_new");
	r = fill(x, o, public, why);
	if (r)
		return r;
	if (X509_sign(x, o->signer, key_digest(issuer_key)) <= 0)
		return key_openssl_fault("X509_sign");
	if (X509_verify(x, issuer_key) != 1)
		return key_openssl_fault("X509_verify");
	TRY(cert_from_x509(&cert, x, why));
	r = check_constraints(o, cert, why);
	if (r)
		return r;
	*ret_cert = TAKE(cert);
	return 0;
}

int64_t mailcert_renewal_us(const struct cert *c, uint64_t jitter)
{
	int64_t from_us = cert_not_before_us(c);
	int64_t life_us = cert_not_after_us(c) - from_us;
	int64_t early = life_us / 20;

	return from_us + life_us / 3 * 2 - (early ? (int64_t)(jitter % (uint64_t)early) : 0);
}

size_t mailcert_addresses(const struct cert *c, struct span ret_addresses[static MAILCERT_ADDRESSES_MAX])
{
	const GENERAL_NAMES *names = cert_alt_names(c);
	size_t n = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && n < MAILCERT_ADDRESSES_MAX; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		struct span address;

		if (name->type == GEN_EMAIL)
			ret_addresses[n++] = altname_text(name);
		else if (altname_is_utf8_mailbox(name, &address))
			ret_addresses[n++] = address;
	}
	return n;
}
