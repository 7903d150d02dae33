/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Binding. It is done by the supervisor, which may use privileged ports, and before anything else
 * starts: a port that is taken is said at once. The sockets outlive the server process, so a restart
 * of it refuses no connection.
 */

#include "app/ports.h"

#include "base/span.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The interface of signetd: fixed. */
const struct service_row services[SERVICES] = {
	[SERVICE_SMTP] = { "smtp", 25, false },
	[SERVICE_SUBMISSION] = { "submission", 587, false },
	[SERVICE_SUBMISSIONS] = { "submissions", 465, true },
	[SERVICE_IMAP] = { "imap", 143, false },
	[SERVICE_IMAPS] = { "imaps", 993, true },
	[SERVICE_POP3] = { "pop3", 110, false },
	[SERVICE_POP3S] = { "pop3s", 995, true },
	[SERVICE_MANAGESIEVE] = { "managesieve", 4190, false },
	[SERVICE_HTTP] = { "http", 80, false },
	[SERVICE_HTTPS] = { "https", 443, true },
	[SERVICE_LOCAL] = { "local", 0, false },
};

struct listen_address {
	struct sockaddr_storage address;
	socklen_t size;
};

static int parse_address(const char *text, struct listen_address *ret, struct why *why)
{
	struct listen_address a = {};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&a.address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a.address;
	size_t n = strlen(text);
	char inner[INET6_ADDRSTRLEN] = "";

	if (n > 2 && text[0] == '[' && text[n - 1] == ']' && n - 2 < sizeof inner)
		memcpy(inner, text + 1, n - 2);
	if (inner[0] && inet_pton(AF_INET6, inner, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		a.size = sizeof *v6;
	} else if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		a.size = sizeof *v4;
	} else {
		why_set(why, "--listen %s is not an address (IPv6 is written in brackets, and there"
			" is no port)", text);
		return PORTS_E_ADDRESS;
	}
	*ret = a;
	return 0;
}

static void set_port(struct listen_address *a, unsigned port)
{
	if (a->address.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&a->address)->sin6_port = htons((uint16_t)port);
	else
		((struct sockaddr_in *)&a->address)->sin_port = htons((uint16_t)port);
}

static int bind_tcp(int *ret_fd, const struct listen_address *a)
{
	int on = 1;
	int fd = socket(a->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (a->address.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, (const struct sockaddr *)&a->address, a->size) || listen(fd, SOMAXCONN)) {
		int error = errno;

		(void)close(fd);
		return -error;
	}
	*ret_fd = fd;
	return 0;
}

/* The path is short whatever DATA is, and its folder is the one that was checked. Mode 0600: only
 * the owner and root may connect. */
static int bind_local(int *ret_fd, int run_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	(void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/signet.sock",
		run_fd);
	(void)unlinkat(run_fd, "signet.sock", 0);
	if (bind(fd, (const struct sockaddr *)&address, sizeof address) ||
		fchmodat(run_fd, "signet.sock", 0600, 0) || listen(fd, SOMAXCONN)) {
		int error = errno;

		(void)close(fd);
		return -error;
	}
	*ret_fd = fd;
	return 0;
}

static int bind_service(struct bound *b, enum service service, struct listen_address *a,
	const char *text, unsigned offset, struct why *why)
{
	unsigned port = services[service].port + offset;
	int r;

	set_port(a, port);
	(void)snprintf(b->address, sizeof b->address, "%s:%u", text, port);
	b->service = service;
	r = bind_tcp(&b->fd, a);
	if (r) {
		why_set(why, "cannot listen on %s for %s: %s%s", b->address, services[service].name,
			strerror(-r),
			r == -EACCES ? " (ports below 1024 need root; --port-offset moves them)" :
			r == -EADDRINUSE ? " (another server runs there)" : "");
		return PORTS_E_BIND;
	}
	return 0;
}

static bool has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	(void)close(fd);
	return true;
}

static void close_all(struct bound *bound, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)close(bound[i].fd);
}

int ports_bind(struct bound *bound, size_t *ret_n, const struct options *o, int run_fd,
	struct why *why)
{
	/* A host without IPv6 cannot be reached over it: then the default is IPv4 alone. What was
	 * asked for by name must work or fail. */
	static const char *const everywhere[] = { "0.0.0.0", "[::]" };
	const char *const *addresses = o->n_listen ? o->listen : everywhere;
	size_t n_addresses = o->n_listen ? o->n_listen : has_ipv6() ? 2 : 1;
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < n_addresses && !r; i++) {
		struct listen_address a = {};

		r = parse_address(addresses[i], &a, why);
		for (enum service s = 0; s < SERVICES && !r; s++) {
			if (services[s].port == 0)
				continue;
			r = bind_service(&bound[n], s, &a, addresses[i], o->port_offset, why);
			n += !r;
		}
	}
	if (!r) {
		bound[n] = (struct bound){ .service = SERVICE_LOCAL, .address = "run/signet.sock" };
		r = bind_local(&bound[n].fd, run_fd);
		if (r)
			why_set(why, "cannot listen on run/signet.sock: %s", strerror(-r));
		n += !r;
	}
	if (r) {
		close_all(bound, n);
		return r < 0 ? PORTS_E_BIND : r;
	}
	*ret_n = n;
	return 0;
}
