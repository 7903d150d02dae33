/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Any octets as a request for a certificate: refused with a reason, or one that is the same again. */

#include "pki/request.h"

#include <assert.h>
#include <openssl/err.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(request_freep) struct request *request = NULL;
	CLEANUP(request_freep) struct request *again = NULL;
	CLEANUP(buf_done) struct buf text = {};
	CLEANUP(buf_done) struct buf pem = {};
	struct why why = {};
	struct span name;
	int r = request_read(&request, span_of(data, size), &why);

	assert(r >= 0 && (r == 0 || why.text[0]));
	assert(ERR_peek_error() == 0);
	if (r)
		return 0;
	request_add_pem(request, &pem);
	assert(request_read(&again, buf_span(&pem), &why) == 0);
	assert(span_equal(request_spki(request), request_spki(again)));
	request_add_subject(request, &text);
	for (size_t i = 0; request_name(request, i, &name); i++)
		buf_add(&text, name);
	return 0;
}
