/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* A running server for tests, without network. Hashing a password is slow, so what is stored of it
 * is made once and put into each fresh store. */

#include "svc/env_fixture.h"

#include "base/alloc.h"
#include "mail/rule_cache.h"
#include "smime/cert_cache.h"
#include "store/account.h"
#include "store/domain.h"
#include "store/mailbox.h"
#include "store/message.h"
#include "store/settings.h"
#include "svc/auth.h"
#include "svc/outgoing.h"
#include "svc/ca_status.h"
#include "svc/revocation.h"
#include "svc/staple.h"
#include "svc/trust.h"
#include "svc/unlocked.h"

#include <stdio.h>
#include <stdlib.h>

enum { TARGETS_MAX = 1000 };

struct env_person {
	const char *local;
	struct store_credentials credentials;
};

static void must(int r, const char *what)
{
	if (r == 0)
		return;
	(void)fprintf(stderr, "env fixture: %s: %d (%s)\n", what, r, err_last_trace());
	abort();
}

struct env_fixture *env_fixture_new(void)
{
	struct env_fixture *f = ALLOC(struct env_fixture);

	testing_start(&f->keyd, KEYD_DOMAIN, 4);
	testing_start(&f->keyd_user, KEYD_USER, 4);
	must(pool_new(&f->cpu, "cpu", 1, 1000, NULL, NULL, NULL), "pool_new");
	f->env.hostname = "example.org";
	f->env.cpu = f->env.blocking = pool_executor(f->cpu);
	f->env.keyd = f->keyd.client;
	f->env.keyd_user = f->keyd_user.client;
	f->env.auth = auth_new();
	f->env.rules = rule_cache_new();
	f->env.trusts = trusts_new(TRUST_BUNDLE);
	f->env.revocations = revocations_new(&f->env);
	f->env.staples = staples_new(&f->env);
	f->env.outgoings = outgoings_new();
	f->env.mail_certs = cert_cache_new(100);
	f->env.tls = (struct tls_host *)f;
	env_fixture_person(f, "alice", "wonderland");
	return f;
}

struct env_fixture *env_fixture_free(struct env_fixture *f)
{
	if (f) {
		pool_free(f->cpu);
		auth_free(f->env.auth);
		rule_cache_free(f->env.rules);
		trusts_free(f->env.trusts);
		revocations_free(f->env.revocations);
		staples_free(f->env.staples);
		outgoings_free(f->env.outgoings);
		cert_cache_free(f->env.mail_certs);
		testing_done(&f->keyd);
		testing_done(&f->keyd_user);
		arena_done(&f->credentials);
		buf_done(&f->people);
		free(f);
	}
	return NULL;
}

void env_fixture_person(struct env_fixture *f, const char *local, const char *password)
{
	struct env_person person = { .local = local };

	must(auth_make_credentials(
		     &f->env, span_str(password), &f->credentials, &person.credentials, NULL),
		local);
	buf_add(&f->people, span_of(&person, sizeof person));
}

static int add_people(struct store_conn *c, void *arg)
{
	struct env_fixture *f = arg;
	const struct env_person *people = (const void *)buf_span(&f->people).p;
	size_t n = buf_size(&f->people) / sizeof *people;
	int64_t id;

	TRY(store_account_set_credentials(c, f->store->account, &people[0].credentials));
	for (size_t i = 1; i < n; i++)
		TRY(store_account_add(c, f->store->domain, span_str(people[i].local), ROLE_USER,
			&people[i].credentials, &id));
	return 0;
}

void env_fixture_open(struct env_fixture *f)
{
	f->store = fixture_new();
	f->env.store = f->store->store;
	f->env.ca = ca_new(&f->env);
	must(store_write(f->env.store, add_people, f), "people");
	/* As the settings' defaults are: 20 failures in ten minutes. */
	f->env.login_failures = limiter_new(20.0 / 600, 20, 0, 1000);
	f->env.login_accounts = limiter_new(200.0 / 600, 200, 0, 1000);
	f->env.secure_failures = limiter_new(1.0 / 60, ENV_SECURE_FAILURES, 0, ENV_SECURE_ACCOUNTS);
	f->env.secure_work = limiter_new(1, ENV_SECURE_WORK, 1, ENV_SECURE_ACCOUNTS);
	f->env.secure_imports =
		limiter_new(1.0 / 60, ENV_SECURE_IMPORTS, 1, ENV_SECURE_ACCOUNTS);
	f->env.unlocked = unlocked_new(f->env.keyd_user);
	f->env.smtp_peer = limiter_new(1000, 1000, 0, 1000);
	f->env.smtp_account = limiter_new(1000, 1000, 0, 1000);
}

static int nothing(struct task *t, void *worker)
{
	(void)t;
	(void)worker;
	return 0;
}

/* The pool has one thread: what was started on it before, as an errand in the store, has ended then. */
static void wait_for_pool(struct env_fixture *f)
{
	struct task task = { .run = nothing };

	must(task_call(f->env.blocking, &task), "task_call");
}

