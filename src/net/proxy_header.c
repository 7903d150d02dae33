/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The PROXY protocol's header (haproxy.org, proxy-protocol.txt, revision of 2020). Version 1 is a
 * line, version 2 is binary; which one it is shows in the first octet. A parse that fails decides
 * as early as it can, so that a client that is no proxy is not waited for. Datagram families make
 * no sense on our sockets and are refused.
 */

#include "net/proxy_header.h"

enum {
	V1_MAX = 107,   /* section 2.1, with CRLF */
	V2_FIXED = 16,
	V2_LOCAL = 0x20, /* version 2, command LOCAL */
	V2_PROXY = 0x21,
	TLV_SSL = 0x20,
	TLV_SSL_FIXED = 5, /* client flags and verify result */
};

static const uint8_t v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static int v1_address(struct span *line, enum net_family family, struct net_address *ret_address)
{
	struct span word = span_cut(line, ' ');

	/* Brackets are for other places. */
	if (word.n == 0 || word.p[0] == '[')
		return PROXY_HEADER_E_SYNTAX;
	if (net_address_parse(word, ret_address))
		return PROXY_HEADER_E_SYNTAX;
	/* An IPv4-mapped address comes as TCP6 and is IPv4 afterwards. */
	if (ret_address->family != family && family != NET_IP6)
		return PROXY_HEADER_E_SYNTAX;
	return 0;
}

static int v1_port(struct span word, uint16_t *ret_port)
{
	uint64_t port;

	if ((word.n > 1 && word.p[0] == '0') || !span_to_u64(word, UINT16_MAX, &port))
		return PROXY_HEADER_E_SYNTAX;
	*ret_port = (uint16_t)port;
	return 0;
}

/* What follows "PROXY ", without CRLF. */
static int v1_line(struct span line, struct proxy_header *h)
{
	struct span kind = span_cut(&line, ' ');
	enum net_family family = span_is(kind, "TCP4") ? NET_IP4 : NET_IP6;
	int r;

	/* Whatever else is on the line is to be ignored. */
	if (span_is(kind, "UNKNOWN"))
		return 0;
	if (family == NET_IP6 && !span_is(kind, "TCP6"))
		return PROXY_HEADER_E_SYNTAX;
	if ((r = v1_address(&line, family, &h->peer)) || (r = v1_address(&line, family, &h->local)))
		return r;
	r = v1_port(span_cut(&line, ' '), &h->peer.port);
	return r ? r : v1_port(line, &h->local.port);
}

static int v1_parse(struct span data, struct proxy_header *ret_header)
{
	const struct span start = SPAN("PROXY ");
	struct proxy_header h = {};
	size_t end;
	int r;

	if (!span_equal(span_head(data, start.n), span_head(start, data.n)))
		return PROXY_HEADER_E_SYNTAX;
	end = span_find_span(span_head(data, V1_MAX), SPAN("\r\n"));
	if (end >= data.n || end >= V1_MAX)
		return data.n < V1_MAX ? PROXY_HEADER_E_MORE : PROXY_HEADER_E_SYNTAX;
	if (end < start.n)
		return PROXY_HEADER_E_SYNTAX;
	r = v1_line(span_skip(span_head(data, end), start.n), &h);
	if (r)
		return r;
	h.size = end + 2;
	*ret_header = h;
	return 0;
}

static size_t u16_at(const uint8_t *p)
{
	return (size_t)p[0] << 8 | p[1];
}

static bool v2_tlvs_are_well_formed(struct span tlvs, bool nested)
{
	while (tlvs.n) {
		struct span value;

		if (tlvs.n < 3 || tlvs.n - 3 < u16_at(tlvs.p + 1))
			return false;
		value = span_of(tlvs.p + 3, u16_at(tlvs.p + 1));
		if (tlvs.p[0] == TLV_SSL && !nested &&
			(value.n < TLV_SSL_FIXED ||
				!v2_tlvs_are_well_formed(span_skip(value, TLV_SSL_FIXED), true)))
			return false;
		tlvs = span_skip(tlvs, 3 + value.n);
	}
	return true;
}

/* Takes the addresses of one family off the block: two IPs of n octets, then two ports. */
static int v2_addresses(struct span *block, size_t n, struct proxy_header *h)
{
	const uint8_t *p = block->p;

	if (block->n < 2 * n + 4)
		return PROXY_HEADER_E_SYNTAX;
	h->peer = net_address_of_ip(span_of(p, n), (uint16_t)u16_at(p + 2 * n));
	h->local = net_address_of_ip(span_of(p + n, n), (uint16_t)u16_at(p + 2 * n + 2));
	*block = span_skip(*block, 2 * n + 4);
	return 0;
}

static int v2_block(uint8_t family, struct span block, struct proxy_header *h)
{
	int r = 0;

	switch (family) {
	case 0x00: /* unspecified: what the block holds is not said */
		return 0;
	case 0x11:
		r = v2_addresses(&block, 4, h);
		break;
	case 0x21:
		r = v2_addresses(&block, 16, h);
		break;
	case 0x31: /* a Unix socket at the proxy: two paths of 108 octets */
		if (block.n < 216)
			return PROXY_HEADER_E_SYNTAX;
		block = span_skip(block, 216);
		break;
	default:
		return PROXY_HEADER_E_SYNTAX;
	}
	if (r)
		return r;
	return v2_tlvs_are_well_formed(block, false) ? 0 : PROXY_HEADER_E_SYNTAX;
}

static int v2_parse(struct span data, struct proxy_header *ret_header)
{
	struct proxy_header h = {};
	size_t n;
	int r = 0;

	if (memcmp(data.p, v2_signature, data.n < 12 ? data.n : 12) != 0)
		return PROXY_HEADER_E_SYNTAX;
	if (data.n > 12 && data.p[12] != V2_LOCAL && data.p[12] != V2_PROXY)
		return PROXY_HEADER_E_SYNTAX;
	if (data.n < V2_FIXED)
		return PROXY_HEADER_E_MORE;
	n = u16_at(data.p + 14);
	if (V2_FIXED + n > PROXY_HEADER_MAX)
		return PROXY_HEADER_E_SYNTAX;
	if (data.n < V2_FIXED + n)
		return PROXY_HEADER_E_MORE;
	/* LOCAL: a health check; the block must be skipped whatever it says (section 2.2). */
	if (data.p[12] == V2_PROXY)
		r = v2_block(data.p[13], span_of(data.p + V2_FIXED, n), &h);
	if (r)
		return r;
	h.size = V2_FIXED + n;
	*ret_header = h;
	return 0;
}

int proxy_header_parse(struct span data, struct proxy_header *ret_header)
{
	if (data.n == 0)
		return PROXY_HEADER_E_MORE;
	return data.p[0] == 'P' ? v1_parse(data, ret_header) : v2_parse(data, ret_header);
}
