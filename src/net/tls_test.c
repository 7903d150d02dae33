/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What a handshake decides: the domain, its certificate, each field of its profile, tickets, and
 * where the signature is made. */

#include "base/alloc.h"
#include "base/enc.h"
#include "net/loop.h"
#include "net/stream_fixture.h"
#include "net/tls_rules.h"

#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { DAY_S = 86400 }; /* what sessions live by default */

struct bench {
	struct loop *loops[2];
	struct tls_host *host;
	struct tls_service *service;
	struct stream_options options;
	struct fixture_server server;
	struct fixture_client client;
};

static int set_up(void **state)
{
	struct bench *b = ALLOC(struct bench);

	b->client.fd = -1;
	for (int i = 0; i < 2; i++) {
		if (loop_new(&b->loops[i]) || loop_start(b->loops[i], "test"))
			return -1;
	}
	b->host = fixture_host(fixture_profile("default.example", "ec"));
	b->service = tls_service_new(b->host, NULL);
	b->options = (struct stream_options){ .loop = b->loops[0], .tls = b->service,
		.tls_first = true };
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	SSL_SESSION_free(b->client.session);
	loop_free(b->loops[0]);
	loop_free(b->loops[1]);
	tls_service_free(b->service);
	tls_host_free(b->host);
	free(b);
	return 0;
}

/* A directory of one name besides the default. Takes the references. */
static void swap(struct bench *b, struct tls_profile *fallback, const char *name,
	struct tls_profile *named)
{
	struct tls_directory *d = tls_directory_new();

	tls_directory_set_default(d, fallback);
	tls_profile_unref(fallback);
	if (named)
		tls_directory_add_name(d, name, named);
	tls_profile_unref(named);
	tls_host_swap(b->host, d);
}

/* One connection from beginning to end; the results stay in b->server, the session (and ticket) in
 * b->client.session. Returns what fixture_connect does. */
static int visit(struct bench *b)
{
	SSL_SESSION *session = TAKE(b->client.session);
	struct fixture_client c = b->client;
	int r;

	free(b->server.profile);
	b->server = (struct fixture_server){};
	c.session = session;
	r = fixture_connect(&c, fixture_start(&b->server, &b->options));
	if (r == 1) {
		assert_true(fixture_reads(&c, "hello\n"));
		(void)SSL_shutdown(c.ssl);
	}
	if (r == 1 && !fixture_reads(&c, "end\n"))
		fail_msg("no end");
	/* In TLS 1.2 a client is not told of the ticket that renews another. */
	if (r == 1 && SSL_version(c.ssl) == TLS1_2_VERSION) {
		SSL_SESSION_free(c.session);
		c.session = SSL_get1_session(c.ssl);
	}
	b->client.session = TAKE(c.session);
	fixture_client_done(&c);
	assert_true(fixture_wait(&b->server));
	return r;
}

static void visit_end(struct bench *b)
{
	fixture_done(&b->server);
	b->server.profile = NULL;
}

/* Rules of the profile's own. */
static void set_rule(struct bench *b, struct tls_profile *p, const char *key, const char *value)
{
	struct tls_policy policy;
	struct why why;

	tls_policy_init(&policy);
	assert_int_equal(tls_policy_set(&policy, span_str(key), span_str(value), &why), 0);
	assert_int_equal(tls_rules_new(&p->rules[0], b->host, &policy, &why), 0);
	tls_policy_done(&policy);
}

static void expect_profile(struct bench *b, const char *sni, const char *profile)
{
	b->client.sni = sni;
	assert_int_equal(visit(b), 1);
	assert_string_equal(b->server.profile, profile);
	visit_end(b);
}

