/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The session: greeting, reading of commands with their literals, dispatcher, replies. What is kept
 * of a command, lines and literals together, is a few kilobytes before the client is known, and
 * afterwards the size of a script.
 */

#include "sieve/limit.h"
#include "sieve/script.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/login.h"
#include "svc/managesieve/parse.h"

enum {
	LINE_MAX_OCTETS = LOGIN_LINE_MAX + 64,   /* AUTHENTICATE with what it says at once */
	COMMAND_AUTH_MAX = LOGIN_LINE_MAX + 256, /* octets, of a client that is not known yet */
	COMMAND_MAX = SIEVE_SCRIPT_MAX + 4096,
	ERRORS_MAX = 10,
	PASSED_OVER_MAX = 8 << 20, /* octets of a command: more end the session */
	TIMEOUT_GREETED_MS = 60 * 1000,
};

void ms_add_string(struct buf *out, struct span text)
{
	bool literal = text.n > 1024;

	for (size_t i = 0; i < text.n; i++)
		literal |= text.p[i] == '\r' || text.p[i] == '\n' || text.p[i] == 0;
	if (literal) {
		buf_add_format(out, "{%zu}\r\n", text.n);
		buf_add(out, text);
		return;
	}
	buf_add_octet(out, '"');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			buf_add_octet(out, '\\');
		buf_add_octet(out, text.p[i]);
	}
	buf_add_octet(out, '"');
}

static int reply(struct managesieve *s, const char *word, const char *code, const char *text)
{
	struct buf *out = session_out(&s->session);

	buf_add_string(out, word);
	if (code)
		buf_add_format(out, " (%s)", code);
	if (text) {
		buf_add_octet(out, ' ');
		ms_add_string(out, span_str(text));
	}
	buf_add_string(out, "\r\n");
	return 0;
}

int ms_ok(struct managesieve *s, const char *code, const char *text)
{
	return reply(s, "OK", code, text);
}

int ms_no(struct managesieve *s, const char *code, const char *text)
{
	return reply(s, "NO", code, text);
}

int ms_bye(struct managesieve *s, const char *code, const char *text)
{
	session_end(&s->session);
	return reply(s, "BYE", code, text);
}

int ms_mistake(struct managesieve *s, const char *code, const char *text)
{
	if (++s->errors >= ERRORS_MAX)
		return ms_bye(s, "TRYLATER", "too many errors");
	return ms_no(s, code, text);
}

void ms_add_capabilities(struct managesieve *s, struct buf *out)
{
	CLEANUP(buf_done) struct buf mechanisms = {};

	buf_add_string(out, "\"IMPLEMENTATION\" \"Signet\"\r\n\"SASL\" \"");
	if (s->state == MS_AUTH)
		login_mechanisms(&s->session, s->env, " ", &mechanisms);
	buf_add(out, span_trim(buf_span(&mechanisms)));
	buf_add_string(out, "\"\r\n\"SIEVE\" \"");
	sieve_extensions_add(out);
	buf_add_string(out, "\"\r\n");
	if (s->env->tls && !session_is_tls(&s->session))
		buf_add_string(out, "\"STARTTLS\"\r\n");
	buf_add_format(out, "\"MAXREDIRECTS\" \"%d\"\r\n\"UNAUTHENTICATE\"\r\n",
		SIEVE_REDIRECTS_MAX);
	if (s->state == MS_USER) {
		buf_add_string(out, "\"OWNER\" ");
		ms_add_string(out, span_str(s->who.address));
		buf_add_string(out, "\r\n");
	}
	buf_add_string(out, "\"VERSION\" \"1.0\"\r\n");
}

static const struct ms_command *find(struct span verb)
{
	for (size_t i = 0; i < ms_n_commands; i++) {
		if (span_is_nocase(verb, ms_commands[i].verb))
			return &ms_commands[i];
	}
	return NULL;
}

/* Whether the arguments are those that the row wants. */
static bool fits(const char *spec, const struct ms_argument *a, size_t n)
{
	size_t i = 0;

	for (; *spec; spec++) {
		bool optional = *spec == '?';

		spec += optional;
		if (i == n)
			return optional;
		if (a[i].is_number != (*spec == 'n'))
			return false;
		i++;
	}
	return i == n;
}

static int dispatch(struct managesieve *s, struct span text)
{
	struct ms_argument arguments[MS_ARGUMENTS_MAX];
	const struct ms_command *c = find(ms_parse_verb(&text));
	const char *wrong;
	size_t n;

	if (!c)
		return ms_mistake(s, NULL, "unknown command");
	if (!(c->when & s->state))
		return ms_mistake(s, NULL,
			s->state == MS_AUTH ? "log in first" : "not allowed when logged in");
	wrong = ms_parse_arguments(text, session_arena(&s->session), arguments, &n);
	if (!wrong && !fits(c->arguments, arguments, n))
		wrong = "these are not the arguments of this command";
	return wrong ? ms_mistake(s, NULL, wrong) : c->run(s, arguments, n);
}

static bool is_too_large(const struct managesieve *s)
{
	return s->octets > (s->state == MS_USER ? COMMAND_MAX : COMMAND_AUTH_MAX);
}

