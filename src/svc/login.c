/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The road from a SASL exchange or a user and password to an identity. There are two kinds of work
 * on it, each a task of its own: looking the account up (a reader of the store), and what takes
 * milliseconds or asks keyd (env->cpu). A login that the cache vouches for needs the first only.
 * The exchange itself (svc/sasl) is done on the loop.
 */

#include "svc/login.h"

#include "base/alloc.h"
#include "base/enc.h"
#include "base/log.h"
#include "base/random.h"
#include "net/address.h"
#include "net/tls.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/sasl.h"
#include "svc/session.h"

#include <stdlib.h>
#include <string.h>

/* What a refused login costs before the session's next input is looked at. */
enum { REFUSED_PAUSE_MS = 1000 };

enum { BINDING_OCTETS = 32, NONCE_LENGTH = 24 };

struct login {
	struct env *env;
	struct sasl sasl;
	uint8_t binding[BINDING_OCTETS];
	struct auth_attempt attempt; /* SCRAM: between verifier and proof */
};

struct login *login_free(struct login *l)
{
	if (l) {
		sasl_done(&l->sasl);
		auth_attempt_done(&l->attempt);
		free(l);
	}
	return NULL;
}

bool login_allowed(struct session *s, struct env *e)
{
	CLEANUP(settings_unrefp) struct settings *settings = NULL;

	if (session_is_tls(s))
		return true;
	settings = settings_get(e->store);
	return settings->cleartext_login == CLEARTEXT_LOOPBACK &&
	       net_address_is_loopback(session_peer(s));
}

static bool is_certified(struct session *s)
{
	const struct tls_info *tls = session_tls(s);

	return tls && tls->client && tls->client->result == X509_V_OK && tls->client->name;
}

void login_mechanisms(struct session *s, struct env *e, const char *prefix, struct buf *out)
{
	/* The order of preference: some clients take the first they know. */
	static const enum sasl_mechanism order[] = { SASL_SCRAM_SHA_256_PLUS, SASL_SCRAM_SHA_256,
		SASL_PLAIN, SASL_LOGIN, SASL_EXTERNAL };
	uint8_t binding[BINDING_OCTETS];
	bool has_binding = session_tls_binding(s, binding) == 0;

	if (!login_allowed(s, e))
		return;
	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		if (order[i] == SASL_SCRAM_SHA_256_PLUS && !has_binding)
			continue;
		if (order[i] == SASL_EXTERNAL && !is_certified(s))
			continue;
		buf_add_string(out, prefix);
		buf_add_string(out, sasl_name(order[i]));
	}
}

static const char *outcome_name(enum login_outcome outcome)
{
	static const char *const names[] = {
		[LOGIN_OK] = "accepted",
		[LOGIN_REFUSED] = "refused",
		[LOGIN_NEEDS_CERTIFICATE] = "needs_certificate",
		[LOGIN_CERTIFICATE] = "refused",
		[LOGIN_SYNTAX] = "syntax",
		[LOGIN_TEMPORARY] = "temporary",
		[LOGIN_NEEDS_TLS] = "needs_tls",
		[LOGIN_TOO_MANY] = "too_many",
		[LOGIN_UNKNOWN_MECHANISM] = "unknown_mechanism",
		[LOGIN_CANCELLED] = "cancelled",
	};

	return names[outcome];
}

/* The answer. A name is logged only if it is an account's: people type passwords for names. */
static int answer_why(struct session *s, struct env *e, enum login_outcome outcome,
	const struct auth_attempt *t, const char *mechanism, const char *why, login_fn fn)
{
	struct login_result result = { .outcome = outcome };
	int r;

	if (outcome == LOGIN_OK)
		result.who = t->who;
	LOG(session_log(s), outcome == LOGIN_TEMPORARY ? LOG_WARNING : LOG_INFO, s->protocol->tag,
		"login", log_str("account", t && t->known ? t->who.address : "-"),
		log_str("mechanism", mechanism), log_str("outcome", outcome_name(outcome)),
		log_str("reason", why));
	env_count(e, outcome == LOGIN_OK ? COUNT_LOGIN_OK : COUNT_LOGIN_REFUSED);
	r = fn(s, &result);
	if (outcome == LOGIN_REFUSED || outcome == LOGIN_CERTIFICATE || outcome == LOGIN_TOO_MANY)
		session_pause(s, REFUSED_PAUSE_MS);
	return r;
}