static void test_names(void **state)
{
	struct tls_directory *d = tls_directory_new();
	struct tls_profile *fallback = fixture_profile("default.example", "ec");
	struct tls_profile *one = fixture_profile("one.example", "ec");
	struct tls_profile *two = fixture_profile("two.example", "ec");
	struct bench *b = *state;
	struct net_address local;

	assert_int_equal(net_address_parse(SPAN("192.0.2.2"), &local), 0);
	tls_directory_set_default(d, fallback);
	tls_directory_add_name(d, "one.example", one);
	tls_directory_add_name(d, "Mail.One.Example.", one);
	tls_directory_add_address(d, &local, two);
	tls_profile_unref(fallback);
	tls_profile_unref(one);
	tls_profile_unref(two);
	tls_host_swap(b->host, d);

	expect_profile(b, NULL, "default.example");
	expect_profile(b, "one.example", "one.example");
	expect_profile(b, "ONE.example", "one.example");
	expect_profile(b, "mail.one.example", "one.example");
	expect_profile(b, "unknown.example", "default.example");
	b->options.local = local;
	expect_profile(b, NULL, "two.example");
	expect_profile(b, "one.example", "one.example");
}

static void test_no_profile(void **state)
{
	struct bench *b = *state;

	tls_host_swap(b->host, tls_directory_new());
	assert_int_not_equal(visit(b), 1);
	assert_int_not_equal(b->server.fault, 0);
	visit_end(b);
}

/* What the tests' verifier goes by: one certificate is good, with as many others as came at first. */
struct verifier {
	X509 *good;
	int n_others;
	long result; /* for the good one */
	const bool *is_away;
	unsigned n_on_loop;
};

static void verify(void *context, struct tls_client *c)
{
	struct verifier *v = context;

	v->n_on_loop += v->is_away && !*v->is_away;
	if (X509_cmp(c->certificate, v->good) != 0) {
		c->result = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
		c->reason = alloc_string("a stranger");
		return;
	}
	c->result = sk_X509_num(c->others) == v->n_others ? v->result :
		X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
	c->name = alloc_string("visitor@example.org");
}

static struct tls_profile *client_rule(struct bench *b, int mode, bool abort_on_bad,
	struct verifier *v)
{
	struct tls_profile *p = fixture_profile("default.example", "ec");
	struct tls_policy policy;
	struct why why;

	tls_policy_init(&policy);
	policy.client_abort = abort_on_bad;
	if (tls_rules_new(&p->rules[0], b->host, &policy, &why))
		fail_msg("%s", why.text);
	tls_policy_done(&policy);
	p->client_mode = mode;
	p->client_verify = verify;
	p->client_context = v;
	p->client_names = sk_X509_NAME_new_null();
	sk_X509_NAME_push(p->client_names, X509_NAME_dup(X509_get_subject_name(v->good)));
	return p;
}

enum {
	ASKED = SSL_VERIFY_PEER,
	REQUIRED = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
	NO_CERTIFICATE = -1,
	REFUSED = -2,
};

/* Visits with the certificate of a profile. Returns what the server made of it. */
static long visit_as(struct bench *b, struct tls_profile *rule, struct tls_profile *visitor)
{
	long result;

	b->client.certificate = visitor ? visitor->identities[0].certificate : NULL;
	b->client.key = visitor ? visitor->identities[0].key : NULL;
	SSL_SESSION_free(TAKE(b->client.session));
	swap(b, rule, NULL, NULL);
	result = visit(b) == 1 ? b->server.client_result : REFUSED;
	visit_end(b);
	return result;
}

