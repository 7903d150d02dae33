/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Logging in from a session of any protocol. The protocol's handler calls one of the functions
 * below and returns what it returned; the answer comes to fn, perhaps at once, perhaps after
 * waiting, and fn replies in the protocol's words. The session's input is paused meanwhile. Log
 * lines and counters of logins are written here.
 *
 *   static int imap_login_done(struct session *s, const struct login_result *r) { ... }
 *   return login_password(s, env, user, password, imap_login_done);
 */

#include "base/buf.h"
#include "svc/auth.h"

struct env;
struct session;

enum login_outcome {
	LOGIN_OK,        /* who is set */
	LOGIN_CHALLENGE, /* send it, then give the client's line to login_continue */
	LOGIN_REFUSED,   /* wrong user or password */
	LOGIN_NEEDS_CERTIFICATE, /* the account's domain lets in only who has shown it a valid one */
	LOGIN_CERTIFICATE,       /* EXTERNAL: the client's certificate is not that account's login */
	LOGIN_SYNTAX,    /* bad base64, malformed or too long message */
	LOGIN_TEMPORARY, /* a fault on our side; logged */
	LOGIN_NEEDS_TLS, /* refused without TLS (cleartext_login) */
	LOGIN_TOO_MANY,  /* failures; try later */
	LOGIN_UNKNOWN_MECHANISM,
	LOGIN_CANCELLED, /* the client sent "*" */
};

struct login_result {
	enum login_outcome outcome;
	struct span challenge; /* base64, perhaps empty; during the call */
	struct auth_identity who;
};

typedef int (*login_fn)(struct session *s, const struct login_result *r);

/* Octets of a client's base64 line; longer ones are LOGIN_SYNTAX. RFC 4954 section 4. */
enum { LOGIN_LINE_MAX = 12288 };

/* The attempt between a challenge and the line that answers it. A session holds one slot for it,
 * and frees what is there when it ends. The slot is empty again after any answer but
 * LOGIN_CHALLENGE. */
struct login;
struct login *login_free(struct login *l);

/* AUTHENTICATE or AUTH. initial is base64: NULL if the client sent none, "=" if it sent an empty
 * one. slot must be empty. */
int login_begin(struct session *s, struct env *e, struct login **slot, struct span mechanism,
	const struct span *initial, login_fn fn) MUST_CHECK;

/* The client's line after a challenge. */
int login_continue(
	struct session *s, struct login **slot, struct span line, login_fn fn) MUST_CHECK;

/* User and password as given (IMAP LOGIN, POP3 PASS). */
int login_password(struct session *s, struct env *e, struct span user, struct span password,
	login_fn fn) MUST_CHECK;

/* Whether logging in is possible on this connection: TLS is on, or the setting cleartext_login
 * allows it for this peer. */
bool login_allowed(struct session *s, struct env *e);

/* What protocols say to these. */
#define LOGIN_NEEDS_CERTIFICATE_TEXT                                                               \
	"this account's domain asks for a client certificate: connect by the domain's own name, "  \
	"with a valid one"
#define LOGIN_CERTIFICATE_TEXT "the client certificate is not valid here for such a login"

/* Appends the mechanisms on offer, each with the prefix in front: " " for SMTP and POP3, " AUTH="
 * for IMAP. Nothing where login is not allowed. EXTERNAL is on offer if the connection has presented
 * a valid certificate that is somebody's. */
void login_mechanisms(struct session *s, struct env *e, const char *prefix, struct buf *out);
