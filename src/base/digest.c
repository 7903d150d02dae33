/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/digest.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

static void must(int ok)
{
	if (ok != 1) {
		(void)fputs("libcrypto cannot compute SHA-256\n", stderr);
		abort();
	}
}

struct digest *digest_new(void)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	must(context && EVP_DigestInit_ex(context, EVP_sha256(), NULL));
	return (struct digest *)context;
}

void digest_add(struct digest *d, struct span data)
{
	must(EVP_DigestUpdate((EVP_MD_CTX *)d, data.p, data.n));
}

void digest_end(struct digest *d, uint8_t ret_digest[static SHA256_OCTETS])
{
	must(EVP_DigestFinal_ex((EVP_MD_CTX *)d, ret_digest, NULL));
}

struct digest *digest_free(struct digest *d)
{
	EVP_MD_CTX_free((EVP_MD_CTX *)d);
	return NULL;
}

void digest_sha256(struct span data, uint8_t ret_digest[static SHA256_OCTETS])
{
	must(EVP_Digest(data.p, data.n, ret_digest, NULL, EVP_sha256(), NULL));
}

void digest_hmac_sha256(struct span key, struct span data, uint8_t ret_mac[static SHA256_OCTETS])
{
	must(HMAC(EVP_sha256(), key.p, (int)key.n, data.p, data.n, ret_mac, NULL) != NULL);
}

struct hmac *hmac_new(struct span key)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);

	EVP_MAC_free(mac);
	must(context && EVP_MAC_init(context, key.p, key.n, params));
	return (struct hmac *)context;
}

void hmac_sha256(struct hmac *h, struct span data, uint8_t ret_mac[static SHA256_OCTETS])
{
	EVP_MAC_CTX *context = (EVP_MAC_CTX *)h;
	size_t n;

	/* Without a key: begins anew with the one that is there. */
	must(EVP_MAC_init(context, NULL, 0, NULL) && EVP_MAC_update(context, data.p, data.n) &&
		EVP_MAC_final(context, ret_mac, &n, SHA256_OCTETS));
}

struct hmac *hmac_free(struct hmac *h)
{
	EVP_MAC_CTX_free((EVP_MAC_CTX *)h);
	return NULL;
}

void digest_pbkdf2_sha256(struct span password, struct span salt, uint32_t iterations,
	uint8_t ret_key[static SHA256_OCTETS])
{
	must(PKCS5_PBKDF2_HMAC((const char *)password.p, (int)password.n, salt.p, (int)salt.n,
		(int)iterations, EVP_sha256(), SHA256_OCTETS, ret_key));
}
