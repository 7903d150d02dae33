/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * An authority of a domain is as narrow as certificates can say: no authority below it, only the
 * domain's addresses, only mail (and whatever a mail certificate of a person may be used for
 * besides). Whoever takes it into a trust store does not trust it for websites.
 */

#include "pki/authority.h"

#include "base/clock.h"
#include "pki/build.h"
#include "pki/constraint.h"
#include "pki/key.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>

CLEANUP_POINTER(ASN1_BIT_STRING, ASN1_BIT_STRING_free)
CLEANUP_POINTER(BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free)
CLEANUP_POINTER(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free)
CLEANUP_POINTER(GENERAL_SUBTREE, GENERAL_SUBTREE_free)
CLEANUP_POINTER(NAME_CONSTRAINTS, NAME_CONSTRAINTS_free)
CLEANUP_POINTER(X509_REQ, X509_REQ_free)

enum { RSA_BITS_MIN = 2048, DAYS_SOON = 60, CONSTRAINT_BUDGET = 10000 };

static const int64_t day_us = (int64_t)24 * 3600 * 1000000;

static void extensions_free(STACK_OF(X509_EXTENSION) *extensions)
{
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}
CLEANUP_POINTER(STACK_OF(X509_EXTENSION), extensions_free)

/* RFC 5280 section 4.2.1.9: no other authority below. */
static int add_basic(STACK_OF(X509_EXTENSION) **list)
{
	CLEANUP(BASIC_CONSTRAINTS_freep) BASIC_CONSTRAINTS *basic = BASIC_CONSTRAINTS_new();

	if (!basic || !(basic->pathlen = ASN1_INTEGER_new()) ||
		!ASN1_INTEGER_set(basic->pathlen, 0))
		return key_openssl_fault("BASIC_CONSTRAINTS_new");
	basic->ca = 0xFF;
	return build_list_extension(list, NID_basic_constraints, basic, true);
}

/* digitalSignature: it signs what its responder says, too (RFC 6960). clientAuth: what it may not do itself,
 * certificates of users may not do either, where they are for logging in. */
static int add_usage(STACK_OF(X509_EXTENSION) **list)
{
	static const int bits[] = { USAGE_DIGITAL_SIGNATURE, USAGE_KEY_CERT_SIGN, USAGE_CRL_SIGN,
		-1 };
	static const int purposes[] = { NID_email_protect, NID_client_auth, NID_undef };
	CLEANUP(ASN1_BIT_STRING_freep) ASN1_BIT_STRING *usage = NULL;
	CLEANUP(EXTENDED_KEY_USAGE_freep) EXTENDED_KEY_USAGE *extended = NULL;

	TRY(build_usage(&usage, bits));
	TRY(build_extended_usage(&extended, purposes));
	TRY(build_list_extension(list, NID_key_usage, usage, true));
	return build_list_extension(list, NID_ext_key_usage, extended, false);
}

static int add_tree(NAME_CONSTRAINTS *constraints, struct span domain)
{
	CLEANUP(GENERAL_SUBTREE_freep) GENERAL_SUBTREE *tree = GENERAL_SUBTREE_new();

	if (!tree)
		return key_openssl_fault("GENERAL_SUBTREE_new");
	GENERAL_NAME_free(tree->base);
	tree->base = NULL;
	TRY(build_name(&tree->base, GEN_EMAIL, domain));
	if (!sk_GENERAL_SUBTREE_push(constraints->permittedSubtrees, tree))
		return key_openssl_fault("sk_GENERAL_SUBTREE_push");
	(void)TAKE(tree);
	return 0;
}

/* RFC 5280 section 4.2.1.10: a host without a dot in front means the addresses of that very domain;
 * RFC 9598 section 6: those in UTF-8 too. */
static int add_constraints(STACK_OF(X509_EXTENSION) **list, const struct subject *s)
{
	CLEANUP(NAME_CONSTRAINTS_freep) NAME_CONSTRAINTS *constraints = NAME_CONSTRAINTS_new();

	if (!constraints || !(constraints->permittedSubtrees = sk_GENERAL_SUBTREE_new_null()))
		return key_openssl_fault("NAME_CONSTRAINTS_new");
	for (size_t i = 0; i < s->n_names; i++)
		TRY(add_tree(constraints, s->names[i]));
	return build_list_extension(list, NID_name_constraints, constraints, true);
}

