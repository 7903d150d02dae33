/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Reads a message with S/MIME (RFC 8551): finds its layers, decrypts with whichever key fits, and
 * verifies every signer over the octets as they are. Pure: no clock, no files, nothing is fetched.
 * It takes from half a millisecond to some seconds (a message of 25 MB) and may ask keyd through
 * the keys it is given: for a worker thread, never a loop. word_init() first.
 *
 * Nothing is handed out before its tag or, without one, its whole padding has been checked.
 */

#include "base/secret.h"
#include "pki/path.h"
#include "smime/key.h"
#include "smime/report.h"

struct cert_cache;

enum smime_expect {
	SMIME_EXPECT_FROM,        /* the certificate is for the author: From of the message */
	SMIME_EXPECT_FROM_IF_ANY, /* the same, and for anybody where there is no From: files, which
				   * need not be mail */
	SMIME_EXPECT_GIVEN,       /* for request.address */
	SMIME_EXPECT_ANYBODY,
};

struct smime_request {
	struct span
		message; /* header and body, CRLF or LF line ends; at most LIMIT_SMIME_MESSAGE */

	/* Keys to decrypt with; those of earlier certificates too. None: encrypted layers are
	 * reported as locked. One with key NULL is locked itself: the report says where it would
	 * help. */
	const struct smime_key *keys;
	size_t n_keys;

	const struct trust *trust;     /* for TRUST_MAIL; NULL: nobody is trusted */
	const struct cert_list *known; /* more issuers' and signers' certificates; may be NULL */
	const struct crl_list *crls;   /* may be NULL */
	int64_t time_us;               /* now */
	int64_t received_us; /* when our own server took the message; 0: not known. What the signer
			      * claims to have signed later than that is not believed */

	enum smime_expect expect;
	struct span address; /* of SMIME_EXPECT_GIVEN: local@domain, UTF-8 */

	/* May be NULL. generation: another number each time that trust or lists are other ones. */
	struct cert_cache *cache;
	uint64_t generation;
};

struct smime_content;

struct smime_result {
	struct smime_report report;

	/* Private: what layers hold, by position of the layer. */
	struct smime_content *contents;
	size_t n_contents;
	struct span payload;
	struct secret_buf text; /* the message, where it had to get CRLF line ends */
};

/* Always a report, whatever the message is; a fault only if something is wrong on our side. The
 * result points into the message and the keys' certificates are shared: smime_result_done it first.
 */
int smime_read(const struct smime_request *request, struct smime_result *ret_result) MUST_CHECK;
void smime_result_done(struct smime_result *r);

/* The MIME entity that the layer holds, with CRLF; empty (p NULL) if it is not open. Valid as long
 * as the result; decrypted ones lie in locked memory and are wiped with it. */
struct span smime_layer_entity(const struct smime_result *r, size_t layer);

/* The payload: what the innermost layer of the envelope holds. Without an envelope, or if it is not
 * open, p is NULL. A payload that RFC 8551 section 3.1 wrapped in message/rfc822 to protect its
 * header comes without the wrapping. */
struct span smime_payload(const struct smime_result *r);
