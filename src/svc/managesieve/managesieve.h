/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * ManageSieve (RFC 5804): scripts of an account, put, checked and made active. The session's
 * service (session_service) is the struct env. A command is a line, in which literals stand with
 * their octets; a row of the table says when it is allowed and what its arguments are.
 */

#include "svc/auth.h"
#include "svc/session.h"

struct env;
struct login;

extern const struct session_protocol managesieve_protocol;

enum { MS_AUTH = 1, MS_USER = 2, MS_ANY = MS_AUTH | MS_USER };

enum { MS_ARGUMENTS_MAX = 3 };

struct managesieve;

struct ms_argument {
	struct span text;
	uint64_t number;
	bool is_number;
};

struct ms_command {
	const char *verb;
	unsigned when;
	const char *arguments; /* 's' a string, 'n' a number, '?' in front of one that may be left
				  out */
	int (*run)(struct managesieve *s, const struct ms_argument *a, size_t n);
};

extern const struct ms_command ms_commands[];
extern const size_t ms_n_commands;

struct managesieve {
	struct session session; /* first */
	struct env *env;
	unsigned state;
	unsigned errors;
	struct login *login; /* between a SASL challenge and its answer */
	bool challenged;     /* the next thing is a string that answers it */
	struct auth_identity who;
	struct buf text; /* of the command, as far as it has come; none of one that is too large */
	uint64_t octets; /* of the command so far */
};

static inline struct managesieve *managesieve_of(struct session *s)
{
	return CONTAINER_OF(s, struct managesieve, session);
}

/* Replies; all return 0. code: a response code of RFC 5804 section 1.3 without parentheses, or
 * NULL. The text is quoted or sent as a literal. */
int ms_ok(struct managesieve *s, const char *code, const char *text);
int ms_no(struct managesieve *s, const char *code, const char *text);
int ms_bye(struct managesieve *s, const char *code, const char *text);

/* A NO to a client that may be guessing: the session ends at too many. */
int ms_mistake(struct managesieve *s, const char *code, const char *text);

/* Appends a string: quoted, or as a literal where it must be one. */
void ms_add_string(struct buf *out, struct span text);

/* The capabilities, each in a line (RFC 5804 section 1.7), without the OK. */
void ms_add_capabilities(struct managesieve *s, struct buf *out);

/* MS_AUTH or MS_USER, with the time that a client has in it. */
void ms_set_state(struct managesieve *s, unsigned state);

/* SASL's next answer. */
int ms_answer(struct managesieve *s, struct span text);
