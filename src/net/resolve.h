/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Addresses of a host by the system's resolver. */

#include "base/err.h"
#include "net/address.h"

#include <stddef.h>

/* Addresses of a name, or an address in text itself, in the order of the system, each with
 * the port, at most max. NOT_FOUND with why: there are none, or nobody says. Blocks as long as the
 * system's resolver is set up to, some ten seconds as a rule. */
enum resolve_outcome { RESOLVE_E_NOT_FOUND = 1 };
int resolve_host(const char *host, uint16_t port, struct net_address *ret_addresses, size_t max,
	size_t *ret_n, struct why *why) MUST_CHECK;
