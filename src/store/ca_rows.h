/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Authorities of domains and the certificates that they have issued, as rows. Octets in, octets
 * out: pki/ reads them.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct store_conn;

struct store_authority {
	int64_t id;
	int64_t domain;    /* 0: removed since */
	int64_t key;       /* 0: removed since */
	struct span name;  /* the domain's, as it was; in URLs */
	struct span label; /* in URLs; unique */
	bool active;       /* issues for its domain; one does */
	struct span der;
	struct span chain;   /* DER certificates behind each other, nearest issuer first */
	int64_t crl_number;  /* of the newest list (store_authority_list); 0: none yet */
	int64_t crl_next_us; /* when there is to be another */
	int64_t created_us;
};

/* Writes: it becomes the domain's active one if it says so. STORE_E_EXISTS (label). */
int store_authority_add(struct store_conn *c, const struct store_authority *row,
	int64_t *ret_id) MUST_CHECK;

/* Writes: another certificate of the same subject and key. STORE_E_NOT_FOUND. */
int store_authority_replace(struct store_conn *c, int64_t id, struct span der,
	struct span chain) MUST_CHECK;

/* Writes: it issues for its domain (and the one before does not), or none does. STORE_E_NOT_FOUND.
 */
int store_authority_activate(struct store_conn *c, int64_t id) MUST_CHECK;
int store_authority_retire(struct store_conn *c, int64_t domain) MUST_CHECK;

/* Writes: the list that was made from the row seen, with the number after that one's. STORE_E_STALE:
 * another was written meanwhile, or something was revoked. listed_us: revoked certificates that ended
 * before this time stand on it for the last time. */
int store_authority_set_crl(struct store_conn *c, const struct store_authority *seen,
	struct span crl, int64_t next_us, int64_t listed_us) MUST_CHECK;

/* Reads: the newest list, DER, with its number, as one moment has them. STORE_E_NOT_FOUND: there is
 * none. The octets are appended. */
int store_authority_list(struct store_conn *c, int64_t id, int64_t *ret_number,
	struct buf *out) MUST_CHECK;

/* Reads: all of them. der is valid during each(). */
int store_authority_list_each(struct store_conn *c,
	int (*each)(int64_t id, struct span der, void *context), void *context) MUST_CHECK;

/* Reads. STORE_E_NOT_FOUND. Spans live in the arena. */
int store_authority_get(struct store_conn *c, struct arena *a, int64_t id,
	struct store_authority *ret_row) MUST_CHECK;
int store_authority_active(struct store_conn *c, struct arena *a, int64_t domain,
	struct store_authority *ret_row) MUST_CHECK;
int store_authority_by_label(struct store_conn *c, struct arena *a, struct span label,
	struct store_authority *ret_row) MUST_CHECK;

/* Reads, in the order in which they were made; domain 0: all, those without one too. Spans are
 * valid during each(). */
int store_authority_each(struct store_conn *c, int64_t domain,
	int (*each)(const struct store_authority *row, void *context), void *context) MUST_CHECK;

/* Reads: an authority with this key issues, or has issued what is not over and not revoked. */
int store_authority_needs_key(struct store_conn *c, int64_t key, int64_t now_us,
	bool *ret_needs) MUST_CHECK;

/* RFC 5280 section 5.3.1: those that are used here. */
enum issued_reason {
	REASON_UNSPECIFIED = 0,
	REASON_KEY_COMPROMISE = 1,
	REASON_CA_COMPROMISE = 2,
	REASON_AFFILIATION = 3,
	REASON_SUPERSEDED = 4,
	REASON_CESSATION = 5,
	REASON_PRIVILEGE = 9,
};

/* "keyCompromise" and so on, as there; NULL: none that is used here. */
const char *store_issued_reason_name(unsigned reason);

struct store_issued {
	int64_t id;
	int64_t authority;
	int64_t account;     /* 0: removed since */
	struct span serial;  /* big-endian, no zeros in front */
	struct span address; /* the first */
	struct span der;
	int64_t not_after_us;
	int64_t renew_us;   /* when it is renewed; 0: not by itself */
	unsigned failures;  /* to renew it, in a row */
	int64_t successor;  /* 0: none */
	int64_t revoked_us; /* 0: not */
	unsigned reason;    /* enum issued_reason */
	int64_t told_days;  /* the smallest number of days before its end that was told; -1: none; -2:
			     * that it was revoked */
	int64_t created_us;
	struct span key_sha256; /* of its public key (SubjectPublicKeyInfo); empty: nobody can read it */
};

/* Writes. STORE_E_EXISTS (serial), STORE_E_NOT_FOUND: the authority signs nothing any more. */
int store_issued_add(struct store_conn *c, const struct store_issued *row,
	int64_t *ret_id) MUST_CHECK;

/* Reads. STORE_E_NOT_FOUND. Spans live in the arena. */
int store_issued_get(struct store_conn *c, struct arena *a, int64_t id,
	struct store_issued *ret_row) MUST_CHECK;
