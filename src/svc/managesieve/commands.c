/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The command table and what each command does. What is done with scripts is one kind of task: it
 * compiles where that is needed, then reads or writes rows. */

#include "base/alloc.h"
#include "sieve/script.h"
#include "store/rule_rows.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/login.h"
#include "svc/managesieve/managesieve.h"

#include <stdlib.h>

static int login_done(struct session *session, const struct login_result *r)
{
	struct managesieve *s = managesieve_of(session);

	switch (r->outcome) {
	case LOGIN_OK:
		s->who = r->who;
		ms_set_state(s, MS_USER);
		return ms_ok(s, NULL, "logged in");
	case LOGIN_CHALLENGE:
		s->challenged = true;
		ms_add_string(session_out(session), r->challenge);
		session_reply_string(session, "\r\n");
		return 0;
	case LOGIN_REFUSED:
		return ms_mistake(s, NULL, "wrong user or password");
	case LOGIN_NEEDS_CERTIFICATE:
		return ms_mistake(s, NULL, LOGIN_NEEDS_CERTIFICATE_TEXT);
	case LOGIN_CERTIFICATE:
		return ms_mistake(s, NULL, LOGIN_CERTIFICATE_TEXT);
	case LOGIN_NEEDS_TLS:
		return ms_mistake(s, "ENCRYPT-NEEDED", "start TLS first (STARTTLS)");
	case LOGIN_TOO_MANY:
		return ms_mistake(s, "TRYLATER", "too many failed logins, try again later");
	case LOGIN_UNKNOWN_MECHANISM:
		return ms_mistake(s, NULL, "unknown authentication mechanism");
	case LOGIN_CANCELLED:
		return ms_mistake(s, NULL, "authentication cancelled");
	case LOGIN_SYNTAX:
		return ms_mistake(s, NULL, "malformed authentication exchange");
	case LOGIN_TEMPORARY:
		break;
	}
	return ms_no(s, "TRYLATER", "something failed here, try again later");
}

int ms_answer(struct managesieve *s, struct span text)
{
	return login_continue(&s->session, &s->login, text, login_done);
}

/* RFC 5804 section 2.1: an empty initial response is an empty string. */
static int ms_authenticate(struct managesieve *s, const struct ms_argument *a, size_t n)
{
	struct span initial = n > 1 && a[1].text.n ? a[1].text : SPAN("=");

	return login_begin(&s->session, s->env, &s->login, a[0].text, n > 1 ? &initial : NULL,
		login_done);
}

static int ms_starttls(struct managesieve *s, const struct ms_argument *a, size_t n)
{
	(void)a;
	(void)n;
	if (session_is_tls(&s->session))
		return ms_mistake(s, NULL, "TLS is on already");
	if (!s->env->tls)
		return ms_mistake(s, NULL, "there is no TLS here");
	session_starttls(&s->session);
	return ms_ok(s, NULL, "begin TLS now");
}

static int ms_capability(struct managesieve *s, const struct ms_argument *a, size_t n)
{
	(void)a;
	(void)n;
	ms_add_capabilities(s, session_out(&s->session));
	return ms_ok(s, NULL, NULL);
}

static int ms_logout(struct managesieve *s, const struct ms_argument *a, size_t n)
{
	(void)a;
	(void)n;
	session_end(&s->session);
	return ms_ok(s, NULL, "goodbye");
}

/* RFC 5804 section 2.13: what was said comes back. */
static int ms_noop(struct managesieve *s, const struct ms_argument *a, size_t n)
{
	if (n == 0)
		return ms_ok(s, NULL, "still here");
	session_reply_string(&s->session, "OK (TAG ");
	ms_add_string(session_out(&s->session), a[0].text);
	session_reply_string(&s->session, ") \"still here\"\r\n");
	return 0;
}

static int ms_unauthenticate(struct managesieve *s, const struct ms_argument *a, size_t n)
{
	(void)a;
	(void)n;
	s->who = (struct auth_identity){};
	ms_set_state(s, MS_AUTH);
	return ms_ok(s, NULL, "logged out");
}

/* Work on scripts. */
struct work {
	struct session_task task;
	struct rule_owner owner;
	struct buf name, other, text;
	uint64_t size;
	int (*act)(struct work *w, struct store_conn *c);
	struct sieve_report report;
	struct why why;
	struct buf out; /* in front of the OK */
};

static struct work *work_of(struct task *t)
{
	return CONTAINER_OF(CONTAINER_OF(t, struct session_task, task), struct work, task);
}

static void work_drop(struct task *t)
{
	struct work *w = work_of(t);

	buf_done(&w->name);
	buf_done(&w->other);
	buf_done(&w->text);
	buf_done(&w->out);
	free(w);
}

