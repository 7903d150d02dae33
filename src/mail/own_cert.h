/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Which of an account's own certificates is used, for whatever it is: mail that others send it, its
 * rules that store encrypted, mail encrypted in place, its copy of what it sends, its signatures.
 *
 * The certificates are those of all keys that the account's present Secure Mail Password opens. One
 * is fit if it is for that use (key usage, kind of key), valid now, and no authority of this server
 * has revoked it; to sign, it must be for the address, too. Of those that are fit the first is used:
 * for the address before others, of the current key before others, newer before older.
 */

#include "base/err.h"
#include "pki/cert.h"
#include "store/secure_rows.h"

struct cert_cache;
struct store_issued;

enum own_cert_use { OWN_CERT_ENCRYPT, OWN_CERT_SIGN };

enum own_cert_fault {
	OWN_CERT_FIT,
	OWN_CERT_OFF,     /* Secure Mail is off for the account */
	OWN_CERT_NONE,    /* there is no certificate */
	OWN_CERT_UNFIT,   /* its key or its key usage is not for that */
	OWN_CERT_ADDRESS, /* it is for another address */
	OWN_CERT_NOT_YET, /* not valid yet */
	OWN_CERT_EXPIRED,
	OWN_CERT_REVOKED, /* by an authority of this server */
};

struct own_cert_wish {
	int64_t account;
	enum own_cert_use use;
	struct span address;      /* empty: the account's, or what its setting `from` says */
	const int64_t *keys;      /* of these alone (store_secure_key); NULL: of any */
	size_t n_keys;
	int64_t now_us;
	struct cert_cache *cache; /* may be NULL */
};

struct own_cert {
	enum own_cert_fault fault; /* FIT: the certificate is used */
	struct cert *cert;         /* else the one that comes nearest; NULL: there is none */
	int64_t id, key;           /* its: store_secure_cert, store_secure_key */
	struct why why;            /* what is wrong with it, one sentence */
	bool key_compromised;      /* REVOKED for that: the key is no good any more either */
	enum secure_cipher cipher; /* that the account has chosen */
};

/* Reads. STORE_E_NOT_FOUND: there is no such account. own_cert_done it. */
int own_cert_find(struct store_conn *c, const struct own_cert_wish *wish,
	struct own_cert *ret_own) MUST_CHECK;
void own_cert_done(struct own_cert *own);

/* Reads: whether it is the one that is found, to sign or to encrypt, for the account's address or one of its
 * own; once it is over, whether it was at its end. Of the wish the account, the time and the cache count.
 * STORE_E_NOT_FOUND: there is no such account. */
int own_cert_is_used(struct store_conn *c, const struct own_cert_wish *wish, const struct cert *cert,
	bool *ret_is) MUST_CHECK;

/* What the account's owner does about the fault: half a sentence to follow the why; empty if that
 * says it. */
const char *own_cert_remedy(const struct own_cert *own);

/* Reads: what an authority of this server has issued; STORE_E_NOT_FOUND: it is none of theirs. In
 * the arena. */
int own_cert_issued(struct store_conn *c, struct arena *a, const struct cert *cert,
	struct store_issued *ret_row) MUST_CHECK;
