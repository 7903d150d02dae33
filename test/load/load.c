/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Clients of a server on 127.0.0.1, for tests that change it meanwhile:
 *
 *   tls_load RATE SESSIONS USER PASSWORD SERVICE:PORT... -- NAME...
 *
 * Makes RATE new connections a second, to the services in turn and with the names in turn, half of
 * them without TLS 1.3, a third with the ticket that the same kind of visit last got. Each
 * sends something and reads an answer. Beside them SESSIONS IMAP sessions stay open and say NOOP
 * once a second. It judges nothing: a line for each connection says when it began and ended
 * (CLOCK_MONOTONIC, microseconds), what was asked for, and what came:
 *
 *   BEGAN ENDED SERVICE NAME VERSION full|resumed FINGERPRINT N-CERTIFICATES ok
 *   BEGAN ENDED SERVICE NAME - - - 0 WHAT WENT WRONG
 *
 * and for the sessions 'session N NAME NOOPS ok', or what went wrong. It ends with its input.
 */

#include "base/alloc.h"
#include "base/enc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	THREADS = 16,
	TIMEOUT_S = 15,
	MAX_SERVICES = 16,
	MAX_NAMES = 16,
	MAX_LINE = 512,
	DIGEST = 32
};

/* What is said before TLS and in it, and how the last answer begins. NULL: nothing. */
static const struct protocol {
	const char *name, *starttls, *starttls_ok, *request, *answer;
} protocols[] = {
	/* name         before TLS             in TLS */
	{ "imaps", NULL, NULL, NULL, "* OK" },
	{ "pop3s", NULL, NULL, NULL, "+OK" },
	{ "submissions", NULL, NULL, NULL, "220 " },
	{ "https", NULL, NULL, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		"HTTP/1.1 " },
	{ "smtp", "STARTTLS\r\n", "220 ", "NOOP\r\n", "250 " },
	{ "imap", "s STARTTLS\r\n", "s OK", "n NOOP\r\n", "n OK" },
};

struct service {
	const struct protocol *protocol;
	in_port_t port;
};

static struct service services[MAX_SERVICES];
static size_t n_services;
static const char *names[MAX_NAMES];
static size_t n_names;
static const char *user, *password;
static unsigned rate;
static atomic_ulong n_begun;
static atomic_bool stopping;
static SSL_CTX *ctx;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over the tickets */
static SSL_SESSION *tickets[MAX_SERVICES][MAX_NAMES][2];

/* One connection: what it is to do, and what came. */
struct visit {
	size_t service, name;
	bool offers, is_old;
	SSL *ssl;
	int fd;
	char trouble[128];
};

