/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Requests are those of RFC 5019: one certificate, SHA-1 in its name (section 2.1.1; no signature
 * depends on it), no nonce. An answer is a checklist. OpenSSL's OCSP_basic_verify is not used: it
 * builds a path to a set of roots, and the question here is narrower: is it signed by the issuer, or
 * by somebody whom the issuer itself has certified for it.
 */

#include "pki/ocsp.h"

#include "base/enc.h"
#include "pki/der.h"
#include "pki/key.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

CLEANUP_POINTER(OCSP_REQUEST, OCSP_REQUEST_free)
CLEANUP_POINTER(OCSP_RESPONSE, OCSP_RESPONSE_free)
CLEANUP_POINTER(OCSP_BASICRESP, OCSP_BASICRESP_free)
CLEANUP_POINTER(OCSP_CERTID, OCSP_CERTID_free)
CLEANUP_POINTER(AUTHORITY_INFO_ACCESS, AUTHORITY_INFO_ACCESS_free)
CLEANUP_POINTER(TLS_FEATURE, TLS_FEATURE_free)

/* Clocks of responders that are ahead of ours. */
static const int64_t skew_us = 5LL * 60 * 1000000;

enum { STATUS_REQUEST = 5, SHA1_OCTETS = 20 };

static bool is_responder(const ACCESS_DESCRIPTION *d, struct span *ret_url)
{
	const ASN1_STRING *text;

	if (OBJ_obj2nid(d->method) != NID_ad_OCSP || d->location->type != GEN_URI)
		return false;
	text = d->location->d.uniformResourceIdentifier;
	*ret_url = span_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
	if (ret_url->n > OCSP_URL_MAX || !span_starts_nocase(*ret_url, SPAN("http://")))
		return false;
	for (size_t i = 0; i < ret_url->n; i++) {
		if (ret_url->p[i] <= ' ' || ret_url->p[i] >= 0x7F)
			return false;
	}
	return true;
}

bool ocsp_responder(const struct cert *c, struct buf *out)
{
	CLEANUP(AUTHORITY_INFO_ACCESS_freep) AUTHORITY_INFO_ACCESS *info =
		X509_get_ext_d2i(cert_x509(c), NID_info_access, NULL, NULL);

	ERR_clear_error();
	for (int i = 0; info && i < sk_ACCESS_DESCRIPTION_num(info); i++) {
		struct span url;

		if (!is_responder(sk_ACCESS_DESCRIPTION_value(info, i), &url))
			continue;
		buf_add(out, url);
		return true;
	}
	return false;
}

bool ocsp_must_staple(const struct cert *c)
{
	CLEANUP(TLS_FEATURE_freep) TLS_FEATURE *features =
		X509_get_ext_d2i(cert_x509(c), NID_tlsfeature, NULL, NULL);

	ERR_clear_error();
	for (int i = 0; features && i < sk_ASN1_INTEGER_num(features); i++) {
		if (ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == STATUS_REQUEST)
			return true;
	}
	return false;
}

bool ocsp_is_issuer(const struct cert *issuer, const struct cert *c)
{
	EVP_PKEY *key = X509_get0_pubkey(cert_x509(issuer));
	bool is = key && X509_check_issued(cert_x509(issuer), cert_x509(c)) == X509_V_OK &&
		X509_verify(cert_x509(c), key) == 1;

	ERR_clear_error();
	return is;
}

int ocsp_request(const struct cert *c, const struct cert *issuer, struct buf *out)
{
	CLEANUP(OCSP_REQUEST_freep) OCSP_REQUEST *request = OCSP_REQUEST_new();
	CLEANUP(OCSP_CERTID_freep) OCSP_CERTID *id =
		OCSP_cert_to_id(EVP_sha1(), cert_x509(c), cert_x509(issuer));
	uint8_t *der = NULL;
	int n;

	if (!request || !id || !OCSP_request_add0_id(request, id))
		return key_openssl_fault("OCSP_request_add0_id");
	(void)TAKE(id);
	n = i2d_OCSP_REQUEST(request, &der);
	if (n <= 0)
		return key_openssl_fault("i2d_OCSP_REQUEST");
	buf_add(out, span_of(der, (size_t)n));
	OPENSSL_free(der);
	return 0;
}

