/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The other side of pki/ocsp.h: what a responder (RFC 6960) is asked about certificates that an
 * authority of ours has issued, and its answer. Octets in, octets out; whoever answers looks the serial
 * numbers up.
 *
 * Not checked here: a signature over the request, which RFC 6960 section 4.1.2 lets a responder leave
 * alone.
 */

#include "pki/cert.h"

enum {
	RESPONDER_REQUEST_MAX = 4096, /* octets */
	RESPONDER_CERTS_MAX = 8,      /* certificates asked about at once */
	RESPONDER_NONCE_MAX = 128,    /* RFC 9654 section 2.1 */
};

/* Spans point into the request. */
struct responder_question {
	struct span id;        /* the whole CertID, DER */
	int digest;            /* NID: of the two below */
	struct span name_hash; /* of the issuer's name */
	struct span key_hash;  /* of the issuer's key */
	struct span serial;    /* big-endian, without zeros in front */
};

struct responder_request {
	struct responder_question questions[RESPONDER_CERTS_MAX];
	size_t n;
	struct span nonce; /* empty: none */
};

/* Strictly DER. MALFORMED: no request, or one with a nonce that is too long or empty, with more
 * questions than that, or with a critical extension that is not known. */
enum responder_outcome { RESPONDER_E_MALFORMED = 1 };
int responder_read(struct span der, struct responder_request *ret_request) MUST_CHECK;

/* Whether the question is about a certificate of this issuer. */
bool responder_is_about(const struct responder_question *q, const struct cert *issuer);

enum responder_status { RESPONDER_GOOD, RESPONDER_REVOKED, RESPONDER_UNKNOWN };
struct responder_answer {
	struct span id;
	enum responder_status status;
	int64_t revoked_us;
	unsigned reason; /* RFC 5280 section 5.3.1; 0 is left out */
};

/* Appends the DER of a response, signed by the issuer itself. signer: its key, a local one or one of
 * keyd/provider.h. nonce: empty, or the request's. */
struct responder_reply {
	const struct cert *issuer;
	EVP_PKEY *signer;
	const struct responder_answer *answers;
	size_t n;
	struct span nonce;
	int64_t this_us, next_us;
};
int responder_write(const struct responder_reply *reply, struct buf *out) MUST_CHECK;

/* Appends the DER of a response that says only why there is none (RFC 6960 section 4.2.1). */
enum responder_error {
	RESPONDER_MALFORMED = 1,
	RESPONDER_INTERNAL = 2,
	RESPONDER_TRY_LATER = 3,
	RESPONDER_UNAUTHORIZED = 6,
};
void responder_write_error(enum responder_error error, struct buf *out);
