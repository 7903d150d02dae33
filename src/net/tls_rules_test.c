/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Policies and rules: what is refused; each field in effect on a connection that came to another
 * domain by its name; and what would have come of it had only the SSL_CTX been switched. */

#include "net/tls_rules.h"

#include "base/alloc.h"
#include "net/loop.h"
#include "net/stream_fixture.h"

#include <openssl/err.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
	struct loop *loop;
	struct tls_host *host;
	struct tls_service *service;
	struct stream_options options;
	struct tls_profile *fallback, *named;
};

/* What a client saw of its connection. */
struct seen {
	bool done;
	int version;
	const char *cipher;
	int group;
	long ticket_s; /* 0: no ticket */
	bool resumed;
};

static int set_up(void **state)
{
	struct bench *b = ALLOC(struct bench);

	if (loop_new(&b->loop) || loop_start(b->loop, "test"))
		return -1;
	b->fallback = fixture_profile("default.example", "ec");
	b->named = fixture_profile("named.example", "ec");
	b->host = fixture_host(tls_profile_ref(b->fallback));
	b->service = tls_service_new(b->host, NULL);
	b->options = (struct stream_options){ .loop = b->loop, .tls = b->service,
		.tls_first = true };
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	loop_free(b->loop);
	tls_service_free(b->service);
	tls_profile_unref(b->fallback);
	tls_profile_unref(b->named);
	tls_host_free(b->host);
	free(b);
	return 0;
}

/* "key=value key=value" */
static struct tls_policy policy_of(const char *text)
{
	struct span rest = span_str(text);
	struct tls_policy p;

	tls_policy_init(&p);
	while (rest.n) {
		struct span value = span_cut(&rest, ' ');
		struct span key = span_cut(&value, '=');
		struct why why;

		if (tls_policy_set(&p, key, value, &why))
			fail_msg("%s: %s", text, why.text);
	}
	return p;
}

static int rules_of(struct bench *b, const char *text, struct tls_rules **ret_rules,
	struct why *why)
{
	struct tls_policy p = policy_of(text);
	int r = tls_rules_new(ret_rules, b->host, &p, why);

	tls_policy_done(&p);
	return r;
}

/* The listener has one policy, the named domain another (NULL: none of its own). */
static void swap(struct bench *b, const char *listener, const char *domain)
{
	struct tls_directory *d = tls_directory_new();
	struct tls_profile *named = tls_profile_new("named.example");
	const struct tls_identity *i = &b->named->identities[0];
	CLEANUP(tls_rules_unrefp) struct tls_rules *rules = NULL;
	struct why why = {};

	assert_int_equal(tls_profile_add(named, i->certificate, NULL, i->key, &why), 0);
	if (domain && rules_of(b, domain, &named->rules[0], &why))
		fail_msg("%s: %s", domain, why.text);
	if (rules_of(b, listener, &rules, &why))
		fail_msg("%s: %s", listener, why.text);
	tls_directory_set_rules(d, 0, rules);
	tls_directory_set_default(d, b->fallback);
	tls_directory_add_name(d, "named.example", named);
	tls_profile_unref(named);
	tls_host_swap(b->host, d);
}

/* A client's visit to whoever is at the other end. A session is used, and the new one put there. */
static struct seen look(int fd, const char *sni, int version, SSL_SESSION **session)
{
	struct fixture_client c = { .version = version, .sni = sni };
	struct seen seen = {};

	if (session)
		c.session = TAKE(*session);
	seen.done = fixture_connect(&c, fd) == 1 && fixture_reads(&c, "hello\n");
	if (seen.done) {
		seen.version = SSL_version(c.ssl);
		seen.cipher = SSL_get_cipher_name(c.ssl);
		seen.group = (int)SSL_get_negotiated_group(c.ssl);
		seen.resumed = SSL_session_reused(c.ssl);
		if (c.session)
			seen.ticket_s =
				(long)SSL_SESSION_get_ticket_lifetime_hint(c.session);
		(void)SSL_shutdown(c.ssl);
	}
	if (session)
		*session = TAKE(c.session);
	fixture_client_done(&c);
	return seen;
}

static struct seen visit(struct bench *b, const char *sni, int version, SSL_SESSION **session)
{
	struct fixture_server server = {};
	struct seen seen = look(fixture_start(&server, &b->options), sni, version, session);

	assert_true(fixture_wait(&server));
	fixture_done(&server);
	return seen;
}

