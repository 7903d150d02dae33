/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The one way from a request to its answer: path, host, method, who it is, may they, body, the
 * route's handler in its transaction, what follows a commit, the answer's common headers, the log
 * line. A handler runs only when everything before it holds. Runs on a worker thread as
 * straight-line code.
 */

#include "svc/http/dispatch.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/log.h"
#include "mime/address.h"
#include "net/tls.h"
#include "store/domain.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/acme.h"
#include "svc/encryption.h"
#include "svc/ca_status.h"
#include "svc/env.h"
#include "svc/http/body.h"
#include "svc/http/moved.h"
#include "svc/http/route.h"
#include "svc/http/web_session.h"
#include "svc/login.h"
#include "svc/outgoing.h"
#include "svc/revocation.h"
#include "svc/trust.h"
#include "svc/secure_mail.h"
#include "svc/unlocked.h"

#include <stdio.h>
#include <stdlib.h>

enum { COOKIE_PREFIX_OCTETS = sizeof "__Host-signet=" - 1 };

const char *http_status_text(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} texts[] = {
		{ 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" },
		{ 404, "Not Found" }, { 405, "Method Not Allowed" }, { 408, "Request Timeout" },
		{ 409, "Conflict" }, { 413, "Content Too Large" }, { 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" }, { 417, "Expectation Failed" },
		{ 421, "Misdirected Request" }, { 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" }, { 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" }, { 501, "Not Implemented" },
		{ 503, "Service Unavailable" }, { 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		if (texts[i].status == status)
			return texts[i].text;
	}
	return "Error";
}

/* RFC 9457 section 3, with our member "field". */
static void answer_with_problem(struct http_request *q, unsigned status)
{
	json_t *problem = json_pack("{s:s, s:s, s:i}", "type", "about:blank", "title",
		http_status_text(status), "status", (int)status);

	if (q->problem.text[0])
		(void)json_object_set_new(problem, "detail",
			http_json_text(span_str(q->problem.text)));
	if (q->problem_field[0])
		(void)json_object_set_new(problem, "field",
			http_json_text(span_str(q->problem_field)));
	json_decref(q->answer);
	q->answer = problem;
	q->status = status;
	q->type = "application/problem+json";
}

void http_answer_problem(struct http_request *q, unsigned status, const char *detail)
{
	(void)http_problem(q, status, NULL, "%s", detail);
	answer_with_problem(q, status);
}

bool http_is_slow(const struct http_request *q)
{
	return q->row && q->row->where == ROUTE_SLOW;
}

static int target_split(struct http_request *q)
{
	struct http_target target;
	bool is_path = http_target_split(q->target, &target);

	if (target.authority.p && !span_equal_nocase(target.authority, http_field(q, "Host")))
		return http_problem(q, 400, "Host", "Host and the target's host differ");
	q->path = target.path;
	q->query = target.query;
	return is_path ? 0 : http_problem(q, 400, NULL, "the request's target is not a path");
}

/* A host name without its port. */
static struct span host_name(struct span host)
{
	if (span_starts(host, SPAN("[")))
		return span_head(host, span_find(host, ']') + 1);
	return span_head(host, span_find(host, ':'));
}

struct host_look_up {
	struct span name;
	const char *domain;
	bool other; /* the name is a domain of ours, and not that one */
	bool known;
};

static int look_up_host(struct store_conn *c, void *arg)
{
	struct host_look_up *l = arg;
	CLEANUP(arena_done) struct arena arena = {};
	CLEANUP(buf_done) struct buf name = {};
	struct store_domain domain;
	int r;

	if (address_normalize_domain(l->name, &name))
		return 0;
	r = store_domain_find(c, &arena, buf_span(&name), &domain);
	if (r == STORE_E_NOT_FOUND)
		return 0;
	if (r)
		return err_fold(r);
	l->known = true;
	l->other = strcmp(domain.name, l->domain) != 0;
	return 0;
}

/* RFC 9110 section 15.5.20: a connection that was opened under one domain's TLS rules is no way to
 * another's. The name that was asked for in the handshake is always right; another one must be the
 * same domain's; where none was asked for (an IP address), names that are nobody's pass too. */
static int host_check(struct http_request *q)
{
	struct host_look_up l = { .name = host_name(http_field(q, "Host")) };

	if (q->peer->kind != HTTP_TLS || !q->peer->domain || l.name.n == 0)
		return 0;
	if (q->peer->sni && span_is_nocase(l.name, q->peer->sni))
		return 0;
	l.domain = q->peer->domain;
	TRY(store_read(q->env->store, look_up_host, &l));
	if (l.known ? !l.other : !q->peer->sni)
		return 0;
	return http_problem(q, 421, "Host", "this connection was made for %s", q->peer->domain);
}

static struct span cookie_token(const struct http_request *q)
{
	for (size_t i = 0; i < q->n_fields; i++) {
		struct span rest = q->fields[i].value;

		if (!span_is_nocase(q->fields[i].name, "Cookie"))
			continue;
		while (rest.n) {
			struct span cookie = span_trim(span_cut(&rest, ';'));

			if (span_starts(cookie, SPAN("__Host-signet=")))
				return span_skip(cookie, COOKIE_PREFIX_OCTETS);
		}
	}
	return (struct span){};
}

struct identity_check {
	const struct auth_identity *who;
	bool current;
	bool strict;                  /* its domain asks for a client certificate */
	char domain[LIMIT_NAME + 1];
};

static int check_identity(struct store_conn *c, void *arg)
{
	struct identity_check *check = arg;
	CLEANUP(arena_done) struct arena arena = {};
	struct store_account account;
	struct store_domain domain;
	int r = store_account_get(c, &arena, check->who->account, &account);

	check->current = r == 0 && auth_is_current(check->who, &account);
	if (!check->current)
		return r < 0 ? r : 0;
	TRY(store_domain_get(c, &arena, account.domain, &domain));
	check->strict = domain.client_required;
	(void)snprintf(check->domain, sizeof check->domain, "%s", domain.name);
	return 0;
}

static bool is_safe(const struct http_request *q)
{
	return span_is(q->method, "GET") || span_is(q->method, "HEAD") ||
		span_is(q->method, "OPTIONS");
}

/* An unsafe request must carry the session's own token too: a cookie is sent along by the browser,
 * whoever made the page. */
static int login_by_cookie(struct http_request *q, struct span token)
{
	struct web_session session;
	struct identity_check check = { .who = &session.who };
	struct auth_source from = http_source(q);
	bool fits;

	if (!web_session_find(q->sessions, token, clock_monotonic_ms(), &session))
		return 0;
	TRY(store_read(q->env->store, check_identity, &check));
	if (!check.current) {
		web_session_end(q->sessions, token);
		return 0;
	}
	TRY(auth_source_fits(q->env, check.domain, check.strict, &from, &fits));
	if (!fits)
		return http_problem(q, 403, NULL, LOGIN_NEEDS_CERTIFICATE_TEXT);
	if (!is_safe(q) && !span_equal_secret(http_field(q, "X-CSRF-Token"), span_str(session.csrf)))
		return http_problem(q, 403, "X-CSRF-Token", "the session's token is missing or wrong");
	q->login = HTTP_COOKIE;
	q->who = session.who;
	q->token = token;
	return 0;
}

static bool cleartext_is_allowed(const struct http_request *q)
{
	CLEANUP(settings_unrefp) struct settings *settings = NULL;

	if (q->peer->kind != HTTP_PLAIN)
		return true;
	settings = settings_get(q->env->store);
	return settings->cleartext_login == CLEARTEXT_LOOPBACK && q->peer->loopback;
}

struct auth_source http_source(const struct http_request *q)
{
	return (struct auth_source){ .peer = auth_peer_key(&q->peer->from),
		.domain = q->peer->domain, .client = q->peer->client };
}

/* The problem that a refused login is. */
static int login_problem(struct http_request *q, int r, const char *what)
{
	switch (r) {
	case AUTH_E_TOO_MANY:
		http_header(q, "Retry-After", SPAN("60"));
		return http_problem(q, 429, NULL, "too many failed logins; try again later");
	case AUTH_E_CERTIFICATE:
		return http_problem(q, 403, NULL, LOGIN_NEEDS_CERTIFICATE_TEXT);
	default:
		return http_problem(q, 401, NULL, "%s", what);
	}
}

static void log_login(const struct http_request *q, int r, const char *mechanism, const char *why)
{
	static const char *const outcomes[] = {
		[0] = "accepted",
		[AUTH_E_REFUSED] = "refused",
		[AUTH_E_TOO_MANY] = "too_many",
		[AUTH_E_PASSWORD] = "refused",
		[AUTH_E_CERTIFICATE] = "needs_certificate",
	};

	env_count(q->env, r ? COUNT_LOGIN_REFUSED : COUNT_LOGIN_OK);
	LOG(NULL, LOG_INFO, "HTTP", "login", log_str("peer", q->peer->address),
		log_str("account", r ? "-" : q->who.address), log_str("mechanism", mechanism),
		log_str("outcome", outcomes[r]), log_str("reason", why));
}

int http_login(struct http_request *q, struct span user, struct span password)
{
	struct auth_source from = http_source(q);
	int r;

	if (!cleartext_is_allowed(q))
		return http_problem(q, 403, NULL, "passwords are taken over TLS only: use https");
	r = auth_password(q->env, &from, user, password, &q->who);
	if (r < 0)
		return r;
	log_login(q, r, "password", NULL);
	return r ? login_problem(q, r, "wrong user or password") : 0;
}

int http_login_certificate(struct http_request *q)
{
	struct auth_source from = http_source(q);
	struct why why = {};
	int r = auth_certificate(q->env, &from, &q->who, &why);

	if (r < 0)
		return r;
	log_login(q, r, "certificate", r ? why.text : NULL);
	return r ? login_problem(q, r, why.text) : 0;
}

/* A browser shows its certificate whoever made the page, as it sends cookies. So what changes something
 * says besides that it means it: a field that no page of another site can send without asking first. */
static int login_by_certificate(struct http_request *q)
{
	int r;

	if (!is_safe(q) && !span_is_nocase(http_field(q, "X-Signet-Login"), "certificate"))
		return http_problem(q, 403, "X-Signet-Login", "a request that changes something and"
			" logs in by certificate has the field \"X-Signet-Login: certificate\"");
	r = http_login_certificate(q);
	if (!r)
		q->login = HTTP_CERTIFICATE;
	return r;
}

/* RFC 7617. */
static int login_by_basic(struct http_request *q, struct span credentials)
{
	CLEANUP(buf_wipe) struct buf plain = {};
	struct span user, rest;
	int r;

	(void)buf_room(&plain, credentials.n);
	if (!enc_base64_decode(&plain, span_trim(credentials)))
		return http_problem(q, 401, "Authorization", "malformed credentials");
	rest = buf_span(&plain);
	if (span_find(rest, ':') == rest.n)
		return http_problem(q, 401, "Authorization", "malformed credentials");
	user = span_cut(&rest, ':');
	r = http_login(q, user, rest);
	if (!r)
		q->login = HTTP_BASIC;
	return r;
}

/* As the handshake has found; others go on as if they had none. */
static bool shows_somebody(const struct tls_client *client)
{
	return client && client->result == X509_V_OK && client->name;
}

static int log_in(struct http_request *q)
{
	struct span authorization = http_field(q, "Authorization");
	struct span scheme = span_word(&authorization);
	struct span token = cookie_token(q);

	/* Who says over the socket whose session it is, is that person and no administrator. */
	if (q->peer->kind == HTTP_LOCAL && !scheme.n && !token.n) {
		q->login = HTTP_SOCKET;
		q->who.role = ROLE_ADMIN;
		(void)snprintf(q->who.address, sizeof q->who.address, "local");
		return 0;
	}
	if (span_is_nocase(scheme, "Basic"))
		return login_by_basic(q, authorization);
	if (scheme.n)
		return http_problem(q, 401, "Authorization", "unknown authentication scheme");
	/* A session that is over does not turn into somebody else's. */
	if (token.n)
		return login_by_cookie(q, token);
	return shows_somebody(q->peer->client) ? login_by_certificate(q) : 0;
}

/* The address of a path is the caller's own if it means the same account: "jim" and "JIM@alias" are
 * looked up as a login name is. */
struct own_check {
	struct span login;
	int64_t account;
	bool own;
};

static int check_own(struct store_conn *c, void *arg)
{
	struct own_check *check = arg;
	CLEANUP(arena_done) struct arena arena = {};
	struct store_account account;
	int r = store_account_find(c, &arena, check->login, &account, NULL);

	check->own = r == 0 && account.id == check->account;
	return r < 0 ? r : 0;
}

static int check_right(struct http_request *q)
{
	struct own_check own = { .login = q->params[0], .account = q->who.account };

	if (q->route->right == RIGHT_ANYONE)
		return 0;
	if (http_is_admin(q) && q->route->right != RIGHT_SELF && q->route->right != RIGHT_WORD)
		return 0;
	if (q->login == HTTP_SOCKET && q->route->right == RIGHT_WORD)
		return 0;
	if (q->route->right == RIGHT_METRICS && q->peer->loopback)
		return 0;
	if (q->login == HTTP_NOBODY)
		return http_problem(q, 401, NULL, "log in first");
	if (q->route->right == RIGHT_USER)
		return 0;
	if (q->route->right == RIGHT_OWN || q->route->right == RIGHT_SELF ||
		q->route->right == RIGHT_WORD) {
		TRY(store_read(q->env->store, check_own, &own));
		if (own.own)
			return 0;
	}
	return http_problem(q, 403, NULL,
		q->route->right == RIGHT_SELF ? "this is for the account itself" :
		q->route->right == RIGHT_WORD ? "whom an account trusts is for the account itself" :
						"this is for administrators");
}

/* What a handler left in the answer when its transaction did not happen. */
static void answer_clear(struct http_request *q)
{
	json_decref(q->answer);
	q->answer = NULL;
	buf_clear(&q->out);
	q->n_headers = 0;
	q->status = 200;
	q->type = NULL;
	q->encryption_changed = false;
	q->tls_changed = q->settings_changed = q->trust_changed = q->acme_changed = false;
	q->crls_changed = q->outgoing_changed = false;
	q->locks_account = 0;
	q->locks_where_off = false;
	q->ca_changed = false;
}

static int run_in_store(struct store_conn *c, void *arg)
{
	struct http_request *q = arg;

	answer_clear(q);
	return moved_run(q, c);
}

static int run_route(struct http_request *q)
{
	int r;

	if (q->route->prepare) {
		r = q->route->prepare(q, NULL);
		if (r)
			return r;
	}
	switch (q->route->where) {
	case ROUTE_READS:
		return store_read(q->env->store, run_in_store, q);
	case ROUTE_WRITES:
		r = moved_look(q);
		return r ? r : store_write(q->env->store, run_in_store, q);
	case ROUTE_OUTSIDE:
	case ROUTE_SLOW:
		break;
	}
	return run_in_store(NULL, q);
}

/* The change is committed: a fault from here on must not say otherwise, so it is logged only. */
static void after_commit(struct http_request *q)
{
	int r = q->settings_changed ? settings_reload(q->env->store) : 0;

	if (r)
		log_fault(NULL, "HTTP", "http.settings_reload", err_fold(r));
	r = moved_tell(q);
	if (r)
		log_fault(NULL, "HTTP", "http.moved", err_fold(r));
	if (q->trust_changed)
		trust_changed(q->env);
	/* What a list says once it is over is a setting. */
	r = q->crls_changed || q->settings_changed ? revocation_load(q->env) : 0;
	if (r)
		log_fault(NULL, "PKI", "crl.load", err_fold(r));
	r = q->tls_changed ? q->env->tls_rebuild(q->env) : 0;
	if (r)
		log_fault(NULL, "HTTP", "http.tls_rebuild", err_fold(r));
	r = q->outgoing_changed ? outgoing_load(q->env) : 0;
	if (r)
		log_fault(NULL, "HTTP", "http.outgoing_load", err_fold(r));
	if (q->acme_changed)
		acme_wake(q->env);
	if (q->encryption_changed)
		encryption_tend(q->env);
	if (q->locks_account)
		unlocked_lock_account(q->env->unlocked, q->locks_account);
	if (q->locks_where_off)
		secure_mail_lock_where_off(q->env);
	if (q->ca_changed)
		ca_wake(q->env);
}

static int refuse_method(struct http_request *q)
{
	CLEANUP(buf_done) struct buf allow = {};

	route_allow(q->path, &allow);
	http_header(q, "Allow", buf_span(&allow));
	if (span_is(q->method, "OPTIONS")) {
		q->status = 204;
		return 0;
	}
	return http_problem(q, 405, NULL, "this path does not know the method");
}

/* Pages and what robots fetch may be asked for with whatever others have added. */
static int check_query(struct http_request *q)
{
	if (!span_starts(q->path, SPAN("/api/")))
		return 0;
	return http_query_check(q, q->route->query ? q->route->query : "");
}

/* What holds before anything of the body is looked at. */
static int admit(struct http_request *q)
{
	int r = target_split(q);

	if (!r)
		r = host_check(q);
	if (r)
		return r;
	if (span_is(q->method, "OPTIONS") && span_is(q->path, "*")) {
		q->status = 204;
		return 0;
	}
	r = route_find(&q->arena, q->method, q->path, &q->route, q->params);
	if (r == ROUTE_E_METHOD)
		return refuse_method(q);
	if (r)
		return http_problem(q, 404, NULL, "there is nothing at this path");
	r = q->route->right == RIGHT_ANYONE ? 0 : log_in(q);
	if (!r)
		r = check_right(q);
	return r ? r : check_query(q);
}

static int answer(struct http_request *q)
{
	int r = q->admitted ? 0 : admit(q);

	if (r || q->status == 204)
		return r;
	q->admitted = true;
	if (q->route->body)
		r = body_read(q, q->route->body);
	return r ? r : run_route(q);
}

/* A browser's script gets a challenge that the browser does not answer with a window of its own. */
static void challenge(struct http_request *q)
{
	struct span mode = http_field(q, "Sec-Fetch-Mode");

	if (mode.p && !span_is(mode, "navigate"))
		http_header(q, "WWW-Authenticate", SPAN("Session realm=\"Signet\""));
	else
		http_header(q, "WWW-Authenticate", SPAN("Basic realm=\"Signet\", charset=\"UTF-8\""));
}

static void print_answer(struct http_request *q)
{
	char *text;

	if (!q->answer)
		return;
	text = json_dumps(q->answer, JSON_COMPACT);
	buf_clear(&q->out);
	buf_add_string(&q->out, text);
	buf_add_octet(&q->out, '\n');
	free(text);
	if (!q->type)
		q->type = "application/json";
}

static void answer_failure(struct http_request *q, int r)
{
	if (r < 0) {
		log_fault(NULL, "HTTP", "http.request", r);
		env_count(q->env, COUNT_FAULTS);
		r = http_problem(q, 500, NULL, "something failed here; the log says more");
	}
	answer_with_problem(q, (unsigned)r);
	if (r == 401)
		challenge(q);
}

/* r: what came of it. */
static void conclude(struct http_request *q, int r)
{
	if (r == 0)
		after_commit(q);
	else
		answer_failure(q, r);
	print_answer(q);
	LOG(NULL, q->route && q->route->where == ROUTE_WRITES ? LOG_INFO : LOG_DEBUG, "HTTP",
		"http.request", log_str("peer", q->peer->address), log_span("method", q->method),
		log_span("path", q->path), log_int("status", q->status),
		log_str("account", q->who.address));
}

/* RFC 9110 section 15.6.4. */
static int refuse_for_now(struct http_request *q)
{
	http_header(q, "Retry-After", SPAN("5"));
	return http_problem(q, 503, NULL, "too much is being received: try again in a moment");
}

/* What it has, or may have where that was not said. */
static uint64_t body_expected(const struct http_request *q)
{
	return q->has_length ? q->length : q->body_max;
}

bool http_admit(struct http_request *q)
{
	int r;

	env_count(q->env, COUNT_HTTP_REQUESTS);
	q->status = 200;
	r = admit(q);
	q->admitted = r == 0;
	if (q->admitted && q->route->stream)
		r = q->route->stream->begin(q, NULL);
	else if (q->admitted && !http_reserve(q, body_expected(q)))
		r = refuse_for_now(q);
	if (r)
		conclude(q, r);
	return r == 0;
}

bool http_take(struct http_request *q)
{
	int r = q->route->stream->take(q, NULL);

	if (r)
		conclude(q, r);
	return r == 0;
}

void http_dispatch(struct http_request *q)
{
	int r;

	if (!q->admitted)
		env_count(q->env, COUNT_HTTP_REQUESTS);
	q->status = 200;
	r = answer(q);
	conclude(q, r);
}

/* By method and target alone. */
static const struct http_route *row_of(struct span method, struct span target)
{
	struct http_target split;

	(void)http_target_split(target, &split);
	return route_match(method, split.path);
}

static uint64_t max_of(struct env *e, const struct http_route *row)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(e->store);

	return route_body_max(row, settings);
}

uint64_t http_body_max(struct env *e, struct span method, struct span target)
{
	return max_of(e, row_of(method, target));
}

void http_find_row(struct http_request *q)
{
	q->row = row_of(q->method, q->target);
	q->body_max = max_of(q->env, q->row);
}

bool http_needs_admission(const struct http_request *q)
{
	return q->row && (q->row->stream || (q->row->right != RIGHT_ANYONE &&
						    body_expected(q) > SIZE_ANYONE_OCTETS));
}

void http_abandon(struct http_request *q)
{
	if (q->admitted && q->route->stream)
		q->route->stream->abandon(q);
}
