/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * OpenSSL provider "signet": the table of what it implements, its errors, and how a key gets in.
 * The principle of its parts: a private key object is the public key in the default provider plus a
 * name for keyd, and every operation keeps a shadow context of the default provider on that public
 * key. Parameters are forwarded to the shadow, which checks and stores them and knows the algorithm
 * identifiers; when the private operation is due, they are read back and sent to keyd. So there are
 * no parameter tables of our own to keep right, but for ECDH, where a public key cannot begin.
 *
 * Everything asked of OpenSSL from here says "provider=default", or it would come back here.
 */

#include "keyd/provider.h"

#include "keyd/provider_parts.h"
#include "pki/key.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/provider.h>

#define PROVIDER_NAME "signet"

/* OpenSSL's default context is one for the process, and so are these. */
static OSSL_PROVIDER *loaded[2];

static const OSSL_ITEM reasons[] = {
	{ PROVIDER_R_PRIVATE, (void *)"the private key is kept by keyd and is not given out" },
	{ PROVIDER_R_AWAY, (void *)"keyd does not answer" },
	{ PROVIDER_R_LOCKED, (void *)"the private key is locked" },
	{ PROVIDER_R_OPEN, (void *)"the stored private key does not open" },
	{ PROVIDER_R_REFUSED, (void *)"keyd refuses this use of the private key" },
	{ PROVIDER_R_FAILED, (void *)"the private key operation failed" },
	{ PROVIDER_R_KDF, (void *)"only with the X9.63 key derivation function" },
	{ PROVIDER_R_SIZE, (void *)"no room for the result, or too much to sign" },
	{ 0, NULL },
};

/* ERR_LIB_USER is the application's: the texts of its reasons are set in provider_load. */
int provider_raise(enum provider_reason reason)
{
	ERR_raise(ERR_LIB_USER, (int)reason);
	return 0;
}

int provider_fail(int r)
{
	switch (r) {
	case KEYD_E_GONE:
		return provider_raise(PROVIDER_R_LOCKED);
	case KEYD_E_OPEN:
		return provider_raise(PROVIDER_R_OPEN);
	case KEYD_E_REFUSED:
		return provider_raise(PROVIDER_R_REFUSED);
	case KEYD_E_FAILED:
		return provider_raise(PROVIDER_R_FAILED);
	default:
		return provider_raise(PROVIDER_R_AWAY);
	}
}

static const OSSL_ALGORITHM *query(void *context, int operation, int *no_cache)
{
	(void)context;
	*no_cache = 0;
	switch (operation) {
	case OSSL_OP_KEYMGMT:
		return provider_keymgmt;
	case OSSL_OP_SIGNATURE:
		return provider_signature;
	case OSSL_OP_ASYM_CIPHER:
		return provider_cipher;
	case OSSL_OP_KEYEXCH:
		return provider_exchange;
	default:
		return NULL;
	}
}

static int get_params(void *context, OSSL_PARAM params[])
{
	OSSL_PARAM *name = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_NAME);
	OSSL_PARAM *version = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_VERSION);
	OSSL_PARAM *status = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);

	(void)context;
	return (!name || OSSL_PARAM_set_utf8_ptr(name, "Signet keyd")) &&
		(!version || OSSL_PARAM_set_utf8_ptr(version, SIGNET_VERSION)) &&
		(!status || OSSL_PARAM_set_int(status, 1));
}

static const OSSL_PARAM *gettable_params(void *context)
{
	static const OSSL_PARAM table[] = {
		OSSL_PARAM_DEFN(OSSL_PROV_PARAM_NAME, OSSL_PARAM_UTF8_PTR, NULL, 0),
		OSSL_PARAM_DEFN(OSSL_PROV_PARAM_VERSION, OSSL_PARAM_UTF8_PTR, NULL, 0),
		OSSL_PARAM_DEFN(OSSL_PROV_PARAM_STATUS, OSSL_PARAM_INTEGER, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)context;
	return table;
}

static void teardown(void *context)
{
	(void)context;
}

static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
	const OSSL_DISPATCH **ret_out, void **ret_context)
{
	static const OSSL_DISPATCH functions[] = {
		{ OSSL_FUNC_PROVIDER_TEARDOWN, (void (*)(void))teardown },
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query },
		{ OSSL_FUNC_PROVIDER_GET_PARAMS, (void (*)(void))get_params },
		{ OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, (void (*)(void))gettable_params },
		{ 0, NULL },
	};

	(void)in;
	*ret_out = functions;
	/* Nothing is kept for the provider as a whole; the core wants a context that is not NULL. */
	*ret_context = (void *)handle;
	return 1;
}

static void set_reasons(void)
{
	static ERR_STRING_DATA texts[sizeof reasons / sizeof reasons[0]];

	for (size_t i = 0; reasons[i].ptr; i++)
		texts[i] = (ERR_STRING_DATA){ ERR_PACK(ERR_LIB_USER, 0, reasons[i].id),
			reasons[i].ptr };
	(void)ERR_load_strings(ERR_LIB_USER, texts);
}

int provider_load(void)
{
	/* First of all: what was fetched without it stays fetched. With "?" the default provider is
	 * preferred, and ours found where the key is ours. */
	if (!EVP_set_default_properties(NULL, "?" PROVIDER_DEFAULT) ||
		!(loaded[0] = OSSL_PROVIDER_load(NULL, "default")) ||
		!OSSL_PROVIDER_add_builtin(NULL, PROVIDER_NAME, provider_init) ||
		!(loaded[1] = OSSL_PROVIDER_load(NULL, PROVIDER_NAME)))
		return key_openssl_fault("OSSL_PROVIDER_load");
	set_reasons();
	return 0;
}

void provider_unload(void)
{
	for (size_t i = 0; i < 2; i++) {
		if (loaded[i])
			(void)OSSL_PROVIDER_unload(loaded[i]);
		loaded[i] = NULL;
	}
}

CLEANUP_POINTER(EVP_PKEY_CTX, EVP_PKEY_CTX_free)

int provider_key_of(EVP_PKEY **ret_pkey, struct keyd_key *key, EVP_PKEY *public)
{
	CLEANUP(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	struct remote_key parts, *pointer = &parts;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(PROVIDER_KEY_PARAM, &pointer, sizeof pointer),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *made = NULL;

	/* Both are borrowed: import takes references of its own. */
	parts = (struct remote_key){ public, key };
	ctx = EVP_PKEY_CTX_new_from_name(NULL, EVP_PKEY_get0_type_name(public),
		PROVIDER_SIGNET);
	if (!ctx || EVP_PKEY_fromdata_init(ctx) <= 0 ||
		EVP_PKEY_fromdata(ctx, &made, EVP_PKEY_KEYPAIR, (OSSL_PARAM *)params) <= 0)
		return key_openssl_fault("EVP_PKEY_fromdata");
	*ret_pkey = made;
	return 0;
}

int provider_key(EVP_PKEY **ret_pkey, struct keyd_key *key, struct span spki)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *public = NULL;

	TRY(key_from_spki(&public, spki, NULL));
	return provider_key_of(ret_pkey, key, public);
}
