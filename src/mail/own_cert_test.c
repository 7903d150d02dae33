/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Which of an account's certificates is used: for each purpose, address and time, and that a
 * revocation holds at once. */

#include "mail/own_cert.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/test.h"
#include "db/db.h"
#include "pki/cert_fixture.h"
#include "smime/cert_cache.h"
#include "store/account.h"
#include "store/ca_rows.h"
#include "store/fixture.h"
#include "store/key_rows.h"

#include <errno.h>
#include <stdlib.h>

#define USAGE(bits)                                                                                \
	{                                                                                          \
		{                                                                                  \
			"keyUsage", "critical," bits                                               \
		}                                                                                  \
	}
#define SIGNS    USAGE("digitalSignature")
#define AGREES   USAGE("keyAgreement")
#define DOES_ALL USAGE("digitalSignature,keyAgreement")
#define ALICE    "email:alice@example.org"
#define SALES    "email:sales@example.org"

enum { CERTS = 6 };

static const int64_t day_us = 24LL * 3600 * 1000000;
static int64_t now_us;

/* A certificate and whose key it is of: 0 is the current one. */
struct given {
	unsigned key;
	struct cert_order order;
	int64_t age_days; /* since it is valid */
	bool over, early; /* it has expired, is not valid yet */
	bool revoked;
};

struct world {
	struct fixture *store;
	struct cert_cache *cache;
	struct cert_made authority, made[CERTS];
	int64_t authority_row, issued[CERTS];
	int64_t keys[4];
	unsigned reason;
};

/* One call within a transaction. */
struct call {
	struct world *w;
	const struct given *given;
	size_t i;
	struct own_cert_wish wish;
	struct own_cert own;
	bool is_used;
	const char *setting, *value;
};

static int setup(void **state)
{
	const struct cert_order top = { .subject = "CN=Authority", .is_authority = true };
	struct world *w = ALLOC(struct world);

	now_us = clock_now_us();
	w->store = fixture_new();
	w->cache = cert_cache_new(100);
	w->authority = cert_make(&top);
	w->reason = REASON_SUPERSEDED;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < CERTS; i++)
		cert_made_done(&w->made[i]);
	cert_made_done(&w->authority);
	cert_cache_free(w->cache);
	fixture_free(w->store);
	free(w);
	return 0;
}

static int add_keys(struct store_conn *c, void *arg)
{
	static const char *const names[] = { "0", "1", "2", "3" };
	struct call *k = arg;
	struct store_key key = { .domain = k->w->store->domain,
		.use = KEY_CA,
		.key_id = SPAN("ca"),
		.alias = SPAN("ca"),
		.type = SPAN("ec:p256"),
		.spki = SPAN("s"),
		.wrapped = SPAN("w") };
	struct store_authority row = { .domain = k->w->store->domain,
		.name = SPAN("example.org"),
		.label = SPAN("label"),
		.active = true,
		.der = cert_der(k->w->authority.cert) };

	TRY(store_key_add(c, &key, &row.key));
	TRY(store_authority_add(c, &row, &k->w->authority_row));
	for (int64_t i = 0; i < 4; i++) {
		struct store_secure_key secure = { .account = k->w->store->account,
			.key_id = span_str(names[i]),
			.type = SPAN("ec:p256"),
			.spki = SPAN("s"),
			.wrapped = SPAN("w") };

		TRY(store_secure_key_add(c, &secure, i, false, &k->w->keys[i]));
	}
	return 0;
}

static int add_cert(struct store_conn *c, void *arg)
{
	struct call *k = arg;
	struct cert *cert = k->w->made[k->i].cert;
	uint8_t digest[SHA256_OCTETS];
	struct store_secure_cert row = { .key = k->w->keys[k->given->key],
		.der = cert_der(cert),
		.chain = SPAN(""),
		.sha256 = span_of(digest, sizeof digest) };
	struct store_issued issued = { .authority = k->w->authority_row,
		.account = k->w->store->account,
		.address = SPAN("alice@example.org"),
		.serial = cert_serial(cert),
		.der = cert_der(cert),
		.not_after_us = cert_not_after_us(cert) };
	int64_t id;

	digest_sha256(cert_der(cert), digest);
	TRY(store_secure_cert_add(c, &row, &id));
	return store_issued_add(c, &issued, &k->w->issued[k->i]);
}

