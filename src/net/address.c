/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Addresses. One form for each address, so that limits and lists cannot be evaded by another
 * spelling: IPv4-mapped IPv6 becomes IPv4 on the way in. Text is read by inet_pton, which takes
 * neither octal nor short forms.
 */

#include "net/address.h"

#include "base/alloc.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

static const uint8_t mapped_prefix[12] = { [10] = 0xFF, [11] = 0xFF };

static void unmap(struct net_address *a)
{
	if (a->family != NET_IP6 || memcmp(a->ip, mapped_prefix, sizeof mapped_prefix) != 0)
		return;
	a->family = NET_IP4;
	memmove(a->ip, a->ip + 12, 4);
	memset(a->ip + 4, 0, 12);
}

struct net_address net_address_of_ip(struct span ip, uint16_t port)
{
	struct net_address a = { .port = port };

	if (ip.n != 4 && ip.n != 16)
		return (struct net_address){};
	a.family = ip.n == 4 ? NET_IP4 : NET_IP6;
	memcpy(a.ip, ip.p, ip.n);
	unmap(&a);
	return a;
}

struct net_address net_address_from(const struct sockaddr *sa, size_t n)
{
	struct net_address a = {};
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (n < sizeof sa->sa_family)
		return a;
	if (sa->sa_family == AF_UNIX) {
		a.family = NET_LOCAL;
	} else if (sa->sa_family == AF_INET && n >= sizeof in) {
		memcpy(&in, sa, sizeof in);
		a = net_address_of_ip(span_of(&in.sin_addr, 4), ntohs(in.sin_port));
	} else if (sa->sa_family == AF_INET6 && n >= sizeof in6) {
		memcpy(&in6, sa, sizeof in6);
		a = net_address_of_ip(span_of(&in6.sin6_addr, 16), ntohs(in6.sin6_port));
		a.scope = a.family == NET_IP6 ? in6.sin6_scope_id : 0;
	}
	return a;
}

size_t net_address_to_sockaddr(const struct net_address *a, struct sockaddr_storage *storage)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(a->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(a->port),
		.sin6_scope_id = a->scope };

	memset(storage, 0, sizeof *storage);
	switch (a->family) {
	case NET_IP4:
		memcpy(&in.sin_addr, a->ip, 4);
		memcpy(storage, &in, sizeof in);
		return sizeof in;
	case NET_IP6:
		memcpy(&in6.sin6_addr, a->ip, 16);
		memcpy(storage, &in6, sizeof in6);
		return sizeof in6;
	default:
		storage->ss_family = AF_UNSPEC;
		return sizeof storage->ss_family;
	}
}

int net_address_parse(struct span text, struct net_address *ret_address)
{
	struct net_address a = {};
	char copy[INET6_ADDRSTRLEN];

	if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
		text = span_of(text.p + 1, text.n - 2);
	if (text.n == 0 || text.n >= sizeof copy || memchr(text.p, 0, text.n))
		return NET_E_SYNTAX;
	memcpy(copy, text.p, text.n);
	copy[text.n] = 0;
	if (inet_pton(AF_INET, copy, a.ip) == 1)
		a.family = NET_IP4;
	else if (inet_pton(AF_INET6, copy, a.ip) == 1)
		a.family = NET_IP6;
	else
		return NET_E_SYNTAX;
	unmap(&a);
	*ret_address = a;
	return 0;
}

const char *net_address_text(const struct net_address *a, char text[static NET_ADDRESS_TEXT])
{
	switch (a->family) {
	case NET_IP4:
		return inet_ntop(AF_INET, a->ip, text, NET_ADDRESS_TEXT);
	case NET_IP6:
		return inet_ntop(AF_INET6, a->ip, text, NET_ADDRESS_TEXT);
	case NET_LOCAL:
		return memcpy(text, "unix", sizeof "unix");
	default:
		return memcpy(text, "unknown", sizeof "unknown");
	}
}

void net_address_add_literal(struct buf *out, const struct net_address *a)
{
	char text[NET_ADDRESS_TEXT];

	buf_add_string(out, a->family == NET_IP6 ? "[IPv6:" : "[");
	buf_add_string(out, net_address_text(a, text));
	buf_add_octet(out, ']');
}

static size_t ip_octets(const struct net_address *a)
{
	return a->family == NET_IP4 ? 4 : a->family == NET_IP6 ? 16 : 0;
}

bool net_address_equal(const struct net_address *a, const struct net_address *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, ip_octets(a)) == 0;
}

bool net_address_is_loopback(const struct net_address *a)
{
	static const uint8_t loopback6[16] = { [15] = 1 };

	return (a->family == NET_IP4 && a->ip[0] == 127) ||
		(a->family == NET_IP6 && memcmp(a->ip, loopback6, 16) == 0);
}

struct range {
	uint8_t first[6];
	uint8_t n_bits;
};

