/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The private key may be keyd's: then RSA unpads there and ECDH derives there, which is why the key
 * derivation of RFC 5753 goes through EVP_PKEY_derive. What keyd has no keys for (X25519) is
 * derived here.
 */

#include "smime/content_key.h"

#include "base/alloc.h"
#include "base/random.h"
#include "pki/der.h"
#include "smime/cipher.h"
#include "smime/oid.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/rsa.h>

CLEANUP_POINTER(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
CLEANUP_POINTER(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
CLEANUP_POINTER(EVP_KDF, EVP_KDF_free)
CLEANUP_POINTER(EVP_KDF_CTX, EVP_KDF_CTX_free)
CLEANUP_POINTER(RSA_OAEP_PARAMS, RSA_OAEP_PARAMS_free)

enum {
	KEY_OCTETS_MAX = 64,
	LABEL_MAX = 1024,
	PARAMETER_MAX = 4096,
	WRAPPED_MAX = 256,
};

/* RFC 8418 section 2.2. */
static const struct {
	const char *oid;
	const char *digest;
} hkdf_schemes[] = {
	{ "1.2.840.113549.1.9.16.3.19", "SHA256" },
	{ "1.2.840.113549.1.9.16.3.20", "SHA384" },
	{ "1.2.840.113549.1.9.16.3.21", "SHA512" },
};

/* How the key-encryption key comes about, and what it is for. */
struct agreement {
	const struct key_method *method; /* X9.63; else hkdf */
	const char *hkdf;                /* the digest; NULL: not that */
	struct cms_algorithm wrap;
	const EVP_CIPHER *cipher; /* of the wrapping */
	size_t n_octets;          /* of the key-encryption key */
};

static const EVP_CIPHER *wrap_cipher(int nid)
{
	switch (nid) {
	case NID_id_aes128_wrap:
		return EVP_aes_128_wrap();
	case NID_id_aes192_wrap:
		return EVP_aes_192_wrap();
	case NID_id_aes256_wrap:
		return EVP_aes_256_wrap();
	case NID_id_smime_alg_CMS3DESwrap:
		return EVP_des_ede3_wrap();
	default:
		return NULL;
	}
}

static bool agreement_of(const struct cms_recipient *r, struct agreement *ret)
{
	struct span parameter = r->method.parameter;
	const struct key_method *method = key_method_by_nid(oid_nid(r->method.oid));

	*ret = (struct agreement){};
	if (method && method->is_agreement)
		ret->method = method;
	for (size_t i = 0; i < sizeof hkdf_schemes / sizeof hkdf_schemes[0]; i++) {
		if (oid_is(r->method.oid, hkdf_schemes[i].oid))
			ret->hkdf = hkdf_schemes[i].digest;
	}
	if ((!ret->method && !ret->hkdf) || !r->has_originator_key ||
		!cms_algorithm_next(&parameter, &ret->wrap) || parameter.n)
		return false;
	ret->cipher = wrap_cipher(oid_nid(ret->wrap.oid));
	if (!ret->cipher)
		return false;
	ret->n_octets = (size_t)EVP_CIPHER_get_key_length(ret->cipher);
	return true;
}

bool content_key_method(const struct cms_recipient *r, struct buf *out, bool *ret_is_weak)
{
	static const char *const others[] = {
		[CMS_KEY_WRAP] = "a key both sides have",
		[CMS_PASSWORD] = "a password",
	};
	const struct key_method *method = key_method_by_nid(oid_nid(r->method.oid));
	struct agreement agreement;

	*ret_is_weak = method && method->is_weak;
	if (r->kind == CMS_KEY_WRAP || r->kind == CMS_PASSWORD) {
		buf_add_string(out, others[r->kind]);
		return false;
	}
	if (method)
		buf_add_string(out, method->text);
	else
		oid_add_name(r->method.oid, out);
	if (r->kind == CMS_KEY_AGREEMENT)
		return agreement_of(r, &agreement);
	return r->kind == CMS_KEY_TRANSPORT && method && !method->is_agreement;
}

static const EVP_MD *digest_of(const X509_ALGOR *a)
{
	const ASN1_OBJECT *object;

	if (!a)
		return EVP_sha1(); /* RFC 4055 section 4.1 */
	X509_ALGOR_get0(&object, NULL, NULL, a);
	return EVP_get_digestbynid(OBJ_obj2nid(object));
}

static const EVP_MD *mask_digest_of(const X509_ALGOR *mask)
{
	CLEANUP(X509_ALGOR_freep) X509_ALGOR *digest = NULL;
	const ASN1_OBJECT *object;
	const void *value;
	int type;

	if (!mask)
		return EVP_sha1();
	X509_ALGOR_get0(&object, &type, &value, mask);
	if (OBJ_obj2nid(object) != NID_mgf1 || type != V_ASN1_SEQUENCE)
		return NULL;
	digest = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(X509_ALGOR), mask->parameter);
	return digest ? digest_of(digest) : NULL;
}

/* The label, which OpenSSL wants to own; 0 octets are none. */
static bool set_label(EVP_PKEY_CTX *ctx, const X509_ALGOR *source)
{
	const ASN1_OBJECT *object;
	const void *value;
	const ASN1_STRING *label;
	void *copy;
	int type, n;

	if (!source)
		return true;
	X509_ALGOR_get0(&object, &type, &value, source);
	if (OBJ_obj2nid(object) != NID_pSpecified || type != V_ASN1_OCTET_STRING)
		return false;
	label = value;
	n = ASN1_STRING_length(label);
	if (n == 0)
		return true;
	copy = n <= LABEL_MAX ? OPENSSL_memdup(ASN1_STRING_get0_data(label), (size_t)n) : NULL;
	if (copy && EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, copy, n) > 0)
		return true;
	OPENSSL_free(copy);
	return false;
}

