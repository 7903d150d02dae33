/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Secure Mail of an account as rows: its keys, sealed under its Secure Mail Password and wrapped
 * (only keyd opens them, with the password), their certificates, and what the account has chosen.
 * Octets in, octets out. The password itself is nowhere.
 */

#include "base/arena.h"
#include "base/conf.h"

struct store_conn;

/* Which content cipher the account's messages get. */
enum secure_cipher {
	SECURE_CIPHER_AUTOMATIC,
	SECURE_CIPHER_AES256_GCM,
	SECURE_CIPHER_AES256_CBC,
	SECURE_CIPHER_AES192_CBC,
	SECURE_CIPHER_AES128_CBC,
	SECURE_CIPHER_3DES,
};
extern const char *const store_secure_ciphers[]; /* their words; NULL ends */

struct store_secure {
	int64_t account;
	bool enabled;        /* neither account nor domain say no */
	struct span address; /* the account's */
	struct span name;    /* the name that is shown */
	int64_t domain;
	struct span from; /* whom new certificates are for; empty: the account */
	uint64_t lock_after_s;
	enum secure_cipher cipher;
	int64_t password; /* the number of the present password, from 1 */
	int64_t revision; /* changes when password or keys do */
};

enum {
	SECURE_LOCK_MIN_S = 10,
	SECURE_LOCK_MAX_S = 3600,
	SECURE_KEYS_MAX = 16,
	SECURE_CERTS_MAX = 32
};

/* Reads; strings live in the arena. STORE_E_NOT_FOUND. */
int store_secure_get(struct store_conn *c, struct arena *a, int64_t account,
	struct store_secure *ret_secure) MUST_CHECK;

/* Writes; keys: from, lock_after (seconds, with m h), cipher. STORE_E_REFUSED with why. */
int store_secure_set(struct store_conn *c, int64_t account, struct span key, struct span value,
	struct why *why) MUST_CHECK;

struct store_secure_key {
	int64_t id;
	int64_t account;
	struct span key_id; /* text: associated data of the wrapping */
	struct span type;   /* "rsa:2048", ... */
	struct span spki;
	struct span wrapped;
	int64_t password; /* the number of the password that it is sealed under */
	bool current;
	int64_t created_us;
};

/* Reads: the current one, then newer before older. Spans are valid during each(). */
int store_secure_key_each(struct store_conn *c, int64_t account,
	int (*each)(const struct store_secure_key *key, void *context), void *context) MUST_CHECK;

/* Writes: a key under the password that was the account's at this revision (STORE_E_STALE: it is
 * not any more); start_over: under a new one, which is the account's from now on. key->current
 * makes it so. STORE_E_EXISTS, STORE_E_LIMIT. */
int store_secure_key_add(struct store_conn *c, const struct store_secure_key *key, int64_t revision,
	bool start_over, int64_t *ret_id) MUST_CHECK;

/* Writes: with its certificates. If it was the current one, the newest that is left is then.
 * STORE_E_NOT_FOUND. */
int store_secure_key_remove(struct store_conn *c, int64_t account, int64_t id) MUST_CHECK;

/* Writes. STORE_E_NOT_FOUND, STORE_E_REFUSED (one of an earlier password). */
int store_secure_key_make_current(struct store_conn *c, int64_t account, int64_t id) MUST_CHECK;

/* Writes: all keys of the present password under another one, together. wrapped has the id and the
 * new octets of each. STORE_E_STALE: the keys are not those of this revision any more. */
struct store_secure_wrapped {
	int64_t id;
	struct span wrapped;
};
int store_secure_rewrap(struct store_conn *c, int64_t account, int64_t revision,
	const struct store_secure_wrapped *wrapped, size_t n) MUST_CHECK;

struct store_secure_cert {
	int64_t id;
	int64_t key;
	struct span sha256; /* of der */
	struct span der;
	struct span chain; /* DER certificates behind each other, nearest issuer first */
	bool current;
	int64_t not_after_us;
	int64_t created_us;
};

/* Writes: it is the current one of its key then, if it says so or the key has none. STORE_E_EXISTS,
 * STORE_E_LIMIT. */
int store_secure_cert_add(struct store_conn *c, const struct store_secure_cert *cert,
	int64_t *ret_id) MUST_CHECK;

/* Reads: of a key, the current one, then newer before older. Spans are valid during each(). */
int store_secure_cert_each(struct store_conn *c, int64_t key,
	int (*each)(const struct store_secure_cert *cert, void *context), void *context) MUST_CHECK;

/* Reads: the certificates of all keys that the account's present password opens (of_current: of the
 * current key), those of the current key first, then newer before older. Which of them is used:
 * mail/own_cert.h. Spans are valid during each(). */
int store_secure_cert_present(struct store_conn *c, int64_t account,
	int (*each)(const struct store_secure_cert *cert, bool of_current, void *context),
	void *context) MUST_CHECK;

/* Reads, in the order in which they came: certificates from elsewhere that accounts may use and that
 * end before that time or of which nobody has looked yet (not_after_us 0); but those that ended long ago.
 * Spans are valid during each(). */
struct store_secure_ending {
	int64_t account;
	struct store_secure_cert cert;
	int64_t told_days; /* the smallest number of days before the end that was told; -1: none */
	bool certain;      /* as in store_issued_kept_fn */
};
int store_secure_cert_ending(struct store_conn *c, int64_t now_us, int64_t before_us,
	int (*each)(const struct store_secure_ending *row, void *context), void *context) MUST_CHECK;

/* Writes: somebody has looked. */
int store_secure_cert_set_end(struct store_conn *c, int64_t id, int64_t not_after_us) MUST_CHECK;

/* Writes: its owner is told that it ends in so many days or less. STORE_E_EXISTS: was told already. */
int store_secure_cert_tell(struct store_conn *c, int64_t id, unsigned days) MUST_CHECK;