/* What of IPv4 is not global unicast. */
static const struct range closed4[] = {
	{ { 0 }, 8 }, { { 10 }, 8 }, { { 100, 64 }, 10 }, { { 127 }, 8 }, { { 169, 254 }, 16 },
	{ { 172, 16 }, 12 }, { { 192, 0, 0 }, 24 }, { { 192, 0, 2 }, 24 }, { { 192, 88, 99 }, 24 },
	{ { 192, 168 }, 16 }, { { 198, 18 }, 15 }, { { 198, 51, 100 }, 24 },
	{ { 203, 0, 113 }, 24 }, { { 224 }, 4 }, { { 240 }, 4 },
};

/* Of 2000::/3, outside of which nothing is global unicast: special purposes with Teredo,
 * documentation, 6to4, which carries IPv4 addresses. */
static const struct range closed6[] = {
	{ { 0x20, 0x01, 0x00 }, 23 }, { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, { { 0x20, 0x02 }, 16 },
	{ { 0x3f, 0xff }, 20 },
};

static bool has_bits(const uint8_t *ip, const uint8_t *first, size_t n_bits)
{
	size_t whole = n_bits / 8, rest = n_bits % 8;

	return memcmp(ip, first, whole) == 0 &&
		(rest == 0 || ((ip[whole] ^ first[whole]) >> (8 - rest)) == 0);
}

static bool in_ranges(const uint8_t *ip, const struct range *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (has_bits(ip, ranges[i].first, ranges[i].n_bits))
			return true;
	}
	return false;
}

bool net_address_is_public(const struct net_address *a)
{
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b }, global6[1] = { 0x20 };
	const uint8_t *ip4 = a->ip;

	/* RFC 6052 section 2.1: what stands behind the well-known prefix is an IPv4 address. */
	if (a->family == NET_IP6 && memcmp(a->ip, nat64, sizeof nat64) == 0)
		ip4 = a->ip + sizeof nat64;
	else if (a->family == NET_IP6)
		return has_bits(a->ip, global6, 3) &&
			!in_ranges(a->ip, closed6, sizeof closed6 / sizeof closed6[0]);
	else if (a->family != NET_IP4)
		return false;
	return !in_ranges(ip4, closed4, sizeof closed4 / sizeof closed4[0]);
}

struct span net_address_key(const struct net_address *a)
{
	return span_of(a->ip, a->family == NET_IP6 ? 8 : ip_octets(a));
}

struct span net_address_octets(const struct net_address *a)
{
	return span_of(a->ip, ip_octets(a));
}

static bool host_bits_are_zero(const struct net_prefix *p)
{
	for (size_t bit = p->n_bits; bit < ip_octets(&p->address) * 8; bit++) {
		if (p->address.ip[bit / 8] & (0x80 >> bit % 8))
			return false;
	}
	return true;
}

int net_prefix_parse(struct span text, struct net_prefix *ret_prefix)
{
	struct span ip = span_cut(&text, '/');
	struct net_prefix p = {};
	uint64_t n_bits, max_bits;

	if (net_address_parse(ip, &p.address))
		return NET_E_SYNTAX;
	max_bits = n_bits = ip_octets(&p.address) * 8;
	if (ip.p + ip.n != text.p && !span_to_u64(text, max_bits, &n_bits))
		return NET_E_SYNTAX;
	p.n_bits = (uint8_t)n_bits;
	if (!host_bits_are_zero(&p))
		return NET_E_SYNTAX;
	*ret_prefix = p;
	return 0;
}

bool net_prefix_has(const struct net_prefix *p, const struct net_address *a)
{
	return p->address.family == a->family && has_bits(a->ip, p->address.ip, p->n_bits);
}

int net_prefix_list_parse(struct span text, struct net_prefix_list *ret_list)
{
	CLEANUP(net_prefix_list_done) struct net_prefix_list l = {};

	while (text.n) {
		size_t n = 0;

		while (n < text.n && !memchr(", \t\r\n", text.p[n], 5))
			n++;
		if (n) {
			l.prefixes = alloc_array(l.prefixes, l.n + 1, sizeof l.prefixes[0]);
			if (net_prefix_parse(span_head(text, n), &l.prefixes[l.n]))
				return NET_E_SYNTAX;
			l.n++;
		}
		text = span_skip(text, n + 1);
	}
	*ret_list = l;
	l = (struct net_prefix_list){};
	return 0;
}

bool net_prefix_list_has(const struct net_prefix_list *l, const struct net_address *a)
{
	for (size_t i = 0; i < l->n; i++) {
		if (net_prefix_has(&l->prefixes[i], a))
			return true;
	}
	return false;
}

void net_prefix_list_done(struct net_prefix_list *l)
{
	free(l->prefixes);
	*l = (struct net_prefix_list){};
}