static bool set_oaep(EVP_PKEY_CTX *ctx, struct span der)
{
	const uint8_t *p = der.p;
	CLEANUP(RSA_OAEP_PARAMS_freep) RSA_OAEP_PARAMS *params = NULL;
	const EVP_MD *digest, *mask;

	if (der.n > PARAMETER_MAX)
		return false;
	/* RFC 3560 section 4: always there, though an empty one. */
	params = d2i_RSA_OAEP_PARAMS(NULL, &p, (long)der.n);
	if (!params || p != der.p + der.n)
		return false;
	digest = digest_of(params->hashFunc);
	mask = mask_digest_of(params->maskGenFunc);
	return digest && mask && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
	       EVP_PKEY_CTX_set_rsa_oaep_md(ctx, digest) > 0 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, mask) > 0 && set_label(ctx, params->pSourceFunc);
}

/* The decrypted octets in room of the key's size; *ret_n 0 if that failed. */
static void rsa_decrypt(EVP_PKEY_CTX *ctx, struct span encrypted, struct secret *room,
	size_t *ret_n)
{
	size_t n = room->n;

	if (EVP_PKEY_decrypt(ctx, room->p, &n, encrypted.p, encrypted.n) <= 0)
		n = 0;
	ERR_clear_error();
	*ret_n = n;
}

