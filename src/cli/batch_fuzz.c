/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Any octets as a line of "verify --batch": one line of JSON comes back, with a verdict and a
 * reason. */

#include "cli/batch.h"

#include <assert.h>
#include <jansson.h>
#include <openssl/err.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf out = {};
	const json_t *valid, *findings;
	json_t *answer;

	assert(batch_answer(span_of(data, size), 1700000000000000, &out) == 0);
	assert(span_find(buf_span(&out), '\n') == buf_size(&out) - 1);
	answer = json_loadb((const char *)buf_span(&out).p, buf_size(&out), 0, NULL);
	valid = json_object_get(answer, "valid");
	findings = json_object_get(answer, "findings");
	assert(json_is_boolean(valid) && json_is_array(findings));
	assert(json_is_true(valid) || json_array_size(findings) > 0);
	assert(json_object_get(answer, "id"));
	json_decref(answer);
	assert(ERR_peek_error() == 0);
	return 0;
}