int store_issued_by_serial(struct store_conn *c, struct arena *a, struct span serial,
	struct store_issued *ret_row) MUST_CHECK;

/* Reads, in the order in which they were made, from authorities of the domain, for the account; 0:
 * any. Spans are valid during each(). */
int store_issued_each(struct store_conn *c, int64_t domain, int64_t account,
	int (*each)(const struct store_issued *row, void *context), void *context) MUST_CHECK;

/* Reads: what is to stand on the authority's next list. */
int store_issued_revoked(struct store_conn *c, int64_t authority,
	int (*each)(const struct store_issued *row, void *context), void *context) MUST_CHECK;

/* What is kept up is the current certificate of the account's current key, and what is used of its others
 * besides: certain is the first, of the others mail/own_cert.h knows. None while Secure Mail is off. */
typedef int store_issued_kept_fn(const struct store_issued *row, bool certain, void *context);

/* Reads: what is to be renewed by now, if it is kept up. */
int store_issued_due(struct store_conn *c, int64_t now_us, store_issued_kept_fn *each,
	void *context) MUST_CHECK;

/* Reads, in the order in which they were made: what ends before that time, belongs to an account still,
 * was neither revoked nor renewed, if it is kept up. What is not renewed by itself is certain, too. */
int store_issued_ending(struct store_conn *c, int64_t now_us, int64_t before_us,
	store_issued_kept_fn *each, void *context) MUST_CHECK;

/* Writes: revoked from now on; a new list is due. STORE_E_NOT_FOUND, STORE_E_STALE: it is already.
 */
int store_issued_revoke(struct store_conn *c, int64_t id, unsigned reason,
	int64_t now_us) MUST_CHECK;

/* Writes: the same for whatever an account still has. */
int store_issued_revoke_account(struct store_conn *c, int64_t account, unsigned reason,
	int64_t now_us) MUST_CHECK;

/* Reads: all that were issued for a public key. Spans are valid during each(). */
int store_issued_of_key(struct store_conn *c, struct span key_sha256,
	int (*each)(const struct store_issued *row, void *context), void *context) MUST_CHECK;

/* Writes: all of them that hold yet are revoked; how many. */
int store_issued_revoke_key(struct store_conn *c, struct span key_sha256, unsigned reason,
	int64_t now_us, int64_t *ret_n) MUST_CHECK;

/* Rows of a schema that did not know their keys and addresses: one of them (STORE_E_NOT_FOUND: there is
 * none), and what its key is, which it has from then on. */
int store_issued_without_key(struct store_conn *c, struct arena *a,
	struct store_issued *ret_row) MUST_CHECK;
int store_issued_set_key(struct store_conn *c, int64_t id, struct span key_sha256) MUST_CHECK;

/* Writes: one of the addresses that it is for, the domain in A-labels. Again is the same. */
int store_issued_add_address(struct store_conn *c, int64_t id, struct span local,
	struct span domain) MUST_CHECK;

/* Reads: whether any certificate has one. */
int store_issued_has_addresses(struct store_conn *c, bool *ret_has) MUST_CHECK;

struct store_issued_address {
	int64_t issued, account;
	struct span local, domain;
};

/* Reads: addresses of this domain's name with local parts that begin so (empty: all), of certificates
 * that belong to an account still, are not over and were not revoked. Spans are valid during each(). */
int store_issued_address_each(struct store_conn *c, struct span domain, struct span local,
	int64_t now_us, int (*each)(const struct store_issued_address *row, void *context),
	void *context) MUST_CHECK;

/* Writes: it was renewed; STORE_E_STALE: already, or it was revoked. Or it was not, and is tried
 * again at that time (0: never). */
int store_issued_renewed(struct store_conn *c, int64_t id, int64_t successor) MUST_CHECK;
int store_issued_put_off(struct store_conn *c, int64_t id, unsigned failures,
	int64_t renew_us) MUST_CHECK;

/* Writes: its user is told that it ends in so many days or less. STORE_E_EXISTS: was told already.
 */
int store_issued_tell(struct store_conn *c, int64_t id, unsigned days) MUST_CHECK;

/* Reads, in the order in which they were made: what was revoked after that time, is not over, belongs to
 * an account still, and whose user was not told of it. */
int store_issued_revoked_untold(struct store_conn *c, int64_t after_us, int64_t now_us,
	int (*each)(const struct store_issued *row, void *context), void *context) MUST_CHECK;

/* Writes: its user is told that it was revoked. STORE_E_EXISTS: was told already. */
int store_issued_tell_revoked(struct store_conn *c, int64_t id) MUST_CHECK;

/* Figures for the metrics; reads. */
struct store_issued_figures {
	int64_t valid, revoked;
};
int store_issued_figures(struct store_conn *c, int64_t now_us,
	struct store_issued_figures *ret_figures) MUST_CHECK;
