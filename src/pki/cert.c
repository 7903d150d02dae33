/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A certificate as a value: read once, strictly, with what people and other modules ask for taken
 * out at that time (times, alternative names, the encoded public key), so that the questions cannot
 * fail later. Encodings that OpenSSL reads but DER forbids are found by comparing with what it would
 * write. Judging a certificate is the work of a path, not done here.
 */

#include "pki/cert.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "base/arena.h"
#include "base/enc.h"
#include "base/limit.h"
#include "pki/der.h"
#include "pki/key.h"
#include "pki/name.h"
#include "pki/pem.h"
#include "pki/pkcs7.h"
#include "pki/subject.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

CLEANUP_POINTER(BIO, BIO_free_all)

struct cert {
	atomic_uint references;
	X509 *x509;
	struct buf der;
	struct buf spki;
	GENERAL_NAMES *names; /* may be NULL */
	uint8_t fingerprint[SHA256_OCTETS];
	int64_t not_before_us;
	int64_t not_after_us;
	bool self_signed;
};

struct cert *cert_ref(struct cert *c)
{
	atomic_fetch_add_explicit(&c->references, 1, memory_order_relaxed);
	return c;
}

struct cert *cert_unref(struct cert *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) > 1)
		return NULL;
	X509_free(c->x509);
	GENERAL_NAMES_free(c->names);
	buf_done(&c->der);
	buf_done(&c->spki);
	free(c);
	return NULL;
}

bool cert_time_us(const ASN1_TIME *t, int64_t *ret_us)
{
	struct tm tm = {};

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return false;
	*ret_us = (int64_t)timegm(&tm) * 1000000;
	return true;
}

static bool cert_take_names(struct cert *c)
{
	int critical;

	c->names = X509_get_ext_d2i(c->x509, NID_subject_alt_name, &critical, NULL);
	/* -1: there is none. Otherwise it is there twice (RFC 5280 section 4.2) or not readable. */
	return c->names || critical == -1;
}

static bool cert_take_spki(struct cert *c)
{
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x509), NULL);
	uint8_t *p;

	if (n <= 0)
		return false;
	p = buf_room(&c->spki, (size_t)n);
	buf_added(&c->spki, (size_t)i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x509), &p));
	return true;
}

static bool cert_check_self_signed(const struct cert *c)
{
	EVP_PKEY *key = X509_get0_pubkey(c->x509);
	bool own = key && X509_name_cmp(X509_get_subject_name(c->x509),
				  X509_get_issuer_name(c->x509)) == 0;

	own = own && key_is_bounded(key) && X509_verify(c->x509, key) == 1;
	ERR_clear_error();
	return own;
}

/* Octets that are not what DER makes of the same certificate: BER lengths and the like would give
 * one certificate several fingerprints. */
static bool cert_is_der(struct cert *c, struct span der)
{
	int n = i2d_X509(c->x509, NULL);
	uint8_t *p;

	if (n <= 0 || (size_t)n != der.n)
		return false;
	p = buf_room(&c->der, der.n);
	buf_added(&c->der, (size_t)i2d_X509(c->x509, &p));
	return span_equal(buf_span(&c->der), der);
}

static bool is_too_large(struct span der)
{
	struct der value;

	return der_next(&der, &value) && value.tag == DER_SEQUENCE && value.whole.n > LIMIT_CERT;
}

/* Reads one certificate from the front of *der and takes its octets away. */
static int cert_read(struct cert **ret_cert, struct span *der, struct why *why)
{
	CLEANUP(cert_unrefp) struct cert *c = ALLOC(struct cert);
	struct span head = span_head(*der, LIMIT_CERT);
	const uint8_t *end = head.p;

	atomic_init(&c->references, 1);
	c->x509 = X509_new_ex(NULL, "provider=default");
	if (!d2i_X509(&c->x509, &end, (long)head.n)) {
		key_openssl_why(why, "not a certificate");
		if (is_too_large(*der))
			why_set(why, "the certificate has more than %d octets", LIMIT_CERT);
		return CERT_E_SYNTAX;
	}
	if (!cert_is_der(c, span_of(head.p, (size_t)(end - head.p))) || !cert_take_spki(c)) {
		key_openssl_why(why, "the certificate is not in DER");
		return CERT_E_SYNTAX;
	}
	if (!cert_time_us(X509_get0_notBefore(c->x509), &c->not_before_us) ||
		!cert_time_us(X509_get0_notAfter(c->x509), &c->not_after_us)) {
		key_openssl_why(why, "the certificate's validity is not readable");
		return CERT_E_SYNTAX;
	}
	if (!cert_take_names(c)) {
		key_openssl_why(why, "the certificate's alternative names are not readable");
		return CERT_E_SYNTAX;
	}
	digest_sha256(buf_span(&c->der), c->fingerprint);
	c->self_signed = cert_check_self_signed(c);
	/* What OpenSSL keeps of the extensions it reads when it is first asked: before threads share it.
	 */
	(void)X509_get_extension_flags(c->x509);
	*der = span_skip(*der, (size_t)(end - head.p));
	*ret_cert = TAKE(c);
	return 0;
}

