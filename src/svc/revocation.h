/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The revocation lists that certificates of others are held against: a domain's own and the server's.
 * They are read once and kept in memory, so that whoever validates (a handshake, a signed message)
 * asks no database and waits for nobody. doc/revocation.md says what counts.
 */

#include "base/err.h"
#include "base/span.h"

struct crl_list;
struct env;
struct path_request;
struct verdict;

/* The lists of one domain at one moment; shared by count, never changed. */
struct revocation;
struct revocation *revocation_ref(struct revocation *r);
struct revocation *revocation_unref(struct revocation *r);
CLEANUP_POINTER(struct revocation, revocation_unref)

/* With a reference for the caller; never NULL, empty where there are no lists. Domain 0: the server's
 * alone. Never blocks. */
struct revocation *revocation_of_domain(struct env *e, int64_t domain);

/* Borrowed, as long as the snapshot. */
const struct crl_list *revocation_crls(const struct revocation *r);

/* SHA-256 over the lists: changes when one of them does. */
void revocation_digest(const struct revocation *r, uint8_t ret_digest[static 32]);

/* path_validate with the request's crls set to these lists, and with the setting crl_stale: if stale
 * lists are not to refuse, that a list is over becomes a warning; what it names is revoked still. */
int revocation_validate(const struct revocation *r, struct path_request *request,
	struct verdict *ret_verdict) MUST_CHECK;

/* A valid path that a client's or signer's certificate was found by. Where the setting crl_fetch allows
 * it, lists that its certificates name and that are not here are fetched soon. Never blocks. */
void revocation_seen(struct env *e, int64_t domain, const struct verdict *verdict);