static void test_client_certificates(void **state)
{
	struct tls_profile *good = fixture_profile("good", "ec");
	struct tls_profile *bad = fixture_profile("bad", "ec");
	struct verifier v = { .good = good->identities[0].certificate };
	struct bench *b = *state;
	const struct {
		int mode;
		bool abort_on_bad;
		struct tls_profile *visitor;
		long result;
	} rows[] = {
		{ ASKED, false, good, X509_V_OK },
		{ ASKED, false, bad, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY },
		{ ASKED, false, NULL, NO_CERTIFICATE },
		{ ASKED, true, good, X509_V_OK },
		{ ASKED, true, bad, REFUSED },
		{ ASKED, true, NULL, NO_CERTIFICATE },
		{ REQUIRED, false, good, X509_V_OK },
		{ REQUIRED, false, bad, REFUSED },
		{ REQUIRED, false, NULL, REFUSED },
		{ REQUIRED, true, good, X509_V_OK },
		{ REQUIRED, true, bad, REFUSED },
		{ REQUIRED, true, NULL, REFUSED },
		/* Nobody has asked. */
		{ SSL_VERIFY_NONE, true, bad, NO_CERTIFICATE },
	};

	/* A client of TLS 1.3 is through before it is refused: see test_client_alerts. */
	b->client.version = TLS1_2_VERSION;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		long result = visit_as(b, client_rule(b, rows[i].mode, rows[i].abort_on_bad, &v),
			rows[i].visitor);

		if (result != rows[i].result)
			fail_msg("row %zu: %ld", i, result);
	}
	tls_profile_unref(good);
	tls_profile_unref(bad);
}

/* The alert says what is wrong with the certificate (RFC 5246 section 7.2.2, RFC 8446 section 6.2),
 * and in TLS 1.3 it reaches a client that has gone on already. */
