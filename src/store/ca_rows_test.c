/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/ca_rows.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/test.h"
#include "store/account.h"
#include "store/conn.h"
#include "store/domain.h"
#include "store/fixture.h"
#include "store/key_rows.h"
#include "store/secure_rows.h"

#include <stdlib.h>

static const int64_t day_us = 24LL * 3600 * 1000000;

struct call {
	int (*f)(struct store_conn *c, struct call *call);
	struct arena arena;
	struct store_key key;
	struct store_authority authority;
	struct store_issued issued;
	int64_t id;
	int64_t domain, account;
	int64_t number, now_us;
	int64_t late; /* revocations since the row was read */
	unsigned reason;
	struct span label, setting;
	bool needs, start_over;
	struct buf text;
};

static int call_run(struct store_conn *c, void *arg)
{
	struct call *call = arg;

	return call->f(c, call);
}

static int run(struct fixture *f, int (*what)(struct store_conn *, struct call *), struct call *k)
{
	k->f = what;
	return store_write(f->store, call_run, k);
}

static int key_add(struct store_conn *c, struct call *k)
{
	return store_key_add(c, &k->key, &k->id);
}

static int key_remove(struct store_conn *c, struct call *k)
{
	return store_key_remove(c, k->id);
}

static int authority_add(struct store_conn *c, struct call *k)
{
	return store_authority_add(c, &k->authority, &k->id);
}

static int authority_active(struct store_conn *c, struct call *k)
{
	return store_authority_active(c, &k->arena, k->domain, &k->authority);
}

static int authority_get(struct store_conn *c, struct call *k)
{
	return store_authority_get(c, &k->arena, k->id, &k->authority);
}

static int authority_activate(struct store_conn *c, struct call *k)
{
	return store_authority_activate(c, k->id);
}

static int authority_needs(struct store_conn *c, struct call *k)
{
	return store_authority_needs_key(c, k->id, k->now_us, &k->needs);
}

static int set_crl(struct store_conn *c, struct call *k)
{
	CLEANUP(buf_done) struct buf list = {};
	struct store_authority row;

	TRY(store_authority_get(c, &k->arena, k->id, &row));
	row.crl_number = k->number - 1;
	row.crl_next_us += k->late;
	buf_add_format(&list, "crl %lld", (long long)k->number);
	return store_authority_set_crl(c, &row, buf_span(&list), 77, k->now_us);
}

static int see_list(int64_t id, struct span der, void *context)
{
	struct call *k = context;

	assert_int_equal(id, k->id);
	buf_add_octet(&k->text, '+');
	buf_add(&k->text, der);
	return 0;
}

static int get_crl(struct store_conn *c, struct call *k)
{
	int r;

	buf_clear(&k->text);
	r = store_authority_list(c, k->id, &k->number, &k->text);
	return r ? r : store_authority_list_each(c, see_list, k);
}

static int issued_add(struct store_conn *c, struct call *k)
{
	return store_issued_add(c, &k->issued, &k->id);
}

static int forget_key(struct store_conn *c, struct call *k)
{
	return db_exec(c->db, NULL, "update issued set key_sha256 = null where id = $1",
		DB_ARGS(DB_INT(k->id)));
}

static int without_key(struct store_conn *c, struct call *k)
{
	int r = store_issued_without_key(c, &k->arena, &k->issued);

	return r ? r : store_issued_set_key(c, k->issued.id, SPAN("K1"));
}

static int add_address(struct store_conn *c, struct call *k)
{
	return store_issued_add_address(c, k->id, k->label, k->setting);
}

static int see_address(const struct store_issued_address *row, void *context)
{
	struct call *k = context;

	buf_add_format(&k->text, "%lld:", (long long)row->issued);
	buf_add(&k->text, row->local);
	buf_add_octet(&k->text, ' ');
	return 0;
}

static int list_addresses(struct store_conn *c, struct call *k)
{
	return store_issued_address_each(c, k->setting, k->label, k->now_us, see_address, k);
}

static int issued_get(struct store_conn *c, struct call *k)
{
	return store_issued_get(c, &k->arena, k->id, &k->issued);
}

static int issued_revoke(struct store_conn *c, struct call *k)
{
	return store_issued_revoke(c, k->id, k->reason, k->now_us);
}

static int issued_renewed(struct store_conn *c, struct call *k)
{
	return store_issued_renewed(c, k->id, k->number);
}

static int issued_tell(struct store_conn *c, struct call *k)
{
	return store_issued_tell(c, k->id, k->reason);
}

