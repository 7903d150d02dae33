/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Secure Mail keys of an account, with both key processes: made and certified, used through them,
 * locked by everything that locks, and passwords that are tried. The clock of the key process is
 * not ours: keyd/request_test.c and vault_test.c move that.
 */

#include "svc/secure_mail.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/test.h"
#include "keyd/client.h"
#include "keyd/provider.h"
#include "pki/key.h"
#include "store/store.h"
#include "svc/ca_fixture.h"
#include "svc/unlocked.h"

#include <openssl/cms.h>

#include <stdlib.h>

static const uint8_t sessions[2][UNLOCKED_SESSION] = { "the first session", "the second session" };

static struct secure_caller caller(struct env_fixture *f, int session)
{
	return (struct secure_caller){ .account = env_fixture_account(f, "alice"),
		.address = SPAN("alice@example.org"),
		.actor = SPAN("alice@example.org"),
		.peer = SPAN("192.0.2.1"),
		.session = session < 0 ? (struct span){}
				       : span_of(sessions[session], UNLOCKED_SESSION) };
}

static void make_authority(struct env_fixture *f)
{
	CLEANUP(arena_done) struct arena a = {};

	(void)ca_fixture_authority(f, &a, "ca", "Authority");
}

static int add_type(struct env_fixture *f, int session, const char *password, const char *type,
	struct why *why)
{
	CLEANUP(secure_made_done) struct secure_made made = {};
	struct secure_caller who = caller(f, session);
	struct secure_new new = { .password = span_str(password), .type = span_str(type) };

	return secure_mail_add(&f->env, &who, &new, &made, why);
}

static int add(struct env_fixture *f, int session, const char *password, struct why *why)
{
	return add_type(f, session, password, "ec:p256", why);
}

static int unlock(struct env_fixture *f, int session, const char *password)
{
	struct secure_caller who = caller(f, session);
	struct why why;
	unsigned n;

	return secure_mail_unlock(&f->env, &who, span_str(password), &n, &why);
}

static size_t n_keys(struct env_fixture *f, int session)
{
	CLEANUP(secure_keys_done) struct secure_keys keys = {};
	struct secure_caller who = caller(f, session);
	struct why why;
	int r = secure_mail_keys(&f->env, who.session, who.account, &keys, &why);

	assert_true(r == 0 || r == SECURE_E_LOCKED || r == SECURE_E_OFF || r == SECURE_E_NONE);
	return keys.n;
}

/* Without an authority nothing is made, and the refusal says what an administrator does. */
static void test_no_issuer(void **state)
{
	struct env_fixture *f = *state;
	struct why why = {};

	assert_int_equal(add(f, 0, "secret", &why), SECURE_E_NO_ISSUER);
	assert_non_null(strstr(why.text, "signet ca create"));
	assert_int_equal(fixture_number(f->store, "select count(*) from secure_key"), 0);
	assert_int_equal(unlock(f, 0, "secret"), SECURE_E_NONE);
}

/* A message that is encrypted to the certificate and signed with the key, both through keyd: what a
 * reader does with what secure_mail_keys gives. */
static void use(struct env_fixture *f, int session)
{
	CLEANUP(secure_keys_done) struct secure_keys keys = {};
	struct secure_caller who = caller(f, session);
	STACK_OF(X509) *to = sk_X509_new_null();
	BIO *in = BIO_new_mem_buf("text", 4), *out = BIO_new(BIO_s_mem()), *plain;
	CMS_ContentInfo *cms;
	struct why why;
	char *p;

	assert_int_equal(secure_mail_keys(&f->env, who.session, who.account, &keys, &why), 0);
	sk_X509_push(to, cert_x509(keys.keys[0].cert));
	cms = CMS_encrypt(to, in, EVP_aes_256_cbc(), CMS_BINARY);
	assert_non_null(cms);
	plain = BIO_new(BIO_s_mem());
	assert_int_equal(
		CMS_decrypt(cms, keys.keys[0].key, cert_x509(keys.keys[0].cert), NULL, plain, 0),
		1);
	assert_int_equal(BIO_get_mem_data(plain, &p), 4);
	assert_memory_equal(p, "text", 4);
	CMS_ContentInfo_free(cms);
	(void)BIO_reset(in);
	cms = CMS_sign(cert_x509(keys.keys[0].cert), keys.keys[0].key, NULL, in, CMS_BINARY);
	assert_non_null(cms);
	assert_int_equal(CMS_verify(cms, NULL, NULL, NULL, out, CMS_NO_SIGNER_CERT_VERIFY), 1);
	assert_true(keys.keys[0].chain != NULL);
	CMS_ContentInfo_free(cms);
	sk_X509_free(to);
	BIO_free(in);
	BIO_free(out);
	BIO_free(plain);
}

