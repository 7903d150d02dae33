/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Against a server in a thread that asks for certificates, or does not, and notes what it got. */

#include "net/tls_dial.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/test.h"
#include "net/dial.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TIMEOUT_MS = 5000, SHORT_MS = 300 };

struct pair {
	X509 *certificate;
	EVP_PKEY *key;
};

struct server {
	/* What it does. */
	struct pair own;
	int mode;            /* SSL_VERIFY_ */
	int version;         /* the only one; 0: any */
	const char *sigalgs; /* of client certificates; NULL: any */
	bool stays_silent;
	bool drips;

	/* What it saw. */
	X509 *client;
	char sni[64];
	bool is_done;

	int fd;
	struct net_address address;
	pthread_t thread;
};

static struct pair pair_make(const char *kind, const char *name)
{
	struct pair p = { .certificate = X509_new(),
		.key = strcmp(kind, "RSA") == 0 ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256") };
	X509_NAME *subject = X509_get_subject_name(p.certificate);

	assert_true(X509_set_version(p.certificate, 2));
	assert_true(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
		(const unsigned char *)name, -1, -1, 0));
	assert_true(X509_set_issuer_name(p.certificate, subject));
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(p.certificate), -60));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(p.certificate), 3600));
	assert_true(X509_set_pubkey(p.certificate, p.key));
	assert_true(X509_sign(p.certificate, p.key, EVP_sha256()));
	return p;
}

static void pair_done(struct pair *p)
{
	X509_free(p->certificate);
	EVP_PKEY_free(p->key);
}

static int accept_any(X509_STORE_CTX *ctx, void *context)
{
	(void)ctx;
	(void)context;
	return 1;
}

static SSL_CTX *server_context(const struct server *s)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	assert_non_null(ctx);
	assert_true(SSL_CTX_use_certificate(ctx, s->own.certificate));
	assert_true(SSL_CTX_use_PrivateKey(ctx, s->own.key));
	SSL_CTX_set_verify(ctx, s->mode, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
	assert_true(SSL_CTX_set_min_proto_version(ctx, s->version));
	assert_true(SSL_CTX_set_max_proto_version(ctx, s->version));
	if (s->sigalgs)
		assert_true(SSL_CTX_set1_client_sigalgs_list(ctx, s->sigalgs));
	return ctx;
}

static void serve_tls(struct server *s, int fd)
{
	SSL_CTX *ctx = server_context(s);
	SSL *ssl = SSL_new(ctx);
	const char *sni;
	char octet;

	assert_true(SSL_set_fd(ssl, fd));
	s->is_done = SSL_accept(ssl) == 1;
	s->client = SSL_get1_peer_certificate(ssl);
	sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	(void)snprintf(s->sni, sizeof s->sni, "%s", sni ? sni : "");
	if (s->is_done && SSL_write(ssl, "x", 1) == 1)
		(void)SSL_read(ssl, &octet, 1);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

static void *serve(void *arg)
{
	struct server *s = arg;
	int fd = accept(s->fd, NULL, NULL);
	char octet = '2';

	while (s->drips && send(fd, &octet, 1, MSG_NOSIGNAL) == 1)
		(void)usleep(20000);
	if (s->stays_silent)
		(void)recv(fd, &octet, 1, MSG_WAITALL);
	while (s->stays_silent && recv(fd, &octet, 1, 0) > 0)
		continue;
	if (!s->drips && !s->stays_silent)
		serve_tls(s, fd);
	(void)close(fd);
	return NULL;
}

static void server_start(struct server *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof a;

	s->own = pair_make("EC", "server.example");
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(s->fd, 1), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &n), 0);
	s->address = net_address_from((struct sockaddr *)&a, n);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_end(struct server *s)
{
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	(void)close(s->fd);
	pair_done(&s->own);
}

/* Everything of one connection; r is the handshake's. The server has seen what it saw. */
struct visit {
	struct dial dial;
	struct tls_dial *tls;
	struct tls_dialled result;
	struct why why;
	int r;
};

static void visit(struct visit *v, struct server *s, const struct tls_dial_target *t)
{
	struct tls_dialled early;
	char octet;
	size_t n;

	server_start(s);
	*v = (struct visit){ .dial.fd = -1 };
	assert_int_equal(dial_connect(&v->dial, &s->address, TIMEOUT_MS, NULL, &v->why), 0);
	assert_int_equal(tls_dial_new(&v->tls, t), 0);
	v->r = tls_dial_handshake(v->tls, &v->dial, &v->why);
	tls_dial_result(v->tls, &early);
	/* In TLS 1.3 the server's opinion of our certificate comes with what it says first. */
	if (!v->r)
		v->r = dial_read(&v->dial, tls_dial_ssl(v->tls), &octet, 1, &n, &v->why);
	tls_dial_result(v->tls, &v->result);
	/* Tickets that came meanwhile have made it another session. */
	if (sk_X509_num(early.chain) > 0)
		assert_int_equal(X509_cmp(sk_X509_value(early.chain, 0), s->own.certificate), 0);
	dial_done(&v->dial);
	server_end(s);
}

