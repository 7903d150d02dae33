/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Lists on their way from a file to a verdict about a certificate. Fetching is tested live. */

#include "svc/revocation.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "pki/path.h"
#include "pki/revocation_fixture.h"
#include "store/crl_rows.h"
#include "store/domain.h"
#include "store/store.h"
#include "store/trust_rows.h"
#include "svc/env_fixture.h"
#include "svc/errand.h"
#include "svc/revocation_parts.h"
#include "svc/trust.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const int64_t hour_us = 3600LL * 1000000;
static int64_t now_us;
static struct cert_made authority, twin, alice, bob;

static int make_certificates(void)
{
	struct cert_order o = { .subject = "CN=Test CA", .is_authority = true };

	now_us = clock_now_us();
	authority = cert_make(&o);
	twin = cert_make(&o);
	alice = cert_make(&(struct cert_order){ .subject = "CN=Alice", .usage = "clientAuth",
		.issuer = &authority, .points = "URI:http://127.0.0.1:1/list.crl" });
	bob = cert_make(&(struct cert_order){ .subject = "CN=Bob", .usage = "clientAuth",
		.issuer = &authority });
	return 0;
}

static int trust_authority(struct store_conn *c, void *arg)
{
	struct store_trust row = { .scope = TRUST_SERVER_WIDE, .sha256 = SPAN("x"),
		.der = cert_der(authority.cert), .purposes = TRUST_CLIENT };

	(void)arg;
	return store_trust_put(c, &row);
}

static int setup(void **state)
{
	struct env_fixture *f = *state;

	env_fixture_open(f);
	assert_int_equal(store_write(f->env.store, trust_authority, NULL), 0);
	trust_changed(&f->env);
	assert_int_equal(revocation_load(&f->env), 0);
	return 0;
}

static int teardown(void **state)
{
	struct env_fixture *f = *state;

	clock_set(0, 0);
	env_fixture_close(f);
	return 0;
}

static struct crl_order good(int64_t number)
{
	return (struct crl_order){ .authority = &authority, .number = number,
		.this_us = now_us - hour_us, .next_us = now_us + hour_us,
		.revoked = { alice.cert } };
}

struct taking {
	struct revocation_taking taking;
	struct why why;
};

static int put(struct store_conn *c, void *arg)
{
	struct taking *t = arg;

	return revocation_put(c, &t->taking, &t->why);
}

static int take_octets(struct env_fixture *f, int64_t domain, struct span lists,
	struct span by, struct why *why)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct taking t = {};
	int r = revocation_take(&f->env, &arena, domain, lists, by, &t.taking, &t.why);

	if (!r)
		r = store_write(f->env.store, put, &t);
	*why = t.why;
	if (!r)
		assert_int_equal(revocation_load(&f->env), 0);
	return r;
}

/* What a database does that has to repeat a transaction. */
static int put_and_roll_back(struct store_conn *c, void *arg)
{
	assert_int_equal(put(c, arg), 0);
	return REVOCATION_E_REFUSED;
}

static void test_repeated_transaction(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena arena = {};
	CLEANUP(buf_done) struct buf der = {};
	struct crl_order o = good(1);
	struct taking t = {};

	crl_make(&o, &der);
	assert_int_equal(revocation_take(&f->env, &arena, 0, buf_span(&der), SPAN(""), &t.taking,
		&t.why), 0);
	assert_int_equal(store_write(f->env.store, put_and_roll_back, &t), REVOCATION_E_REFUSED);
	assert_true(t.taking.rows[0].id != 0);
	if (store_write(f->env.store, put, &t))
		fail_msg("%s", t.why.text);
}

static int take(struct env_fixture *f, int64_t domain, struct crl_order o, struct why *why)
{
	CLEANUP(buf_done) struct buf der = {};

	crl_make(&o, &der);
	return take_octets(f, domain, buf_span(&der), SPAN(""), why);
}

