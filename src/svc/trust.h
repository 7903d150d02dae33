/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What is trusted here, by whom: the store's rows over the system's authorities as sets of
 * pki/trust.h. A domain's set lies over the server's, or over the cluster's where the domain is a
 * shared one, and that over the built-in one; an operation of the server itself uses the server's set
 * over the cluster's over the built-in one. A domain trusts its own authorities (svc/ca.h) for mail.
 */

#include "base/err.h"
#include "pki/trust.h"

struct env;
struct revocation;
struct trusts;

/* bundle: PEM file of the built-in authorities, read at the first use and again when it has changed
 * (Debian's ca-certificates writes it anew). */
struct trusts *trusts_new(const char *bundle);
struct trusts *trusts_free(struct trusts *t);

/* The set of a domain, of the server itself, and the built-in one, with a reference for the caller.
 * Blocks where it has to be read; the built-in set costs tens of milliseconds the first time. */
int trust_of_domain(struct env *e, int64_t domain, struct trust **ret_trust) MUST_CHECK;
int trust_of_system(struct env *e, struct trust **ret_trust) MUST_CHECK;
struct trust *trust_built_in(struct env *e);

/* Another number after each change: what was found to be trusted before may not be so any more. */
uint64_t trust_generation(struct env *e);

/* A number for what a domain trusts together with its revocation lists, for smime/cert_cache.h: the same only
 * where both are the same and the domain is. Taken before the set is. */
uint64_t trust_view(struct env *e, int64_t domain, const struct revocation *r);

/* After rows of trust or a domain's "shared" have changed: sets are made anew when they are wanted. */
void trust_changed(struct env *e);
