/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Against a server that says exactly what a row tells it to, in clear or in TLS. */

#include "net/fetch.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/test.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_MAX = 8192, STALL_MS = 300, LARGE = 1 << 20 };

struct server {
	int fd;
	uint16_t port;
	pthread_t thread;
	SSL_CTX *tls; /* NULL: in clear */
	const char *const *answers; /* one a connection */
	size_t n_answers;
	bool stalls;  /* says nothing more once a connection is there */
	bool floods;  /* goes on with octets behind the answer until the client leaves */
	size_t flooded;
	char request[REQUEST_MAX]; /* the last one, as it came */
};

struct connection {
	int fd;
	SSL *ssl;
};

static int receive(struct connection *c, char *p, size_t n)
{
	return c->ssl ? SSL_read(c->ssl, p, (int)n) : (int)recv(c->fd, p, n, 0);
}

static bool say(struct connection *c, const char *p, size_t n)
{
	while (n) {
		ssize_t w = c->ssl ? SSL_write(c->ssl, p, (int)n) : send(c->fd, p, n, MSG_NOSIGNAL);

		if (w <= 0)
			return false;
		p += w;
		n -= (size_t)w;
	}
	return true;
}

/* To the end of the header, and as much more as Content-Length says. */
static void read_request(struct server *s, struct connection *c)
{
	size_t n = 0, want = REQUEST_MAX - 1;

	memset(s->request, 0, sizeof s->request);
	while (n < want) {
		const char *end, *length;
		int r = receive(c, s->request + n, want - n);

		if (r <= 0)
			return;
		n += (size_t)r;
		end = strstr(s->request, "\r\n\r\n");
		if (!end)
			continue;
		length = strstr(s->request, "Content-Length: ");
		want = (size_t)(end + 4 - s->request);
		if (length)
			want += strtoul(length + 16, NULL, 10);
	}
}

static void serve_one(struct server *s, struct connection *c, const char *answer)
{
	static const char octets[LARGE];

	read_request(s, c);
	if (s->stalls)
		(void)poll(&(struct pollfd){ .fd = c->fd, .events = POLLRDHUP }, 1, 20000);
	else if (say(c, answer, strlen(answer)) && s->floods) {
		while (s->flooded < 64 * (size_t)LARGE && say(c, octets, sizeof octets))
			s->flooded += sizeof octets;
	}
}

static void *serve(void *arg)
{
	struct server *s = arg;

	for (size_t i = 0; i < s->n_answers; i++) {
		struct connection c = { .fd = accept(s->fd, NULL, NULL) };

		if (c.fd < 0)
			break;
		if (s->tls) {
			c.ssl = SSL_new(s->tls);
			(void)SSL_set_fd(c.ssl, c.fd);
		}
		if (!s->tls || SSL_accept(c.ssl) == 1)
			serve_one(s, &c, s->answers[i]);
		if (c.ssl)
			(void)SSL_shutdown(c.ssl);
		SSL_free(c.ssl);
		(void)close(c.fd);
	}
	return NULL;
}

static void server_start(struct server *s, const char *const *answers, size_t n_answers)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof address;

	s->answers = answers;
	s->n_answers = n_answers;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(s->fd, 16), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&address, &n), 0);
	s->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
	(void)shutdown(s->fd, SHUT_RDWR);
	(void)pthread_join(s->thread, NULL);
	(void)close(s->fd);
	SSL_CTX_free(s->tls);
}

static const char plain_answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nRetry-After:  7 \r\n"
	"retry-after: 8\r\n\r\nhello";

static void test_get(void **state)
{
	static const char *const answers[] = { plain_answer };
	struct server s = {};
	CLEANUP(fetched_done) struct fetched got = {};
	CLEANUP(alloc_freep) char *url = NULL;
	struct fetch f = { .schemes = FETCH_HTTP, .timeout_ms = 5000, .max_octets = 5,
		.private_too = true, .accept = "text/plain",
		.fields = { "Location", "Retry-After" } };
	struct why why;

	(void)state;
	/* Whatever the environment says about proxies. */
	(void)setenv("http_proxy", "http://127.0.0.1:1", 1);
	server_start(&s, answers, 1);
	f.url = url = alloc_format("http://127.0.0.1:%u/a?b", s.port);
	assert_int_equal(fetch(&f, &got, &why), 0);
	server_stop(&s);
	(void)unsetenv("http_proxy");
	assert_int_equal(got.status, 200);
	assert_true(span_is(buf_span(&got.body), "hello"));
	assert_string_equal(got.url, url);
	assert_null(got.fields[0]);
	assert_string_equal(got.fields[1], "7");
	assert_non_null(strstr(s.request, "GET /a?b HTTP/1.1\r\n"));
	assert_non_null(strstr(s.request, "\r\nAccept: text/plain\r\n"));
	assert_non_null(strstr(s.request, "\r\nUser-Agent: signet/"));
	assert_null(strstr(s.request, "Cookie"));
}

