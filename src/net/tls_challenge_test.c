/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Who sees the certificate of a challenge, and who does not. */

#include "net/tls_challenge.h"

#include "base/alloc.h"
#include "base/test.h"
#include "net/loop.h"
#include "net/stream_fixture.h"

#include <openssl/err.h>
#include <stdlib.h>

struct bench {
	struct loop *loop;
	struct tls_host *host;
	struct tls_service *service;
	struct tls_profile *own;       /* what the domain shows to everybody */
	struct tls_profile *challenge; /* holds the certificate that the authority is to see */
};

static int set_up(void **state)
{
	struct bench *b = ALLOC(struct bench);
	static const char *const names[] = { "http/1.1", NULL };

	if (loop_new(&b->loop) || loop_start(b->loop, "test"))
		return -1;
	b->own = fixture_profile("example.org", "ec");
	b->host = fixture_host(tls_profile_ref(b->own));
	b->service = tls_service_new(b->host, names);
	b->challenge = fixture_profile("challenge", "rsa");
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	loop_free(b->loop);
	tls_service_free(b->service);
	tls_host_free(b->host);
	tls_profile_unref(b->own);
	tls_profile_unref(b->challenge);
	free(b);
	return 0;
}

static X509 *cert_of(const struct tls_profile *p)
{
	return p->identities[0].certificate;
}

static void put(struct bench *b, const char *name)
{
	assert_int_equal(tls_challenge_set(b->host, span_str(name), cert_of(b->challenge),
				 b->challenge->identities[0].key),
		0);
}

/* NULL: no handshake; with the reason that the server gives. */
static X509 *visit(struct bench *b, struct tls_service *service, const char *sni, const char *alpn,
	int version, char *ret_reason)
{
	struct stream_options options = { .loop = b->loop, .tls = service, .tls_first = true };
	struct fixture_client c = { .fd = -1, .sni = sni, .alpn = (const uint8_t *)alpn,
		.version = version };
	struct fixture_server server = {};
	X509 *seen = NULL;
	char octet;

	if (fixture_connect(&c, fixture_start(&server, &options)) == 1) {
		seen = SSL_get1_peer_certificate(c.ssl);
		/* Nothing is said to an authority. */
		if (alpn && strcmp(alpn, "\12acme-tls/1") == 0) {
			const unsigned char *chosen;
			unsigned n;

			SSL_get0_alpn_selected(c.ssl, &chosen, &n);
			assert_true(span_is(span_of(chosen, n), "acme-tls/1"));
			assert_int_equal(SSL_read(c.ssl, &octet, 1), 0);
		}
	}
	fixture_client_done(&c);
	assert_true(fixture_wait(&server));
	(void)strcpy(ret_reason, server.reason);
	fixture_done(&server);
	return seen;
}

static void expect(struct bench *b, const char *sni, const char *alpn, const X509 *want)
{
	char reason[sizeof((struct fixture_server *)0)->reason];

	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		X509 *seen = visit(b, b->service, sni, alpn, version, reason);

		if (!want != !seen || (want && X509_cmp(want, seen) != 0))
			fail_msg("%s %s: %s", sni ? sni : "-", alpn ? alpn : "-", reason);
		X509_free(seen);
	}
}

static void test_who_sees_it(void **state)
{
	struct bench *b = *state;

	put(b, "example.org");
	expect(b, "example.org", "\12acme-tls/1", cert_of(b->challenge));
	expect(b, "EXAMPLE.org", "\12acme-tls/1", cert_of(b->challenge));
	/* Another name, none, a name below it. */
	expect(b, "example.net", "\12acme-tls/1", NULL);
	expect(b, NULL, "\12acme-tls/1", NULL);
	expect(b, "mail.example.org", "\12acme-tls/1", NULL);
	/* RFC 8737 section 3: with another protocol beside it the client is none that checks. */
	expect(b, "example.org", "\12acme-tls/1\10http/1.1", cert_of(b->own));
	expect(b, "example.org", "\10http/1.1\12acme-tls/1", cert_of(b->own));
	expect(b, "example.org", "\12acme-tls/2", NULL);
	expect(b, "example.org", "\10http/1.1", cert_of(b->own));
	expect(b, "example.org", NULL, cert_of(b->own));

	tls_challenge_clear(b->host, SPAN("Example.Org"));
	tls_challenge_clear(b->host, SPAN("Example.Org"));
	expect(b, "example.org", "\12acme-tls/1", NULL);
}

/* A service without protocol names of its own answers too, and refuses the same. */
static void test_other_service(void **state)
{
	struct bench *b = *state;
	struct tls_service *plain = tls_service_new(b->host, NULL);
	char reason[sizeof((struct fixture_server *)0)->reason];
	X509 *seen;

	assert_null(visit(b, plain, "example.org", "\12acme-tls/1", TLS1_3_VERSION, reason));
	put(b, "example.org");
	seen = visit(b, plain, "example.org", "\12acme-tls/1", TLS1_3_VERSION, reason);
	assert_non_null(seen);
	assert_string_equal(reason, "ACME challenge answered");
	X509_free(seen);
	tls_service_free(plain);
}

static void test_limits(void **state)
{
	struct bench *b = *state;
	unsigned n = 0;
	int r;

	do {
		CLEANUP(alloc_freep) char *name = alloc_format("n%u.example", n);

		r = tls_challenge_set(b->host, span_str(name), cert_of(b->challenge),
			b->challenge->identities[0].key);
	} while (r == 0 && ++n < 100000);
	assert_int_equal(r, TLS_CHALLENGE_E_LIMIT);
	assert_in_range(n, 100, 10000);
	/* One that waits already may change. */
	put(b, "n0.example");
	assert_int_equal(tls_challenge_set(b->host, SPAN(""), cert_of(b->own),
				 b->own->identities[0].key),
		TLS_CHALLENGE_E_LIMIT);
}

#define CHALLENGE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHALLENGE_TEST(test_who_sees_it),
		CHALLENGE_TEST(test_other_service),
		CHALLENGE_TEST(test_limits),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
