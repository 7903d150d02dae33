/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Any octets as revocation lists: refused with a reason and nothing added, or lists that are the
 * same octets again. What is read is given to a validation, of a certificate whose issuer the lists
 * of the corpus are of.
 */

#include "pki/crl_fuzz_certs.h"
#include "pki/path.h"

#include <assert.h>
#include <openssl/err.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void validate(const struct crl_list *crls)
{
	CLEANUP(trust_unrefp) struct trust *trust = trust_new(TRUST_DOMAIN, NULL);
	CLEANUP(cert_list_done) struct cert_list certs = {};
	struct path_request q = { .trust = trust, .crls = crls, .time_us = 1800000000000000 };

	assert(cert_list_from_pem(&certs, span_str(crl_fuzz_certs), NULL) == 0);
	trust_add(trust, certs.certs[1], TRUST_ALL_PURPOSES);
	q.leaf = certs.certs[0];
	for (int mode = PATH_REVOCATION_GIVEN; mode <= PATH_REVOCATION_IGNORED; mode++) {
		CLEANUP(verdict_done) struct verdict v = {};

		q.revocation = (enum path_revocation)mode;
		assert(path_validate(&q, &v) == 0);
		assert(v.valid == !verdict_error(&v));
		assert(v.valid || mode != PATH_REVOCATION_IGNORED);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(crl_list_done) struct crl_list list = {};
	struct crl_times times;
	struct why why = {};

	(void)crl_read_times(span_of(data, size), &times);
	if (crl_list_add(&list, span_of(data, size), &why)) {
		assert(why.text[0]);
		assert(ERR_peek_error() == 0);
	}
	for (size_t i = 0; i < list.n; i++) {
		CLEANUP(crl_list_done) struct crl_list again = {};
		CLEANUP(buf_done) struct buf text = {};
		int64_t next = 0;

		assert(crl_read_times(crl_der(list.crls[i]), &times));
		crl_add_pem(list.crls[i], &text);
		assert(crl_list_add(&again, buf_span(&text), NULL) == 0);
		assert(again.n == 1 && span_equal(crl_der(again.crls[0]), crl_der(list.crls[i])));
		crl_add_issuer(list.crls[i], &text);
		assert(times.this_update_us == crl_this_update_us(list.crls[i]));
		assert(times.has_next_update == crl_next_update_us(list.crls[i], &next));
		assert(times.next_update_us == next);
	}
	validate(&list);
	assert(ERR_peek_error() == 0);
	return 0;
}
