/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Revocation lists as rows, and what responders said about certificates of ours. Octets in, octets
 * out: whoever calls has verified them.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct store_conn;

struct store_crl {
	int64_t id;
	int64_t domain;          /* 0: the server's */
	struct span url;         /* where it is fetched; empty: given as a file */
	bool named;              /* a certificate names the URL, nobody gave it */
	struct span issuer;      /* DER of the Name; empty: never fetched yet */
	struct span scope;       /* what it is about, among the lists of that issuer */
	struct span der;
	struct span authority;   /* DER of the certificate that signed it */
	struct span number;      /* big-endian, no leading zeros */
	int64_t this_update_us;
	int64_t next_update_us;
	int64_t fetched_us;
	int64_t next_fetch_us;   /* without an URL: INT64_MAX */
	unsigned failures;       /* of fetches, since the last that went well */
	struct span problem;     /* of the last fetch, in words; empty: none */
	int64_t warned_us;       /* when it was told that the list is stale; 0: not yet */
	int64_t created_us;
};

/* Rows of one domain, and of the server. */
enum { STORE_CRLS_MAX = 32 };

/* Writes: a URL to be fetched now. STORE_E_EXISTS, STORE_E_LIMIT. */
int store_crl_add_url(struct store_conn *c, const struct store_crl *crl, int64_t *ret_id) MUST_CHECK;

/* Writes: takes a list in. id 0: a new one or a newer form of one that is there; else what was fetched
 * for that row. STORE_E_STALE: a newer one of the same issuer and scope is here (or the same number
 * with another content); STORE_E_EXISTS: another row has it from another URL; STORE_E_LIMIT;
 * STORE_E_NOT_FOUND: the row is gone. */
int store_crl_put(struct store_conn *c, const struct store_crl *crl, int64_t *ret_id) MUST_CHECK;

/* Writes: a fetch that failed, or brought what is here already. STORE_E_NOT_FOUND. */
int store_crl_fetched(struct store_conn *c, int64_t id, int64_t next_fetch_us, unsigned failures,
	struct span problem) MUST_CHECK;

/* Writes. STORE_E_NOT_FOUND. */
int store_crl_warned(struct store_conn *c, int64_t id, int64_t now_us) MUST_CHECK;
int store_crl_remove(struct store_conn *c, int64_t id) MUST_CHECK;

/* Reads. Strings live in the arena. STORE_E_NOT_FOUND. */
int store_crl_get(struct store_conn *c, struct arena *a, int64_t id, struct store_crl *ret_crl)
	MUST_CHECK;

/* Reads, by domain and id, the server's first. Spans are valid during each(). */
int store_crl_each(struct store_conn *c, int (*each)(const struct store_crl *crl, void *context),
	void *context) MUST_CHECK;

/* Reads: another text whenever a list that counts is another one. */
int store_crl_version(struct store_conn *c, struct buf *out) MUST_CHECK;

/* Answers of responders, by the certificate's SHA-256. get: STORE_E_NOT_FOUND; der is appended. */
int store_ocsp_put(struct store_conn *c, struct span sha256, struct span der, int64_t now_us)
	MUST_CHECK;
int store_ocsp_get(struct store_conn *c, struct span sha256, struct buf *der) MUST_CHECK;

/* Writes: forgets answers that were fetched before. */
int store_ocsp_forget(struct store_conn *c, int64_t before_us) MUST_CHECK;
