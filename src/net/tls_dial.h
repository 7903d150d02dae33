/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * TLS of a connection of ours to another server: what is offered, whom the server must be, and
 * which certificate it is shown if it asks for one: the caller's, never another. The object may be
 * used by a thread that waits (net/dial.h) or on a loop.
 *
 * Sessions are not resumed, so each handshake looks at the server's certificate. Renegotiation and
 * requests for a certificate after the handshake (RFC 8446 section 4.6.2) are refused: what is
 * shown is decided once.
 */

#include "net/tls.h"
#include "net/tls_policy.h"

struct dial;

/* Whether the server is who it should be; why says why not. certificate is its own, others what
 * came with it. Called in the handshake, before anything of ours is shown. */
typedef bool tls_dial_verify_fn(void *context, X509 *certificate, const STACK_OF(X509) *others,
	struct why *why);

struct tls_dial_target {
	const char *name; /* asked for (SNI), A-labels; NULL: an address has none */
	enum tls_version oldest;
	tls_dial_verify_fn *verify; /* NULL: nobody looks */
	void *context;
	bool requires_valid; /* who is not verified gets no connection */

	/* Who we are, if we are asked; of several the one that the server can verify. Borrowed
	 * until the object is freed. n 0: nobody. */
	const struct tls_identity *identities;
	size_t n_identities;
};

struct tls_dial;

/* Before the handshake. A fault if the library does not take what it is told. */
int tls_dial_new(struct tls_dial **ret_dial, const struct tls_dial_target *target) MUST_CHECK;
struct tls_dial *tls_dial_free(struct tls_dial *d);
CLEANUP_POINTER(struct tls_dial, tls_dial_free)

/* Borrowed: for the handshake and what is read and written then. */
SSL *tls_dial_ssl(const struct tls_dial *d);

/* After the handshake; after one that has failed what was known by then. Texts and chain are
 * borrowed until the object is freed. */
struct tls_dialled {
	const char *version; /* "TLSv1.3"; NULL: nothing was agreed */
	const char *cipher;
	char group[32];        /* of the key exchange; empty: none */
	STACK_OF(X509) *chain; /* that the server has sent, its own first; NULL: none */
	bool is_verified;      /* the server is who it should be */
	const char *refusal;   /* why it is not; NULL: it is, or nobody looked */
	bool asked;            /* for a certificate of ours */
	bool sent;             /* one was */
};
void tls_dial_result(struct tls_dial *d, struct tls_dialled *ret_result);

/* Makes the handshake on a connection, and waits. DIAL_E_ENDED (net/dial.h) with why; where verify
 * is the reason, with its. */
int tls_dial_handshake(struct tls_dial *d, struct dial *dial, struct why *why) MUST_CHECK;
