/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Any octets as a message and as a list of capabilities. What is canonical is canonical the second
 * time to the octet, with CRLF only; split and joined again it has the same entity; a list that
 * parses names known ciphers, each once.
 */

#include "mime/encode.h"
#include "mime/word.h"
#include "smime/capability.h"
#include "smime/entity.h"
#include "smime/protect.h"

#include <assert.h>
#include <openssl/err.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_canonical(struct span message, enum entity_octets octets, struct buf *out)
{
	CLEANUP(buf_done) struct buf again = {};
	bool seven = entity_canonical(message, octets, out);

	assert(encode_is_crlf(buf_span(out)));
	assert(seven == encode_is_7bit(buf_span(out)));
	(void)entity_canonical(buf_span(out), octets, &again);
	assert(span_equal(buf_span(out), buf_span(&again)));
}

static void check_split(struct span message)
{
	CLEANUP(buf_done)
	struct buf outer = {},
		   entity = {}, joined = {}, outer2 = {}, entity2 = {};
	CLEANUP(buf_done) struct buf protected_outer = {}, protected_entity = {};

	entity_split(message, &outer, &entity);
	entity_join(buf_span(&outer), buf_span(&entity), &joined);
	entity_split(buf_span(&joined), &outer2, &entity2);
	assert(span_equal(buf_span(&entity), buf_span(&entity2)));
	(void)protect_header(buf_span(&outer), buf_span(&entity), true, &protected_outer,
		&protected_entity);
	assert(encode_is_crlf(buf_span(&protected_outer)));
	assert(encode_is_crlf(buf_span(&protected_entity)));
}

static void check_capabilities(struct span der)
{
	struct capabilities c = {};

	assert(capability_parse(der, &c) || c.n == 0);
	for (size_t i = 0; i < c.n; i++) {
		for (size_t k = 0; k < i; k++)
			assert(c.ciphers[k] != c.ciphers[i]);
	}
	assert(ERR_peek_error() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	CLEANUP(buf_done) struct buf seven = {}, eight = {};

	if (!ready)
		word_init();
	ready = true;
	check_capabilities(span_of(data, size));
	check_canonical(span_of(data, size), ENTITY_8BIT, &eight);
	check_canonical(span_of(data, size), ENTITY_7BIT, &seven);
	check_split(buf_span(&seven));
	return 0;
}
