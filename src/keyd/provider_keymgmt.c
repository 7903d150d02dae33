/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Key objects of the provider. Public questions are answered by the public key of the default
 * provider. What has no name for keyd in it may be imported, exported and changed like any public
 * key; what has one is never given out with its private half, and never changed: an export that gave
 * the public part instead would make OpenSSL go on with that and fail much later.
 */

#include "keyd/provider_parts.h"

#include "base/alloc.h"
#include "pki/key.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <stdlib.h>

CLEANUP_POINTER(EVP_PKEY_CTX, EVP_PKEY_CTX_free)

static uint64_t next_number(void)
{
	static _Atomic uint64_t last;

	return atomic_fetch_add(&last, 1) + 1;
}

static struct remote_key *remote_key_new(void)
{
	struct remote_key *k = ALLOC(struct remote_key);

	k->number = next_number();
	return k;
}

static void *keymgmt_new(void *context)
{
	(void)context;
	return remote_key_new();
}

/* OpenSSL calls this with NULL too. */
static void keymgmt_free(void *data)
{
	struct remote_key *k = data;

	if (!k)
		return;
	EVP_MD_CTX_free(k->shadow);
	EVP_PKEY_free(k->public);
	keyd_key_unref(k->key);
	free(k);
}

static int keymgmt_has(const void *data, int selection)
{
	const struct remote_key *k = data;

	if (!k || !k->public)
		return 0;
	return !(selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) || k->key;
}

/* A key of ours from provider_key, which lends both parts. */
static int import_ours(struct remote_key *k, const OSSL_PARAM *param)
{
	const struct remote_key *parts;

	if (param->data_type != OSSL_PARAM_OCTET_STRING || param->data_size != sizeof parts)
		return 0;
	memcpy(&parts, param->data, sizeof parts);
	if (!EVP_PKEY_up_ref(parts->public))
		return 0;
	k->public = parts->public;
	k->key = keyd_key_ref(parts->key);
	return 1;
}

static int import_named(const char *algorithm, struct remote_key *k, int selection,
	const OSSL_PARAM params[])
{
	const OSSL_PARAM *ours = OSSL_PARAM_locate_const(params, PROVIDER_KEY_PARAM);
	CLEANUP(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;

	if (k->public)
		return 0;
	if (ours)
		return import_ours(k, ours);
	/* A local private key stays where it is. OpenSSL asks for everything also where it wants the
	 * public half of a public key, so what counts is what there is. */
	if (OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PRIV_KEY) ||
		OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_D))
		return provider_raise(PROVIDER_R_PRIVATE);
	selection &= ~OSSL_KEYMGMT_SELECT_PRIVATE_KEY;
	ctx = EVP_PKEY_CTX_new_from_name(NULL, algorithm, PROVIDER_DEFAULT);
	return ctx && EVP_PKEY_fromdata_init(ctx) > 0 &&
		EVP_PKEY_fromdata(ctx, &k->public, selection, (OSSL_PARAM *)params) > 0;
}

static int keymgmt_export(void *data, int selection, OSSL_CALLBACK *callback, void *argument)
{
	struct remote_key *k = data;

	if (!k->public)
		return 0;
	if (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY)
		return provider_raise(PROVIDER_R_PRIVATE);
	return EVP_PKEY_export(k->public, selection, callback, argument);
}

/* The names of what a key consists of, as the default provider has them. */
static const OSSL_PARAM *types_named(const char *algorithm, int selection)
{
	CLEANUP(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;

	ctx = EVP_PKEY_CTX_new_from_name(NULL, algorithm, PROVIDER_DEFAULT);
	if (!ctx || EVP_PKEY_fromdata_init(ctx) <= 0)
		return NULL;
	return EVP_PKEY_fromdata_settable(ctx, selection);
}

/* The private half belongs to the public one: comparing that is enough. libssl compares a key with
 * its certificate's at each handshake; what was found holds as long as both have their numbers. */
static int keymgmt_match(const void *a, const void *b, int selection)
{
	struct remote_key *one = (struct remote_key *)a;
	const struct remote_key *other = b;

	(void)selection;
	if (one->twin == other->number)
		return 1;
	if (!one->public || !other->public || EVP_PKEY_eq(one->public, other->public) != 1)
		return 0;
	one->twin = other->number;
	return 1;
}

static int keymgmt_get_params(void *data, OSSL_PARAM params[])
{
	struct remote_key *k = data;

	return k->public && EVP_PKEY_get_params(k->public, params);
}

static int keymgmt_set_params(void *data, const OSSL_PARAM params[])
{
	struct remote_key *k = data;

	k->number = next_number();
	k->twin = 0;
	return k->public && !k->key && EVP_PKEY_set_params(k->public, (OSSL_PARAM *)params);
}

static const OSSL_PARAM *gettable_named(const char *algorithm)
{
	EVP_KEYMGMT *keymgmt = EVP_KEYMGMT_fetch(NULL, algorithm, PROVIDER_DEFAULT);
	const OSSL_PARAM *table = keymgmt ? EVP_KEYMGMT_gettable_params(keymgmt) : NULL;

	/* The table is the default provider's constant and outlives the reference. */
	EVP_KEYMGMT_free(keymgmt);
	return table;
}

static const OSSL_PARAM *settable_named(const char *algorithm)
{
	EVP_KEYMGMT *keymgmt = EVP_KEYMGMT_fetch(NULL, algorithm, PROVIDER_DEFAULT);
	const OSSL_PARAM *table = keymgmt ? EVP_KEYMGMT_settable_params(keymgmt) : NULL;

	EVP_KEYMGMT_free(keymgmt);
	return table;
}

/* EVP_PKEY_copy_parameters asks for the domain parameters only: a key with a group and no point. */
static EVP_PKEY *copy_parameters(EVP_PKEY *from)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *to = EVP_PKEY_new();

	if (!to || EVP_PKEY_copy_parameters(to, from) <= 0)
		return NULL;
	return TAKE(to);
}

