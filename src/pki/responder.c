/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Requests come from anybody and are read here octet by octet rather than by OpenSSL, whose reader takes
 * forms that DER does not have; answers are OpenSSL's.
 */

#include "pki/responder.h"

#include "pki/der.h"
#include "pki/key.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>

CLEANUP_POINTER(ASN1_TIME, ASN1_TIME_free)
CLEANUP_POINTER(OCSP_BASICRESP, OCSP_BASICRESP_free)
CLEANUP_POINTER(OCSP_CERTID, OCSP_CERTID_free)
CLEANUP_POINTER(OCSP_RESPONSE, OCSP_RESPONSE_free)

enum {
	CONTEXT_0 = 0xa0, /* [0], [1], [2], constructed */
	CONTEXT_1 = 0xa1,
	CONTEXT_2 = 0xa2,
	SERIAL_MAX = 64,  /* octets; RFC 5280 has 20 at most, others have more */
};

/* The digests that clients hash names with: SHA-1 nearly all of them. */
static const struct {
	struct span oid;
	int nid;
	size_t n;
} digests[] = {
	{ { (const uint8_t *)"\x2b\x0e\x03\x02\x1a", 5 }, NID_sha1, 20 },
	{ { (const uint8_t *)"\x60\x86\x48\x01\x65\x03\x04\x02\x01", 9 }, NID_sha256, 32 },
	{ { (const uint8_t *)"\x60\x86\x48\x01\x65\x03\x04\x02\x02", 9 }, NID_sha384, 48 },
	{ { (const uint8_t *)"\x60\x86\x48\x01\x65\x03\x04\x02\x03", 9 }, NID_sha512, 64 },
};

static const struct span nonce_oid = { (const uint8_t *)"\x2b\x06\x01\x05\x05\x07\x30\x01\x02", 9 };

static bool take(struct span *from, uint8_t tag, struct span *ret_content)
{
	struct der value;

	if (!der_next(from, &value) || value.tag != tag)
		return false;
	*ret_content = value.content;
	return true;
}

/* An optional value with that tag in front. */
static bool take_optional(struct span *from, uint8_t tag, bool *ret_has, struct span *ret_content)
{
	*ret_has = from->n && from->p[0] == tag;
	return !*ret_has || take(from, tag, ret_content);
}

static bool read_digest(struct span algorithm, struct responder_question *q, size_t *ret_n)
{
	struct span oid, null;
	bool has_null;

	if (!take(&algorithm, DER_OID, &oid) ||
		!take_optional(&algorithm, DER_NULL, &has_null, &null) || (has_null && null.n) ||
		algorithm.n)
		return false;
	for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++) {
		if (!span_equal(oid, digests[i].oid))
			continue;
		q->digest = digests[i].nid;
		*ret_n = digests[i].n;
		return true;
	}
	return false;
}

/* CertID ::= SEQUENCE { hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber } */
static bool read_id(struct span *from, struct responder_question *q)
{
	struct der id;
	struct span rest, algorithm;
	size_t n = 0;

	if (!der_next(from, &id) || id.tag != DER_SEQUENCE || !der_is_strict(id.whole))
		return false;
	rest = id.content;
	q->id = id.whole;
	if (!take(&rest, DER_SEQUENCE, &algorithm) || !read_digest(algorithm, q, &n) ||
		!take(&rest, DER_OCTET_STRING, &q->name_hash) || q->name_hash.n != n ||
		!take(&rest, DER_OCTET_STRING, &q->key_hash) || q->key_hash.n != n ||
		!take(&rest, DER_INTEGER, &q->serial) || rest.n || q->serial.n > SERIAL_MAX)
		return false;
	while (q->serial.n > 1 && q->serial.p[0] == 0)
		q->serial = span_skip(q->serial, 1);
	return true;
}

/* Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue } */
static bool read_extension(struct span *from, struct responder_request *request)
{
	struct span extension, oid, critical = {}, value, nonce;
	bool has_critical;

	if (!take(from, DER_SEQUENCE, &extension) || !take(&extension, DER_OID, &oid) ||
		!take_optional(&extension, DER_BOOLEAN, &has_critical, &critical) ||
		(has_critical && (critical.n != 1 || (critical.p[0] != 0 && critical.p[0] != 0xff))) ||
		!take(&extension, DER_OCTET_STRING, &value) || extension.n)
		return false;
	if (!span_equal(oid, nonce_oid))
		return !has_critical || critical.p[0] == 0;
	/* RFC 9654 section 2.1: 1 to 128 octets, anything else is malformed; and once. */
	if (!request || request->nonce.n || !der_only(value, DER_OCTET_STRING, &nonce) ||
		nonce.n == 0 || nonce.n > RESPONDER_NONCE_MAX)
		return false;
	request->nonce = nonce;
	return true;
}

/* [n] EXPLICIT Extensions, at least one. request NULL: of a single question, where a nonce has no
 * place. */
static bool read_extensions(struct span content, struct responder_request *request)
{
	struct span list;

	if (!der_only(content, DER_SEQUENCE, &list) || list.n == 0)
		return false;
	while (list.n) {
		if (!read_extension(&list, request))
			return false;
	}
	return true;
}

/* Request ::= SEQUENCE { reqCert, singleRequestExtensions [0] OPTIONAL } */
static bool read_question(struct span *list, struct responder_question *q)
{
	struct span content, extensions;
	bool has;

	if (!take(list, DER_SEQUENCE, &content) || !read_id(&content, q) ||
		!take_optional(&content, CONTEXT_0, &has, &extensions) || content.n)
		return false;
	return !has || read_extensions(extensions, NULL);
}

static bool read_list(struct span list, struct responder_request *request)
{
	while (list.n) {
		if (request->n == RESPONDER_CERTS_MAX ||
			!read_question(&list, &request->questions[request->n]))
			return false;
		request->n++;
	}
	return request->n > 0;
}

/* TBSRequest ::= SEQUENCE { version [0] DEFAULT v1, requestorName [1] OPTIONAL, requestList,
 * requestExtensions [2] OPTIONAL } */
static bool read_request(struct span tbs, struct responder_request *request)
{
	struct span version, name, list, extensions, number;
	bool has_version, has_name, has_extensions;

	if (!take_optional(&tbs, CONTEXT_0, &has_version, &version) ||
		(has_version && (!der_only(version, DER_INTEGER, &number) || number.n != 1 ||
					number.p[0] != 0)) ||
		!take_optional(&tbs, CONTEXT_1, &has_name, &name) ||
		!take(&tbs, DER_SEQUENCE, &list) || !read_list(list, request) ||
		!take_optional(&tbs, CONTEXT_2, &has_extensions, &extensions) || tbs.n)
		return false;
	return !has_extensions || read_extensions(extensions, request);
}

int responder_read(struct span der, struct responder_request *ret_request)
{
	struct responder_request request = {};
	struct span whole, tbs, signature;
	bool has_signature;

	if (der.n > RESPONDER_REQUEST_MAX || !der_only(der, DER_SEQUENCE, &whole) ||
		!take(&whole, DER_SEQUENCE, &tbs) ||
		!take_optional(&whole, CONTEXT_0, &has_signature, &signature) || whole.n ||
		!read_request(tbs, &request))
		return RESPONDER_E_MALFORMED;
	*ret_request = request;
	return 0;
}

static bool has_digest(struct span octets, const EVP_MD *md, struct span expected)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	return EVP_Digest(octets.p, octets.n, digest, &n, md, NULL) == 1 &&
		span_equal(span_of(digest, n), expected);
}

bool responder_is_about(const struct responder_question *q, const struct cert *issuer)
{
	const EVP_MD *md = EVP_get_digestbynid(q->digest);
	const X509_NAME *name = X509_get_subject_name(cert_x509(issuer));
	const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(cert_x509(issuer));
	const uint8_t *der;
	size_t n;

	return md && key && X509_NAME_get0_der(name, &der, &n) == 1 &&
		has_digest(span_of(der, n), md, q->name_hash) &&
		has_digest(span_of(key->data, (size_t)key->length), md, q->key_hash);
}