static void forget_command(struct managesieve *s)
{
	s->login = login_free(s->login);
	s->challenged = false;
	s->octets = 0;
	buf_wipe(&s->text);
}

/* The command is complete. Its text may hold a password. */
static int complete(struct managesieve *s)
{
	struct buf text = s->text;
	struct ms_argument answer[MS_ARGUMENTS_MAX];
	bool challenged = s->challenged, too_large = is_too_large(s);
	const char *wrong = NULL;
	size_t n;
	int r;

	s->text = (struct buf){};
	s->challenged = false;
	s->octets = 0;
	if (too_large) {
		s->login = login_free(s->login);
		r = ms_mistake(s, "QUOTA/MAXSIZE", "this is larger than a script may be");
	} else if (challenged) {
		wrong = ms_parse_arguments(buf_span(&text), session_arena(&s->session), answer, &n);
		if (wrong || n != 1 || answer[0].is_number) {
			s->login = login_free(s->login);
			r = ms_mistake(s, NULL, "a string is expected");
		} else {
			r = ms_answer(s, answer[0].text);
		}
	} else {
		r = dispatch(s, buf_span(&text));
	}
	buf_wipe(&text);
	return r;
}

/* So many octets more of the command: what is too large is passed over, so that the session stays
 * in step, and nothing of it is kept. */
static void count(struct managesieve *s, uint64_t n)
{
	s->octets += n;
	if (is_too_large(s))
		buf_wipe(&s->text);
}

static int expect_literal(struct managesieve *s, uint64_t size)
{
	if (size > PASSED_OVER_MAX || s->octets + size > PASSED_OVER_MAX)
		return ms_bye(s, "QUOTA/MAXSIZE", "this is larger than a script may be");
	count(s, size);
	session_goes_on(&s->session);
	session_expect_octets(&s->session, size);
	return 0;
}

static int ms_line(struct session *session, struct span line)
{
	struct managesieve *s = managesieve_of(session);
	uint64_t size;

	count(s, line.n + 2);
	if (!is_too_large(s))
		buf_add(&s->text, line);
	if (!ms_parse_literal(line, &size))
		return complete(s);
	if (!is_too_large(s))
		buf_add_string(&s->text, "\r\n");
	return expect_literal(s, size);
}

static int ms_octets(struct session *session, struct span data, size_t *ret_taken)
{
	struct managesieve *s = managesieve_of(session);

	if (!is_too_large(s))
		buf_add(&s->text, data);
	*ret_taken = data.n;
	return 0;
}

static int ms_octets_end(struct session *session)
{
	session_goes_on(session);
	session_expect_line(session);
	return 0;
}

static int ms_bad_line(struct session *session, enum session_line_fault why)
{
	struct managesieve *s = managesieve_of(session);

	forget_command(s);
	return ms_mistake(s, NULL,
		why == SESSION_LINE_LONG ? "line too long"
					 : "a line ends in CRLF and holds no NUL, CR or LF");
}

static int greet(struct managesieve *s, const char *text)
{
	ms_add_capabilities(s, session_out(&s->session));
	return ms_ok(s, NULL, text);
}

static int ms_start(struct session *session)
{
	struct managesieve *s = managesieve_of(session);

	s->env = session_service(session);
	ms_set_state(s, MS_AUTH);
	return greet(s, "Signet ManageSieve ready");
}

/* Who is known has as much time as with IMAP. */
void ms_set_state(struct managesieve *s, unsigned state)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(s->env->store);

	s->state = state;
	session_set_timeout(&s->session, state == MS_USER
						 ? (uint32_t)(settings->imap_timeout_s * 1000)
						 : TIMEOUT_GREETED_MS);
}

/* RFC 5804 section 2.2: what was learned in clear is forgotten, and the capabilities are told anew.
 */
static int ms_secured(struct session *session)
{
	struct managesieve *s = managesieve_of(session);

	forget_command(s);
	return greet(s, "TLS is on");
}

static int ms_timeout(struct session *session)
{
	return ms_bye(managesieve_of(session), "TRYLATER", "nothing was said for too long");
}

static int ms_shutdown(struct session *session)
{
	return ms_bye(managesieve_of(session), "TRYLATER", "the server is shutting down");
}

static void ms_fault(struct session *session)
{
	(void)ms_bye(managesieve_of(session), "TRYLATER", "something failed here, try again later");
}

static void ms_free(struct session *session)
{
	struct managesieve *s = managesieve_of(session);

	login_free(s->login);
	buf_wipe(&s->text);
}

const struct session_protocol managesieve_protocol = {
	.name = "managesieve",
	.tag = "SIEVE",
	.size = sizeof(struct managesieve),
	.line_max = LINE_MAX_OCTETS,
	.timeout_ms = TIMEOUT_GREETED_MS,
	.start = ms_start,
	.line = ms_line,
	.octets = ms_octets,
	.octets_end = ms_octets_end,
	.secured = ms_secured,
	.bad_line = ms_bad_line,
	.timeout = ms_timeout,
	.shutdown = ms_shutdown,
	.fault = ms_fault,
	.free = ms_free,
};