static void test_generate(void **state)
{
	struct env_fixture *f = *state;
	struct why why = {};

	make_authority(f);
	assert_int_equal(add_type(f, 0, "secret", "ed25519", &why), SECURE_E_REFUSED);
	assert_int_equal(add_type(f, 0, "secret", "rsa:2048", &why), 0);
	/* CGPW-18: unlocked for whoever made it, and for nobody else. */
	use(f, 0);
	assert_int_equal(n_keys(f, 1), 0);
	/* Another key is under the same password. */
	assert_int_equal(add(f, 1, "other", &why), SECURE_E_PASSWORD);
	assert_int_equal(add(f, 1, "secret", &why), 0);
	use(f, 1);
	assert_int_equal(n_keys(f, 1), 2);
	assert_int_equal(fixture_number(f->store, "select count(*) from issued"), 2);
	assert_int_equal(fixture_number(f->store, "select count(*) from secure_key where is_current = 1"
				 " and cast(type as text) = 'ec:p256'"),
		1);
}

static void test_locking(void **state)
{
	struct env_fixture *f = *state;
	struct secure_caller first = caller(f, 0), nobody = caller(f, -1);
	struct password_strength strength;
	struct why why;

	make_authority(f);
	assert_int_equal(add(f, 0, "secret", &why), 0);
	assert_int_equal(unlock(f, 1, "wrong"), SECURE_E_PASSWORD);
	assert_int_equal(unlock(f, 1, "secret"), 0);
	assert_int_equal(unlocked_count(f->env.unlocked, first.account), 2);
	/* Without a session the password is proven, and nothing stays. */
	assert_int_equal(unlock(f, -1, "secret"), 0);
	assert_int_equal(unlocked_count(f->env.unlocked, first.account), 2);
	secure_mail_lock(&f->env, &first);
	assert_int_equal(n_keys(f, 0), 0);
	assert_int_equal(n_keys(f, 1), 1);
	secure_mail_lock(&f->env, &nobody);
	assert_int_equal(n_keys(f, 1), 0);

	/* The end of a session, and of the account's login. */
	assert_int_equal(unlock(f, 0, "secret"), 0);
	unlocked_end_session(f->env.unlocked, first.session);
	assert_int_equal(n_keys(f, 0), 0);
	assert_int_equal(unlock(f, 0, "secret"), 0);
	unlocked_lock_account(f->env.unlocked, first.account + 1);
	assert_int_equal(n_keys(f, 0), 1);

	/* Another password locks all, and is the only one from then on. */
	assert_int_equal(
		secure_mail_password(&f->env, &first, SPAN("wrong"), SPAN("new"), &strength, &why),
		SECURE_E_PASSWORD);
	assert_int_equal(n_keys(f, 0), 1);
	assert_int_equal(
		secure_mail_password(&f->env, &first, SPAN("secret"), SPAN("new"), &strength, &why),
		0);
	assert_int_equal(n_keys(f, 0), 0);
	assert_int_equal(unlock(f, 0, "secret"), SECURE_E_PASSWORD);
	assert_int_equal(unlock(f, 0, "new"), 0);
	use(f, 0);

	/* CGPW-7 */
	secure_mail_lock_where_off(&f->env);
	assert_int_equal(unlocked_count(f->env.unlocked, first.account), 1);
	env_fixture_account_set(f, "alice", "smime", "no");
	assert_int_equal(n_keys(f, 0), 0);
	assert_int_equal(unlock(f, 0, "new"), SECURE_E_OFF);
	secure_mail_lock_where_off(&f->env);
	assert_int_equal(unlocked_count(f->env.unlocked, first.account), 0);
}