bool ocsp_get_url(struct span responder, struct span request, struct buf *out)
{
	CLEANUP(buf_done) struct buf base64 = {}, url = {};
	struct span text;

	enc_base64(&base64, request);
	text = buf_span(&base64);
	while (responder.n && responder.p[responder.n - 1] == '/')
		responder.n--;
	buf_add(&url, responder);
	buf_add_octet(&url, '/');
	for (size_t i = 0; i < text.n; i++) {
		/* What base64 has besides letters and digits has a meaning of its own in a path. */
		if (octet_is_alpha(text.p[i]) || octet_is_digit(text.p[i]))
			buf_add_octet(&url, text.p[i]);
		else
			buf_add_format(&url, "%%%02X", text.p[i]);
	}
	if (buf_size(&url) > OCSP_GET_MAX)
		return false;
	buf_add(out, buf_span(&url));
	return true;
}

static int refused(struct why *why, const char *text)
{
	ERR_clear_error();
	why_set(why, "%s", text);
	return OCSP_E_REFUSED;
}

/* RFC 6960 section 4.2.1: the outer structure. */
static int read_response(struct span der, OCSP_BASICRESP **ret_basic, struct why *why)
{
	CLEANUP(OCSP_RESPONSE_freep) OCSP_RESPONSE *response = NULL;
	const uint8_t *end = der.p;
	int status;

	if (der.n > OCSP_RESPONSE_MAX)
		return refused(why, "the answer is larger than 32 KiB");
	if (!der_is_strict(der))
		return refused(why, "the answer is not DER");
	response = d2i_OCSP_RESPONSE(NULL, &end, (long)der.n);
	if (!response || end != der.p + der.n)
		return refused(why, "the answer is not an OCSP response");
	status = OCSP_response_status(response);
	if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
		why_set(why, "the responder answers \"%s\"", OCSP_response_status_str(status));
		return OCSP_E_UNKNOWN;
	}
	*ret_basic = OCSP_response_get1_basic(response);
	return *ret_basic ? 0 : refused(why, "the answer is of a type that is not known");
}

/* Whether the single response's name of a certificate is that of ours, in its own digest. */
static bool is_about(OCSP_SINGLERESP *single, const struct cert *c, const struct cert *issuer)
{
	static const int digests[] = { NID_sha1, NID_sha256, NID_sha384, NID_sha512 };
	const OCSP_CERTID *theirs = OCSP_SINGLERESP_get0_id(single);
	ASN1_OBJECT *digest = NULL;

	/* It is not changed; the getter lacks a const. */
	(void)OCSP_id_get0_info(NULL, &digest, NULL, NULL, (OCSP_CERTID *)(uintptr_t)theirs);
	for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++) {
		CLEANUP(OCSP_CERTID_freep) OCSP_CERTID *ours = NULL;

		if (OBJ_obj2nid(digest) != digests[i])
			continue;
		ours = OCSP_cert_to_id(
			EVP_get_digestbynid(digests[i]), cert_x509(c), cert_x509(issuer));
		return ours && OCSP_id_cmp(ours, theirs) == 0;
	}
	return false;
}