static void expect_refused(struct env_fixture *f, struct crl_order o, const char *reason)
{
	struct why why = {};

	assert_int_equal(take(f, 0, o, &why), REVOCATION_E_REFUSED);
	if (!strstr(why.text, reason))
		fail_msg("\"%s\" instead of \"%s\"", why.text, reason);
}

/* Appends "valid", "valid, RULE" with a warning, else the rule of the first error. */
static void judge(struct env_fixture *f, int64_t domain, const struct cert_made *who,
	struct buf *out)
{
	CLEANUP(trust_unrefp) struct trust *trust = NULL;
	CLEANUP(revocation_unrefp) struct revocation *r = revocation_of_domain(&f->env, domain);
	struct path_request q = { .leaf = who->cert, .time_us = clock_now_us(),
		.purposes = TRUST_CLIENT };
	struct verdict v;

	if (trust_of_domain(&f->env, f->store->domain, &trust))
		return;
	q.trust = trust;
	if (revocation_validate(r, &q, &v))
		return;
	buf_add_string(out, v.valid ? "valid" : verdict_error(&v)->rule);
	for (size_t i = 0; i < v.n && v.valid; i++)
		buf_add_format(out, ", %s", v.findings[i].rule);
	verdict_done(&v);
}

static void expect(struct env_fixture *f, int64_t domain, const struct cert_made *who,
	const char *verdict)
{
	CLEANUP(buf_done) struct buf got = {};

	judge(f, domain, who, &got);
	if (!span_is(buf_span(&got), verdict))
		fail_msg("%.*s instead of %s", (int)buf_size(&got), buf_span(&got).p, verdict);
}

static void test_revoked(void **state)
{
	struct env_fixture *f = *state;
	uint8_t before[32], after[32];
	struct why why;

	expect(f, f->store->domain, &alice, "valid");
	revocation_digest(f->env.revocations->server, before);
	assert_int_equal(take(f, 0, good(1), &why), 0);
	revocation_digest(f->env.revocations->server, after);
	assert_memory_not_equal(before, after, sizeof before);
	expect(f, f->store->domain, &alice, "revoked");
	expect(f, f->store->domain, &bob, "valid");
	expect(f, 0, &alice, "revoked");
}

/* A domain's list is its own; the server's is everybody's, beside it. */
static void test_scopes(void **state)
{
	struct env_fixture *f = *state;
	struct crl_order both = good(1);
	struct why why;

	assert_int_equal(take(f, f->store->domain, good(1), &why), 0);
	expect(f, f->store->domain, &alice, "revoked");
	expect(f, 0, &alice, "valid");
	expect(f, 4711, &alice, "valid");
	both.revoked[0] = bob.cert;
	both.point = "critical,onlyuser:TRUE";
	assert_int_equal(take(f, 0, both, &why), 0);
	expect(f, 4711, &bob, "revoked");
	expect(f, 4711, &alice, "valid");
}

static void test_refused(void **state)
{
	CLEANUP(buf_done) struct buf der = {}, trailing = {}, huge = {};
	struct env_fixture *f = *state;
	struct crl_order o = good(1);
	struct why why;

	o.authority = &twin;
	expect_refused(f, o, "signature is not the authority's");
	o.authority = &alice;
	expect_refused(f, o, "authority CN=Alice is not known here");
	o = good(1);
	o.next_us = now_us - 1000000;
	expect_refused(f, o, "has expired");
	o = good(1);
	o.critical = true;
	expect_refused(f, o, "critical extension");
	o = good(-1);
	expect_refused(f, o, "has no number");

	o = good(1);
	crl_make(&o, &der);
	buf_add(&trailing, buf_span(&der));
	buf_add_octet(&trailing, 0);
	assert_int_equal(take_octets(f, 0, buf_span(&trailing), SPAN(""), &why),
		REVOCATION_E_REFUSED);
	assert_int_equal(take_octets(f, 0, SPAN(""), SPAN(""), &why), REVOCATION_E_REFUSED);
	assert_int_equal(take_octets(f, 0, SPAN("no list at all"), SPAN(""), &why),
		REVOCATION_E_REFUSED);
	assert_int_equal(take_octets(f, 0, buf_span(&der), SPAN("no certificate"), &why),
		REVOCATION_E_REFUSED);
	(void)memset(buf_room(&huge, LIMIT_CRL + 1), 0x30, LIMIT_CRL + 1);
	buf_added(&huge, LIMIT_CRL + 1);
	assert_int_equal(take_octets(f, 0, buf_span(&huge), SPAN(""), &why), REVOCATION_E_REFUSED);
	assert_int_equal(fixture_number(f->store, "SELECT count(*) FROM crl"), 0);
	expect(f, 0, &alice, "valid");
}

