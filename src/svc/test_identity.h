/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What domains in the mode "test" show: one key and certificate for the whole server, which no client
 * trusts. Its subject is the main domain, its issuer an authority whose key was thrown away once it
 * had signed. Both live in memory only (the key, as all of them, in keyd), so each start makes new
 * ones and nothing of a test stays behind.
 */

#include "base/err.h"

struct env;
struct tls_identity;

enum { TEST_DAYS = 30, TEST_RENEWAL_DAYS = 20 };

/* Blocks: keyd makes keys. */
int test_identity_make(struct env *e, struct tls_identity *ret_identity) MUST_CHECK;
