/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/subject.h"

#include "base/limit.h"
#include "pki/build.h"
#include "pki/key.h"
#include "pki/name.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>

CLEANUP_POINTER(GENERAL_NAMES, GENERAL_NAMES_free)
CLEANUP_POINTER(ASN1_BIT_STRING, ASN1_BIT_STRING_free)

enum {
	COUNTRY_LETTERS = 2,
	CONTACT_MAX = 255, /* RFC 5280 appendix A.1, ub-emailaddress-length */
};

/* One attribute: where it stands in the structure, and what limits it (RFC 5280 appendix A.1; all of
 * these are 64 or more there, counted in characters). */
struct attribute {
	int nid;
	size_t offset;
	const char *field;
	const char *name;
};

static const struct attribute attributes[] = {
	{ NID_countryName, offsetof(struct subject, country), "country", "country" },
	{ NID_stateOrProvinceName, offsetof(struct subject, state), "state", "state" },
	{ NID_localityName, offsetof(struct subject, city), "city", "city" },
	{ NID_organizationName, offsetof(struct subject, organization), "organization", "organization" },
	{ NID_organizationalUnitName, offsetof(struct subject, unit), "unit", "unit" },
	{ NID_commonName, offsetof(struct subject, common_name), "common_name", "common name" },
	{ NID_pkcs9_emailAddress, offsetof(struct subject, email), "email", "e-mail address" },
};

enum { ATTRIBUTES = sizeof attributes / sizeof attributes[0] };

static struct span attribute_of(const struct subject *s, const struct attribute *a)
{
	return *(const struct span *)(const void *)((const char *)s + a->offset);
}

static size_t characters(struct span text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += (text.p[i] & 0xC0) != 0x80;
	return n;
}

static bool has_control(struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < ' ' || text.p[i] == 0x7F)
			return true;
	}
	return false;
}

static int check_text(const struct attribute *a, struct span text, struct why *why)
{
	if (!span_is_utf8(text) || has_control(text)) {
		why_set(why, "the %s is not a text without control characters", a->name);
		return SUBJECT_E_REFUSED;
	}
	/* A longer common name is left out, and stands among the alternative names. */
	if (a->nid == NID_commonName || a->nid == NID_pkcs9_emailAddress)
		return 0;
	if (characters(text) <= SUBJECT_TEXT_MAX)
		return 0;
	why_set(why, "the %s has more than %d characters", a->name, SUBJECT_TEXT_MAX);
	return SUBJECT_E_REFUSED;
}

static int check_country(struct span country, struct why *why)
{
	if (country.n == 0 || (country.n == COUNTRY_LETTERS && octet_is_alpha(country.p[0]) &&
					octet_is_alpha(country.p[1])))
		return 0;
	why_set(why, "a country is a code of two letters (ISO 3166), e.g. DE");
	return SUBJECT_E_REFUSED;
}

/* It goes into an IA5String: an address of RFC 5321 section 4.1.2 without quoting. */
static int check_email(struct span email, struct why *why)
{
	size_t at = span_find(email, '@');
	bool ok = email.n <= CONTACT_MAX && span_is_ascii(email) && at > 0 &&
		span_find(email, ' ') == email.n && span_find(email, ',') == email.n &&
		name_is_dns(span_skip(email, at + 1), false);

	if (email.n == 0 || ok)
		return 0;
	if (!span_is_ascii(span_head(email, at))) {
		why_set(why, "the contact has letters outside ASCII before the @, which the attribute"
			" emailAddress cannot hold (IA5String, RFC 5280 appendix A.1): give an address"
			" without them");
		return SUBJECT_E_REFUSED;
	}
	why_set(why, "the contact is an e-mail address (local@domain, ASCII)");
	return SUBJECT_E_REFUSED;
}

