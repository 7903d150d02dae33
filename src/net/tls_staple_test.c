/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Who is shown what a responder said, and until when. What it is does not matter to TLS. */

#include "net/tls_staple.h"

#include "base/clock.h"
#include "net/loop.h"
#include "net/stream_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct loop *loop;
static struct tls_host *host;
static struct tls_service *service;

static int set_up(void **state)
{
	struct tls_profile *p = fixture_profile("default.example", "rsa ec");

	p->identities[0].staple = tls_staple_new();
	p->identities[1].staple = tls_staple_new();
	*state = p;
	if (loop_new(&loop) || loop_start(loop, "test"))
		return -1;
	host = fixture_host(tls_profile_ref(p));
	service = tls_service_new(host, NULL);
	return 0;
}

static int tear_down(void **state)
{
	tls_profile_unref(*state);
	loop_free(loop);
	tls_service_free(service);
	tls_host_free(host);
	return 0;
}

/* What a client is shown: "-" for nothing. */
static void expect(struct fixture_client c, const char *answer)
{
	struct stream_options options = { .loop = loop, .tls = service, .tls_first = true };
	struct fixture_server server = {};
	const unsigned char *got = NULL;
	long n;

	assert_int_equal(fixture_connect(&c, fixture_start(&server, &options)), 1);
	assert_true(fixture_reads(&c, "hello\n"));
	n = SSL_get_tlsext_status_ocsp_resp(c.ssl, &got);
	if (n <= 0)
		assert_string_equal(answer, "-");
	else
		assert_true(span_is(span_of(got, (size_t)n), answer));
	fixture_client_done(&c);
	assert_true(fixture_wait(&server));
	fixture_done(&server);
}

static void test_shown(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_profile *p = *state;
	int64_t soon = clock_now_us() + 3600LL * 1000000;

	tls_staple_set(p->identities[0].staple, SPAN("about RSA"), soon);
	tls_staple_set(p->identities[1].staple, SPAN("about EC"), soon);
	for (size_t i = 0; i < 2; i++) {
		const char *rsa = i ? "RSA-PSS+SHA256" : "RSA+SHA256";
		struct fixture_client c = { .version = versions[i], .asks_status = true };

		expect(c, "about EC");
		c.sigalgs = rsa;
		expect(c, "about RSA");
		c.asks_status = false;
		expect(c, "-");
	}
}

static void test_not_shown(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_profile *p = *state;
	struct tls_staple *s = p->identities[1].staple;

	for (size_t i = 0; i < 2; i++) {
		struct fixture_client c = { .version = versions[i], .asks_status = true };
		int64_t now = clock_now_us();

		tls_staple_set(p->identities[0].staple, SPAN("about RSA"), now + 10000000);
		tls_staple_set(s, SPAN("old"), now);
		expect(c, "-");
		tls_staple_set(s, SPAN("new"), now + 10000000);
		expect(c, "new");
		tls_staple_set(s, SPAN(""), now + 10000000);
		expect(c, "-");
		/* The other certificate's answer is not shown in its place. */
		p->identities[1].staple = NULL;
		expect(c, "-");
		p->identities[1].staple = s;
	}
}

static void test_copy(void **state)
{
	struct tls_staple *s = tls_staple_new();
	uint8_t *copy;
	size_t n = 99;

	(void)state;
	assert_false(tls_staple_is_shared(s));
	(void)tls_staple_ref(s);
	assert_true(tls_staple_is_shared(s));
	assert_null(tls_staple_unref(s));
	assert_false(tls_staple_is_shared(s));
	assert_null(tls_staple_copy(s, 0, &n));
	tls_staple_set(s, SPAN("abc"), 100);
	assert_null(tls_staple_copy(s, 100, &n));
	assert_int_equal(n, 99);
	copy = tls_staple_copy(s, 99, &n);
	assert_true(span_is(span_of(copy, n), "abc"));
	OPENSSL_free(copy);
	assert_null(tls_staple_unref(s));
	assert_null(tls_staple_unref(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_shown, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_shown, set_up, tear_down),
		cmocka_unit_test(test_copy),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
