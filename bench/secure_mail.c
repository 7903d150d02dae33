/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * bench_secure_mail [SECONDS]: what it costs that users' keys are in a process of their own: RSA
 * decryptions and signatures through keyd, as reading and sending Secure Mail makes them, beside
 * the same with a key in this process; and what unlocking costs, which is scrypt. One thread. Both
 * keys take turns, so that a busy machine slows them alike; of the processor time of both processes
 * the least of a turn is told, which other work disturbs least.
 */

#include "measure.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "keyd/provider.h"
#include "keyd/testing.h"
#include "pki/key.h"

#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>

enum { UNLOCKS = 5, BATCH = 5 };

static const uint8_t content_key[32] = "a content-encryption key, octets";

static void encrypt(EVP_PKEY *public, struct buf *out)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(public, NULL);
	size_t n = 1024;

	if (EVP_PKEY_encrypt_init(ctx) <= 0 ||
		EVP_PKEY_encrypt(ctx, buf_room(out, n), &n, content_key, sizeof content_key) <= 0)
		die("encrypting");
	buf_added(out, n);
	EVP_PKEY_CTX_free(ctx);
}

static void decrypt(EVP_PKEY *key, struct span ciphertext)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	uint8_t plain[1024];
	size_t n = sizeof plain;

	if (EVP_PKEY_decrypt_init(ctx) <= 0 ||
		EVP_PKEY_decrypt(ctx, plain, &n, ciphertext.p, ciphertext.n) <= 0 ||
		n != sizeof content_key || memcmp(plain, content_key, n) != 0)
		die("decrypting");
	EVP_PKEY_CTX_free(ctx);
}

static void sign(EVP_PKEY *key, struct span digest)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	uint8_t signature[1024];
	size_t n = sizeof signature;

	if (EVP_PKEY_sign_init(ctx) <= 0 || EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) <= 0 ||
		EVP_PKEY_sign(ctx, signature, &n, digest.p, digest.n) <= 0)
		die("signing");
	EVP_PKEY_CTX_free(ctx);
}

typedef void act_fn(EVP_PKEY *key, struct span data);

struct cost {
	double seconds;   /* sum */
	double processor; /* of the cheapest turn */
};

static void take_turn(const struct testing *keyd, act_fn *act, EVP_PKEY *key, struct span data,
	struct cost *cost)
{
	double began = measure_now(), processor = measure_processor(keyd->pid);

	for (int i = 0; i < BATCH; i++)
		act(key, data);
	cost->seconds += measure_now() - began;
	processor = measure_processor(keyd->pid) - processor;
	if (cost->processor == 0 || processor < cost->processor)
		cost->processor = processor;
}

static void measure(const struct testing *keyd, const char *name, act_fn *act, EVP_PKEY *here,
	EVP_PKEY *there, struct span data, double seconds)
{
	struct cost costs[2] = {};
	double began = measure_now();
	unsigned n = 0;

	act(there, data);
	for (; n == 0 || measure_now() - began < 2 * seconds; n += BATCH) {
		take_turn(keyd, act, here, data, &costs[0]);
		take_turn(keyd, act, there, data, &costs[1]);
	}
	for (size_t i = 0; i < 2; i++)
		(void)printf("secure_mail_rsa3072_%s_%s %.0f us\n"
			     "secure_mail_rsa3072_%s_%s_processor %.0f us\n",
			name, i ? "keyd" : "here", costs[i].seconds * 1e6 / n, name,
			i ? "keyd" : "here", costs[i].processor * 1e6 / BATCH);
	(void)printf("secure_mail_rsa3072_%s_keyd_to_here_processor %.3f ratio\n", name,
		costs[0].processor / costs[1].processor);
}

static struct keyd_key *unlock(struct testing *t, const struct keyd_made *made)
{
	struct keyd_key *key = NULL;

	if (keyd_unlock(t->client, buf_span(&made->wrapped), span_str(made->key_id), SPAN("user:1"),
		    SPAN("password"), SPAN("session"), KEYD_IDLE_MAX_MS, &key))
		die("unlocking");
	return key;
}

static void measure_unlock(struct testing *t, const struct keyd_made *made)
{
	double began = measure_now();

	for (int i = 0; i < UNLOCKS; i++)
		keyd_key_unref(unlock(t, made));
	(void)printf("secure_mail_unlock %.0f ms\n", (measure_now() - began) * 1e3 / UNLOCKS);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
	EVP_PKEY *local = NULL, *remote = NULL;
	CLEANUP(buf_done) struct buf spki = {}, ciphertext = {};
	CLEANUP(secret_done) struct secret pkcs8 = {};
	struct keyd_made made = {};
	struct keyd_key *key;
	struct testing t;

	testing_start(&t, KEYD_USER, 2);
	if (provider_load() || key_generate(&local, KEY_RSA_3072) || key_to_spki(local, &spki) ||
		key_to_pkcs8(local, &pkcs8) ||
		keyd_user_wrap(t.client, secret_span(&pkcs8), SPAN("user:1"), SPAN("password"),
			&made))
		die("a key");
	measure_unlock(&t, &made);
	key = unlock(&t, &made);
	if (provider_key(&remote, key, buf_span(&spki)))
		die("provider_key");
	encrypt(local, &ciphertext);
	measure(&t, "decrypt", decrypt, local, remote, buf_span(&ciphertext), seconds);
	measure(&t, "sign", sign, local, remote, span_of(content_key, 32), seconds);
	EVP_PKEY_free(remote);
	EVP_PKEY_free(local);
	keyd_key_unref(key);
	keyd_made_done(&made);
	testing_done(&t);
	return 0;
}
