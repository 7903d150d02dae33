/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Input: a certificate and its issuer, each behind its length in two octets, then an answer. Nothing
 * is found good that is not signed: an answer that holds does not with another octet changed, and
 * never longer than the certificate. URLs that are taken are printable.
 */

#include "pki/ocsp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static struct cert *take_cert(struct span *rest)
{
	struct cert *cert = NULL;
	size_t n = rest->n < 2 ? 0 : (size_t)rest->p[0] << 8 | rest->p[1];

	if (rest->n < 2 + n || cert_from_der(&cert, span_head(span_skip(*rest, 2), n), NULL))
		return NULL;
	*rest = span_skip(*rest, 2 + n);
	return cert;
}

static void check_extensions(const struct cert *c)
{
	CLEANUP(buf_done) struct buf url = {};

	(void)ocsp_must_staple(c);
	if (!ocsp_responder(c, &url))
		check(buf_size(&url) == 0);
	check(buf_size(&url) <= OCSP_URL_MAX);
	for (size_t i = 0; i < buf_size(&url); i++)
		check(buf_span(&url).p[i] > ' ' && buf_span(&url).p[i] < 0x7F);
}

static void check_answer(struct span response, const struct cert *c, const struct cert *issuer)
{
	int64_t now_us = cert_not_before_us(c) + 3600LL * 1000000;
	struct ocsp_answer answer = {}, again = {};
	CLEANUP(buf_done) struct buf changed = {};
	int r = ocsp_check(response, c, issuer, now_us, &answer, NULL);

	check(r >= 0);
	if (r != 0 && r != OCSP_E_REVOKED)
		return;
	check(answer.until_us > now_us && answer.until_us <= cert_not_after_us(c));
	buf_add(&changed, response);
	changed.p[changed.start + response.n / 2] ^= 1;
	check(ocsp_check(buf_span(&changed), c, issuer, now_us, &again, NULL) != r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of(data, size);
	CLEANUP(cert_unrefp) struct cert *cert = take_cert(&rest);
	CLEANUP(cert_unrefp) struct cert *issuer = cert ? take_cert(&rest) : NULL;

	if (cert)
		check_extensions(cert);
	if (issuer)
		check_answer(rest, cert, issuer);
	return 0;
}
