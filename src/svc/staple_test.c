/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What becomes of answers that are stored, and of responders that cannot be asked. Asking real ones is
 * tested live. */

#include "svc/staple.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/tls_staple.h"
#include "pki/revocation_fixture.h"
#include "store/crl_rows.h"
#include "store/store.h"
#include "svc/env_fixture.h"

#include <openssl/ocsp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const int64_t hour_us = 3600LL * 1000000;
static int64_t now_us;
static struct cert_made authority, asked, strict, silent;

static void make_certificates(void)
{
	struct cert_order o = { .subject = "CN=mail.example.org", .issuer = &authority };

	now_us = clock_now_us() / 1000000 * 1000000;
	authority = cert_make(&(struct cert_order){ .subject = "CN=Test CA", .is_authority = true });
	silent = cert_make(&o);
	o.access = "OCSP;URI:http://127.0.0.1:1/";
	asked = cert_make(&o);
	o.access = NULL;
	o.must_staple = true;
	strict = cert_make(&o);
}

static int setup(void **state)
{
	env_fixture_open(*state);
	return 0;
}

/* What is in use ends with its test. */
static int teardown(void **state)
{
	struct env_fixture *f = *state;

	clock_set(0, 0);
	assert_int_equal(staple_run_due(&f->env, false), 0);
	env_fixture_close(f);
	return 0;
}

static struct tls_staple *use(struct env_fixture *f, struct cert_made *m, bool with_chain)
{
	struct cert *issuers[] = { authority.cert };
	const struct cert_list chain = { issuers, with_chain };

	return staple_of(&f->env, &(struct staple_subject){ .domain = f->store->domain,
		.domain_name = SPAN("example.org"), .alias = SPAN("one"), .cert = m->cert,
		.chain = &chain });
}

static void expect(struct env_fixture *f, const struct cert_made *m, enum staple_state state,
	const char *problem)
{
	struct staple_report report;

	staple_report(&f->env, m->cert, &report);
	if (report.state != state || !strstr(report.problem.text, problem))
		fail_msg("%s \"%s\" instead of %s \"%s\"", staple_state_name(report.state),
			report.problem.text, staple_state_name(state), problem);
	assert_int_equal(report.until_us != 0, state == STAPLE_GOOD);
}

static void expect_shown(struct tls_staple *staple, bool shown)
{
	size_t n;
	uint8_t *copy = tls_staple_copy(staple, clock_now_us(), &n);

	assert_int_equal(copy != NULL, shown);
	OPENSSL_free(copy);
}

struct storing {
	const struct cert_made *subject;
	struct span der;
};

static int store_answer(struct store_conn *c, void *arg)
{
	const struct storing *s = arg;
	uint8_t sha256[32];

	cert_fingerprint(s->subject->cert, sha256);
	return store_ocsp_put(c, span_of(sha256, sizeof sha256), s->der, now_us);
}

static void store(struct env_fixture *f, struct ocsp_order o)
{
	CLEANUP(buf_done) struct buf der = {};
	struct storing s = { .subject = &asked };

	ocsp_make(&o, &der);
	s.der = buf_span(&der);
	assert_int_equal(store_write(f->env.store, store_answer, &s), 0);
}

static struct ocsp_order good(void)
{
	return (struct ocsp_order){ .subject = asked.cert, .issuer = authority.cert,
		.signer = &authority, .this_us = now_us - hour_us, .next_us = now_us + 3 * hour_us };
}

static void test_who_is_asked(void **state)
{
	struct env_fixture *f = *state;
	struct tls_staple *one, *again;

	assert_null(use(f, &silent, true));
	expect(f, &silent, STAPLE_NONE, "");
	one = use(f, &asked, true);
	again = use(f, &asked, true);
	assert_non_null(one);
	assert_ptr_equal(one, again);
	expect(f, &asked, STAPLE_WANTED, "");
	tls_staple_unref(one);
	/* As long as somebody shows it. */
	assert_int_equal(staple_run_due(&f->env, false), 0);
	expect(f, &asked, STAPLE_WANTED, "");
	tls_staple_unref(again);
	assert_int_equal(staple_run_due(&f->env, false), 0);
	expect(f, &asked, STAPLE_NONE, "");
}

/* From the first handshake after a start on, and until it is over. */
static void test_stored(void **state)
{
	struct env_fixture *f = *state;
	struct tls_staple *staple;

	store(f, good());
	staple = use(f, &asked, true);
	expect_shown(staple, false);
	assert_int_equal(staple_run_due(&f->env, false), 0);
	expect(f, &asked, STAPLE_GOOD, "");
	expect_shown(staple, true);
	clock_set(now_us + 3 * hour_us - 1, 1);
	expect_shown(staple, true);
	clock_set(now_us + 3 * hour_us, 1);
	expect_shown(staple, false);
	expect(f, &asked, STAPLE_WANTED, "");
	tls_staple_unref(staple);
}

