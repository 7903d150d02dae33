/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* For tests: everything a service is given, in small: a store in a folder of its own, a keyd as a
 * child process, worker threads. Calls that fail end the test. */

#include "base/arena.h"
#include "keyd/testing.h"
#include "store/fixture.h"
#include "svc/env.h"

struct env_fixture {
	struct env env; /* env.tls is not NULL, but nothing to be looked into */
	struct fixture *store;

	/* Private. */
	struct testing keyd, keyd_user;
	struct pool *cpu;
	struct arena credentials;
	struct buf people; /* struct env_person */
};

/* keyd and the threads, without a store: once in a process, before it has other threads. */
struct env_fixture *env_fixture_new(void);
struct env_fixture *env_fixture_free(struct env_fixture *f);

/* A person of example.org in each store opened from now on. alice (an administrator, password
 * "wonderland") is there without being added. */
void env_fixture_person(struct env_fixture *f, const char *local, const char *password);

/* A fresh store with these people, and its end. No session may be left. */
void env_fixture_open(struct env_fixture *f);
void env_fixture_close(struct env_fixture *f);

/* A test with a fresh store in f, which is its state. */
#define ENV_FIXTURE_TEST(test, f)                                                                  \
	cmocka_unit_test_prestate_setup_teardown(test, env_fixture_setup, env_fixture_teardown, f)
int env_fixture_setup(void **state);
int env_fixture_teardown(void **state);

/* In the open store: settings, aliases (targets separated by commas, in the place of those it had),
 * and what an account has. */
void env_fixture_set(struct env_fixture *f, const char *key, const char *value);
void env_fixture_alias(struct env_fixture *f, const char *local, const char *targets);
void env_fixture_account_set(
	struct env_fixture *f, const char *local, const char *key, const char *value);
int64_t env_fixture_account(struct env_fixture *f, const char *local);
void env_fixture_mailbox(struct env_fixture *f, const char *local, const char *name);

/* What lies in alice's INBOX: how much, and that the message with this UID holds the text. */
int64_t env_fixture_inbox_count(struct env_fixture *f);
void env_fixture_assert_mail(struct env_fixture *f, uint32_t uid, const char *text);
