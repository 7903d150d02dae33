/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* A mail transaction: the envelope of RFC 5321 section 2.3.1 as it was given, and what its
 * recipients come to. */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "store/domain.h"

struct store_conn;

/* DSN NOTIFY, RFC 3461 section 4.1; 0: not given. The values are those of queue rows. */
enum { NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8 };

/* Whether anybody takes rows from the outgoing queue. While nobody does, mail to other domains is
 * refused: accepting what will not be sent would be a lie. */
enum { MAIL_OUTGOING = 0 };

/* A mailbox: local part without quoting, domain as lower-case A-labels or a literal in []. */
struct mail_address {
	struct span local;
	struct span domain;
};

struct recipient {
	struct mail_address address;
	struct span original; /* ORCPT as given; n 0 if none */
	unsigned notify;
};

struct transaction {
	struct arena arena;         /* owns everything */
	struct mail_address sender; /* both empty: the null reverse-path */
	struct span envelope_id;    /* ENVID, xtext as given */
	bool return_full;           /* RET=FULL */
	bool utf8;                  /* SMTPUTF8 */
	bool relay;                 /* the client may send to other domains */
	struct recipient *recipients;
	size_t n;
};

struct transaction *transaction_free(struct transaction *t);
CLEANUP_POINTER(struct transaction, transaction_free)

static inline bool transaction_sender_is_null(const struct transaction *t)
{
	return t->sender.domain.n == 0;
}

/* The recipient is copied. */
void transaction_add(struct transaction *t, const struct recipient *recipient);

/* A copy in the arena. */
struct mail_address mail_address_copy(struct arena *a, const struct mail_address *from);
bool mail_address_equal(const struct mail_address *a, const struct mail_address *b);

/* Appends local@domain, quoted where needed; nothing for the null path. */
void mail_address_add(struct buf *out, const struct mail_address *a);

/* An address as the store has it, at its last "@". */
struct mail_address mail_address_split(struct span address);

/* What can be said about a recipient. */
enum recipient_verdict {
	RECIPIENT_OK,
	RECIPIENT_UNKNOWN, /* a domain of ours, nobody of that name */
	RECIPIENT_DISABLED,
	RECIPIENT_FULL,        /* the quota */
	RECIPIENT_RELAY,       /* not ours, and this client may not relay */
	RECIPIENT_NO_OUTGOING, /* not ours, and this server does not send */
	RECIPIENT_LOOP,        /* has been delivered to it before */
	RECIPIENT_REJECTED,    /* by rules; the text is theirs */
};

struct verdict_text {
	unsigned code;      /* RFC 5321 reply */
	const char *status; /* RFC 3463 */
	const char *text;
};
const struct verdict_text *recipient_verdict_text(enum recipient_verdict v);

/* What decides besides the address. */
struct recipient_rules {
	const char *separators; /* of sub-addresses */
	bool relay;             /* as in the transaction */
	bool outgoing;          /* there is somebody who takes rows from the outgoing queue */
	uint64_t size;          /* octets that must fit; 0: not known yet */
};

/* What a route, and one target of it, mean by themselves; quotas are not looked at. */
enum recipient_verdict recipient_route_verdict(const struct recipient_rules *rules,
	const struct route *route);
enum recipient_verdict recipient_target_verdict(const struct recipient_rules *rules,
	const struct route_target *target);

/* Mail for postmaster is taken whatever the quota says (RFC 5321 section 4.5.1). */
bool recipient_is_postmaster(const struct mail_address *address);

/* Reads: whether mail for the address can be taken, quotas included; a list is good if one of its
 * targets is. Where several are wrong, the first one's verdict. has_rules: there are scripts to run
 * for it (mail/plan.h). lasting: it is good for every client and size, and has rules or none, until
 * store_routes_version says otherwise. */
int recipient_look(struct store_conn *c, const struct recipient_rules *rules,
	const struct mail_address *address, enum recipient_verdict *ret_verdict, bool *ret_lasting,
	bool *ret_has_rules) MUST_CHECK;
