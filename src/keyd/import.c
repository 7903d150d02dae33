/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The importer as a process, and the server's side of it. Both directions are the same form: a
 * number, then fields with their lengths. The process opens no file and makes no socket once it has
 * loaded OpenSSL's legacy algorithms, has a limit of processor time, and answers once.
 */

#include "keyd/import.h"

#include "base/clock.h"
#include "base/limit.h"
#include "base/log.h"
#include "keyd/confine.h"

#include <errno.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum {
	CPU_SECONDS = 15,
	PKCS8_MAX = 64 * 1024,
	CERTS_MAX = IMPORT_FILE_MAX,
	NAME_MAX_OCTETS = 1024,
	SPKI_MAX = 16 * 1024,
};

/* Waits until the socket is ready; the deadline is for the whole exchange. */
static int wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd p = { fd, events, 0 };
	int64_t left;
	int n;

	do {
		left = deadline_ms - clock_monotonic_ms();
		n = left > 0 ? poll(&p, 1, (int)left) : 0;
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_fault(errno, "poll");
	return n ? 0 : err_fault(ETIMEDOUT, "importer");
}

static int send_all(int fd, struct span data, int64_t deadline_ms)
{
	while (data.n) {
		ssize_t n;

		TRY(wait_for(fd, POLLOUT, deadline_ms));
		n = send(fd, data.p, data.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_fault(errno, "send to importer");
		data = span_skip(data, n > 0 ? (size_t)n : 0);
	}
	return 0;
}

static int receive_all(int fd, void *p, size_t n, int64_t deadline_ms)
{
	uint8_t *to = p;

	while (n) {
		ssize_t got;

		TRY(wait_for(fd, POLLIN, deadline_ms));
		got = recv(fd, to, n, MSG_DONTWAIT);
		if (got == 0)
			return err_fault(ECONNRESET, "importer");
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return err_fault(errno, "recv from importer");
		to += got > 0 ? got : 0;
		n -= got > 0 ? (size_t)got : 0;
	}
	return 0;
}

static int send_field(int fd, struct span data, int64_t deadline_ms)
{
	uint32_t n = (uint32_t)data.n;

	TRY(send_all(fd, span_of(&n, sizeof n), deadline_ms));
	return send_all(fd, data, deadline_ms);
}

static int receive_field(int fd, size_t max, struct secret *ret_data, int64_t deadline_ms)
{
	CLEANUP(secret_done) struct secret data = {};
	uint32_t n;

	TRY(receive_all(fd, &n, sizeof n, deadline_ms));
	if (n > max)
		return err_fault(EMSGSIZE, "importer");
	data = secret_new(n);
	TRY(receive_all(fd, data.p, n, deadline_ms));
	*ret_data = data;
	data = (struct secret){};
	return 0;
}

static int start(void)
{
	const struct rlimit cpu = { CPU_SECONDS, CPU_SECONDS };
	bool locked;

	if (setrlimit(RLIMIT_CPU, &cpu))
		return err_fault(errno, "setrlimit");
	TRY(confine_memory(&locked));
	import_load_legacy();
	return confine_calls();
}

static int answer(int fd)
{
	CLEANUP(secret_done) struct secret file = {};
	CLEANUP(secret_done) struct secret passphrase = {};
	CLEANUP(secret_done) struct secret which = {};
	CLEANUP(imported_done) struct imported imported = {};
	int64_t deadline_ms = clock_monotonic_ms() + IMPORT_TIMEOUT_MS;
	struct import_order order;
	uint8_t public_only;
	struct why why = {};
	int32_t r;

	TRY(receive_field(fd, IMPORT_FILE_MAX, &file, deadline_ms));
	TRY(receive_field(fd, LIMIT_PASSWORD, &passphrase, deadline_ms));
	TRY(receive_field(fd, NAME_MAX_OCTETS, &which, deadline_ms));
	TRY(receive_all(fd, &public_only, sizeof public_only, deadline_ms));
	order = (struct import_order){ secret_span(&file), secret_span(&passphrase),
		secret_span(&which), public_only };
	r = import_parse(&order, &imported, &why);
	if (r < 0)
		return r;
	TRY(send_all(fd, span_of(&r, sizeof r), deadline_ms));
	TRY(send_field(fd, span_str(why.text), deadline_ms));
	TRY(send_field(fd, secret_span(&imported.pkcs8), deadline_ms));
	TRY(send_field(fd, buf_span(&imported.spki), deadline_ms));
	TRY(send_field(fd, buf_span(&imported.certs), deadline_ms));
	return send_field(fd, span_head(buf_span(&imported.name), NAME_MAX_OCTETS), deadline_ms);
}

int importer_main(int fd)
{
	int r = start();

	if (!r)
		r = answer(fd);
	if (r)
		log_fault(NULL, "KEYD", "importer", r);
	return r ? 1 : 0;
}

static int send_order(int fd, const struct import_order *order, int64_t deadline_ms)
{
	uint8_t public_only = order->public_only;

	TRY(send_field(fd, order->file, deadline_ms));
	TRY(send_field(fd, order->passphrase, deadline_ms));
	TRY(send_field(fd, order->which, deadline_ms));
	return send_all(fd, span_of(&public_only, sizeof public_only), deadline_ms);
}

/* Public things come the way of the secret ones, and are copied out of it. */
static int receive_public(int fd, size_t max, struct buf *out, int64_t deadline_ms)
{
	CLEANUP(secret_done) struct secret data = {};

	TRY(receive_field(fd, max, &data, deadline_ms));
	buf_add(out, secret_span(&data));
	return 0;
}

int import_key(int fd, const struct import_order *order, struct imported *ret_imported,
	struct why *why)
{
	CLEANUP(buf_done) struct buf text = {};
	CLEANUP(imported_done) struct imported imported = {};
	int64_t deadline_ms = clock_monotonic_ms() + IMPORT_TIMEOUT_MS;
	int32_t r;

	if (order->file.n > IMPORT_FILE_MAX || order->passphrase.n > LIMIT_PASSWORD ||
		order->which.n > NAME_MAX_OCTETS) {
		why_set(why, "a key file is at most %d octets, a passphrase %d", IMPORT_FILE_MAX,
			LIMIT_PASSWORD);
		return IMPORT_E_FILE;
	}
	TRY(send_order(fd, order, deadline_ms));
	TRY(receive_all(fd, &r, sizeof r, deadline_ms));
	TRY(receive_public(fd, sizeof why->text, &text, deadline_ms));
	TRY(receive_field(fd, PKCS8_MAX, &imported.pkcs8, deadline_ms));
	TRY(receive_public(fd, SPKI_MAX, &imported.spki, deadline_ms));
	TRY(receive_public(fd, CERTS_MAX, &imported.certs, deadline_ms));
	TRY(receive_public(fd, NAME_MAX_OCTETS, &imported.name, deadline_ms));
	if (r < 0 || r > IMPORT_E_WHICH)
		return err_fault(EPROTO, "importer");
	if (r) {
		why_set(why, "%.*s", (int)buf_size(&text), (const char *)buf_span(&text).p);
		return r;
	}
	*ret_imported = imported;
	imported = (struct imported){};
	return 0;
}
