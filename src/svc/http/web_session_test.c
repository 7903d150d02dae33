/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/http/web_session.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

static void test_life(void **state)
{
	struct web_sessions *w = web_sessions_new(NULL, NULL);
	struct auth_identity who = { .account = 7, .address = "a@example.org" };
	struct web_session session, found;
	char token[WEB_TOKEN + 1], other[WEB_TOKEN + 1];

	(void)state;
	web_session_start(w, &who, 0, 1000, token, &session);
	web_session_start(w, &who, 0, 1000, other, &found);
	assert_string_not_equal(token, other);
	assert_string_not_equal(session.csrf, found.csrf);
	assert_string_not_equal(token, session.csrf);
	assert_int_equal(strlen(token), WEB_TOKEN);

	assert_true(web_session_find(w, span_str(token), 900, &found));
	assert_int_equal(found.who.account, 7);
	assert_string_equal(found.csrf, session.csrf);
	/* Use prolongs it, time ends it. */
	assert_true(web_session_find(w, span_str(token), 1800, &found));
	assert_false(web_session_find(w, span_str(other), 1800, &found));
	assert_false(web_session_find(w, span_str(token), 2801, &found));
	assert_int_equal(web_sessions_count(w), 0);

	web_session_start(w, &who, 5000, 1000, token, &session);
	assert_false(web_session_find(w, span_head(span_str(token), WEB_TOKEN - 1), 5000, &found));
	token[0] = token[0] == 'A' ? 'B' : 'A';
	assert_false(web_session_find(w, span_str(token), 5000, &found));
	assert_false(web_session_find(w, SPAN(""), 5000, &found));
	web_sessions_free(w);
}

static void test_end(void **state)
{
	struct web_sessions *w = web_sessions_new(NULL, NULL);
	struct auth_identity who = { .account = 7 };
	struct web_session session;
	char token[WEB_TOKEN + 1];

	(void)state;
	web_session_start(w, &who, 0, 1000, token, &session);
	web_session_end(w, span_str(token));
	assert_false(web_session_find(w, span_str(token), 0, &session));
	web_session_end(w, span_str(token));
	web_sessions_free(w);
}

struct told {
	uint8_t id[WEB_SESSION_ID];
	unsigned n;
};

static void tell(struct span id, void *context)
{
	struct told *told = context;

	memcpy(told->id, id.p, id.n);
	told->n++;
}

/* Whatever ends a session, what hangs on it hears so, once, and of which. */
static void test_ended(void **state)
{
	struct told told = {};
	struct web_sessions *w = web_sessions_new(tell, &told);
	struct auth_identity who = { .account = 7 };
	uint8_t id[WEB_SESSION_ID];
	struct web_session session;
	char token[WEB_TOKEN + 1], other[WEB_TOKEN + 1];

	(void)state;
	web_session_start(w, &who, 0, 1000, token, &session);
	web_session_id(span_str(token), id);
	web_session_end(w, span_str(token));
	assert_int_equal(told.n, 1);
	assert_memory_equal(told.id, id, sizeof id);
	web_session_end(w, span_str(token));
	assert_int_equal(told.n, 1);

	/* Time: found out by who asks, and by who comes next. */
	web_session_start(w, &who, 0, 1000, token, &session);
	assert_false(web_session_find(w, span_str(token), 1000, &session));
	assert_int_equal(told.n, 2);
	web_session_start(w, &who, 0, 1000, token, &session);
	web_session_start(w, &who, 2000, 1000, other, &session);
	assert_int_equal(told.n, 3);
	web_session_id(span_str(token), id);
	assert_memory_equal(told.id, id, sizeof id);

	/* Room: the account's oldest goes. */
	for (int i = 0; i < WEB_ACCOUNT_MAX; i++)
		web_session_start(w, &who, 2000, 1000, token, &session);
	assert_int_equal(told.n, 4);
	web_sessions_free(w);
	assert_int_equal(told.n, 4 + WEB_ACCOUNT_MAX);
}

/* One account's sessions push out its own oldest, not those of others. */
static void test_room(void **state)
{
	struct web_sessions *w = web_sessions_new(NULL, NULL);
	struct auth_identity victim = { .account = 1 }, flood = { .account = 2 };
	char first[WEB_TOKEN + 1], token[WEB_TOKEN + 1], oldest[WEB_TOKEN + 1];
	struct web_session session;

	(void)state;
	web_session_start(w, &victim, 0, 1000000, first, &session);
	web_session_start(w, &flood, 0, 1000000, oldest, &session);
	for (int i = 0; i < 3 * WEB_ACCOUNT_MAX; i++)
		web_session_start(w, &flood, i, 1000000, token, &session);
	assert_int_equal(web_sessions_count(w), WEB_ACCOUNT_MAX + 1);
	assert_true(web_session_find(w, span_str(first), 1000, &session));
	assert_true(web_session_find(w, span_str(token), 1000, &session));
	assert_false(web_session_find(w, span_str(oldest), 1000, &session));
	web_sessions_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_ended),
		cmocka_unit_test(test_room),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
