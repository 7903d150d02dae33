/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * RFC 8017 section 7.2.2 without the oracle. OpenSSL has this since 3.2; Signet runs on 3.0 too.
 * Everything below that depends on the block is done with masks and without branches: the only thing
 * that differs between good and bad padding is which of two messages is taken. The length of the
 * result is visible to the caller, as it must be; for bad padding it is a pseudo-random one.
 */

#include "keyd/unpad.h"

#include "base/digest.h"

#include <errno.h>

enum {
	MODULUS_MIN = 64,
	MODULUS_MAX = 1024,
	PADDING_MIN = 8,     /* octets of non-zero padding, RFC 8017 section 7.2.1 */
	SEPARATOR_MIN = 2 + PADDING_MIN,
	LENGTH_TRIES = 128,
};

/* All ones where a is zero, or a < b (both below 2^31). */
static uint32_t mask_zero(uint32_t a)
{
	return (uint32_t)0 - ((~a & (a - 1)) >> 31);
}

static uint32_t mask_less(uint32_t a, uint32_t b)
{
	return (uint32_t)0 - ((a - b) >> 31);
}

static uint32_t choose(uint32_t mask, uint32_t a, uint32_t b)
{
	return (mask & a) | (~mask & b);
}

/* PRF of the draft: HMAC-SHA-256 over counter, label and the length in bits. */
static void prf(struct hmac *key, struct span label, uint8_t *out, size_t n)
{
	uint8_t input[2 + 16 + 2], mac[SHA256_OCTETS];
	size_t bits = n * 8;

	memcpy(input + 2, label.p, label.n);
	input[2 + label.n] = (uint8_t)(bits >> 8);
	input[3 + label.n] = (uint8_t)bits;
	for (size_t i = 0; i * SHA256_OCTETS < n; i++) {
		size_t part = n - i * SHA256_OCTETS;

		input[0] = (uint8_t)(i >> 8);
		input[1] = (uint8_t)i;
		hmac_sha256(key, span_of(input, label.n + 4), mac);
		memcpy(out + i * SHA256_OCTETS, mac, part < SHA256_OCTETS ? part : SHA256_OCTETS);
	}
	explicit_bzero(mac, sizeof mac);
}

/* The length of the message that bad padding stands for: the last candidate that fits. */
static uint32_t synthetic_length(struct hmac *key, uint32_t max)
{
	uint8_t tries[2 * LENGTH_TRIES];
	uint32_t mask = max, length = 0;

	for (unsigned shift = 1; shift < 16; shift *= 2)
		mask |= mask >> shift;
	prf(key, SPAN("length"), tries, sizeof tries);
	for (size_t i = 0; i < LENGTH_TRIES; i++) {
		uint32_t candidate = ((uint32_t)tries[2 * i] << 8 | tries[2 * i + 1]) & mask;

		length = choose(mask_less(candidate, max), candidate, length);
	}
	return length;
}

int unpad_pkcs1(struct span block, struct span ciphertext, struct span key_digest, uint8_t *out,
	size_t *ret_n)
{
	CLEANUP(hmac_freep) struct hmac *keyed = NULL;
	uint8_t key[SHA256_OCTETS], padded[MODULUS_MAX] = {}, synthetic[MODULUS_MAX];
	uint32_t n = (uint32_t)block.n, separator = 0, found = 0, good, start;

	if (block.n < MODULUS_MIN || block.n > MODULUS_MAX || ciphertext.n > block.n)
		return err_fault(EINVAL, "size of the RSA block");
	memcpy(padded + (block.n - ciphertext.n), ciphertext.p, ciphertext.n);
	digest_hmac_sha256(key_digest, span_of(padded, block.n), key);
	keyed = hmac_new(span_of(key, sizeof key));
	prf(keyed, SPAN("message"), synthetic, block.n);

	good = mask_zero(block.p[0]) & mask_zero(block.p[1] ^ 2u);
	for (uint32_t i = 2; i < n; i++) {
		uint32_t here = mask_zero(block.p[i]) & ~found;

		separator = choose(here, i, separator);
		found |= here;
	}
	good &= found & ~mask_less(separator, SEPARATOR_MIN);
	start = choose(good, separator + 1, n - synthetic_length(keyed, n - SEPARATOR_MIN));
	for (uint32_t i = 0; start + i < n; i++)
		out[i] = (uint8_t)choose(good, block.p[start + i], synthetic[start + i]);
	*ret_n = n - start;
	explicit_bzero(key, sizeof key);
	explicit_bzero(synthetic, sizeof synthetic);
	return 0;
}