int cert_from_der(struct cert **ret_cert, struct span der, struct why *why)
{
	CLEANUP(cert_unrefp) struct cert *c = NULL;
	int r = cert_read(&c, &der, why);

	if (r)
		return r;
	if (der.n) {
		why_set(why, "%zu octets follow behind the certificate", der.n);
		return CERT_E_SYNTAX;
	}
	*ret_cert = TAKE(c);
	return 0;
}

int cert_from_x509(struct cert **ret_cert, X509 *x509, struct why *why)
{
	uint8_t *der = NULL;
	int n = i2d_X509(x509, &der);
	int r;

	if (n <= 0)
		return key_openssl_fault("i2d_X509");
	r = cert_from_der(ret_cert, span_of(der, (size_t)n), why);
	OPENSSL_free(der);
	return r;
}

void cert_list_done(struct cert_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		cert_unref(l->certs[i]);
	free(l->certs);
	*l = (struct cert_list){};
}

void cert_list_add(struct cert_list *l, struct cert *c)
{
	l->certs = alloc_array(l->certs, l->n + 1, sizeof *l->certs);
	l->certs[l->n++] = cert_ref(c);
}

static int list_add(struct cert_list *l, struct cert *c, struct why *why)
{
	if (l->n == CERT_LIST_MAX) {
		why_set(why, "more than %d certificates", CERT_LIST_MAX);
		return CERT_E_SYNTAX;
	}
	cert_list_add(l, c);
	return 0;
}

int cert_list_from_der(struct cert_list *ret_list, struct span der, struct why *why)
{
	CLEANUP(cert_list_done) struct cert_list list = {};

	while (der.n) {
		CLEANUP(cert_unrefp) struct cert *c = NULL;
		int r = cert_read(&c, &der, why);

		if (!r)
			r = list_add(&list, c, why);
		if (r)
			return r;
	}
	*ret_list = list;
	list = (struct cert_list){};
	return 0;
}

/* RFC 7468 sections 5, 8 and 9, and a label of older programs. */
static int list_add_block(struct cert_list *l, const char *label, struct span der, struct why *why)
{
	static const char *const bundles[] = { PEM_STRING_PKCS7, PEM_STRING_CMS,
		PEM_STRING_PKCS7_SIGNED };
	CLEANUP(cert_unrefp) struct cert *c = NULL;
	int r;

	for (size_t i = 0; i < sizeof bundles / sizeof bundles[0]; i++) {
		if (strcmp(label, bundles[i]) == 0)
			return pkcs7_add_certs(l, der, why);
	}
	if (strcmp(label, PEM_STRING_X509) != 0)
		return 0;
	r = cert_from_der(&c, der, why);
	return r ? r : list_add(l, c, why);
}

static int list_add_pem(struct cert_list *l, BIO *bio, struct why *why)
{
	char *label = NULL, *header = NULL;
	uint8_t *data = NULL;
	long n = 0;
	int r = 0;

	while (!r && PEM_read_bio(bio, &label, &header, &data, &n)) {
		r = list_add_block(l, label, span_of(data, (size_t)n), why);
		OPENSSL_free(label);
		OPENSSL_free(header);
		OPENSSL_clear_free(data, (size_t)n);
	}
	if (!r && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		key_openssl_why(why, "the PEM text is damaged");
		r = CERT_E_SYNTAX;
	}
	ERR_clear_error();
	return r;
}