static void test_client_alerts(void **state)
{
	struct tls_profile *good = fixture_profile("good", "ec");
	struct tls_profile *bad = fixture_profile("bad", "ec");
	struct bench *b = *state;
	const struct {
		int version;
		struct tls_profile *visitor;
		long result;
		int alert;
		const char *reason;
	} rows[] = {
		{ TLS1_3_VERSION, NULL, 0, TLS13_AD_CERTIFICATE_REQUIRED,
			"the client has no certificate, and the domain requires one" },
		{ TLS1_2_VERSION, NULL, 0, SSL3_AD_HANDSHAKE_FAILURE,
			"the client has no certificate, and the domain requires one" },
		{ TLS1_3_VERSION, bad, 0, TLS1_AD_UNKNOWN_CA, "client certificate: a stranger" },
		{ TLS1_2_VERSION, bad, 0, TLS1_AD_UNKNOWN_CA, "client certificate: a stranger" },
		{ TLS1_3_VERSION, good, X509_V_ERR_CERT_HAS_EXPIRED, SSL3_AD_CERTIFICATE_EXPIRED,
			"client certificate: certificate has expired" },
		{ TLS1_2_VERSION, good, X509_V_ERR_CERT_HAS_EXPIRED, SSL3_AD_CERTIFICATE_EXPIRED,
			"client certificate: certificate has expired" },
		{ TLS1_3_VERSION, good, X509_V_ERR_CERT_REVOKED, SSL3_AD_CERTIFICATE_REVOKED,
			"client certificate: certificate revoked" },
		{ TLS1_3_VERSION, good, X509_V_ERR_INVALID_PURPOSE, SSL3_AD_UNSUPPORTED_CERTIFICATE,
			NULL },
		{ TLS1_2_VERSION, good, X509_V_ERR_CERT_REJECTED, SSL3_AD_BAD_CERTIFICATE, NULL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct verifier v = { .good = good->identities[0].certificate,
			.result = rows[i].result };
		struct fixture_server server = {};
		struct fixture_client c = { .version = rows[i].version };
		char octet;

		if (rows[i].visitor) {
			c.certificate = rows[i].visitor->identities[0].certificate;
			c.key = rows[i].visitor->identities[0].key;
		}
		swap(b, client_rule(b, REQUIRED, false, &v), NULL, NULL);
		if (fixture_connect(&c, fixture_start(&server, &b->options)) == 1) {
			assert_int_equal(rows[i].version, TLS1_3_VERSION);
			for (int k = 0; k < 100; k++)
				(void)fixture_writes(&c, "a command that comes too early\n");
			assert_int_equal(fixture_read(&c, &octet, 1), 0);
		}
		if (ERR_GET_REASON(ERR_peek_error()) != SSL_AD_REASON_OFFSET + rows[i].alert)
			fail_msg("row %zu: %s", i, ERR_reason_error_string(ERR_peek_error()));
		fixture_client_done(&c);
		assert_true(fixture_wait(&server));
		if (rows[i].reason)
			assert_string_equal(server.reason, rows[i].reason);
		fixture_done(&server);
	}
	tls_profile_unref(good);
	tls_profile_unref(bad);
}

/* More certificates than a client has use for are not read. */
static void test_client_too_large(void **state)
{
	struct tls_profile *good = fixture_profile("good", "ec");
	struct verifier v = { .good = good->identities[0].certificate };
	STACK_OF(X509) *others = sk_X509_new_null();
	struct bench *b = *state;

	for (int n = i2d_X509(v.good, NULL), all = n; all <= TLS_CLIENT_OCTETS; all += n)
		sk_X509_push(others, v.good);
	b->client.version = TLS1_2_VERSION;
	b->client.others = others;
	assert_int_equal(visit_as(b, client_rule(b, ASKED, false, &v), good), REFUSED);
	sk_X509_pop(others);
	sk_X509_pop(others);
	v.n_others = sk_X509_num(others);
	assert_int_equal(visit_as(b, client_rule(b, ASKED, false, &v), good), X509_V_OK);
	b->client.others = NULL;
	sk_X509_free(others);
	tls_profile_unref(good);
}

static void expect_visit(struct bench *b, bool resumed, long result)
{
	assert_int_equal(visit(b), 1);
	assert_int_equal(b->server.info.resumed, resumed);
	assert_int_equal(b->server.client_result, result);
	visit_end(b);
}

/* A ticket keeps the certificate and what came with it, and is good as long as the certificate is. */
static void test_client_tickets(void **state)
{
	struct tls_profile *good = fixture_profile("good", "ec");
	struct tls_profile *bad = fixture_profile("bad", "ec");
	struct verifier v = { .good = good->identities[0].certificate, .n_others = 1 };
	STACK_OF(X509) *others = sk_X509_new_null();
	struct bench *b = *state;

	sk_X509_push(others, bad->identities[0].certificate);
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		b->client.version = version;
		b->client.others = others;
		v.result = X509_V_OK;
		assert_int_equal(visit_as(b, client_rule(b, ASKED, false, &v), good), X509_V_OK);
		for (int i = 0; i < 2; i++)
			expect_visit(b, true, X509_V_OK);
		v.result = X509_V_ERR_CERT_HAS_EXPIRED;
		expect_visit(b, false, X509_V_ERR_CERT_HAS_EXPIRED);
		/* One that was not valid before does not have to be. */
		expect_visit(b, true, X509_V_ERR_CERT_HAS_EXPIRED);
		/* Another rule, the same domain. */
		swap(b, client_rule(b, ASKED, true, &v), NULL, NULL);
		v.result = X509_V_OK;
		expect_visit(b, false, X509_V_OK);
		expect_visit(b, true, X509_V_OK);
		/* A client that has none now is still who it was when the session began. */
		b->client.certificate = NULL;
		expect_visit(b, true, X509_V_OK);
		v.result = X509_V_ERR_CERT_REVOKED;
		expect_visit(b, false, NO_CERTIFICATE);
	}
	sk_X509_free(others);
	tls_profile_unref(good);
	tls_profile_unref(bad);
}