static int answer(struct session *s, struct env *e, enum login_outcome outcome,
	const struct auth_attempt *t, const char *mechanism, login_fn fn)
{
	return answer_why(s, e, outcome, t, mechanism, NULL, fn);
}

/* The names of the connection and its certificate are the stream's. */
static struct auth_source source_of(struct session *s)
{
	const struct tls_info *tls = session_tls(s);

	return (struct auth_source){ .peer = auth_peer_key(session_peer(s)),
		.domain = session_tls_domain(s), .client = tls ? tls->client : NULL };
}

static enum login_outcome outcome_of(int auth_result)
{
	switch (auth_result) {
	case 0:
		return LOGIN_OK;
	case AUTH_E_REFUSED:
		return LOGIN_REFUSED;
	case AUTH_E_TOO_MANY:
		return LOGIN_TOO_MANY;
	case AUTH_E_CERTIFICATE:
		return LOGIN_NEEDS_CERTIFICATE;
	default:
		return LOGIN_TEMPORARY;
	}
}

/* The end of an exchange: the slot is emptied before the protocol hears of it. */
static int login_end(
	struct session *s, struct login **slot, enum login_outcome outcome, login_fn fn)
{
	struct login *l = TAKE(*slot);
	int r = answer(s, l->env, outcome, &l->attempt, sasl_name(l->sasl.mechanism), fn);

	login_free(l);
	return r;
}

/* One step off the loop. */
struct login_task {
	struct session_task task;
	struct env *env;
	struct auth_attempt attempt;
	struct scram_verifier verifier;
	const char *mechanism;
	struct why why;
	login_fn fn;
	struct login **slot; /* in the protocol's structure: for done only */
};

static struct login_task *login_task_of(struct task *t)
{
	return CONTAINER_OF(t, struct login_task, task.task);
}

static void login_task_drop(struct task *t)
{
	struct login_task *work = login_task_of(t);

	auth_attempt_done(&work->attempt);
	explicit_bzero(&work->verifier, sizeof work->verifier);
	free(work);
}

static int login_task_find(struct task *t, void *worker)
{
	struct login_task *work = login_task_of(t);

	return auth_find(work->env, worker, &work->attempt);
}

static int login_task_verify(struct task *t, void *worker)
{
	struct login_task *work = login_task_of(t);

	(void)worker;
	return auth_verify(work->env, &work->attempt);
}

static int login_task_scram(struct task *t, void *worker)
{
	struct login_task *work = login_task_of(t);

	(void)worker;
	return auth_scram(work->env, &work->attempt, &work->verifier);
}

/* A task with the attempt moved into it. */
static struct login_task *login_task_new(
	struct env *e, struct auth_attempt *attempt, const char *mechanism, login_fn fn)
{
	struct login_task *work = ALLOC(struct login_task);

	work->env = e;
	work->attempt = *attempt;
	*attempt = (struct auth_attempt){};
	work->mechanism = mechanism;
	work->fn = fn;
	work->task.task.drop = login_task_drop;
	return work;
}

static int password_done(struct session *s, struct session_task *t)
{
	struct login_task *work = CONTAINER_OF(t, struct login_task, task);

	if (t->task.result < 0)
		log_fault(session_log(s), s->protocol->tag, "login", t->task.result);
	return answer(s, work->env, outcome_of(t->task.result), &work->attempt, work->mechanism,
		work->fn);
}