static int make_extensions(const struct authority_order *o, STACK_OF(X509_EXTENSION) **ret_list)
{
	CLEANUP(extensions_freep) STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();

	if (!list)
		return key_openssl_fault("sk_X509_EXTENSION_new_null");
	TRY(add_basic(&list));
	TRY(add_usage(&list));
	TRY(add_constraints(&list, &o->subject));
	*ret_list = TAKE(list);
	return 0;
}

static int check_key(const EVP_PKEY *key, struct why *why)
{
	CLEANUP(buf_done) struct buf name = {};

	if (key && key_is_ec(key))
		return 0;
	if (key && EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= RSA_BITS_MIN)
		return 0;
	if (key)
		key_add_name(key, &name);
	why_set(why, "an authority's key is RSA with %d bits or more, or EC, not %.*s",
		RSA_BITS_MIN, (int)buf_size(&name), (const char *)buf_span(&name).p);
	return AUTHORITY_E_REFUSED;
}

static int check_order(const struct authority_order *o, const EVP_PKEY *public, struct why *why)
{
	int r = subject_check(&o->subject, NULL, why);

	for (size_t i = 0; !r && i < o->subject.n_names; i++) {
		if (o->subject.names[i].n && o->subject.names[i].p[0] != '*')
			continue;
		why_set(why, "an authority speaks for domains, not for \"*\"");
		r = AUTHORITY_E_REFUSED;
	}
	if (r)
		return r < 0 ? r : AUTHORITY_E_REFUSED;
	return check_key(public, why);
}

static int set_names(X509 *x, const struct authority_order *o)
{
	X509_NAME *name = X509_get_subject_name(x);

	if (!o->old)
		TRY(subject_add_to(&o->subject, name));
	else if (!X509_set_subject_name(x, X509_get_subject_name(cert_x509(o->old))))
		return key_openssl_fault("X509_set_subject_name");
	if (!X509_set_issuer_name(x, X509_get_subject_name(x)))
		return key_openssl_fault("X509_set_issuer_name");
	return 0;
}

/* As long as the one before, unless it is said. */
static unsigned days_of(const struct authority_order *o)
{
	int64_t days;

	if (o->days || !o->old)
		return o->days;
	days = (cert_not_after_us(o->old) - cert_not_before_us(o->old) + day_us / 2) / day_us;
	return days < 1 ? 1 : days > AUTHORITY_DAYS_MAX ? AUTHORITY_DAYS_MAX : (unsigned)days;
}

static int fill(X509 *x, const struct authority_order *o, EVP_PKEY *public)
{
	CLEANUP(extensions_freep) STACK_OF(X509_EXTENSION) *extensions = NULL;
	uint8_t serial[BUILD_SERIAL_OCTETS];

	build_random_serial(serial);
	if (!X509_set_version(x, X509_VERSION_3) || !X509_set_pubkey(x, public))
		return key_openssl_fault("X509_set_pubkey");
	TRY(build_serial(x, span_of(serial, sizeof serial)));
	TRY(set_names(x, o));
	TRY(build_validity(x, o->now_us, o->now_us + days_of(o) * day_us));
	TRY(make_extensions(o, &extensions));
	for (int i = 0; i < sk_X509_EXTENSION_num(extensions); i++) {
		if (!X509_add_ext(x, sk_X509_EXTENSION_value(extensions, i), -1))
			return key_openssl_fault("X509_add_ext");
	}
	return build_key_identifier(x);
}

int authority_make(struct cert **ret_cert, const struct authority_order *o, struct why *why)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *public = NULL;
	/* Without a property query of its own: its signer need not be in the default provider. */
	CLEANUP(X509_freep) X509 *x = X509_new();
	int r;

	if (days_of(o) == 0 || days_of(o) > AUTHORITY_DAYS_MAX) {
		why_set(why, "an authority for %u days; allowed are 1 to %d", o->days,
			AUTHORITY_DAYS_MAX);
		return AUTHORITY_E_REFUSED;
	}
	TRY(key_from_spki(&public, o->spki, why));
	r = check_order(o, public, why);
	if (r)
		return r;
	if (!x)
		return key_openssl_fault("X509_new");
	TRY(fill(x, o, public));
	if (X509_sign(x, o->signer, key_digest(public)) <= 0)
		return key_openssl_fault("X509_sign");
	TRY(cert_from_x509(ret_cert, x, why));
	return 0;
}

