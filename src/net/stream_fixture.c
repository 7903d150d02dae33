/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "net/stream_fixture.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "base/enc.h"
#include "net/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void require(bool condition)
{
	if (!condition) {
		ERR_print_errors_fp(stderr);
		abort();
	}
}

static void server_end(struct fixture_server *s)
{
	const struct tls_info *info = stream_tls(s->stream);

	if (info) {
		free(s->profile);
		s->info = *info;
		s->profile = alloc_string(info->profile->name);
		s->info.sni = s->info.alpn = NULL;
		s->info.profile = NULL;
		s->client_result = info->client ? info->client->result : -1;
		s->n_client_others = info->client ? sk_X509_num(info->client->others) : 0;
		s->info.client = NULL;
	}
	s->peer = *stream_peer(s->stream);
	s->stream = stream_free(s->stream);
	require(sem_post(&s->ended) == 0);
}

static void server_on_opened(void *context)
{
	struct fixture_server *s = context;
	struct buf out = {};

	s->opened++;
	buf_add_string(&out, "hello\n");
	stream_send(s->stream, &out);
	buf_done(&out);
}

static void server_line(struct fixture_server *s, struct span line)
{
	struct buf out = {};
	uint64_t n;

	if (span_is(line, "STARTTLS")) {
		buf_add_string(&out, "go\n");
		s->had_early = stream_start_tls(s->stream, &out);
	} else if (span_is(line, "COMPRESS")) {
		buf_add_string(&out, "ok\n");
		stream_send(s->stream, &out);
		stream_compress(s->stream);
	} else if (span_is(line, "COUNT")) {
		s->is_counting = true;
	} else if (span_is(line, "CLOSE")) {
		buf_add_string(&out, "bye\n");
		stream_send(s->stream, &out);
		stream_close(s->stream);
	} else if (span_is(line, "BINDING")) {
		uint8_t binding[TLS_BINDING];

		require(stream_tls_binding(s->stream, binding) == 0);
		enc_hex(&out, span_of(binding, sizeof binding));
		buf_add_octet(&out, '\n');
		stream_send(s->stream, &out);
	} else if (span_starts(line, SPAN("BIG ")) &&
		span_to_u64(span_skip(line, 4), 1 << 30, &n)) {
		memset(buf_room(&out, n), 'b', n);
		buf_added(&out, n);
		stream_send(s->stream, &out);
	} else {
		buf_add(&out, line);
		buf_add_octet(&out, '\n');
		stream_send(s->stream, &out);
	}
	buf_done(&out);
}

static void server_input(struct fixture_server *s)
{
	struct span in;
	size_t end;

	while (in = buf_span(&s->in), (end = span_find(in, '\n')) < in.n && !s->is_counting) {
		server_line(s, span_head(in, end));
		buf_take(&s->in, end + 1);
	}
	if (s->is_counting)
		buf_clear(&s->in);
}

static void server_on_readable(void *context)
{
	struct fixture_server *s = context;
	int r;

	for (;;) {
		size_t before = buf_size(&s->in), n;

		/* A line at a time where it matters what is left in the socket. */
		r = stream_read(s->stream, &s->in, s->n_line_max ? s->n_line_max : 1 << 20);
		if (r)
			break;
		n = buf_size(&s->in) - before;
		s->total_in += n;
		if (n > s->max_in)
			s->max_in = n;
		server_input(s);
	}
	if (r == STREAM_E_AGAIN)
		return;
	s->end = r;
	if (r < 0) {
		(void)snprintf(s->reason, sizeof s->reason, "%s", stream_reason(s->stream));
		server_end(s);
	} else {
		server_line(s, SPAN("end"));
		stream_close(s->stream);
	}
}

static void server_on_drained(void *context)
{
	struct fixture_server *s = context;

	s->drained++;
}

static void server_on_secured(void *context)
{
	struct fixture_server *s = context;

	s->secured++;
	server_line(s, SPAN("secured"));
}

static void server_on_closed(void *context, int fault, const char *reason)
{
	struct fixture_server *s = context;

	s->fault = fault;
	(void)snprintf(s->reason, sizeof s->reason, "%s", reason);
	server_end(s);
}

static const struct stream_events events = {
	.opened = server_on_opened,
	.readable = server_on_readable,
	.drained = server_on_drained,
	.secured = server_on_secured,
	.closed = server_on_closed,
};

struct start {
	struct fixture_server *server;
	struct stream_options *options;
};

static void server_start(void *context)
{
	struct start *start = context;

	start->server->stream = stream_new(start->options);
}

int fixture_start(struct fixture_server *s, struct stream_options *options)
{
	struct start start = { s, options };
	struct timeval patience = { .tv_sec = 20 };
	int fds[2];

	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	require(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
	require(setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
	require(sem_init(&s->ended, 0, 0) == 0);
	s->loop = options->loop;
	options->fd = fds[0];
	options->events = &events;
	options->context = s;
	if (!options->preface_ms)
		options->preface_ms = 20000;
	loop_call(s->loop, server_start, &start);
	return fds[1];
}

bool fixture_wait(struct fixture_server *s)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	return sem_timedwait(&s->ended, &until) == 0;
}

static void server_kill(void *context)
{
	struct fixture_server *s = context;

	s->stream = stream_free(s->stream);
}

void fixture_done(struct fixture_server *s)
{
	loop_call(s->loop, server_kill, s);
	buf_done(&s->in);
	free(s->profile);
	(void)sem_destroy(&s->ended);
}

static void add_identity(struct tls_profile *p, EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name;
	struct why why;

	require(key && x);
	name = X509_get_subject_name(x);
	require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)p->name, -1,
			-1, 0) == 1);
	require(X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key) == 1 &&
		ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 && X509_set_version(x, 2) == 1);
	require(X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
		X509_gmtime_adj(X509_getm_notAfter(x), 86400));
	require(X509_sign(x, key, EVP_sha256()) > 0);
	require(tls_profile_add(p, x, NULL, key, &why) == 0);
	X509_free(x);
	EVP_PKEY_free(key);
}

