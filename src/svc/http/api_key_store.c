/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The key store and its password. The key process alone knows that: here it can be asked whether there
 * is one, and whether a password is it, a few times. A program that asks its user for the password
 * before it changes keys learns so that they may; nothing is opened by it.
 */

#include "base/log.h"
#include "keyd/client.h"
#include "svc/env.h"
#include "svc/http/api.h"

static int answer(struct http_request *q, bool has_password)
{
	q->answer = json_object();
	(void)json_object_set_new(q->answer, "password", json_boolean(has_password));
	return 0;
}

int api_key_store_show(struct http_request *q, struct store_conn *c)
{
	bool has_password;

	(void)c;
	TRY(keyd_store_password(q->env->keyd, SPAN(""), &has_password));
	return answer(q, has_password);
}

static void log_refusal(const struct http_request *q, const char *outcome)
{
	LOG(NULL, LOG_WARNING, "PKI", "key_store.password", log_str("peer", q->peer->address),
		log_str("account", q->who.address), log_str("outcome", outcome));
}

int api_key_store_check(struct http_request *q, struct store_conn *c)
{
	struct span password = http_text(q, "password");
	bool has_password;
	int r;

	(void)c;
	if (!password.n)
		return http_problem(q, 422, "password", "a password is not empty");
	r = keyd_store_password(q->env->keyd, password, &has_password);
	if (r == KEYD_E_PASSWORD) {
		log_refusal(q, "refused");
		return http_problem(q, 403, "password", "this is not the key store's password");
	}
	if (r == KEYD_E_LATER) {
		log_refusal(q, "too_many");
		return http_problem(q, 429, "password",
			"too many wrong passwords of the key store; try again in a minute");
	}
	return r ? err_fold(r) : answer(q, has_password);
}
