/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The life of an SMTP session: greeting, what happens outside of commands, replies with the
 * counting of errors, and the end. Commands are in commands.c, messages in message.c.
 */

#include "mail/intake.h"
#include "store/settings.h"
#include "svc/env.h"
#include "svc/login.h"
#include "mail/plan.h"
#include "svc/smtp/smtp.h"

#include <stdlib.h>

/* What each error costs once half of those allowed are used up. */
enum { ERROR_PAUSE_MS = 1000 };

static void count_error(struct smtp *s)
{
	s->n_errors++;
	if (s->n_errors > s->settings->smtp_errors_max) {
		LOG(session_log(&s->session), LOG_INFO, "SMTP", "smtp.errors",
			log_int("errors", s->n_errors), log_str("outcome", "closed"));
		smtp_reply_add(session_out(&s->session), REPLY_TOO_MANY_ERRORS);
		session_end(&s->session);
	} else if (s->n_errors > s->settings->smtp_errors_max / 2) {
		session_pause(&s->session, ERROR_PAUSE_MS);
	}
}

int smtp_reply(struct smtp *s, enum smtp_reply reply)
{
	smtp_reply_add(session_out(&s->session), reply);
	if (smtp_reply_code(reply) >= 500)
		count_error(s);
	return 0;
}

int smtp_reply_verdict(struct smtp *s, enum recipient_verdict verdict)
{
	const struct verdict_text *text = recipient_verdict_text(verdict);

	session_reply_format(&s->session, "%u %s %s\r\n", text->code, text->status, text->text);
	if (text->code >= 500)
		count_error(s);
	return 0;
}

void smtp_reset(struct smtp *s)
{
	s->plan = plan_free(s->plan);
	s->has_rules = false;
	s->transaction = transaction_free(s->transaction);
	s->intake = intake_free(s->intake);
	s->receiving = s->chunked = s->last_chunk = s->chunk_cr = false;
	s->refusal = REPLY_NONE;
	s->declared_size = s->n_received = 0;
	buf_done(&s->extra);
}

static int smtp_start(struct session *session)
{
	struct smtp *s = smtp_of(session);
	struct smtp_service *service = session_service(session);

	s->env = service->env;
	s->known = &service->known;
	s->kind = service->kind;
	s->settings = settings_get(s->env->store);
	session_set_timeout(session, (uint32_t)(s->settings->smtp_timeout_s * 1000));
	session_reply_format(session, "220 %s ESMTP Signet\r\n", s->env->hostname);
	return 0;
}

/* RFC 3207 section 4.2: all knowledge from before the handshake is discarded. */
static int smtp_secured(struct session *session)
{
	struct smtp *s = smtp_of(session);

	smtp_reset(s);
	free((void *)s->helo.p);
	s->helo = (struct span){};
	s->extended = s->logged_in = false;
	return 0;
}

static int smtp_line(struct session *session, struct span line)
{
	return smtp_command(smtp_of(session), line);
}

static int smtp_bad_line(struct session *session, enum session_line_fault why)
{
	struct smtp *s = smtp_of(session);

	/* Also in the middle of AUTH: the exchange cannot go on. */
	s->login = login_free(s->login);
	switch (why) {
	case SESSION_LINE_LONG:
		return smtp_reply(s, REPLY_LINE_LONG);
	case SESSION_LINE_NUL:
		return smtp_reply(s, REPLY_LINE_NUL);
	case SESSION_LINE_BARE_CR:
	case SESSION_LINE_BARE_LF:
		break;
	}
	return smtp_reply(s, REPLY_LINE_BARE);
}

static int smtp_timeout(struct session *session)
{
	return smtp_reply(smtp_of(session), REPLY_TIMEOUT);
}

static int smtp_shutdown(struct session *session)
{
	(void)smtp_reply(smtp_of(session), REPLY_SHUTDOWN);
	session_end(session);
	return 0;
}

static void smtp_fault(struct session *session)
{
	smtp_reply_add(session_out(session), REPLY_FAULT);
}

static void smtp_free(struct session *session)
{
	struct smtp *s = smtp_of(session);

	smtp_reset(s);
	s->login = login_free(s->login);
	free((void *)s->helo.p);
	s->settings = settings_unref(s->settings);
}

const struct session_protocol smtp_protocol = {
	.name = "smtp",
	.tag = "SMTP",
	.size = sizeof(struct smtp),
	/* RFC 4954 section 4: AUTH has the longest line. */
	.line_max = LOGIN_LINE_MAX + sizeof "AUTH SCRAM-SHA-256-PLUS ",
	.timeout_ms = 300 * 1000,
	.start = smtp_start,
	.line = smtp_line,
	.octets = smtp_message_octets,
	.octets_end = smtp_message_chunk_end,
	.secured = smtp_secured,
	.bad_line = smtp_bad_line,
	.timeout = smtp_timeout,
	.shutdown = smtp_shutdown,
	.fault = smtp_fault,
	.free = smtp_free,
};
