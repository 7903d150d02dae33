/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The commands. The table says what must be so before one runs; the dispatcher sees to it. MAIL of
 * a submission and RCPT look something up and answer when the reader has come back; everything else
 * answers at once. All of it is safe to pipeline: input waits while a task does.
 */

#include "base/alloc.h"
#include "base/clock.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/login.h"
#include "svc/smtp/smtp.h"

#include <stdlib.h>

enum {
	GREETED = 1,   /* after EHLO or HELO */
	AUTHED = 2,    /* on submission: after AUTH */
	IN_MAIL = 4,   /* in a transaction */
	NO_MAIL = 8,   /* outside of one */
	NO_CHUNK = 16, /* not between two BDAT */
	NO_ARG = 32,
};

struct smtp_command {
	const char *verb;
	unsigned when;
	int (*run)(struct smtp *s, struct span args);
};

/* Takes the client's name; false if it has replied that it is none. */
static bool take_name(struct smtp *s, struct span args)
{
	struct span name;
	enum smtp_reply wrong = smtp_parse_helo(args, &name);

	if (wrong) {
		(void)smtp_reply(s, wrong);
		return false;
	}
	smtp_reset(s); /* RFC 5321 section 4.1.4 */
	free((void *)s->helo.p);
	s->helo = span_of(span_to_string(name), name.n);
	return true;
}

static int smtp_helo(struct smtp *s, struct span args)
{
	if (!take_name(s, args))
		return 0;
	s->extended = false;
	session_reply_format(&s->session, "250 %s\r\n", s->env->hostname);
	return 0;
}

static int smtp_ehlo(struct smtp *s, struct span args)
{
	struct buf *out = session_out(&s->session);

	if (!take_name(s, args))
		return 0;
	s->extended = true;
	buf_add_format(out, "250-%s\r\n250-PIPELINING\r\n250-SIZE %llu\r\n", s->env->hostname,
		(unsigned long long)s->settings->message_max);
	if (!session_is_tls(&s->session) && s->env->tls)
		buf_add_string(out, "250-STARTTLS\r\n");
	if (s->kind == SMTP_SUBMISSION && !s->logged_in && login_allowed(&s->session, s->env)) {
		buf_add_string(out, "250-AUTH");
		login_mechanisms(&s->session, s->env, " ", out);
		buf_add_string(out, "\r\n");
	}
	buf_add_string(out, "250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-DSN\r\n"
			    "250 ENHANCEDSTATUSCODES\r\n");
	return 0;
}

static int smtp_starttls(struct smtp *s, struct span args)
{
	(void)args;
	if (session_is_tls(&s->session))
		return smtp_reply(s, REPLY_IN_TLS);
	if (!s->env->tls)
		return smtp_reply(s, REPLY_TLS_UNAVAILABLE);
	(void)smtp_reply(s, REPLY_TLS_READY);
	session_starttls(&s->session);
	return 0;
}

static int auth_done(struct session *session, const struct login_result *r)
{
	static const enum smtp_reply replies[] = {
		[LOGIN_OK] = REPLY_LOGGED_IN,
		[LOGIN_REFUSED] = REPLY_LOGIN_REFUSED,
		[LOGIN_NEEDS_CERTIFICATE] = REPLY_LOGIN_NEEDS_CERTIFICATE,
		[LOGIN_CERTIFICATE] = REPLY_LOGIN_CERTIFICATE,
		[LOGIN_SYNTAX] = REPLY_LOGIN_SYNTAX,
		[LOGIN_TEMPORARY] = REPLY_LOGIN_TEMPORARY,
		[LOGIN_NEEDS_TLS] = REPLY_LOGIN_NEEDS_TLS,
		[LOGIN_TOO_MANY] = REPLY_LOGIN_TOO_MANY,
		[LOGIN_UNKNOWN_MECHANISM] = REPLY_LOGIN_MECHANISM,
		[LOGIN_CANCELLED] = REPLY_LOGIN_CANCELLED,
	};
	struct smtp *s = smtp_of(session);

	if (r->outcome == LOGIN_CHALLENGE) {
		session_reply(session, SPAN("334 "));
		session_reply(session, r->challenge);
		session_reply(session, SPAN("\r\n"));
		return 0;
	}
	if (r->outcome == LOGIN_OK) {
		s->logged_in = true;
		s->who = r->who;
	}
	return smtp_reply(s, replies[r->outcome]);
}

