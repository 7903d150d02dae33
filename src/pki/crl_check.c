/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/crl_check.h"

#include "pki/key.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

CLEANUP_POINTER(ASN1_INTEGER, ASN1_INTEGER_free)
CLEANUP_POINTER(CRL_DIST_POINTS, CRL_DIST_POINTS_free)

/* Clocks of authorities that are ahead of ours. */
static const int64_t skew_us = 5LL * 60 * 1000000;

enum {
	NUMBER_MAX = 20, /* octets, RFC 5280 section 5.2.3 */
	VERSION_2 = 1,
};

static int refused(struct why *why, const char *text)
{
	ERR_clear_error();
	why_set(why, "%s", text);
	return CRL_CHECK_E_REFUSED;
}

bool crl_is_named_after(const struct crl *crl, const struct cert *authority)
{
	return X509_NAME_cmp(X509_CRL_get_issuer(crl_x509(crl)),
		       X509_get_subject_name(cert_x509(authority))) == 0;
}

void crl_add_issuer_der(const struct crl *crl, struct buf *out)
{
	const uint8_t *der = NULL;
	size_t n = 0;

	if (X509_NAME_get0_der(X509_CRL_get_issuer(crl_x509(crl)), &der, &n) == 1)
		buf_add(out, span_of(der, n));
	ERR_clear_error();
}

void crl_add_number(const struct crl *crl, struct buf *out)
{
	CLEANUP(ASN1_INTEGER_freep) ASN1_INTEGER *number =
		X509_CRL_get_ext_d2i(crl_x509(crl), NID_crl_number, NULL, NULL);

	/* OpenSSL keeps the absolute value without leading zeros; 0 as one octet of 0. */
	if (number && !(number->length == 1 && number->data[0] == 0))
		buf_add(out, span_of(ASN1_STRING_get0_data(number),
				     (size_t)ASN1_STRING_length(number)));
	ERR_clear_error();
}

static X509_EXTENSION *extension_of(const struct crl *crl, int nid)
{
	int at = X509_CRL_get_ext_by_NID(crl_x509(crl), nid, -1);

	return at < 0 ? NULL : X509_CRL_get_ext(crl_x509(crl), at);
}

bool crl_is_delta(const struct crl *crl)
{
	return extension_of(crl, NID_delta_crl);
}

void crl_add_scope(const struct crl *crl, struct buf *out)
{
	X509_EXTENSION *point = extension_of(crl, NID_issuing_distribution_point);
	const ASN1_OCTET_STRING *value = point ? X509_EXTENSION_get_data(point) : NULL;

	if (crl_is_delta(crl))
		buf_add_string(out, "delta ");
	if (value)
		buf_add(out, span_of(ASN1_STRING_get0_data(value),
				     (size_t)ASN1_STRING_length(value)));
}

size_t crl_n_revoked(const struct crl *crl)
{
	int n = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl_x509(crl)));

	return n > 0 ? (size_t)n : 0;
}

static int check_number(const struct crl *crl, struct why *why)
{
	CLEANUP(ASN1_INTEGER_freep) ASN1_INTEGER *number = NULL;
	int critical = 0;

	if (X509_CRL_get_version(crl_x509(crl)) != VERSION_2)
		return refused(why, "the list is not of version 2");
	number = X509_CRL_get_ext_d2i(crl_x509(crl), NID_crl_number, &critical, NULL);
	if (!number)
		return refused(why, "the list has no number");
	if (critical || ASN1_STRING_type(number) == V_ASN1_NEG_INTEGER ||
		ASN1_STRING_length(number) > NUMBER_MAX)
		return refused(why, "the list's number is none");
	return 0;
}

static int check_times(const struct crl *crl, int64_t now_us, struct why *why)
{
	int64_t next_us;

	if (!crl_next_update_us(crl, &next_us))
		return refused(why, "the list does not say when the next one comes");
	if (next_us <= crl_this_update_us(crl))
		return refused(why, "the list ends before it begins");
	if (crl_this_update_us(crl) > now_us + skew_us)
		return refused(why, "the list is of the future: is this machine's clock right?");
	if (next_us <= now_us)
		return refused(why, "the list has expired: get the newest one");
	return 0;
}