static int revoke(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_issued_revoke(c, k->w->issued[k->i], k->w->reason, now_us);
}

static int find(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return own_cert_find(c, &k->wish, &k->own);
}

static int set(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_secure_set(c, k->w->store->account, span_str(k->setting),
		span_str(k->value), NULL);
}

static int set_account(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_account_set(c, k->w->store->account, span_str(k->setting),
		span_str(k->value), NULL);
}

/* Forgets the password: what there was stays locked. */
static int start_over(struct store_conn *c, void *arg)
{
	struct call *k = arg;
	struct store_secure_key secure = { .account = k->w->store->account,
		.key_id = SPAN("new"),
		.type = SPAN("ec:p256"),
		.spki = SPAN("s"),
		.wrapped = SPAN("w"),
		.current = true };
	int64_t id;

	return store_secure_key_add(c, &secure, 4, true, &id);
}

static void plant(struct world *w, const struct given *given, size_t n)
{
	struct call k = { .w = w };

	assert_int_equal(store_write(w->store->store, add_keys, &k), 0);
	for (k.i = 0; k.i < n; k.i++) {
		struct cert_order order = given[k.i].order;

		order.issuer = &w->authority;
		order.subject = "CN=Alice";
		order.names = order.names ? order.names : ALICE;
		order.from_us = now_us - (given[k.i].age_days + 1) * day_us;
		if (given[k.i].over)
			order.till_us = now_us - day_us / 2;
		if (given[k.i].early)
			order.from_us = now_us + day_us;
		w->made[k.i] = cert_make(&order);
		k.given = &given[k.i];
		assert_int_equal(store_write(w->store->store, add_cert, &k), 0);
		if (given[k.i].revoked)
			assert_int_equal(store_write(w->store->store, revoke, &k), 0);
	}
}

/* The position of the one that is used, else -1 and the fault. */
static int used(struct world *w, enum own_cert_use use, const char *address,
	enum own_cert_fault *ret_fault, struct why *why)
{
	struct call k = { .w = w,
		.wish = { .account = w->store->account,
			.use = use,
			.address = span_str(address),
			.now_us = now_us,
			.cache = w->cache } };
	int found = -1;

	assert_int_equal(store_read(w->store->store, find, &k), 0);
	*ret_fault = k.own.fault;
	*why = k.own.why;
	for (int i = 0; i < CERTS && !k.own.fault; i++) {
		if (w->made[i].cert &&
			span_equal(cert_der(w->made[i].cert), cert_der(k.own.cert)))
			found = i;
	}
	assert_true(!k.own.fault == (found >= 0));
	assert_true(!k.own.fault == !why->text[0]);
	own_cert_done(&k.own);
	return found;
}