static void raw_min(SSL_CTX *ctx)
{
	assert_int_equal(SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION), 1);
}

static void raw_max(SSL_CTX *ctx)
{
	assert_int_equal(SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION), 1);
}

static void raw_ciphers(SSL_CTX *ctx)
{
	assert_int_equal(SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-CHACHA20-POLY1305"), 1);
}

static void raw_suites(SSL_CTX *ctx)
{
	assert_int_equal(SSL_CTX_set_ciphersuites(ctx, "TLS_CHACHA20_POLY1305_SHA256"), 1);
}

static void raw_groups(SSL_CTX *ctx)
{
	assert_int_equal(SSL_CTX_set1_groups_list(ctx, "P-384"), 1);
}

static void raw_no_tickets(SSL_CTX *ctx)
{
	(void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	assert_int_equal(SSL_CTX_set_num_tickets(ctx, 0), 1);
}

static void raw_lifetime(SSL_CTX *ctx)
{
	(void)SSL_CTX_set_timeout(ctx, 600);
}

static bool is_refused(const struct seen *s)
{
	return !s->done;
}

static bool is_tls12(const struct seen *s)
{
	return s->version == TLS1_2_VERSION;
}

static bool is_chacha12(const struct seen *s)
{
	return s->done && strcmp(s->cipher, "ECDHE-ECDSA-CHACHA20-POLY1305") == 0;
}

static bool is_chacha13(const struct seen *s)
{
	return s->done && strcmp(s->cipher, "TLS_CHACHA20_POLY1305_SHA256") == 0;
}

static bool is_p384(const struct seen *s)
{
	return s->group == NID_secp384r1;
}

static bool has_no_ticket(const struct seen *s)
{
	return s->done && s->ticket_s == 0;
}

static bool has_short_ticket(const struct seen *s)
{
	return s->ticket_s > 590 && s->ticket_s <= 600;
}

static const struct field {
	const char *policy;
	void (*raw)(SSL_CTX *ctx);
	int client_version;
	bool (*shows)(const struct seen *s);
	bool is_switched; /* libssl takes it from the new SSL_CTX */
} fields[] = {
	{ "oldest=1.3", raw_min, TLS1_2_VERSION, is_refused },
	{ "newest=1.2", raw_max, 0, is_tls12 },
	{ "ciphers=ECDHE-ECDSA-CHACHA20-POLY1305", raw_ciphers, TLS1_2_VERSION, is_chacha12, true },
	{ "suites=TLS_CHACHA20_POLY1305_SHA256", raw_suites, TLS1_3_VERSION, is_chacha13, true },
	{ "groups=P-384", raw_groups, 0, is_p384 },
	{ "tickets=no", raw_no_tickets, TLS1_3_VERSION, has_no_ticket },
	{ "session_lifetime=0", raw_no_tickets, TLS1_3_VERSION, has_no_ticket },
	{ "session_lifetime=10m", raw_lifetime, TLS1_3_VERSION, has_short_ticket },
	{ "session_lifetime=10m", raw_lifetime, TLS1_2_VERSION, has_short_ticket },
	/* Options: without tickets none in TLS 1.2 either. */
	{ "tickets=no", raw_no_tickets, TLS1_2_VERSION, has_no_ticket },
};

static void test_fields_by_name(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		const struct field *f = &fields[i];
		SSL_SESSION *session = NULL;
		struct seen seen;

		swap(b, "", f->policy);
		seen = visit(b, "named.example", f->client_version, &session);
		if (!f->shows(&seen))
			fail_msg("%s is not in effect", f->policy);
		SSL_SESSION_free(TAKE(session));
		/* None of it has stayed behind for the next. */
		seen = visit(b, NULL, f->client_version, &session);
		if (!seen.done || f->shows(&seen))
			fail_msg("%s holds for another domain", f->policy);
		SSL_SESSION_free(session);
	}
}

static void test_fields_of_listener(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		const struct field *f = &fields[i];
		SSL_SESSION *session = NULL;
		struct seen seen;

		swap(b, f->policy, "");
		seen = visit(b, NULL, f->client_version, &session);
		if (!f->shows(&seen))
			fail_msg("%s is not in effect", f->policy);
		SSL_SESSION_free(TAKE(session));
		/* The domain's own values are those of the default: all are applied again. */
		seen = visit(b, "named.example", f->client_version, &session);
		if (!seen.done || f->shows(&seen))
			fail_msg("%s holds against the domain's own", f->policy);
		SSL_SESSION_free(session);
	}
}