static int find_single(OCSP_BASICRESP *basic, const struct cert *c, const struct cert *issuer,
	OCSP_SINGLERESP **ret_single, struct why *why)
{
	OCSP_SINGLERESP *found = NULL;

	for (int i = 0; i < OCSP_resp_count(basic); i++) {
		OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);

		if (!is_about(single, c, issuer))
			continue;
		if (found)
			return refused(why, "the answer speaks of the certificate twice");
		found = single;
	}
	if (!found)
		return refused(why, "the answer is about another certificate");
	/* RFC 6960 section 4.4: none of the extensions that are known here may be critical. */
	if (OCSP_BASICRESP_get_ext_by_critical(basic, 1, -1) >= 0 ||
		OCSP_SINGLERESP_get_ext_by_critical(found, 1, -1) >= 0)
		return refused(why, "the answer has a critical extension that is not known");
	*ret_single = found;
	return 0;
}

/* RFC 6960 section 4.2.1: the signer by name, or by the SHA-1 of its key. */
static bool is_named(const OCSP_BASICRESP *basic, const X509 *x)
{
	const ASN1_OCTET_STRING *key = NULL;
	const X509_NAME *name = NULL;
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (!OCSP_resp_get0_id(basic, &key, &name))
		return false;
	if (name)
		return X509_NAME_cmp(name, X509_get_subject_name(x)) == 0;
	return X509_pubkey_digest(x, EVP_sha1(), digest, &n) == 1 &&
		span_equal(span_of(digest, n),
			span_of(ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key)));
}

/* MD5 and SHA-1 are not believed any more, by clients neither. Algorithms without a digest of their own name (PSS, Ed25519) have modern ones. */
static bool digest_is_weak(const X509_ALGOR *algorithm)
{
	const ASN1_OBJECT *object = NULL;
	int digest = NID_undef, key = NID_undef;

	X509_ALGOR_get0(&object, NULL, NULL, algorithm);
	if (!OBJ_find_sigid_algs(OBJ_obj2nid(object), &digest, &key))
		return true;
	return digest == NID_md5 || digest == NID_md4 || digest == NID_md2 || digest == NID_sha1;
}

static bool is_signed_by(const OCSP_BASICRESP *basic, X509 *x)
{
	EVP_PKEY *key = X509_get0_pubkey(x);
	/* Read only; older declarations lack a const. */
	bool is = key && ASN1_item_verify(ASN1_ITEM_rptr(OCSP_RESPDATA),
				 OCSP_resp_get0_tbs_sigalg(basic),
				 OCSP_resp_get0_signature(basic), OCSP_resp_get0_respdata(basic),
				 key) == 1;

	ERR_clear_error();
	return is;
}

/* RFC 6960 section 4.2.2.2: certified for it by the issuer itself, and RFC 5280 section 4.2 for the
 * rest of what the certificate says. */
static int check_delegate(const struct cert *d, const struct cert *issuer, int64_t now_us,
	struct why *why)
{
	X509 *x = cert_x509(d);
	uint32_t flags = X509_get_extension_flags(x);

	if (!ocsp_is_issuer(issuer, d))
		return refused(why, "the answer is signed by somebody the issuer did not certify");
	if (flags & (EXFLAG_INVALID | EXFLAG_CRITICAL))
		return refused(why, "the responder's certificate has extensions that are not known");
	if (!(flags & EXFLAG_XKUSAGE) || !(X509_get_extended_key_usage(x) & XKU_OCSP_SIGN))
		return refused(why, "the responder's certificate is not for OCSP");
	if (!(X509_get_key_usage(x) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)))
		return refused(why, "the responder's certificate is not for signatures");
	if (now_us < cert_not_before_us(d) || now_us > cert_not_after_us(d))
		return refused(why, "the responder's certificate is not valid now");
	return 0;
}

