/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What net/tls.c and net/tls_accept.c know of each other. */

#include "net/tls.h"

/* The profile that answers now, with a reference; NULL if there is none. */
struct tls_profile *tls_host_find(struct tls_host *h, struct span name,
	const struct net_address *local);
SSL_CTX *tls_host_context(struct tls_host *h);
struct tls_challenges *tls_host_challenges(struct tls_host *h);

/* Sets the callbacks of a handshake. */
void tls_accept_set_up(SSL_CTX *ctx);
