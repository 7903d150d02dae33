/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What net/tls.c and net/tls_accept.c know of each other. */

#include "net/tls_rules.h"

/* The profile that answers now, with a reference; NULL if there is none. */
struct tls_profile *tls_host_find(struct tls_host *h, struct span name,
	const struct net_address *local);
struct tls_challenges *tls_host_challenges(struct tls_host *h);

/* The rules of a listener now, with a reference; the default ones where the directory has none. */
struct tls_rules *tls_host_rules(struct tls_host *h, unsigned listener);

/* What all contexts have in common: modes, tickets, callbacks. */
int tls_host_set_up(struct tls_host *h, SSL_CTX *ctx, bool gives_tickets) MUST_CHECK;

/* Sets the callbacks of a handshake. */
void tls_accept_set_up(SSL_CTX *ctx);

/* Empties the thread's OpenSSL error queue into words; fallback if it holds nothing. Returns a
 * fault, so that it can end the function. */
int tls_fault(struct why *why, const char *fallback) MUST_CHECK;
