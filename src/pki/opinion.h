/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What clients built on two widespread libraries say of a server's certificate, with these trust anchors
 * and for this host name: in the libraries' own words, because those are what people find in their
 * programs' messages.
 */

#include "pki/trust.h"

/* leaf and what is sent behind it; trust: those for servers count. *ret_accepts, and the reason (or
 * "OK") appended. */
int opinion_openssl(const struct cert *leaf, const struct cert_list *sent, const struct trust *trust,
	struct span host, int64_t time_us, bool *ret_accepts, struct buf *out) MUST_CHECK;

/* The same; it looks at the system's clock. */
int opinion_gnutls(const struct cert *leaf, const struct cert_list *sent, const struct trust *trust,
	struct span host, bool *ret_accepts, struct buf *out) MUST_CHECK;
