/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What TLS is made of beside certificates, as rows: values of policies, addresses of domains.
 * Octets in, octets out: net/tls_policy.h knows what values mean.
 */

#include "base/err.h"
#include "base/span.h"

struct store_conn;

/* Domain 0 and an empty listener: the server's. */
struct store_tls_value {
	int64_t domain;
	struct span listener;
	struct span key;
	struct span value;
};

/* Reads; the server's first, then listeners', then domains'. */
int store_tls_value_each(struct store_conn *c,
	int (*each)(const struct store_tls_value *v, void *context), void *context) MUST_CHECK;

/* Writes; value.p NULL takes it away. */
int store_tls_value_set(struct store_conn *c, const struct store_tls_value *v) MUST_CHECK;

/* Reads the local addresses of a domain (0: of all), 4 or 16 octets each. */
int store_address_each(struct store_conn *c, int64_t domain,
	int (*each)(int64_t domain, struct span address, void *context), void *context) MUST_CHECK;

/* Writes: these instead of those it had. STORE_E_EXISTS: one is another domain's, whose position is
 * in ret_taken. */
int store_addresses_set(struct store_conn *c, int64_t domain, const struct span *addresses, size_t n,
	size_t *ret_taken) MUST_CHECK;
