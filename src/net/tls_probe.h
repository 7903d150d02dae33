/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * A look at a TLS port from a client's side: what it shows, agrees on and accepts. Nothing is trusted
 * and nothing verified; some connections one after the other, each with a deadline. Blocks.
 */

#include "net/tls.h"
#include "net/tls_policy.h"

enum tls_probe_dialog { TLS_PROBE_DIRECT, TLS_PROBE_SMTP, TLS_PROBE_IMAP, TLS_PROBE_POP3 };

struct tls_probe_target {
	struct net_address address;
	enum tls_probe_dialog dialog; /* what is said before TLS begins */
	const char *name;             /* asked for (SNI) */
	const char *alpn;             /* offered; NULL: nothing */
	bool with_proxy_header;       /* where the port takes us for a proxy */
	uint32_t timeout_ms;          /* of each connection */
};

struct tls_probe {
	bool is_connected;    /* TCP */
	bool may_start;       /* the dialog came to its end, or there is none */
	bool is_secure;       /* the handshake is done; without it nothing of the following */
	const char *version, *cipher;
	char group[32];       /* of the key exchange; empty: none */
	char alpn[32];        /* agreed; empty: nothing */
	STACK_OF(X509) *chain; /* as sent, the server's own first */
	bool is_resumed;      /* a second connection resumed the first one's session */
	bool asks_client;     /* for a certificate */
	bool accepts[TLS_VERSIONS];
	struct why why;       /* where it ended early */
};

/* Whatever comes of it is in the result; a fault is one of ours. */
int tls_probe(const struct tls_probe_target *target, struct tls_probe *ret_probe) MUST_CHECK;
void tls_probe_done(struct tls_probe *p);
