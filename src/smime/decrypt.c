/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Content in a CBC mode can be changed by whoever carries it, and nobody can tell (EFAIL); so the
 * layer's kind says whether it was authenticated, and an authenticated cipher is read in
 * AuthEnvelopedData alone, another in EnvelopedData alone (RFC 5083 section 1): a message of
 * the one kind cannot be passed off as one of the other.
 *
 * All that fails behind the choice of a key fails with the same words.
 */

#include "smime/decrypt.h"

#include "base/alloc.h"
#include "pki/der.h"
#include "smime/cipher.h"
#include "smime/content_key.h"
#include "smime/identity.h"
#include "smime/oid.h"

#include <openssl/err.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdlib.h>

CLEANUP_POINTER(EVP_CIPHER, EVP_CIPHER_free)
CLEANUP_POINTER(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)

enum {
	TRIES_MAX = 8, /* of private keys on one layer */
	PIECE = 1 << 20,
	TAG_MIN = 12, /* RFC 5084 section 3.2 */
	TAG_MAX = 16,
	NONCE_OCTETS = 12, /* the same section's recommendation, which everybody follows */
	IV_MAX = 16,
	BLOCK_MAX = 32,
};

static const char cannot[] =
	"it cannot be decrypted: it was damaged or changed, or was not encrypted for this key";

/* How the content is encrypted. */
struct content {
	const char *name;
	bool is_authenticated, is_weak, is_rc2;
	EVP_CIPHER *cipher;
	unsigned effective_bits; /* of RC2 */
	size_t n_key;
	struct span iv;
	size_t n_tag;
	struct span derive_for; /* RFC 9709: the inner algorithm; p NULL: not derived */
};

/* OpenSSL's old algorithms, in a context of their own: nothing else may find them. */
static OSSL_LIB_CTX *legacy;

static void legacy_load(void)
{
	OSSL_LIB_CTX *ctx = OSSL_LIB_CTX_new();

	if (ctx && OSSL_PROVIDER_load(ctx, "legacy"))
		legacy = ctx;
	else
		OSSL_LIB_CTX_free(ctx);
	ERR_clear_error();
}

static EVP_CIPHER *fetch(const struct cipher *c)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	bool is_rc2 = c->nid == NID_rc2_cbc || c->nid == NID_rc2_40_cbc || c->nid == NID_rc2_64_cbc;

	if (!is_rc2 && c->nid != NID_des_cbc)
		return EVP_CIPHER_fetch(NULL, OBJ_nid2sn(c->nid), NULL);
	(void)pthread_once(&once, legacy_load);
	return legacy ? EVP_CIPHER_fetch(legacy, is_rc2 ? "RC2-CBC" : "DES-CBC", NULL) : NULL;
}

/* GCMParameters, RFC 5084 section 3.2. */
static bool gcm_parameters(struct span parameter, struct content *c)
{
	struct der nonce, size;
	struct span s;

	if (!der_only(parameter, DER_SEQUENCE, &s) || !der_next(&s, &nonce) ||
		nonce.tag != DER_OCTET_STRING)
		return false;
	c->iv = nonce.content;
	c->n_tag = TAG_MIN;
	if (s.n == 0)
		return c->iv.n == NONCE_OCTETS;
	if (!der_next(&s, &size) || s.n || size.tag != DER_INTEGER || size.content.n != 1)
		return false;
	c->n_tag = size.content.p[0];
	return c->iv.n == NONCE_OCTETS && c->n_tag >= TAG_MIN && c->n_tag <= TAG_MAX;
}

static bool cbc_parameters(struct span parameter, struct content *c)
{
	struct der version, iv;
	struct span s;

	if (!c->is_rc2)
		return der_only(parameter, DER_OCTET_STRING, &c->iv) &&
		       c->iv.n == (size_t)EVP_CIPHER_get_iv_length(c->cipher);
	if (!der_only(parameter, DER_SEQUENCE, &s) || !der_next(&s, &version) ||
		!der_next(&s, &iv) || s.n || iv.tag != DER_OCTET_STRING)
		return false;
	c->iv = iv.content;
	return c->iv.n == 8;
}

