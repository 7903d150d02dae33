/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Signed messages: multipart/signed (RFC 8551 section 3.5.3) or all in one signed-data (3.5.2). */

#include "smime/cipher.h"
#include "smime/entity.h"
#include "smime/key.h"

enum { SIGNERS_MAX = 16 };

struct sign_request {
	const struct smime_key *signers;
	size_t n_signers;
	const struct smime_digest *digest; /* NULL: what suits each key */
	bool opaque;    /* one application/pkcs7-mime, which only S/MIME programs show */
	bool pss;       /* RSA keys sign with PSS (RFC 4056) rather than PKCS #1 v1.5 */
	bool keep_8bit; /* 8-bit parts stay as they are: the way to the recipient must be clean */
	bool protect_header; /* of sign_message: the fields are signed too (RFC 9788, hp="clear") */
	int64_t now_us;      /* the signing time */
};

/* REFUSED, with why: a certificate that may not sign mail now (which one and what about it), a key
 * that is not its, cannot (Ed25519) or does not sign (locked), a message larger than
 * ENTITY_OCTETS_MAX.
 */
enum sign_outcome { SIGN_E_REFUSED = 1 };

/* Whether mail can be signed with the certificate at that time, as a recipient would ask (RFC 8550
 * sections 4.4.2 to 4.4.4): REFUSED with why. Neither its path nor its addresses are asked for. */
int sign_check_cert(const struct cert *cert, int64_t now_us, struct why *why) MUST_CHECK;

/* Appends the whole message, its outer header fields kept, with CRLF. `message` has any line ends.
 */
int sign_message(const struct sign_request *s, struct span message, struct buf *out,
	struct why *why) MUST_CHECK;

/* The same of an entity that is canonical (smime/entity.h): Content-* fields and a body come out.
 */
int sign_entity(const struct sign_request *s, struct span entity, struct buf *out,
	struct why *why) MUST_CHECK;
