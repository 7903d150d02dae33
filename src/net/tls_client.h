/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What the handshake does about a client's certificate, for net/tls.c and net/tls_accept.c only. */

#include "base/buf.h"
#include "net/tls_accept.h"

/* Sets the verifier of the context. */
void tls_client_set_up(SSL_CTX *ctx);

/* Makes the connection ask for a certificate, if the profile says so. */
bool tls_client_ask(SSL *ssl, const struct tls_profile *p);

/* Whether this connection's profile is known and asks for one. */
bool tls_client_is_asked(const struct tls_accept *a);

/* Before a ticket is written: appends what libssl does not put into it itself. */
bool tls_client_keep(const struct tls_accept *a, struct buf *data);

/* Whether the session of a ticket may go on; data is what tls_client_keep appended. Its certificate is looked at again: not everything that
 * was valid when the ticket was made still is. If it may not, there is a whole handshake, in which
 * the client is asked for another certificate. */
bool tls_client_resume(struct tls_accept *a, SSL_SESSION *session, struct span data);