static void test_older(void **state)
{
	struct env_fixture *f = *state;
	struct crl_order o = good(5);
	struct why why;

	assert_int_equal(take(f, 0, o, &why), 0);
	expect_refused(f, good(4), "newer list");
	o.revoked[0] = NULL;
	expect_refused(f, o, "newer list"); /* the same number, another content */
	o.number = 6;
	assert_int_equal(take(f, 0, o, &why), 0);
	expect(f, 0, &alice, "valid");
	assert_int_equal(fixture_number(f->store, "SELECT count(*) FROM crl"), 1);
}

/* An authority that nobody trusts here, such as an intermediate that clients send, is given. */
static void test_given_authority(void **state)
{
	CLEANUP(buf_done) struct buf der = {}, pem = {};
	struct env_fixture *f = *state;
	struct cert_made other = cert_make(
		&(struct cert_order){ .subject = "CN=Other CA", .is_authority = true });
	struct crl_order o = good(1);
	struct why why;

	o.authority = &other;
	expect_refused(f, o, "is not known here");
	crl_make(&o, &der);
	cert_add_pem(other.cert, &pem);
	assert_int_equal(take_octets(f, 0, buf_span(&der), cert_der(twin.cert), &why),
		REVOCATION_E_REFUSED);
	assert_int_equal(take_octets(f, 0, buf_span(&der), buf_span(&pem), &why), 0);
	cert_made_done(&other);
}

/* Once a list is over: whom it names is revoked still; the others as the setting says. */
static void test_stale(void **state)
{
	struct env_fixture *f = *state;
	struct why why;

	assert_int_equal(take(f, 0, good(1), &why), 0);
	clock_set(now_us + 2 * hour_us, 1000);
	expect(f, 0, &alice, "revoked");
	expect(f, 0, &bob, "valid, crl-expired");
	env_fixture_set(f, "crl_stale", "refuse");
	assert_int_equal(revocation_load(&f->env), 0);
	expect(f, 0, &bob, "crl-expired");
	/* It is told once. */
	assert_int_equal(revocation_run_due(&f->env), 0);
	assert_int_equal(fixture_number(f->store, "SELECT count(*) FROM crl WHERE warned > 0"), 1);
	env_fixture_set(f, "crl_stale", "ignore");
	assert_int_equal(revocation_load(&f->env), 0);
}

static void see(struct env_fixture *f, int64_t domain)
{
	struct cert *path[] = { alice.cert, authority.cert };
	struct verdict v = { .valid = true, .path = { path, 2 } };

	revocation_seen(&f->env, domain, &v);
	v.valid = false;
	v.path.certs[0] = bob.cert;
	revocation_seen(&f->env, domain, &v);
	assert_int_equal(revocation_run_due(&f->env), 0);
}

