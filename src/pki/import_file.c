/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Foreign key files. What the file is decides its content, not its name: PEM if there is a BEGIN
 * line, else DER, where PKCS#12 (import_pkcs12.c), encrypted PKCS#8, PKCS#8, PKCS#1 and SEC1 are tried
 * in turn. Exactly one private key is wanted; certificates beside it are put in order, the key's own first. Every way
 * to fail has its sentence, because "could not import" sends people away.
 *
 * Iteration counts are read before any work is done for them, as far as they are in clear; those
 * inside an encrypted part are bounded by the processor time that keyd/import.c grants.
 */

#include "pki/import_parts.h"

#include "base/alloc.h"
#include "pki/key.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <stdlib.h>

CLEANUP_POINTER(BIO, BIO_free_all)
CLEANUP_POINTER(PKCS12, PKCS12_free)
CLEANUP_POINTER(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free)
CLEANUP_POINTER(X509_SIG, X509_SIG_free)
CLEANUP_POINTER(PBE2PARAM, PBE2PARAM_free)
CLEANUP_POINTER(PBKDF2PARAM, PBKDF2PARAM_free)
CLEANUP_POINTER(PBEPARAM, PBEPARAM_free)

static void import_done(struct import *i)
{
	EVP_PKEY_free(i->key);
	cert_list_done(&i->certs);
	buf_done(&i->name);
}

int import_no_password(struct import *i)
{
	if (i->has_passphrase)
		why_set(i->why, "the passphrase is wrong, or the file is damaged");
	else
		why_set(i->why, "the private key in the file is encrypted: give its passphrase with the "
			"file, or decrypt it first (openssl pkey -in FILE -out NEWFILE)");
	ERR_clear_error();
	return IMPORT_E_PASSWORD;
}

int import_not_supported(struct import *i, const char *what, const ASN1_OBJECT *algorithm)
{
	char name[80] = "unknown";

	(void)OBJ_obj2txt(name, sizeof name, algorithm, 0);
	why_set(i->why, "%s with %s, which is not supported here; export it again with AES-256",
		what, name);
	ERR_clear_error();
	return IMPORT_E_KIND;
}

int import_take_key(struct import *i, EVP_PKEY *key)
{
	if (!i->key) {
		i->key = key;
		return 0;
	}
	EVP_PKEY_free(key);
	why_set(i->why, "there is more than one private key in the file; give a file for each");
	return IMPORT_E_FILE;
}

int import_take_cert(struct import *i, struct cert *cert)
{
	if (i->certs.n == CERT_LIST_MAX) {
		why_set(i->why, "there are more than %d certificates in the file", CERT_LIST_MAX);
		return IMPORT_E_FILE;
	}
	cert_list_add(&i->certs, cert);
	return 0;
}

long import_iterations(const ASN1_INTEGER *n)
{
	int64_t value;

	return n && ASN1_INTEGER_get_int64(&value, n) && value >= 0 && value <= IMPORT_ITERATIONS_MAX
		? (long)value : -1;
}

/* The iteration count of a password-based scheme (RFC 8018 appendix A, RFC 7292 appendix C); 0 for one
 * that has none, -1 for one that is too large or not readable. */
static long pbe_iterations(const X509_ALGOR *algorithm)
{
	CLEANUP(PBE2PARAM_freep) PBE2PARAM *two = NULL;
	CLEANUP(PBKDF2PARAM_freep) PBKDF2PARAM *pbkdf2 = NULL;
	CLEANUP(PBEPARAM_freep) PBEPARAM *one = NULL;

	if (OBJ_obj2nid(algorithm->algorithm) != NID_pbes2) {
		one = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), algorithm->parameter);
		return one ? import_iterations(one->iter) : 0;
	}
	two = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), algorithm->parameter);
	if (!two)
		return -1;
	/* Others, as scrypt, are bounded by OpenSSL's own limit of memory. */
	if (OBJ_obj2nid(two->keyfunc->algorithm) != NID_id_pbkdf2)
		return 0;
	pbkdf2 = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), two->keyfunc->parameter);
	return pbkdf2 ? import_iterations(pbkdf2->iter) : -1;
}

