/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Any octets as a certificate or a file of several, in DER, PEM and PKCS #7: refused with a reason, or the same octets again;
 * every question has an answer; validation ends with a verdict, which is JSON, whether it is
 * trusted or not.
 */

#include "pki/path.h"

#include <assert.h>
#include <openssl/err.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct path_name names[] = {
	{ PATH_DNS, SPAN("mail.example.org") },
	{ PATH_DNS, SPAN("m\xc3\xbcnchen.example") },
	{ PATH_IP, SPAN("192.0.2.1") },
	{ PATH_IP, SPAN("2001:db8::1") },
	{ PATH_EMAIL, SPAN("alice@example.org") },
	{ PATH_EMAIL, SPAN("\xc3\xa4@example.org") },
};

static void validate(struct cert *cert, struct trust *trust, const struct cert_list *others)
{
	CLEANUP(verdict_done) struct verdict v = {};
	CLEANUP(buf_done) struct buf json = {};
	const struct path_request q = {
		.leaf = cert,
		.trust = trust,
		.untrusted = others,
		.time_us = 1700000000000000,
		.names = names,
		.n_names = sizeof names / sizeof names[0],
		.purposes = TRUST_ALL_PURPOSES,
	};

	assert(path_validate(&q, &v) == 0);
	assert(v.valid == !verdict_error(&v));
	verdict_add_json(&v, &json);
	assert(span_is_utf8(buf_span(&json)));
}

static void ask(struct cert *cert, const struct cert_list *others)
{
	CLEANUP(trust_unrefp) struct trust *trust = trust_new(TRUST_DOMAIN, NULL);
	CLEANUP(cert_unrefp) struct cert *again = NULL;
	CLEANUP(buf_done) struct buf text = {};
	struct cert_name name;

	cert_add_pem(cert, &text);
	assert(cert_from_pem(&again, buf_span(&text), NULL) == 0);
	assert(span_equal(cert_der(again), cert_der(cert)));
	cert_add_subject(cert, &text);
	cert_add_issuer(cert, &text);
	cert_add_serial(cert, &text);
	cert_add_fingerprint_text(cert, &text);
	for (size_t i = 0; cert_alt_name(cert, i, &name); i++)
		buf_add(&text, name.text);
	(void)cert_covers_host(cert, names[0].text);
	validate(cert, trust, others);
	trust_add(trust, cert, TRUST_ALL_PURPOSES);
	validate(cert, trust, others);
	trust_deny(trust, cert);
	validate(cert, trust, others);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct why why = {};

	if (cert_from_der(&cert, span_of(data, size), &why) == 0) {
		assert(span_equal(cert_der(cert), span_of(data, size)));
		ask(cert, NULL);
	} else {
		assert(why.text[0]);
	}
	if (cert_list_from_file(&list, span_of(data, size), NULL) == 0) {
		assert(list.n > 0 && list.n <= CERT_LIST_MAX);
		ask(list.certs[0], &list);
	}
	assert(ERR_peek_error() == 0);
	return 0;
}
