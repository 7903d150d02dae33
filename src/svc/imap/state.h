/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What an IMAP session is between its commands. */

#include "base/buf.h"
#include "store/view.h"
#include "svc/session.h"

#include <stdatomic.h>

struct env;
struct imap;
struct imap_command;
struct imap_service;
struct keywords;
struct login;

enum imap_state {
	IMAP_GREETED = 1,  /* not authenticated */
	IMAP_AUTHED = 2,   /* authenticated, no mailbox selected */
	IMAP_SELECTED = 4,
	IMAP_ANY = IMAP_GREETED | IMAP_AUTHED | IMAP_SELECTED,
	IMAP_USER = IMAP_AUTHED | IMAP_SELECTED,
};

/* What ENABLE (RFC 5161) or a command that implies it has turned on. */
enum imap_enabled {
	IMAP_CONDSTORE = 1,
	IMAP_QRESYNC = 2,   /* never without CONDSTORE */
	IMAP_UTF8 = 4,      /* UTF8=ACCEPT or IMAP4rev2: names are UTF-8, quoted strings may be */
	IMAP_REV2 = 8,      /* never without UTF8 */
};

/* The selected mailbox. The view is what the client has been told; it changes only in sync.c. */
struct imap_selected {
	int64_t mailbox;
	int64_t owner;           /* whose it is; its keywords are that account's */
	unsigned rights;         /* ACL_* that the session's account had when last looked at */
	bool read_only;          /* by EXAMINE */
	struct view *view;
	struct keywords *keywords;
	uint32_t recent_from;    /* 0: nothing is \Recent (IMAP4rev2) */
	uint32_t recent_told;    /* the last RECENT response */
	unsigned keywords_told;  /* keywords in the last FLAGS response */
	struct buf saved;        /* "$" (RFC 5182): uint32_t UIDs, ascending */

	struct store_watch watch;
	struct session_waker *waker;
	atomic_bool changed;     /* since the view was taken */
	atomic_bool idling;      /* a change wakes the session */
};

struct imap {
	struct session session;
	struct imap_service *service;
	struct env *env;
	enum imap_state state;
	unsigned enabled;
	unsigned errors;
	bool compressed;
	int64_t account;
	struct span address;             /* heap */
	struct imap_selected *selected;  /* NULL unless state is IMAP_SELECTED */
	struct imap_command *command;    /* the one that is read or runs */
	struct login *login;
	struct log_context log;          /* session and account */
	/* Where the next line and the counted octets go, if not to a new command. */
	int (*on_line)(struct imap *s, struct span line);
	int (*on_octets)(struct imap *s, struct span data);
	int (*on_octets_end)(struct imap *s);
};