/* A server that switches the SSL_CTX, as examples on the net do. */
struct raw_server {
	SSL_CTX *first, *second;
	int fd;
	pthread_t thread;
};

static int raw_on_hello(SSL *ssl, int *alert, void *context)
{
	const struct raw_server *s = context;

	(void)alert;
	(void)SSL_set_SSL_CTX(ssl, s->second);
	return SSL_CLIENT_HELLO_SUCCESS;
}

static void *raw_run(void *arg)
{
	const struct raw_server *s = arg;
	SSL *ssl = SSL_new(s->first);
	char octet;

	(void)SSL_set_fd(ssl, s->fd);
	if (SSL_accept(ssl) == 1 && SSL_write(ssl, "hello\n", 6) == 6)
		(void)SSL_read(ssl, &octet, 1);
	SSL_free(ssl);
	ERR_clear_error();
	(void)close(s->fd);
	return NULL;
}

static SSL_CTX *raw_context(const struct tls_profile *p)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	assert_int_equal(SSL_CTX_use_certificate(ctx, p->identities[0].certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, p->identities[0].key), 1);
	return ctx;
}

static struct seen raw_visit(struct bench *b, const struct field *f, SSL_SESSION **session)
{
	struct raw_server s = { raw_context(b->fallback), raw_context(b->named), -1, 0 };
	struct seen seen;
	int fds[2];

	f->raw(s.second);
	SSL_CTX_set_client_hello_cb(s.first, raw_on_hello, &s);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	s.fd = fds[0];
	assert_int_equal(pthread_create(&s.thread, NULL, raw_run, &s), 0);
	seen = look(fds[1], "named.example", f->client_version, session);
	(void)pthread_join(s.thread, NULL);
	SSL_CTX_free(s.first);
	SSL_CTX_free(s.second);
	return seen;
}

/* Why the fields are applied one by one. Should one of these fail, libssl has learnt to switch that
 * field too. */
static void test_switching_the_context_is_not_enough(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		SSL_SESSION *session = NULL;
		struct seen seen = raw_visit(b, &fields[i], &session);

		if (!seen.done || fields[i].shows(&seen) != fields[i].is_switched)
			fail_msg("%s and the context", fields[i].policy);
		SSL_SESSION_free(session);
	}
}

/* Whether a session of the first policy of the named domain is resumed under the second. */
static bool is_resumed(struct bench *b, const char *listener, const char *domain,
	const char *listener_then, const char *domain_then)
{
	SSL_SESSION *session = NULL;
	struct seen first, then;

	swap(b, listener, domain);
	first = visit(b, "named.example", TLS1_3_VERSION, &session);
	assert_true(first.done && first.ticket_s && !first.resumed);
	swap(b, listener_then, domain_then);
	then = visit(b, "named.example", TLS1_3_VERSION, &session);
	assert_true(then.done);
	SSL_SESSION_free(session);
	return then.resumed;
}

static void test_sessions_and_rules(void **state)
{
	struct bench *b = *state;

	assert_true(is_resumed(b, "", NULL, "", NULL));
	assert_true(is_resumed(b, "", "groups=P-256", "", "groups=P-256"));
	/* What the listener says and what the domain says are the same rules. */
	assert_true(is_resumed(b, "groups=P-256", NULL, "", "groups=P-256"));
	/* More or less logging changes nothing. */
	assert_true(is_resumed(b, "", NULL, "log=off", NULL));
	assert_true(is_resumed(b, "session_lifetime=1h", NULL, "session_lifetime=2h", NULL));

	assert_false(is_resumed(b, "", NULL, "groups=P-256", NULL));
	assert_false(is_resumed(b, "", NULL, "", "groups=P-256"));
	assert_false(is_resumed(b, "", NULL, "", "suites=TLS_AES_128_GCM_SHA256"));
	assert_false(is_resumed(b, "", NULL, "", "oldest=1.3"));
	assert_false(is_resumed(b, "", NULL, "", "ciphers=ECDHE-ECDSA-AES128-GCM-SHA256"));
	assert_false(is_resumed(b, "", NULL, "client_abort=yes", NULL));
	assert_false(is_resumed(b, "", NULL, "tickets=no", NULL));
	assert_false(is_resumed(b, "", NULL, "", "session_lifetime=0"));
}

