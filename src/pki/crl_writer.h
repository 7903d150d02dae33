/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * A revocation list of an authority of ours (RFC 5280 section 5): whole, about everything that it has
 * issued, signed by itself.
 */

#include "pki/cert.h"

struct crl_writer;

int crl_writer_new(struct crl_writer **ret_writer, const struct cert *authority) MUST_CHECK;
struct crl_writer *crl_writer_free(struct crl_writer *w);
CLEANUP_POINTER(struct crl_writer, crl_writer_free)

/* A revoked certificate: its serial number, big-endian; microseconds since 1970; the reason as in
 * section 5.3.1 (0 is left out, as it says there). */
int crl_writer_add(struct crl_writer *w, struct span serial, int64_t revoked_us, unsigned reason)
	MUST_CHECK;

/* Appends the DER. signer: the authority's key, a local one or one of keyd/provider.h. The writer is used
 * up. */
int crl_writer_finish(struct crl_writer *w, EVP_PKEY *signer, int64_t number, int64_t this_us,
	int64_t next_us, struct buf *out) MUST_CHECK;