/* RFC 5280 sections 5.2 and 5.3: what is critical and not known makes the list useless. */
static int check_extensions(X509_CRL *x, struct why *why)
{
	const STACK_OF(X509_REVOKED) *revoked = X509_CRL_get_REVOKED(x);
	int at = -1;

	while ((at = X509_CRL_get_ext_by_critical(x, 1, at)) >= 0) {
		int nid = OBJ_obj2nid(X509_EXTENSION_get_object(X509_CRL_get_ext(x, at)));

		if (nid != NID_issuing_distribution_point && nid != NID_delta_crl)
			return refused(why, "the list has a critical extension that is not known");
	}
	for (int i = 0; i < sk_X509_REVOKED_num(revoked); i++) {
		const X509_REVOKED *entry = sk_X509_REVOKED_value(revoked, i);

		at = -1;
		while ((at = X509_REVOKED_get_ext_by_critical(entry, 1, at)) >= 0) {
			const X509_EXTENSION *e = X509_REVOKED_get_ext(entry, at);

			if (OBJ_obj2nid(X509_EXTENSION_get_object((X509_EXTENSION *)(uintptr_t)e)) !=
				NID_certificate_issuer)
				return refused(why, "the list has an entry with a critical"
						    " extension that is not known");
		}
	}
	return 0;
}

static bool signature_is_weak(const X509_CRL *x)
{
	int digest = NID_undef, key = NID_undef;

	if (!OBJ_find_sigid_algs(X509_CRL_get_signature_nid(x), &digest, &key))
		return true;
	return digest == NID_md2 || digest == NID_md4 || digest == NID_md5 || digest == NID_sha1;
}

static int check_signature(X509_CRL *x, const struct cert *authority, struct why *why)
{
	EVP_PKEY *key = X509_get0_pubkey(cert_x509(authority));

	/* Section 4.2.1.3; without the extension a key may be used for anything. */
	if (!(X509_get_key_usage(cert_x509(authority)) & KU_CRL_SIGN))
		return refused(why, "the authority's certificate is not for revocation lists");
	if (signature_is_weak(x))
		return refused(why, "the list's signature is of a kind that is not believed");
	if (!key || X509_CRL_verify(x, key) != 1)
		return refused(why, "the list's signature is not the authority's");
	return 0;
}

int crl_check(const struct crl *crl, const struct cert *authority, int64_t now_us, struct why *why)
{
	int r;

	if (!crl_is_named_after(crl, authority))
		return refused(why, "the list is of another authority");
	r = check_number(crl, why);
	if (!r)
		r = check_times(crl, now_us, why);
	if (!r)
		r = check_signature(crl_x509(crl), authority, why);
	if (!r)
		r = check_extensions(crl_x509(crl), why);
	ERR_clear_error();
	return r;
}

static bool is_usable(const GENERAL_NAME *name, struct span *ret_url)
{
	const ASN1_STRING *text;

	if (name->type != GEN_URI)
		return false;
	text = name->d.uniformResourceIdentifier;
	*ret_url = span_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
	if (ret_url->n > CRL_URL_MAX || !span_starts_nocase(*ret_url, SPAN("http://")))
		return false;
	for (size_t i = 0; i < ret_url->n; i++) {
		if (ret_url->p[i] <= ' ' || ret_url->p[i] >= 0x7F)
			return false;
	}
	return true;
}

static bool add_point(const DIST_POINT *point, struct buf *out)
{
	const GENERAL_NAMES *names;
	struct span url;

	if (point->CRLissuer || point->reasons || !point->distpoint || point->distpoint->type != 0)
		return false;
	names = point->distpoint->name.fullname;
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		if (is_usable(sk_GENERAL_NAME_value(names, i), &url)) {
			buf_add(out, url);
			return true;
		}
	}
	return false;
}

bool crl_point(const struct cert *c, struct buf *out)
{
	CLEANUP(CRL_DIST_POINTS_freep) CRL_DIST_POINTS *points =
		X509_get_ext_d2i(cert_x509(c), NID_crl_distribution_points, NULL, NULL);
	bool found = false;

	ERR_clear_error();
	for (int i = 0; points && i < sk_DIST_POINT_num(points) && !found; i++)
		found = add_point(sk_DIST_POINT_value(points, i), out);
	return found;
}