static int smtp_auth(struct smtp *s, struct span args)
{
	struct span mechanism, initial;

	if (s->kind == SMTP_MX)
		return smtp_reply(s, REPLY_NO_LOGIN_HERE);
	if (s->logged_in)
		return smtp_reply(s, REPLY_IN_LOGIN);
	if (smtp_parse_auth(args, &mechanism, &initial))
		return smtp_reply(s, REPLY_SYNTAX);
	return login_begin(&s->session, s->env, &s->login, mechanism, initial.p ? &initial : NULL,
		auth_done);
}

/* A look-up on a reader: what it needs is copied into it. */
struct lookup {
	struct session_task task;
	struct arena arena;
	struct mail_address address;
	struct recipient_rules rules;
	struct recipient recipient;     /* RCPT */
	int64_t account;                /* MAIL: whose address it has to be */
	enum recipient_verdict verdict; /* RCPT */
	bool lasting;                   /* RCPT */
	bool has_rules;                 /* RCPT */
	uint64_t mark;                  /* RCPT */
	bool own;                       /* MAIL */
};

static struct lookup *lookup_of(struct task *t)
{
	return CONTAINER_OF(t, struct lookup, task.task);
}

static void lookup_drop(struct task *t)
{
	struct lookup *l = lookup_of(t);

	arena_done(&l->arena);
	free(l);
}

static struct lookup *lookup_new(const struct smtp *s, const struct mail_address *address)
{
	struct lookup *l = ALLOC(struct lookup);

	l->address = mail_address_copy(&l->arena, address);
	l->rules = (struct recipient_rules){
		.separators = arena_string(&l->arena, span_str(s->settings->subaddress_separators)),
		.relay = s->logged_in,
		.outgoing = MAIL_OUTGOING,
		.size = s->declared_size,
	};
	l->task.task.drop = lookup_drop;
	return l;
}

static int lookup_sender(struct task *t, void *worker)
{
	struct lookup *l = lookup_of(t);
	struct route route;

	l->own = false;
	TRY(store_route(worker, &l->arena, l->address.local, l->address.domain, l->rules.separators,
		&route));
	if (route.kind != ROUTE_ACCOUNT && route.kind != ROUTE_LIST)
		return 0;
	for (size_t i = 0; i < route.n_targets; i++)
		l->own |= route.targets[i].account == l->account;
	return 0;
}

static int lookup_recipient(struct task *t, void *worker)
{
	struct lookup *l = lookup_of(t);

	return recipient_look(worker, &l->rules, &l->address, &l->verdict, &l->lasting,
		&l->has_rules);
}

/* A look-up that failed is the transaction's trouble, not the session's. */
static int lookup_failed(struct smtp *s, const struct lookup *l)
{
	log_fault(session_log(&s->session), "SMTP", "smtp.lookup", l->task.task.result);
	return smtp_reply(s, REPLY_TEMPORARY);
}

static struct mail_address path_address(const struct smtp *s, const struct smtp_path *path)
{
	if (path->null)
		return (struct mail_address){};
	/* RFC 5321 section 4.1.1.3: "postmaster" without a domain is ours. */
	if (path->postmaster)
		return (struct mail_address){ SPAN("postmaster"), span_str(s->env->hostname) };
	return (struct mail_address){
		address_name_local(&path->address),
		address_name_domain(&path->address),
	};
}

static int sender_done(struct session *session, struct session_task *t)
{
	struct smtp *s = smtp_of(session);
	struct lookup *l = CONTAINER_OF(t, struct lookup, task);

	if (t->task.result == 0 && l->own)
		return smtp_reply(s, REPLY_SENDER_OK);
	smtp_reset(s);
	if (t->task.result)
		return lookup_failed(s, l);
	LOG(session_log(session), LOG_INFO, "SMTP", "smtp.mail", log_str("account", s->who.address),
		log_str("outcome", "not_yours"));
	return smtp_reply(s, REPLY_NOT_YOURS);
}

/* Messages by peer where nobody has logged in, else by account. Programs on this machine are its
 * administrator's. */
static bool rate_allows(struct smtp *s)
{
	const struct net_address *peer = session_peer(&s->session);
	int64_t now_ms = clock_monotonic_ms();

	if (net_address_is_loopback(peer))
		return true;
	if (s->logged_in)
		return limiter_take(s->env->smtp_account,
			span_of(&s->who.account, sizeof s->who.account), now_ms);
	return limiter_take(s->env->smtp_peer, net_address_key(peer), now_ms);
}

