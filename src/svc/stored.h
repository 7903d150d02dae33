/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Messages that lie in mailboxes, encrypted and decrypted in place: the new body is committed in
 * the one transaction that takes the old one away, so there is always one of them. Flags, dates and
 * thread stay; IMAP clients see a new message in place of the old one (store/message.h). Everything
 * here blocks: for workers of HTTP and env->blocking.
 */

#include "base/buf.h"
#include "base/err.h"
#include "smime/key.h"
#include "store/message.h"

struct env;

/* All but NOT_FOUND and CHANGED with why. */
enum stored_outcome {
	STORED_E_NOT_FOUND = 1, /* no such message of this account */
	STORED_E_ALREADY,       /* it is as it should become */
	STORED_E_NO_CERT,       /* nobody's certificate that is fit, or Secure Mail is off */
	STORED_E_LOCKED,        /* no key that is there opens it */
	STORED_E_UNREADABLE,    /* it is damaged, or made in a way that is not read here */
	STORED_E_TOO_LARGE,
	STORED_E_CHANGED, /* somebody else changed or removed it meanwhile */
};

/* The octets of a message, at most max: of the account, or of a mailbox in which it has the right to
 * read (store/sharing.h). */
int stored_read(struct env *e, int64_t account, int64_t id, uint64_t max, struct buf *out,
	struct store_message *ret_row) MUST_CHECK;

/* To the account's own certificate, with the cipher of its settings. What has an encrypted layer
 * already is left as it is (ALREADY). */
int stored_encrypt(struct env *e, int64_t account, int64_t id,
	struct message_replaced *ret_replaced, struct why *why) MUST_CHECK;

/* What the outermost encrypted layer holds, with the message's own header; fields that were
 * encrypted with it come back into the header. Signatures inside stay. */
int stored_decrypt(struct env *e, int64_t account, int64_t id, const struct smime_key *keys,
	size_t n_keys, struct message_replaced *ret_replaced, struct why *why) MUST_CHECK;
