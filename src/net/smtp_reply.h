/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Replies of an SMTP server, as its client reads them (RFC 5321 section 4.2). Pure: octets in, as
 * they come, a reply out. However much a server sends, what is kept of it is bounded.
 */

#include "base/buf.h"
#include "base/err.h"

/* RFC 5321 section 4.5.3.1.5 wants lines of 512 octets to be read; servers send longer ones. */
enum { SMTP_REPLY_LINE_MAX = 2048, SMTP_REPLY_LINES_MAX = 128 };

/* Zeroed memory is a reply of which nothing has come yet. */
struct smtp_reply {
	unsigned code;   /* 200 to 599; 0: nothing has come */
	struct buf text; /* its lines without code and line end, each ended by LF */
	size_t n_lines;
};

void smtp_reply_clear(struct smtp_reply *r);
void smtp_reply_done(struct smtp_reply *r);

/* Takes lines out of *input until the reply is whole; what is behind it stays there. MORE: it is
 * not, and *input holds at most the beginning of a line, of less than SMTP_REPLY_LINE_MAX octets.
 * SYNTAX, with why: this is not SMTP, or too long; the connection can only be ended. */
enum smtp_reply_outcome { SMTP_REPLY_E_MORE = 1, SMTP_REPLY_E_SYNTAX };
int smtp_reply_read(struct smtp_reply *r, struct span *input, struct why *why) MUST_CHECK;

/* Whether a line behind the first begins with that word, in any case: an extension in the reply to
 * EHLO (RFC 5321 section 4.1.1.1). */
bool smtp_reply_offers(const struct smtp_reply *r, const char *keyword);

/* "454 4.7.0 not now": the code and the first line, at most 200 octets of it, for people. */
void smtp_reply_why(const struct smtp_reply *r, struct why *why);
