/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * POP3: RFC 1939 with CAPA (2449), STLS (2595), SASL (5034), AUTH response code (3206) and UTF8 and
 * LANG (6856). The session's service (session_service) is the struct env. A row of the command table
 * says when a command is allowed and what its argument is; a handler runs only when that holds.
 */

#include "base/secret.h"
#include "svc/auth.h"
#include "svc/pop3/drop.h"
#include "svc/pop3/stuff.h"
#include "svc/session.h"

struct env;
struct login;

extern const struct session_protocol pop3_protocol;

enum { POP3_AUTH = 1, POP3_MAIL = 2, POP3_ANY = POP3_AUTH | POP3_MAIL, POP3_LOGIN = 4 };

enum pop3_argument {
	POP3_NONE,
	POP3_TEXT,      /* the rest of the line, not empty */
	POP3_OPT_TEXT,
	POP3_MSG,       /* the number of a message that is there and not deleted */
	POP3_OPT_MSG,
	POP3_MSG_LINES, /* and a number of lines */
};

struct pop3_args {
	struct span text;
	struct drop_message *message;
	uint32_t number;
	uint64_t lines;
};

struct pop3;

struct pop3_command {
	const char *verb;
	unsigned when; /* states; POP3_LOGIN: where logging in is allowed (TLS) */
	enum pop3_argument argument;
	int (*run)(struct pop3 *s, const struct pop3_args *a);
};

extern const struct pop3_command pop3_commands[];
extern const size_t pop3_n_commands;

/* What a multi-line response is made of. */
enum pop3_source { POP3_SRC_NONE, POP3_SRC_LIST, POP3_SRC_UIDL, POP3_SRC_MESSAGE };

struct pop3 {
	struct session session;
	struct env *env;
	unsigned state;
	unsigned errors;
	struct secret user;   /* of USER; people type passwords there */
	struct login *login;  /* between a SASL challenge and its answer */
	struct auth_identity who;
	struct drop drop;
	int64_t renew_ms;     /* when the lease is renewed */

	enum pop3_source source;
	uint32_t next;        /* LIST, UIDL: position */
	int64_t content;      /* message: what is read, from where, and what was read already */
	uint64_t size, offset;
	struct buf chunk;
	struct stuffer stuffer;

	uint32_t n_retrieved, n_deleted; /* for the log */
};

static inline struct pop3 *pop3_of(struct session *s)
{
	return CONTAINER_OF(s, struct pop3, session);
}

/* Replies; both return 0. A code is one of RFC 2449 section 8, without brackets, or NULL. */
int pop3_ok(struct pop3 *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
int pop3_err(struct pop3 *s, const char *code, const char *text);

/* An error reply to a client that may be guessing: ends the session when there were too many. */
int pop3_mistake(struct pop3 *s, const char *code, const char *text);

/* SASL's next line; commands.c. */
int pop3_sasl_line(struct pop3 *s, struct span line);
