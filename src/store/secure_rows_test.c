/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Secure Mail as rows: which key is the current one, what belongs together, and what does not
 * happen when something else has happened meanwhile. */

#include "store/secure_rows.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/test.h"
#include "store/account.h"
#include "store/domain.h"
#include "store/fixture.h"

#include <stdlib.h>

struct call {
	int (*f)(struct store_conn *c, struct call *call);
	struct fixture *fixture;
	int64_t account;
	int64_t id;
	int64_t revision;
	bool start_over;
	struct store_secure_key key;
	struct store_secure_cert cert;
	struct store_secure_wrapped wrapped[4];
	size_t n;
	const char *name, *value;
	struct store_secure secure;
	struct arena arena;
	struct buf text;
	struct why why;
};

static int call_run(struct store_conn *c, void *arg)
{
	struct call *call = arg;

	return call->f(c, call);
}

static int run(struct fixture *f, int (*what)(struct store_conn *, struct call *), struct call *k)
{
	k->f = what;
	k->fixture = f;
	if (!k->account)
		k->account = f->account;
	return store_write(f->store, call_run, k);
}

static int key_add(struct store_conn *c, struct call *k)
{
	k->key.account = k->account;
	return store_secure_key_add(c, &k->key, k->revision, k->start_over, &k->id);
}

static int key_remove(struct store_conn *c, struct call *k)
{
	return store_secure_key_remove(c, k->account, k->id);
}

static int key_make_current(struct store_conn *c, struct call *k)
{
	return store_secure_key_make_current(c, k->account, k->id);
}

static int rewrap(struct store_conn *c, struct call *k)
{
	return store_secure_rewrap(c, k->account, k->revision, k->wrapped, k->n);
}

static int cert_add(struct store_conn *c, struct call *k)
{
	return store_secure_cert_add(c, &k->cert, &k->id);
}

static int get(struct store_conn *c, struct call *k)
{
	return store_secure_get(c, &k->arena, k->account, &k->secure);
}

static int set(struct store_conn *c, struct call *k)
{
	return store_secure_set(c, k->account, span_str(k->name), span_str(k->value), &k->why);
}

static int set_account(struct store_conn *c, struct call *k)
{
	return store_account_set(c, k->account, span_str(k->name), span_str(k->value), &k->why);
}

static int set_domain(struct store_conn *c, struct call *k)
{
	return store_domain_set(c, k->fixture->domain, span_str(k->name), span_str(k->value),
		&k->why);
}

static int add_account(struct store_conn *c, struct call *k)
{
	const struct store_credentials none = {};

	return store_account_add(c, k->fixture->domain, span_str(k->name), ROLE_USER, &none,
		&k->account);
}

static int remove_account(struct store_conn *c, struct call *k)
{
	return store_account_remove(c, k->account);
}

static int rename_domain(struct store_conn *c, struct call *k)
{
	return store_domain_rename(c, k->fixture->domain, span_str(k->name));
}

static int see_present(const struct store_secure_cert *cert, bool of_current, void *context)
{
	struct call *k = context;

	buf_add(&k->text, cert->der);
	buf_add_string(&k->text, of_current ? "! " : " ");
	return 0;
}

static int list_present(struct store_conn *c, struct call *k)
{
	return store_secure_cert_present(c, k->account, see_present, k);
}

static int see_cert(const struct store_secure_cert *cert, void *context)
{
	struct call *k = context;

	buf_add(&k->text, cert->der);
	buf_add_string(&k->text, cert->current ? "! " : " ");
	return 0;
}

static int see_key(const struct store_secure_key *key, void *context)
{
	struct call *k = context;

	buf_add(&k->text, key->key_id);
	buf_add_format(&k->text, "%s=%.*s/%d ", key->current ? "!" : "", (int)key->wrapped.n,
		(const char *)key->wrapped.p, (int)key->password);
	return 0;
}

static int list_keys(struct store_conn *c, struct call *k)
{
	return store_secure_key_each(c, k->account, see_key, k);
}

static int list_certs(struct store_conn *c, struct call *k)
{
	return store_secure_cert_each(c, k->id, see_cert, k);
}

static void expect(struct fixture *f, int64_t account, const char *expected)
{
	struct call k = { .account = account };
	char *text;

	assert_int_equal(run(f, list_keys, &k), 0);
	text = buf_steal_string(&k.text);
	assert_string_equal(text, expected);
	free(text);
}

static int64_t revision_of(struct fixture *f)
{
	struct call k = {};
	int64_t revision;

	assert_int_equal(run(f, get, &k), 0);
	revision = k.secure.revision;
	arena_done(&k.arena);
	return revision;
}

static int64_t make_key(struct fixture *f, const char *id, bool current)
{
	struct call k = { .revision = revision_of(f),
		.key = { .key_id = span_str(id),
			.type = SPAN("ec:p256"),
			.spki = SPAN("spki"),
			.wrapped = SPAN("w"),
			.current = current } };

	assert_int_equal(run(f, key_add, &k), 0);
	return k.id;
}