int cert_list_from_pem(struct cert_list *ret_list, struct span pem, struct why *why)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	CLEANUP(BIO_free_allp) BIO *bio = NULL;
	int r;

	if (pem.n == 0 || pem.n > (size_t)CERT_LIST_MAX * LIMIT_CERT) {
		why_set(why, pem.n ? "the file is too large" : "the file is empty");
		return CERT_E_SYNTAX;
	}
	bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	if (!bio)
		return key_openssl_fault("BIO_new_mem_buf");
	r = list_add_pem(&list, bio, why);
	if (r)
		return r;
	if (list.n == 0) {
		why_set(why, pem_has_private_key(pem) ?
			"there is a private key in the file, but no certificate" :
			"there is no certificate in the file");
		return CERT_E_SYNTAX;
	}
	*ret_list = list;
	list = (struct cert_list){};
	return 0;
}

int cert_list_from_file(struct cert_list *ret_list, struct span file, struct why *why)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	int r;

	if (pem_is(file) || file.n == 0)
		return cert_list_from_pem(ret_list, file, why);
	if (!pkcs7_is(file))
		return cert_list_from_der(ret_list, file, why);
	r = pkcs7_add_certs(&list, file, why);
	if (r)
		return r;
	*ret_list = list;
	list = (struct cert_list){};
	return 0;
}

int cert_from_pem(struct cert **ret_cert, struct span pem, struct why *why)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	int r = cert_list_from_pem(&list, pem, why);

	if (r)
		return r;
	if (list.n != 1) {
		why_set(why, "%zu certificates in the file, one is wanted", list.n);
		return CERT_E_SYNTAX;
	}
	*ret_cert = cert_ref(list.certs[0]);
	return 0;
}

X509 *cert_x509(const struct cert *c)
{
	return c->x509;
}

struct span cert_der(const struct cert *c)
{
	return buf_span(&c->der);
}

struct span cert_spki(const struct cert *c)
{
	return buf_span(&c->spki);
}

void cert_add_pem(const struct cert *c, struct buf *out)
{
	pem_add(out, PEM_STRING_X509, cert_der(c));
}

void cert_add_subject(const struct cert *c, struct buf *out)
{
	subject_add_text(X509_get_subject_name(c->x509), out);
}

void cert_add_issuer(const struct cert *c, struct buf *out)
{
	subject_add_text(X509_get_issuer_name(c->x509), out);
}

static const ASN1_STRING *serial_of(const struct cert *c)
{
	return (const ASN1_STRING *)X509_get0_serialNumber(c->x509);
}

struct span cert_serial(const struct cert *c)
{
	return span_of(ASN1_STRING_get0_data(serial_of(c)),
		(size_t)ASN1_STRING_length(serial_of(c)));
}

void cert_add_serial(const struct cert *c, struct buf *out)
{
	if (ASN1_STRING_type(serial_of(c)) == V_ASN1_NEG_INTEGER)
		buf_add_octet(out, '-');
	enc_hex(out, cert_serial(c));
}

struct span cert_printed(struct arena *a, const struct cert *c,
	void (*print)(const struct cert *c, struct buf *out))
{
	CLEANUP(buf_done) struct buf text = {};

	print(c, &text);
	return arena_span(a, buf_span(&text));
}

int64_t cert_not_before_us(const struct cert *c)
{
	return c->not_before_us;
}

int64_t cert_not_after_us(const struct cert *c)
{
	return c->not_after_us;
}

static bool name_of(const GENERAL_NAME *general, struct cert_name *ret_name)
{
	static const struct {
		int general;
		enum cert_name_type type;
	} types[] = {
		{ GEN_DNS, CERT_NAME_DNS },
		{ GEN_EMAIL, CERT_NAME_EMAIL },
		{ GEN_IPADD, CERT_NAME_IP },
		{ GEN_URI, CERT_NAME_URI },
	};
	const ASN1_STRING *text;
	int type;

	text = GENERAL_NAME_get0_value(general, &type);
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (types[i].general != type)
			continue;
		*ret_name = (struct cert_name){ types[i].type,
			span_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)) };
		return true;
	}
	return false;
}

