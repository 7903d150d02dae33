/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * bench_smime_write [SECONDS]: whole messages of 4 KiB signed in a second with a key of this
 * process and with one that keyd holds, the rate of the second to the first, and messages encrypted
 * to three certificates. Both keys take turns within a run, so that a busy machine slows them
 * alike.
 */

#include "measure.h"

#include "base/clock.h"
#include "keyd/provider.h"
#include "keyd/testing.h"
#include "mime/word.h"
#include "pki/cert_fixture.h"
#include "smime/encrypt.h"
#include "smime/sign.h"

#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE_OCTETS = 4096, BATCH = 10 };

static void make_message(struct buf *out)
{
	buf_add_string(out, "From: a@example.org\r\nSubject: s\r\n\r\n");
	while (buf_size(out) < MESSAGE_OCTETS)
		buf_add_string(out, "A line of text as people write them, of some length.\r\n");
}

struct cost {
	double seconds;
	double processor; /* of the cheapest batch: other work disturbs that least */
};

static void sign_batch(const struct testing *keyd, const struct smime_key *key, struct span message,
	struct cost *cost)
{
	const struct sign_request s = { .signers = key, .n_signers = 1, .now_us = clock_now_us() };
	double start = measure_now(), processor = measure_processor(keyd->pid);

	for (int i = 0; i < BATCH; i++) {
		CLEANUP(buf_done) struct buf out = {};

		if (sign_message(&s, message, &out, NULL))
			die("sign_message");
	}
	cost->seconds += measure_now() - start;
	processor = measure_processor(keyd->pid) - processor;
	if (cost->processor == 0 || processor < cost->processor)
		cost->processor = processor;
}

/* The same key here and there. */
static struct cert_made bench_sign(const struct testing *keyd, enum key_type type, double seconds,
	struct span message)
{
	struct cert_order order = { .subject = "CN=a",
		.usage = "emailProtection",
		.more = { { "keyUsage", "digitalSignature,keyEncipherment,keyAgreement" } } };
	struct smime_key local = {}, remote = {};
	struct keyd_made made = {};
	CLEANUP(secret_done) struct secret pkcs8 = {};
	struct cost warm = {}, here = {}, there = {};
	struct keyd_key *key;
	struct cert_made cert;
	double start;
	unsigned n = 0;

	if (key_generate(&local.key, type) || key_to_pkcs8(local.key, &pkcs8) ||
		keyd_wrap(keyd->client, secret_span(&pkcs8), SPAN("domain:1"), KEYD_SMIME, &made))
		die("key");
	order.use_key = local.key;
	cert = cert_make(&order);
	key = keyd_key_new(keyd->client, buf_span(&made.wrapped), span_str(made.key_id),
		SPAN("domain:1"), KEYD_SMIME);
	if (provider_key(&remote.key, key, buf_span(&made.spki)))
		die("provider_key");
	local.cert = remote.cert = cert.cert;
	sign_batch(keyd, &remote, message, &warm);
	start = measure_now();
	for (; measure_now() - start < seconds; n += BATCH) {
		sign_batch(keyd, &local, message, &here);
		sign_batch(keyd, &remote, message, &there);
	}
	(void)printf("smime_sign_%s_local %.0f messages/s\n", key_type_name(type),
		n / here.seconds);
	(void)printf("smime_sign_%s_keyd %.0f messages/s\n", key_type_name(type),
		n / there.seconds);
	(void)printf("smime_sign_%s_keyd_to_local %.2f ratio\n", key_type_name(type),
		here.seconds / there.seconds);
	(void)printf("smime_sign_%s_keyd_to_local_processor %.2f ratio\n", key_type_name(type),
		here.processor / there.processor);
	(void)printf("smime_sign_%s_local_processor %.1f us\nsmime_sign_%s_keyd_processor %.1f us\n",
		key_type_name(type), here.processor * 1e6 / BATCH, key_type_name(type),
		there.processor * 1e6 / BATCH);
	EVP_PKEY_free(remote.key);
	EVP_PKEY_free(local.key);
	keyd_key_unref(key);
	keyd_made_done(&made);
	return cert;
}

static void bench_encrypt(const struct cert_made *certs, size_t n_certs, double seconds,
	struct span message)
{
	static const char *const ciphers[] = { "aes-256-gcm", "aes-256-cbc" };

	for (size_t i = 0; i < 2; i++) {
		struct encrypt_recipient to[4] = {};
		struct encrypt_request e = { .recipients = to,
			.n_recipients = n_certs,
			.cipher = cipher_by_name(span_str(ciphers[i])),
			.now_us = clock_now_us() };
		double start = measure_now();
		unsigned n = 0;

		for (size_t k = 0; k < n_certs; k++)
			to[k].cert = certs[k].cert;
		for (; measure_now() - start < seconds; n++) {
			CLEANUP(encrypt_faults_done) struct encrypt_faults faults = {};
			CLEANUP(buf_done) struct buf out = {};

			if (encrypt_message(&e, message, &out, &faults, NULL))
				die("encrypt_message");
		}
		(void)printf("smime_encrypt_%s_%zu_recipients %.0f messages/s\n", ciphers[i],
			n_certs, n / (measure_now() - start));
	}
}

int main(int argc, char **argv)
{
	static const enum key_type types[] = { KEY_RSA_2048, KEY_RSA_3072, KEY_EC_P256 };
	double seconds = argc > 1 ? atof(argv[1]) : 3;
	struct cert_made certs[3];
	CLEANUP(buf_done) struct buf message = {};
	struct testing keyd;

	word_init();
	testing_start(&keyd, KEYD_DOMAIN, 2);
	if (provider_load())
		die("provider_load");
	make_message(&message);
	for (size_t i = 0; i < 3; i++)
		certs[i] = bench_sign(&keyd, types[i], seconds, buf_span(&message));
	bench_encrypt(certs, 3, seconds, buf_span(&message));
	for (size_t i = 0; i < 3; i++)
		cert_made_done(&certs[i]);
	testing_done(&keyd);
	provider_unload();
	return 0;
}