static void make_cert(struct fixture *f, int64_t key, const char *der, bool current)
{
	struct call k = { .cert = { .key = key,
				  .sha256 = span_str(der),
				  .der = span_str(der),
				  .chain = SPAN("chain"),
				  .current = current } };

	assert_int_equal(run(f, cert_add, &k), 0);
}

/* The first is current, whatever it says; a later one if it says so; one of them always is. */
static void test_current(void **state)
{
	struct fixture *f = *state;
	int64_t a = make_key(f, "a", false), b = make_key(f, "b", false),
		c = make_key(f, "c", true);
	struct call k = { .id = b };

	expect(f, f->account, "c!=w/1 b=w/1 a=w/1 ");
	assert_int_equal(run(f, key_make_current, &k), 0);
	expect(f, f->account, "b!=w/1 c=w/1 a=w/1 ");
	assert_int_equal(run(f, key_remove, &k), 0);
	expect(f, f->account, "c!=w/1 a=w/1 ");
	assert_int_equal(run(f, key_remove, &k), STORE_E_NOT_FOUND);
	assert_int_equal(run(f, key_make_current, &k), STORE_E_NOT_FOUND);
	k.id = a;
	assert_int_equal(run(f, key_remove, &k), 0);
	k.id = c;
	assert_int_equal(run(f, key_remove, &k), 0);
	expect(f, f->account, "");
}

static void test_limits(void **state)
{
	struct fixture *f = *state;
	struct call k = { .key = { .key_id = SPAN("k0"),
				  .type = SPAN("t"),
				  .spki = SPAN("s"),
				  .wrapped = SPAN("w") } };

	for (int i = 0; i < SECURE_KEYS_MAX; i++) {
		char *id = alloc_format("k%d", i);

		(void)make_key(f, id, false);
		free(id);
		if (i == 0) {
			k.revision = revision_of(f);
			assert_int_equal(run(f, key_add, &k), STORE_E_EXISTS);
		}
	}
	k.revision = revision_of(f);
	k.key.key_id = SPAN("more");
	assert_int_equal(run(f, key_add, &k), STORE_E_LIMIT);
}

/* All keys of the password change together, or none; what was made from another state is refused.
 */
static void test_rewrap(void **state)
{
	struct fixture *f = *state;
	int64_t a = make_key(f, "a", true), b = make_key(f, "b", true);
	struct call k = { .revision = revision_of(f), .n = 1, .wrapped = { { a, SPAN("new-a") } } };
	struct call add = { .revision = k.revision,
		.key = { .key_id = SPAN("c"),
			.type = SPAN("t"),
			.spki = SPAN("s"),
			.wrapped = SPAN("old") } };

	assert_int_equal(run(f, rewrap, &k), STORE_E_STALE);
	k.wrapped[1] = (struct store_secure_wrapped){ b + 100, SPAN("nobody's") };
	k.n = 2;
	assert_int_equal(run(f, rewrap, &k), STORE_E_STALE);
	expect(f, f->account, "b!=w/1 a=w/1 ");
	k.wrapped[1] = (struct store_secure_wrapped){ b, SPAN("new-b") };
	assert_int_equal(run(f, rewrap, &k), 0);
	expect(f, f->account, "b!=new-b/1 a=new-a/1 ");
	/* Sealed under the password of before. */
	assert_int_equal(run(f, key_add, &add), STORE_E_STALE);
	assert_int_equal(run(f, rewrap, &k), STORE_E_STALE);
}

/* Keys under a password that is forgotten stay as they are, and cannot be the current one. */
static void test_start_over(void **state)
{
	struct fixture *f = *state;
	int64_t old = make_key(f, "old", true);
	struct call k = { .revision = revision_of(f),
		.start_over = true,
		.key = { .key_id = SPAN("new"),
			.type = SPAN("t"),
			.spki = SPAN("s"),
			.wrapped = SPAN("n"),
			.current = true } };
	int64_t new;

	assert_int_equal(run(f, key_add, &k), 0);
	new = k.id;
	expect(f, f->account, "new!=n/2 old=w/1 ");
	k.id = old;
	assert_int_equal(run(f, key_make_current, &k), STORE_E_REFUSED);
	k.revision = revision_of(f);
	k.wrapped[0] = (struct store_secure_wrapped){ new, SPAN("nn") };
	k.n = 1;
	assert_int_equal(run(f, rewrap, &k), 0);
	expect(f, f->account, "new!=nn/2 old=w/1 ");
}

/* Those of the current key first; those of a password that is forgotten not at all. */
static void test_present(void **state)
{
	struct fixture *f = *state;
	int64_t a = make_key(f, "a", true), b = make_key(f, "b", true);
	struct call k = { .account = f->account,
		.revision = revision_of(f),
		.start_over = true,
		.key = { .account = f->account,
			.key_id = SPAN("new"),
			.type = SPAN("t"),
			.spki = SPAN("s"),
			.wrapped = SPAN("n"),
			.current = true } };
	char *text;

	make_cert(f, b, "b1", true);
	make_cert(f, a, "a1", true);
	make_cert(f, b, "b2", false);
	assert_int_equal(run(f, list_present, &k), 0);
	text = buf_steal_string(&k.text);
	assert_string_equal(text, "b2! b1! a1 ");
	free(text);
	assert_int_equal(run(f, key_add, &k), 0);
	make_cert(f, k.id, "n1", true);
	assert_int_equal(run(f, list_present, &k), 0);
	text = buf_steal_string(&k.text);
	assert_string_equal(text, "n1! ");
	free(text);
	arena_done(&k.arena);
}

