/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The command table and what each command does. Logging in is svc/login's work; here its answers
 * become replies, and a login that went well opens the maildrop: first the lease (a write), then the
 * list of messages (a read).
 */

#include "base/alloc.h"
#include "base/random.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/login.h"
#include "svc/pop3/transfer.h"

#include <stdlib.h>

/* What an opening or a commit works with; a task owns it. */
struct work {
	struct session_task task;
	struct drop drop;
	uint32_t *uids;
	size_t n_uids;
};

static struct work *work_of(struct task *t)
{
	return CONTAINER_OF(CONTAINER_OF(t, struct session_task, task), struct work, task);
}

static void work_drop(struct task *t)
{
	struct work *w = work_of(t);

	drop_done(&w->drop);
	free(w->uids);
	free(w);
}

static struct work *work_new(const struct pop3 *s, int (*run)(struct task *, void *),
	int (*done)(struct session *, struct session_task *))
{
	struct work *w = ALLOC(struct work);

	w->drop = s->drop;
	w->drop.messages = NULL;
	w->task.task.run = run;
	w->task.task.drop = work_drop;
	w->task.done = done;
	return w;
}

static int load_run(struct task *t, void *worker)
{
	struct work *w = work_of(t);

	return drop_load(worker, w->drop.account, &w->drop);
}

static int load_done(struct session *session, struct session_task *t)
{
	struct pop3 *s = pop3_of(session);
	struct work *w = work_of(&t->task);
	uint64_t holder = s->drop.holder;
	uint64_t octets;
	uint32_t n;

	TRY(t->task.result);
	s->drop = w->drop;
	s->drop.holder = holder;
	w->drop.messages = NULL;
	s->state = POP3_MAIL;
	drop_figures(&s->drop, &n, &octets);
	return pop3_ok(s, "%u messages (%llu octets)", n, (unsigned long long)octets);
}

static int claim_run(struct task *t, void *worker)
{
	struct work *w = work_of(t);

	return drop_hold(worker, w->drop.account, w->drop.holder);
}

static int claim_done(struct session *session, struct session_task *t)
{
	struct pop3 *s = pop3_of(session);
	struct work *w = work_of(&t->task);

	if (t->task.result == STORE_E_IN_USE)
		return pop3_err(s, "IN-USE", "the maildrop is open in another session");
	TRY(t->task.result);
	s->drop.account = w->drop.account;
	s->drop.holder = w->drop.holder;
	pop3_renewed(s);
	session_wait(session, store_readers(s->env->store),
		&work_new(s, load_run, load_done)->task);
	return 0;
}

/* Should the client leave while the lease is being written, it stays until its time is over. */
static int pop3_open(struct pop3 *s)
{
	struct work *w = work_new(s, claim_run, claim_done);

	w->drop.account = s->who.account;
	random_fill(&w->drop.holder, sizeof w->drop.holder);
	w->drop.holder = (w->drop.holder >> 1) | 1; /* never 0, and positive in every database */
	session_wait(&s->session, store_writer(s->env->store), &w->task);
	return 0;
}

static int pop3_login_done(struct session *session, const struct login_result *r)
{
	struct pop3 *s = pop3_of(session);

	secret_done(&s->user);
	if (r->outcome == LOGIN_CHALLENGE) {
		session_set_line_max(session, LOGIN_LINE_MAX);
		session_reply(session, SPAN("+ "));
		session_reply(session, r->challenge);
		session_reply(session, SPAN("\r\n"));
		return 0;
	}
	session_set_line_max(session, session->protocol->line_max);
	switch (r->outcome) {
	case LOGIN_OK:
		s->who = r->who;
		return pop3_open(s);
	case LOGIN_REFUSED:
		return pop3_mistake(s, "AUTH", "wrong user or password"); /* RFC 3206 section 4 */
	case LOGIN_NEEDS_CERTIFICATE:
		return pop3_mistake(s, "AUTH", LOGIN_NEEDS_CERTIFICATE_TEXT);
	case LOGIN_CERTIFICATE:
		return pop3_mistake(s, "AUTH", LOGIN_CERTIFICATE_TEXT);
	case LOGIN_SYNTAX:
		return pop3_mistake(s, NULL, "malformed authentication exchange");
	case LOGIN_NEEDS_TLS:
		return pop3_mistake(s, NULL, "start TLS first (STLS)");
	case LOGIN_TOO_MANY:
		return pop3_mistake(s, "SYS/TEMP", "too many failed logins, try again later");
	case LOGIN_UNKNOWN_MECHANISM:
		return pop3_mistake(s, NULL, "unknown authentication mechanism");
	case LOGIN_CANCELLED:
		return pop3_mistake(s, NULL, "authentication cancelled");
	case LOGIN_CHALLENGE:
	case LOGIN_TEMPORARY:
		break;
	}
	return pop3_err(s, "SYS/TEMP", "something failed here, try again later");
}