/* A ticket that was given for an hour is no longer good once an operator said: one second. */
static void test_shorter_lifetime(void **state)
{
	struct bench *b = *state;
	SSL_SESSION *session = NULL;
	struct seen seen;

	swap(b, "session_lifetime=1h", NULL);
	seen = visit(b, NULL, TLS1_3_VERSION, &session);
	assert_true(seen.done && seen.ticket_s);
	swap(b, "session_lifetime=1s", NULL);
	(void)sleep(2);
	seen = visit(b, NULL, TLS1_3_VERSION, &session);
	assert_true(seen.done);
	assert_false(seen.resumed);
	SSL_SESSION_free(session);
}

static void test_sni_off(void **state)
{
	struct bench *b = *state;

	swap(b, "sni=no", "newest=1.2");
	assert_int_equal(visit(b, "named.example", 0, NULL).version, TLS1_3_VERSION);
	swap(b, "sni=yes", "newest=1.2");
	assert_int_equal(visit(b, "named.example", 0, NULL).version, TLS1_2_VERSION);
}

/* Old clients do not sign or verify with what OpenSSL's level 1 and above allow. */
static struct seen visit_old(struct bench *b, int version)
{
	struct fixture_server server = {};
	struct fixture_client c = { .version = version, .is_old = true };
	struct seen seen = {};

	seen.done = fixture_connect(&c, fixture_start(&server, &b->options)) == 1 &&
		fixture_reads(&c, "hello\n");
	if (seen.done) {
		seen.version = SSL_version(c.ssl);
		seen.cipher = SSL_get_cipher_name(c.ssl);
		(void)SSL_shutdown(c.ssl);
	}
	fixture_client_done(&c);
	assert_true(fixture_wait(&server));
	fixture_done(&server);
	return seen;
}

static void test_old_versions(void **state)
{
	struct bench *b = *state;
	struct seen seen;

	swap(b, "", NULL);
	assert_false(visit_old(b, TLS1_VERSION).done);
	assert_false(visit_old(b, TLS1_1_VERSION).done);
	swap(b, "oldest=1.1 cbc=yes", NULL);
	assert_false(visit_old(b, TLS1_VERSION).done);
	assert_int_equal(visit_old(b, TLS1_1_VERSION).version, TLS1_1_VERSION);
	swap(b, "oldest=1.0 cbc=yes", NULL);
	seen = visit_old(b, TLS1_VERSION);
	assert_int_equal(seen.version, TLS1_VERSION);
	assert_non_null(strstr(seen.cipher, "-SHA"));
	/* CBC is for these alone. */
	seen = visit_old(b, TLS1_2_VERSION);
	assert_int_equal(seen.version, TLS1_2_VERSION);
	assert_non_null(strstr(seen.cipher, "GCM"));
	/* A domain that is stricter than its listener. */
	swap(b, "oldest=1.0 cbc=yes", "oldest=1.2");
	assert_false(visit(b, "named.example", TLS1_1_VERSION, NULL).done);
}