static int see(const struct store_issued *row, void *context)
{
	struct call *k = context;

	buf_add(&k->text, row->serial);
	if (row->revoked_us)
		buf_add_format(&k->text, "(%u)", row->reason);
	buf_add_octet(&k->text, ' ');
	return 0;
}

/* With a question mark where it depends. */
static int see_kept(const struct store_issued *row, bool certain, void *context)
{
	struct call *k = context;

	buf_add(&k->text, row->serial);
	buf_add_string(&k->text, certain ? " " : "? ");
	return 0;
}

static int list_all(struct store_conn *c, struct call *k)
{
	return store_issued_each(c, k->domain, k->account, see, k);
}

static int list_of_key(struct store_conn *c, struct call *k)
{
	return store_issued_of_key(c, k->label, see, k);
}

static int revoke_key(struct store_conn *c, struct call *k)
{
	return store_issued_revoke_key(c, k->label, k->reason, k->now_us, &k->number);
}

static int list_revoked(struct store_conn *c, struct call *k)
{
	return store_issued_revoked(c, k->id, see, k);
}

static int list_due(struct store_conn *c, struct call *k)
{
	return store_issued_due(c, k->now_us, see_kept, k);
}

static int list_ending(struct store_conn *c, struct call *k)
{
	return store_issued_ending(c, k->now_us, k->now_us + 50, see_kept, k);
}

/* The account's key with that certificate, both the current ones. */
static int sign_with(struct store_conn *c, struct call *k)
{
	struct store_secure_key key = { .account = k->account,
		.key_id = k->label,
		.type = SPAN("ec:p256"),
		.spki = k->label,
		.wrapped = SPAN("w"),
		.current = true };
	struct store_secure_cert cert = { .sha256 = k->label,
		.der = k->label,
		.chain = SPAN(""),
		.current = true };
	struct store_secure secure;
	int64_t id;

	TRY(store_secure_get(c, &k->arena, k->account, &secure));
	TRY(store_secure_key_add(c, &key, secure.revision, k->start_over, &cert.key));
	return store_secure_cert_add(c, &cert, &id);
}

static int set_secure_mail(struct store_conn *c, struct call *k)
{
	return k->account ? store_account_set(c, k->account, SPAN("smime"), k->setting, NULL)
			  : store_domain_set(c, k->domain, SPAN("smime"), k->setting, NULL);
}

static int account_add(struct store_conn *c, struct call *k)
{
	struct store_credentials none = { .hash = SPAN("h"), .scram = SPAN("") };

	return store_account_add(c, k->domain, SPAN("bob"), ROLE_USER, &none, &k->account);
}

static int account_remove(struct store_conn *c, struct call *k)
{
	return store_account_remove(c, k->account);
}

static void expect(struct fixture *f, int (*what)(struct store_conn *, struct call *),
	struct call *k, const char *expected)
{
	char *text;

	assert_int_equal(run(f, what, k), 0);
	text = buf_steal_string(&k->text);
	assert_string_equal(text, expected);
	free(text);
}

static int64_t make_key(struct fixture *f, const char *alias)
{
	struct call k = { .key = { .domain = f->domain,
				  .use = KEY_CA,
				  .alias = span_str(alias),
				  .type = SPAN("ec:p256"),
				  .wrapped = SPAN("w"),
				  .spki = SPAN("s"),
				  .key_id = SPAN("id") } };

	assert_int_equal(run(f, key_add, &k), 0);
	return k.id;
}

static int64_t make_authority(struct fixture *f, int64_t key, const char *label, bool active)
{
	struct call k = { .authority = { .domain = f->domain,
				  .key = key,
				  .name = SPAN("example.org"),
				  .label = span_str(label),
				  .active = active,
				  .der = SPAN("der"),
				  .chain = SPAN("chain"),
				  .created_us = 5 } };

	assert_int_equal(run(f, authority_add, &k), 0);
	return k.id;
}

static int issue(struct fixture *f, int64_t authority, int64_t account, const char *serial,
	int64_t not_after_us, int64_t *ret_id)
{
	struct call k = { .issued = { .authority = authority,
				  .account = account,
				  .serial = span_str(serial),
				  .address = SPAN("alice@example.org"),
				  .der = span_str(serial),
				  .not_after_us = not_after_us,
				  .renew_us = not_after_us - 10,
				  .created_us = 5,
				  .key_sha256 = span_of(serial, 1) } };
	int r = run(f, issued_add, &k);

	if (!r)
		*ret_id = k.id;
	return r;
}

