/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Input: a request. What is read lies within it and within its limits, and OpenSSL reads the same:
 * as many questions, with the same serial numbers. What is answered is a response.
 */

#include "pki/responder.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

CLEANUP_POINTER(OCSP_REQUEST, OCSP_REQUEST_free)
CLEANUP_POINTER(BIGNUM, BN_free)

static void check(bool condition)
{
	if (!condition)
		abort();
}

static void check_within(struct span whole, struct span part)
{
	check(part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n));
}

static void check_serial(OCSP_CERTID *id, struct span serial)
{
	CLEANUP(BN_freep) BIGNUM *own = BN_bin2bn(serial.p, (int)serial.n, NULL);
	CLEANUP(BN_freep) BIGNUM *theirs = NULL;
	ASN1_INTEGER *number = NULL;

	check(OCSP_id_get0_info(NULL, NULL, NULL, &number, id) == 1);
	theirs = ASN1_INTEGER_to_BN(number, NULL);
	/* A negative number is nobody's serial number, and looked up as the octets that it is. */
	check(own && theirs && (BN_is_negative(theirs) || BN_cmp(own, theirs) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(OCSP_REQUEST_freep) OCSP_REQUEST *theirs = NULL;
	struct responder_request request;
	struct span der = span_of(data, size);
	const uint8_t *p = data;

	if (responder_read(der, &request))
		return 0;
	check(request.n > 0 && request.n <= RESPONDER_CERTS_MAX);
	check(request.nonce.n <= RESPONDER_NONCE_MAX);
	check_within(der, request.nonce);
	theirs = d2i_OCSP_REQUEST(NULL, &p, (long)size);
	ERR_clear_error();
	for (size_t i = 0; i < request.n; i++) {
		check_within(der, request.questions[i].id);
		check_within(der, request.questions[i].serial);
		check(request.questions[i].serial.n > 0);
	}
	/* OpenSSL looks into what is left alone here: a signature, a requestor's name. */
	if (!theirs)
		return 0;
	check(OCSP_request_onereq_count(theirs) == (int)request.n);
	for (size_t i = 0; i < request.n; i++)
		check_serial(OCSP_onereq_get0_id(OCSP_request_onereq_get0(theirs, (int)i)),
			request.questions[i].serial);
	return 0;
}
