/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The end of a transaction: one task on the store's writer that puts a message into all mailboxes
 * and the outgoing queue, with a notification for the sender where some recipients were refused for
 * good or a receipt was asked for. All of it is committed, or nothing.
 */

#include "base/buf.h"
#include "mail/transaction.h"

struct intake;
struct plan;
struct store_conn;

enum deliver_outcome {
	DELIVER_E_REFUSED = 1, /* no recipient can have it: .refusal says why */
};

struct delivery {
	/* Given. */
	const struct transaction *transaction;
	struct intake *intake;   /* its end was reached; packed, or what is stored is packed now */
	const struct plan *plan; /* what rules want (mail/plan.h), built; NULL: nobody has any */
	struct span hostname;
	const char *separators;
	bool outgoing;
	bool has_delivered_to; /* the first Delivered-To is ours */
	uint64_t hops_max;
	int64_t now_us;
	char unique[33]; /* letters and digits, for a notification's boundary and id */

	/* Found; meaningful when the task is done. */
	enum recipient_verdict refusal;
	struct verdict_text refusal_text; /* of RECIPIENT_REJECTED */
	struct arena refusal_arena;       /* the caller's to end */
	bool too_many_hops;               /* with DELIVER_E_REFUSED */
	size_t n_mailboxes;
	size_t n_queued;
	size_t n_failed;   /* targets that a notification was due for */
	size_t n_answered; /* senders told that somebody is away */
};

/* Runs in the writer's task; may be run again. */
int deliver(struct store_conn *c, struct delivery *d) MUST_CHECK;

/* A message of ours to an address of ours. */
struct notice {
	struct span message;
	struct mail_address to;
	const char *separators;
	int64_t now_us;
};

/* Runs in the writer's task: into the mailboxes of all who read the address's mail, quota or not.
 * *ret_n: how many; 0: nobody does, or it is no address of ours. */
int deliver_notice(struct store_conn *c, const struct notice *n, size_t *ret_n) MUST_CHECK;