static int password_found(struct session *s, struct session_task *t)
{
	struct login_task *work = CONTAINER_OF(t, struct login_task, task);
	struct login_task *next;

	if (t->task.result == 0 && work->attempt.remembered && !work->attempt.strict)
		t->task.result = auth_verify(work->env, &work->attempt);
	else if (t->task.result == 0) {
		next = login_task_new(work->env, &work->attempt, work->mechanism, work->fn);
		next->task.task.run = login_task_verify;
		next->task.done = password_done;
		session_wait(s, next->env->cpu, &next->task);
		return 0;
	}
	return password_done(s, t);
}

static int check_password(struct session *s, struct env *e, struct span user, struct span password,
	const char *mechanism, login_fn fn)
{
	struct auth_source from = source_of(s);
	struct auth_attempt attempt;
	struct login_task *work;

	auth_attempt_init(&attempt, &from, user, password);
	work = login_task_new(e, &attempt, mechanism, fn);
	work->task.task.run = login_task_find;
	work->task.done = password_found;
	session_wait(s, store_readers(e->store), &work->task);
	return 0;
}

int login_password(
	struct session *s, struct env *e, struct span user, struct span password, login_fn fn)
{
	if (!login_allowed(s, e))
		return answer(s, e, LOGIN_NEEDS_TLS, NULL, "password", fn);
	if (user.n > SASL_MESSAGE_MAX || password.n > SASL_MESSAGE_MAX)
		return answer(s, e, LOGIN_SYNTAX, NULL, "password", fn);
	return check_password(s, e, user, password, "password", fn);
}

static int challenge(struct session *s, struct login *l, login_fn fn)
{
	CLEANUP(buf_done) struct buf text = {};
	struct login_result result = { .outcome = LOGIN_CHALLENGE };

	enc_base64(&text, buf_span(&l->sasl.challenge));
	result.challenge = buf_span(&text);
	return fn(s, &result);
}

static int scram_ready(struct session *s, struct session_task *t)
{
	struct login_task *work = CONTAINER_OF(t, struct login_task, task);
	struct login *l = *work->slot;

	l->attempt = work->attempt;
	work->attempt = (struct auth_attempt){};
	if (t->task.result < 0)
		log_fault(session_log(s), s->protocol->tag, "login", t->task.result);
	if (t->task.result)
		return login_end(s, work->slot, outcome_of(t->task.result), work->fn);
	if (sasl_verifier(&l->sasl, &work->verifier) != SASL_CHALLENGE)
		return login_end(s, work->slot, LOGIN_SYNTAX, work->fn);
	return challenge(s, l, work->fn);
}

static int scram_found(struct session *s, struct session_task *t)
{
	struct login_task *work = CONTAINER_OF(t, struct login_task, task);
	struct login_task *next;

	if (t->task.result)
		return scram_ready(s, t);
	next = login_task_new(work->env, &work->attempt, work->mechanism, work->fn);
	next->slot = work->slot;
	next->task.task.run = login_task_scram;
	next->task.done = scram_ready;
	session_wait(s, next->env->cpu, &next->task);
	return 0;
}

static int find_verifier(struct session *s, struct login **slot, login_fn fn)
{
	struct login *l = *slot;
	struct auth_source from = source_of(s);
	struct auth_attempt attempt;
	struct login_task *work;

	auth_attempt_init(&attempt, &from, buf_span(&l->sasl.user), SPAN(""));
	work = login_task_new(l->env, &attempt, sasl_name(l->sasl.mechanism), fn);
	work->slot = slot;
	work->task.task.run = login_task_find;
	work->task.done = scram_found;
	session_wait(s, store_readers(l->env->store), &work->task);
	return 0;
}

static int login_task_certificate(struct task *t, void *worker)
{
	struct login_task *work = login_task_of(t);

	(void)worker;
	return auth_external(work->env, &work->attempt, &work->why);
}

static int certificate_done(struct session *s, struct session_task *t)
{
	struct login_task *work = CONTAINER_OF(t, struct login_task, task);
	enum login_outcome outcome = outcome_of(t->task.result);

	if (t->task.result < 0)
		log_fault(session_log(s), s->protocol->tag, "login", t->task.result);
	if (outcome == LOGIN_REFUSED)
		outcome = LOGIN_CERTIFICATE;
	return answer_why(s, work->env, outcome, &work->attempt, work->mechanism,
		outcome == LOGIN_CERTIFICATE ? work->why.text : NULL, work->fn);
}

