/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/auth.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/store.h"
#include "svc/env_fixture.h"
#include "svc/sasl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct span peer = { (const uint8_t *)"peer", 4 };

static int start(void **state)
{
	struct env_fixture *f = env_fixture_new();

	env_fixture_person(f, "bob", "builder");
	*state = f;
	return 0;
}

static int stop(void **state)
{
	env_fixture_free(*state);
	return 0;
}

/* The cache outlives the stores: each test begins when everything in it has run out. */
static int64_t start_ms = 1000000;

static void set_clock(int64_t passed_ms)
{
	clock_set(1700000000LL * 1000000, start_ms + passed_ms);
}

static int open_store(void **state)
{
	start_ms += 3600 * 1000;
	set_clock(0);
	env_fixture_open(*state);
	return 0;
}

static int close_store(void **state)
{
	env_fixture_close(*state);
	clock_set(0, 0);
	return 0;
}

static int login(struct env_fixture *f, const char *user, const char *password)
{
	struct auth_identity who;

	return auth_password(&f->env, &(struct auth_source){ .peer = peer }, span_str(user), span_str(password), &who);
}

static void test_password(void **state)
{
	struct env_fixture *f = *state;
	struct auth_identity who = {};

	assert_int_equal(
		auth_password(&f->env, &(struct auth_source){ .peer = peer }, SPAN("Alice@Example.ORG"), SPAN("wonderland"), &who),
		0);
	assert_string_equal(who.address, "alice@example.org");
	assert_int_equal(who.account, f->store->account);
	assert_int_equal(who.role, ROLE_ADMIN);
	assert_int_equal(login(f, "bob", "builder"), 0);
	assert_int_equal(login(f, "alice", "builder"), AUTH_E_REFUSED);
	assert_int_equal(login(f, "alice", ""), AUTH_E_REFUSED);
	assert_int_equal(login(f, "alice", "wonderland "), AUTH_E_REFUSED);
	assert_int_equal(login(f, "nobody", "wonderland"), AUTH_E_REFUSED);
	assert_int_equal(login(f, "", "wonderland"), AUTH_E_REFUSED);
	assert_int_equal(login(f, "alice@example.net", "wonderland"), AUTH_E_REFUSED);
}

static void test_disabled(void **state)
{
	struct env_fixture *f = *state;

	assert_int_equal(login(f, "bob", "builder"), 0);
	env_fixture_account_set(f, "bob", "disabled", "yes");
	assert_int_equal(login(f, "bob", "builder"), AUTH_E_REFUSED);
	env_fixture_account_set(f, "bob", "disabled", "no");
	assert_int_equal(login(f, "bob", "builder"), 0);
}

struct find {
	struct env *env;
	struct auth_attempt attempt;
};

static int find(struct store_conn *c, void *arg)
{
	struct find *find = arg;

	return auth_find(find->env, c, &find->attempt);
}

static bool is_remembered(struct env_fixture *f, const char *user, const char *password)
{
	struct find query = { .env = &f->env };
	bool remembered;

	auth_attempt_init(&query.attempt, &(struct auth_source){ .peer = peer }, span_str(user), span_str(password));
	assert_int_equal(store_read(f->env.store, find, &query), 0);
	remembered = query.attempt.remembered;
	auth_attempt_done(&query.attempt);
	return remembered;
}

struct credentials {
	int64_t account;
	struct store_credentials credentials;
};

static int set_credentials(struct store_conn *c, void *arg)
{
	struct credentials *change = arg;

	return store_account_set_credentials(c, change->account, &change->credentials);
}

static void set_password(struct env_fixture *f, const char *user, const char *password)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct credentials change = { .account = env_fixture_account(f, user) };

	assert_int_equal(auth_make_credentials(
				 &f->env, span_str(password), &arena, &change.credentials, NULL),
		0);
	assert_int_equal(store_write(f->env.store, set_credentials, &change), 0);
}

static void test_cache(void **state)
{
	struct env_fixture *f = *state;

	assert_false(is_remembered(f, "bob", "builder"));
	assert_int_equal(login(f, "bob", "wrong"), AUTH_E_REFUSED);
	assert_false(is_remembered(f, "bob", "wrong"));
	assert_int_equal(login(f, "bob", "builder"), 0);
	assert_true(is_remembered(f, "bob", "builder"));
	assert_true(is_remembered(f, "bob@example.org", "builder"));
	assert_false(is_remembered(f, "bob", "wrong"));
	assert_false(is_remembered(f, "alice", "builder"));

	set_password(f, "bob", "destroyer");
	assert_false(is_remembered(f, "bob", "builder"));
	assert_int_equal(login(f, "bob", "builder"), AUTH_E_REFUSED);
	assert_int_equal(login(f, "bob", "destroyer"), 0);

	set_clock(299 * 1000);
	assert_true(is_remembered(f, "bob", "destroyer"));
	set_clock(300 * 1000);
	assert_false(is_remembered(f, "bob", "destroyer"));
}