static int work_run(struct task *t, void *worker)
{
	struct work *w = work_of(t);

	buf_clear(&w->out);
	return w->act(w, worker);
}

/* Outcomes beside those of the store. */
enum { WORK_E_INVALID = 100 };

static void add_remark(struct buf *out, const struct sieve_remark *remark)
{
	sieve_remark_add(out, remark);
	buf_add_octet(out, 0);
}

/* RFC 5804 section 1.3 and 2.6: errors and warnings name the line. */
static int reply_invalid(struct managesieve *s, const struct work *w)
{
	CLEANUP(buf_done) struct buf text = {};

	add_remark(&text, &w->report.error);
	return ms_no(s, NULL, (const char *)buf_span(&text).p);
}

static int reply_done(struct managesieve *s, const struct work *w)
{
	CLEANUP(buf_done) struct buf text = {};

	session_reply(&s->session, buf_span(&w->out));
	if (w->report.n_warnings == 0)
		return ms_ok(s, NULL, NULL);
	for (size_t i = 0; i < w->report.n_warnings; i++) {
		if (i)
			buf_add_string(&text, "\r\n");
		sieve_remark_add(&text, &w->report.warnings[i]);
	}
	buf_add_octet(&text, 0);
	return ms_ok(s, "WARNINGS", (const char *)buf_span(&text).p);
}

static int work_done(struct session *session, struct session_task *t)
{
	struct managesieve *s = managesieve_of(session);
	const struct work *w = work_of(&t->task);

	switch (t->task.result) {
	case 0:
		return reply_done(s, w);
	case WORK_E_INVALID:
		return reply_invalid(s, w);
	case STORE_E_NOT_FOUND:
		return ms_no(s, "NONEXISTENT", "there is no script of that name");
	case STORE_E_EXISTS:
		return ms_no(s, "ALREADYEXISTS", "there is a script of that name already");
	case STORE_E_IN_USE:
		return ms_no(s, "ACTIVE", "this script is active: make another one active first");
	case STORE_E_LIMIT:
		return ms_no(s, "QUOTA/MAXSCRIPTS", w->why.text);
	case STORE_E_QUOTA:
		return ms_no(s, "QUOTA/MAXSIZE", w->why.text);
	case STORE_E_REFUSED:
		return ms_no(s, NULL, w->why.text);
	default:
		break;
	}
	log_fault(session_log(session), "SIEVE", "managesieve.scripts", err_fold(t->task.result));
	return ms_no(s, "TRYLATER", "something failed here, try again later");
}

static struct work *work_new(const struct managesieve *s,
	int (*act)(struct work *w, struct store_conn *c), struct span name)
{
	struct work *w = ALLOC(struct work);

	w->owner = (struct rule_owner){ RULE_ACCOUNT, s->who.account };
	w->act = act;
	buf_add(&w->name, name);
	w->task.task.run = work_run;
	w->task.task.drop = work_drop;
	w->task.done = work_done;
	return w;
}

static int work_start(struct managesieve *s, struct work *w, struct executor *e)
{
	session_wait(&s->session, e, &w->task);
	return 0;
}

static int work_write(struct managesieve *s, struct work *w)
{
	return work_start(s, w, store_writer(s->env->store));
}

static int compile(struct work *w)
{
	CLEANUP(sieve_script_unrefp) struct sieve_script *script = NULL;
	int r = sieve_compile(&script, buf_span(&w->text), &w->report);

	return r > 0 ? WORK_E_INVALID : r;
}

static int act_check(struct work *w, struct store_conn *c)
{
	(void)c;
	return compile(w);
}

static int act_put(struct work *w, struct store_conn *c)
{
	return store_rule_put(c, w->owner, buf_span(&w->name), buf_span(&w->text), &w->why);
}

/* What does not compile is not stored (RFC 5804 section 2.6). That takes up to some milliseconds,
 * so it is done before the writer's turn comes. */
static int put_checked(struct session *session, struct session_task *t)
{
	struct managesieve *s = managesieve_of(session);
	struct work *checked = work_of(&t->task), *w;

	if (t->task.result)
		return work_done(session, t);
	w = work_new(s, act_put, buf_span(&checked->name));
	w->text = checked->text;
	w->report = checked->report;
	checked->text = (struct buf){};
	return work_write(s, w);
}

static int ms_putscript(struct managesieve *s, const struct ms_argument *a, size_t n)
{
	struct work *w = work_new(s, act_check, a[0].text);

	(void)n;
	buf_add(&w->text, a[1].text);
	w->task.done = put_checked;
	return work_start(s, w, s->env->cpu);
}

