/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What rules want done with a message, found before the transaction that delivers it: for each
 * account with active scripts, and each address by which it is reached, a list of acts. The
 * server's script runs first, then the domain's, then the account's; each of them is asked only if
 * the one before left the message to be kept and did not stop.
 *
 * Made in two steps: plan_make reads and runs the scripts; plan_build makes the other forms of the
 * message that are wanted (encrypted, with other header fields), which takes time but no database
 * connection. A script that fails is as if it were not there, and a note says so.
 */

#include "base/arena.h"
#include "mail/transaction.h"

struct cert_cache;
struct intake;
struct content_draft;
struct plan;
struct rule_cache;
struct store;
struct store_conn;

struct plan_request {
	const struct transaction *transaction;
	struct intake *intake; /* its end was reached; need not be packed */
	struct rule_cache *cache;
	struct cert_cache *certs; /* may be NULL */
	const char *separators;
	struct span hostname;
	bool outgoing; /* somebody sends what is in the queue */
	int64_t now_us;
	const char *unique; /* letters and digits that nobody can guess */
};

/* So often a message is redirected from account to account here. */
enum { PLAN_REDIRECT_DEPTH = 20 };

enum plan_outcome {
	PLAN_E_TOO_MUCH =
		1, /* for so many recipients at a time: fewer will do. Also of plan_build */
};

/* Runs on a reader. The transaction and the intake must outlive the plan. */
int plan_make(struct store_conn *c, const struct plan_request *request,
	struct plan **ret_plan) MUST_CHECK;
struct plan *plan_free(struct plan *p);
CLEANUP_POINTER(struct plan, plan_free)

/* Whether plan_build has anything to do, and that: other forms of the message, and the packing of a
 * small one that will be stored as it came. Blocks: for a large message it reads from and writes to
 * the store. Light: it does not (store may be NULL), and takes well below a millisecond, so that
 * going to another thread for it costs more than it spares the reader. */
bool plan_needs_build(const struct plan *p);
bool plan_is_light(const struct plan *p);
int plan_build(struct plan *p, struct store *store) MUST_CHECK;

enum plan_act_kind {
	PLAN_MAILBOX,
	PLAN_REDIRECT,
	PLAN_REJECT,
	PLAN_VACATION,
};

enum { PLAN_SAME = UINT32_MAX };

struct plan_act {
	enum plan_act_kind kind;
	int64_t owner;      /* MAILBOX: the account whose mailbox it is */
	int64_t by;         /* MAILBOX of somebody else: who needs the right to it; 0: nobody */
	struct span target; /* MAILBOX: its name there; empty: where mail goes without rules. Else
			     * an address */
	struct span flags;
	bool create;
	bool mandatory;     /* never in clear */
	bool owner_only;    /* encrypted for the mailbox's owner, who is somebody else */
	uint32_t form;      /* of the message, position in forms; PLAN_SAME: as it came */
	struct span reason; /* REJECT */
	const char *status; /* REJECT: RFC 3463 */
	struct span handle; /* VACATION */
	int64_t until_us;
};

struct plan_entry {
	int64_t account;
	struct span recipient; /* the address by which it was reached */
	struct plan_act *acts;
	size_t n;
};

/* Another form of the message, or a new one: its draft, once it is built. */
struct plan_form {
	struct intake *intake;
	struct content_draft *draft;
};

/* What is to be told about a script, in the log. */
struct plan_note {
	enum plan_note_kind {
		NOTE_FAILED, /* a script, at run time: the message was kept */
		NOTE_CLEAR,  /* mail was to be encrypted, and is not */
		NOTE_RIGHT,  /* into a mailbox that is not there or not the account's to fill: kept
			      */
	} kind;
	struct span account; /* its address */
	const char *level;   /* "server", "domain", "account" */
	struct span text;
};

const struct plan_entry *plan_find(const struct plan *p, int64_t account, struct span recipient,
	size_t *ret_position);
size_t plan_n_entries(const struct plan *p);
size_t plan_n_forms(const struct plan *p);
const struct plan_form *plan_form(const struct plan *p, uint32_t form); /* once it is built */

/* The first of them, and how many more there were. */
const struct plan_note *plan_notes(const struct plan *p, size_t *ret_n, size_t *ret_more);