static void test_too_many(void **state)
{
	struct env_fixture *f = *state;
	struct auth_identity who;

	assert_int_equal(login(f, "bob", "builder"), 0);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(login(f, "alice", "wrong"), AUTH_E_REFUSED);
	assert_int_equal(login(f, "alice", "wonderland"), AUTH_E_TOO_MANY);
	/* One peer's failures do not shut the owner out who comes from elsewhere. */
	assert_int_equal(
		auth_password(&f->env, &(struct auth_source){ .peer = SPAN("other") }, SPAN("alice"), SPAN("wonderland"), &who), 0);
	assert_int_equal(auth_password(&f->env, &(struct auth_source){ .peer = SPAN("other") }, SPAN("bob"), SPAN("wrong"), &who),
		AUTH_E_REFUSED);
	/* Who was let in before is not kept out. */
	assert_int_equal(login(f, "bob", "builder"), 0);
	/* Guesses from many peers at one account, or at a name that nobody has, end all the same. */
	for (unsigned i = 0; i < 200; i++) {
		char from[8];

		(void)snprintf(from, sizeof from, "p%u", i % 20);
		assert_int_equal(
			auth_password(&f->env, &(struct auth_source){ .peer = span_str(from) }, SPAN("nobody"), SPAN("x"), &who),
			AUTH_E_REFUSED);
	}
	assert_int_equal(auth_password(&f->env, &(struct auth_source){ .peer = SPAN("fresh") }, SPAN("NOBODY"), SPAN("x"), &who),
		AUTH_E_TOO_MANY);
	/* One comes back every half minute. */
	set_clock(31 * 1000);
	assert_int_equal(login(f, "alice", "wonderland"), 0);
}

/* One address there may be everybody's: only the accounts' own limits hold. */
static void test_this_machine(void **state)
{
	struct env_fixture *f = *state;
	const struct net_address here = { .family = NET_IP4, .ip = { 127, 0, 0, 1 } };
	const struct net_address there = { .family = NET_IP4, .ip = { 192, 0, 2, 1 } };
	struct auth_identity who;
	char name[8];

	assert_int_equal(auth_peer_key(&there).n, 4);
	for (unsigned i = 0; i < 25; i++) {
		(void)snprintf(name, sizeof name, "nobody%u", i % 10);
		assert_int_equal(auth_password(&f->env, &(struct auth_source){ .peer = auth_peer_key(&here) }, span_str(name),
					 SPAN("x"), &who), AUTH_E_REFUSED);
	}
	assert_int_equal(auth_password(&f->env, &(struct auth_source){ .peer = auth_peer_key(&here) }, SPAN("alice"),
				 SPAN("wonderland"), &who), 0);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(auth_password(&f->env, &(struct auth_source){ .peer = auth_peer_key(&here) }, SPAN("bob"),
					 SPAN("wrong"), &who), AUTH_E_REFUSED);
	assert_int_equal(auth_password(&f->env, &(struct auth_source){ .peer = auth_peer_key(&here) }, SPAN("bob"),
				 SPAN("builder"), &who), AUTH_E_TOO_MANY);
}

static void test_right_ones_are_free(void **state)
{
	struct env_fixture *f = *state;

	env_fixture_set(f, "login_cache_s", "0");
	for (unsigned i = 0; i < 25; i++)
		assert_int_equal(login(f, "bob", "builder"), 0);
}

static void test_prepare(void **state)
{
	static const struct {
		const char *password;
		const char *prepared;
	} rows[] = {
		{ "secret", "secret" }, { "two words", "two words" },
		{ "\xc2\xa0non\xe2\x80\x83"
		  "breaking",
			" non breaking" }, /* RFC 4013 C.1.2 */
		{ "I\xc2\xadX", "IX" },    /* RFC 4013 section 3 */
		{ "USER", "USER" }, { "\xc2\xaa", "a" }, { "\xe2\x85\xa8", "IX" },
		{ "a\xcc\x88", "\xc3\xa4" }, /* decomposed is composed */
		{ "\x07", NULL }, { "tab\tbed", NULL }, { "", NULL },
		{ "\xc2\xad", NULL }, /* nothing is left */
		{ "\xff\xfe", NULL }, { "\xed\xa0\x80", NULL },
		{ "\xee\x80\x80", NULL }, /* private use */
		{ "\xef\xbf\xbe", NULL }, /* U+FFFE */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct secret prepared = {};
		struct why why = {};
		int r = auth_prepare(span_str(rows[i].password), &prepared, &why);

		assert_int_equal(r, rows[i].prepared ? 0 : AUTH_E_PASSWORD);
		if (rows[i].prepared)
			assert_true(span_is(secret_span(&prepared), rows[i].prepared));
		else
			assert_true(why.text[0] != 0);
		secret_done(&prepared);
	}
}

