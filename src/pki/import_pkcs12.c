/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * PKCS #12 (RFC 7292). OpenSSL's own PKCS12_parse takes the first private key and passes over
 * others; people who have used mail for years have files with several. So the bags are walked here:
 * all certificates, and all keys, of which one is taken. Where there are more, the caller says
 * which, by the name that the file gives it or by its number; until then the refusal names them
 * all.
 *
 * The integrity check comes first: it is how a wrong passphrase is known.
 */

#include "pki/import_parts.h"

#include "base/alloc.h"
#include "pki/key.h"

#include <openssl/err.h>
#include <stdlib.h>

enum {
	KEYS_MAX = 32,
	DEPTH_MAX = 4, /* of SafeContents in each other, which nobody makes */
	LABEL_MAX = 100,
};

struct found_key {
	EVP_PKEY *key;
	struct buf spki;
	struct buf label; /* the file's name for it, else its certificate's subject */
};

struct found {
	struct import *i;
	const char *passphrase; /* as the integrity check found it */
	struct found_key keys[KEYS_MAX];
	size_t n_keys;
};

static void found_done(struct found *f)
{
	for (size_t k = 0; k < f->n_keys; k++) {
		EVP_PKEY_free(f->keys[k].key);
		buf_done(&f->keys[k].spki);
		buf_done(&f->keys[k].label);
	}
}

static int damaged(struct found *f)
{
	key_openssl_why(f->i->why, "the PKCS #12 file does not open: its encryption is not "
				   "supported here, or it is damaged");
	return IMPORT_E_KIND;
}

/* No passphrase has two encodings (RFC 7292 appendix B.1): none, and an empty one. */
static int check_mac(struct found *f, PKCS12 *p12)
{
	const ASN1_INTEGER *iterations = NULL;
	const X509_ALGOR *algorithm = NULL;

	f->passphrase = f->i->passphrase;
	if (!PKCS12_mac_present(p12))
		return 0;
	PKCS12_get0_mac(NULL, &algorithm, NULL, &iterations, p12);
	if (iterations && import_iterations(iterations) < 0) {
		why_set(f->i->why, "the file asks for more than %d iterations of password hashing",
			IMPORT_ITERATIONS_MAX);
		return IMPORT_E_KIND;
	}
	if (!EVP_get_digestbyobj(algorithm->algorithm))
		return import_not_supported(f->i, "the file is protected", algorithm->algorithm);
	if (PKCS12_verify_mac(p12, f->i->passphrase, -1))
		return 0;
	if (!f->i->has_passphrase && PKCS12_verify_mac(p12, NULL, 0)) {
		f->passphrase = NULL;
		return 0;
	}
	return import_no_password(f->i);
}

/* The friendlyName of RFC 7292 section 4.2, as far as it is text. */
static void add_name(PKCS12_SAFEBAG *bag, struct buf *out)
{
	char *name = PKCS12_get_friendlyname(bag);
	struct span text = span_str(name);

	if (text.n && span_is_utf8(text))
		buf_add(out, text);
	OPENSSL_free(name);
}

static int take_key(struct found *f, PKCS12_SAFEBAG *bag, const PKCS8_PRIV_KEY_INFO *info)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = EVP_PKCS82PKEY_ex(info, NULL, "provider=default");
	CLEANUP(buf_done) struct buf spki = {};
	struct found_key *found = &f->keys[f->n_keys];

	if (!key || key_to_spki(key, &spki)) {
		why_set(f->i->why, "a private key in the file is of a kind that is not supported;"
				   " supported are RSA, EC on P-256, P-384 and P-521, and Ed25519");
		ERR_clear_error();
		return IMPORT_E_KIND;
	}
	/* The same key again is no second one. */
	for (size_t k = 0; k < f->n_keys; k++)
		if (span_equal(buf_span(&f->keys[k].spki), buf_span(&spki)))
			return 0;
	if (f->n_keys == KEYS_MAX) {
		why_set(f->i->why, "there are more than %d private keys in the file", KEYS_MAX);
		return IMPORT_E_FILE;
	}
	*found = (struct found_key){ .key = TAKE(key), .spki = spki };
	spki = (struct buf){};
	add_name(bag, &found->label);
	f->n_keys++;
	return 0;
}

static int take_shrouded(struct found *f, PKCS12_SAFEBAG *bag)
{
	PKCS8_PRIV_KEY_INFO *info;
	const X509_ALGOR *algorithm;
	int r;

	X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, NULL);
	r = import_check_pbe(f->i, algorithm);
	if (r)
		return r;
	info = PKCS12_decrypt_skey(bag, f->passphrase, -1);
	if (!info)
		return damaged(f);
	r = take_key(f, bag, info);
	PKCS8_PRIV_KEY_INFO_free(info);
	return r;
}