int authority_request(const struct authority_order *o, struct buf *out, struct why *why)
{
	CLEANUP(extensions_freep) STACK_OF(X509_EXTENSION) *extensions = NULL;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *public = NULL;
	CLEANUP(X509_REQ_freep) X509_REQ *req = X509_REQ_new();
	int r;

	TRY(key_from_spki(&public, o->spki, why));
	r = check_order(o, public, why);
	if (r)
		return r;
	if (!req || !X509_REQ_set_version(req, X509_REQ_VERSION_1) ||
		!X509_REQ_set_pubkey(req, public))
		return key_openssl_fault("X509_REQ_set_pubkey");
	if (!o->old)
		TRY(subject_add_to(&o->subject, X509_REQ_get_subject_name(req)));
	else if (!X509_REQ_set_subject_name(req, X509_get_subject_name(cert_x509(o->old))))
		return key_openssl_fault("X509_REQ_set_subject_name");
	TRY(make_extensions(o, &extensions));
	if (X509_REQ_add_extensions(req, extensions) != 1)
		return key_openssl_fault("X509_REQ_add_extensions");
	if (X509_REQ_sign(req, o->signer, key_digest(public)) <= 0)
		return key_openssl_fault("X509_REQ_sign");
	return build_add_request(req, out);
}

/* UINT32_MAX where there is no keyUsage: then all are allowed. */
static bool has_usage(const struct cert *c, uint32_t bit)
{
	return (X509_get_key_usage(cert_x509(c)) & bit) != 0;
}

int authority_check(const struct cert *c, struct why *why)
{
	if (!cert_is_ca(c)) {
		why_set(why,
			"this certificate is not an authority's (basicConstraints CA): it cannot"
			" issue others");
		return AUTHORITY_E_REFUSED;
	}
	if (!has_usage(c, KU_KEY_CERT_SIGN)) {
		why_set(why,
			"this authority may not sign certificates (keyUsage lacks keyCertSign)");
		return AUTHORITY_E_REFUSED;
	}
	return check_key(X509_get0_pubkey(cert_x509(c)), why);
}

bool authority_signs_lists(const struct cert *c)
{
	return has_usage(c, KU_CRL_SIGN);
}

/* A certificate with this one address, which nobody will see: it is held against the constraints as
 * a real one would be. */
static int make_probe(struct span address, struct cert **ret_cert)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(X509_freep) X509 *x = X509_new();
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *name = NULL;
	int r = build_name(&name, GEN_EMAIL, address);

	if (!r && (!x || !names || !sk_GENERAL_NAME_push(names, name)))
		r = key_openssl_fault("sk_GENERAL_NAME_push");
	if (!r)
		r = key_generate(&key, KEY_EC_P256);
	if (!r && (!X509_set_version(x, X509_VERSION_3) || !X509_set_pubkey(x, key)))
		r = key_openssl_fault("X509_set_pubkey");
	if (!r)
		r = build_serial(x, SPAN("\1"));
	if (!r)
		r = build_validity(x, 0, 0);
	if (!r)
		r = build_extension(x, NID_subject_alt_name, names, true);
	if (!r && X509_sign(x, key, EVP_sha256()) <= 0)
		r = key_openssl_fault("X509_sign");
	GENERAL_NAMES_free(names);
	return r ? r : err_fold(cert_from_x509(ret_cert, x, NULL));
}

int authority_covers(const struct cert *c, struct span domain, struct why *why)
{
	CLEANUP(cert_unrefp) struct cert *probe = NULL;
	CLEANUP(buf_done) struct buf address = {};
	CLEANUP(verdict_done) struct verdict verdict = {};
	CLEANUP(cert_unrefp) struct cert *authority = cert_ref((struct cert *)(uintptr_t)c);
	size_t budget = CONSTRAINT_BUDGET;
	struct cert *below[1];

	buf_add_string(&address, "postmaster@");
	buf_add(&address, domain);
	TRY(make_probe(buf_span(&address), &probe));
	below[0] = probe;
	constraint_check(authority, 1, below, 1, &budget, &verdict);
	if (!verdict_n_errors(&verdict))
		return 0;
	why_set(why, "the authority may not speak for addresses of %.*s (name constraints)",
		(int)domain.n, (const char *)domain.p);
	return AUTHORITY_E_REFUSED;
}

