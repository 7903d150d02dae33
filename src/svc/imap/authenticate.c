/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* From the greeting to a known user. Passwords and mechanisms are svc/login's; here are only IMAP's
 * words for what comes of them. */

#include "base/alloc.h"
#include "store/settings.h"
#include "svc/env.h"
#include "svc/imap/commands.h"
#include "svc/imap/core.h"
#include "svc/login.h"

int imap_starttls(struct imap *s, struct imap_command *c)
{
	if (session_is_tls(&s->session))
		return imap_bad(s, c, "TLS is on");
	if (!s->env->tls)
		return imap_bad(s, c, "TLS is not available");
	session_starttls(&s->session);
	return imap_ok(s, c, NULL, "Begin TLS now");
}

static int login_succeeded(struct imap *s, struct imap_command *c, const struct auth_identity *who)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(s->env->store);
	CLEANUP(buf_done) struct buf capabilities = {};
	char *address = alloc_string(who->address);

	s->account = who->account;
	s->address = span_str(address);
	s->log = (struct log_context){
		.parent = session_log(&s->session), .field = log_span("account", s->address),
	};
	s->state = IMAP_AUTHED;
	session_set_line_max(&s->session, LIMIT_LINE);
	session_set_timeout(&s->session, (uint32_t)(settings->imap_timeout_s * 1000));
	any_add_capabilities(s, &capabilities);
	return imap_ok(s, c, arena_string(&c->arena, buf_span(&capabilities)), "Logged in");
}

static int auth_line(struct imap *s, struct span line);

static int login_done(struct session *session, const struct login_result *r)
{
	struct imap *s = imap_of(session);
	struct imap_command *c = s->command;

	s->on_line = NULL;
	switch (r->outcome) {
	case LOGIN_OK:
		return login_succeeded(s, c, &r->who);
	case LOGIN_CHALLENGE:
		session_reply_string(session, "+ ");
		session_reply(session, r->challenge);
		session_reply_string(session, "\r\n");
		s->on_line = auth_line;
		return 0;
	case LOGIN_REFUSED:
		return imap_no(s, c, "AUTHENTICATIONFAILED", "wrong user or password");
	case LOGIN_NEEDS_CERTIFICATE:
		return imap_no(s, c, "AUTHENTICATIONFAILED", LOGIN_NEEDS_CERTIFICATE_TEXT);
	case LOGIN_CERTIFICATE:
		return imap_no(s, c, "AUTHENTICATIONFAILED", LOGIN_CERTIFICATE_TEXT);
	case LOGIN_TEMPORARY:
		return imap_no(s, c, "UNAVAILABLE", "temporary failure, try again later");
	case LOGIN_NEEDS_TLS:
		return imap_no(s, c, "PRIVACYREQUIRED", "start TLS first");
	case LOGIN_TOO_MANY:
		return imap_no(s, c, "LIMIT", "too many failures, try again later");
	case LOGIN_UNKNOWN_MECHANISM:
		return imap_no(s, c, "CANNOT", "no such mechanism");
	case LOGIN_CANCELLED:
		return imap_bad(s, c, "cancelled");
	case LOGIN_SYNTAX:
		break;
	}
	return imap_bad(s, c, "malformed response");
}

static int auth_line(struct imap *s, struct span line)
{
	s->on_line = NULL;
	return login_continue(&s->session, &s->login, line, login_done);
}

struct credentials {
	struct span user, password;
};

/* The command's text is wiped with the command (wait.c); a quoted string is a copy in its arena. */
static void credentials_wipe(void *p)
{
	struct credentials *args = p;

	explicit_bzero((void *)(uintptr_t)args->password.p, args->password.n);
}

bool imap_parse_login(struct imap_parser *p, struct imap_command *c)
{
	struct credentials *args = ARENA_ALLOC(&c->arena, struct credentials);

	c->args = args;
	return parse_space(p) && parse_astring(p, &args->user) && parse_space(p) &&
	       parse_astring(p, &args->password);
}

int imap_login(struct imap *s, struct imap_command *c)
{
	struct credentials *args = c->args;

	imap_command_release(c, credentials_wipe, args);
	return login_password(&s->session, s->env, args->user, args->password, login_done);
}

struct authenticate {
	struct span mechanism, initial;
	bool has_initial; /* RFC 4959 */
};

/* The initial response is base64 or "=", which an atom holds. */
bool imap_parse_authenticate(struct imap_parser *p, struct imap_command *c)
{
	struct authenticate *args = ARENA_ALLOC(&c->arena, struct authenticate);

	c->args = args;
	if (!parse_space(p) || !parse_atom(p, &args->mechanism))
		return false;
	args->has_initial = parse_skip(p, ' ');
	return !args->has_initial || parse_atom(p, &args->initial);
}

int imap_authenticate(struct imap *s, struct imap_command *c)
{
	const struct authenticate *args = c->args;

	return login_begin(&s->session, s->env, &s->login, args->mechanism,
		args->has_initial ? &args->initial : NULL, login_done);
}
