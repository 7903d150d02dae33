/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The revocation lists that certificates of others are held against: a domain's own and the server's.
 * They are read once and kept in memory, so that whoever validates (a handshake, a signed message)
 * asks no database and waits for nobody. doc/revocation.md says what counts.
 */

#include "base/buf.h"
#include "base/err.h"

struct crl_list;
struct env;
struct path_request;
struct store_crl;
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

/* The same, where paths that hold are kept (smime/cert_cache.h; may be NULL) under the view (trust_view). */
struct cert_cache;
int revocation_validate_kept(const struct revocation *r, struct cert_cache *cache, uint64_t view,
	struct path_request *request, struct verdict *ret_verdict) MUST_CHECK;

/* A valid path that a client's or signer's certificate was found by. Where the setting crl_fetch allows
 * it, lists that its certificates name and that are not here are fetched soon. Never blocks. */
void revocation_seen(struct env *e, int64_t domain, const struct verdict *verdict);

/* All snapshots of a server; lives in env->revocations. */
struct revocations;
struct revocations *revocations_new(struct env *e);
struct revocations *revocations_free(struct revocations *r);

/* Ends fetches that are under way, before env->blocking ends. */
void revocation_stop(struct env *e);

/* Reads the lists anew: at the start, after rows or settings have changed. Blocks. */
int revocation_load(struct env *e) MUST_CHECK;

/* Takes lists in that somebody gave (PEM or DER; one or several), for a domain or the server (0).
 * authority: a file of certificates that may have signed them, besides those that are known here;
 * may be empty. prepare verifies and blocks; write runs in the writer's task, for each list; the
 * caller then loads. REFUSED with why. */
enum revocation_outcome { REVOCATION_E_REFUSED = 1 };
struct revocation_taking {
	struct store_crl *rows; /* in the arena */
	size_t n;
};
struct arena;
struct store_conn;
int revocation_take(struct env *e, struct arena *a, int64_t domain, struct span lists,
	struct span authority, struct revocation_taking *ret_taking, struct why *why) MUST_CHECK;
int revocation_put(struct store_conn *c, const struct revocation_taking *taking, struct why *why)
	MUST_CHECK;

/* Whether a URL that somebody gave may be fetched as things are set; REFUSED with why. */
int revocation_url_check(struct env *e, struct span url, struct why *why) MUST_CHECK;

/* Fetches a row's list now and takes it in. REFUSED with why, also kept in the row. Blocks. */
int revocation_fetch(struct env *e, int64_t id, struct why *why) MUST_CHECK;

/* Called every minute: starts the fetches that are due, sees changes that other servers have made, and
 * logs lists that have become stale. Returns at once. */
void revocation_tend(struct env *e);