/* RFC 8103, which OpenSSL has no identifier for. */
static bool take_chacha(const struct cms_algorithm *a, struct content *c)
{
	*c = (struct content){ .name = "ChaCha20-Poly1305",
		.is_authenticated = true,
		.cipher = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL),
		.n_key = 32,
		.n_tag = TAG_MAX,
		.derive_for = c->derive_for };
	return c->cipher && der_only(a->parameter, DER_OCTET_STRING, &c->iv) &&
	       c->iv.n == NONCE_OCTETS;
}

static const struct cipher *cipher_of(const struct cms_algorithm *a)
{
	const uint8_t *p = a->whole.p;
	CLEANUP(X509_ALGOR_freep) X509_ALGOR *algorithm = NULL;

	if (a->whole.n > 4096)
		return NULL;
	algorithm = d2i_X509_ALGOR(NULL, &p, (long)a->whole.n);
	ERR_clear_error();
	return algorithm ? cipher_of_algorithm(algorithm) : NULL;
}

static bool take_cipher(const struct cms_algorithm *a, struct content *c)
{
	const struct cipher *known;

	if (oid_is(a->oid, "1.2.840.113549.1.9.16.3.18"))
		return take_chacha(a, c);
	known = cipher_of(a);
	if (!known)
		return false;
	c->name = known->text;
	c->is_authenticated = known->is_authenticated;
	c->is_weak = known->is_weak;
	c->cipher = fetch(known);
	if (!c->cipher)
		return false;
	c->is_rc2 = EVP_CIPHER_is_a(c->cipher, "RC2-CBC");
	c->effective_bits = known->key_bits;
	c->n_key = c->is_rc2 ? known->key_bits / 8 : (size_t)EVP_CIPHER_get_key_length(c->cipher);
	return c->is_authenticated ? gcm_parameters(a->parameter, c)
				   : cbc_parameters(a->parameter, c);
}

/* False: not read here; what it is called is in `name` all the same. */
static bool content_of(const struct cms_algorithm *outer, struct content *ret, struct buf *name)
{
	struct cms_algorithm a = *outer;
	bool taken;

	*ret = (struct content){};
	/* RFC 9709: the real algorithm is the parameter. */
	if (oid_is(a.oid, "1.2.840.113549.1.9.16.3.31")) {
		struct span parameter = outer->parameter;

		if (!cms_algorithm_next(&parameter, &a) || parameter.n) {
			oid_add_name(outer->oid, name);
			return false;
		}
		ret->derive_for = a.whole;
	}
	taken = take_cipher(&a, ret);
	ERR_clear_error();
	if (ret->name)
		buf_add_string(name, ret->name);
	else
		oid_add_name(a.oid, name);
	return taken;
}

static bool begin(EVP_CIPHER_CTX *ctx, const struct content *c, const struct secret *key,
	struct span tag)
{
	if (EVP_DecryptInit_ex2(ctx, c->cipher, NULL, NULL, NULL) != 1)
		return false;
	if (c->is_rc2 && (EVP_CIPHER_CTX_set_key_length(ctx, (int)key->n) != 1 ||
				 EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_SET_RC2_KEY_BITS,
					 (int)c->effective_bits, NULL) <= 0))
		return false;
	if (c->is_authenticated &&
		(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)c->iv.n, NULL) <= 0 ||
			EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)tag.n,
				(void *)(uintptr_t)tag.p) <= 0))
		return false;
	return EVP_DecryptInit_ex2(ctx, NULL, key->p, c->iv.p, NULL) == 1;
}

/* RFC 5083 section 2.2: the attributes with the tag of a SET. */
static bool add_attributes(EVP_CIPHER_CTX *ctx, struct span attributes)
{
	uint8_t header[6] = { DER_SET };
	size_t n = attributes.n, size = 0;
	int ignored;

	if (!attributes.p)
		return true;
	for (size_t rest = n; n >= 0x80 && rest; rest >>= 8)
		size++;
	header[1] = n < 0x80 ? (uint8_t)n : (uint8_t)(0x80 | size);
	for (size_t i = 0; i < size; i++)
		header[2 + i] = (uint8_t)(n >> 8 * (size - 1 - i));
	return n <= PIECE && EVP_DecryptUpdate(ctx, NULL, &ignored, header, (int)(2 + size)) == 1 &&
	       EVP_DecryptUpdate(ctx, NULL, &ignored, attributes.p, (int)n) == 1;
}

