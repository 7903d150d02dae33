/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Mailboxes of one account that others may use (RFC 4314), and how they are named: "~jim/INBOX" is
 * the INBOX of jim in the own domain, "~jim@example.net/INBOX" that of an account elsewhere on this
 * server. It is the same name in IMAP and in rules.
 *
 * The owner has all rights. Anybody else has those of the account, of its domain and of anyone
 * together. Without the right l a mailbox is not there: every function below answers then as if it
 * were not, unless the account has the right that it needs.
 */

#include "store/mailbox.h"
#include "store/rights.h"

enum { ACL_ENTRIES_MAX = 200 }; /* of one mailbox */

/* A mailbox as an account sees it. */
struct shared_mailbox {
	struct store_mailbox box; /* its name is the one the account uses: "~jim/INBOX" */
	struct span path;         /* the owner's name for it: "INBOX" */
	unsigned rights;          /* ACL_* of the account */
	bool own;
};

/* Reads: what the account may do in a mailbox, 0 if nothing. STORE_E_NOT_FOUND (the mailbox was
 * removed). */
int store_mailbox_rights(struct store_conn *c, int64_t account, int64_t mailbox,
	unsigned *ret_rights) MUST_CHECK;

/* Reads: whose mailbox a name means, and its name there; whether there is such a mailbox is not
 * looked at. STORE_E_NOT_FOUND: no such account, or nothing behind it. */
int store_mailbox_place(struct store_conn *c, struct arena *a, int64_t account, struct span name,
	int64_t *ret_owner, struct span *ret_path) MUST_CHECK;

/* Reads: the mailbox of that name, if the account has all rights that are needed; need 0: one of
 * ACL_ANY. STORE_E_NOT_FOUND, STORE_E_RIGHTS. */
int store_mailbox_reach(struct store_conn *c, struct arena *a, int64_t account, struct span name,
	unsigned need, struct shared_mailbox *ret_mailbox) MUST_CHECK;

/* Reads: the account's own, as store_mailbox_list, by the names it uses. */
int store_own_list(struct store_conn *c, struct arena *a, int64_t account,
	struct store_mailbox **ret_mailboxes, size_t *ret_n) MUST_CHECK;

/* Reads: mailboxes of others in which the account has the right l, as one array in the arena. */
int store_shared_list(struct store_conn *c, struct arena *a, int64_t account,
	struct shared_mailbox **ret_mailboxes, size_t *ret_n) MUST_CHECK;

/* Reads: the form in which a name is kept among the account's subscriptions. Names of others need
 * not exist, and that is not looked at. STORE_E_REFUSED, STORE_E_LIMIT as store_mailbox_name. */
int store_subscription_name(struct store_conn *c, struct arena *a, int64_t account,
	struct span name, struct span *ret_name) MUST_CHECK;

/* Writes: as store_mailbox_create, _delete and _rename, by names as an account uses them and with
 * its rights. A new mailbox has the rights of the one above it (RFC 4314 section 4).
 * STORE_E_RIGHTS too. */
int store_shared_create(struct store_conn *c, struct arena *a, int64_t account, struct span name,
	enum special_use use, int64_t *ret_owner, int64_t *ret_id, struct why *why) MUST_CHECK;
int store_shared_delete(struct store_conn *c, struct arena *a, int64_t account, struct span name,
	int64_t *ret_id, struct why *why) MUST_CHECK;
int store_shared_rename(struct store_conn *c, struct arena *a, int64_t account, struct span from,
	struct span to, struct why *why) MUST_CHECK;

/* Who has rights: "alice@example.org", "@example.org" (all accounts of the domain), "anyone" (all
 * accounts of the server). */
struct acl_entry {
	struct span identifier;
	unsigned rights;
};

/* Reads: the owner first, with all rights, then the others by name; an array in the arena. */
int store_acl_list(struct store_conn *c, struct arena *a, int64_t mailbox,
	struct acl_entry **ret_entries, size_t *ret_n) MUST_CHECK;

/* Writes; rights that become none remove the entry. The sessions that have the mailbox selected are
 * told. An account is named as it logs in. STORE_E_NOT_FOUND (the mailbox), STORE_E_REFUSED with
 * why (no such account or domain, the owner, a negative identifier), STORE_E_LIMIT. */
enum acl_change { ACL_SET, ACL_ADD, ACL_TAKE };
int store_acl_set(struct store_conn *c, int64_t mailbox, struct span identifier,
	enum acl_change change, unsigned rights, struct why *why) MUST_CHECK;

/* Reads: whether the identifier is the owner's, who always has all rights; STORE_E_REFUSED with why
 * as above. */
int store_acl_is_owner(struct store_conn *c, int64_t mailbox, struct span identifier,
	bool *ret_owner, struct why *why) MUST_CHECK;