int import_check_pbe(struct import *i, const X509_ALGOR *algorithm)
{
	if (pbe_iterations(algorithm) >= 0) {
		ERR_clear_error();
		return 0;
	}
	ERR_clear_error();
	why_set(i->why, "the file asks for more than %d iterations of password hashing",
		IMPORT_ITERATIONS_MAX);
	return IMPORT_E_KIND;
}

int import_pkcs8_info(struct import *i, PKCS8_PRIV_KEY_INFO *info)
{
	EVP_PKEY *key = EVP_PKCS82PKEY_ex(info, NULL, "provider=default");

	if (key)
		return import_take_key(i, key);
	why_set(i->why, "the private key is of a kind that is not supported; supported are RSA, EC on "
		"P-256, P-384 and P-521, and Ed25519");
	ERR_clear_error();
	return IMPORT_E_KIND;
}

static int from_pkcs8(struct import *i, struct span der)
{
	CLEANUP(PKCS8_PRIV_KEY_INFO_freep) PKCS8_PRIV_KEY_INFO *info = NULL;
	const uint8_t *p = der.p;

	info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.n);
	if (info && p == der.p + der.n)
		return import_pkcs8_info(i, info);
	key_openssl_why(i->why, "the private key is damaged");
	return IMPORT_E_FILE;
}

/* EncryptedPrivateKeyInfo, RFC 5958 section 3. */
static int from_encrypted(struct import *i, const X509_SIG *sealed)
{
	CLEANUP(PKCS8_PRIV_KEY_INFO_freep) PKCS8_PRIV_KEY_INFO *info = NULL;
	const X509_ALGOR *algorithm;
	unsigned long error;
	int r;

	X509_SIG_get0(sealed, &algorithm, NULL);
	r = import_check_pbe(i, algorithm);
	if (r)
		return r;
	if (!i->has_passphrase)
		return import_no_password(i);
	info = PKCS8_decrypt(sealed, i->passphrase, (int)strlen(i->passphrase));
	if (info)
		return import_pkcs8_info(i, info);
	error = ERR_GET_REASON(ERR_peek_error());
	if (error == ERR_R_UNSUPPORTED || error == EVP_R_UNSUPPORTED_ALGORITHM ||
		error == EVP_R_UNKNOWN_PBE_ALGORITHM)
		return import_not_supported(i, "the private key is encrypted", algorithm->algorithm);
	return import_no_password(i);
}

static int from_encrypted_der(struct import *i, struct span der)
{
	CLEANUP(X509_SIG_freep) X509_SIG *sealed = NULL;
	const uint8_t *p = der.p;

	sealed = d2i_X509_SIG(NULL, &p, (long)der.n);
	if (sealed && p == der.p + der.n)
		return from_encrypted(i, sealed);
	key_openssl_why(i->why, "the encrypted private key is damaged");
	return IMPORT_E_FILE;
}

/* PKCS #1 (RFC 8017 appendix A.1.2) and SEC1 (RFC 5915). */
static int from_traditional(struct import *i, int type, struct span der)
{
	const uint8_t *p = der.p;
	EVP_PKEY *key = d2i_PrivateKey_ex(type, NULL, &p, (long)der.n, NULL, "provider=default");

	if (key && p == der.p + der.n)
		return import_take_key(i, key);
	EVP_PKEY_free(key);
	key_openssl_why(i->why, "the private key is damaged");
	return IMPORT_E_FILE;
}

static int from_cert(struct import *i, struct span der)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	int r = cert_from_der(&cert, der, i->why);

	if (r > 0)
		return IMPORT_E_FILE;
	return r ? r : import_take_cert(i, cert);
}

static int give_passphrase(char *out, int room, int writing, void *context)
{
	const struct import *i = context;
	size_t n = strlen(i->passphrase);

	(void)writing;
	if (!i->has_passphrase || n > (size_t)room)
		return -1;
	memcpy(out, i->passphrase, n);
	return (int)n;
}