static void check_validity(struct check_list *l, const struct cert *c, int64_t now_us)
{
	int64_t from_us = cert_not_before_us(c), till_us = cert_not_after_us(c);
	long long left = (long long)((till_us - now_us) / day_us);
	CLEANUP(buf_done) struct buf till = {};

	clock_add_rfc3339(&till, till_us);
	buf_add_octet(&till, 0);
	if (now_us > till_us)
		check_add(l, "validity", CHECK_ERROR,
			"it has expired on %s, and all it has issued with it: renew it (ca "
			"refresh)",
			buf_span(&till).p);
	else if (now_us < from_us)
		check_add(l, "validity", CHECK_ERROR,
			"its time is still to come (is the clock right?)");
	else if (left < DAYS_SOON)
		check_add(l, "validity", CHECK_WARNING,
			"it expires in %lld days, on %s; what it issues ends then, too: renew it"
			" (ca refresh)",
			left, buf_span(&till).p);
	else
		check_add(l, "validity", CHECK_OK, "valid until %s, %lld days", buf_span(&till).p,
			left);
}

static void check_names(struct check_list *l, const struct cert *c, const struct span *domains,
	size_t n_domains)
{
	bool bound = X509_get_ext_by_NID(cert_x509(c), NID_name_constraints, -1) >= 0;
	struct why why = {};
	size_t n_missing = 0;

	for (size_t i = 0; i < n_domains; i++) {
		if (authority_covers(c, domains[i], &why) == 0)
			continue;
		n_missing++;
		check_add(l, "names", i ? CHECK_WARNING : CHECK_ERROR,
			"%s: refresh it, or ask for one that may", why.text);
	}
	if (!n_missing)
		check_add(l, "names", CHECK_OK, "addresses of %.*s%s%s", (int)domains[0].n,
			(const char *)domains[0].p, n_domains > 1 ? " and its aliases" : "",
			bound ? "" : ", and of any other domain: it has no name constraints");
}

static void check_usage(struct check_list *l, const struct cert *c)
{
	const char *missing = !has_usage(c, KU_KEY_CERT_SIGN) ? "certificates (keyCertSign)" : NULL;

	if (missing)
		check_add(l, "usage", CHECK_ERROR, "its key may not sign %s", missing);
	else if (!cert_allows(c, CERT_USE_MAIL))
		check_add(l, "usage", CHECK_ERROR,
			"what it issues may not be used for mail (emailProtection is missing)");
	else
		check_add(l, "usage", CHECK_OK, "signs certificates for mail");
	if (!authority_signs_lists(c))
		check_add(l, "lists", CHECK_WARNING,
			"its key may not sign revocation lists (cRLSign): what it has issued can be"
			" revoked in answers of the responder only");
	else
		check_add(l, "lists", CHECK_OK, "signs revocation lists");
}

void authority_checks(struct check_list *l, const struct cert *c, const struct span *domains,
	size_t n_domains, int64_t now_us)
{
	CLEANUP(buf_done) struct buf key = {}, signature = {};
	struct why why = {};

	check_validity(l, c, now_us);
	check_add(l, "authority", cert_is_ca(c) ? CHECK_OK : CHECK_ERROR, "%s",
		cert_is_ca(c) ? "an authority (basicConstraints)"
			      : "not an authority: it lacks basicConstraints CA");
	check_usage(l, c);
	check_names(l, c, domains, n_domains);
	cert_add_key_text(c, &key);
	buf_add_octet(&key, 0);
	if (check_key(X509_get0_pubkey(cert_x509(c)), &why))
		check_add(l, "key", CHECK_ERROR, "%s", why.text);
	else
		check_add(l, "key", CHECK_OK, "%s", buf_span(&key).p);
	cert_add_signature_name(c, &signature);
	buf_add_octet(&signature, 0);
	check_add(l, "signature", CHECK_OK, "%s", buf_span(&signature).p);
}