static void *keymgmt_dup(const void *data, int selection)
{
	const struct remote_key *from = data;
	struct remote_key *to = remote_key_new();

	if (!from->public)
		return to;
	if (!(selection & OSSL_KEYMGMT_SELECT_KEYPAIR))
		to->public = copy_parameters(from->public);
	else
		to->public = EVP_PKEY_dup(from->public);
	if (!to->public) {
		free(to);
		return NULL;
	}
	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) && from->key)
		to->key = keyd_key_ref(from->key);
	return to;
}

/* What differs by kind of key is only the algorithm's name, which the core does not pass on. */
#define KEYMGMT(name, algorithm, operation_name)                                                   \
	static int name##_import(void *data, int selection, const OSSL_PARAM params[])             \
	{                                                                                          \
		return import_named(algorithm, data, selection, params);                           \
	}                                                                                          \
	static const OSSL_PARAM *name##_types(int selection)                                       \
	{                                                                                          \
		return types_named(algorithm, selection);                                          \
	}                                                                                          \
	static const OSSL_PARAM *name##_gettable(void *context)                                    \
	{                                                                                          \
		(void)context;                                                                     \
		return gettable_named(algorithm);                                                  \
	}                                                                                          \
	static const OSSL_PARAM *name##_settable(void *context)                                    \
	{                                                                                          \
		(void)context;                                                                     \
		return settable_named(algorithm);                                                  \
	}                                                                                          \
	static const char *name##_operation(int operation)                                         \
	{                                                                                          \
		return operation_name;                                                             \
	}                                                                                          \
	static const OSSL_DISPATCH name##_keymgmt[] = {                                            \
		PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_NEW, keymgmt_new),                             \
		PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_FREE, keymgmt_free),                           \
		PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_HAS, keymgmt_has),                             \
		PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT, name##_import),                        \
		PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, name##_types),                   \
		PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT, keymgmt_export),                       \
		PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, name##_types),                   \
		PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_MATCH, keymgmt_match),                         \
		PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_GET_PARAMS, keymgmt_get_params),               \
		PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, name##_gettable),             \
		PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_SET_PARAMS, keymgmt_set_params),               \
		PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS, name##_settable),             \
		PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_DUP, keymgmt_dup),                             \
		PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, name##_operation),       \
		{ 0, NULL },                                                                       \
	}

KEYMGMT(rsa, "RSA", ((void)operation, "RSA"));
KEYMGMT(rsa_pss, "RSA-PSS", ((void)operation, "RSA"));
KEYMGMT(ec, "EC", operation == OSSL_OP_KEYEXCH ? "ECDH" : "ECDSA");
KEYMGMT(ed25519, "ED25519", ((void)operation, "ED25519"));

/* libssl finds a key's certificate slot by these names and object identifiers. */
const OSSL_ALGORITHM provider_keymgmt[] = {
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", PROVIDER_SIGNET, rsa_keymgmt, NULL },
	{ "RSA-PSS:RSASSA-PSS:1.2.840.113549.1.1.10", PROVIDER_SIGNET, rsa_pss_keymgmt, NULL },
	{ "EC:id-ecPublicKey:1.2.840.10045.2.1", PROVIDER_SIGNET, ec_keymgmt, NULL },
	{ "ED25519:1.3.101.112", PROVIDER_SIGNET, ed25519_keymgmt, NULL },
	{ NULL, NULL, NULL, NULL },
};
