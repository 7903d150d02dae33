/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Input: a message, or if it begins with a SEQUENCE a CMS object, which is put into one. It is read
 * with a key and with trust in its certificate. What must hold: only an envelope makes a status;
 * nothing is handed out of a layer that is not open, but the first part of a signed multipart; a
 * verified message is not verified with an octet of its payload's changed; the report can be
 * printed.
 */

#include "smime/read.h"

#include "mime/word.h"
#include "smime/ber.h"
#include "smime/cms.h"
#include "smime/cms_front.h"

#include <openssl/pem.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* For fuzz@example.org, for both purposes, to 2054; nobody's. */
static const char key_pem[] = "-----BEGIN PRIVATE KEY-----\n"
			      "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgLgfSA10HIEPIE9db\n"
			      "gfBUNk+6wVAgOVRXDkuqr0ZISZyhRANCAATsS6CHdqBeA9ElCcw712vSwLHa8R8T\n"
			      "NRj9HUJL1yOGH8ykFZI+5CUVDTOiZeW376P4RCZ575Nx9FwNqGAoEaZa\n"
			      "-----END PRIVATE KEY-----\n";
static const char cert_pem[] = "-----BEGIN CERTIFICATE-----\n"
			       "MIIBlDCCATmgAwIBAgIUZF5hWMQ986IQRjDaH5GqI9OnL/YwCgYIKoZIzj0EAwIw\n"
			       "DzENMAsGA1UEAwwERnV6ejAgFw0yNjExMjgxOTMzMzlaGA8yMDU0MDQxNTE5MzMz\n"
			       "OVowDzENMAsGA1UEAwwERnV6ejBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABOxL\n"
			       "oId2oF4D0SUJzDvXa9LAsdrxHxM1GP0dQkvXI4YfzKQVkj7kJRUNM6Jl5bfvo/hE\n"
			       "Jnnvk3H0XA2oYCgRplqjcTBvMAwGA1UdEwEB/wQCMAAwDgYDVR0PAQH/BAQDAgOI\n"
			       "MBMGA1UdJQQMMAoGCCsGAQUFBwMEMBsGA1UdEQQUMBKBEGZ1enpAZXhhbXBsZS5v\n"
			       "cmcwHQYDVR0OBBYEFBD39wYAw9g4K8vcq6CdSi0NXfRpMAoGCCqGSM49BAMCA0kA\n"
			       "MEYCIQCPfncaNnrSuLPYWDiohoXk2RhAoOrOleo2UCct+8tgfgIhANjo9lqli4fw\n"
			       "V3ESd3DdmdNhcJKkzm4rSeyXaXzUUEzU\n"
			       "-----END CERTIFICATE-----\n";

static struct smime_key key;
static struct trust *trust;

static void check(bool condition)
{
	if (!condition)
		abort();
}

/* Once. */
static void setup(void)
{
	BIO *bio = BIO_new_mem_buf(key_pem, -1);

	word_init();
	key.key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
	check(key.key && cert_from_pem(&key.cert, span_str(cert_pem), NULL) == 0);
	trust = trust_new(TRUST_DOMAIN, NULL);
	trust_add(trust, key.cert, TRUST_ALL_PURPOSES);
}

static struct smime_request request_of(struct span message)
{
	return (struct smime_request){
		.message = message,
		.keys = &key,
		.n_keys = 1,
		.trust = trust,
		.time_us = cert_not_before_us(key.cert) + INT64_C(86400) * 1000000,
	};
}

static void check_report(const struct smime_result *result)
{
	const struct smime_report *r = &result->report;
	CLEANUP(buf_done) struct buf text = {};
	CLEANUP(buf_done) struct buf reason = {};

	check(r->n_envelope <= r->n_layers);
	check(r->n_envelope > 0 || r->status == SMIME_STATUS_NONE);
	for (size_t i = 0; i < r->n_layers; i++) {
		const struct smime_layer *l = &r->layers[i];

		check(l->is_errant == (i >= r->n_envelope));
		check(l->parent == SIZE_MAX || l->parent < i);
		check((l->state == SMIME_OPEN) == (l->reason == NULL));
		check(l->state == SMIME_OPEN || l->kind == SMIME_SIGNED_DETACHED ||
			!smime_layer_entity(result, i).p);
	}
	smime_report_add_json(r, &text);
	check(span_is_utf8(buf_span(&text)));
	smime_report_add_reason(r, &reason);
}

/* Of a message that is only signed the payload lies in the message itself. */
static void check_changed(const struct smime_result *result, struct span message)
{
	struct span payload = smime_payload(result);
	CLEANUP(buf_done) struct buf copy = {};
	struct smime_result again;
	struct smime_request q;

	if (!smime_report_is_verified(&result->report) || payload.n == 0 || payload.p < message.p ||
		payload.p >= message.p + message.n)
		return;
	buf_add(&copy, message);
	copy.p[(size_t)(payload.p - message.p) + payload.n / 2] ^= 0x20;
	q = request_of(buf_span(&copy));
	check(smime_read(&q, &again) == 0);
	check(!smime_report_is_verified(&again.report));
	smime_result_done(&again);
}

/* What is a whole encrypted object is one by its front too, and the other way round nothing is only
 * because it is thought to be whole. */
static void check_front(struct span object)
{
	struct secret_buf der = { .max = 1 << 24, .is_plain = true };
	struct cms cms = {};
	bool encrypted;

	check(!cms_front_is_encrypted(object, true) || cms_front_is_encrypted(object, false));
	if (ber_to_definite(object, &der) == 0 &&
		cms_parse(secret_buf_span(&der), &cms, NULL) == 0) {
		encrypted = (cms.kind == CMS_ENVELOPED || cms.kind == CMS_AUTH_ENVELOPED) &&
			    cms.enveloped.n_recipients > 0 && cms.enveloped.encrypted.n > 0 &&
			    cms.enveloped.recipients[0].kind != CMS_OTHER_RECIPIENT;
		check(!encrypted || cms_front_is_encrypted(object, true));
		cms_done(&cms);
	}
	secret_buf_done(&der);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf message = {};
	struct smime_result result;
	struct smime_request q;

	if (!key.key)
		setup();
	check_front(span_of(data, size));
	if (size && data[0] == 0x30)
		buf_add_string(&message, "From: fuzz@example.org\r\n"
					 "Content-Type: application/pkcs7-mime\r\n"
					 "Content-Transfer-Encoding: binary\r\n\r\n");
	buf_add(&message, span_of(data, size));
	q = request_of(buf_span(&message));
	check(smime_read(&q, &result) == 0);
	check_report(&result);
	check_changed(&result, buf_span(&message));
	smime_result_done(&result);
	return 0;
}
