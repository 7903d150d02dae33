/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* For tests: the domain example.org asks for client certificates of an authority of the tests' own, and
 * the domain lax.example for none. Calls that fail end the test. */

#include "pki/cert_fixture.h"
#include "svc/env_fixture.h"

struct tls_client;

struct client_fixture {
	struct env_fixture *f;
	struct cert_made authority; /* example.org trusts it for clients, and has chosen it */
	struct cert_made alice;     /* for alice@example.org */

	/* Private. */
	struct tls_host *before;
};

/* After env_fixture_open, and before env_fixture_close. */
void client_fixture_open(struct client_fixture *c, struct env_fixture *f);
void client_fixture_close(struct client_fixture *c);

/* A certificate for any time; usage NULL: clientAuth; issuer NULL: the authority. */
struct cert_made client_fixture_make(const struct client_fixture *c,
	const struct cert_order *order);

/* Whether example.org requires certificates, and whether the authority is trusted for clients (1), is
 * not (0), or any certificate is denied (-1, that one). The rules are made anew. */
void client_fixture_require(struct client_fixture *c, bool required);
void client_fixture_trust(struct client_fixture *c, const struct cert *cert, unsigned purposes);

/* What a handshake makes of the certificate that example.org is shown: result, name and reason. The
 * others may be NULL. */
struct tls_client *client_fixture_show(struct client_fixture *c, const struct cert_made *cert,
	const struct cert_made *other);
