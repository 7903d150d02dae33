/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Certificates that were read before, by the SHA-256 of their DER, and for how long a path of
 * theirs holds: reading one costs OpenSSL more than verifying with it. Any number of threads. What
 * is used least recently is forgotten first.
 *
 * Only paths that hold are kept, for TRUST_MAIL, and only for the generation under which they were found:
 * a number that stands for what is trusted and for the revocation lists, and so differs between those who
 * trust differently.
 */

#include "pki/path.h"

struct cert_cache;

/* At most so many certificates; each keeps some 10 kB. */
struct cert_cache *cert_cache_new(size_t max_certs);
struct cert_cache *cert_cache_free(struct cert_cache *c);
CLEANUP_POINTER(struct cert_cache, cert_cache_free)

/* As cert_from_der; the caller gets a reference. cache may be NULL. */
int cert_cache_read(struct cert_cache *cache, struct span der, struct cert **ret_cert,
	struct why *why) MUST_CHECK;

/* Whether a path that was found before holds for this request: then *ret_verdict is it, as path_validate
 * would have it. cache may be NULL. */
bool cert_cache_knows(struct cert_cache *cache, uint64_t generation,
	const struct path_request *request, struct verdict *ret_verdict);

/* As path_validate, for requests without names whose outcome does not depend on `untrusted` once it
 * is positive. cache may be NULL. */
int cert_cache_validate(struct cert_cache *cache, uint64_t generation,
	const struct path_request *request, struct verdict *ret_verdict) MUST_CHECK;
