/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Arguments of SMTP commands: octets in, values out. What is wrong is told as the reply to it. */

#include "base/buf.h"
#include "mime/address.h"
#include "svc/smtp/reply.h"

/* A path without its <>: null, an address, or "postmaster" alone (RFC 5321 section 4.1.1.3). */
struct smtp_path {
	bool null;
	bool postmaster;
	bool utf8; /* not ASCII */
	struct address_name address;
};

struct smtp_mail {
	struct smtp_path sender;
	uint64_t size;           /* SIZE (RFC 1870), or 0 */
	bool utf8;               /* SMTPUTF8 (RFC 6531) */
	bool return_full;        /* RET (RFC 3461) */
	struct span envelope_id; /* ENVID, xtext */
};

struct smtp_rcpt {
	struct smtp_path recipient;
	unsigned notify;      /* NOTIFY bits of mail/transaction.h */
	struct span original; /* ORCPT */
};

/* What follows the verb: "FROM:<a@b> SIZE=1". Spans point into it. REPLY_NONE if all is well. */
enum smtp_reply smtp_parse_mail(struct span text, struct smtp_mail *ret_mail);
enum smtp_reply smtp_parse_rcpt(struct span text, struct smtp_rcpt *ret_rcpt);

struct smtp_bdat {
	uint64_t size;
	bool last;
};
enum smtp_reply smtp_parse_bdat(struct span text, struct smtp_bdat *ret_bdat);

/* The name after HELO or EHLO. Lenient about what a domain is, strict about octets: it goes into a
 * Received field. */
enum smtp_reply smtp_parse_helo(struct span text, struct span *ret_name);

/* "MECHANISM [initial]"; *ret_initial has p NULL if there is none. */
enum smtp_reply smtp_parse_auth(
	struct span text, struct span *ret_mechanism, struct span *ret_initial);

/*
 * The octets of DATA. Each call takes some of *data and gives the next piece of the message, dots
 * removed (RFC 5321 section 4.5.2). What is left in *data after SMTP_TEXT_MORE with an empty piece
 * must be given again with more behind it: it may be the end.
 */
enum smtp_text_outcome {
	SMTP_TEXT_MORE,
	SMTP_TEXT_END,  /* the dot */
	SMTP_TEXT_BARE, /* a CR without LF, or an LF without CR: nothing behind it can be trusted */
};

/* Zeroed memory with line_start set is one at its start. */
struct smtp_text {
	bool line_start;
};
enum smtp_text_outcome smtp_text_next(
	struct smtp_text *t, struct span *data, struct span *ret_piece);

/* Whether data has a CR without LF or an LF without CR; *cr says whether a CR went before, and does
 * so again for the next piece. */
bool smtp_has_bare(struct span data, bool *cr);
