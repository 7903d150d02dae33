/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Logging in and out of the web: a cookie that scripts cannot read, and a token that a page of
 * another site cannot know. */

#include "base/clock.h"
#include "store/settings.h"
#include "svc/env.h"
#include "svc/http/api.h"
#include "svc/http/web_session.h"

#include <string.h>

static void answer_identity(struct http_request *q, const char *csrf)
{
	q->answer = json_object();
	api_set_text(q->answer, "address", span_str(q->who.address));
	api_set_text(q->answer, "role", q->who.role == ROLE_ADMIN ? SPAN("admin") : SPAN("user"));
	if (csrf)
		api_set_text(q->answer, "csrf", span_str(csrf));
}

static int log_in(struct http_request *q)
{
	static const char *const members[] = { "login", "password" };
	const json_t *value = json_object_get(q->json, "certificate");
	bool by_certificate = value && span_is(http_scalar(q, value), "yes");

	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		if (by_certificate == (http_text(q, members[i]).p != NULL))
			return http_problem(q, 422, members[i], "a login has login and password, or"
				" certificate");
	}
	return by_certificate ? http_login_certificate(q) :
				http_login(q, http_text(q, "login"), http_text(q, "password"));
}

int api_session_start(struct http_request *q, struct store_conn *c)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(q->env->store);
	CLEANUP(buf_wipe) struct buf cookie = {};
	char token[WEB_TOKEN + 1];
	struct web_session session;
	int r = log_in(q);

	(void)c;
	if (r)
		return r;
	web_session_start(q->sessions, &q->who, clock_monotonic_ms(),
		(int64_t)settings->http_session_s * 1000, token, &session);
	(void)buf_room(&cookie, 200);
	buf_add_format(&cookie, "__Host-signet=%s; Path=/; Secure; HttpOnly; SameSite=Strict",
		token);
	http_header(q, "Set-Cookie", buf_span(&cookie));
	explicit_bzero(token, sizeof token);
	answer_identity(q, session.csrf);
	return 0;
}

int api_session_show(struct http_request *q, struct store_conn *c)
{
	struct web_session session;
	bool by_cookie = q->login == HTTP_COOKIE &&
		web_session_find(q->sessions, q->token, clock_monotonic_ms(), &session);

	(void)c;
	answer_identity(q, by_cookie ? session.csrf : NULL);
	return 0;
}

int api_session_end(struct http_request *q, struct store_conn *c)
{
	(void)c;
	if (q->login == HTTP_COOKIE)
		web_session_end(q->sessions, q->token);
	http_header(q, "Set-Cookie",
		SPAN("__Host-signet=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"));
	q->status = 204;
	return 0;
}