static void test_post(void **state)
{
	static const char *const answers[] = { "HTTP/1.1 404 No\r\nConnection: close\r\n\r\nno" };
	struct server s = {};
	CLEANUP(fetched_done) struct fetched got = {};
	CLEANUP(alloc_freep) char *url = NULL;
	struct fetch f = { .schemes = FETCH_HTTP, .timeout_ms = 5000, .max_octets = 100,
		.private_too = true, .content_type = "application/jose+json",
		.body = span_of("a\0b", 3), .max_redirects = 5 };

	(void)state;
	server_start(&s, answers, 1);
	f.url = url = alloc_format("http://127.0.0.1:%u/", s.port);
	assert_int_equal(fetch(&f, &got, NULL), 0);
	server_stop(&s);
	assert_int_equal(got.status, 404);
	assert_true(span_is(buf_span(&got.body), "no"));
	assert_non_null(strstr(s.request, "POST / HTTP/1.1\r\n"));
	assert_non_null(strstr(s.request, "\r\nContent-Type: application/jose+json\r\n"));
	assert_null(strstr(s.request, "\r\nAccept:"));
	assert_memory_equal(strstr(s.request, "\r\n\r\n") + 4, "a\0b", 3);
}

static void test_head(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nReplay-Nonce: abc\r\nContent-Length: 500\r\n\r\n" };
	struct server s = {};
	CLEANUP(fetched_done) struct fetched got = {};
	CLEANUP(alloc_freep) char *url = NULL;
	struct fetch f = { .schemes = FETCH_HTTP, .method = "HEAD", .timeout_ms = 5000,
		.private_too = true, .fields = { "replay-nonce" } };

	(void)state;
	server_start(&s, answers, 1);
	f.url = url = alloc_format("http://127.0.0.1:%u/", s.port);
	assert_int_equal(fetch(&f, &got, NULL), 0);
	server_stop(&s);
	assert_string_equal(got.fields[0], "abc");
	assert_int_equal(buf_size(&got.body), 0);
}

/* What a fetch of http://127.0.0.1:PORT/ comes to when the server says that. */
static const struct hostile {
	const char *name, *answer;
	int outcome;
	bool stalls, floods;
} hostile[] = {
	{ "announced too large", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n123456",
		FETCH_E_TOO_LARGE },
	{ "too large, unannounced", "HTTP/1.1 200 OK\r\n\r\n123456", FETCH_E_TOO_LARGE },
	{ "chunks without end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3\r\nabc\r\n3\r\ndef\r\n", FETCH_E_TOO_LARGE },
	{ "flood", "HTTP/1.1 200 OK\r\n\r\n", FETCH_E_TOO_LARGE, .floods = true },
	{ "header without end", "HTTP/1.1 200 OK\r\nX: ", FETCH_E_UNREACHABLE, .floods = true },
	{ "cut short", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", FETCH_E_UNREACHABLE },
	{ "not HTTP", "220 mail.example.org ESMTP\r\n", FETCH_E_UNREACHABLE },
	{ "nothing", "", FETCH_E_UNREACHABLE },
	{ "silence", "", FETCH_E_UNREACHABLE, .stalls = true },
	{ "to a file",
		"HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
		FETCH_E_REFUSED },
	{ "to another scheme",
		"HTTP/1.1 302 F\r\nLocation: https://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
		FETCH_E_REFUSED },
	{ "to a mailbox",
		"HTTP/1.1 302 F\r\nLocation: imap://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
		FETCH_E_REFUSED },
};

static void test_hostile(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
		const struct hostile *h = &hostile[i];
		CLEANUP(fetched_done) struct fetched got = {};
		CLEANUP(alloc_freep) char *url = NULL;
		struct server s = { .stalls = h->stalls, .floods = h->floods };
		struct fetch f = { .schemes = FETCH_HTTP | FETCH_HTTPS, .timeout_ms = 5000,
			.max_octets = 5, .private_too = true, .max_redirects = 3 };
		struct why why = {};
		int64_t begun = clock_monotonic_ms();
		int r;

		if (h->stalls)
			f.timeout_ms = STALL_MS;
		server_start(&s, &h->answer, 1);
		f.url = url = alloc_format("http://127.0.0.1:%u/", s.port);
		r = fetch(&f, &got, &why);
		if (r != h->outcome || !why.text[0])
			fail_msg("%s: %d %s", h->name, r, why.text);
		if (h->stalls)
			assert_in_range(clock_monotonic_ms() - begun, STALL_MS - 50, STALL_MS * 10);
		server_stop(&s);
		/* It was left, not read to its end. */
		assert_true(s.flooded < 32 * (size_t)LARGE);
	}
}

