/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * A message that is sent, signed and encrypted as its sender wishes: signed first, then all of it,
 * the header too, encrypted (CGPW-30). What comes out are copies, each for those who may know of
 * each other: a message names the certificates that it is encrypted to, so each Bcc recipient gets
 * one of his own.
 */

#include "mime/compose.h"
#include "smime/encrypt.h"
#include "smime/sign.h"

enum compose_place {
	COMPOSE_OPEN,   /* To and Cc */
	COMPOSE_BLIND,  /* Bcc */
	COMPOSE_SENDER, /* the sender himself, with each of his certificates */
};

struct compose_recipient {
	struct encrypt_recipient to;
	enum compose_place place;
};

struct compose_request {
	struct compose_message message; /* legacy_subject is set here */

	const struct smime_key *signers; /* the sender's keys; none: not signed */
	size_t n_signers;
	const struct smime_digest *digest; /* as in sign_request */
	bool opaque, pss;

	bool encrypt;
	const struct compose_recipient *recipients; /* all of them, the sender too; not looked at
						     * where nothing is encrypted */
	size_t n_recipients;
	const struct cipher *cipher; /* NULL: automatic, for each copy on its own */
	bool oaep;

	bool no_header_protection;
	bool no_legacy_display; /* of an encrypted message's subject at the front of its text, for
				 * programs that do not know of header protection */
};

struct compose_copy {
	struct buf message;
	bool is_delivered; /* to all that are COMPOSE_OPEN; where nothing is encrypted, to all */
	bool is_sent;      /* kept with the sender's sent mail; Bcc stands in it */
	size_t recipient;  /* the one COMPOSE_BLIND recipient it is for; else SIZE_MAX */
};

struct composed {
	struct compose_copy *copies;
	size_t n;
};
void composed_done(struct composed *c);

/* RECIPIENTS: ret_faults says who cannot be encrypted to, and why, all of them; nothing was made.
 * UNFIT, with why: a message that cannot be written (mime/compose.h), signed (smime/sign.h: no
 * key's certificate is for the sender's address, too) or encrypted. ret_faults (encrypt_faults_done
 * it) is written whatever comes out. */
enum compose_secure_outcome { COMPOSE_E_RECIPIENTS = 1, COMPOSE_E_UNFIT };
int compose_secure(const struct compose_request *c, struct composed *ret_composed,
	struct encrypt_faults *ret_faults, struct why *why) MUST_CHECK;