/* Takes the old PEM encryption off (RFC 1421 headers): *n becomes the length of what was inside. */
static int open_pem(struct import *i, char *header, uint8_t *data, long *n)
{
	EVP_CIPHER_INFO cipher;

	if (header[0] == '\0')
		return 0;
	if (!PEM_get_EVP_CIPHER_INFO(header, &cipher)) {
		key_openssl_why(i->why, "the private key is encrypted in a way that is not supported");
		return IMPORT_E_KIND;
	}
	if (!cipher.cipher)
		return 0;
	if (!i->has_passphrase || !PEM_do_header(&cipher, data, n, give_passphrase, i))
		return import_no_password(i);
	return 0;
}

/* "DSA PRIVATE KEY", "OPENSSH PRIVATE KEY" and the like. */
static int other_kind(struct import *i, const char *name)
{
	why_set(i->why, "the file holds a %s, which is not supported; supported are RSA, EC on P-256,"
		" P-384 and P-521, and Ed25519, in PKCS#8, PKCS#1, SEC1 or PKCS#12", name);
	return IMPORT_E_KIND;
}

static int from_pem_block(struct import *i, const char *name, char *header, uint8_t *data, long n)
{
	struct span der;
	int r;

	if (strcmp(name, PEM_STRING_X509) == 0)
		return from_cert(i, span_of(data, (size_t)n));
	if (strcmp(name, PEM_STRING_PKCS8) == 0)
		return from_encrypted_der(i, span_of(data, (size_t)n));
	r = open_pem(i, header, data, &n);
	if (r)
		return r;
	der = span_of(data, (size_t)n);
	if (strcmp(name, PEM_STRING_PKCS8INF) == 0)
		r = from_pkcs8(i, der);
	else if (strcmp(name, PEM_STRING_RSA) == 0)
		r = from_traditional(i, EVP_PKEY_RSA, der);
	else if (strcmp(name, PEM_STRING_ECPRIVATEKEY) == 0)
		r = from_traditional(i, EVP_PKEY_EC, der);
	else if (strstr(name, "PRIVATE KEY"))
		r = other_kind(i, name);
	/* A passphrase that happens to give good padding gives garbage. */
	return r == IMPORT_E_FILE && strstr(header, "ENCRYPTED") ? import_no_password(i) : r;
}

static int from_pem(struct import *i, struct span file)
{
	CLEANUP(BIO_free_allp) BIO *bio = BIO_new_mem_buf(file.p, (int)file.n);
	char *name = NULL, *header = NULL;
	uint8_t *data = NULL;
	long n;
	int r = 0;

	if (!bio)
		return key_openssl_fault("BIO_new_mem_buf");
	while (!r && PEM_read_bio(bio, &name, &header, &data, &n)) {
		size_t size = (size_t)n;

		r = from_pem_block(i, name, header, data, n);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(data, size);
	}
	if (!r && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		key_openssl_why(i->why, "the PEM text is damaged");
		r = IMPORT_E_FILE;
	}
	ERR_clear_error();
	return r;
}

static int from_der(struct import *i, struct span file)
{
	CLEANUP(PKCS12_freep) PKCS12 *p12 = NULL;
	CLEANUP(X509_SIG_freep) X509_SIG *sealed = NULL;
	CLEANUP(PKCS8_PRIV_KEY_INFO_freep) PKCS8_PRIV_KEY_INFO *info = NULL;
	static const int types[] = { EVP_PKEY_RSA, EVP_PKEY_EC };
	const uint8_t *p = file.p;

	/* Files of the net often have octets behind the structure; a PKCS #12 has its own check. */
	p12 = d2i_PKCS12(NULL, &p, (long)file.n);
	if (p12)
		return import_pkcs12(i, p12);
	p = file.p;
	sealed = d2i_X509_SIG(NULL, &p, (long)file.n);
	if (sealed && p == file.p + file.n)
		return from_encrypted(i, sealed);
	p = file.p;
	info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)file.n);
	if (info && p == file.p + file.n)
		return import_pkcs8_info(i, info);
	for (size_t k = 0; k < sizeof types / sizeof types[0]; k++) {
		int r = from_traditional(i, types[k], file);

		if (r != IMPORT_E_FILE)
			return r;
	}
	why_set(i->why, "the file is neither PEM nor PKCS #12 nor a private key in DER");
	ERR_clear_error();
	return IMPORT_E_FILE;
}