static int smtp_mail(struct smtp *s, struct span args)
{
	struct smtp_mail mail;
	struct mail_address sender;
	struct lookup *l;
	enum smtp_reply wrong = smtp_parse_mail(args, &mail);

	if (wrong)
		return smtp_reply(s, wrong);
	/* RFC 1870 section 6.1 */
	if (mail.size > s->settings->message_max)
		return smtp_reply(s, REPLY_TOO_LARGE);
	if (!rate_allows(s))
		return smtp_reply(s, REPLY_RATE);
	sender = path_address(s, &mail.sender);
	s->transaction = ALLOC(struct transaction);
	s->transaction->sender = mail_address_copy(&s->transaction->arena, &sender);
	s->transaction->envelope_id = arena_span(&s->transaction->arena, mail.envelope_id);
	s->transaction->return_full = mail.return_full;
	s->transaction->utf8 = mail.utf8;
	s->transaction->relay = s->logged_in;
	s->declared_size = mail.size;
	s->n_transactions++;
	/* The null path is for notifications: nobody's address, and mail clients send some. */
	if (!s->logged_in || mail.sender.null)
		return smtp_reply(s, REPLY_SENDER_OK);
	l = lookup_new(s, &sender);
	l->account = s->who.account;
	l->task.task.run = lookup_sender;
	l->task.done = sender_done;
	session_wait(&s->session, store_readers(s->env->store), &l->task);
	return 0;
}

static int recipient_done(struct session *session, struct session_task *t)
{
	CLEANUP(buf_done) struct buf address = {};
	struct smtp *s = smtp_of(session);
	struct lookup *l = CONTAINER_OF(t, struct lookup, task);

	if (t->task.result)
		return lookup_failed(s, l);
	if (l->verdict == RECIPIENT_OK) {
		if (l->lasting)
			known_add(s->known, l->mark, l->has_rules ? KNOWN_WITH_RULES : KNOWN_GOOD);
		transaction_add(s->transaction, &l->recipient);
		s->has_rules |= l->has_rules;
		return smtp_reply(s, REPLY_RECIPIENT_OK);
	}
	mail_address_add(&address, &l->address);
	LOG(session_log(session), LOG_INFO, "SMTP", "smtp.rcpt", log_span("to", buf_span(&address)),
		log_str("status", recipient_verdict_text(l->verdict)->status),
		log_str("outcome", "refused"));
	return smtp_reply_verdict(s, l->verdict);
}

static int smtp_rcpt(struct smtp *s, struct span args)
{
	struct smtp_rcpt rcpt;
	struct recipient recipient;
	struct lookup *l;
	uint64_t mark;
	enum known_as known;
	enum smtp_reply wrong = smtp_parse_rcpt(args, &rcpt);

	if (wrong)
		return smtp_reply(s, wrong);
	if (rcpt.recipient.utf8 && !s->transaction->utf8)
		return smtp_reply(s, REPLY_NEEDS_UTF8);
	if (s->transaction->n >= s->settings->recipients_max)
		return smtp_reply(s, REPLY_TOO_MANY_RECIPIENTS);
	recipient = (struct recipient){
		.address = path_address(s, &rcpt.recipient),
		.original = rcpt.original,
		.notify = rcpt.notify,
	};
	mark = known_mark(&recipient.address, store_routes_version(s->env->store));
	known = known_find(s->known, mark);
	if (known != KNOWN_NOT) {
		transaction_add(s->transaction, &recipient);
		s->has_rules |= known == KNOWN_WITH_RULES;
		return smtp_reply(s, REPLY_RECIPIENT_OK);
	}
	l = lookup_new(s, &recipient.address);
	l->mark = mark;
	l->recipient = recipient;
	l->recipient.address = l->address;
	l->recipient.original = arena_span(&l->arena, rcpt.original);
	l->task.task.run = lookup_recipient;
	l->task.done = recipient_done;
	session_wait(&s->session, store_readers(s->env->store), &l->task);
	return 0;
}

static int smtp_data(struct smtp *s, struct span args)
{
	(void)args;
	if (s->transaction->n == 0)
		return smtp_reply(s, REPLY_NEED_RECIPIENT);
	(void)smtp_reply(s, REPLY_GO_AHEAD);
	smtp_message_begin(s);
	session_expect_raw(&s->session);
	return 0;
}

/* Whatever is wrong with a chunk, its octets come (RFC 3030 section 2): they are counted off and
 * dropped, and then the command is refused. Where the count cannot be read, they could pass for
 * commands, so the session ends. */
