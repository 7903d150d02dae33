/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The POP3 session: greeting, dispatcher, replies. The dispatcher finds the command's row, refuses
 * what is not allowed now, resolves the argument and answers for all commands alike; the handlers in
 * commands.c contain only their own act. What takes time is awaited; long responses are pulled
 * (transfer.c).
 */

#include "svc/pop3/transfer.h"

#include "store/settings.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/login.h"

#include <stdarg.h>
#include <stdio.h>

enum {
	POP3_LINE_MAX = 2048, /* RFC 2449 section 4 asks for 255 octets; passwords may be 1,024 */
	POP3_ERRORS_MAX = 10,
	POP3_REPLY_MAX = 512, /* RFC 2449 section 4 */
};

int pop3_ok(struct pop3 *s, const char *format, ...)
{
	char text[POP3_REPLY_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	session_reply_format(&s->session, "+OK %s\r\n", text);
	return 0;
}

int pop3_err(struct pop3 *s, const char *code, const char *text)
{
	if (code)
		session_reply_format(&s->session, "-ERR [%s] %s\r\n", code, text);
	else
		session_reply_format(&s->session, "-ERR %s\r\n", text);
	return 0;
}

int pop3_mistake(struct pop3 *s, const char *code, const char *text)
{
	(void)pop3_err(s, code, text);
	if (++s->errors >= POP3_ERRORS_MAX)
		session_end(&s->session);
	return 0;
}

static const struct pop3_command *pop3_find(struct span verb)
{
	for (size_t i = 0; i < pop3_n_commands; i++) {
		if (span_is_nocase(verb, pop3_commands[i].verb))
			return &pop3_commands[i];
	}
	return NULL;
}

/* The outcomes say that the reply has been given. */
enum { POP3_E_ARGUMENT = 1 };

static int pop3_resolve(struct pop3 *s, struct span number, struct pop3_args *ret_args)
{
	uint64_t value;

	if (!span_to_u64(number, UINT32_MAX, &value) || value == 0) {
		(void)pop3_mistake(s, NULL, "a message number is expected");
		return POP3_E_ARGUMENT;
	}
	if (value > s->drop.n || s->drop.messages[value - 1].deleted) {
		(void)pop3_mistake(s, NULL, "no such message");
		return POP3_E_ARGUMENT;
	}
	ret_args->number = (uint32_t)value;
	ret_args->message = &s->drop.messages[value - 1];
	return 0;
}

static int pop3_parse(struct pop3 *s, enum pop3_argument kind, struct span rest,
	struct pop3_args *ret_args)
{
	ret_args->text = rest;
	switch (kind) {
	case POP3_NONE:
		if (span_trim(rest).n == 0)
			return 0;
		(void)pop3_mistake(s, NULL, "this command has no argument");
		return POP3_E_ARGUMENT;
	case POP3_TEXT:
		if (rest.n)
			return 0;
		(void)pop3_mistake(s, NULL, "an argument is missing");
		return POP3_E_ARGUMENT;
	case POP3_OPT_TEXT:
		return 0;
	case POP3_OPT_MSG:
		return span_trim(rest).n == 0 ? 0 : pop3_resolve(s, span_trim(rest), ret_args);
	case POP3_MSG:
		return pop3_resolve(s, span_trim(rest), ret_args);
	case POP3_MSG_LINES:
		rest = span_trim(rest);
		if (pop3_resolve(s, span_word(&rest), ret_args))
			return POP3_E_ARGUMENT;
		if (span_to_u64(rest, UINT32_MAX, &ret_args->lines))
			return 0;
		(void)pop3_mistake(s, NULL, "a number of lines is expected");
		return POP3_E_ARGUMENT;
	}
	return POP3_E_ARGUMENT;
}

static int pop3_line(struct session *session, struct span line)
{
	struct pop3 *s = pop3_of(session);
	const struct pop3_command *cmd;
	struct pop3_args args = {};

	if (s->login)
		return pop3_sasl_line(s, line);
	/* One space ends the verb (RFC 1939 section 3): a password may begin with another. */
	cmd = pop3_find(span_cut(&line, ' '));
	if (!cmd)
		return pop3_mistake(s, NULL, "unknown command");
	if (!(cmd->when & s->state))
		return pop3_mistake(s, NULL, "not allowed now");
	if ((cmd->when & POP3_LOGIN) && !login_allowed(session, s->env))
		return pop3_mistake(s, NULL, "start TLS first (STLS)");
	if (pop3_parse(s, cmd->argument, line, &args))
		return 0;
	return cmd->run(s, &args);
}

static int pop3_bad_line(struct session *session, enum session_line_fault why)
{
	struct pop3 *s = pop3_of(session);

	if (s->login) {
		s->login = login_free(s->login);
		session_set_line_max(session, POP3_LINE_MAX);
	}
	return pop3_mistake(s, NULL, why == SESSION_LINE_LONG ? "line too long"
			: "a line ends in CRLF and holds no NUL, CR or LF");
}

static int pop3_start(struct session *session)
{
	struct pop3 *s = pop3_of(session);
	CLEANUP(settings_unrefp) struct settings *settings = NULL;

	s->env = session_service(session);
	s->state = POP3_AUTH;
	settings = settings_get(s->env->store);
	session_set_timeout(session, (uint32_t)(settings->pop3_timeout_s * 1000));
	return pop3_ok(s, "%s POP3 ready", s->env->hostname);
}

/* RFC 2595 section 4: nothing that was learned in clear counts. */
static int pop3_secured(struct session *session)
{
	secret_done(&pop3_of(session)->user);
	return 0;
}

/* A response that is half sent cannot turn into an error: there the end of the connection says it. */
static void pop3_fault(struct session *session)
{
	struct pop3 *s = pop3_of(session);

	if (s->source == POP3_SRC_NONE)
		(void)pop3_err(s, "SYS/TEMP", "something failed here, try again later");
}

static void pop3_free(struct session *session)
{
	struct pop3 *s = pop3_of(session);

	if (s->state == POP3_MAIL) {
		LOG(session_log(session), LOG_INFO, "POP3", "pop3.end",
			log_str("account", s->who.address), log_int("messages", s->drop.n),
			log_int("retrieved", s->n_retrieved), log_int("deleted", s->n_deleted));
	}
	if (s->drop.holder)
		drop_abandon(s->env->store, s->drop.account, s->drop.holder);
	drop_done(&s->drop);
	secret_done(&s->user);
	login_free(s->login);
	buf_done(&s->chunk);
}

/* RFC 1939 section 3: the autologout timer closes without a word and removes nothing; so does the
 * end of the server. */
const struct session_protocol pop3_protocol = {
	.name = "pop3",
	.tag = "POP3",
	.size = sizeof(struct pop3),
	.line_max = POP3_LINE_MAX,
	.timeout_ms = 10 * 60 * 1000,
	.start = pop3_start,
	.line = pop3_line,
	.secured = pop3_secured,
	.bad_line = pop3_bad_line,
	.pull = pop3_pull,
	.alarm = pop3_renew,
	.fault = pop3_fault,
	.free = pop3_free,
};
