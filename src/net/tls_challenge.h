/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Answers to tls-alpn-01 challenges (RFC 8737): for a name that an authority is about to check, the
 * certificate that it wants to see. It is shown only to a client that offers the protocol
 * "acme-tls/1" and nothing else and asks for that name, and nothing is said behind the handshake.
 */

#include "net/tls.h"

#define TLS_CHALLENGE_PROTOCOL "acme-tls/1"

struct tls_challenges;
struct tls_challenges *tls_challenges_new(void);
struct tls_challenges *tls_challenges_free(struct tls_challenges *c);

/* From any thread. Takes references of its own; a later call for the name replaces. LIMIT: too many
 * names wait. */
enum tls_challenge_outcome { TLS_CHALLENGE_E_LIMIT = 1 };
int tls_challenge_set(struct tls_host *h, struct span name, X509 *certificate, EVP_PKEY *key)
	MUST_CHECK;
void tls_challenge_clear(struct tls_host *h, struct span name);

/* For net/tls_accept.c: with references for the caller. */
bool tls_challenge_find(struct tls_host *h, struct span name, X509 **ret_certificate,
	EVP_PKEY **ret_key);
