/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * IMAP's ENVELOPE (RFC 9051 section 7.5.2). It is made once, when a message arrives, as the text
 * IMAP sends; that text is what the store keeps, and SEARCH, SORT and THREAD read it back.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum envelope_field {
	ENVELOPE_DATE,
	ENVELOPE_SUBJECT,
	ENVELOPE_FROM,
	ENVELOPE_SENDER,
	ENVELOPE_REPLY_TO,
	ENVELOPE_TO,
	ENVELOPE_CC,
	ENVELOPE_BCC,
	ENVELOPE_IN_REPLY_TO,
	ENVELOPE_MESSAGE_ID,
	ENVELOPE_FIELDS,
};

/* Appends the text, parentheses included, for these field values (still folded; p NULL: no such
 * field). Octets stay what they are, encoded words too; strings that IMAP cannot quote become
 * literals; NULs, which it cannot carry, are dropped. */
void envelope_print(const struct span values[static ENVELOPE_FIELDS], struct buf *out);

struct envelope_address {
	struct span name, route, mailbox, host; /* p NULL: NIL. host NIL: a group's start (mailbox
						 * is its name) or end (mailbox NIL) */
};

struct envelope_list {
	struct envelope_address *addresses;
	size_t n;
};

struct envelope {
	struct span date, subject, in_reply_to, message_id; /* p NULL: NIL */
	struct envelope_list from, sender, reply_to, to, cc, bcc;
};

/* Reads the text back; spans point into it or into the arena. */
enum envelope_outcome { ENVELOPE_E_DAMAGED = 1 };
int envelope_parse(struct span text, struct arena *a, struct envelope *ret_envelope) MUST_CHECK;

/* Appends an IMAP string: quoted, or a literal {n} where it must be one; NIL for p NULL. NULs are
 * dropped. */
void envelope_add_string(struct buf *out, struct span s);