void env_fixture_close(struct env_fixture *f)
{
	ca_stop(&f->env);
	wait_for_pool(f);
	f->env.ca = ca_free(f->env.ca);
	f->env.login_failures = limiter_free(f->env.login_failures);
	f->env.login_accounts = limiter_free(f->env.login_accounts);
	f->env.secure_failures = limiter_free(f->env.secure_failures);
	f->env.secure_work = limiter_free(f->env.secure_work);
	f->env.secure_imports = limiter_free(f->env.secure_imports);
	f->env.unlocked = unlocked_free(f->env.unlocked);
	f->env.smtp_peer = limiter_free(f->env.smtp_peer);
	f->env.smtp_account = limiter_free(f->env.smtp_account);
	f->store = fixture_free(f->store);
	f->env.store = NULL;
}

int env_fixture_setup(void **state)
{
	env_fixture_open(*state);
	return 0;
}

int env_fixture_teardown(void **state)
{
	env_fixture_close(*state);
	return 0;
}

struct change {
	struct env_fixture *f;
	const char *local, *key, *value;
	int64_t account;
};

static int set_setting(struct store_conn *c, void *arg)
{
	struct change *change = arg;

	TRY(settings_write(c, span_str(change->key), span_str(change->value), NULL));
	return 0;
}

void env_fixture_set(struct env_fixture *f, const char *key, const char *value)
{
	struct change change = { .key = key, .value = value };

	must(store_write(f->env.store, set_setting, &change), key);
	must(settings_reload(f->env.store), "settings_reload");
}

static int find_account(struct store_conn *c, void *arg)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct change *change = arg;
	struct store_account account;

	TRY(store_account_find(c, &arena, span_str(change->local), &account, NULL));
	change->account = account.id;
	return 0;
}

int64_t env_fixture_account(struct env_fixture *f, const char *local)
{
	struct change change = { .local = local };

	must(store_read(f->env.store, find_account, &change), local);
	return change.account;
}

static int set_account(struct store_conn *c, void *arg)
{
	struct change *change = arg;

	TRY(store_account_set(
		c, change->account, span_str(change->key), span_str(change->value), NULL));
	return 0;
}

void env_fixture_account_set(
	struct env_fixture *f, const char *local, const char *key, const char *value)
{
	struct change change = {
		.account = env_fixture_account(f, local),
		.key = key,
		.value = value,
	};

	must(store_write(f->env.store, set_account, &change), key);
}

static int set_alias(struct store_conn *c, void *arg)
{
	struct change *change = arg;
	struct span rest = span_str(change->value), targets[TARGETS_MAX];
	size_t n = 0;
	int r = store_alias_remove(c, change->f->store->domain, span_str(change->local));

	if (r && r != STORE_E_NOT_FOUND)
		return err_fold(r);

	while (rest.n && n < TARGETS_MAX)
		targets[n++] = span_cut(&rest, ',');
	TRY(store_alias_add(c, change->f->store->domain, span_str(change->local), targets, n));
	return 0;
}

void env_fixture_alias(struct env_fixture *f, const char *local, const char *targets)
{
	struct change change = { .f = f, .local = local, .value = targets };

	must(store_write(f->env.store, set_alias, &change), local);
}

static int add_mailbox(struct store_conn *c, void *arg)
{
	struct change *change = arg;
	int64_t id;

	TRY(store_mailbox_create(c, change->account, span_str(change->value), USE_NONE, &id, NULL));
	return 0;
}

void env_fixture_mailbox(struct env_fixture *f, const char *local, const char *name)
{
	struct change change = { .account = env_fixture_account(f, local), .value = name };

	must(store_write(f->env.store, add_mailbox, &change), name);
}

int64_t env_fixture_inbox_count(struct env_fixture *f)
{
	CLEANUP(alloc_freep)
	char *sql = alloc_format(
		"SELECT count(*) FROM message WHERE mailbox = %lld", (long long)f->store->inbox);

	return fixture_number(f->store, sql);
}

struct reading {
	int64_t mailbox;
	uint32_t uid;
	struct buf octets;
};

static int read_one(const struct store_message *message, void *context)
{
	struct reading *r = context;

	buf_add(&r->octets, message->data);
	return 0;
}

static int read_message(struct store_conn *c, void *arg)
{
	struct reading *r = arg;

	return store_messages(c, r->mailbox, &r->uid, 1, WANT_DATA, read_one, r, NULL);
}

void env_fixture_assert_mail(struct env_fixture *f, uint32_t uid, const char *text)
{
	struct reading r = { .mailbox = f->store->inbox, .uid = uid };
	struct span all;

	must(store_read(f->env.store, read_message, &r), "store_read");
	all = buf_span(&r.octets);
	if (span_find_span(all, span_str(text)) == all.n) {
		(void)fprintf(stderr, "message %u lacks \"%s\":\n%.*s\n", uid, text, (int)all.n,
			(const char *)all.p);
		abort();
	}
	buf_done(&r.octets);
}