/* Only where that is allowed, once, and never at an address that is not public. */
static void test_named_by_certificates(void **state)
{
	struct env_fixture *f = *state;

	see(f, f->store->domain);
	assert_int_equal(fixture_number(f->store, "SELECT count(*) FROM crl"), 0);
	env_fixture_set(f, "crl_fetch", "named");
	see(f, f->store->domain);
	see(f, f->store->domain);
	assert_int_equal(fixture_number(f->store, "SELECT count(*) FROM crl WHERE named = 1 AND"
		" failures = 1 AND length(problem) > 0 AND next_fetch > fetched"), 1);
	assert_int_equal(fixture_number(f->store, "SELECT count(*) FROM crl"), 1);
	env_fixture_set(f, "crl_fetch", "given");
}

static void test_url_check(void **state)
{
	struct env_fixture *f = *state;
	struct why why;

	assert_int_equal(revocation_url_check(&f->env, SPAN("http://crl.example/x"), &why), 0);
	assert_int_equal(revocation_url_check(&f->env, SPAN("https://crl.example/x"), &why), 0);
	assert_int_equal(revocation_url_check(&f->env, SPAN("file:///etc/passwd"), &why),
		REVOCATION_E_REFUSED);
	assert_int_equal(revocation_url_check(&f->env, SPAN("http://a:b@crl.example/"), &why),
		REVOCATION_E_REFUSED);
	assert_int_equal(revocation_url_check(&f->env, SPAN("x"), &why), REVOCATION_E_REFUSED);
	env_fixture_set(f, "crl_fetch", "never");
	assert_int_equal(revocation_url_check(&f->env, SPAN("http://crl.example/x"), &why),
		REVOCATION_E_REFUSED);
	assert_non_null(strstr(why.text, "crl_fetch=given"));
	env_fixture_set(f, "crl_fetch", "given");
}

/* Whoever holds a snapshot keeps it while another takes its place. */
static void test_snapshots(void **state)
{
	struct env_fixture *f = *state;
	struct revocation *old = revocation_of_domain(&f->env, f->store->domain);
	struct why why;

	assert_int_equal(take(f, 0, good(1), &why), 0);
	assert_int_equal(revocation_crls(old)->n, 0);
	assert_null(revocation_unref(old));
	assert_null(revocation_unref(NULL));
	/* Another server's change is seen; nothing changed is nothing done. */
	old = revocation_of_domain(&f->env, 0);
	assert_int_equal(revocation_load_changed(&f->env), 0);
	assert_ptr_equal(old, f->env.revocations->server);
	buf_clear(&f->env.revocations->version);
	assert_int_equal(revocation_load_changed(&f->env), 0);
	assert_ptr_not_equal(old, f->env.revocations->server);
	revocation_unref(old);
}

/* What threads share that load, look and change at the same time. */
struct crowd {
	struct env_fixture *f;
	atomic_bool stop;
	atomic_int faults; /* of loads, and looks that saw something older than the one before */
};

static void *keep_loading(void *arg)
{
	struct crowd *crowd = arg;

	while (!atomic_load(&crowd->stop))
		crowd->faults += revocation_load(&crowd->f->env) != 0;
	return NULL;
}

static int64_t begin_of(const struct revocation *r)
{
	return revocation_crls(r)->n ? crl_this_update_us(revocation_crls(r)->crls[0]) : 0;
}

static void *keep_looking(void *arg)
{
	struct crowd *crowd = arg;
	int64_t last = 0;

	while (!atomic_load(&crowd->stop)) {
		struct revocation *r = revocation_of_domain(&crowd->f->env, 0);
		int64_t now = begin_of(r);

		crowd->faults += now < last;
		last = now;
		(void)revocation_unref(r);
	}
	return NULL;
}

static struct crl_order later(int64_t number)
{
	struct crl_order o = good(number);

	o.this_us = now_us - hour_us + number * 1000000;
	return o;
}