static void visit_end(struct visit *v, struct server *s)
{
	(void)tls_dial_free(v->tls);
	X509_free(s->client);
	s->client = NULL;
}

static bool says_yes(void *context, X509 *certificate, const STACK_OF(X509) *others,
	struct why *why)
{
	(void)others;
	(void)why;
	assert_non_null(certificate);
	++*(int *)context;
	return true;
}

static bool says_no(void *context, X509 *certificate, const STACK_OF(X509) *others, struct why *why)
{
	(void)certificate;
	(void)others;
	++*(int *)context;
	why_set(why, "somebody else");
	return false;
}

/* In both versions, and with a server that does without. */
static void own_certificate_is_sent_if_it_is_asked_for(void **state)
{
	static const struct {
		int version, mode;
		bool asked;
	} cases[] = {
		{ TLS1_2_VERSION, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, true },
		{ TLS1_3_VERSION, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, true },
		{ TLS1_2_VERSION, SSL_VERIFY_PEER, true },
		{ TLS1_3_VERSION, SSL_VERIFY_NONE, false },
		{ TLS1_2_VERSION, SSL_VERIFY_NONE, false },
	};
	struct pair own = pair_make("EC", "client.example");
	struct tls_identity identity;
	struct why why;

	(void)state;
	assert_int_equal(tls_identity_make(&identity, own.certificate, NULL, own.key, &why), 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct server s = { .version = cases[i].version, .mode = cases[i].mode };
		struct tls_dial_target t = { .name = "server.example",
			.oldest = TLS_1_2,
			.identities = &identity,
			.n_identities = 1 };
		struct visit v;

		visit(&v, &s, &t);
		assert_int_equal(v.r, 0);
		assert_int_equal(v.result.asked, cases[i].asked);
		assert_int_equal(v.result.sent, cases[i].asked);
		assert_int_equal(s.client != NULL, cases[i].asked);
		if (s.client)
			assert_int_equal(X509_cmp(s.client, own.certificate), 0);
		assert_string_equal(s.sni, "server.example");
		assert_string_equal(v.result.version,
			cases[i].version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
		visit_end(&v, &s);
	}
	tls_identity_done(&identity);
	pair_done(&own);
}

static void without_identity_none_is_sent(void **state)
{
	static const int tls_versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct server s = { .version = tls_versions[i], .mode = SSL_VERIFY_PEER };
		struct tls_dial_target t = { .oldest = TLS_1_2 };
		struct visit v;

		visit(&v, &s, &t);
		assert_int_equal(v.r, 0);
		assert_true(v.result.asked);
		assert_false(v.result.sent);
		assert_null(s.client);
		assert_string_equal(s.sni, "");
		visit_end(&v, &s);

		s.mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
		visit(&v, &s, &t);
		assert_int_equal(v.r, DIAL_E_ENDED);
		assert_non_null(strstr(v.why.text, "alert"));
		visit_end(&v, &s);
	}
}

/* Of several the one whose signatures the server knows. */
static void identity_fits_the_server(void **state)
{
	static const char *const wanted[] = { "RSA-PSS+SHA256:RSA+SHA256", "ECDSA+SHA256" };
	struct pair own[2] = { pair_make("RSA", "rsa.example"), pair_make("EC", "ec.example") };
	struct tls_identity identities[2];
	struct why why;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(tls_identity_make(&identities[i], own[i].certificate, NULL,
					 own[i].key, &why),
			0);
	for (int i = 0; i < 4; i++) {
		struct server s = { .version = i < 2 ? TLS1_2_VERSION : TLS1_3_VERSION,
			.mode = SSL_VERIFY_PEER,
			.sigalgs = wanted[i % 2] };
		struct tls_dial_target t = { .oldest = TLS_1_2,
			.identities = identities,
			.n_identities = 2 };
		struct visit v;

		visit(&v, &s, &t);
		assert_int_equal(v.r, 0);
		assert_true(v.result.sent);
		assert_int_equal(X509_cmp(s.client, own[i % 2].certificate), 0);
		visit_end(&v, &s);
		/* One that it does not know is not sent, and nothing else instead. */
		t.identities = &identities[1 - i % 2];
		t.n_identities = 1;
		visit(&v, &s, &t);
		assert_int_equal(v.r, 0);
		assert_false(v.result.sent);
		assert_null(s.client);
		visit_end(&v, &s);
	}
	for (int i = 0; i < 2; i++) {
		tls_identity_done(&identities[i]);
		pair_done(&own[i]);
	}
}