bool cert_alt_name(const struct cert *c, size_t i, struct cert_name *ret_name)
{
	for (int k = 0; k < sk_GENERAL_NAME_num(c->names); k++) {
		struct cert_name name;

		if (!name_of(sk_GENERAL_NAME_value(c->names, k), &name))
			continue;
		if (i-- > 0)
			continue;
		*ret_name = name;
		return true;
	}
	return false;
}

const STACK_OF(GENERAL_NAME) *cert_alt_names(const struct cert *c)
{
	return c->names;
}

void cert_fingerprint(const struct cert *c, uint8_t ret_digest[static 32])
{
	memcpy(ret_digest, c->fingerprint, sizeof c->fingerprint);
}

static void add_colons(struct buf *out, const uint8_t *digest, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_add_format(out, "%s%02X", i ? ":" : "", digest[i]);
}

void cert_add_fingerprint_text(const struct cert *c, struct buf *out)
{
	uint8_t digest[SHA256_OCTETS];

	cert_fingerprint(c, digest);
	add_colons(out, digest, sizeof digest);
}

static void sha1_of(const struct cert *c, uint8_t digest[static EVP_MAX_MD_SIZE], unsigned *n)
{
	*n = 0;
	(void)X509_digest(c->x509, EVP_sha1(), digest, n);
	ERR_clear_error();
}

void cert_add_sha1_text(const struct cert *c, struct buf *out)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n;

	sha1_of(c, digest, &n);
	add_colons(out, digest, n);
}

bool cert_has_fingerprint(const struct cert *c, struct span text)
{
	CLEANUP(buf_done) struct buf hex = {};
	CLEANUP(buf_done) struct buf octets = {};
	uint8_t sha256[SHA256_OCTETS], sha1[EVP_MAX_MD_SIZE];
	unsigned n_sha1;

	if (text.n > 3 * SHA256_OCTETS)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] != ':')
			buf_add_octet(&hex, octet_lower(text.p[i]));
	}
	if (!enc_hex_decode(&octets, buf_span(&hex)))
		return false;
	cert_fingerprint(c, sha256);
	sha1_of(c, sha1, &n_sha1);
	return span_equal(buf_span(&octets), span_of(sha256, sizeof sha256)) ||
		(n_sha1 && span_equal(buf_span(&octets), span_of(sha1, n_sha1)));
}

void cert_add_signature_name(const struct cert *c, struct buf *out)
{
	char name[80] = "unknown";

	(void)OBJ_obj2txt(name, sizeof name, X509_get0_tbs_sigalg(c->x509)->algorithm, 0);
	buf_add_string(out, name);
}

void cert_add_key_text(const struct cert *c, struct buf *out)
{
	const EVP_PKEY *key = X509_get0_pubkey(c->x509);

	if (key)
		key_add_size_text(key, out);
	else
		buf_add_string(out, "unknown");
	ERR_clear_error();
}

void cert_add_key_details(const struct cert *c, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	EVP_PKEY *key = X509_get0_pubkey(c->x509);
	char *text;
	long n;

	if (bio && key && EVP_PKEY_print_public(bio, key, 0, NULL) > 0) {
		n = BIO_get_mem_data(bio, &text);
		buf_add(out, span_of(text, (size_t)n));
	}
	BIO_free(bio);
	ERR_clear_error();
}

long cert_version(const struct cert *c)
{
	return X509_get_version(c->x509) + 1;
}

bool cert_is_ca(const struct cert *c)
{
	return (X509_get_extension_flags(c->x509) & EXFLAG_CA) != 0;
}

bool cert_allows(const struct cert *c, enum cert_use use)
{
	static const uint32_t bits[] = {
		[CERT_USE_SERVER] = XKU_SSL_SERVER,
		[CERT_USE_CLIENT] = XKU_SSL_CLIENT,
		[CERT_USE_MAIL] = XKU_SMIME,
	};

	return (X509_get_extended_key_usage(c->x509) & (bits[use] | XKU_ANYEKU)) != 0;
}

bool cert_is_self_signed(const struct cert *c)
{
	return c->self_signed;
}

bool cert_has_key(const struct cert *c, struct span spki)
{
	return span_equal(cert_spki(c), spki);
}

bool cert_covers_host(const struct cert *c, struct span host)
{
	struct cert_name name;

	for (size_t i = 0; cert_alt_name(c, i, &name); i++)
		if (name.type == CERT_NAME_DNS && name_matches(name.text, host))
			return true;
	return false;
}
