/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Encrypted messages (RFC 8551 section 3.3, 3.4): a random key for the content, and that key once
 * for each recipient's certificate. Whoever sees the message sees for how many and for which
 * certificates it is: a message per envelope group is smime/compose.h's business.
 */

#include "smime/cipher.h"
#include "smime/entity.h"
#include "smime/recipient.h"

enum { ENCRYPT_RECIPIENTS_MAX = 1000 };

struct encrypt_recipient {
	struct cert *cert;        /* NULL: there is none, which is its fault */
	struct span address;      /* which the certificate must be for; empty: not asked */
	struct span capabilities; /* SMIMECapabilities of the last signed mail; empty: not known */
};

struct encrypt_request {
	const struct encrypt_recipient *recipients;
	size_t n_recipients;
	const struct cipher *cipher; /* NULL: encrypt_cipher chooses */
	bool oaep; /* RSA-OAEP with SHA-256 rather than PKCS #1 v1.5, which older programs lack */
	int64_t now_us;
	bool protect_header; /* of encrypt_message: the fields are encrypted, and the subject is not
			      * seen outside (RFC 9788, hp="cipher") */
};

/* What is wrong with each recipient that cannot be encrypted to. */
struct encrypt_faults {
	struct encrypt_fault {
		size_t recipient;
		enum recipient_fault fault;
		struct why why;
	} * faults;
	size_t n;
};
void encrypt_faults_done(struct encrypt_faults *f);

/* Appends all that are not fit. */
void encrypt_check(const struct encrypt_request *e, struct encrypt_faults *faults);

/* AES-256-GCM where each recipient is known to read it, else AES-256-CBC, which all programs of
 * today do (RFC 8551 section 2.7). */
const struct cipher *encrypt_cipher(const struct encrypt_request *e);

/* RECIPIENTS: faults says whose; faults is empty otherwise. REFUSED, with why: a cipher that is not
 * written, no recipient or too many, a message larger than ENTITY_OCTETS_MAX. */
enum encrypt_outcome { ENCRYPT_E_RECIPIENTS = 1, ENCRYPT_E_REFUSED };

/* Appends the whole message, its outer header fields kept, with CRLF. `message` has any line ends.
 * ret_faults (encrypt_faults_done it) is written whatever comes out. */
int encrypt_message(const struct encrypt_request *e, struct span message, struct buf *out,
	struct encrypt_faults *ret_faults, struct why *why) MUST_CHECK;

/* The same of an entity that is canonical (smime/entity.h): Content-* fields and a body come out.
 */
int encrypt_entity(const struct encrypt_request *e, struct span entity, struct buf *out,
	struct encrypt_faults *ret_faults, struct why *why) MUST_CHECK;
