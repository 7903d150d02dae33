/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What RFC 5280 asks of one certificate at its place in a path: form, extensions, key, signature
 * algorithm, time, and whether it may issue what is below it or be used for what is wanted.
 *
 * Not checked here: signatures, path lengths, names against constraints, policies, revocation.
 */

#include "pki/path.h"

struct profile_place {
	struct cert *cert;
	size_t depth;         /* 0: the leaf; above it all places are alike */
	bool anchor;          /* trusted: the end of the path */
	unsigned trusted_for; /* an anchor's purposes */
	bool built_in;        /* an anchor that came with the system */
};

/* Adds what it finds to the verdict. */
void profile_check(const struct path_request *q, const struct profile_place *place,
	struct verdict *out);

/* The certificate's key is of a size with which a signature is verified in bounded time. */
bool profile_key_is_bounded(const struct cert *cert);

/* Subject and issuer are the same name (RFC 5280 section 3.2); no signature is looked at. */
bool profile_is_self_issued(const struct cert *cert);

/* RFC 9608 section 4: the issuer publishes no revocation information about it. */
bool profile_has_no_revocation(const struct cert *cert);
