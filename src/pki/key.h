/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Keys as OpenSSL objects of its default provider: made, read from and written to DER, named. What
 * is private here is local: tests, the command line, keyd itself. The server holds public halves
 * and the remote keys of keyd/provider.h.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

#include <openssl/evp.h>

CLEANUP_POINTER(EVP_PKEY, EVP_PKEY_free)

/* Kinds that can be made. What is imported may be others (rsa:1024 to rsa:8192, ec:p521, rsa-pss). */
enum key_type {
	KEY_RSA_2048 = 1,
	KEY_RSA_3072,
	KEY_RSA_4096,
	KEY_EC_P256,
	KEY_EC_P384,
	KEY_ED25519,
};

/* "rsa:2048", "ec:p256", "ed25519" and so on. parse: false if there is no such name. */
const char *key_type_name(enum key_type type);
bool key_type_parse(struct span name, enum key_type *ret_type);

int key_generate(EVP_PKEY **ret_key, enum key_type type) MUST_CHECK;

/* SYNTAX: not that structure, or octets behind it. KIND: an algorithm, curve or size that we do not
 * work with, with why. */
enum key_outcome { KEY_E_SYNTAX = 1, KEY_E_KIND };

/* Whether a key that was read otherwise, in a certificate, is one that we work with: KEY_E_KIND. */
int key_check(const EVP_PKEY *key, struct why *why) MUST_CHECK;

/* A public key from a DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7). */
int key_from_spki(EVP_PKEY **ret_key, struct span der, struct why *why) MUST_CHECK;

/* A private key from a DER PrivateKeyInfo (RFC 5958), not encrypted. */
int key_from_pkcs8(EVP_PKEY **ret_key, struct span der, struct why *why) MUST_CHECK;

/* Appends the DER SubjectPublicKeyInfo. */
int key_to_spki(const EVP_PKEY *key, struct buf *out) MUST_CHECK;

/* The DER PrivateKeyInfo of a local key. secret_done it. */
int key_to_pkcs8(const EVP_PKEY *key, struct secret *ret_der) MUST_CHECK;

/* Appends the name of the key's kind, e.g. "rsa:2048", "ec:p521", "rsa-pss:2048"; and in words for
 * people, e.g. "RSA, 2048 bits", "EC P-256, 256 bits". */
void key_add_name(const EVP_PKEY *key, struct buf *out);
void key_add_size_text(const EVP_PKEY *key, struct buf *out);

/* The key's identity: SHA-256 of its SubjectPublicKeyInfo in lower-case hexadecimal. */
enum { KEY_ID_LENGTH = 64 };
void key_id(struct span spki, char ret_id[static KEY_ID_LENGTH + 1]);

/* The kind of a public key in general, for whoever chooses digests and uses. */
bool key_is_rsa(const EVP_PKEY *key); /* RSA-PSS too */
bool key_is_ec(const EVP_PKEY *key);
bool key_is_ed25519(const EVP_PKEY *key);

/* Whether verifying with this public key, whoever made it, is bounded work: at most 8,192 bits, and an
 * RSA exponent of at most 64. */
enum { KEY_BITS_MAX = 8192, KEY_EXPONENT_BITS_MAX = 64 };
bool key_is_bounded(const EVP_PKEY *key);

/* The digest this key signs certificates with: NULL for Ed25519 (RFC 8410), SHA-384 for P-384 and
 * larger, else SHA-256. */
const EVP_MD *key_digest(const EVP_PKEY *key);

/* Tries the key: signs a random text and verifies that with the public half; with `decrypts`, RSA
 * keys also encrypt and decrypt it. why says "Verification String is OK" or what failed. */
enum key_test_outcome { KEY_TEST_E_FAILED = 1 };
int key_self_test(EVP_PKEY *key, struct span spki, bool decrypts, struct why *why) MUST_CHECK;

/* Moves what OpenSSL's error queue says about the call that just failed into why (may be NULL),
 * behind `what`, and empties the queue. */
void key_openssl_why(struct why *why, const char *what);

/* The same as a fault: return key_openssl_fault("EVP_DigestSign"). */
int key_openssl_fault_at(const char *what, const char *function, int line) MUST_CHECK;
#define key_openssl_fault(what) key_openssl_fault_at((what), __func__, __LINE__)