static int check_signer(OCSP_BASICRESP *basic, const struct cert *issuer, int64_t now_us,
	int64_t *until_us, struct why *why)
{
	const STACK_OF(X509) *certs = OCSP_resp_get0_certs(basic);

	if (digest_is_weak(OCSP_resp_get0_tbs_sigalg(basic)))
		return refused(why, "the answer's signature is of a kind that is not believed");
	if (is_named(basic, cert_x509(issuer)) && is_signed_by(basic, cert_x509(issuer)))
		return 0;
	for (int i = 0; i < sk_X509_num(certs) && i < CERT_LIST_MAX; i++) {
		CLEANUP(cert_unrefp) struct cert *d = NULL;
		X509 *x = sk_X509_value(certs, i);

		if (!is_named(basic, x) || !is_signed_by(basic, x))
			continue;
		if (cert_from_x509(&d, x, NULL))
			return refused(why, "the responder's certificate is not readable");
		if (cert_not_after_us(d) < *until_us)
			*until_us = cert_not_after_us(d);
		return check_delegate(d, issuer, now_us, why);
	}
	return refused(why, "the answer's signature is not the issuer's");
}

/* RFC 5019 section 4: an answer that may be kept says until when. */
static int check_times(const OCSP_BASICRESP *basic, const ASN1_GENERALIZEDTIME *this_update,
	const ASN1_GENERALIZEDTIME *next_update, int64_t now_us, struct ocsp_answer *ret_answer,
	struct why *why)
{
	int64_t produced_us, next_us;

	if (!cert_time_us(OCSP_resp_get0_produced_at(basic), &produced_us) ||
		!cert_time_us(this_update, &ret_answer->this_update_us))
		return refused(why, "the answer's times are not readable");
	if (!next_update)
		return refused(why, "the answer does not say until when it holds");
	if (!cert_time_us(next_update, &next_us) || next_us <= ret_answer->this_update_us)
		return refused(why, "the answer's times are not readable");
	ret_answer->until_us = next_us;
	if (ret_answer->this_update_us > now_us + skew_us || produced_us > now_us + skew_us) {
		why_set(why, "the answer is of the future: is this machine's clock right?");
		return OCSP_E_UNKNOWN;
	}
	if (next_us <= now_us) {
		why_set(why, "the answer holds no longer");
		return OCSP_E_UNKNOWN;
	}
	return 0;
}

static int check_status(OCSP_SINGLERESP *single, OCSP_BASICRESP *basic, int64_t now_us,
	struct ocsp_answer *ret_answer, struct why *why)
{
	ASN1_GENERALIZEDTIME *revoked = NULL, *this_update = NULL, *next_update = NULL;
	int reason = -1;
	int status = OCSP_single_get0_status(single, &reason, &revoked, &this_update, &next_update);
	int r = check_times(basic, this_update, next_update, now_us, ret_answer, why);

	if (r)
		return r;
	if (status == V_OCSP_CERTSTATUS_GOOD)
		return 0;
	if (status != V_OCSP_CERTSTATUS_REVOKED) {
		why_set(why, "the responder does not know the certificate");
		return OCSP_E_UNKNOWN;
	}
	(void)cert_time_us(revoked, &ret_answer->revoked_us);
	why_set(why, "the certificate was revoked (%s)",
		reason < 0 ? "no reason given" : OCSP_crl_reason_str(reason));
	return OCSP_E_REVOKED;
}

int ocsp_check(struct span response, const struct cert *c, const struct cert *issuer,
	int64_t now_us, struct ocsp_answer *ret_answer, struct why *why)
{
	CLEANUP(OCSP_BASICRESP_freep) OCSP_BASICRESP *basic = NULL;
	struct ocsp_answer answer = {};
	OCSP_SINGLERESP *single = NULL;
	int64_t until_us = cert_not_after_us(c);
	int r = read_response(response, &basic, why);

	if (!r)
		r = find_single(basic, c, issuer, &single, why);
	/* Before what it says: nobody else may say it. */
	if (!r)
		r = check_signer(basic, issuer, now_us, &until_us, why);
	if (!r)
		r = check_status(single, basic, now_us, &answer, why);
	ERR_clear_error();
	if (answer.until_us > until_us)
		answer.until_us = until_us;
	if (!r || r == OCSP_E_REVOKED)
		*ret_answer = answer;
	return r;
}
