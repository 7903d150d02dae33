/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The server's side of one TLS connection, for net/stream.c only: the SSL object, and what was
 * decided when its ClientHello was seen. */

#include "net/tls_host.h"
#include "net/tls_reason.h"

struct tls_accept {
	SSL *ssl;
	struct tls_service *service;
	struct net_address local;
	struct tls_info info;        /* version is NULL until the handshake is over */
	struct tls_offer *offer;     /* of the ClientHello, during the handshake */
	struct tls_rules *rules;     /* the listener's, then the domain's; with a reference */
	struct tls_profile *profile; /* from the ClientHello on, with a reference */
	char *sni;
	struct tls_client *client;   /* presented in this handshake */
	struct tls_client *resumed_client; /* from the ticket that was looked at last */
	const char *refusal;         /* why we ended it ourselves, in the callback */
	bool is_client_refused;
	bool may_leave;  /* there is an executor for slow signatures */
	bool is_slow;    /* the key that will sign is one */
	bool is_away;    /* the step runs there now */
	bool is_challenge; /* it asked for the answer to one, and for nothing else */
};

/* Over the socket, which stays the caller's. NULL only if libssl fails. */
struct tls_accept *tls_accept_new(struct tls_service *service, int fd,
	const struct net_address *local, bool may_leave);
struct tls_accept *tls_accept_free(struct tls_accept *a);

enum tls_accept_outcome { TLS_ACCEPT_READ = 1, TLS_ACCEPT_WRITE, TLS_ACCEPT_LEAVE };

/* Gets on with the handshake: done, or what it waits for. TLS_ACCEPT_LEAVE: the next call is better
 * made on another thread, with is_away set meanwhile. A fault says why in words. */
int tls_accept_step(struct tls_accept *a, struct why *why) MUST_CHECK;

/* The session id context: whose tickets may be resumed here. The profile is known. */
void tls_accept_context(const struct tls_accept *a, uint8_t ret_context[static SHA256_OCTETS]);

/* Answers clients of this context that ask for a status (net/tls_staple.h). */
void tls_staple_set_up(SSL_CTX *ctx);
