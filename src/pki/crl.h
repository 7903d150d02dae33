/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Certificate revocation lists (RFC 5280 section 5), read strictly and never changed, shared by
 * count.
 *
 * Not checked here: the signature, whether it is current, what it is about. Those belong to a path.
 */

#include "base/buf.h"
#include "base/err.h"

#include <openssl/x509.h>

CLEANUP_POINTER(X509_CRL, X509_CRL_free)

struct crl;

enum crl_outcome { CRL_E_SYNTAX = 1 };

/* From DER: one list and nothing behind it, at most LIMIT_CRL octets. */
int crl_from_der(struct crl **ret_crl, struct span der, struct why *why) MUST_CHECK;

struct crl *crl_ref(struct crl *c);
struct crl *crl_unref(struct crl *c);
CLEANUP_POINTER(struct crl, crl_unref)

struct crl_list {
	struct crl **crls;
	size_t n;
};

enum { CRL_LIST_MAX = 64 };

/* One in DER, or all X509 CRL blocks of a PEM text; at least one, at most CRL_LIST_MAX. What is
 * read is appended to the list. */
int crl_list_add(struct crl_list *list, struct span data, struct why *why) MUST_CHECK;
void crl_list_done(struct crl_list *l);

/* Borrowed: valid as long as the list. */
X509_CRL *crl_x509(const struct crl *c);
struct span crl_der(const struct crl *c);

/* What the front of a list says of its times, as below, without reading its entries. false: no
 * list. */
struct crl_times {
	int64_t this_update_us, next_update_us;
	bool has_next_update;
};
bool crl_read_times(struct span der, struct crl_times *ret_times);

void crl_add_pem(const struct crl *c, struct buf *out);
void crl_add_issuer(const struct crl *c, struct buf *out);

/* Microseconds since 1970; next update: false if it names none. */
int64_t crl_this_update_us(const struct crl *c);
bool crl_next_update_us(const struct crl *c, int64_t *ret_time_us);