static int smtp_bdat(struct smtp *s, struct span args)
{
	struct smtp_bdat bdat;
	enum smtp_reply wrong = smtp_parse_bdat(args, &bdat);

	if (wrong) {
		(void)smtp_reply(s, wrong);
		session_end(&s->session);
		return 0;
	}
	if (!s->transaction)
		s->refusal = s->helo.n ? REPLY_NEED_MAIL : REPLY_NEED_HELO;
	else if (s->transaction->n == 0)
		s->refusal = REPLY_NEED_RECIPIENT;
	else if (!s->receiving)
		smtp_message_begin(s);
	s->chunked = true;
	s->last_chunk = bdat.last;
	session_expect_octets(&s->session, bdat.size);
	return 0;
}

static int smtp_rset(struct smtp *s, struct span args)
{
	(void)args;
	smtp_reset(s);
	return smtp_reply(s, REPLY_RESET);
}

static int smtp_noop(struct smtp *s, struct span args)
{
	(void)args;
	return smtp_reply(s, REPLY_OK);
}

/* RFC 5321 section 3.5.3: who is here is nobody's business. */
static int smtp_vrfy(struct smtp *s, struct span args)
{
	return smtp_reply(s, args.n ? REPLY_NOT_VERIFIED : REPLY_SYNTAX);
}

static int smtp_help(struct smtp *s, struct span args)
{
	(void)args;
	return smtp_reply(s, REPLY_HELP);
}

static int smtp_not_implemented(struct smtp *s, struct span args)
{
	(void)args;
	return smtp_reply(s, REPLY_NOT_IMPLEMENTED);
}

static int smtp_quit(struct smtp *s, struct span args)
{
	(void)args;
	(void)smtp_reply(s, REPLY_BYE);
	session_end(&s->session);
	return 0;
}

/* A browser that was talked into speaking to us: nothing of its request may pass for mail. */
static int smtp_wrong_protocol(struct smtp *s, struct span args)
{
	(void)args;
	(void)smtp_reply(s, REPLY_WRONG_PROTOCOL);
	session_end(&s->session);
	return 0;
}

static const struct smtp_command commands[] = {
	{ "MAIL", GREETED | AUTHED | NO_MAIL, smtp_mail },
	{ "RCPT", IN_MAIL | NO_CHUNK, smtp_rcpt },
	{ "DATA", IN_MAIL | NO_CHUNK | NO_ARG, smtp_data },
	{ "BDAT", 0, smtp_bdat },
	{ "EHLO", 0, smtp_ehlo },
	{ "HELO", 0, smtp_helo },
	{ "STARTTLS", NO_MAIL | NO_ARG, smtp_starttls },
	{ "AUTH", GREETED | NO_MAIL, smtp_auth },
	{ "RSET", NO_ARG, smtp_rset },
	{ "NOOP", 0, smtp_noop },
	{ "QUIT", NO_ARG, smtp_quit },
	{ "VRFY", 0, smtp_vrfy },
	{ "HELP", 0, smtp_help },
	{ "EXPN", 0, smtp_not_implemented },
	{ "ETRN", 0, smtp_not_implemented },
	{ "GET", 0, smtp_wrong_protocol },
	{ "POST", 0, smtp_wrong_protocol },
	{ "CONNECT", 0, smtp_wrong_protocol },
};

static const struct smtp_command *find_command(struct span verb)
{
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (span_is_nocase(verb, commands[i].verb))
			return &commands[i];
	}
	return NULL;
}

/* The first of a command's preconditions that does not hold. */
static enum smtp_reply precondition(const struct smtp *s, unsigned when, struct span args)
{
	if ((when & GREETED) && s->helo.n == 0)
		return REPLY_NEED_HELO;
	if ((when & AUTHED) && s->kind == SMTP_SUBMISSION && !s->logged_in)
		return session_is_tls(&s->session) ? REPLY_NEED_LOGIN : REPLY_NEED_TLS;
	if ((when & IN_MAIL) && !s->transaction)
		return REPLY_NEED_MAIL;
	if ((when & NO_MAIL) && s->transaction)
		return REPLY_NESTED_MAIL;
	if ((when & NO_CHUNK) && s->receiving)
		return REPLY_IN_CHUNKS;
	if ((when & NO_ARG) && args.n)
		return REPLY_NO_ARGUMENT;
	return REPLY_NONE;
}

int smtp_command(struct smtp *s, struct span line)
{
	const struct smtp_command *command;
	enum smtp_reply wrong;
	struct span verb;

	if (s->login)
		return login_continue(&s->session, &s->login, line, auth_done);
	verb = span_word(&line);
	line = span_trim(line);
	command = find_command(verb);
	if (!command)
		return smtp_reply(s, REPLY_UNKNOWN_COMMAND);
	wrong = precondition(s, command->when, line);
	if (wrong)
		return smtp_reply(s, wrong);
	return command->run(s, line);
}