static void test_tickets(void **state)
{
	struct bench *b = *state;
	static const char *const names[] = { "imap", NULL };
	struct tls_service *other = tls_service_new(b->host, names);
	struct tls_profile *same = fixture_profile("default.example", "ec");
	struct tls_profile *stranger = fixture_profile("other.example", "ec");
	struct tls_profile *stricter = fixture_profile("default.example", "ec");

	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		SSL_SESSION_free(TAKE(b->client.session));
		b->client.version = version;
		b->options.loop = b->loops[0];
		b->options.tls = b->service;
		assert_int_equal(visit(b), 1);
		assert_false(b->server.info.resumed);
		assert_in_range(SSL_SESSION_get_ticket_lifetime_hint(b->client.session),
			DAY_S - 5, DAY_S);
		visit_end(b);

		/* Another loop, another service; in TLS 1.3 a ticket of its own each time. */
		for (int i = 0; i < 3; i++) {
			SSL_SESSION *before = b->client.session;

			SSL_SESSION_up_ref(before);
			b->options.loop = b->loops[1];
			b->options.tls = other;
			assert_int_equal(visit(b), 1);
			assert_true(b->server.info.resumed);
			if (version == TLS1_2_VERSION)
				assert_ptr_equal(b->client.session, before);
			else
				assert_ptr_not_equal(b->client.session, before);
			SSL_SESSION_free(before);
			visit_end(b);
		}
		/* The directory is another, with a new certificate. */
		swap(b, tls_profile_ref(same), "other.example", tls_profile_ref(stranger));
		assert_int_equal(visit(b), 1);
		assert_true(b->server.info.resumed);
		visit_end(b);
	}

	/* Not for another domain, nor after the rule for client certificates has changed. */
	b->client.sni = "other.example";
	assert_int_equal(visit(b), 1);
	assert_false(b->server.info.resumed);
	visit_end(b);
	b->client.sni = NULL;
	assert_int_equal(visit(b), 1);
	visit_end(b);
	stricter->client_rule[0] = 1;
	swap(b, stricter, NULL, NULL);
	assert_int_equal(visit(b), 1);
	assert_false(b->server.info.resumed);
	visit_end(b);

	tls_profile_unref(same);
	tls_profile_unref(stranger);
	tls_service_free(other);
}

static void test_ticket_epochs(void **state)
{
	struct bench *b = *state;
	int64_t now_us = (int64_t)time(NULL) * 1000000;
	const int64_t epoch_us = (int64_t)TLS_TICKET_EPOCH_S * 1000000;

	assert_int_equal(visit(b), 1);
	visit_end(b);
	/* Old keys are good for as long as tickets live. */
	assert_int_equal(tls_host_rotate(b->host, now_us + 13 * epoch_us), 0);
	{
		SSL_SESSION *old = b->client.session;

		SSL_SESSION_up_ref(old);
		assert_int_equal(visit(b), 1);
		assert_true(b->server.info.resumed);
		visit_end(b);
		SSL_SESSION_free(b->client.session);
		b->client.session = old;
	}
	assert_int_equal(tls_host_rotate(b->host, now_us + 20 * epoch_us), 0);
	assert_int_equal(visit(b), 1);
	assert_false(b->server.info.resumed);
	visit_end(b);
}

static void test_lifetime(void **state)
{
	struct tls_profile *p = fixture_profile("default.example", "ec");
	struct bench *b = *state;

	set_rule(b, p, "session_lifetime", "10m");
	swap(b, p, NULL, NULL);
	assert_int_equal(visit(b), 1);
	assert_in_range(SSL_SESSION_get_ticket_lifetime_hint(b->client.session), 595, 600);
	visit_end(b);
}

/* Of so short a lifetime no part may pass unrenewed. */
static void test_renewal(void **state)
{
	struct tls_profile *p = fixture_profile("default.example", "ec");
	struct bench *b = *state;
	SSL_SESSION *before;

	set_rule(b, p, "session_lifetime", "7");
	swap(b, p, NULL, NULL);
	b->client.version = TLS1_2_VERSION;
	assert_int_equal(visit(b), 1);
	visit_end(b);
	before = b->client.session;
	SSL_SESSION_up_ref(before);
	assert_int_equal(visit(b), 1);
	assert_true(b->server.info.resumed);
	assert_ptr_not_equal(b->client.session, before);
	SSL_SESSION_free(before);
	visit_end(b);
}