static int open_rsa(const struct cms_recipient *r, EVP_PKEY *key, size_t n_octets,
	struct secret *ret_key)
{
	bool oaep = oid_nid(r->method.oid) == NID_rsaesOaep;
	CLEANUP(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	CLEANUP(secret_done) struct secret room = {};
	CLEANUP(secret_done) struct secret made = secret_new(n_octets);
	int size = EVP_PKEY_get_size(key);
	bool ready = ctx && size > 0 && EVP_PKEY_decrypt_init(ctx) > 0;
	size_t n;

	if (ready)
		ready = oaep ? set_oaep(ctx, r->method.parameter)
			     : EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0;
	ERR_clear_error();
	if (!ready)
		return CONTENT_KEY_E_UNSUPPORTED;
	random_fill(made.p, made.n);
	room = secret_new((size_t)size);
	rsa_decrypt(ctx, r->encrypted_key, &room, &n);
	if (oaep && n != n_octets)
		return CONTENT_KEY_E_FAILED;
	/* What is in the room after a failure is not looked at. */
	if (n == n_octets)
		memcpy(made.p, room.p, n_octets);
	*ret_key = made;
	made = (struct secret){};
	return 0;
}

static void add_der(struct buf *out, uint8_t tag, struct span content)
{
	/* Everything here is short of 64 kB. */
	buf_add_octet(out, tag);
	if (content.n >= 0x100) {
		buf_add_octet(out, 0x82);
		buf_add_octet(out, (uint8_t)(content.n >> 8));
	} else if (content.n >= 0x80) {
		buf_add_octet(out, 0x81);
	}
	buf_add_octet(out, (uint8_t)content.n);
	buf_add(out, content);
}

/* ECC-CMS-SharedInfo, RFC 5753 section 7.2. */
static bool shared_info(const struct cms_recipient *r, const struct agreement *a, struct buf *out)
{
	enum { KEY_INFO_TAG = DER_SEQUENCE, PARTY_U = 0xa0, PUBLIC = 0xa2 };
	CLEANUP(buf_done) struct buf content = {};
	CLEANUP(buf_done) struct buf part = {};
	uint32_t bits = (uint32_t)a->n_octets * 8;
	const uint8_t size[4] = { (uint8_t)(bits >> 24), (uint8_t)(bits >> 16),
		(uint8_t)(bits >> 8), (uint8_t)bits };

	if (a->wrap.whole.n > PARAMETER_MAX || r->ukm.n > PARAMETER_MAX)
		return false;
	buf_add(&content, a->wrap.whole);
	if (r->ukm.p) {
		add_der(&part, DER_OCTET_STRING, r->ukm);
		add_der(&content, PARTY_U, buf_span(&part));
		buf_clear(&part);
	}
	add_der(&part, DER_OCTET_STRING, span_of(size, sizeof size));
	add_der(&content, PUBLIC, buf_span(&part));
	add_der(out, DER_SEQUENCE, buf_span(&content));
	return true;
}

/* The sender's key on the curve of the recipient's, whatever its own parameters say: a point that
 * is not on it is refused by OpenSSL. */
static EVP_PKEY *peer_of(const struct cms_recipient *r, const struct smime_key *key)
{
	EVP_PKEY *own = X509_get0_pubkey(cert_x509(key->cert));
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *peer = NULL;

	if (own && !EVP_PKEY_is_a(own, "EC"))
		return EVP_PKEY_new_raw_public_key_ex(NULL, EVP_PKEY_get0_type_name(own), NULL,
			r->originator_key.p, r->originator_key.n);
	peer = EVP_PKEY_new();
	if (!own || !peer || EVP_PKEY_copy_parameters(peer, own) != 1 ||
		EVP_PKEY_set1_encoded_public_key(peer, r->originator_key.p, r->originator_key.n) !=
			1)
		return NULL;
	return TAKE(peer);
}

static bool set_x963(EVP_PKEY_CTX *ctx, const struct key_method *m, struct span info, size_t n)
{
	const ASN1_OBJECT *object = OBJ_nid2obj(m->nid);
	const char *name = OBJ_nid2sn(m->nid);
	bool cofactor = object && strstr(name, "cofactor") != NULL;
	void *copy = OPENSSL_memdup(info.p, info.n);

	if (EVP_PKEY_CTX_set_ecdh_cofactor_mode(ctx, cofactor) > 0 &&
		EVP_PKEY_CTX_set_ecdh_kdf_type(ctx, EVP_PKEY_ECDH_KDF_X9_63) > 0 &&
		EVP_PKEY_CTX_set_ecdh_kdf_md(ctx, EVP_get_digestbynid(m->digest_nid)) > 0 &&
		EVP_PKEY_CTX_set_ecdh_kdf_outlen(ctx, (int)n) > 0 && copy &&
		EVP_PKEY_CTX_set0_ecdh_kdf_ukm(ctx, copy, (int)info.n) > 0)
		return true;
	OPENSSL_free(copy);
	return false;
}

/* HKDF (RFC 5869) or X9.63's derivation. */
static bool derive_kdf(const char *kdf_name, const char *digest, struct span secret,
	struct span salt, struct span info, struct secret *out)
{
	CLEANUP(EVP_KDF_freep) EVP_KDF *kdf = EVP_KDF_fetch(NULL, kdf_name, NULL);
	CLEANUP(EVP_KDF_CTX_freep) EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	OSSL_PARAM params[5], *p = params;

	*p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)digest,
		0);
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret.p,
		secret.n);
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info.p,
		info.n);
	if (salt.n)
		*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
			(void *)(uintptr_t)salt.p, salt.n);
	*p = OSSL_PARAM_construct_end();
	return ctx && EVP_KDF_derive(ctx, out->p, out->n, params) == 1;
}

