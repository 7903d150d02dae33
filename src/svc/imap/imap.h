/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * An IMAP session (RFC 3501 and RFC 9051) and the commands it runs.
 *
 * A command is a row of a table (command.c): name, states in which it is allowed, what may be said
 * about expunged messages while it runs, a parser of its arguments and a function that runs it. The
 * parser runs before anything else and knows nothing of the session but its `enabled` bits. A
 * function that runs a command ends, at once or after waiting, in exactly one of imap_ok, imap_no
 * and imap_bad; these first say what changed in the selected mailbox.
 *
 * While a command waits for a worker it belongs to the worker: it lives on the heap with its arena,
 * whatever the worker may touch hangs on the command, and if the peer leaves meanwhile it is freed
 * when the worker is through.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "store/message.h"
#include "svc/imap/parse.h"
#include "svc/imap/set.h"
#include "svc/imap/state.h"

struct env;
struct imap_command;
struct imap_row;

/* Runs on a worker; conn is NULL on env->cpu. May use the command, its arena and what hangs on it;
 * not the session. */
typedef int imap_work_fn(struct imap_command *c, struct store_conn *conn);
typedef int imap_done_fn(struct imap *s, struct imap_command *c, int outcome);
typedef int imap_next_fn(struct imap *s, struct imap_command *c);

/* What a command itself does to flags, for what the client is told at its end. */
struct imap_told {
	struct imap_positions positions; /* none: n is 0 */
	enum flags_change change;
	uint64_t flags;
	bool silent;
};

/* Telling the client what changed, piece by piece (sync.c). */
struct imap_sync {
	struct view *view;        /* what the client will know at the end */
	struct keywords *keywords; /* read with it, where it has flags without a name */
	imap_next_fn *then;
	bool hold;                /* expunges may not be told now */
	uint8_t phase;
	uint32_t old, new;        /* positions in the view the client knows, and in the new one */
	uint32_t removed;
	size_t stretch;           /* of told.positions */
	size_t full;              /* octets of output at which a piece is long enough */
};

struct imap_command {
	struct arena arena;      /* lives as long as the command */
	struct span tag;
	const struct imap_row *row;
	bool uid;                /* "UID name" */
	unsigned enabled;        /* the session's, when the command began */
	void *args;              /* of the row's parser, in the arena */

	/* For workers; 0 or NULL where there is no account, no selected mailbox. The view and the
	 * keywords are held by the command. */
	struct env *env;
	int64_t account;
	int64_t owner;           /* of the selected mailbox; the account itself where there is none */
	unsigned rights;         /* of the account in it, ACL_* */
	int64_t mailbox;
	struct view *view;
	struct keywords *keywords;
	const uint8_t *id_key;   /* for print_object_id */
	uint32_t recent_from;    /* UIDs from here on are \Recent in this session; 0: none are */

	struct buf out;          /* untagged responses made by a worker: sent when it is through */
	struct imap_told told;

	/* Private to command.c, wait.c and sync.c. */
	struct session_task task;
	unsigned refs;
	struct buf text;         /* as it came, literals in place */
	const char *refused;     /* the answer is known, what is left of it is only read */
	const char *status, *code, *ending; /* of the tagged line, when the command is over */
	bool ending_modseq;      /* "OK [HIGHESTMODSEQ n]", known when all changes are told */
	imap_work_fn *work;
	imap_done_fn *done;
	imap_next_fn *next;
	struct imap_release *releases;
	struct imap_sync sync;
};

/* When the command ends, however it ends, release(p) is called; newest first. */
void imap_command_release(struct imap_command *c, void (*release)(void *p), void *p);

/* Where a command waits. Its output so far is sent; the session reads no input until then; done is
 * called on the session's loop with what work returned, unless that is a fault: then the command
 * ends with NO and the fault is logged. A handler returns what these return. */
int imap_wait_read(struct imap *s, struct imap_command *c, imap_work_fn *work, imap_done_fn *done)
	MUST_CHECK;
int imap_wait_write(struct imap *s, struct imap_command *c, imap_work_fn *work,
	imap_done_fn *done) MUST_CHECK;
int imap_wait_cpu(struct imap *s, struct imap_command *c, imap_work_fn *work, imap_done_fn *done)
	MUST_CHECK;

/* Calls next when the peer has taken most of what was sent: long answers are made in pieces of
 * about IMAP_CHUNK octets, so a slow reader costs no memory. */
enum { IMAP_CHUNK = 8 * SESSION_CHUNK };
int imap_wait_drained(struct imap *s, struct imap_command *c, imap_next_fn *next) MUST_CHECK;

/* Moves a piece of text to the output; true when nothing is left of it. */
bool imap_send_piece(struct imap *s, struct buf *text);

/* The end of a command: changes of the mailbox, then "tag OK [code] text". code may be NULL and is
 * written without brackets; both live in the arena or for ever. The command may be freed when this
 * returns. They return 0 or a fault. */
int imap_ok(struct imap *s, struct imap_command *c, const char *code, const char *text) MUST_CHECK;
int imap_no(struct imap *s, struct imap_command *c, const char *code, const char *text) MUST_CHECK;
int imap_bad(struct imap *s, struct imap_command *c, const char *text) MUST_CHECK;

/* NO with the code of RFC 5530 that fits a store_outcome; why may be NULL. */
int imap_no_store(struct imap *s, struct imap_command *c, int outcome, const struct why *why)
	MUST_CHECK;

/* "$" becomes these UIDs (ascending). */
void imap_save_result(struct imap *s, const uint32_t *uids, size_t n);

/* Positions in the command's view that a set of a command means: ascending stretches that do not
 * touch, in the arena. UIDs that do not exist are passed over. False: a sequence number is larger
 * than the mailbox, which is the client's error (RFC 9051 section 9, seq-number); imap_bad it. */
bool imap_resolve(struct imap *s, struct imap_command *c, const struct imap_set *set, bool by_uid,
	struct imap_positions *ret_positions);

/* The UIDs at these positions: a part of the view itself where they are one stretch, else a copy in
 * the arena. */
const uint32_t *imap_uids(struct imap_command *c, const struct imap_positions *positions,
	size_t *ret_n);

/* Untagged octets that go out before the end of the command. */
struct buf *imap_out(struct imap *s);

/* CONDSTORE is on from the first command that uses it (RFC 7162 section 3.1); tells the client the
 * mailbox's HIGHESTMODSEQ if it was off. */
void imap_enable_condstore(struct imap *s, struct imap_command *c);

/* The command changes flags of these positions itself. silent: at its end the client is not told of
 * flags that are what this change makes of those it knows (FETCH has shown them already). Else it
 * is told of each of them, changed or not. */
void imap_tell_flags(struct imap_command *c, const struct imap_positions *positions,
	enum flags_change change, uint64_t flags, bool silent);

/* On a worker: what the account may do in the selected mailbox now, all of `need`. A mailbox that may
 * not be read any more is as one that was deleted: STORE_E_NOT_FOUND; else STORE_E_RIGHTS. */
int imap_check_rights(struct imap_command *c, struct store_conn *conn, unsigned need) MUST_CHECK;

/* The command changed the selected mailbox: its end looks for what changed. */
void imap_changed(struct imap *s);