static void test_authorities(void **state)
{
	struct fixture *f = *state;
	int64_t key = make_key(f, "one");
	int64_t first = make_authority(f, key, "l1", true);
	int64_t second = make_authority(f, key, "l2", true);
	struct call k = { .domain = f->domain };
	struct call same = { .authority = { .domain = f->domain,
				     .key = key,
				     .name = SPAN("n"),
				     .label = SPAN("l2"),
				     .der = SPAN("d"),
				     .chain = SPAN("") } };

	/* The newest issues; the one before does not. */
	assert_int_equal(run(f, authority_active, &k), 0);
	assert_int_equal(k.authority.id, second);
	k.id = first;
	assert_int_equal(run(f, authority_get, &k), 0);
	assert_false(k.authority.active);
	assert_true(span_is(k.authority.chain, "chain"));
	assert_int_equal(run(f, authority_activate, &k), 0);
	assert_int_equal(run(f, authority_active, &k), 0);
	assert_int_equal(k.authority.id, first);
	assert_int_equal(run(f, authority_add, &same), STORE_E_EXISTS);
	k.id = 99;
	assert_int_equal(run(f, authority_activate, &k), STORE_E_NOT_FOUND);
	arena_done(&k.arena);
}

static void test_serials(void **state)
{
	struct fixture *f = *state;
	int64_t key = make_key(f, "one");
	int64_t first = make_authority(f, key, "l1", true);
	int64_t second = make_authority(f, key, "l2", true);
	int64_t id = 0, other = 0;

	assert_int_equal(issue(f, first, f->account, "AA", 100, &id), 0);
	assert_int_equal(issue(f, first, f->account, "AA", 100, &other), STORE_E_EXISTS);
	/* Not of another authority either: they may share their name. */
	assert_int_equal(issue(f, second, f->account, "AA", 100, &other), STORE_E_EXISTS);
	assert_int_equal(issue(f, second, f->account, "AB", 100, &other), 0);
	assert_int_equal(fixture_number(f, "select count(*) from issued"), 2);
}

/* An authority without its key issues nothing; what it has issued stays. */
static void test_key_gone(void **state)
{
	struct fixture *f = *state;
	struct call k = { .id = make_key(f, "one") };
	int64_t authority = make_authority(f, k.id, "l1", false);
	int64_t id;

	assert_int_equal(run(f, authority_needs, &k), 0);
	assert_false(k.needs);
	assert_int_equal(issue(f, authority, f->account, "AA", 100, &id), 0);
	k.now_us = 99;
	assert_int_equal(run(f, authority_needs, &k), 0);
	assert_true(k.needs);
	k.now_us = 100;
	assert_int_equal(run(f, authority_needs, &k), 0);
	assert_false(k.needs);
	assert_int_equal(run(f, key_remove, &k), 0);
	assert_int_equal(issue(f, authority, f->account, "AB", 100, &id), STORE_E_NOT_FOUND);
	assert_int_equal(fixture_number(f, "select count(*) from issued"), 1);
}

static void test_revocation(void **state)
{
	struct fixture *f = *state;
	int64_t authority = make_authority(f, make_key(f, "one"), "l1", true);
	struct call k = { .reason = REASON_KEY_COMPROMISE, .now_us = 50 };
	struct call c = { .id = authority, .number = 1 };
	int64_t id;

	assert_int_equal(issue(f, authority, f->account, "AA", 100, &k.id), 0);
	assert_int_equal(issue(f, authority, f->account, "AB", 100, &id), 0);
	assert_int_equal(run(f, get_crl, &c), STORE_E_NOT_FOUND);
	assert_int_equal(run(f, set_crl, &c), 0);
	assert_int_equal(fixture_number(f, "select crl_next from authority"), 77);
	expect(f, get_crl, &c, "crl 1+crl 1");

	assert_int_equal(run(f, issued_revoke, &k), 0);
	assert_int_equal(run(f, issued_revoke, &k), STORE_E_STALE);
	/* Another list is due at once. */
	assert_int_equal(fixture_number(f, "select crl_next from authority"), 0);
	expect(f, list_revoked, &c, "AA(1) ");
	/* The number goes up by one, whoever writes. */
	assert_int_equal(run(f, set_crl, &c), STORE_E_STALE);
	c.number = 3;
	assert_int_equal(run(f, set_crl, &c), STORE_E_STALE);
	/* So is a list that was begun before the last revocation. */
	c.number = 2;
	c.late = 1;
	assert_int_equal(run(f, set_crl, &c), STORE_E_STALE);
	c.late = 0;
	assert_int_equal(run(f, set_crl, &c), 0);
	expect(f, list_revoked, &c, "AA(1) ");
	/* RFC 5280 section 3.3: it stands on one list made after its end, and then no more. */
	c.number = 3;
	c.now_us = 100;
	assert_int_equal(run(f, set_crl, &c), 0);
	expect(f, list_revoked, &c, "AA(1) ");
	c.number = 4;
	c.now_us = 101;
	assert_int_equal(run(f, set_crl, &c), 0);
	expect(f, get_crl, &c, "crl 4+crl 4");
	assert_int_equal(c.number, 4);
	expect(f, list_revoked, &c, "");
	k.id = 99;
	assert_int_equal(run(f, issued_revoke, &k), STORE_E_NOT_FOUND);
	k.id = id;
	assert_int_equal(run(f, issued_revoke, &k), 0);
	assert_int_equal(issue(f, authority, f->account, "AC", 100, &k.id), 0);
	assert_int_equal(run(f, issued_revoke, &k), 0);
	assert_int_equal(fixture_number(f, "select crl_next from authority"), -1);
	arena_done(&c.arena);
}