static void test_redirects(void **state)
{
	static const char away[] = "HTTP/1.1 302 Found\r\nLocation: /next\r\nX-Test: first\r\n"
		"Content-Length: 9\r\n\r\nnot small";
	static const char *const answers[] = { away, away,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" };
	CLEANUP(fetched_done) struct fetched got = {}, none = {};
	CLEANUP(alloc_freep) char *url = NULL, *end = NULL;
	struct server s = {}, few = {}, zero = {};
	struct fetch f = { .schemes = FETCH_HTTP, .timeout_ms = 5000, .max_octets = 9,
		.private_too = true, .max_redirects = 2, .fields = { "X-Test" } };

	(void)state;
	server_start(&s, answers, 3);
	f.url = url = alloc_format("http://127.0.0.1:%u/first", s.port);
	end = alloc_format("http://127.0.0.1:%u/next", s.port);
	assert_int_equal(fetch(&f, &got, NULL), 0);
	server_stop(&s);
	assert_int_equal(got.status, 200);
	assert_string_equal(got.url, end);
	/* A field of an answer on the way is not the last one's. */
	assert_null(got.fields[0]);

	server_start(&few, answers, 2);
	free(url);
	f.url = url = alloc_format("http://127.0.0.1:%u/", few.port);
	f.max_redirects = 1;
	assert_int_equal(fetch(&f, &none, NULL), FETCH_E_UNREACHABLE);
	server_stop(&few);

	server_start(&zero, answers, 1);
	free(url);
	f.url = url = alloc_format("http://127.0.0.1:%u/", zero.port);
	f.max_redirects = 0;
	assert_int_equal(fetch(&f, &none, NULL), 0);
	server_stop(&zero);
	assert_int_equal(none.status, 302);
}

/* No server is asked: the port is one on which a connection would be an answer. */
static void test_addresses(void **state)
{
	static const char *const answers[] = { plain_answer };
	static const char *const hosts[] = { "127.0.0.1", "localhost", "[::ffff:127.0.0.1]",
		"0.0.0.0", "2130706433" };
	struct server s = {};

	(void)state;
	server_start(&s, answers, 1);
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		CLEANUP(fetched_done) struct fetched got = {};
		CLEANUP(alloc_freep) char *url = alloc_format("http://%s:%u/", hosts[i], s.port);
		struct fetch f = { .url = url, .schemes = FETCH_HTTP, .timeout_ms = 2000,
			.max_octets = 5 };
		struct why why = {};

		assert_int_equal(fetch(&f, &got, &why), FETCH_E_REFUSED);
		assert_non_null(strstr(why.text, "not a public address"));
	}
	server_stop(&s);
	assert_int_equal(s.request[0], 0);
}

static void test_urls(void **state)
{
	static const char *const refused[] = { "", "/path", "example.org", "file:///etc/passwd",
		"ftp://example.org/", "gopher://example.org/", "http://", "https://",
		"http://user@example.org/", "https://user:password@example.org/",
		"http://exa mple.org/", "http://example.org:99999/", "http://example.org/\n" };
	CLEANUP(alloc_freep) char *large = alloc_zero(FETCH_URL_MAX + 32);
	struct fetch f = { .schemes = FETCH_HTTP | FETCH_HTTPS, .timeout_ms = 1000 };
	struct fetched got;

	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		f.url = refused[i];
		if (fetch(&f, &got, NULL) != FETCH_E_REFUSED)
			fail_msg("%s", refused[i]);
	}
	(void)strcpy(large, "http://example.org/");
	memset(large + strlen(large), 'a', FETCH_URL_MAX + 1 - strlen(large));
	assert_false(fetch_url_fits(large, FETCH_HTTP));
	large[FETCH_URL_MAX] = 0;
	assert_true(fetch_url_fits(large, FETCH_HTTP));
	assert_false(fetch_url_fits(large, FETCH_HTTPS));
	assert_true(fetch_url_fits("HTTPS://example.org:8443/a?b", FETCH_HTTPS));
}

static void test_origin(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "https://ca.example/a", "https://ca.example/b?c", true },
		{ "https://ca.example/a", "https://CA.example:443/", true },
		{ "https://ca.example/", "https://ca.example:8443/", false },
		{ "https://ca.example/", "http://ca.example/", false },
		{ "https://ca.example/", "https://ca.example.net/", false },
		{ "https://ca.example/", "https://ca.example@other.example/", false },
		{ "https://ca.example/", "not a URL", false },
		{ "", "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (fetch_url_same_origin(rows[i].a, rows[i].b) != rows[i].same)
			fail_msg("%s %s", rows[i].a, rows[i].b);
	}
}