/* The database does not vouch for what is in it. */
static void test_stored_but_not_good(void **state)
{
	struct env_fixture *f = *state;
	struct cert_made other = cert_make(
		&(struct cert_order){ .subject = "CN=Test CA", .is_authority = true });
	struct ocsp_order rows[4] = { good(), good(), good(), good() };

	rows[0].next_us = now_us - 1000000;
	rows[1].status = V_OCSP_CERTSTATUS_REVOKED;
	rows[2].signer = &other;
	rows[3].subject = silent.cert;
	for (size_t i = 0; i < 4; i++) {
		struct tls_staple *staple = use(f, &asked, true);

		store(f, rows[i]);
		assert_int_equal(staple_run_due(&f->env, false), 0);
		expect_shown(staple, false);
		/* That it was revoked is remembered over a restart. */
		expect(f, &asked, i == 1 ? STAPLE_REVOKED : STAPLE_WANTED,
			i == 1 ? "revoked" : "");
		tls_staple_unref(staple);
		assert_int_equal(staple_run_due(&f->env, false), 0);
	}
	cert_made_done(&other);
}

/* A failure leaves in place what is good still, and is told. */
static void test_failures(void **state)
{
	struct env_fixture *f = *state;
	struct tls_staple *staple = use(f, &asked, true);
	struct staple_report report;

	assert_int_equal(staple_run_due(&f->env, true), 0);
	expect(f, &asked, STAPLE_WANTED, "127.0.0.1");
	staple_report(&f->env, asked.cert, &report);
	assert_true(report.next_us > now_us + 200 * 1000000LL);
	tls_staple_unref(staple);
	assert_int_equal(staple_run_due(&f->env, false), 0);

	store(f, good());
	staple = use(f, &asked, true);
	clock_set(now_us + 2 * hour_us, 1); /* past the half */
	assert_int_equal(staple_run_due(&f->env, false), 0);
	clock_set(now_us + 2 * hour_us + 55 * 60 * 1000000LL, 1);
	assert_int_equal(staple_run_due(&f->env, true), 0);
	expect(f, &asked, STAPLE_GOOD, "127.0.0.1");
	expect_shown(staple, true);
	tls_staple_unref(staple);
}

static void test_nobody_to_ask(void **state)
{
	struct env_fixture *f = *state;
	struct tls_staple *without = use(f, &strict, true), *stray = use(f, &asked, false);
	struct staple_report report;

	assert_int_equal(staple_run_due(&f->env, true), 0);
	expect(f, &strict, STAPLE_WANTED, "names no responder");
	expect(f, &asked, STAPLE_WANTED, "neither in its chain nor trusted");
	staple_report(&f->env, strict.cert, &report);
	assert_true(report.must_staple);
	/* Once the chain is there. */
	store(f, good());
	tls_staple_unref(stray);
	stray = use(f, &asked, true);
	assert_int_equal(staple_run_due(&f->env, false), 0);
	expect(f, &asked, STAPLE_GOOD, "");
	tls_staple_unref(without);
	tls_staple_unref(stray);
}

/* The same staple is shown all along, so it is the one that has to get the answer. */
static void test_chain_comes_later(void **state)
{
	struct env_fixture *f = *state;
	struct tls_staple *first = use(f, &asked, false), *again;

	store(f, good());
	assert_int_equal(staple_run_due(&f->env, true), 0);
	expect(f, &asked, STAPLE_WANTED, "neither in its chain nor trusted");
	again = use(f, &asked, true);
	assert_ptr_equal(first, again);
	assert_int_equal(staple_run_due(&f->env, false), 0);
	expect(f, &asked, STAPLE_GOOD, "");
	expect_shown(first, true);
	tls_staple_unref(first);
	tls_staple_unref(again);
}

static void test_turned_off(void **state)
{
	struct env_fixture *f = *state;
	struct tls_staple *staple;

	store(f, good());
	staple = use(f, &asked, true);
	assert_int_equal(staple_run_due(&f->env, false), 0);
	expect_shown(staple, true);
	env_fixture_set(f, "ocsp_stapling", "no");
	staple_tend(&f->env);
	expect(f, &asked, STAPLE_OFF, "");
	expect_shown(staple, false);
	env_fixture_set(f, "ocsp_stapling", "yes");
	assert_int_equal(staple_run_due(&f->env, false), 0);
	expect_shown(staple, true);
	tls_staple_unref(staple);
}

int main(void)
{
	struct env_fixture *f;
	int r;
#define ROW(test) { #test, test, setup, teardown, NULL }
	struct CMUnitTest tests[] = {
		ROW(test_who_is_asked),
		ROW(test_stored),
		ROW(test_stored_but_not_good),
		ROW(test_failures),
		ROW(test_nobody_to_ask),
		ROW(test_chain_comes_later),
		ROW(test_turned_off),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	f = env_fixture_new();
	make_certificates();
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tests[i].initial_state = f;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	env_fixture_free(f);
	cert_made_done(&authority);
	cert_made_done(&asked);
	cert_made_done(&strict);
	cert_made_done(&silent);
	return r;
}