static void test_certs(void **state)
{
	struct fixture *f = *state;
	int64_t a = make_key(f, "a", true);
	struct call k = { .id = a };
	char *text;

	make_cert(f, a, "one", false);
	make_cert(f, a, "two", false);
	make_cert(f, a, "three", true);
	assert_int_equal(run(f, list_certs, &k), 0);
	text = buf_steal_string(&k.text);
	assert_string_equal(text, "three! two one ");
	free(text);
	k.cert = (struct store_secure_cert){ .key = a, .sha256 = SPAN("one"), .der = SPAN("one") };
	assert_int_equal(run(f, cert_add, &k), STORE_E_EXISTS);
	arena_done(&k.arena);
}

static void test_settings(void **state)
{
	struct fixture *f = *state;
	struct call k = {};

	assert_int_equal(run(f, get, &k), 0);
	assert_true(k.secure.enabled);
	assert_int_equal(k.secure.lock_after_s, 180);
	assert_int_equal(k.secure.password, 1);
	assert_true(span_is(k.secure.address, "alice@example.org"));
	k.name = "lock_after";
	k.value = "10m";
	assert_int_equal(run(f, set, &k), 0);
	k.name = "cipher";
	k.value = "aes-256-gcm";
	assert_int_equal(run(f, set, &k), 0);
	k.value = "des";
	assert_int_equal(run(f, set, &k), STORE_E_REFUSED);
	assert_non_null(strstr(k.why.text, "aes-128-cbc"));
	k.name = "lock_after";
	k.value = "9";
	assert_int_equal(run(f, set, &k), STORE_E_REFUSED);
	k.name = "password";
	assert_int_equal(run(f, set, &k), STORE_E_REFUSED);
	assert_int_equal(run(f, get, &k), 0);
	assert_int_equal(k.secure.lock_after_s, 600);
	assert_int_equal(k.secure.cipher, SECURE_CIPHER_AES256_GCM);
	arena_done(&k.arena);
}

static bool is_enabled(struct fixture *f)
{
	struct call k = {};
	bool enabled;

	assert_int_equal(run(f, get, &k), 0);
	enabled = k.secure.enabled;
	arena_done(&k.arena);
	return enabled;
}

/* CGPW-7: the domain says, unless the account says otherwise. */
static void test_switched_off(void **state)
{
	struct fixture *f = *state;
	struct call k = { .name = "smime", .value = "no" };

	make_cert(f, make_key(f, "a", true), "one", true);
	assert_int_equal(run(f, set_domain, &k), 0);
	assert_false(is_enabled(f));
	k.value = "yes";
	assert_int_equal(run(f, set_account, &k), 0);
	assert_true(is_enabled(f));
	k.value = "default";
	assert_int_equal(run(f, set_account, &k), 0);
	assert_false(is_enabled(f));
	k.value = "yes";
	assert_int_equal(run(f, set_domain, &k), 0);
	assert_true(is_enabled(f));
	k.value = "no";
	assert_int_equal(run(f, set_account, &k), 0);
	assert_false(is_enabled(f));
	arena_done(&k.arena);
}

/* Keys go with their account, and stay when its domain is called something else. */
static void test_account(void **state)
{
	struct fixture *f = *state;
	struct call bob = { .name = "bob",
		.key = { .key_id = SPAN("b"),
			.type = SPAN("t"),
			.spki = SPAN("s"),
			.wrapped = SPAN("w") } };

	(void)make_key(f, "a", true);
	assert_int_equal(run(f, add_account, &bob), 0);
	assert_int_equal(run(f, key_add, &bob), 0);
	bob.cert = (struct store_secure_cert){ .key = bob.id,
		.sha256 = SPAN("x"),
		.der = SPAN("x") };
	assert_int_equal(run(f, cert_add, &bob), 0);
	bob.name = "example.net";
	assert_int_equal(run(f, rename_domain, &bob), 0);
	expect(f, bob.account, "b!=w/1 ");
	assert_int_equal(run(f, remove_account, &bob), 0);
	assert_int_equal(fixture_number(f, "select count(*) from secure_key"), 1);
	assert_int_equal(fixture_number(f, "select count(*) from secure_cert"), 0);
	assert_int_equal(fixture_number(f, "select count(*) from secure_mail"), 1);
	assert_int_equal(run(f, get, &bob), STORE_E_NOT_FOUND);
	arena_done(&bob.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_current),
		FIXTURE_TEST(test_limits),
		FIXTURE_TEST(test_rewrap),
		FIXTURE_TEST(test_start_over),
		FIXTURE_TEST(test_present),
		FIXTURE_TEST(test_certs),
		FIXTURE_TEST(test_settings),
		FIXTURE_TEST(test_switched_off),
		FIXTURE_TEST(test_account),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
