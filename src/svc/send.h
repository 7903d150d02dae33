/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Messages that an account of this server sends other than by SMTP: the copies of one message, each
 * for its own recipients, delivered as submission delivers, with the account's rules' and
 * recipients' rules applied, and the sender's own copy, all in one transaction. Blocks.
 */

#include "mail/transaction.h"
#include "store/mailbox.h"

struct env;

struct send_copy {
	struct span message;
	const struct mail_address *to;
	size_t n_to;
};

struct send_request {
	int64_t account;
	struct mail_address sender;
	const struct send_copy *copies; /* none: a draft */
	size_t n_copies;
	const int64_t *blobs; /* of the account: are there no more once it is sent (store/blob_rows.h) */
	size_t n_blobs;
	struct span kept;     /* p NULL: the sender keeps none */
	enum special_use use; /* where it is kept; made with that use if there is none */
	uint64_t flags;
	int64_t now_us;
};

struct send_done {
	size_t n_delivered; /* copies in mailboxes */
	size_t n_queued;
	size_t n_failed; /* the sender is told by a message */
	int64_t kept;    /* id and UID of the sender's copy; 0: none */
	uint32_t kept_uid;
};

/* REFUSED: a copy's recipients can none of them have it. QUOTA: the sender's mailboxes are full.
 * Each with why, and nothing was sent. */
enum send_outcome { SEND_E_REFUSED = 1, SEND_E_QUOTA };
int send_message(struct env *e, const struct send_request *request, struct send_done *ret_done,
	struct why *why) MUST_CHECK;

/* What is said of a recipient before anything is made; by the words of SMTP. */
int send_look(struct env *e, const struct mail_address *to, size_t n,
	enum recipient_verdict *ret_verdicts) MUST_CHECK;