static void rules(void **state)
{
	static const struct {
		const char *what;
		struct given given[CERTS];
		const char *address;
		int encrypts, signs; /* -1: none */
		enum own_cert_fault no_encrypt, no_sign;
		const char *text; /* in one of the reasons */
	} rows[] = {
		{ "none", { {} }, "", -1, -1, OWN_CERT_NONE, OWN_CERT_NONE, "generate" },
		{ "one for all", { { 0, { .more = DOES_ALL } } }, "", 0, 0 },
		{ "the current key only signs", { { 0, { .more = SIGNS } }, { 1, { .more = AGREES } } },
			"", 1, 0 },
		{ "the current key only encrypts",
			{ { 0, { .more = AGREES } }, { 1, { .more = SIGNS } } }, "", 0, 1 },
		{ "there is one that signs alone", { { 0, { .more = SIGNS } } }, "", -1, 0,
			.no_encrypt = OWN_CERT_UNFIT, .text = "keyAgreement" },
		{ "there is one that encrypts alone", { { 0, { .more = AGREES } } }, "", 0, -1,
			.no_sign = OWN_CERT_UNFIT, .text = "digitalSignature" },
		{ "the current key before a newer one",
			{ { 0, { .more = DOES_ALL }, .age_days = 5 }, { 1, { .more = DOES_ALL } } }, "",
			0, 0 },
		{ "the newest of a key",
			{ { 0, { .more = DOES_ALL }, .age_days = 5 }, { 0, { .more = DOES_ALL } },
				{ 0, { .more = DOES_ALL }, .age_days = 3 } },
			"", 1, 1 },
		{ "the newest of others",
			{ { 0, { .more = SIGNS } }, { 1, { .more = AGREES }, .age_days = 5 },
				{ 2, { .more = AGREES } } },
			"", 2, 0 },
		{ "one that has expired", { { 0, { .more = DOES_ALL }, .over = true } }, "", -1, -1,
			OWN_CERT_EXPIRED, OWN_CERT_EXPIRED, "expired at" },
		{ "one that is early", { { 0, { .more = DOES_ALL }, .early = true } }, "", -1, -1,
			OWN_CERT_NOT_YET, OWN_CERT_NOT_YET, "not valid before" },
		{ "a revoked one", { { 0, { .more = DOES_ALL }, .revoked = true } }, "", -1, -1,
			OWN_CERT_REVOKED, OWN_CERT_REVOKED, "(superseded)" },
		{ "a newer one is revoked",
			{ { 0, { .more = DOES_ALL }, .age_days = 5 },
				{ 0, { .more = DOES_ALL }, .revoked = true } },
			"", 0, 0 },
		{ "the current key's is revoked",
			{ { 0, { .more = DOES_ALL }, .revoked = true }, { 3, { .more = DOES_ALL } } }, "",
			1, 1 },
		{ "the current key's has expired, the others are of one use",
			{ { 0, { .more = DOES_ALL }, .over = true }, { 2, { .more = AGREES } },
				{ 1, { .more = SIGNS } } },
			"", 1, 2 },
		/* What comes nearest is told of, not what stands first. */
		{ "a revoked one behind one that only signs",
			{ { 0, { .more = SIGNS } }, { 1, { .more = AGREES }, .revoked = true } }, "", -1,
			0, .no_encrypt = OWN_CERT_REVOKED, .text = "was revoked at" },
		{ "for the address before the current key",
			{ { 0, { .more = DOES_ALL } }, { 1, { .names = SALES, .more = DOES_ALL } } },
			"sales@example.org", 1, 1 },
		{ "an address that none is for: encrypted to, not signed with",
			{ { 0, { .more = DOES_ALL } } }, "sales@example.org", 0, -1,
			.no_sign = OWN_CERT_ADDRESS, .text = "not for the address sales@example.org" },
		{ "the account's before another address's, though newer",
			{ { 0, { .more = DOES_ALL }, .age_days = 5 },
				{ 0, { .names = SALES, .more = DOES_ALL } } },
			"", 0, 0 },
		{ "not for mail", { { 0, { .more = DOES_ALL, .usage = "serverAuth" } } }, "", -1, -1,
			OWN_CERT_UNFIT, OWN_CERT_UNFIT, "emailProtection" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		enum own_cert_fault no_encrypt, no_sign;
		struct why first = {}, second = {};
		int encrypts, signs;
		size_t n = 0;

		(void)setup(state);
		while (n < CERTS && rows[i].given[n].order.more[0].name)
			n++;
		plant(*state, rows[i].given, n);
		encrypts = used(*state, OWN_CERT_ENCRYPT, rows[i].address, &no_encrypt, &first);
		signs = used(*state, OWN_CERT_SIGN, rows[i].address, &no_sign, &second);
		if (encrypts != rows[i].encrypts || signs != rows[i].signs ||
			no_encrypt != rows[i].no_encrypt || no_sign != rows[i].no_sign)
			fail_msg("%s: %d %d, %d %d: %s; %s", rows[i].what, encrypts, signs,
				no_encrypt, no_sign, first.text, second.text);
		if (rows[i].text && !strstr(first.text, rows[i].text) &&
			!strstr(second.text, rows[i].text))
			fail_msg("%s: %s; %s", rows[i].what, first.text, second.text);
		(void)teardown(state);
	}
}

/* Nothing is kept of an earlier answer. */
static void revocation_holds_at_once(void **state)
{
	static const struct given given[] = { { 0, { .more = DOES_ALL } },
		{ 1, { .more = DOES_ALL } } };
	struct world *w = *state;
	struct call k = { .w = w };
	enum own_cert_fault fault;
	struct why why;

	w->reason = REASON_KEY_COMPROMISE;
	plant(w, given, 2);
	for (k.i = 0; k.i < 2; k.i++) {
		assert_int_equal(used(w, OWN_CERT_ENCRYPT, "", &fault, &why), (int)k.i);
		assert_int_equal(used(w, OWN_CERT_SIGN, "", &fault, &why), (int)k.i);
		assert_int_equal(store_write(w->store->store, revoke, &k), 0);
	}
	assert_int_equal(used(w, OWN_CERT_ENCRYPT, "", &fault, &why), -1);
	assert_int_equal(fault, OWN_CERT_REVOKED);
	assert_non_null(strstr(why.text, "(keyCompromise)"));
}

/* The setting says which of its addresses the account writes from. */
static void setting_from(void **state)
{
	static const struct given given[] = { { 0, { .more = DOES_ALL }, .age_days = 5 },
		{ 0, { .names = SALES, .more = DOES_ALL } } };
	struct call k = { .w = *state, .setting = "from", .value = "sales@example.org" };
	enum own_cert_fault fault;
	struct why why;

	plant(*state, given, 2);
	assert_int_equal(used(*state, OWN_CERT_SIGN, "", &fault, &why), 0);
	assert_int_equal(store_write(k.w->store->store, set, &k), 0);
	/* Both are for an address of the account's then: the newer one. */
	assert_int_equal(used(*state, OWN_CERT_SIGN, "", &fault, &why), 1);
	assert_int_equal(used(*state, OWN_CERT_SIGN, "alice@example.org", &fault, &why), 0);
}

static int ask_used(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return own_cert_is_used(c, &k->wish, k->w->made[k->i].cert, &k->is_used);
}

/* For any address of its own or the account's, to sign or to encrypt, as long as it holds. */
static void used_for_something(void **state)
{
	static const struct {
		const char *what;
		struct given given[CERTS];
		bool used[CERTS];
	} rows[] = {
		{ "the current key before others",
			{ { 0, { .more = DOES_ALL } }, { 1, { .more = DOES_ALL } } }, { true, false } },
		{ "the newest", { { 0, { .more = DOES_ALL }, .age_days = 5 }, { 0, { .more = DOES_ALL } } },
			{ false, true } },
		{ "one for each use", { { 0, { .more = SIGNS } }, { 1, { .more = AGREES } } },
			{ true, true } },
		{ "one for each address",
			{ { 0, { .names = SALES, .more = DOES_ALL } }, { 1, { .more = DOES_ALL } },
				{ 2, { .names = SALES, .more = DOES_ALL } } },
			{ true, true, false } },
		{ "for none of its addresses",
			{ { 0, { .names = "DNS:example.org", .more = DOES_ALL } } }, { true } },
		{ "in the place of a revoked one",
			{ { 0, { .more = DOES_ALL }, .revoked = true }, { 1, { .more = DOES_ALL } } },
			{ false, true } },
		{ "until its end",
			{ { 0, { .more = DOES_ALL }, .over = true }, { 1, { .more = DOES_ALL } } },
			{ true, true } },
		{ "not until its end",
			{ { 0, { .more = DOES_ALL } }, { 1, { .more = DOES_ALL }, .over = true } },
			{ true, false } },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct call k = {};
		size_t n = 0;

		(void)setup(state);
		k.w = *state;
		k.wish = (struct own_cert_wish){ .account = k.w->store->account, .now_us = now_us };
		while (n < CERTS && rows[i].given[n].order.more[0].name)
			n++;
		plant(k.w, rows[i].given, n);
		for (k.i = 0; k.i < n; k.i++) {
			assert_int_equal(store_read(k.w->store->store, ask_used, &k), 0);
			if (k.is_used != rows[i].used[k.i])
				fail_msg("%s: %zu", rows[i].what, k.i);
		}
		(void)teardown(state);
	}
}

/* A reason is cut between characters: it goes where all is UTF-8. */
static void long_address(void **state)
{
	static const struct given given[] = { { 0, { .more = DOES_ALL } } };
	CLEANUP(buf_done) struct buf address = {};
	enum own_cert_fault fault;
	struct why why;

	plant(*state, given, 1);
	buf_add_octet(&address, 'x');
	for (unsigned i = 0; i < 150; i++)
		buf_add_string(&address, "\xC3\xA4");
	buf_add(&address, SPAN("@example.org\0"));
	assert_int_equal(used(*state, OWN_CERT_SIGN, (const char *)buf_span(&address).p, &fault,
				 &why),
		-1);
	assert_int_equal(fault, OWN_CERT_ADDRESS);
	assert_true(span_is_utf8(span_str(why.text)));
}

/* What cannot be found leaves nothing behind. */
static void failures(void **state)
{
	static const struct given given[] = { { 0, { .more = DOES_ALL } } };
	struct call k = { .w = *state,
		.wish = { .account = ((struct world *)*state)->store->account, .now_us = now_us } };
	unsigned n = 0;
	int r;

	plant(*state, given, 1);
	do {
		k.own = (struct own_cert){ .id = 77 };
		db_fail_at(++n, -EIO);
		r = store_read(k.w->store->store, find, &k);
		db_fail_at(0, 0);
		assert_int_equal(k.own.id == 77, r != 0);
		assert_int_equal(!k.own.cert, r != 0);
	} while (r);
	assert_true(n > 3);
	own_cert_done(&k.own);
}

static void keys_that_count(void **state)
{
	static const struct given given[] = { { 0, { .more = DOES_ALL } },
		{ 1, { .more = DOES_ALL } } };
	struct world *w = *state;
	struct call k = { .w = w,
		.setting = "smime",
		.value = "no",
		.wish = { .account = w->store->account, .now_us = now_us } };
	enum own_cert_fault fault;
	struct why why;

	plant(w, given, 2);
	/* Those that are open. */
	k.wish.keys = &w->keys[1];
	k.wish.n_keys = 1;
	assert_int_equal(store_read(w->store->store, find, &k), 0);
	assert_int_equal(k.own.fault, OWN_CERT_FIT);
	assert_int_equal(k.own.key, w->keys[1]);
	own_cert_done(&k.own);
	k.wish.n_keys = 0;
	assert_int_equal(store_read(w->store->store, find, &k), 0);
	assert_int_equal(k.own.fault, OWN_CERT_NONE);
	own_cert_done(&k.own);
	/* Where Secure Mail is off there are none. */
	assert_int_equal(store_write(w->store->store, set_account, &k), 0);
	assert_int_equal(used(w, OWN_CERT_ENCRYPT, "", &fault, &why), -1);
	assert_int_equal(fault, OWN_CERT_OFF);
	k.value = "yes";
	assert_int_equal(store_write(w->store->store, set_account, &k), 0);
	assert_int_equal(used(w, OWN_CERT_ENCRYPT, "", &fault, &why), 0);
	/* Nor of keys whose password is forgotten. */
	assert_int_equal(store_write(w->store->store, start_over, &k), 0);
	assert_int_equal(used(w, OWN_CERT_ENCRYPT, "", &fault, &why), -1);
	assert_int_equal(fault, OWN_CERT_NONE);
	k.wish.account = 12345;
	assert_int_equal(store_read(w->store->store, find, &k), STORE_E_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		cmocka_unit_test(used_for_something),
		cmocka_unit_test_setup_teardown(revocation_holds_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(setting_from, setup, teardown),
		cmocka_unit_test_setup_teardown(long_address, setup, teardown),
		cmocka_unit_test_setup_teardown(failures, setup, teardown),
		cmocka_unit_test_setup_teardown(keys_that_count, setup, teardown),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