static int64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void sleep_until(int64_t us)
{
	const struct timespec t = { us / 1000000, us % 1000000 * 1000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static bool trouble(struct visit *v, const char *where)
{
	unsigned long code = ERR_get_error();
	int error = errno;
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	if (!reason)
		reason = error ? strerror(error) : "the connection ended";
	(void)snprintf(v->trouble, sizeof v->trouble, "%s: %s", where, reason);
	ERR_clear_error();
	return false;
}

/* One line, in clear or in TLS, octet by octet: nothing behind it is taken in clear. */
static bool read_line(struct visit *v, char line[static MAX_LINE])
{
	size_t n = 0;

	while (n < MAX_LINE - 1) {
		ssize_t r = v->ssl ? SSL_read(v->ssl, line + n, 1) : recv(v->fd, line + n, 1, 0);

		if (r != 1)
			return false;
		if (line[n++] == '\n')
			break;
	}
	line[n] = 0;
	return true;
}

/* Reads lines up to one that begins so. Greetings and other lines before it are passed over, but
 * not refusals. */
static bool await(struct visit *v, const char *wanted)
{
	char line[MAX_LINE];

	do {
		errno = 0;
		if (!read_line(v, line))
			return trouble(v, wanted);
		if (strncmp(line, wanted, strlen(wanted)) == 0)
			return true;
	} while (strncmp(line, "* BYE", 5) != 0 && line[0] != '4' && line[0] != '5');
	line[strcspn(line, "\r\n")] = 0;
	(void)snprintf(v->trouble, sizeof v->trouble, "%s: %.80s", wanted, line);
	return false;
}

static bool say(struct visit *v, const char *text)
{
	ssize_t n = (ssize_t)strlen(text);
	ssize_t r = v->ssl ? SSL_write(v->ssl, text, (int)n)
			   : send(v->fd, text, (size_t)n, MSG_NOSIGNAL);

	return r == n || trouble(v, "write");
}

static bool open_socket(struct visit *v)
{
	const struct timeval timeout = { .tv_sec = TIMEOUT_S };
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(services[v->service].port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	v->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (v->fd < 0)
		return trouble(v, "socket");
	(void)setsockopt(v->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	(void)setsockopt(v->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
	(void)setsockopt(v->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return connect(v->fd, (const struct sockaddr *)&to, sizeof to) == 0 ||
	       trouble(v, "connect");
}

static bool start_in_clear(struct visit *v)
{
	const struct protocol *p = services[v->service].protocol;

	if (!p->starttls)
		return true;
	if (strcmp(p->name, "smtp") == 0 &&
		(!await(v, "220 ") || !say(v, "EHLO load.example\r\n") || !await(v, "250 ")))
		return false;
	return say(v, p->starttls) && await(v, p->starttls_ok);
}

static bool handshake(struct visit *v)
{
	const char *name = names[v->name];
	SSL_SESSION **ticket = &tickets[v->service][v->name][v->is_old];
	SSL *ssl = SSL_new(ctx);

	if (!ssl || SSL_set_tlsext_host_name(ssl, name) != 1 || SSL_set_fd(ssl, v->fd) != 1)
		abort();
	(void)SSL_set_app_data(ssl, v);
	if (v->is_old)
		(void)SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
	(void)pthread_mutex_lock(&lock);
	if (v->offers && *ticket)
		(void)SSL_set_session(ssl, *ticket);
	(void)pthread_mutex_unlock(&lock);
	errno = 0;
	v->ssl = ssl;
	return SSL_connect(ssl) == 1 || trouble(v, "handshake");
}

/* libssl hands a ticket over: the next visit of the same kind may use it. */
static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
	const struct visit *v = SSL_get_app_data(ssl);
	SSL_SESSION **ticket = &tickets[v->service][v->name][v->is_old], *old;

	(void)pthread_mutex_lock(&lock);
	old = *ticket;
	*ticket = session;
	(void)pthread_mutex_unlock(&lock);
	SSL_SESSION_free(old);
	return 1;
}

static bool visit_go(struct visit *v)
{
	const struct protocol *p = services[v->service].protocol;

	return open_socket(v) && start_in_clear(v) && handshake(v) &&
	       (!p->request || say(v, p->request)) && await(v, p->answer);
}

static void visit_end(struct visit *v)
{
	if (v->ssl)
		(void)SSL_shutdown(v->ssl);
	SSL_free(v->ssl);
	if (v->fd >= 0)
		(void)close(v->fd);
	ERR_clear_error();
}

static void certificate_digest(SSL *ssl, uint8_t ret_digest[static DIGEST])
{
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	unsigned n = 0;

	if (!certificate || X509_digest(certificate, EVP_sha256(), ret_digest, &n) != 1)
		abort();
}

static void report(const struct visit *v, int64_t began, bool is_good)
{
	CLEANUP(buf_done) struct buf hex = {};
	uint8_t digest[DIGEST];
	int64_t ended = now_us();

	if (!is_good) {
		printf("%lld %lld %s %s - - - 0 %s\n", (long long)began, (long long)ended,
			services[v->service].protocol->name, names[v->name], v->trouble);
		return;
	}
	certificate_digest(v->ssl, digest);
	enc_hex(&hex, span_of(digest, sizeof digest));
	printf("%lld %lld %s %s %s %s %.*s %d ok\n", (long long)began, (long long)ended,
		services[v->service].protocol->name, names[v->name], SSL_get_version(v->ssl),
		SSL_session_reused(v->ssl) ? "resumed" : "full", (int)buf_size(&hex),
		(const char *)buf_span(&hex).p, sk_X509_num(SSL_get_peer_cert_chain(v->ssl)));
}

/* The nth connection; what it does is mixed so that no two properties go together. */
static struct visit visit_of(unsigned long n)
{
	return (struct visit){
		.service = n % n_services,
		.name = n / n_services % n_names,
		.offers = n / (n_services * n_names) % 3 == 1,
		.is_old = n / (n_services * n_names * 3) % 2,
		.fd = -1,
	};
}

/* What is late is not made up for: the server would see waves. */
static void *connect_on(void *arg)
{
	int64_t interval = 1000000 * (int64_t)THREADS / rate;
	int64_t due = now_us() + interval * *(const unsigned *)arg / THREADS;

	while (!atomic_load(&stopping)) {
		struct visit v = visit_of(atomic_fetch_add(&n_begun, 1));
		int64_t began;

		sleep_until(due);
		began = now_us();
		report(&v, began, visit_go(&v));
		visit_end(&v);
		due = due + interval > now_us() ? due + interval : now_us();
	}
	return NULL;
}

struct session {
	struct visit visit;
	uint8_t digest[DIGEST];
	unsigned n_noops;
	bool is_good;
};

static void session_open(struct session *s)
{
	CLEANUP(alloc_freep) char *login = alloc_format("l LOGIN %s \"%s\"\r\n", user, password);

	s->is_good = visit_go(&s->visit) && say(&s->visit, login) && await(&s->visit, "l OK");
	if (s->is_good)
		certificate_digest(s->visit.ssl, s->digest);
}

static void session_noop(struct session *s)
{
	uint8_t digest[DIGEST];

	if (!s->is_good)
		return;
	s->is_good = say(&s->visit, "n NOOP\r\n") && await(&s->visit, "n OK");
	certificate_digest(s->visit.ssl, digest);
	if (memcmp(digest, s->digest, DIGEST) != 0) {
		(void)snprintf(s->visit.trouble, sizeof s->visit.trouble,
			"another certificate in the same session");
		s->is_good = false;
	}
	s->n_noops += s->is_good;
}

static void session_report(struct session *s)
{
	printf("session %s %s %u %s\n", services[s->visit.service].protocol->name,
		names[s->visit.name], s->n_noops, s->is_good ? "ok" : s->visit.trouble);
	visit_end(&s->visit);
}

/* All on one thread: the server answers each at once. */
static void *keep_sessions(void *arg)
{
	size_t n = *(const unsigned *)arg, at = 0;
	CLEANUP(alloc_freep) struct session *sessions = alloc_array(NULL, n + 1, sizeof *sessions);

	for (size_t i = 0; i < n; i++) {
		while (strncmp(services[at % n_services].protocol->name, "imap", 4) != 0)
			at++;
		sessions[i] = (struct session){
			.visit = { .service = at++ % n_services, .name = i / 2 % n_names, .fd = -1 }
		};
		session_open(&sessions[i]);
	}
	printf("open\n");
	while (!atomic_load(&stopping)) {
		int64_t next = now_us() + 1000000;

		for (size_t i = 0; i < n; i++)
			session_noop(&sessions[i]);
		sleep_until(next);
	}
	for (size_t i = 0; i < n; i++)
		session_report(&sessions[i]);
	return NULL;
}

static const struct protocol *protocol_find(const char *word, const char *end)
{
	for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
		if (strlen(protocols[i].name) == (size_t)(end - word) &&
			strncmp(protocols[i].name, word, (size_t)(end - word)) == 0)
			return &protocols[i];
	}
	return NULL;
}

/* SERVICE:PORT... -- NAME... */
static bool read_words(char **words)
{
	for (; *words && strcmp(*words, "--") != 0; words++) {
		const char *colon = strchr(*words, ':');
		struct service s = {};

		if (!colon || n_services == MAX_SERVICES)
			return false;
		s.protocol = protocol_find(*words, colon);
		s.port = (in_port_t)atoi(colon + 1);
		if (!s.protocol || !s.port)
			return false;
		services[n_services++] = s;
	}
	for (words += *words != NULL; *words && n_names < MAX_NAMES; words++)
		names[n_names++] = *words;
	return n_services && n_names && !*words;
}

static void set_up_tls(void)
{
	ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx)
		abort();
	/* Whether the certificate is the right one is judged by whoever knows which are. */
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	(void)SSL_CTX_set_session_cache_mode(ctx,
		SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(ctx, on_ticket);
}

static void run(unsigned n_sessions)
{
	pthread_t threads[THREADS], keeper;
	unsigned numbers[THREADS];
	char octet;

	if (pthread_create(&keeper, NULL, keep_sessions, &n_sessions))
		abort();
	for (unsigned i = 0; i < THREADS; i++) {
		numbers[i] = i;
		if (pthread_create(&threads[i], NULL, connect_on, &numbers[i]))
			abort();
	}
	while (read(STDIN_FILENO, &octet, 1) > 0)
		;
	atomic_store(&stopping, true);
	for (unsigned i = 0; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	(void)pthread_join(keeper, NULL);
}

int main(int argc, char **argv)
{
	if (argc < 7 || !read_words(argv + 5) || atoi(argv[1]) <= 0 || atoi(argv[2]) < 0)
		return 2;
	rate = (unsigned)atoi(argv[1]);
	user = argv[3];
	password = argv[4];
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	set_up_tls();
	run((unsigned)atoi(argv[2]));
	SSL_CTX_free(ctx);
	return fflush(stdout) ? 1 : 0;
}