/* Other kinds of certificates (SDSI) are passed over. */
static int take_cert(struct found *f, PKCS12_SAFEBAG *bag)
{
	CLEANUP(X509_freep) X509 *x = PKCS12_SAFEBAG_get1_cert(bag);
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	int r;

	ERR_clear_error();
	if (!x)
		return 0;
	r = cert_from_x509(&cert, x, f->i->why);
	if (r)
		return r > 0 ? IMPORT_E_FILE : r;
	return import_take_cert(f->i, cert);
}

static int take_bags(struct found *f, const STACK_OF(PKCS12_SAFEBAG) *bags, int depth);

static int take_bag(struct found *f, PKCS12_SAFEBAG *bag, int depth)
{
	switch (PKCS12_SAFEBAG_get_nid(bag)) {
	case NID_keyBag:
		return take_key(f, bag, PKCS12_SAFEBAG_get0_p8inf(bag));
	case NID_pkcs8ShroudedKeyBag:
		return take_shrouded(f, bag);
	case NID_certBag:
		return take_cert(f, bag);
	case NID_safeContentsBag:
		return take_bags(f, PKCS12_SAFEBAG_get0_safes(bag), depth + 1);
	default:
		return 0;
	}
}

static int take_bags(struct found *f, const STACK_OF(PKCS12_SAFEBAG) *bags, int depth)
{
	int r = 0;

	if (depth > DEPTH_MAX) {
		why_set(f->i->why, "the PKCS #12 file is nested deeper than any program makes it");
		return IMPORT_E_KIND;
	}
	for (int k = 0; !r && k < sk_PKCS12_SAFEBAG_num(bags); k++)
		r = take_bag(f, sk_PKCS12_SAFEBAG_value(bags, k), depth);
	return r;
}

static int take_safe(struct found *f, PKCS7 *safe)
{
	STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
	int r = 0;

	if (PKCS7_type_is_data(safe)) {
		bags = PKCS12_unpack_p7data(safe);
	} else if (PKCS7_type_is_encrypted(safe) && safe->d.encrypted) {
		r = import_check_pbe(f->i, safe->d.encrypted->enc_data->algorithm);
		if (r)
			return r;
		bags = PKCS12_unpack_p7encdata(safe, f->passphrase, -1);
	} else {
		return import_not_supported(f->i, "the file is protected", safe->type);
	}
	r = bags ? take_bags(f, bags, 0) : damaged(f);
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	return r;
}

/* A key that the file gives no name has its certificate's. */
static void label(struct found *f)
{
	for (size_t k = 0; k < f->n_keys; k++) {
		struct found_key *key = &f->keys[k];

		for (size_t c = 0; c < f->i->certs.n && !buf_size(&key->label); c++) {
			struct cert *cert = f->i->certs.certs[c];

			if (cert_has_key(cert, buf_span(&key->spki)))
				cert_add_subject(cert, &key->label);
		}
	}
}

static bool is_wanted(const struct found *f, size_t k)
{
	uint64_t number;

	if (span_to_u64(f->i->which, f->n_keys, &number) && number == k + 1)
		return true;
	return span_equal(f->i->which, buf_span(&f->keys[k].label));
}

static int say_which(struct found *f, const char *trouble)
{
	CLEANUP(buf_done) struct buf text = {};

	for (size_t k = 0; k < f->n_keys; k++) {
		struct span name = buf_span(&f->keys[k].label);

		name = name.n ? span_head(name, LABEL_MAX) : SPAN("without a name");
		buf_add_format(&text, "%s%zu: %.*s", k ? "; " : "", k + 1, (int)name.n,
			(const char *)name.p);
	}
	why_set(f->i->why, "%s (%.*s); say which one to take, by name or number", trouble,
		(int)buf_size(&text), (const char *)buf_span(&text).p);
	return IMPORT_E_WHICH;
}

static int choose(struct found *f)
{
	size_t chosen = 0, n = 0;

	if (f->n_keys == 0)
		return 0; /* said where the file was read to its end */
	label(f);
	for (size_t k = 0; f->i->which.n && k < f->n_keys; k++) {
		if (is_wanted(f, k)) {
			chosen = k;
			n++;
		}
	}
	if (f->i->which.n && n == 0)
		return say_which(f, "the file has no such private key");
	if (n > 1 || (n == 0 && f->n_keys > 1))
		return say_which(f, "there is more than one private key in the file");
	buf_clear(&f->i->name);
	buf_add(&f->i->name, buf_span(&f->keys[chosen].label));
	return import_take_key(f->i, TAKE(f->keys[chosen].key));
}

int import_pkcs12(struct import *i, PKCS12 *p12)
{
	CLEANUP(found_done) struct found f = { .i = i };
	STACK_OF(PKCS7) *safes;
	int r = check_mac(&f, p12);

	if (r)
		return r;
	safes = PKCS12_unpack_authsafes(p12);
	if (!safes) {
		key_openssl_why(i->why, "the PKCS #12 file is damaged");
		return IMPORT_E_FILE;
	}
	for (int k = 0; !r && k < sk_PKCS7_num(safes); k++)
		r = take_safe(&f, sk_PKCS7_value(safes, k));
	sk_PKCS7_pop_free(safes, PKCS7_free);
	return r ? r : choose(&f);
}
