/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * SMTP, the server's side: RFC 5321 on port 25 (mail for our domains, from anybody, no login), RFC
 * 6409 on 587 and 465 (mail from our users, after login). A listener's conn_options has
 * smtp_protocol and, as context, a struct smtp_service.
 */

#include "mail/known.h"
#include "mail/scrub.h"
#include "mail/transaction.h"
#include "svc/auth.h"
#include "svc/session.h"
#include "svc/smtp/parse.h"
#include "svc/smtp/reply.h"

struct env;
struct plan;
struct intake;
struct login;

enum smtp_kind { SMTP_MX, SMTP_SUBMISSION };

struct smtp_service {
	struct env *env;
	enum smtp_kind kind;
	struct known known; /* recipients */
};

extern const struct session_protocol smtp_protocol;

/*
 * What follows is between the files of this folder.
 */

struct smtp {
	struct session session; /* first */
	struct env *env;
	struct known *known;
	enum smtp_kind kind;
	struct settings *settings; /* as of the session's start */
	unsigned n_errors;
	unsigned n_transactions;

	struct span helo; /* heap; n 0 before EHLO or HELO */
	bool extended;
	bool logged_in;
	struct auth_identity who;
	struct login *login; /* an exchange waits for the client's line */

	/* The transaction; NULL outside of one. */
	struct transaction *transaction;
	uint64_t declared_size;
	bool has_rules;    /* there are scripts to run for a recipient */
	struct plan *plan; /* what they want; NULL before they ran */

	/* The message, from DATA or the first BDAT to its end. */
	struct intake *intake;
	struct scrub scrub;
	struct smtp_text text;
	enum smtp_reply refusal; /* it is read on, and dropped, and then refused so */
	uint64_t n_received;
	bool receiving; /* between DATA or the first BDAT and its end */
	bool chunked;   /* by BDAT */
	bool last_chunk;
	bool chunk_cr;    /* the last octet was a CR */
	struct buf extra; /* fields that scrub may add */
};

static inline struct smtp *smtp_of(struct session *s)
{
	return (struct smtp *)(void *)s;
}

/* Replies; counts errors and ends the session at too many of them. Returns 0, for handlers. */
int smtp_reply(struct smtp *s, enum smtp_reply reply);
int smtp_reply_verdict(struct smtp *s, enum recipient_verdict verdict);

/* Ends the transaction, if there is one. */
void smtp_reset(struct smtp *s);

/* A command line. */
int smtp_command(struct smtp *s, struct span line);

/* The session's octets while a message is read: begin at DATA and the first BDAT. */
void smtp_message_begin(struct smtp *s);
int smtp_message_octets(struct session *session, struct span data, size_t *ret_taken);
int smtp_message_chunk_end(struct session *session);