static bool feed(EVP_CIPHER_CTX *ctx, struct span octets, struct secret_buf *out)
{
	while (octets.n) {
		struct span piece = span_head(octets, PIECE);
		uint8_t *room = secret_buf_room(out, piece.n + BLOCK_MAX);
		int n;

		if (!room || EVP_DecryptUpdate(ctx, room, &n, piece.p, (int)piece.n) != 1)
			return false;
		secret_buf_added(out, (size_t)n);
		octets = span_skip(octets, piece.n);
	}
	return true;
}

static bool feed_all(EVP_CIPHER_CTX *ctx, const struct cms_enveloped *data, struct secret_buf *out)
{
	struct span rest = data->encrypted;
	struct der piece;

	if (!data->encrypted_in_pieces)
		return feed(ctx, rest, out);
	while (der_next(&rest, &piece)) {
		if (!feed(ctx, piece.content, out))
			return false;
	}
	return rest.n == 0;
}

/* The whole content, or nothing. */
static bool decrypt_content(const struct cms_enveloped *data, const struct content *c,
	const struct secret *key, struct secret_buf *out)
{
	CLEANUP(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	size_t max = out->max;
	uint8_t *room;
	int n = 0;
	bool done = ctx && begin(ctx, c, key, data->tag) && add_attributes(ctx, data->attributes) &&
		    secret_buf_room(out, data->encrypted.n + BLOCK_MAX) && feed_all(ctx, data, out);

	room = done ? secret_buf_room(out, BLOCK_MAX) : NULL;
	done = room && EVP_DecryptFinal_ex(ctx, room, &n) == 1;
	ERR_clear_error();
	if (done) {
		secret_buf_added(out, (size_t)n);
		return true;
	}
	secret_buf_done(out);
	out->max = max;
	return false;
}

static void refuse(struct smime_layer *layer, enum smime_layer_state state, const char *reason)
{
	layer->state = state;
	free(layer->reason);
	layer->reason = alloc_string(reason);
}

static void name_recipients(const struct smime_request *q, const struct cms_enveloped *data,
	struct smime_layer *layer)
{
	layer->recipients = alloc_zero((data->n_recipients + 1) * sizeof *layer->recipients);
	layer->n_recipients = data->n_recipients;
	for (size_t i = 0; i < data->n_recipients; i++) {
		const struct cms_recipient *from = &data->recipients[i];
		struct smime_recipient *r = &layer->recipients[i];
		CLEANUP(buf_done) struct buf method = {};
		bool is_weak;

		identity_name(&from->id, &r->issuer, &r->serial, &r->key_id);
		r->is_supported = content_key_method(from, &method, &is_weak);
		r->method = buf_steal_string(&method);
		for (size_t k = 0; k < q->n_keys && !r->is_ours; k++)
			r->is_ours = q->keys[k].cert && identity_is(&from->id, q->keys[k].cert);
	}
}

struct opening {
	const struct smime_request *q;
	const struct cms_enveloped *data;
	const struct content *content;
	struct smime_layer *layer;
	struct secret_buf *out;
	size_t n_tries;
};

/* One recipient with one key. */
static int open_with(struct opening *o, size_t i, const struct smime_key *key)
{
	CLEANUP(secret_done) struct secret cek = {};
	int r = content_key_open(&o->data->recipients[i], key, o->content->n_key, &cek);

	if (r < 0)
		return r;
	if (r == CONTENT_KEY_E_UNSUPPORTED) {
		o->layer->recipients[i].is_supported = false;
		return 0;
	}
	o->n_tries++;
	if (r)
		return 0;
	if (o->content->derive_for.p)
		TRY(content_key_derive(&cek, o->content->derive_for, o->content->n_key));
	if (!decrypt_content(o->data, o->content, &cek, o->out))
		return 0;
	o->layer->state = SMIME_OPEN;
	o->layer->recipients[i].opened = true;
	return 0;
}

static int try_keys(struct opening *o)
{
	for (size_t i = 0; i < o->data->n_recipients; i++) {
		const struct smime_recipient *r = &o->layer->recipients[i];

		for (size_t k = 0; r->is_ours && r->is_supported && k < o->q->n_keys; k++) {
			const struct smime_key *key = &o->q->keys[k];

			if (!key->cert || !key->key ||
				!identity_is(&o->data->recipients[i].id, key->cert))
				continue;
			if (o->n_tries == TRIES_MAX)
				return 0;
			TRY(open_with(o, i, key));
			if (o->layer->state == SMIME_OPEN)
				return 0;
		}
	}
	return 0;
}

/* Whether a key that the recipient names is there without its private half. */
static bool is_locked(const struct smime_request *q, const struct cms_identity *id)
{
	for (size_t k = 0; k < q->n_keys; k++) {
		if (q->keys[k].cert && !q->keys[k].key && identity_is(id, q->keys[k].cert))
			return true;
	}
	return false;
}

/* None opened it: whether somebody could. */
static void say_why(const struct opening *o)
{
	bool ours = false, locked = false;

	for (size_t i = 0; i < o->layer->n_recipients; i++) {
		const struct smime_recipient *r = &o->layer->recipients[i];

		ours |= r->is_ours;
		locked |= r->is_ours && r->is_supported && is_locked(o->q, &o->data->recipients[i].id);
	}
	if (o->n_tries)
		refuse(o->layer, SMIME_FAILED, cannot);
	else if (locked)
		refuse(o->layer, SMIME_LOCKED, "the key that opens it is locked");
	else if (ours)
		refuse(o->layer, SMIME_UNSUPPORTED,
			"it was encrypted for a key that is here, in a way that is not read here");
	else
		refuse(o->layer, SMIME_LOCKED,
			"it was encrypted for others: none of the keys that are here opens it");
}

static bool check(const struct cms_enveloped *data, const struct content *c, bool taken,
	bool is_authenticated, struct smime_layer *layer)
{
	CLEANUP(alloc_freep) char *text = NULL;

	if (!taken) {
		text = alloc_format("content encrypted with %s is not read here", layer->cipher);
		refuse(layer, SMIME_UNSUPPORTED, text);
	} else if (c->is_authenticated != is_authenticated) {
		text = alloc_format(
			"%s has no place in this structure: it was rewritten on the way",
			layer->cipher);
		refuse(layer, SMIME_MALFORMED, text);
	} else if (!data->encrypted.p) {
		refuse(layer, SMIME_MALFORMED, "the encrypted content is missing");
	} else if (is_authenticated && data->tag.n != c->n_tag) {
		refuse(layer, SMIME_MALFORMED, "the authentication tag is not of its size");
	} else {
		return true;
	}
	return false;
}

int decrypt_enveloped(const struct smime_request *request, const struct cms_enveloped *data,
	bool is_authenticated, struct smime_layer *layer, struct secret_buf *out)
{
	CLEANUP(EVP_CIPHER_freep) EVP_CIPHER *cipher = NULL;
	CLEANUP(buf_done) struct buf name = {};
	struct content content;
	struct opening o = { request, data, &content, layer, out, 0 };
	bool taken = content_of(&data->algorithm, &content, &name);
	bool weak;

	cipher = content.cipher;
	layer->cipher = buf_steal_string(&name);
	layer->is_weak = content.is_weak;
	name_recipients(request, data, layer);
	if (!check(data, &content, taken, is_authenticated, layer))
		return 0;
	layer->state = SMIME_LOCKED;
	TRY(try_keys(&o));
	if (layer->state != SMIME_OPEN) {
		say_why(&o);
		return 0;
	}
	for (size_t i = 0; i < data->n_recipients; i++) {
		buf_clear(&name);
		if (layer->recipients[i].opened &&
			content_key_method(&data->recipients[i], &name, &weak))
			layer->is_weak |= weak;
	}
	return 0;
}
