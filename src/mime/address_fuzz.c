/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Any octets, as an address list: groups are balanced, the number of addresses is bounded, and the
 * envelope made of it can be read. As one address: its normal form is a fixed point.
 */

#include "mime/address.h"
#include "mime/envelope.h"
#include "mime/tree_check.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(struct span text)
{
	struct address_reader reader = { .rest = text };
	struct address a;
	size_t n = 0;
	bool in_group = false;

	while (address_next(&reader, &a)) {
		assert(a.kind != ADDRESS_GROUP || !in_group);
		assert(a.kind != ADDRESS_GROUP_END || in_group);
		in_group = a.kind == ADDRESS_MAILBOX ? in_group : a.kind == ADDRESS_GROUP;
		assert(a.name.n + a.route.n + a.local.n + a.host.n <= 2 * text.n);
		n++;
	}
	assert(!in_group && n <= 2 * LIMIT_ADDRESSES);
	address_reader_done(&reader);
}

static void check_envelope(struct span text)
{
	struct span values[ENVELOPE_FIELDS] = {};
	struct arena arena = {};
	struct envelope e;
	struct buf out = {};

	values[ENVELOPE_SUBJECT] = values[ENVELOPE_FROM] = values[ENVELOPE_CC] = text;
	envelope_print(values, &out);
	assert(tree_check_is_imap(buf_span(&out)));
	assert(envelope_parse(buf_span(&out), &arena, &e) == 0);
	assert(e.from.n == e.cc.n && e.from.n == e.sender.n);
	/* What is not ours may be anything. */
	(void)!envelope_parse(text, &arena, &e);
	buf_done(&out);
	arena_done(&arena);
}

static void check_normal_form(struct span text)
{
	struct address_name name, again;
	struct buf out = {};

	if (address_normalize(text, &name))
		return;
	address_add(&out, address_name_local(&name), address_name_domain(&name));
	assert(address_normalize(buf_span(&out), &again) == 0);
	assert(span_equal(address_name_local(&name), address_name_local(&again)));
	assert(span_equal(address_name_domain(&name), address_name_domain(&again)));
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_list(span_of(data, size));
	check_envelope(span_of(data, size));
	check_normal_form(span_of(data, size));
	return 0;
}