int pop3_sasl_line(struct pop3 *s, struct span line)
{
	return login_continue(&s->session, &s->login, line, pop3_login_done);
}

/* RFC 5034 section 4. */
static int pop3_auth(struct pop3 *s, const struct pop3_args *a)
{
	struct span initial = a->text;
	struct span mechanism = span_cut(&initial, ' ');

	return login_begin(&s->session, s->env, &s->login, mechanism, initial.n ? &initial : NULL,
		pop3_login_done);
}

static int pop3_user(struct pop3 *s, const struct pop3_args *a)
{
	secret_done(&s->user);
	s->user = secret_copy(a->text);
	return pop3_ok(s, "send the password");
}

static int pop3_pass(struct pop3 *s, const struct pop3_args *a)
{
	if (s->user.n == 0)
		return pop3_mistake(s, NULL, "USER comes first");
	return login_password(&s->session, s->env, secret_span(&s->user), a->text,
		pop3_login_done);
}

static int pop3_stls(struct pop3 *s, const struct pop3_args *a)
{
	(void)a;
	if (session_is_tls(&s->session))
		return pop3_mistake(s, NULL, "TLS is on already");
	if (!s->env->tls)
		return pop3_mistake(s, NULL, "there is no TLS here");
	(void)pop3_ok(s, "begin TLS");
	session_starttls(&s->session);
	return 0;
}

/* RFC 2449 section 5. */
static int pop3_capa(struct pop3 *s, const struct pop3_args *a)
{
	bool login = login_allowed(&s->session, s->env);

	(void)a;
	(void)pop3_ok(s, "what this server can do");
	session_reply(&s->session, SPAN("TOP\r\n"));
	if (login) {
		session_reply(&s->session, SPAN("USER\r\nSASL"));
		login_mechanisms(&s->session, s->env, " ", session_out(&s->session));
		session_reply(&s->session, SPAN("\r\n"));
	}
	session_reply(&s->session, SPAN("UIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n"
					"UTF8 USER\r\nLANG\r\nEXPIRE NEVER\r\n"));
	if (s->env->tls && !session_is_tls(&s->session) && s->state == POP3_AUTH)
		session_reply(&s->session, SPAN("STLS\r\n"));
	session_reply(&s->session, SPAN("IMPLEMENTATION Signet\r\n.\r\n"));
	return 0;
}

/* RFC 6856 section 2. Names and passwords are UTF-8 in any case, and messages are sent as they are
 * stored: old mail with 8-bit headers was always sent so, and a client that cannot read them is
 * helped less by a refusal. */
static int pop3_utf8(struct pop3 *s, const struct pop3_args *a)
{
	(void)a;
	return pop3_ok(s, "UTF-8 it is");
}

/* RFC 6856 section 3. */
static int pop3_lang(struct pop3 *s, const struct pop3_args *a)
{
	struct span tag = span_trim(a->text);

	if (tag.n == 0) {
		(void)pop3_ok(s, "languages follow");
		session_reply(&s->session, SPAN("i-default English\r\nen English\r\n.\r\n"));
		return 0;
	}
	if (span_is(tag, "*") || span_is_nocase(tag, "i-default"))
		return pop3_ok(s, "i-default");
	if (span_is_nocase(tag, "en"))
		return pop3_ok(s, "en");
	return pop3_mistake(s, NULL, "this language is not spoken here");
}

static int pop3_stat(struct pop3 *s, const struct pop3_args *a)
{
	uint64_t octets;
	uint32_t n;

	(void)a;
	drop_figures(&s->drop, &n, &octets);
	return pop3_ok(s, "%u %llu", n, (unsigned long long)octets);
}

/* LIST and UIDL of one message: the line of the table behind "+OK". */
static int pop3_show(struct pop3 *s, const struct pop3_args *a, enum pop3_source source)
{
	session_reply(&s->session, SPAN("+OK "));
	pop3_add_listing(s, a->number, source, session_out(&s->session));
	return 0;
}

static int pop3_list(struct pop3 *s, const struct pop3_args *a)
{
	uint64_t octets;
	uint32_t n;

	if (a->message)
		return pop3_show(s, a, POP3_SRC_LIST);
	drop_figures(&s->drop, &n, &octets);
	(void)pop3_ok(s, "%u messages (%llu octets)", n, (unsigned long long)octets);
	return pop3_send_table(s, POP3_SRC_LIST);
}

