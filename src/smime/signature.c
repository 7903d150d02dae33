/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A table of the signature algorithms that messages name, with the kind of key and the digest each
 * of them asks for. OpenSSL's EVP does the rest, so what its CMS reader lacks (EdDSA, RFC 8419)
 * costs a row.
 */

#include "smime/signature.h"

#include "pki/key.h"
#include "smime/oid.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

CLEANUP_POINTER(EVP_MD_CTX, EVP_MD_CTX_free)
CLEANUP_POINTER(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
CLEANUP_POINTER(RSA_PSS_PARAMS, RSA_PSS_PARAMS_free)

enum {
	RSA_BITS_SOUND = 2048,
	SALT_MAX = 1024,
	SHAKE256_OCTETS = 64,
};

enum scheme_kind { SCHEME_RSA, SCHEME_PSS, SCHEME_ECDSA, SCHEME_DSA, SCHEME_EDDSA };

static const struct scheme {
	int nid;
	enum scheme_kind kind;
	int digest; /* NID_undef: what digestAlgorithm says */
} schemes[] = {
	{ NID_rsaEncryption, SCHEME_RSA, NID_undef },
	{ NID_sha256WithRSAEncryption, SCHEME_RSA, NID_sha256 },
	{ NID_sha384WithRSAEncryption, SCHEME_RSA, NID_sha384 },
	{ NID_sha512WithRSAEncryption, SCHEME_RSA, NID_sha512 },
	{ NID_sha224WithRSAEncryption, SCHEME_RSA, NID_sha224 },
	{ NID_sha1WithRSAEncryption, SCHEME_RSA, NID_sha1 },
	{ NID_md5WithRSAEncryption, SCHEME_RSA, NID_md5 },
	{ NID_rsassaPss, SCHEME_PSS, NID_undef },
	{ NID_X9_62_id_ecPublicKey, SCHEME_ECDSA, NID_undef },
	{ NID_ecdsa_with_SHA256, SCHEME_ECDSA, NID_sha256 },
	{ NID_ecdsa_with_SHA384, SCHEME_ECDSA, NID_sha384 },
	{ NID_ecdsa_with_SHA512, SCHEME_ECDSA, NID_sha512 },
	{ NID_ecdsa_with_SHA224, SCHEME_ECDSA, NID_sha224 },
	{ NID_ecdsa_with_SHA1, SCHEME_ECDSA, NID_sha1 },
	{ NID_dsa, SCHEME_DSA, NID_undef },
	{ NID_dsaWithSHA1, SCHEME_DSA, NID_sha1 },
	{ NID_dsa_with_SHA224, SCHEME_DSA, NID_sha224 },
	{ NID_dsa_with_SHA256, SCHEME_DSA, NID_sha256 },
	{ NID_ED25519, SCHEME_EDDSA, NID_undef },
	{ NID_ED448, SCHEME_EDDSA, NID_undef },
};

bool signature_digest_of(struct span oid, struct signature_digest *ret_digest)
{
	int nid = oid_nid(oid);
	const struct smime_digest *d = smime_digest_by_nid(nid);

	if (d)
		*ret_digest = (struct signature_digest){ nid, d->text, d->is_weak };
	else if (nid == NID_shake256)
		*ret_digest = (struct signature_digest){ nid, "SHAKE256", false };
	else
		return false;
	return true;
}

int signature_digest(int nid, struct span content, uint8_t *ret_octets, size_t *ret_n)
{
	CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const EVP_MD *md = EVP_get_digestbynid(nid);
	unsigned n = 0;
	bool done;

	ERR_clear_error();
	done = ctx && md && EVP_DigestInit_ex(ctx, md, NULL) == 1 &&
	       EVP_DigestUpdate(ctx, content.p, content.n) == 1;
	if (done && nid == NID_shake256) {
		n = SHAKE256_OCTETS; /* RFC 8702 section 3.1 */
		done = EVP_DigestFinalXOF(ctx, ret_octets, n) == 1;
	} else if (done) {
		done = EVP_DigestFinal_ex(ctx, ret_octets, &n) == 1;
	}
	if (!done)
		return key_openssl_fault("EVP_Digest");
	*ret_n = n;
	return 0;
}

static bool may_hash(struct signature_octets *o)
{
	if (!o->left)
		return true;
	if (o->octets.n > *o->left)
		return false;
	*o->left -= o->octets.n;
	return true;
}

int signature_octets_digest(struct signature_octets *o, int nid, struct span *ret_digest)
{
	size_t i = 0;

	while (i < o->n_digests && o->digests[i].nid != nid)
		i++;
	if (i == o->n_digests) {
		assert(i < SIGNATURE_DIGESTS);
		if (!may_hash(o))
			return SIGNATURE_E_LIMIT;
		TRY(signature_digest(nid, o->octets, o->digests[i].octets, &o->digests[i].n));
		o->digests[i].nid = nid;
		o->n_digests++;
	}
	*ret_digest = span_of(o->digests[i].octets, o->digests[i].n);
	return 0;
}

static const struct scheme *scheme_of(int nid)
{
	for (size_t i = 0; nid != NID_undef && i < sizeof schemes / sizeof schemes[0]; i++) {
		if (schemes[i].nid == nid)
			return &schemes[i];
	}
	return NULL;
}

static const char *scheme_name(const struct scheme *s)
{
	static const char *const kinds[] = {
		[SCHEME_RSA] = "RSA (PKCS #1 v1.5)",
		[SCHEME_PSS] = "RSA-PSS",
		[SCHEME_ECDSA] = "ECDSA",
		[SCHEME_DSA] = "DSA",
	};

	if (s->kind == SCHEME_EDDSA)
		return s->nid == NID_ED25519 ? "Ed25519" : "Ed448";
	return kinds[s->kind];
}

static bool scheme_fits(const struct scheme *s, const EVP_PKEY *key)
{
	switch (s->kind) {
	case SCHEME_RSA:
		return EVP_PKEY_is_a(key, "RSA");
	case SCHEME_PSS:
		return EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS");
	case SCHEME_ECDSA:
		return EVP_PKEY_is_a(key, "EC");
	case SCHEME_DSA:
		return EVP_PKEY_is_a(key, "DSA");
	default:
		return EVP_PKEY_is_a(key, s->nid == NID_ED25519 ? "ED25519" : "ED448");
	}
}

struct pss {
	int digest, mask_digest;
	int salt;
};

static int algorithm_nid(const X509_ALGOR *a)
{
	const ASN1_OBJECT *object;

	X509_ALGOR_get0(&object, NULL, NULL, a);
	return OBJ_obj2nid(object);
}

/* RFC 4055 section 3.1: MGF1 with its digest, the default for both is SHA-1. */
static bool mask_digest_of(const X509_ALGOR *mask, int *ret_nid)
{
	const ASN1_OBJECT *object;
	const void *value;
	int type;
	CLEANUP(X509_ALGOR_freep) X509_ALGOR *digest = NULL;

	*ret_nid = NID_sha1;
	if (!mask)
		return true;
	X509_ALGOR_get0(&object, &type, &value, mask);
	if (OBJ_obj2nid(object) != NID_mgf1 || type != V_ASN1_SEQUENCE)
		return false;
	digest = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(X509_ALGOR), mask->parameter);
	if (!digest)
		return false;
	*ret_nid = algorithm_nid(digest);
	return true;
}