static void test_keys(void **state)
{
	struct fixture *f = *state;
	int64_t first = make_authority(f, make_key(f, "one"), "l1", true);
	int64_t second = make_authority(f, make_key(f, "two"), "l2", true);
	struct call k = { .label = SPAN("A"), .reason = REASON_KEY_COMPROMISE, .now_us = 50 };
	struct call old = {};
	int64_t id;

	assert_int_equal(issue(f, first, f->account, "AA", 100, &id), 0);
	assert_int_equal(issue(f, second, 0, "AB", 100, &id), 0);
	assert_int_equal(issue(f, second, f->account, "AC", 50, &id), 0);
	assert_int_equal(issue(f, second, f->account, "BA", 100, &id), 0);
	expect(f, list_of_key, &k, "AA AB AC ");
	/* What is over needs no revocation. */
	assert_int_equal(run(f, revoke_key, &k), 0);
	assert_int_equal(k.number, 2);
	expect(f, list_of_key, &k, "AA(1) AB(1) AC ");
	assert_int_equal(fixture_number(f, "select count(*) from authority where crl_next < 0"), 2);
	/* A row from before. */
	assert_int_equal(run(f, without_key, &old), STORE_E_NOT_FOUND);
	k.id = id;
	assert_int_equal(run(f, forget_key, &k), 0);
	assert_int_equal(run(f, without_key, &old), 0);
	assert_int_equal(old.issued.id, id);
	assert_int_equal(run(f, without_key, &old), STORE_E_NOT_FOUND);
	k.label = SPAN("K1");
	expect(f, list_of_key, &k, "BA ");
	arena_done(&old.arena);
}

static void test_account_gone(void **state)
{
	struct fixture *f = *state;
	int64_t authority = make_authority(f, make_key(f, "one"), "l1", true);
	struct call k = { .domain = f->domain };
	int64_t id;

	assert_int_equal(run(f, account_add, &k), 0);
	assert_int_equal(issue(f, authority, k.account, "AA", INT64_MAX, &id), 0);
	assert_int_equal(issue(f, authority, k.account, "AB", 5, &id), 0);
	assert_int_equal(issue(f, authority, f->account, "AC", INT64_MAX, &id), 0);
	expect(f, list_all, &k, "AA AB ");
	assert_int_equal(run(f, account_remove, &k), 0);
	k.account = 0;
	/* What was over is left alone. */
	expect(f, list_all, &k, "AA(5) AB AC ");
	assert_int_equal(fixture_number(f, "select count(*) from issued where account is null"), 2);
}

static void test_renewal(void **state)
{
	struct fixture *f = *state;
	int64_t authority = make_authority(f, make_key(f, "one"), "l1", true);
	struct call k = { .now_us = 89, .account = f->account, .label = SPAN("AA") };
	int64_t id, next;

	assert_int_equal(issue(f, authority, f->account, "AA", 100, &id), 0);
	assert_int_equal(run(f, sign_with, &k), 0);
	expect(f, list_due, &k, "");
	k.now_us = 90;
	expect(f, list_due, &k, "AA ");
	assert_int_equal(issue(f, authority, f->account, "AB", 200, &next), 0);
	k.id = id;
	k.number = next;
	assert_int_equal(run(f, issued_renewed, &k), 0);
	assert_int_equal(run(f, issued_renewed, &k), STORE_E_STALE);
	expect(f, list_due, &k, "");
	assert_int_equal(run(f, issued_get, &k), 0);
	assert_int_equal(k.issued.successor, next);
	k.reason = 30;
	assert_int_equal(run(f, issued_tell, &k), 0);
	assert_int_equal(run(f, issued_tell, &k), STORE_E_EXISTS);
	k.reason = 0;
	assert_int_equal(run(f, issued_tell, &k), 0);
	assert_int_equal(run(f, issued_tell, &k), STORE_E_EXISTS);
	arena_done(&k.arena);
}