/* Changes a list and loads; false: it is not the one that is looked at then. */
static bool change_list(struct env_fixture *f, int64_t number)
{
	CLEANUP(revocation_unrefp) struct revocation *r = NULL;
	CLEANUP(arena_done) struct arena arena = {};
	CLEANUP(buf_done) struct buf der = {};
	struct crl_order o = later(number);
	struct taking t = {};

	crl_make(&o, &der);
	if (revocation_take(&f->env, &arena, 0, buf_span(&der), SPAN(""), &t.taking, &t.why) ||
		store_write(f->env.store, put, &t) || revocation_load(&f->env))
		return false;
	r = revocation_of_domain(&f->env, 0);
	return begin_of(r) / 1000000 == o.this_us / 1000000;
}

/* Settings count like rows. */
static bool change_setting(struct env_fixture *f, bool refuse)
{
	env_fixture_set(f, "crl_stale", refuse ? "refuse" : "ignore");
	if (revocation_load(&f->env))
		return false;
	for (int i = 0; i < 5; i++) {
		CLEANUP(buf_done) struct buf got = {};

		judge(f, 0, &bob, &got);
		if (!span_is(buf_span(&got), refuse ? "crl-expired" : "valid, crl-expired"))
			return false;
		(void)sched_yield();
	}
	return true;
}

/* Whoever changes something and loads sees it afterwards, and never what was before it again, however
 * many load at the same time. Nothing is asserted before the others have ended. */
static void test_loads_at_once(void **state)
{
	void *(*const what[])(void *) = { keep_loading, keep_loading, keep_loading, keep_looking };
	enum { CROWD = sizeof what / sizeof what[0], CHANGES = 20 };
	struct env_fixture *f = *state;
	struct crowd crowd = { .f = f };
	pthread_t threads[CROWD];
	int n_lists = 0, n_settings = 0;

	for (size_t i = 0; i < CROWD; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, what[i], &crowd), 0);
	for (int64_t number = 1; number <= CHANGES; number++)
		n_lists += change_list(f, number);
	clock_set(now_us + 2 * hour_us, 1000);
	for (int i = 0; i < CHANGES; i++)
		n_settings += change_setting(f, i % 2 == 0);
	atomic_store(&crowd.stop, true);
	for (size_t i = 0; i < CROWD; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(n_lists, CHANGES);
	assert_int_equal(n_settings, CHANGES);
	assert_int_equal(crowd.faults, 0);
}

static void test_schedule(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		int64_t t = errand_renewal_us(0, 1000000000, 1);

		assert_in_range(t, 450000000, 550000001);
		t = errand_renewal_us(0, 1000 * hour_us, 900 * hour_us);
		assert_in_range(t, 945 * hour_us, 955 * hour_us + 1);
		assert_int_equal(errand_renewal_us(0, 100, 101), 101 + 60000000);
		t = errand_retry_us(1, 0);
		assert_in_range(t, 270 * 1000000LL, 330 * 1000000LL);
		t = errand_retry_us(2, 0);
		assert_in_range(t, 540 * 1000000LL, 660 * 1000000LL);
		t = errand_retry_us(1000000, 0);
		assert_in_range(t, 6 * hour_us / 10 * 9, 6 * hour_us / 10 * 11);
	}
}

int main(void)
{
	struct env_fixture *f;
	int r;
#define ROW(test) { #test, test, setup, teardown, NULL }
	struct CMUnitTest tests[] = {
		ROW(test_revoked),
		ROW(test_scopes),
		ROW(test_refused),
		ROW(test_older),
		ROW(test_repeated_transaction),
		ROW(test_given_authority),
		ROW(test_stale),
		ROW(test_named_by_certificates),
		ROW(test_url_check),
		ROW(test_snapshots),
		ROW(test_loads_at_once),
		ROW(test_schedule),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	f = env_fixture_new();
	(void)make_certificates();
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tests[i].initial_state = f;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	env_fixture_free(f);
	cert_made_done(&authority);
	cert_made_done(&twin);
	cert_made_done(&alice);
	cert_made_done(&bob);
	return r;
}