static void test_alpn(void **state)
{
	static const char *const names[] = { "imap", NULL };
	struct bench *b = *state;
	struct tls_service *imap = tls_service_new(b->host, names);

	b->options.tls = imap;
	assert_int_equal(visit(b), 1);
	visit_end(b);
	b->client.alpn = (const unsigned char *)"\4pop3\4imap";
	assert_int_equal(visit(b), 1);
	visit_end(b);
	b->client.alpn = (const unsigned char *)"\4pop3";
	assert_int_not_equal(visit(b), 1);
	assert_string_equal(b->server.reason,
		"no application protocol in common (ALPN): the client is in the wrong place");
	visit_end(b);
	tls_service_free(imap);
}

/* Runs where it is, and counts. */
struct counting {
	struct executor executor;
	unsigned n;
	bool is_running;
};

static void counting_submit(struct executor *e, struct task *t)
{
	struct counting *c = CONTAINER_OF(e, struct counting, executor);

	c->n++;
	c->is_running = true;
	t->result = t->run(t, NULL);
	c->is_running = false;
	t->home->post(t->home, t);
}

static void test_where_signatures_are_made(void **state)
{
	struct counting cpu = { .executor.submit = counting_submit };
	static const struct {
		const char *kinds, *sigalgs;
		int version;
		unsigned n_slow;
		const char *groups; /* of the profile */
	} rows[] = {
		{ "rsa ec", NULL, TLS1_3_VERSION, 0 },
		{ "rsa ec", NULL, TLS1_2_VERSION, 0 },
		{ "rsa ec", "RSA-PSS+SHA256", TLS1_3_VERSION, 1 },
		{ "rsa ec", "RSA+SHA256:RSA-PSS+SHA256", TLS1_2_VERSION, 1 },
		{ "ec", NULL, TLS1_3_VERSION, 0 },
		{ "rsa", NULL, TLS1_3_VERSION, 1 },
		{ "rsa", NULL, TLS1_2_VERSION, 1 },
		/* With a second ClientHello, which is where the signature is made: it may have come
		 * before the first step is home. */
		{ "rsa", NULL, TLS1_3_VERSION, 1, "P-521" },
	};
	struct bench *b = *state;

	b->options.cpu = &cpu.executor;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct tls_profile *p = fixture_profile("default.example", rows[i].kinds);

		if (rows[i].groups)
			set_rule(b, p, "groups", rows[i].groups);
		swap(b, p, NULL, NULL);
		cpu.n = 0;
		b->client.sigalgs = rows[i].sigalgs;
		b->client.version = rows[i].version;
		SSL_SESSION_free(TAKE(b->client.session));
		assert_int_equal(visit(b), 1);
		visit_end(b);
		assert_in_range(cpu.n, rows[i].n_slow, rows[i].n_slow + (rows[i].groups != NULL));
	}
	b->options.cpu = NULL;
}

static void expect_key(struct bench *b, unsigned services, const char *type)
{
	struct fixture_server server = {};
	struct fixture_client c = {};

	tls_service_set(b->service, services, 0);
	assert_int_equal(fixture_connect(&c, fixture_start(&server, &b->options)), 1);
	assert_true(fixture_reads(&c, "hello\n"));
	assert_true(EVP_PKEY_is_a(X509_get0_pubkey(SSL_get0_peer_certificate(c.ssl)), type));
	fixture_client_done(&c);
	assert_true(fixture_wait(&server));
	fixture_done(&server);
}