static void test_prepare_length(void **state)
{
	CLEANUP(buf_done) struct buf password = {};
	struct secret prepared = {};

	(void)state;
	for (unsigned i = 0; i < LIMIT_PASSWORD; i++)
		buf_add_octet(&password, 'x');
	assert_int_equal(auth_prepare(buf_span(&password), &prepared, NULL), 0);
	secret_done(&prepared);
	buf_add_octet(&password, 'x');
	assert_int_equal(auth_prepare(buf_span(&password), &prepared, NULL), AUTH_E_PASSWORD);
}

static void test_hash(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(buf_done) struct buf hash = {};
	CLEANUP(buf_done) struct buf again = {};

	assert_int_equal(auth_hash(f->env.auth, SPAN("secret"), &hash), 0);
	assert_int_equal(auth_hash(f->env.auth, SPAN("secret"), &again), 0);
	assert_true(span_starts(buf_span(&hash), SPAN("$argon2id$v=19$m=19456,t=2,p=1$")));
	assert_false(span_equal(buf_span(&hash), buf_span(&again)));
	assert_true(auth_hash_matches(f->env.auth, SPAN("secret"), buf_span(&hash)));
	assert_false(auth_hash_matches(f->env.auth, SPAN("Secret"), buf_span(&hash)));
	assert_false(auth_hash_matches(f->env.auth, SPAN(""), buf_span(&hash)));
	assert_false(auth_hash_matches(f->env.auth, SPAN("secret"), SPAN("")));
	assert_false(auth_hash_matches(f->env.auth, SPAN("secret"), SPAN("$argon2id$nonsense")));
}

static void scram(
	struct env_fixture *f, const char *user, struct find *query, struct scram_verifier *v)
{
	*query = (struct find){ .env = &f->env };
	auth_attempt_init(&query->attempt, &(struct auth_source){ .peer = peer }, span_str(user), SPAN(""));
	assert_int_equal(store_read(f->env.store, find, query), 0);
	assert_int_equal(auth_scram(&f->env, &query->attempt, v), 0);
}

static void test_scram(void **state)
{
	struct env_fixture *f = *state;
	struct scram_verifier v, made, other;
	struct find query;

	scram(f, "bob", &query, &v);
	scram_verifier_make(&made, SPAN("builder"), v.iterations, v.salt);
	assert_memory_equal(v.stored_key, made.stored_key, sizeof v.stored_key);
	assert_memory_equal(v.server_key, made.server_key, sizeof v.server_key);
	assert_int_equal(auth_scram_end(&f->env, &query.attempt, true), 0);
	assert_int_equal(auth_scram_end(&f->env, &query.attempt, false), AUTH_E_REFUSED);
	auth_attempt_done(&query.attempt);

	/* Somebody who does not exist: always the same salt, and never right. */
	scram(f, "nobody", &query, &v);
	assert_int_equal(v.iterations, made.iterations);
	assert_int_equal(auth_scram_end(&f->env, &query.attempt, true), AUTH_E_REFUSED);
	auth_attempt_done(&query.attempt);
	scram(f, "Nobody", &query, &other);
	assert_memory_equal(v.salt, other.salt, sizeof v.salt);
	auth_attempt_done(&query.attempt);
	scram(f, "somebody", &query, &other);
	assert_memory_not_equal(v.salt, other.salt, sizeof v.salt);
	auth_attempt_done(&query.attempt);
}

static void test_current(void **state)
{
	struct auth_identity who = { .account = 7, .state = 3 };
	struct store_account account = { .id = 7, .state = 3 };

	(void)state;
	assert_true(auth_is_current(&who, &account));
	account.disabled = true;
	assert_false(auth_is_current(&who, &account));
	account.disabled = false;
	account.state = 4;
	assert_false(auth_is_current(&who, &account));
}

int main(void)
{
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_password),
		WITH_STORE(test_disabled),
		WITH_STORE(test_cache),
		WITH_STORE(test_too_many),
		WITH_STORE(test_this_machine),
		WITH_STORE(test_right_ones_are_free),
		cmocka_unit_test(test_prepare),
		cmocka_unit_test(test_prepare_length),
		cmocka_unit_test(test_hash),
		WITH_STORE(test_scram),
		cmocka_unit_test(test_current),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	log_set_stderr(false);
	return cmocka_run_group_tests(tests, start, stop);
}
