/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * For tests that look for a private key where none may be: opens a wrapped key of a database with the
 * key-encryption key beside it and prints the key's secret number (the scalar of an EC key) in
 * hexadecimal, so that the test knows what to look for.
 *
 *   unwrap KEK-FILE KEY-ID OWNER PURPOSE WRAPPED-HEX
 */

#include "base/enc.h"
#include "keyd/kek.h"
#include "keyd/wrap.h"
#include "pki/key.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

static int read_kek(const char *path, struct kek *ret_kek)
{
	uint8_t octets[64];
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(octets, 1, sizeof octets, f) : 0;

	if (f)
		(void)fclose(f);
	return kek_derive(ret_kek, span_of(octets, n), KEYD_DOMAIN);
}

static int open_key(char **argv, struct secret *ret_pkcs8)
{
	CLEANUP(buf_done) struct buf wrapped = {}, aad = {};
	CLEANUP(kek_done) struct kek kek = {};
	uint8_t purpose = (uint8_t)atoi(argv[4]);

	TRY(read_kek(argv[1], &kek));
	if (!enc_hex_decode(&wrapped, span_str(argv[5])))
		return 1;
	wrap_aad(&aad, (struct span[]){ span_str(argv[2]), span_str(argv[3]),
		span_of(&purpose, 1) }, 3);
	return wrap_open(secret_span(&kek.wrap), buf_span(&aad), buf_span(&wrapped), ret_pkcs8);
}

int main(int argc, char **argv)
{
	CLEANUP(secret_done) struct secret pkcs8 = {};
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	BIGNUM *scalar = NULL;
	char *hex;

	if (argc != 6)
		return 2;
	if (open_key(argv, &pkcs8) || key_from_pkcs8(&key, secret_span(&pkcs8), NULL))
		return 1;
	if (!EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &scalar))
		return 1;
	hex = BN_bn2hex(scalar);
	(void)puts(hex);
	OPENSSL_free(hex);
	BN_free(scalar);
	return 0;
}
