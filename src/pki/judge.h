/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * A path that is complete, put before OpenSSL's verifier for what it does well: certificate
 * policies (RFC 5280 section 6.1) and revocation lists (section 6.3), with lists for some reasons,
 * from other issuers and for changes only. The lists' own form is looked at here first.
 */

#include "pki/path.h"

/* Adds what is found to the verdict. certs: the leaf first, the trusted certificate last. */
int judge_path(const struct path_request *q, struct cert *const *certs, size_t n,
	struct verdict *out) MUST_CHECK;
