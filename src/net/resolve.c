/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "net/resolve.h"

#include <netdb.h>
#include <sys/socket.h>

int resolve_host(const char *host, uint16_t port, struct net_address *ret_addresses, size_t max,
	size_t *ret_n, struct why *why)
{
	const struct addrinfo wanted = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	size_t n = 0;
	int r = net_address_parse(span_str(host), &ret_addresses[0]);

	if (r == 0) {
		ret_addresses[0].port = port;
		*ret_n = 1;
		return 0;
	}
	r = getaddrinfo(host, NULL, &wanted, &found);
	if (r) {
		why_set(why, "no address of %s: %s", host, gai_strerror(r));
		return RESOLVE_E_NOT_FOUND;
	}
	for (const struct addrinfo *a = found; a && n < max; a = a->ai_next) {
		ret_addresses[n] = net_address_from(a->ai_addr, a->ai_addrlen);
		ret_addresses[n++].port = port;
	}
	freeaddrinfo(found);
	if (n == 0) {
		why_set(why, "%s has no address", host);
		return RESOLVE_E_NOT_FOUND;
	}
	*ret_n = n;
	return 0;
}
