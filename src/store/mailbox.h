/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Mailboxes. A name is UTF-8 with '/' between levels, at most LIMIT_MAILBOX_NAME octets and
 * LIMIT_MAILBOX_LEVELS levels, NFC; INBOX is one name whatever its case. Nothing in this file
 * touches messages.
 */

#include "base/arena.h"
#include "base/err.h"

struct store_conn;

enum special_use {
	USE_NONE, USE_ARCHIVE, USE_DRAFTS, USE_FLAGGED, USE_JUNK, USE_SENT, USE_TRASH, USE_ALL,
	USE_IMPORTANT,
};

struct store_mailbox {
	int64_t id;
	int64_t account;
	struct span name;
	enum special_use use;
	bool subscribed;
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t highest_modseq;
	uint64_t n_messages;
	uint64_t n_unseen;
	uint64_t n_deleted; /* carry \Deleted (STATUS DELETED) */
	uint64_t octets;
	uint32_t recent_from; /* UIDs from here on have not been shown as \Recent yet */
	int64_t created_us;
};

/* Reads. STORE_E_NOT_FOUND. Spans live in the arena. */
int store_mailbox_find(struct store_conn *c, struct arena *a, int64_t account, struct span name,
	struct store_mailbox *ret_mailbox) MUST_CHECK;
int store_mailbox_get(struct store_conn *c, struct arena *a, int64_t id,
	struct store_mailbox *ret_mailbox) MUST_CHECK;

/* Reads: all of the account in name order (INBOX first), as one array in the arena. */
int store_mailbox_list(struct store_conn *c, struct arena *a, int64_t account,
	struct store_mailbox **ret_mailboxes, size_t *ret_n) MUST_CHECK;

/* Reads: the mailbox that has the special use; STORE_E_NOT_FOUND. */
int store_mailbox_with_use(struct store_conn *c, struct arena *a, int64_t account,
	enum special_use use, struct store_mailbox *ret_mailbox) MUST_CHECK;

/* Names that are subscribed and do not exist any more count too (RFC 9051 section 6.3.7). */
int store_subscriptions(struct store_conn *c, struct arena *a, int64_t account,
	struct span **ret_names, size_t *ret_n) MUST_CHECK;

/* Writes. Missing levels above are made too. STORE_E_EXISTS, STORE_E_LIMIT, STORE_E_REFUSED with why
 * (empty level, control character, wrong UTF-8, use already taken). */
int store_mailbox_create(struct store_conn *c, int64_t account, struct span name,
	enum special_use use, int64_t *ret_id, struct why *why) MUST_CHECK;

/* Writes. The mailboxes below stay (their names remain). STORE_E_NOT_FOUND, STORE_E_REFUSED (INBOX).
 * UIDVALIDITY of a later mailbox of that name is larger. */
int store_mailbox_delete(struct store_conn *c, int64_t account, struct span name, struct why *why)
	MUST_CHECK;

/* Writes, with all below it; ids and UIDs stay. INBOX: its messages move to a new mailbox and INBOX
 * stays (RFC 9051 section 6.3.6). STORE_E_NOT_FOUND, STORE_E_EXISTS, STORE_E_LIMIT, STORE_E_REFUSED. */
int store_mailbox_rename(struct store_conn *c, int64_t account, struct span from, struct span to,
	struct why *why) MUST_CHECK;

/* Writes. STORE_E_REFUSED (no name), STORE_E_LIMIT. */
int store_mailbox_subscribe(struct store_conn *c, int64_t account, struct span name, bool on)
	MUST_CHECK;

/* Writes: this session is the first that shows UIDs from recent_from on. Returns the first UID it
 * may call \Recent. */
int store_mailbox_claim_recent(struct store_conn *c, int64_t mailbox, uint32_t *ret_from)
	MUST_CHECK;

/* Normalizes a name as above; STORE_E_REFUSED with why, STORE_E_LIMIT. Pure. */
int store_mailbox_name(struct arena *a, struct span name, struct span *ret_name, struct why *why)
	MUST_CHECK;