struct tls_profile *fixture_profile(const char *name, const char *kinds)
{
	struct tls_profile *p = tls_profile_new(name);

	if (strstr(kinds, "rsa"))
		add_identity(p, EVP_RSA_gen(2048));
	if (strstr(kinds, "ec"))
		add_identity(p, EVP_EC_gen("P-256"));
	return p;
}

static int ticket_key(void *context, int64_t epoch, uint8_t ret_key[static TLS_TICKET_KEY])
{
	struct span secret = SPAN("the tests' own");

	(void)context;
	for (uint8_t i = 0; i < 3; i++) {
		uint8_t info[] = { i, (uint8_t)epoch, (uint8_t)(epoch >> 8) }, mac[SHA256_OCTETS];

		digest_hmac_sha256(secret, span_of(info, sizeof info), mac);
		memcpy(ret_key + 32 * i, mac, i < 2 ? 32 : TLS_TICKET_KEY - 64);
	}
	return 0;
}

struct tls_host *fixture_host(struct tls_profile *fallback)
{
	struct tls_directory *d = tls_directory_new();
	struct tls_host *h = NULL;

	require(tls_host_new(&h, ticket_key, NULL) == 0);
	require(tls_host_rotate(h, (int64_t)time(NULL) * 1000000) == 0);
	tls_directory_set_default(d, fallback);
	tls_profile_unref(fallback);
	tls_host_swap(h, d);
	return h;
}

static int client_on_session(SSL *ssl, SSL_SESSION *session)
{
	struct fixture_client *c = SSL_get_app_data(ssl);

	SSL_SESSION_free(c->session);
	c->session = session;
	return 1;
}

int fixture_connect(struct fixture_client *c, int fd)
{
	int r;

	c->fd = fd;
	c->ctx = SSL_CTX_new(TLS_client_method());
	require(c->ctx);
	/* A cache of its own would spoil the sessions when the context is freed. */
	SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c->ctx, client_on_session);
	if (c->version)
		require(SSL_CTX_set_max_proto_version(c->ctx, c->version) == 1);
	if (c->is_old) {
		SSL_CTX_set_security_level(c->ctx, 0);
		require(SSL_CTX_set_min_proto_version(c->ctx, TLS1_VERSION) == 1 &&
			SSL_CTX_set_cipher_list(c->ctx, "ALL") == 1);
	}
	if (c->sigalgs)
		require(SSL_CTX_set1_sigalgs_list(c->ctx, c->sigalgs) == 1);
	if (c->alpn)
		require(SSL_CTX_set_alpn_protos(c->ctx, c->alpn,
				(unsigned)strlen((const char *)c->alpn)) == 0);
	if (c->certificate)
		require(SSL_CTX_use_certificate(c->ctx, c->certificate) == 1 &&
			SSL_CTX_use_PrivateKey(c->ctx, c->key) == 1);
	if (c->certificate && c->others)
		require(SSL_CTX_set1_chain(c->ctx, c->others) == 1);
	c->ssl = SSL_new(c->ctx);
	require(c->ssl && SSL_set_fd(c->ssl, fd) == 1);
	(void)SSL_set_app_data(c->ssl, c);
	if (c->sni)
		require(SSL_set_tlsext_host_name(c->ssl, c->sni) == 1);
	if (c->asks_status)
		require(SSL_set_tlsext_status_type(c->ssl, TLSEXT_STATUSTYPE_ocsp) == 1);
	if (c->session)
		require(SSL_set_session(c->ssl, c->session) == 1);
	ERR_clear_error();
	r = SSL_connect(c->ssl);
	return r == 1 ? 1 : -SSL_get_error(c->ssl, r);
}

void fixture_client_done(struct fixture_client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	SSL_SESSION_free(c->session);
	if (c->fd >= 0)
		(void)close(c->fd);
	ERR_clear_error();
	*c = (struct fixture_client){ .fd = -1 };
}

size_t fixture_read(struct fixture_client *c, void *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		uint8_t *at = (uint8_t *)p + done;
		ssize_t got = c->ssl ? SSL_read(c->ssl, at, (int)(n - done)) :
				       recv(c->fd, at, n - done, 0);

		if (got <= 0)
			break;
		done += (size_t)got;
	}
	return done;
}

bool fixture_write(struct fixture_client *c, const void *p, size_t n)
{
	if (c->ssl)
		return SSL_write(c->ssl, p, (int)n) == (int)n;
	return send(c->fd, p, n, MSG_NOSIGNAL) == (ssize_t)n;
}

bool fixture_reads(struct fixture_client *c, const char *text)
{
	char got[256];
	size_t n = strlen(text);

	return n <= sizeof got && fixture_read(c, got, n) == n && memcmp(got, text, n) == 0;
}

bool fixture_writes(struct fixture_client *c, const char *text)
{
	return fixture_write(c, text, strlen(text));
}