static bool pss_parameters(struct span der, struct pss *ret)
{
	const uint8_t *p = der.p;
	CLEANUP(RSA_PSS_PARAMS_freep) RSA_PSS_PARAMS *params = NULL;
	bool read;

	if (der.n == 0 || der.n > 1024)
		return false;
	params = d2i_RSA_PSS_PARAMS(NULL, &p, (long)der.n);
	read = params && p == der.p + der.n &&
	       mask_digest_of(params->maskGenAlgorithm, &ret->mask_digest);
	if (read) {
		ret->digest = params->hashAlgorithm ? algorithm_nid(params->hashAlgorithm)
						    : NID_sha1;
		ret->salt = params->saltLength ? (int)ASN1_INTEGER_get(params->saltLength) : 20;
		read = ret->salt >= 0 && ret->salt <= SALT_MAX &&
		       (!params->trailerField || ASN1_INTEGER_get(params->trailerField) == 1);
	}
	ERR_clear_error();
	return read;
}

static bool pss_set(EVP_PKEY_CTX *ctx, const struct pss *pss)
{
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_get_digestbynid(pss->mask_digest)) > 0 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, pss->salt) > 0;
}

/* With the digest settled. */
static int verify_digest(const struct scheme *s, const EVP_MD *md, const struct pss *pss,
	EVP_PKEY *key, struct span digest, struct span signature)
{
	CLEANUP(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	bool holds;

	ERR_clear_error();
	if (!ctx)
		return key_openssl_fault("EVP_PKEY_CTX_new_from_pkey");
	holds = EVP_PKEY_verify_init(ctx) == 1 && EVP_PKEY_CTX_set_signature_md(ctx, md) > 0 &&
		(s->kind != SCHEME_RSA ||
			EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0) &&
		(s->kind != SCHEME_PSS || pss_set(ctx, pss)) &&
		EVP_PKEY_verify(ctx, signature.p, signature.n, digest.p, digest.n) == 1;
	ERR_clear_error();
	return holds ? 0 : SIGNATURE_E_WRONG;
}

static int verify_eddsa(EVP_PKEY *key, struct signature_octets *o, struct span signature)
{
	CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool holds;

	ERR_clear_error();
	if (!ctx)
		return key_openssl_fault("EVP_MD_CTX_new");
	if (!may_hash(o))
		return SIGNATURE_E_LIMIT;
	holds = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
		EVP_DigestVerify(ctx, signature.p, signature.n, o->octets.p, o->octets.n) == 1;
	ERR_clear_error();
	return holds ? 0 : SIGNATURE_E_WRONG;
}

static bool key_is_weak(const struct scheme *s, const EVP_PKEY *key)
{
	switch (s->kind) {
	case SCHEME_RSA:
	case SCHEME_PSS:
		return EVP_PKEY_get_bits(key) < RSA_BITS_SOUND;
	case SCHEME_ECDSA:
		return EVP_PKEY_get_bits(key) < 224;
	case SCHEME_DSA:
		return true;
	default:
		return false;
	}
}

int signature_verify(const struct cms_algorithm *algorithm, int digest_nid, EVP_PKEY *key,
	struct signature_octets *octets, struct span signature, struct signature_result *ret_result)
{
	const struct scheme *s = scheme_of(oid_nid(algorithm->oid));
	const struct smime_digest *digest = NULL, *mask = NULL;
	struct pss pss = {};
	struct span hash;
	int nid, r;

	*ret_result = (struct signature_result){};
	if (!s)
		return SIGNATURE_E_UNSUPPORTED;
	ret_result->name = scheme_name(s);
	if (!key_is_bounded(key))
		return SIGNATURE_E_UNSUPPORTED;
	ret_result->is_weak = key_is_weak(s, key);
	if (!scheme_fits(s, key))
		return SIGNATURE_E_WRONG;
	if (s->kind == SCHEME_EDDSA)
		return verify_eddsa(key, octets, signature);
	nid = s->digest != NID_undef ? s->digest : digest_nid;
	if (s->kind == SCHEME_PSS) {
		if (!pss_parameters(algorithm->parameter, &pss))
			return SIGNATURE_E_UNSUPPORTED;
		nid = pss.digest;
		mask = smime_digest_by_nid(pss.mask_digest);
	}
	digest = smime_digest_by_nid(nid);
	if (!digest || (s->kind == SCHEME_PSS && !mask))
		return SIGNATURE_E_UNSUPPORTED;
	ret_result->is_weak |= digest->is_weak;
	r = signature_octets_digest(octets, nid, &hash);
	return r ? r : verify_digest(s, EVP_get_digestbynid(nid), &pss, key, hash, signature);
}
