/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "net/dial.h"

#include "base/clock.h"
#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOOK_MS = 250 }; /* how often it is asked whether to stop */

void dial_set_deadline(struct dial *d, uint32_t timeout_ms)
{
	d->deadline_ms = clock_monotonic_ms() + timeout_ms;
}

/* Until the socket is ready, whatever it is ready for. */
static int wait_for(struct dial *d, short events, struct why *why)
{
	struct pollfd p = { .fd = d->fd, .events = events };

	for (;;) {
		int64_t left = d->deadline_ms - clock_monotonic_ms();
		int n;

		if (d->stop && atomic_load(d->stop)) {
			why_set(why, "ended, because this server ends");
			return DIAL_E_ENDED;
		}
		if (left <= 0) {
			why_set(why, "no answer in time");
			return DIAL_E_ENDED;
		}
		n = poll(&p, 1, left < LOOK_MS ? (int)left : LOOK_MS);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_fault(errno, "poll");
	}
}

static int say_error(int error, const char *what, struct why *why)
{
	why_set(why, "%s: %s", what, strerror(error));
	return DIAL_E_ENDED;
}

static int finish_connect(struct dial *d, struct why *why)
{
	int error = 0, r = wait_for(d, POLLOUT, why);
	socklen_t n = sizeof error;

	if (r)
		return r;
	if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &n))
		return err_fault(errno, "getsockopt");
	return error ? say_error(error, "cannot connect", why) : 0;
}

int dial_connect(struct dial *d, const struct net_address *to, uint32_t timeout_ms,
	const atomic_bool *stop, struct why *why)
{
	struct sockaddr_storage address;
	size_t n = net_address_to_sockaddr(to, &address);

	*d = (struct dial){ .stop = stop };
	dial_set_deadline(d, timeout_ms);
	d->fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* A host without IPv6 has no such sockets. */
	if (d->fd < 0 && errno == EAFNOSUPPORT)
		return say_error(errno, "cannot connect", why);
	if (d->fd < 0)
		return err_fault(errno, "socket");
	if (connect(d->fd, (const struct sockaddr *)&address, (socklen_t)n) == 0)
		return 0;
	return errno == EINPROGRESS ? finish_connect(d, why)
				    : say_error(errno, "cannot connect", why);
}

/* The reason of an SSL call that has failed, as the server would find it in its own log about a
 * client. */
static void say_tls(int error, struct why *why)
{
	unsigned long code = ERR_peek_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	if (ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET)
		why_set(why, "refused with the alert %s",
			SSL_alert_desc_string_long(ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET));
	else if (error == SSL_ERROR_ZERO_RETURN || !reason)
		why_set(why, "closed by the server");
	else
		why_set(why, "%s", reason);
	ERR_clear_error();
}

/* 0: the call is to be made again. */
static int wait_for_tls(struct dial *d, SSL *ssl, int r, struct why *why)
{
	int error = SSL_get_error(ssl, r);

	if (error == SSL_ERROR_WANT_READ)
		return wait_for(d, POLLIN, why);
	if (error == SSL_ERROR_WANT_WRITE)
		return wait_for(d, POLLOUT, why);
	say_tls(error, why);
	return DIAL_E_ENDED;
}

/* Whether a call on the socket that has failed may be made again. */
static bool is_not_now(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static int read_clear(struct dial *d, void *p, size_t n, size_t *ret_n, struct why *why)
{
	for (;;) {
		/* Before each: a server that never pauses meets the deadline too. */
		int r = wait_for(d, POLLIN, why);
		ssize_t got;

		if (r)
			return r;
		got = recv(d->fd, p, n, 0);
		if (got > 0) {
			*ret_n = (size_t)got;
			return 0;
		}
		if (got == 0) {
			why_set(why, "closed by the server");
			return DIAL_E_ENDED;
		}
		if (!is_not_now())
			return say_error(errno, "connection lost", why);
	}
}

static int read_secure(struct dial *d, SSL *ssl, void *p, size_t n, size_t *ret_n, struct why *why)
{
	for (;;) {
		int r;

		ERR_clear_error();
		r = SSL_read_ex(ssl, p, n, ret_n);
		if (r == 1)
			return 0;
		r = wait_for_tls(d, ssl, r, why);
		if (r)
			return r;
	}
}

/* The deadline counts also where nothing has to be waited for. */
static int check_deadline(const struct dial *d, struct why *why)
{
	if (clock_monotonic_ms() < d->deadline_ms)
		return 0;
	why_set(why, "no answer in time");
	return DIAL_E_ENDED;
}

int dial_read(struct dial *d, SSL *ssl, void *p, size_t n, size_t *ret_n, struct why *why)
{
	int r = check_deadline(d, why);

	if (r)
		return r;
	return ssl ? read_secure(d, ssl, p, n, ret_n, why) : read_clear(d, p, n, ret_n, why);
}

static int write_secure(struct dial *d, SSL *ssl, struct span data, struct why *why)
{
	while (data.n) {
		size_t n;
		int r;

		ERR_clear_error();
		r = SSL_write_ex(ssl, data.p, data.n, &n);
		if (r == 1) {
			data = span_skip(data, n);
			continue;
		}
		r = wait_for_tls(d, ssl, r, why);
		if (r)
			return r;
	}
	return 0;
}

int dial_write(struct dial *d, SSL *ssl, struct span data, struct why *why)
{
	if (ssl)
		return write_secure(d, ssl, data, why);
	while (data.n) {
		ssize_t n = send(d->fd, data.p, data.n, MSG_NOSIGNAL);
		int r;

		if (n >= 0) {
			data = span_skip(data, (size_t)n);
			continue;
		}
		if (!is_not_now())
			return say_error(errno, "connection lost", why);
		r = wait_for(d, POLLOUT, why);
		if (r)
			return r;
	}
	return 0;
}

int dial_handshake(struct dial *d, SSL *ssl, struct why *why)
{
	if (SSL_set_fd(ssl, d->fd) != 1)
		return err_fault(ENOMEM, "SSL_set_fd");
	for (;;) {
		int r = check_deadline(d, why);

		if (r)
			return r;
		ERR_clear_error();
		r = SSL_connect(ssl);
		if (r == 1)
			return 0;
		r = wait_for_tls(d, ssl, r, why);
		if (r)
			return r;
	}
}

void dial_done(struct dial *d)
{
	if (d->fd >= 0)
		(void)close(d->fd);
	d->fd = -1;
}