static void *stop_later(void *arg)
{
	(void)poll(NULL, 0, STALL_MS);
	atomic_store((atomic_bool *)arg, true);
	return NULL;
}

/* The end of the server does not wait for a server that says nothing. */
static void test_stop(void **state)
{
	static const char *const answers[] = { "" };
	struct server s = { .stalls = true };
	CLEANUP(alloc_freep) char *url = NULL;
	CLEANUP(fetched_done) struct fetched got = {};
	atomic_bool stop = false;
	struct fetch f = { .schemes = FETCH_HTTP, .timeout_ms = 30000, .max_octets = 5,
		.private_too = true, .stop = &stop };
	int64_t begun = clock_monotonic_ms();
	pthread_t thread;

	(void)state;
	server_start(&s, answers, 1);
	f.url = url = alloc_format("http://127.0.0.1:%u/", s.port);
	assert_int_equal(pthread_create(&thread, NULL, stop_later, &stop), 0);
	assert_int_equal(fetch(&f, &got, NULL), FETCH_E_UNREACHABLE);
	assert_true(clock_monotonic_ms() - begun < 8000);
	assert_true(atomic_load(&stop));
	(void)pthread_join(thread, NULL);
	server_stop(&s);
}

static X509 *make_cert(EVP_PKEY *key, const char *names)
{
	X509 *cert = X509_new();
	X509_EXTENSION *names_extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
		names);

	assert_int_equal(X509_set_version(cert, X509_VERSION_3), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 7), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), -3600));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 3600));
	assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
		(const uint8_t *)"test", -1, -1, 0), 1);
	assert_int_equal(X509_set_issuer_name(cert, X509_get_subject_name(cert)), 1);
	assert_int_equal(X509_add_ext(cert, names_extension, -1), 1);
	assert_int_equal(X509_set_pubkey(cert, key), 1);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	X509_EXTENSION_free(names_extension);
	return cert;
}

static void add_pem(X509 *cert, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
	n = BIO_get_mem_data(bio, &p);
	buf_add(out, span_of(p, (size_t)n));
	(void)BIO_free(bio);
}

/* A fetch from a server with a certificate for these names, trusting `trusted` (0 nobody, 1 that
 * certificate, 2 another one). */
static int fetch_tls(const char *names, int trusted, int version)
{
	static const char *const answers[] = { plain_answer };
	CLEANUP(fetched_done) struct fetched got = {};
	CLEANUP(buf_done) struct buf pem = {};
	CLEANUP(alloc_freep) char *url = NULL;
	struct server s = { .tls = SSL_CTX_new(TLS_server_method()) };
	struct fetch f = { .schemes = FETCH_HTTPS, .timeout_ms = 5000, .max_octets = 5,
		.private_too = true };
	EVP_PKEY *key = EVP_EC_gen("P-256"), *other_key = EVP_EC_gen("P-256");
	X509 *cert = make_cert(key, names), *other = make_cert(other_key, names);
	struct why why = {};
	int r;

	SSL_CTX_set_security_level(s.tls, 0);
	assert_int_equal(SSL_CTX_use_certificate(s.tls, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(s.tls, key), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(s.tls, version), 1);
	if (trusted)
		add_pem(trusted == 1 ? cert : other, &pem);
	server_start(&s, answers, 1);
	f.url = url = alloc_format("https://127.0.0.1:%u/", s.port);
	f.trust_pem = buf_span(&pem);
	r = fetch(&f, &got, &why);
	assert_true(r == 0 || why.text[0]);
	server_stop(&s);
	X509_free(cert);
	X509_free(other);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other_key);
	return r;
}

static void test_tls(void **state)
{
	(void)state;
	assert_int_equal(fetch_tls("IP:127.0.0.1", 1, TLS1_3_VERSION), 0);
	assert_int_equal(fetch_tls("IP:127.0.0.1", 1, TLS1_2_VERSION), 0);
	assert_int_equal(fetch_tls("IP:127.0.0.1", 2, TLS1_3_VERSION), FETCH_E_UNREACHABLE);
	assert_int_equal(fetch_tls("IP:127.0.0.1", 0, TLS1_3_VERSION), FETCH_E_UNREACHABLE);
	assert_int_equal(fetch_tls("IP:127.0.0.2", 1, TLS1_3_VERSION), FETCH_E_UNREACHABLE);
	assert_int_equal(fetch_tls("DNS:localhost", 1, TLS1_3_VERSION), FETCH_E_UNREACHABLE);
	assert_int_equal(fetch_tls("IP:127.0.0.1", 1, TLS1_1_VERSION), FETCH_E_UNREACHABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_post),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_redirects),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_origin),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_tls),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