/* Renewed, and told of, is what the account has chosen, and may be what it has besides, while it may use
 * them. */
static void test_kept_up(void **state)
{
	static const struct {
		bool of_account;
		const char *setting, *due;
	} cases[] = {
		{ true, "no", "" }, { true, "yes", "AA? AB " }, { true, "default", "AA? AB " },
		{ false, "no", "" }, { false, "yes", "AA? AB " },
	};
	struct fixture *f = *state;
	int64_t authority = make_authority(f, make_key(f, "one"), "l1", true);
	struct call k = { .now_us = 90, .account = f->account };
	int64_t id;

	/* The key is elsewhere, or was removed. */
	assert_int_equal(issue(f, authority, f->account, "AA", 100, &id), 0);
	assert_int_equal(issue(f, authority, f->account, "AB", 100, &id), 0);
	expect(f, list_due, &k, "");
	expect(f, list_ending, &k, "");
	k.label = SPAN("AA");
	assert_int_equal(run(f, sign_with, &k), 0);
	expect(f, list_due, &k, "AA ");
	expect(f, list_ending, &k, "AA ");
	/* Another key came after it. */
	k.label = SPAN("AB");
	assert_int_equal(run(f, sign_with, &k), 0);
	expect(f, list_due, &k, "AA? AB ");
	expect(f, list_ending, &k, "AA? AB ");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct call set = { .account = cases[i].of_account ? f->account : 0,
			.domain = f->domain,
			.setting = span_str(cases[i].setting) };

		assert_int_equal(run(f, set_secure_mail, &set), 0);
		expect(f, list_due, &k, cases[i].due);
		expect(f, list_ending, &k, cases[i].due);
	}
	/* Nobody looks for ever whether one that is over was used. */
	k.now_us = 100 + 7 * day_us;
	expect(f, list_due, &k, "AB ");
	/* Nor can it be, once its password is forgotten. */
	k.now_us = 90;
	k.label = SPAN("AC");
	k.start_over = true;
	assert_int_equal(run(f, sign_with, &k), 0);
	expect(f, list_due, &k, "");
	expect(f, list_ending, &k, "");
	arena_done(&k.arena);
}

/* Of those that hold, by domain and how local parts begin. */
static void test_addresses(void **state)
{
	static const char *const locals[] = { "Info", "info+x", "informatics", "inf", "info" };
	struct fixture *f = *state;
	int64_t authority = make_authority(f, make_key(f, "one"), "l1", true);
	struct call k = { .now_us = 50, .setting = SPAN("example.org"), .reason = REASON_SUPERSEDED };
	struct call gone = { .now_us = 50, .setting = SPAN("example.org"), .label = SPAN("info") };
	int64_t first, over;

	assert_int_equal(issue(f, authority, f->account, "AA", 100, &first), 0);
	k.id = first;
	for (size_t i = 0; i < sizeof locals / sizeof locals[0]; i++) {
		k.label = span_str(locals[i]);
		assert_int_equal(run(f, add_address, &k), 0);
	}
	k.setting = SPAN("EXAMPLE.net");
	assert_int_equal(run(f, add_address, &k), 0);
	/* What is over, and what is nobody's any more. */
	assert_int_equal(issue(f, authority, f->account, "AB", 50, &over), 0);
	gone.id = over;
	assert_int_equal(run(f, add_address, &gone), 0);
	assert_int_equal(issue(f, authority, 0, "AC", 100, &gone.id), 0);
	assert_int_equal(run(f, add_address, &gone), 0);
	assert_int_equal(first, 1);
	expect(f, list_addresses, &gone, "1:info 1:info+x 1:informatics ");
	gone.label = SPAN("");
	expect(f, list_addresses, &gone, "1:inf 1:info 1:info+x 1:informatics ");
	gone.setting = SPAN("example.net");
	expect(f, list_addresses, &gone, "1:info ");
	assert_int_equal(run(f, issued_revoke, &k), 0);
	expect(f, list_addresses, &gone, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_authorities),
		FIXTURE_TEST(test_serials),
		FIXTURE_TEST(test_key_gone),
		FIXTURE_TEST(test_revocation),
		FIXTURE_TEST(test_keys),
		FIXTURE_TEST(test_addresses),
		FIXTURE_TEST(test_account_gone),
		FIXTURE_TEST(test_renewal),
		FIXTURE_TEST(test_kept_up),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