/* The certificate was validated in the handshake, which may be long ago. */
static int check_certificate(struct session *s, struct env *e, struct span user, login_fn fn)
{
	struct auth_source from = source_of(s);
	struct auth_attempt attempt;
	struct login_task *work;

	auth_attempt_init(&attempt, &from, user, SPAN(""));
	work = login_task_new(e, &attempt, sasl_name(SASL_EXTERNAL), fn);
	work->task.task.run = login_task_certificate;
	work->task.done = certificate_done;
	session_wait(s, e->cpu, &work->task);
	return 0;
}

static int follow(struct session *s, struct login **slot, enum sasl_step step, login_fn fn)
{
	struct login *l = *slot;
	int r;

	switch (step) {
	case SASL_CHALLENGE:
		return challenge(s, l, fn);
	case SASL_NEED_VERIFIER:
		return find_verifier(s, slot, fn);
	case SASL_CHECK_PASSWORD:
		r = check_password(s, l->env, buf_span(&l->sasl.user),
			secret_span(&l->sasl.password), sasl_name(l->sasl.mechanism), fn);
		*slot = login_free(l);
		return r;
	case SASL_CHECK_EXTERNAL:
		r = check_certificate(s, l->env, buf_span(&l->sasl.user), fn);
		*slot = login_free(l);
		return r;
	case SASL_PROVEN:
		r = auth_scram_end(l->env, &l->attempt, true);
		return login_end(s, slot, outcome_of(r), fn);
	case SASL_REFUSED:
		return login_end(s, slot, LOGIN_REFUSED, fn);
	case SASL_SYNTAX:
		break;
	}
	return login_end(s, slot, LOGIN_SYNTAX, fn);
}

/* A client's message: base64 in, step out. The decoded octets may be a password. */
static enum sasl_step message_step(struct login *l, struct span base64, bool initial)
{
	struct buf message = {};
	enum sasl_step step = SASL_SYNTAX;
	struct span octets;

	(void)buf_room(&message, base64.n + 1);
	if (base64.n <= LOGIN_LINE_MAX && enc_base64_decode(&message, base64)) {
		octets = buf_span(&message);
		step = initial ? sasl_start(&l->sasl, &octets) : sasl_step(&l->sasl, octets);
	}
	buf_wipe(&message);
	return step;
}

int login_begin(struct session *s, struct env *e, struct login **slot, struct span mechanism,
	const struct span *initial, login_fn fn)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	enum sasl_mechanism which;
	struct login *l;
	uint8_t random[NONCE_LENGTH];
	char nonce[NONCE_LENGTH + 1] = "";
	bool has_binding;

	if (!login_allowed(s, e))
		return answer(s, e, LOGIN_NEEDS_TLS, NULL, "-", fn);
	if (!sasl_find(mechanism, &which))
		return answer(s, e, LOGIN_UNKNOWN_MECHANISM, NULL, "-", fn);
	*slot = l = ALLOC(struct login);
	l->env = e;
	random_fill(random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++)
		nonce[i] = alphabet[random[i] % 64];
	has_binding = session_tls_binding(s, l->binding) == 0;
	sasl_init(&l->sasl, which, span_of(l->binding, has_binding ? BINDING_OCTETS : 0),
		has_binding, nonce);
	if (!initial)
		return follow(s, slot, sasl_start(&l->sasl, NULL), fn);
	/* RFC 4954 section 4: "=" is an initial response of no octets. */
	return follow(
		s, slot, message_step(l, span_is(*initial, "=") ? SPAN("") : *initial, true), fn);
}

int login_continue(struct session *s, struct login **slot, struct span line, login_fn fn)
{
	if (span_is(line, "*"))
		return login_end(s, slot, LOGIN_CANCELLED, fn);
	return follow(s, slot, message_step(*slot, line, false), fn);
}