static int check_names(const struct subject *s, struct why *why)
{
	if (s->n_names == 0 || s->n_names > SUBJECT_NAMES_MAX) {
		why_set(why, "%zu names; allowed are 1 to %d", s->n_names, SUBJECT_NAMES_MAX);
		return SUBJECT_E_REFUSED;
	}
	for (size_t i = 0; i < s->n_names; i++) {
		if (name_is_dns(s->names[i], true))
			continue;
		why_set(why, "'%.*s' is not a DNS name",
			(int)span_head(s->names[i], LIMIT_NAME).n, (const char *)s->names[i].p);
		return SUBJECT_E_REFUSED;
	}
	return 0;
}

static const char *wrong_field(const struct subject *s, struct why *why)
{
	for (size_t i = 0; i < ATTRIBUTES; i++) {
		if (check_text(&attributes[i], attribute_of(s, &attributes[i]), why))
			return attributes[i].field;
	}
	if (check_country(s->country, why))
		return "country";
	if (check_email(s->email, why))
		return "email";
	return check_names(s, why) ? "names" : NULL;
}

int subject_check(const struct subject *s, const char **ret_field, struct why *why)
{
	const char *field = wrong_field(s, why);

	if (!field)
		return 0;
	if (ret_field)
		*ret_field = field;
	return SUBJECT_E_REFUSED;
}

/* RFC 5280 section 4.1.2.4: UTF8String, but PrintableString for the country and IA5String for the
 * address; the table of OpenSSL knows. */
int subject_add_to(const struct subject *s, X509_NAME *name)
{
	for (size_t i = 0; i < ATTRIBUTES; i++) {
		const struct attribute *a = &attributes[i];
		struct span text = attribute_of(s, a);

		if (text.n == 0 || (a->nid == NID_commonName && characters(text) > SUBJECT_TEXT_MAX))
			continue;
		if (!X509_NAME_add_entry_by_NID(name, a->nid, MBSTRING_UTF8, text.p, (int)text.n, -1,
			    0))
			return key_openssl_fault("X509_NAME_add_entry_by_NID");
	}
	return 0;
}

int subject_alt_names(const struct subject *s, GENERAL_NAMES **ret_names)
{
	CLEANUP(GENERAL_NAMES_freep) GENERAL_NAMES *names = GENERAL_NAMES_new();

	for (size_t i = 0; i < s->n_names; i++) {
		GENERAL_NAME *name;

		TRY(build_name(&name, GEN_DNS, s->names[i]));
		if (!names || !sk_GENERAL_NAME_push(names, name)) {
			GENERAL_NAME_free(name);
			return key_openssl_fault("sk_GENERAL_NAME_push");
		}
	}
	*ret_names = TAKE(names);
	return 0;
}

int subject_server_usage(const EVP_PKEY *key, ASN1_BIT_STRING **ret_usage,
	EXTENDED_KEY_USAGE **ret_extended)
{
	static const int server[] = { NID_server_auth, NID_undef };
	static const int signs[] = { USAGE_DIGITAL_SIGNATURE, -1 };
	static const int enciphers[] = { USAGE_DIGITAL_SIGNATURE, USAGE_KEY_ENCIPHERMENT, -1 };
	CLEANUP(ASN1_BIT_STRING_freep) ASN1_BIT_STRING *usage = NULL;

	TRY(build_usage(&usage, EVP_PKEY_is_a(key, "RSA") ? enciphers : signs));
	TRY(build_extended_usage(ret_extended, server));
	*ret_usage = TAKE(usage);
	return 0;
}

void subject_add_text(const X509_NAME *name, struct buf *out)
{
	enum { FLAGS = (XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) | ASN1_STRFLGS_ESC_CTRL };
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;

	if (bio && X509_NAME_print_ex(bio, name, 0, FLAGS) >= 0) {
		long n = BIO_get_mem_data(bio, &text);

		buf_add(out, span_of(text, (size_t)n));
	}
	BIO_free_all(bio);
	ERR_clear_error();
}
