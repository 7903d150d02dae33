/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The PROXY protocol, versions 1 and 2: what a load balancer puts before the first octet of a
 * connection to say whose it is. Pure. Nothing of the TLVs is used, they are only checked to be
 * well-formed: what another host says about its TLS does not make a connection secure here.
 */

#include "base/err.h"
#include "net/address.h"

enum {
	PROXY_HEADER_MAX = 16 + 2048, /* octets of a header we accept; version 1 has at most 107 */
};

struct proxy_header {
	struct net_address peer;  /* NET_NONE: the proxy speaks for itself, or does not know */
	struct net_address local;
	size_t size;              /* octets the header took */
};

enum proxy_header_outcome {
	PROXY_HEADER_E_MORE = 1, /* the start of a header: come again with more octets */
	PROXY_HEADER_E_SYNTAX,   /* not a header */
};

int proxy_header_parse(struct span data, struct proxy_header *ret_header) MUST_CHECK;
