/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Addresses of the two ends of a connection, and lists of networks. IPv4 in IPv6 clothes
 * (::ffff:192.0.2.1) is IPv4 here. */

#include "base/buf.h"
#include "base/err.h"

enum net_family { NET_NONE, NET_LOCAL, NET_IP4, NET_IP6 }; /* NET_LOCAL: a Unix socket */

struct net_address {
	enum net_family family;
	uint8_t ip[16]; /* network order; the first 4 for IPv4 */
	uint32_t scope; /* link-local IPv6 */
	uint16_t port;
};

struct sockaddr;

/* From what accept, getpeername and the like return. Unknown families become NET_NONE. */
struct net_address net_address_from(const struct sockaddr *sa, size_t n);

/* The other way; returns the length used. storage holds any kind. */
struct sockaddr_storage;
size_t net_address_to_sockaddr(const struct net_address *a, struct sockaddr_storage *storage);

/* From 4 or 16 octets in network order; anything else becomes NET_NONE. */
struct net_address net_address_of_ip(struct span ip, uint16_t port);

enum net_address_outcome { NET_E_SYNTAX = 1 };

/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]"; no port, no scope. */
int net_address_parse(struct span text, struct net_address *ret_address) MUST_CHECK;

/* Longest text form, with NUL. */
enum { NET_ADDRESS_TEXT = 64 };

/* "192.0.2.1" or "2001:db8::1"; "unix" and "unknown" for those without an IP. Returns text. */
const char *net_address_text(const struct net_address *a, char text[static NET_ADDRESS_TEXT]);

/* The address literal of RFC 5321 section 4.1.3: [192.0.2.1] or [IPv6:2001:db8::1]. */
void net_address_add_literal(struct buf *out, const struct net_address *a);

/* Same family and IP; ports and scopes are not compared. */
bool net_address_equal(const struct net_address *a, const struct net_address *b);
bool net_address_is_loopback(const struct net_address *a);

/* An address that anybody in the Internet may mean: not of this machine, not private, link-local,
 * multicast, reserved or for documentation (RFC 6890 and the registries it made), and not an IPv6
 * form of such an IPv4 address. */
bool net_address_is_public(const struct net_address *a);

/* What limits count by: the IPv4 address, or the /64 of the IPv6 address, since a /64 is one
 * customer. Points into the address. */
struct span net_address_key(const struct net_address *a);

/* The IP's 4 or 16 octets; none without an IP. Points into the address. */
struct span net_address_octets(const struct net_address *a);

/* A network: the first n_bits of an address. */
struct net_prefix {
	struct net_address address;
	uint8_t n_bits;
};

/* "192.0.2.0/24", "2001:db8::/32", or one address. Host bits must be zero. */
int net_prefix_parse(struct span text, struct net_prefix *ret_prefix) MUST_CHECK;
bool net_prefix_has(const struct net_prefix *p, const struct net_address *a);

struct net_prefix_list {
	struct net_prefix *prefixes;
	size_t n;
};

/* A list separated by commas or white space; nothing is an empty list. */
int net_prefix_list_parse(struct span text, struct net_prefix_list *ret_list) MUST_CHECK;
bool net_prefix_list_has(const struct net_prefix_list *l, const struct net_address *a);
void net_prefix_list_done(struct net_prefix_list *l);