/* The shared secret of a Montgomery curve, and the key from it. */
static bool derive_raw(EVP_PKEY_CTX *ctx, const struct agreement *a, struct span info,
	struct secret *out)
{
	CLEANUP(secret_done) struct secret shared = secret_new(KEY_OCTETS_MAX);
	size_t n = shared.n;
	bool done;

	if (EVP_PKEY_derive(ctx, shared.p, &n) <= 0)
		return false;
	if (a->hkdf)
		return derive_kdf("HKDF", a->hkdf, span_of(shared.p, n), (struct span){}, info,
			out);
	done = derive_kdf("X963KDF", OBJ_nid2sn(a->method->digest_nid), span_of(shared.p, n),
		(struct span){}, info, out);
	return done;
}

static bool derive(const struct cms_recipient *r, const struct smime_key *key,
	const struct agreement *a, struct span info, struct secret *out)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *peer = peer_of(r, key);
	CLEANUP(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->key, NULL);
	bool is_ec = EVP_PKEY_is_a(key->key, "EC");
	size_t n = out->n;

	if (!peer || !ctx || EVP_PKEY_derive_init(ctx) <= 0)
		return false;
	if (is_ec && (!a->method || !set_x963(ctx, a->method, info, out->n)))
		return false;
	if (EVP_PKEY_derive_set_peer(ctx, peer) <= 0)
		return false;
	if (!is_ec)
		return derive_raw(ctx, a, info, out);
	return EVP_PKEY_derive(ctx, out->p, &n) > 0 && n == out->n;
}

/* RFC 3394, RFC 3217: both say whether what comes out is whole. */
static bool unwrap(const struct agreement *a, const struct secret *kek, struct span wrapped,
	struct secret *ret_key)
{
	CLEANUP(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	CLEANUP(secret_done) struct secret room = secret_new(WRAPPED_MAX + 32);
	int n = 0, more = 0;

	if (!ctx || wrapped.n > WRAPPED_MAX)
		return false;
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_DecryptInit_ex(ctx, a->cipher, NULL, kek->p, NULL) != 1 ||
		EVP_DecryptUpdate(ctx, room.p, &n, wrapped.p, (int)wrapped.n) != 1 || n <= 0 ||
		EVP_DecryptFinal_ex(ctx, room.p + n, &more) != 1)
		return false;
	*ret_key = secret_copy(span_of(room.p, (size_t)n));
	return true;
}

static int open_agreement(const struct cms_recipient *r, const struct smime_key *key,
	size_t n_octets, struct secret *ret_key)
{
	CLEANUP(buf_done) struct buf info = {};
	CLEANUP(secret_done) struct secret kek = {};
	CLEANUP(secret_done) struct secret made = {};
	struct agreement a;
	bool done;

	if (!agreement_of(r, &a) || !shared_info(r, &a, &info))
		return CONTENT_KEY_E_UNSUPPORTED;
	kek = secret_new(a.n_octets);
	done = derive(r, key, &a, buf_span(&info), &kek) &&
	       unwrap(&a, &kek, r->encrypted_key, &made);
	ERR_clear_error();
	if (!done || made.n != n_octets)
		return CONTENT_KEY_E_FAILED;
	*ret_key = made;
	made = (struct secret){};
	return 0;
}

int content_key_open(const struct cms_recipient *recipient, const struct smime_key *key,
	size_t n_octets, struct secret *ret_key)
{
	ERR_clear_error();
	if (recipient->kind == CMS_KEY_TRANSPORT && key_is_rsa(key->key))
		return open_rsa(recipient, key->key, n_octets, ret_key);
	if (recipient->kind == CMS_KEY_AGREEMENT && !key_is_rsa(key->key))
		return open_agreement(recipient, key, n_octets, ret_key);
	return CONTENT_KEY_E_UNSUPPORTED;
}

int content_key_derive(struct secret *key, struct span algorithm, size_t n_octets)
{
	CLEANUP(secret_done) struct secret made = secret_new(n_octets);
	bool done = derive_kdf("HKDF", "SHA256", secret_span(key),
		SPAN("The Cryptographic Message Syntax"), algorithm, &made);

	if (!done)
		return key_openssl_fault("EVP_KDF_derive");
	secret_done(key);
	*key = made;
	made = (struct secret){};
	return 0;
}
