/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Requests. One that is made is given the plain public key and signed by whatever signs
 * (keyd/provider.h says why they are two). One that is read must be DER to the last octet and signed
 * by the key it carries: that is the proof that its maker has the private half (RFC 2986 section 3).
 */

#include "pki/build.h"
#include "pki/request.h"

#include "base/alloc.h"
#include "pki/key.h"
#include "pki/pem.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <stdlib.h>

CLEANUP_POINTER(X509_REQ, X509_REQ_free)
CLEANUP_POINTER(GENERAL_NAMES, GENERAL_NAMES_free)
CLEANUP_POINTER(ASN1_BIT_STRING, ASN1_BIT_STRING_free)
CLEANUP_POINTER(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free)

struct request {
	X509_REQ *req;
	GENERAL_NAMES *names; /* may be NULL */
	struct buf der;
	struct buf spki;
};

static void extensions_free(STACK_OF(X509_EXTENSION) *extensions)
{
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}
CLEANUP_POINTER(STACK_OF(X509_EXTENSION), extensions_free)

static int add_extensions(X509_REQ *req, const EVP_PKEY *key, const struct subject *s)
{
	CLEANUP(extensions_freep) STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
	CLEANUP(GENERAL_NAMES_freep) GENERAL_NAMES *names = NULL;
	CLEANUP(ASN1_BIT_STRING_freep) ASN1_BIT_STRING *usage = NULL;
	CLEANUP(EXTENDED_KEY_USAGE_freep) EXTENDED_KEY_USAGE *extended = NULL;
	bool anonymous = X509_NAME_entry_count(X509_REQ_get_subject_name(req)) == 0;

	TRY(subject_alt_names(s, &names));
	TRY(subject_server_usage(key, &usage, &extended));
	if (!extensions ||
		X509V3_add1_i2d(&extensions, NID_subject_alt_name, names, anonymous, 0) != 1 ||
		X509V3_add1_i2d(&extensions, NID_key_usage, usage, 1, 0) != 1 ||
		X509V3_add1_i2d(&extensions, NID_ext_key_usage, extended, 0, 0) != 1 ||
		X509_REQ_add_extensions(req, extensions) != 1)
		return key_openssl_fault("X509_REQ_add_extensions");
	return 0;
}

int request_make(EVP_PKEY *signer, struct span spki, const struct subject *s, struct buf *out,
	struct why *why)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *public = NULL;
	CLEANUP(X509_REQ_freep) X509_REQ *req = X509_REQ_new();
	int r = subject_check(s, NULL, why);

	if (r)
		return r < 0 ? r : REQUEST_E_REFUSED;
	TRY(key_from_spki(&public, spki, why));
	if (!req || !X509_REQ_set_version(req, X509_REQ_VERSION_1) ||
		!X509_REQ_set_pubkey(req, public))
		return key_openssl_fault("X509_REQ_set_pubkey");
	TRY(subject_add_to(s, X509_REQ_get_subject_name(req)));
	TRY(add_extensions(req, public, s));
	if (X509_REQ_sign(req, signer, key_digest(public)) <= 0)
		return key_openssl_fault("X509_REQ_sign");
	return build_add_request(req, out);
}

struct request *request_free(struct request *r)
{
	if (!r)
		return NULL;
	X509_REQ_free(r->req);
	GENERAL_NAMES_free(r->names);
	buf_done(&r->der);
	buf_done(&r->spki);
	free(r);
	return NULL;
}

static int read_parts(struct request *r, struct why *why)
{
	CLEANUP(extensions_freep) STACK_OF(X509_EXTENSION) *extensions =
		X509_REQ_get_extensions(r->req);
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *public = NULL;
	int critical = 0, outcome, n;
	uint8_t *p;

	r->names = X509V3_get_d2i(extensions, NID_subject_alt_name, &critical, NULL);
	if (!r->names && extensions && critical != -1) {
		key_openssl_why(why, "the names in the request are not readable");
		return REQUEST_E_SYNTAX;
	}
	n = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(r->req), NULL);
	if (n <= 0) {
		key_openssl_why(why, "the key in the request is not one that is known here");
		return REQUEST_E_SYNTAX;
	}
	p = buf_room(&r->spki, (size_t)n);
	buf_added(&r->spki, (size_t)i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(r->req), &p));
	/* Kind and size are bounded before work is done with it. */
	outcome = key_from_spki(&public, buf_span(&r->spki), why);
	if (outcome)
		return outcome < 0 ? outcome : REQUEST_E_SYNTAX;
	if (X509_REQ_verify(r->req, public) == 1)
		return 0;
	ERR_clear_error();
	why_set(why, "the request is not signed by the key in it");
	return REQUEST_E_SIGNATURE;
}

int request_read(struct request **ret_request, struct span file, struct why *why)
{
	CLEANUP(request_freep) struct request *r = ALLOC(struct request);
	CLEANUP(buf_done) struct buf der = {};
	const uint8_t *end;
	int outcome;

	if (file.n > REQUEST_MAX) {
		why_set(why, "a request is at most %d octets", REQUEST_MAX);
		return REQUEST_E_SYNTAX;
	}
	if (!pem_is(file)) {
		buf_add(&der, file);
	} else if (!pem_find(file, "CERTIFICATE REQUEST", &der) &&
		!pem_find(file, "NEW CERTIFICATE REQUEST", &der)) {
		why_set(why, "there is no certificate request in the file");
		return REQUEST_E_SYNTAX;
	}
	end = buf_span(&der).p;
	r->req = d2i_X509_REQ(NULL, &end, (long)buf_size(&der));
	if (r->req)
		TRY(build_add_request(r->req, &r->der));
	if (!r->req || !span_equal(buf_span(&r->der), buf_span(&der))) {
		key_openssl_why(why, "not a certificate request in DER");
		return REQUEST_E_SYNTAX;
	}
	outcome = read_parts(r, why);
	if (outcome)
		return outcome;
	*ret_request = TAKE(r);
	return 0;
}

struct span request_spki(const struct request *r)
{
	return buf_span(&r->spki);
}

void request_add_subject(const struct request *r, struct buf *out)
{
	subject_add_text(X509_REQ_get_subject_name(r->req), out);
}

bool request_name(const struct request *r, size_t i, struct span *ret_name)
{
	for (int k = 0; k < sk_GENERAL_NAME_num(r->names); k++) {
		const ASN1_STRING *text;
		int type;

		text = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(r->names, k), &type);
		if (type != GEN_DNS || i-- > 0)
			continue;
		*ret_name = span_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
		return true;
	}
	return false;
}

void request_add_pem(const struct request *r, struct buf *out)
{
	pem_add(out, "CERTIFICATE REQUEST", buf_span(&r->der));
}