/* Who must be verified, and is not, learns nothing of us. */
static void server_is_verified_before_anything_is_shown(void **state)
{
	static const int tls_versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct pair own = pair_make("EC", "client.example");
	struct tls_identity identity;
	struct why why;

	(void)state;
	assert_int_equal(tls_identity_make(&identity, own.certificate, NULL, own.key, &why), 0);
	for (size_t i = 0; i < 2; i++) {
		struct server s = { .version = tls_versions[i], .mode = SSL_VERIFY_PEER };
		int n = 0;
		struct tls_dial_target t = { .oldest = TLS_1_2,
			.identities = &identity,
			.n_identities = 1,
			.verify = says_no,
			.context = &n,
			.requires_valid = true };
		struct visit v;

		visit(&v, &s, &t);
		assert_int_equal(v.r, DIAL_E_ENDED);
		assert_int_equal(n, 1);
		assert_string_equal(v.why.text, "somebody else");
		assert_false(v.result.is_verified);
		assert_false(v.result.sent);
		assert_null(s.client);
		assert_false(s.is_done);
		visit_end(&v, &s);

		t.requires_valid = false;
		visit(&v, &s, &t);
		assert_int_equal(v.r, 0);
		assert_string_equal(v.result.refusal, "somebody else");
		assert_true(v.result.sent);
		visit_end(&v, &s);

		t.verify = says_yes;
		t.requires_valid = true;
		visit(&v, &s, &t);
		assert_int_equal(v.r, 0);
		assert_true(v.result.is_verified);
		assert_null(v.result.refusal);
		visit_end(&v, &s);
	}
	tls_identity_done(&identity);
	pair_done(&own);
}

static void old_versions_are_refused(void **state)
{
	struct server s = { .version = TLS1_2_VERSION };
	struct tls_dial_target t = { .oldest = TLS_1_3 };
	struct visit v;

	(void)state;
	visit(&v, &s, &t);
	assert_int_equal(v.r, DIAL_E_ENDED);
	assert_null(v.result.version);
	assert_true(v.why.text[0]);
	visit_end(&v, &s);
}

static void silence_and_dripping_meet_the_deadline(void **state)
{
	(void)state;
	for (int drips = 0; drips < 2; drips++) {
		struct server s = { .stays_silent = !drips, .drips = drips };
		struct dial d = { .fd = -1 };
		struct why why;
		int64_t start = clock_monotonic_ms();
		char octet;
		size_t n;
		int r;

		server_start(&s);
		assert_int_equal(dial_connect(&d, &s.address, SHORT_MS, NULL, &why), 0);
		do
			r = dial_read(&d, NULL, &octet, 1, &n, &why);
		while (r == 0);
		assert_int_equal(r, DIAL_E_ENDED);
		assert_string_equal(why.text, "no answer in time");
		assert_true(clock_monotonic_ms() - start >= SHORT_MS);
		assert_true(clock_monotonic_ms() - start < TIMEOUT_MS);
		dial_done(&d);
		server_end(&s);
	}
}

static void waiting_ends_when_the_server_ends(void **state)
{
	struct server s = { .stays_silent = true };
	struct dial d = { .fd = -1 };
	atomic_bool stop = true;
	struct why why;
	char octet;
	size_t n;

	(void)state;
	server_start(&s);
	atomic_store(&stop, false);
	assert_int_equal(dial_connect(&d, &s.address, TIMEOUT_MS, &stop, &why), 0);
	atomic_store(&stop, true);
	assert_int_equal(dial_read(&d, NULL, &octet, 1, &n, &why), DIAL_E_ENDED);
	dial_done(&d);
	server_end(&s);
}

static void nobody_listens(void **state)
{
	struct server s = {};
	struct dial d = { .fd = -1 };
	struct why why;
	int fd;

	(void)state;
	/* A port that was just somebody's. */
	server_start(&s);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(dial_connect(&d, &s.address, TIMEOUT_MS, NULL, &why), 0);
	dial_done(&d);
	server_end(&s);
	assert_int_equal(dial_connect(&d, &s.address, TIMEOUT_MS, NULL, &why), DIAL_E_ENDED);
	assert_non_null(strstr(why.text, "cannot connect"));
	dial_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_certificate_is_sent_if_it_is_asked_for),
		cmocka_unit_test(without_identity_none_is_sent),
		cmocka_unit_test(identity_fits_the_server),
		cmocka_unit_test(server_is_verified_before_anything_is_shown),
		cmocka_unit_test(old_versions_are_refused),
		cmocka_unit_test(silence_and_dripping_meet_the_deadline),
		cmocka_unit_test(waiting_ends_when_the_server_ends),
		cmocka_unit_test(nobody_listens),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