static int ms_checkscript(struct managesieve *s, const struct ms_argument *a, size_t n)
{
	struct work *w = work_new(s, act_check, (struct span){});

	(void)n;
	buf_add(&w->text, a[0].text);
	return work_start(s, w, s->env->cpu);
}

static int act_room(struct work *w, struct store_conn *c)
{
	if (w->size > SIEVE_SCRIPT_MAX) {
		why_set(&w->why, "a script has at most %d octets", SIEVE_SCRIPT_MAX);
		return STORE_E_QUOTA;
	}
	return store_rule_room(c, w->owner, buf_span(&w->name), w->size, &w->why);
}

static int ms_havespace(struct managesieve *s, const struct ms_argument *a, size_t n)
{
	struct work *w = work_new(s, act_room, a[0].text);

	(void)n;
	w->size = a[1].number;
	return work_start(s, w, store_readers(s->env->store));
}

static int list_one(const struct store_rule *rule, void *context)
{
	struct buf *out = context;

	ms_add_string(out, rule->name);
	buf_add_string(out, rule->active ? " ACTIVE\r\n" : "\r\n");
	return 0;
}

static int act_list(struct work *w, struct store_conn *c)
{
	return store_rule_each(c, w->owner, list_one, &w->out);
}

static int ms_listscripts(struct managesieve *s, const struct ms_argument *a, size_t n)
{
	(void)a;
	(void)n;
	return work_start(s, work_new(s, act_list, (struct span){}), store_readers(s->env->store));
}

static int act_get(struct work *w, struct store_conn *c)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct store_rule rule;
	int r;

	if (buf_size(&w->name) == 0)
		return STORE_E_NOT_FOUND;
	r = store_rule_get(c, &arena, w->owner, buf_span(&w->name), &rule);
	if (r)
		return r;
	buf_add_format(&w->out, "{%zu}\r\n", rule.text.n);
	buf_add(&w->out, rule.text);
	buf_add_string(&w->out, "\r\n");
	return 0;
}

static int ms_getscript(struct managesieve *s, const struct ms_argument *a, size_t n)
{
	(void)n;
	return work_start(s, work_new(s, act_get, a[0].text), store_readers(s->env->store));
}

static int act_activate(struct work *w, struct store_conn *c)
{
	return store_rule_activate(c, w->owner, buf_span(&w->name));
}

static int ms_setactive(struct managesieve *s, const struct ms_argument *a, size_t n)
{
	(void)n;
	return work_write(s, work_new(s, act_activate, a[0].text));
}

static int act_remove(struct work *w, struct store_conn *c)
{
	return store_rule_remove(c, w->owner, buf_span(&w->name));
}

static int ms_deletescript(struct managesieve *s, const struct ms_argument *a, size_t n)
{
	(void)n;
	return work_write(s, work_new(s, act_remove, a[0].text));
}

static int act_rename(struct work *w, struct store_conn *c)
{
	return store_rule_rename(c, w->owner, buf_span(&w->name), buf_span(&w->other), &w->why);
}

static int ms_renamescript(struct managesieve *s, const struct ms_argument *a, size_t n)
{
	struct work *w = work_new(s, act_rename, a[0].text);

	(void)n;
	buf_add(&w->other, a[1].text);
	return work_write(s, w);
}

const struct ms_command ms_commands[] = {
	/* verb            allowed in  arguments  handler */
	{ "AUTHENTICATE", MS_AUTH, "s?s", ms_authenticate },
	{ "STARTTLS", MS_AUTH, "", ms_starttls },
	{ "LOGOUT", MS_ANY, "", ms_logout },
	{ "CAPABILITY", MS_ANY, "", ms_capability },
	{ "NOOP", MS_ANY, "?s", ms_noop },
	{ "HAVESPACE", MS_USER, "sn", ms_havespace },
	{ "PUTSCRIPT", MS_USER, "ss", ms_putscript },
	{ "CHECKSCRIPT", MS_USER, "s", ms_checkscript },
	{ "LISTSCRIPTS", MS_USER, "", ms_listscripts },
	{ "SETACTIVE", MS_USER, "s", ms_setactive },
	{ "GETSCRIPT", MS_USER, "s", ms_getscript },
	{ "DELETESCRIPT", MS_USER, "s", ms_deletescript },
	{ "RENAMESCRIPT", MS_USER, "ss", ms_renamescript },
	{ "UNAUTHENTICATE", MS_USER, "", ms_unauthenticate },
};

const size_t ms_n_commands = sizeof ms_commands / sizeof ms_commands[0];