static int pop3_uidl(struct pop3 *s, const struct pop3_args *a)
{
	if (a->message)
		return pop3_show(s, a, POP3_SRC_UIDL);
	(void)pop3_ok(s, "unique ids follow");
	return pop3_send_table(s, POP3_SRC_UIDL);
}

static int pop3_retr(struct pop3 *s, const struct pop3_args *a)
{
	return pop3_send_message(s, a->message, UINT64_MAX);
}

static int pop3_top(struct pop3 *s, const struct pop3_args *a)
{
	return pop3_send_message(s, a->message, a->lines);
}

/* RFC 1939 section 5: the message stays until QUIT commits the maildrop. */
static int pop3_dele(struct pop3 *s, const struct pop3_args *a)
{
	a->message->deleted = true;
	return pop3_ok(s, "message %u deleted", a->number);
}

static int pop3_rset(struct pop3 *s, const struct pop3_args *a)
{
	for (uint32_t i = 0; i < s->drop.n; i++)
		s->drop.messages[i].deleted = false;
	return pop3_stat(s, a);
}

static int pop3_noop(struct pop3 *s, const struct pop3_args *a)
{
	(void)a;
	return pop3_ok(s, "still here");
}

static int commit_run(struct task *t, void *worker)
{
	struct work *w = work_of(t);

	return drop_commit(worker, &w->drop, w->uids, w->n_uids);
}

/* RFC 1939 section 6: when the removal fails the reply says so, and the session ends all the same. */
static int commit_done(struct session *session, struct session_task *t)
{
	struct pop3 *s = pop3_of(session);

	session_end(session);
	if (t->task.result) {
		log_fault(session_log(session), "POP3", "pop3.commit", err_fold(t->task.result));
		return pop3_err(s, "SYS/TEMP", "the deleted messages were not removed");
	}
	s->drop.holder = 0;
	s->n_deleted = (uint32_t)work_of(&t->task)->n_uids;
	return pop3_ok(s, "goodbye, %u messages removed", s->n_deleted);
}

static int pop3_quit(struct pop3 *s, const struct pop3_args *a)
{
	struct work *w;

	(void)a;
	if (s->state == POP3_AUTH) {
		session_end(&s->session);
		return pop3_ok(s, "goodbye");
	}
	w = work_new(s, commit_run, commit_done);
	w->uids = alloc_array(NULL, s->drop.n + 1, sizeof w->uids[0]);
	for (uint32_t i = 0; i < s->drop.n; i++) {
		if (s->drop.messages[i].deleted)
			w->uids[w->n_uids++] = s->drop.messages[i].uid;
	}
	session_wait(&s->session, store_writer(s->env->store), &w->task);
	return 0;
}

const struct pop3_command pop3_commands[] = {
	/* verb   allowed in                argument        handler */
	{ "CAPA", POP3_ANY,                 POP3_NONE,      pop3_capa },
	{ "STLS", POP3_AUTH,                POP3_NONE,      pop3_stls },
	{ "USER", POP3_AUTH | POP3_LOGIN,   POP3_TEXT,      pop3_user },
	{ "PASS", POP3_AUTH | POP3_LOGIN,   POP3_TEXT,      pop3_pass },
	{ "AUTH", POP3_AUTH | POP3_LOGIN,   POP3_TEXT,      pop3_auth },
	{ "UTF8", POP3_AUTH,                POP3_NONE,      pop3_utf8 },
	{ "LANG", POP3_ANY,                 POP3_OPT_TEXT,  pop3_lang },
	{ "STAT", POP3_MAIL,                POP3_NONE,      pop3_stat },
	{ "LIST", POP3_MAIL,                POP3_OPT_MSG,   pop3_list },
	{ "UIDL", POP3_MAIL,                POP3_OPT_MSG,   pop3_uidl },
	{ "RETR", POP3_MAIL,                POP3_MSG,       pop3_retr },
	{ "TOP",  POP3_MAIL,                POP3_MSG_LINES, pop3_top },
	{ "DELE", POP3_MAIL,                POP3_MSG,       pop3_dele },
	{ "RSET", POP3_MAIL,                POP3_NONE,      pop3_rset },
	{ "NOOP", POP3_MAIL,                POP3_NONE,      pop3_noop },
	{ "QUIT", POP3_ANY,                 POP3_NONE,      pop3_quit },
};

const size_t pop3_n_commands = sizeof pop3_commands / sizeof pop3_commands[0];