static int add_answer(OCSP_BASICRESP *basic, const struct responder_reply *reply,
	const struct responder_answer *answer)
{
	static const int statuses[] = {
		[RESPONDER_GOOD] = V_OCSP_CERTSTATUS_GOOD,
		[RESPONDER_REVOKED] = V_OCSP_CERTSTATUS_REVOKED,
		[RESPONDER_UNKNOWN] = V_OCSP_CERTSTATUS_UNKNOWN,
	};
	const uint8_t *p = answer->id.p;
	CLEANUP(OCSP_CERTID_freep) OCSP_CERTID *id = d2i_OCSP_CERTID(NULL, &p, (long)answer->id.n);
	CLEANUP(ASN1_TIME_freep) ASN1_TIME *this =
		ASN1_GENERALIZEDTIME_set(NULL, reply->this_us / 1000000);
	CLEANUP(ASN1_TIME_freep) ASN1_TIME *next =
		ASN1_GENERALIZEDTIME_set(NULL, reply->next_us / 1000000);
	CLEANUP(ASN1_TIME_freep) ASN1_TIME *revoked =
		ASN1_GENERALIZEDTIME_set(NULL, answer->revoked_us / 1000000);
	int reason = answer->reason ? (int)answer->reason : OCSP_REVOKED_STATUS_NOSTATUS;

	if (!id || !this || !next || !revoked ||
		!OCSP_basic_add1_status(basic, id, statuses[answer->status], reason, revoked, this,
			next))
		return key_openssl_fault("OCSP_basic_add1_status");
	return 0;
}

static int add_response(OCSP_BASICRESP *basic, struct buf *out)
{
	CLEANUP(OCSP_RESPONSE_freep) OCSP_RESPONSE *response =
		OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	int n = response ? i2d_OCSP_RESPONSE(response, NULL) : 0;
	uint8_t *p;

	if (n <= 0)
		return key_openssl_fault("OCSP_response_create");
	p = buf_room(out, (size_t)n);
	buf_added(out, (size_t)i2d_OCSP_RESPONSE(response, &p));
	return 0;
}

int responder_write(const struct responder_reply *reply, struct buf *out)
{
	CLEANUP(OCSP_BASICRESP_freep) OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	const uint8_t *der = cert_der(reply->issuer).p;
	/* Read anew, without a property query of its own: its signer need not be in the default
	 * provider. */
	CLEANUP(X509_freep) X509 *issuer = d2i_X509(NULL, &der, (long)cert_der(reply->issuer).n);

	if (!basic || !issuer)
		return key_openssl_fault("OCSP_BASICRESP_new");
	for (size_t i = 0; i < reply->n; i++)
		TRY(add_answer(basic, reply, &reply->answers[i]));
	if (reply->nonce.n &&
		!OCSP_basic_add1_nonce(basic, (uint8_t *)(uintptr_t)reply->nonce.p,
			(int)reply->nonce.n))
		return key_openssl_fault("OCSP_basic_add1_nonce");
	/* RFC 5019 section 2.2.1: no certificates, the responder named by its key. */
	if (OCSP_basic_sign(basic, issuer, reply->signer, key_digest(X509_get0_pubkey(issuer)), NULL,
		    OCSP_NOCERTS | OCSP_RESPID_KEY) != 1)
		return key_openssl_fault("OCSP_basic_sign");
	return add_response(basic, out);
}

/* OCSPResponse ::= SEQUENCE { responseStatus ENUMERATED } */
void responder_write_error(enum responder_error error, struct buf *out)
{
	const uint8_t der[] = { 0x30, 0x03, 0x0a, 0x01, (uint8_t)error };

	buf_add(out, span_of(der, sizeof der));
}
