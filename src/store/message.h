/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Messages of mailboxes. Every change takes a new modification number of the account (one counter,
 * also for CONDSTORE and JMAP states), keeps the counters of mailbox and account, records what was
 * expunged (QRESYNC), and tells the watchers after the commit.
 */

#include "store/content.h"
#include "store/store.h"

/* Flags are bits: five of the system, then the account's keywords. */
enum {
	FLAG_SEEN = 1, FLAG_ANSWERED = 2, FLAG_FLAGGED = 4, FLAG_DELETED = 8, FLAG_DRAFT = 16,
	FLAG_KEYWORD_SHIFT = 5,
	KEYWORDS_MAX = 58,
};

/* The account's keywords, an immutable snapshot: name of bit FLAG_KEYWORD_SHIFT + i. */
struct keywords {
	unsigned refs; /* private */
	unsigned n;
	char *names[KEYWORDS_MAX];
};
int store_keywords(struct store_conn *c, int64_t account, struct keywords **ret_keywords) MUST_CHECK;
struct keywords *keywords_ref(struct keywords *k);
struct keywords *keywords_unref(struct keywords *k);
CLEANUP_POINTER(struct keywords, keywords_unref)

/* Writes: the bit of a keyword, made if missing (compared without case). STORE_E_LIMIT. */
int store_keyword_bit(struct store_conn *c, int64_t account, struct span name, uint64_t *ret_bit)
	MUST_CHECK;

/* Writes: adds a message to a mailbox. STORE_E_NOT_FOUND (mailbox), STORE_E_QUOTA (unless
 * over_quota: mail from us about a failure). The thread is found from the draft's ids. */
struct message_add {
	int64_t mailbox;
	int64_t content;
	const struct content_draft *draft;
	uint64_t flags;
	int64_t received_us; /* INTERNALDATE */
	bool over_quota;
};
int store_message_add(struct store_conn *c, const struct message_add *add, uint32_t *ret_uid,
	int64_t *ret_id) MUST_CHECK;

/* What a reader wants besides the row itself. */
enum {
	WANT_ENVELOPE = 1, WANT_STRUCTURE = 2, WANT_REFERENCES = 4,
	WANT_DATA = 8, /* the octets, when they lie inline; otherwise .large is set */
};

struct store_message {
	int64_t id;      /* stable over MOVE: JMAP's Email id */
	int64_t content; /* EMAILID */
	int64_t thread;  /* THREADID */
	uint32_t uid;
	uint64_t flags;
	uint64_t modseq;
	uint64_t size;
	int64_t received_us;
	int64_t saved_us;
	int64_t sent_us;
	bool large;
	struct span envelope, structure, references, data; /* valid during each() */
};

/* Reads the messages with these UIDs, ascending; those that are gone are passed over. each() returns
 * 0 to go on or 1 to stop, e.g. when its buffer is full; *ret_n (may be NULL): UIDs dealt with. */
int store_messages(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	unsigned want, int (*each)(const struct store_message *m, void *context), void *context,
	size_t *ret_n) MUST_CHECK;

/* Reads: where a message lies, by its id. STORE_E_NOT_FOUND. */
struct store_place {
	int64_t account;
	int64_t mailbox;
	uint32_t uid;
};
int store_message_find(struct store_conn *c, int64_t id, struct store_place *ret_place) MUST_CHECK;

/* Reads: ids of the account's messages that are above `after` and were there at the modification
 * number, ascending, at most n; how many there are. A message that is moved keeps its id, a copy and
 * a replacement have new ones: who goes on from the last one meets each message once. */
int store_message_ids(struct store_conn *c, int64_t account, int64_t after, uint64_t modseq,
	int64_t *ret_ids, size_t n, size_t *ret_n) MUST_CHECK;
int store_message_count(struct store_conn *c, int64_t account, int64_t after, uint64_t modseq,
	uint64_t *ret_n) MUST_CHECK;

/* Writes: changes flags of those UIDs that exist and, where unchanged_since is not UINT64_MAX, whose
 * modseq is not above it. What was refused for that reason is appended to `modified` as uint32_t.
 * A message whose flags do not change keeps its modseq. ret_modseq: the new one (0 if nothing
 * changed). */
enum flags_change { FLAGS_SET, FLAGS_ADD, FLAGS_REMOVE };
int store_flags(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	enum flags_change change, uint64_t flags, uint64_t unchanged_since, struct buf *modified,
	uint64_t *ret_modseq) MUST_CHECK;

/* The same, and flags that are not in `within` stay as they are, also where all are set anew. */
int store_flags_within(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	enum flags_change change, uint64_t flags, uint64_t within, uint64_t unchanged_since,
	struct buf *modified, uint64_t *ret_modseq) MUST_CHECK;

/* Writes: removes for good. only_deleted: those with \Deleted. The UIDs removed are appended as
 * uint32_t. */
int store_expunge(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	bool only_deleted, struct buf *removed, uint64_t *ret_modseq) MUST_CHECK;

/* Writes: moves within an account, ascending; the pairs {uint32_t source, uint32_t target} of those
 * that existed are appended. All or nothing. STORE_E_NOT_FOUND (a mailbox; a target of another
 * account, whose keywords are others). All but UID, modification number and the time of saving is
 * kept. A move within one mailbox gives new UIDs. */
int store_move(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	int64_t target, struct buf *pairs, uint64_t *ret_modseq) MUST_CHECK;

/* Writes: puts another body in a message's place, and erases the one before from the files, unless
 * others hold it (*ret_n_holders: messages and queue rows that still do). Flags, thread, received
 * and saved times are the old message's. UID and id are new, because what a UID names never changes
 * (RFC 9051 section 2.3.1.1); clients see an expunge and a new message. STORE_E_NOT_FOUND;
 * STORE_E_STALE: the message has another content than the one said. The quota does not count: what
 * encryption adds is not refused. */
struct message_replace {
	int64_t mailbox;
	uint32_t uid;
	int64_t content; /* that is replaced */
	const struct content_draft *draft;
};
struct message_replaced {
	uint32_t uid;
	int64_t id;
	uint64_t modseq;
	size_t n_holders;
};
int store_message_replace(struct store_conn *c, const struct message_replace *replace,
	struct message_replaced *ret_replaced) MUST_CHECK;

/* Reads: UIDs expunged after modseq, ascending, appended as uint32_t. Records are kept for a bounded
 * number of expunges per mailbox; *ret_complete is false if some that old are gone (then everything
 * not in the mailbox counts as expunged). */
int store_expunged_since(struct store_conn *c, int64_t mailbox, uint64_t modseq,
	struct buf *uids, bool *ret_complete) MUST_CHECK;