static void test_refused(void **state)
{
	static const struct {
		const char *policy, *words;
	} rows[] = {
		{ "oldest=1.3 newest=1.2", "oldest 1.3 is newer than newest 1.2" },
		{ "oldest=1.0", "no suite is left for TLS 1.0: set cbc=yes" },
		{ "oldest=1.1", "no suite is left for TLS 1.1: set cbc=yes" },
		{ "oldest=1.0 newest=1.0", "no suite is left for TLS 1.0" },
		{ "ciphers=NONSENSE", "ciphers:" },
		{ "ciphers=ALL:!ALL", "ciphers:" },
		{ "ciphers=ECDHE-ECDSA-AES128-SHA256", NULL },
		{ "ciphers=NULL-SHA256", "NULL-SHA256 does not encrypt" },
		{ "ciphers=ALL:COMPLEMENTOFALL", "does not" },
		{ "ciphers=ECDHE-RSA-AES128-GCM-SHA256:eNULL", "does not encrypt" },
		{ "ciphers=ADH-AES128-GCM-SHA256", "does not authenticate" },
		{ "ciphers=AES128-GCM-SHA256", "AES128-GCM-SHA256 does not work" },
		{ "ciphers=HIGH:!aNULL", "add :!kRSA" },
		{ "ciphers=HIGH:!aNULL:!kRSA", NULL },
		{ "ciphers=ECDHE-RSA-AES128-GCM-SHA256@SECLEVEL=0", "letters, digits" },
		{ "ciphers=ECDHE-RSA-AES128-GCM-SHA256\n", "letters, digits" },
		{ "suites=TLS_NONSENSE", "suites" },
		{ "suites=TLS_AES_128_GCM_SHA256:TLS_NONSENSE", "TLS_NONSENSE is not a TLS 1.3" },
		{ "suites=ECDHE-RSA-AES128-GCM-SHA256", "suites" },
		{ "suites=:", "suites" },
		{ "groups=P-256:NONSENSE", "groups" },
		{ "groups=nonsense", "groups" },
		/* Its suites are not TLS 1.2's. */
		{ "ciphers=ECDHE-RSA-AES128-SHA oldest=1.2", NULL },
		{ "weak_ciphers=yes", NULL },
		{ "oldest=1.3 suites=TLS_AES_128_GCM_SHA256 groups=X25519", NULL },
		{ "oldest=1.0 cbc=yes weak_ciphers=yes sslv2_hello=yes", NULL },
		{ "oldest=1.2 newest=1.2", NULL },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(tls_rules_unrefp) struct tls_rules *rules = NULL;
		struct why why = {};
		int r = rules_of(b, rows[i].policy, &rules, &why);

		if (r != (rows[i].words ? TLS_E_RULES : 0))
			fail_msg("%s: %d %s", rows[i].policy, r, why.text);
		if (rows[i].words && !strstr(why.text, rows[i].words))
			fail_msg("%s: \"%s\"", rows[i].policy, why.text);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

static void test_values(void **state)
{
	static const char *const refused[] = { "oldest=1.4", "oldest=SSLv3", "oldest=", "cbc=maybe",
		"session_lifetime=8d", "session_lifetime=-1", "log=loud", "nothing=1", "Oldest=1.2" };
	struct tls_policy p, q;
	CLEANUP(buf_done) struct buf one = {}, two = {};

	(void)state;
	tls_policy_init(&p);
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		struct span value = span_str(refused[i]);
		struct span key = span_cut(&value, '=');
		struct why why = {};

		assert_int_not_equal(tls_policy_set(&p, key, value, &why), 0);
		assert_string_not_equal(why.text, "");
	}
	tls_policy_print(&p, &one);
	tls_policy_copy(&q, &p);
	assert_int_equal(tls_policy_set(&q, SPAN("groups"), SPAN("P-256"), NULL), 0);
	assert_int_equal(tls_policy_set(&q, SPAN("groups"), SPAN(""), NULL), 0);
	tls_policy_print(&q, &two);
	assert_true(span_equal(buf_span(&one), buf_span(&two)));
	assert_int_equal(tls_policy_set(&q, SPAN("session_lifetime"), SPAN("7d"), NULL), 0);
	buf_clear(&two);
	tls_policy_print(&q, &two);
	assert_false(span_equal(buf_span(&one), buf_span(&two)));
	assert_false(tls_policy_is_of_domain(SPAN("sni")));
	assert_true(tls_policy_is_of_domain(SPAN("oldest")));
	tls_policy_done(&p);
	tls_policy_done(&q);
}

static void expect_notes(const char *text, const char *words)
{
	CLEANUP(buf_done) struct buf notes = {};
	struct tls_policy p = policy_of(text);

	tls_rules_notes(&p, &notes);
	if (!words)
		assert_int_equal(buf_size(&notes), 0);
	else
		assert_true(span_find_span(buf_span(&notes), span_str(words)) < buf_size(&notes));
	tls_policy_done(&p);
}

static void test_notes(void **state)
{
	(void)state;
	expect_notes("", NULL);
	expect_notes("oldest=1.3", NULL);
	expect_notes("oldest=1.0 cbc=yes", "security level 0");
	expect_notes("cbc=yes", "no effect unless oldest");
	expect_notes("session_lifetime=0", "no session can be resumed");
	expect_notes("tickets=no", "no session can be resumed");
	expect_notes("sslv2_hello=yes", "no effect unless oldest");
	expect_notes("oldest=1.0 cbc=yes sslv2_hello=yes", "security level 0");
}

#define RULES_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULES_TEST(test_fields_by_name),
		RULES_TEST(test_fields_of_listener),
		RULES_TEST(test_switching_the_context_is_not_enough),
		RULES_TEST(test_sessions_and_rules),
		RULES_TEST(test_shorter_lifetime),
		RULES_TEST(test_sni_off),
		RULES_TEST(test_old_versions),
		RULES_TEST(test_refused),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_notes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