/* A key that somebody was given while it was locked elsewhere fails, and says nothing. */
static void test_locked_in_use(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(secure_keys_done) struct secure_keys keys = {};
	struct secure_caller who = caller(f, 0);
	uint8_t signature[256], digest[32] = {};
	size_t n = sizeof signature;
	EVP_PKEY_CTX *ctx;
	struct why why;

	make_authority(f);
	assert_int_equal(add(f, 0, "secret", &why), 0);
	assert_int_equal(secure_mail_keys(&f->env, who.session, who.account, &keys, &why), 0);
	secure_mail_lock(&f->env, &who);
	ctx = EVP_PKEY_CTX_new(keys.keys[0].key, NULL);
	assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
	assert_true(EVP_PKEY_sign(ctx, signature, &n, digest, sizeof digest) <= 0);
	EVP_PKEY_CTX_free(ctx);
}

/* Wrong passwords of one peer end in "later", those of another do not count there, and time heals.
 */
static void test_guessing(void **state)
{
	struct env_fixture *f = *state;
	int64_t now_us = clock_now_us(), now_ms = clock_monotonic_ms();
	struct secure_caller elsewhere = caller(f, 1);
	unsigned n, wrong = 0;
	struct why why;

	make_authority(f);
	assert_int_equal(add(f, 0, "secret", &why), 0);
	clock_set(now_us, now_ms);
	for (int i = 0; i < 100; i++) {
		int r = unlock(f, 0, "guess");

		assert_true(r == SECURE_E_PASSWORD || r == SECURE_E_LATER);
		wrong += r == SECURE_E_PASSWORD;
	}
	assert_int_equal(wrong, ENV_SECURE_FAILURES);
	assert_int_equal(unlock(f, 0, "secret"), SECURE_E_LATER);
	assert_int_equal(n_keys(f, 0), 1);
	elsewhere.peer = SPAN("192.0.2.2");
	assert_int_equal(secure_mail_unlock(&f->env, &elsewhere, SPAN("secret"), &n, &why), 0);
	clock_set(now_us + 60000000, now_ms + 60000);
	assert_int_equal(unlock(f, 0, "secret"), 0);
	/* What was right is given back: it can be done all day. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(unlock(f, 0, "secret"), 0);
	clock_set(0, 0);
}

static int unlock_of(struct env_fixture *f, const char *account, const char *password,
	struct why *why)
{
	struct secure_caller who = caller(f, 0);
	unsigned n;

	who.account = env_fixture_account(f, account);
	who.peer = SPAN("192.0.2.3");
	return secure_mail_unlock(&f->env, &who, span_str(password), &n, why);
}

/* Right passwords are bounded, too: one act at a time, and so many keys; of each account by itself. */
static void test_work(void **state)
{
	struct env_fixture *f = *state;
	int64_t now_us = clock_now_us(), now_ms = clock_monotonic_ms();
	int64_t alice = env_fixture_account(f, "alice");
	struct span key = span_of(&alice, sizeof alice);
	struct secure_caller bob = caller(f, 0);
	struct secure_new new = { .password = SPAN("bobs"), .type = SPAN("ec:p256") };
	struct secure_made made = {};
	struct why why = {};

	make_authority(f);
	clock_set(now_us, now_ms);
	assert_int_equal(add(f, 0, "secret", &why), 0);
	assert_int_equal(add(f, 0, "secret", &why), 0);
	bob.account = env_fixture_account(f, "bob");
	bob.address = SPAN("bob@example.org");
	assert_int_equal(secure_mail_add(&f->env, &bob, &new, &made, &why), 0);
	secure_made_done(&made);

	assert_true(limiter_open(f->env.secure_work, key, now_ms));
	assert_int_equal(unlock_of(f, "alice", "secret", &why), SECURE_E_BUSY);
	assert_non_null(strstr(why.text, "under way"));
	assert_int_equal(add(f, 0, "secret", &why), SECURE_E_BUSY);
	assert_int_equal(unlock_of(f, "bob", "bobs", &why), 0);
	limiter_close(f->env.secure_work, key);

	/* Unlocking costs two, a wrong password one: then there is one left. */
	clock_set(now_us, now_ms + 1000 * ENV_SECURE_WORK);
	for (int i = 0; i < ENV_SECURE_WORK - 4; i++)
		assert_true(limiter_take(f->env.secure_work, key, clock_monotonic_ms()));
	assert_int_equal(unlock_of(f, "alice", "secret", &why), 0);
	assert_int_equal(unlock_of(f, "alice", "wrong", &why), SECURE_E_PASSWORD);
	for (int i = 0; i < 50; i++)
		assert_int_equal(unlock_of(f, "alice", "secret", &why), SECURE_E_BUSY);
	assert_non_null(strstr(why.text, "too often"));
	/* What was refused so was no wrong password. */
	clock_set(now_us, now_ms + 1000 * ENV_SECURE_WORK + 1000);
	assert_int_equal(unlock_of(f, "alice", "secret", &why), 0);
	assert_int_equal(unlock_of(f, "alice", "secret", &why), SECURE_E_BUSY);
	clock_set(0, 0);
}

static void put_open(struct env_fixture *f, struct keyd_key *key, uint8_t number, int64_t account)
{
	uint8_t id[UNLOCKED_SESSION] = { number };
	struct unlocked_keys keys = { .keys = { { .id = 1, .key = keyd_key_ref(key) } }, .n = 1 };

	unlocked_put(f->env.unlocked, span_of(id, sizeof id), account, &keys);
}

/* An account's keys are open in so many sessions, so that nobody fills keyd's table; those that keyd
 * has locked since do not count. */
static void test_sessions(void **state)
{
	struct env_fixture *f = *state;
	struct secure_caller who = caller(f, 0);
	struct unlocked_keys open = {};
	uint32_t left_ms;
	struct why why;

	make_authority(f);
	assert_int_equal(add(f, 0, "secret", &why), 0);
	unlocked_get(f->env.unlocked, who.session, who.account, &open, &left_ms);
	assert_int_equal(open.n, 1);
	for (uint8_t i = 0; i < 2 * UNLOCKED_SESSIONS_MAX; i++) {
		put_open(f, open.keys[0].key, i, 700);
		put_open(f, open.keys[0].key, i, 800);
		put_open(f, open.keys[0].key, i, 800);
		assert_int_equal(unlocked_count(f->env.unlocked, 700),
			i < UNLOCKED_SESSIONS_MAX ? i + 1 : UNLOCKED_SESSIONS_MAX);
	}
	assert_int_equal(unlocked_count(f->env.unlocked, 800), UNLOCKED_SESSIONS_MAX);
	unlocked_lock(f->env.unlocked, who.session, who.account);
	assert_int_equal(unlocked_count(f->env.unlocked, 700), 0);
	unlocked_keys_done(&open);
}

/* Key files, which may be made to cost as much as can be: one at a time, and so many. */
static void test_imports(void **state)
{
	struct env_fixture *f = *state;
	int64_t now_us = clock_now_us(), now_ms = clock_monotonic_ms();
	struct secure_caller who = caller(f, 0), bob = caller(f, 0);
	struct why why = {};

	clock_set(now_us, now_ms);
	bob.account = env_fixture_account(f, "bob");
	assert_int_equal(secure_mail_import_begin(&f->env, &who, &why), 0);
	assert_int_equal(secure_mail_import_begin(&f->env, &who, &why), SECURE_E_BUSY);
	assert_int_equal(secure_mail_import_begin(&f->env, &bob, &why), 0);
	secure_mail_import_done(&f->env, &who);
	for (int i = 1; i < ENV_SECURE_IMPORTS; i++) {
		assert_int_equal(secure_mail_import_begin(&f->env, &who, &why), 0);
		secure_mail_import_done(&f->env, &who);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(secure_mail_import_begin(&f->env, &who, &why), SECURE_E_BUSY);
	clock_set(now_us, now_ms + 60000);
	assert_int_equal(secure_mail_import_begin(&f->env, &who, &why), 0);
	clock_set(0, 0);
}

struct from {
	int64_t account;
	const char *from;
};

static int set_from(struct store_conn *c, void *arg)
{
	struct from *s = arg;

	return store_secure_set(c, s->account, SPAN("from"), span_str(s->from), NULL);
}

/* CGPW-12: for the From address where mail for it comes to the account, and to no other. */
static void test_address(void **state)
{
	static const struct {
		const char *from, *expected;
	} cases[] = {
		{ "", "alice@example.org" },
		{ "sales@example.org", "sales@example.org" },
		{ "all@example.org", "alice@example.org" },
		{ "nobody@example.org", "alice@example.org" },
	};
	struct env_fixture *f = *state;
	struct why why;

	make_authority(f);
	env_fixture_alias(f, "sales", "alice@example.org");
	env_fixture_alias(f, "all", "alice@example.org,bob@example.org");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CLEANUP(secure_keys_done) struct secure_keys keys = {};
		struct secure_caller who = caller(f, 0);
		struct cert_name name;
		struct from from = { who.account, cases[i].from };

		assert_int_equal(store_write(f->env.store, set_from, &from), 0);
		assert_int_equal(add(f, 0, "secret", &why), 0);
		assert_int_equal(secure_mail_keys(&f->env, who.session, who.account, &keys, &why),
			0);
		assert_true(cert_alt_name(keys.keys[0].cert, 0, &name));
		assert_true(span_is(name.text, cases[i].expected));
	}
}

/* A certificate that the authority gives anew: the newest is the current one, old ones stay for old
 * mail. */
static void test_renew(void **state)
{
	struct env_fixture *f = *state;
	struct secure_caller who = caller(f, 0);
	struct why why;
	struct secure_made renewed = {};

	make_authority(f);
	assert_int_equal(add(f, 0, "secret", &why), 0);
	assert_int_equal(secure_mail_renew(&f->env, &who, 0, SPAN(""), &renewed, &why), 0);
	assert_int_equal(n_keys(f, 0), 2);
	assert_int_equal(fixture_number(f->store, "select count(*) from secure_key"), 1);
	assert_int_equal(
		fixture_number(f->store, "select count(*) from secure_cert where is_current = 1"),
		1);
	assert_int_equal(fixture_number(f->store, "select count(*) from issued where successor is null"),
		1);
	assert_int_equal(secure_mail_renew(&f->env, &who, 4711, SPAN(""), &renewed, &why), SECURE_E_NONE);
	use(f, 0);
}

/* A key with several certificates that somebody else has got hold of. */
static void test_remove_compromised(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(secure_made_done) struct secure_made renewed = {};
	CLEANUP(secure_removed_done) struct secure_removed removed = {};
	CLEANUP(secure_keys_done) struct secure_keys keys = {};
	struct secure_caller who = caller(f, 0);
	struct secure_removal removal = { .revokes = true, .reason = REASON_KEY_COMPROMISE };
	struct why why;

	make_authority(f);
	assert_int_equal(add(f, 0, "secret", &why), 0);
	assert_int_equal(secure_mail_renew(&f->env, &who, 0, SPAN(""), &renewed, &why), 0);
	assert_int_equal(secure_mail_keys(&f->env, who.session, who.account, &keys, &why), 0);
	removal.spki = cert_spki(keys.keys[0].cert);
	assert_int_equal(secure_mail_remove(&f->env, &who, &removal, &removed, &why), 0);
	assert_int_equal(removed.n_revoked, 2);
	assert_int_equal(buf_size(&removed.warnings), 0);
	assert_int_equal(fixture_number(f->store, "select count(*) from issued where reason = 1"), 2);
	assert_int_equal(fixture_number(f->store, "select count(*) from secure_key"), 0);
}

int main(void)
{
	struct env_fixture *f = env_fixture_new();
	const struct CMUnitTest tests[] = {
		ENV_FIXTURE_TEST(test_no_issuer, f),
		ENV_FIXTURE_TEST(test_generate, f),
		ENV_FIXTURE_TEST(test_locking, f),
		ENV_FIXTURE_TEST(test_locked_in_use, f),
		ENV_FIXTURE_TEST(test_guessing, f),
		ENV_FIXTURE_TEST(test_work, f),
		ENV_FIXTURE_TEST(test_sessions, f),
		ENV_FIXTURE_TEST(test_imports, f),
		ENV_FIXTURE_TEST(test_address, f),
		ENV_FIXTURE_TEST(test_renew, f),
		ENV_FIXTURE_TEST(test_remove_compromised, f),
	};
	int failed;

	log_set_stderr(false);
	env_fixture_person(f, "bob", "builder");
	if (provider_load())
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	env_fixture_free(f);
	provider_unload();
	return failed;
}
