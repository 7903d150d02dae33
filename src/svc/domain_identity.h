/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* A domain's certificate with its chain and its key in keyd, ready for TLS: as a server and as a
 * client. */

#include "net/tls.h"
#include "pki/cert.h"

struct env;
struct store_cert;
struct store_key;

struct domain_identity {
	struct tls_identity tls;
	struct cert *cert;
	struct cert_list chain;
};

/* From the rows; keyd is not asked before the first use of the key. An outcome of pki/cert or
 * TLS_E_IDENTITY with why, where it cannot be used; why is set for faults too. */
int domain_identity_open(struct env *e, const struct store_cert *row, const struct store_key *key,
	struct domain_identity *ret_identity, struct why *why) MUST_CHECK;
void domain_identity_done(struct domain_identity *i);
