/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What TLS is told of the domains (net/tls.h): their certificates in use, the test certificate, the
 * addresses they answer at, policies. Parsed certificates are kept, so that a change costs as much as
 * what has changed plus one reading of the tables.
 */

#include "base/err.h"

struct env;

/* Lives in env->domain_tls. */
struct domain_tls;
struct domain_tls *domain_tls_new(void);
struct domain_tls *domain_tls_free(struct domain_tls *t);

/* Builds the TLS directory from what the store holds now and swaps it in. What cannot be used (a
 * key that keyd does not open, a certificate that does not fit) is logged and left out; where nothing
 * is left for the main domain the test certificate is shown, which is logged as an error. Calls at
 * the same time wait for each other, and one whose change a later reading has seen already is done.
 * Blocks. */
int domain_tls_rebuild(struct env *e) MUST_CHECK;

/* A new test key and certificate: at the start, before the first build, and every 20 days. Blocks. */
int domain_tls_renew_test(struct env *e) MUST_CHECK;
