/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * A domain's certificate authority for the mail of its users: what issues, issuing and revoking.
 *
 * The issuer is the domain's authority (its S/MIME certificate), else the domain's own certificate
 * where that is an authority's. Private keys are in keyd. What an authority says afterwards (lists,
 * answers) is in svc/ca_status.h, what is done in time (renewing) in svc/ca_tend.h.
 */

#include "pki/cert.h"
#include "pki/subject.h"
#include "store/ca_rows.h"
#include "store/domain.h"
#include "store/key_rows.h"

struct env;
struct buf;

/* REFUSED: it may not be done, with why, in a sentence for whoever asked; NONE: the domain has no
 * authority, with why (what the administrator does about it). */
enum ca_outcome { CA_E_REFUSED = 1, CA_E_NONE };

/* What is asked for an account. */
struct ca_wish {
	int64_t account;
	const struct span
		*addresses;  /* UTF-8, the first is the main one; each must lead to the account
			      * and no other, and be of its domain or an alias of that */
	size_t n_addresses;  /* 1 to MAILCERT_ADDRESSES_MAX */
	struct span name;    /* of the person; empty: the account's, else the address */
	struct span spki;    /* the public key, DER: whose private half is the account's is for
			      * the caller to know */
	unsigned days;       /* 0: as the setting ca_days says */
	bool renews;         /* by the server itself, as long as the key stays the same */
	int64_t predecessor; /* the certificate (store_issued) that it renews; 0: none */
};

/* Spans live in the arena. */
struct ca_certificate {
	int64_t id;        /* store_issued */
	int64_t authority; /* store_authority */
	struct span der;
	struct span chain; /* the issuer and what is above it, DER certificates behind each other */
	int64_t not_after_us;
};

/* Issues a certificate; it is valid from now on, has a row, and is logged. Blocks (keyd, a durable
 * write): not on a loop, not within a task of the store. then (may be NULL) runs in the transaction
 * that writes the row, with what is being returned: its own outcome (> 0) undoes all and is
 * returned as CA_E_REFUSED, with the reason that it has set. */
typedef int ca_then_fn(struct store_conn *c, const struct ca_certificate *cert, void *context,
	struct why *why);
int ca_issue(struct env *e, struct arena *a, const struct ca_wish *wish, ca_then_fn *then,
	void *context, struct ca_certificate *ret_cert, struct why *why) MUST_CHECK;

/* Gives a certificate to the account's key of Secure Mail, which uses it from then on: in ca_issue's then.
 * REFUSED with why: the account does not have that key (any more). Writes. */
int ca_give(struct store_conn *c, int64_t account, struct span spki,
	const struct ca_certificate *cert, struct why *why) MUST_CHECK;

/* Revokes one, and with REASON_KEY_COMPROMISE all that are for the same key; the list follows at once
 * (ca_wake). *ret_n: how many, may be NULL. STORE_E_NOT_FOUND; STORE_E_STALE: it is already. Writes:
 * within a task of the store. */
int ca_revoke(struct env *e, struct store_conn *c, int64_t issued, enum issued_reason reason,
	int64_t *ret_n) MUST_CHECK;

/* "keyCompromise" and so on, as RFC 5280 section 5.3.1 writes them; parse: false if there is no
 * such name here. */
const char *ca_reason_name(unsigned reason);
bool ca_reason_parse(struct span name, enum issued_reason *ret_reason);

/* The domain's issuer: its authority or, failing that, its certificate. In the arena. A certificate
 * of the domain has no row of its own kind yet where id is 0. NONE with why. Reads. */
int ca_find(struct store_conn *c, struct arena *a, const struct store_domain *domain,
	struct store_authority *ret_row, struct why *why) MUST_CHECK;

/* A new authority that its own key signs, as rows for a transaction: row->key is the key's once
 * that is added. names: the domain and its aliases. old: the authority that is refreshed (its
 * subject stays), or NULL. REFUSED with why. Blocks. */
struct ca_order {
	const struct store_domain *domain;
	const struct store_key *key; /* for smime or ca: RSA or EC */
	struct subject subject;      /* names: the domains it is to speak for */
	const struct store_authority *old;
	unsigned days;
};
int ca_make(struct env *e, struct arena *a, const struct ca_order *order,
	struct store_authority *ret_row, struct why *why) MUST_CHECK;

/* Appends the DER of a request for the same to another authority. */
int ca_request(struct env *e, const struct ca_order *order, struct buf *out,
	struct why *why) MUST_CHECK;

/* A certificate that another authority has given the key, as a row; chain: what is behind it. */
int ca_take(struct arena *a, const struct store_domain *domain, const struct store_key *key,
	const struct cert *cert, struct span chain, struct store_authority *ret_row,
	struct why *why) MUST_CHECK;

/* Puts the row in place, in the domain's use: a new one, or a newer certificate of the one with the
 * same subject and key. Writes. */
int ca_put(struct store_conn *c, const struct store_authority *row, int64_t *ret_id) MUST_CHECK;

/* Appends half a sentence: what an administrator types to revoke the authority's certificate. Reads. */
int ca_add_revoke(struct store_conn *c, int64_t authority, struct span serial, struct buf *out) MUST_CHECK;

/* Appends the URL of what an authority offers, e.g. "ca.crl", "ocsp". */
void ca_add_url(struct env *e, const struct store_authority *row, const char *what,
	struct buf *out);