/* Moves the certificate with that subject, or that key, to place k. */
static bool bring(struct cert_list *l, size_t k, const X509_NAME *subject, struct span spki)
{
	for (size_t j = k; j < l->n; j++) {
		struct cert *c = l->certs[j];

		if (subject ? X509_NAME_cmp(X509_get_subject_name(cert_x509(c)), subject) != 0
			    : !cert_has_key(c, spki))
			continue;
		memmove(&l->certs[k + 1], &l->certs[k], (j - k) * sizeof *l->certs);
		l->certs[k] = c;
		return true;
	}
	return false;
}

/* The key's own certificate, its issuer and so on, then what is left in the order of the file. */
static void order_certs(struct cert_list *l, struct span spki)
{
	if (!bring(l, 0, NULL, spki))
		return;
	for (size_t k = 1; k < l->n; k++)
		if (!bring(l, k, X509_get_issuer_name(cert_x509(l->certs[k - 1])), (struct span){}))
			return;
}

static int import_finish(struct import *i, bool public_only, struct imported *ret_imported)
{
	CLEANUP(imported_done) struct imported imported = {};
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *again = NULL;
	CLEANUP(buf_done) struct buf spki = {};
	int r;

	if (!i->key) {
		why_set(i->why, i->certs.n ? "there is no private key in the file, only certificates"
					   : "there is no private key in the file");
		return IMPORT_E_FILE;
	}
	if (key_to_pkcs8(i->key, &imported.pkcs8) || key_to_spki(i->key, &spki)) {
		why_set(i->why, "the private key is damaged");
		return IMPORT_E_FILE;
	}
	/* Read back: what keyd will be given is what it takes. */
	r = key_from_pkcs8(&again, secret_span(&imported.pkcs8), i->why);
	if (r)
		return r < 0 ? r : r == KEY_E_KIND ? IMPORT_E_KIND : IMPORT_E_FILE;
	r = key_self_test(again, buf_span(&spki), true, i->why);
	if (r)
		return r < 0 ? r : IMPORT_E_FILE;
	order_certs(&i->certs, buf_span(&spki));
	for (size_t k = 0; k < i->certs.n; k++)
		buf_add(&imported.certs, cert_der(i->certs.certs[k]));
	buf_add(&imported.name, buf_span(&i->name));
	buf_add(&imported.spki, buf_span(&spki));
	if (public_only)
		secret_done(&imported.pkcs8);
	*ret_imported = imported;
	imported = (struct imported){};
	return 0;
}

void imported_done(struct imported *i)
{
	secret_done(&i->pkcs8);
	buf_done(&i->spki);
	buf_done(&i->certs);
	buf_done(&i->name);
}

int import_parse(const struct import_order *order, struct imported *ret_imported, struct why *why)
{
	struct span file = order->file, passphrase = order->passphrase;
	CLEANUP(secret_done) struct secret text = secret_new(passphrase.n + 1);
	CLEANUP(import_done) struct import i = { .which = order->which, .why = why };
	int r;

	if (passphrase.n)
		memcpy(text.p, passphrase.p, passphrase.n);
	i.passphrase = (const char *)text.p;
	i.has_passphrase = passphrase.n > 0;
	if (strlen(i.passphrase) != passphrase.n) {
		why_set(why, "the passphrase has a NUL in it");
		return IMPORT_E_PASSWORD;
	}
	if (span_find_span(file, SPAN("-----BEGIN ")) < file.n)
		r = from_pem(&i, file);
	else
		r = from_der(&i, file);
	return r ? r : import_finish(&i, order->public_only, ret_imported);
}

void import_load_legacy(void)
{
	(void)OSSL_PROVIDER_load(NULL, "default");
	(void)OSSL_PROVIDER_load(NULL, "legacy");
	ERR_clear_error();
}