/* Neither in a whole handshake nor when a ticket comes back. */
static void test_where_clients_are_verified(void **state)
{
	struct counting cpu = { .executor.submit = counting_submit };
	struct tls_profile *good = fixture_profile("good", "ec");
	struct verifier v = { .good = good->identities[0].certificate,
		.is_away = &cpu.is_running };
	struct bench *b = *state;

	b->options.cpu = &cpu.executor;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		b->client.version = version;
		assert_int_equal(visit_as(b, client_rule(b, REQUIRED, false, &v), good), X509_V_OK);
		expect_visit(b, true, X509_V_OK);
	}
	assert_int_equal(v.n_on_loop, 0);
	assert_in_range(cpu.n, 4, 20);
	b->options.cpu = NULL;
	tls_profile_unref(good);
}

static void test_services(void **state)
{
	struct tls_profile *p = fixture_profile("default.example", "rsa ec");
	struct bench *b = *state;

	p->identities[0].services = 1 | 4;
	p->identities[1].services = 2;
	swap(b, p, NULL, NULL);
	expect_key(b, 0, "EC");
	expect_key(b, 1, "RSA");
	expect_key(b, 2, "EC");
	expect_key(b, 4, "RSA");
	/* Nothing for this service: the domain's name is still better than none. */
	expect_key(b, 8, "EC");
	tls_service_set(b->service, 0, 0);
}

static void check_binding(struct bench *b, int version)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	CLEANUP(buf_done) struct buf text = {};
	struct fixture_server server = {};
	struct fixture_client c = { .version = version };
	uint8_t ours[TLS_BINDING];

	assert_int_equal(fixture_connect(&c, fixture_start(&server, &b->options)), 1);
	assert_true(fixture_reads(&c, "hello\n"));
	assert_int_equal(SSL_export_keying_material(c.ssl, ours, sizeof ours, label,
				 sizeof label - 1, NULL, 0, 0),
		1);
	enc_hex(&text, span_of(ours, sizeof ours));
	buf_add_octet(&text, 0);
	assert_true(fixture_writes(&c, "BINDING\n"));
	assert_true(fixture_reads(&c, (const char *)buf_span(&text).p));
	fixture_client_done(&c);
	assert_true(fixture_wait(&server));
	fixture_done(&server);
}

static void test_binding(void **state)
{
	check_binding(*state, TLS1_3_VERSION);
	check_binding(*state, TLS1_2_VERSION);
}

static void test_identity_refused(void **state)
{
	struct tls_profile *a = fixture_profile("a.example", "ec");
	struct tls_profile *b = fixture_profile("b.example", "ec");
	struct why why = {};

	(void)state;
	assert_int_equal(tls_profile_add(a, a->identities[0].certificate, NULL,
				 b->identities[0].key, &why),
		TLS_E_IDENTITY);
	assert_string_equal(why.text, "the key does not belong to the certificate");
	for (int i = 1; i < TLS_IDENTITIES; i++)
		assert_int_equal(tls_profile_add(a, a->identities[0].certificate, NULL,
					 a->identities[0].key, &why),
			0);
	assert_int_equal(tls_profile_add(a, a->identities[0].certificate, NULL,
				 a->identities[0].key, &why),
		TLS_E_IDENTITY);
	assert_int_equal(ERR_peek_error(), 0);
	tls_profile_unref(a);
	tls_profile_unref(b);
}

#define TLS_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TLS_TEST(test_names),
		TLS_TEST(test_no_profile),
		TLS_TEST(test_client_certificates),
		TLS_TEST(test_client_alerts),
		TLS_TEST(test_client_too_large),
		TLS_TEST(test_client_tickets),
		TLS_TEST(test_where_clients_are_verified),
		TLS_TEST(test_tickets),
		TLS_TEST(test_ticket_epochs),
		TLS_TEST(test_lifetime),
		TLS_TEST(test_renewal),
		TLS_TEST(test_alpn),
		TLS_TEST(test_where_signatures_are_made),
		TLS_TEST(test_services),
		TLS_TEST(test_binding),
		cmocka_unit_test(test_identity_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
