/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * A person's Secure Mail keys between the store's rows, keyd and OpenSSL. The password that seals
 * them comes with each act that needs it and is kept nowhere; whoever has it may, and nobody else
 * can. All keys of an account are under one password. Every function blocks (scrypt is a third of a
 * second for each key), and none may run on a loop or in a task of the store. What costs scrypts is
 * done for an account once at a time, and so often only (ENV_SECURE_WORK).
 */

#include "pki/import_file.h"
#include "smime/key.h"
#include "store/ca_rows.h"
#include "store/secure_rows.h"
#include "svc/secure_password.h"

struct env;

/* Who asks, and whose keys they are. Borrowed. */
struct secure_caller {
	int64_t account;
	struct span address; /* the account's */
	struct span actor;   /* for the audit record */
	struct span peer;    /* where from: limits of wrong passwords; auth_peer_key */
	struct span session; /* UNLOCKED_SESSION octets; empty: none, nothing stays unlocked */
};

/* Each with why. */
enum secure_outcome {
	SECURE_E_REFUSED = 1, /* not like this */
	SECURE_E_NONE,        /* there is no such key */
	SECURE_E_PASSWORD,    /* a wrong one */
	SECURE_E_LATER,       /* too many wrong ones */
	SECURE_E_BUSY,        /* another act with the account's keys is under way, or too many were */
	SECURE_E_LOCKED,      /* not unlocked for this session */
	SECURE_E_OFF,         /* Secure Mail is switched off for the account */
	SECURE_E_CHANGED,     /* somebody else changed the keys meanwhile: again */
	SECURE_E_NO_ISSUER,   /* the domain has no authority */
};

/* The account with all its keys and certificates, in the arena. */
struct secure_key {
	struct store_secure_key row;
	struct store_secure_cert *certs; /* the current one first */
	size_t n_certs;
};
struct secure_account {
	struct store_secure secure;
	struct secure_key keys[SECURE_KEYS_MAX]; /* the current one first */
	size_t n_keys;
};
int secure_account_read(struct store_conn *c, struct arena *a, int64_t account,
	struct secure_account *ret_account) MUST_CHECK; /* STORE_E_NOT_FOUND */

/* Whether a key opens with the present password. */
bool secure_key_is_present(const struct secure_account *a, const struct secure_key *key);

/* Around the opening of a key file for the account: one at a time, and not too many. BUSY with why. */
int secure_mail_import_begin(struct env *e, const struct secure_caller *who, struct why *why) MUST_CHECK;
void secure_mail_import_done(struct env *e, const struct secure_caller *who);

/* Opens all keys with the password and, for a session, leaves them open for it. *ret_n: how many.
 */
int secure_mail_unlock(struct env *e, const struct secure_caller *who, struct span password,
	unsigned *ret_n, struct why *why) MUST_CHECK;

/* Locks what the session has open; without a session, the account's keys in all sessions. */
void secure_mail_lock(struct env *e, const struct secure_caller *who);

/* Locks the keys of all accounts that Secure Mail is off for by now, or that are gone. */
void secure_mail_lock_where_off(struct env *e);

struct secure_state {
	bool unlocked;     /* for this session */
	uint32_t left_ms;  /* if nobody uses the keys */
	unsigned sessions; /* how many have them open */
};
void secure_mail_state(struct env *e, const struct secure_caller *who,
	struct secure_state *ret_state);

/* A new key, or one of a file, with its certificate: unlocked for the session afterwards. For a
 * first key the password is a new one, else it is the one that there is; start_over: the one before
 * is forgotten, its keys stay locked for good, and this is the new one. */
struct secure_new {
	struct span password;
	bool start_over;
	struct span type;                /* of a new key: a name of pki/key.h; empty: rsa:3072 */
	const struct imported *imported; /* NULL: a new one */
};
struct secure_made {
	int64_t key;
	struct password_strength strength;
	bool was_there;      /* the key, which has another certificate now */
	struct buf warnings; /* sentences, each ended by a newline */
};
void secure_made_done(struct secure_made *m);
int secure_mail_add(struct env *e, const struct secure_caller *who, const struct secure_new *new,
	struct secure_made *ret_made, struct why *why) MUST_CHECK;

/* Another certificate for a key: from the domain's authority, for the addresses of the one that the
 * key has (from: for this one instead; empty: not), or one that was brought (certs: with its chain,
 * in any order). key 0: the current one. */
int secure_mail_renew(struct env *e, const struct secure_caller *who, int64_t key, struct span from,
	struct secure_made *ret_made, struct why *why) MUST_CHECK;
int secure_mail_install(struct env *e, const struct secure_caller *who,
	const struct cert_list *certs, struct secure_made *ret_made, struct why *why) MUST_CHECK;

/* All keys under another password, together; locks them in all sessions. */
int secure_mail_password(struct env *e, const struct secure_caller *who, struct span current,
	struct span password, struct password_strength *ret_strength, struct why *why) MUST_CHECK;

/* How hard a password would be to guess for who knows the account. */
int secure_mail_strength(struct env *e, const struct secure_caller *who, struct span password,
	struct password_strength *ret_strength, struct why *why) MUST_CHECK;

/* The key with its certificate as PKCS #12 under the file's password. old: for programs that read
 * no other form. key 0: the current one. */
struct secure_export {
	int64_t key;
	bool old;
	struct span password;
	struct span file_password;
};
int secure_mail_export(struct env *e, const struct secure_caller *who,
	const struct secure_export *x, struct buf *out, struct why *why) MUST_CHECK;

/* Removes the key with this public half, which whoever asks has a file of (CGPW-17), and revokes what
 * this server's authorities have issued for it and is valid yet, if that is wished: ca_wake afterwards.
 * Else, and of certificates from elsewhere, the warnings say how to. */
struct secure_removal {
	struct span spki;
	bool revokes;
	enum issued_reason reason;
};
struct secure_removed {
	unsigned n_revoked;
	struct buf warnings; /* sentences, each ended by a newline */
};
void secure_removed_done(struct secure_removed *r);
int secure_mail_remove(struct env *e, const struct secure_caller *who,
	const struct secure_removal *removal, struct secure_removed *ret_removed,
	struct why *why) MUST_CHECK;

/* The keys that are open for the session, to sign and decrypt with: one for each certificate of
 * each key, the current certificate of the current key first. Using one counts as use of all.
 * SECURE_E_LOCKED, SECURE_E_OFF, SECURE_E_NONE. A key may lock while it is being used: OpenSSL's
 * call fails then. */
struct secure_keys {
	struct smime_key *keys;
	size_t n;
	int64_t open[SECURE_KEYS_MAX]; /* store_secure_key: which of them are */
	size_t n_open;
	struct cert_list *chains; /* private: the keys point to them */
};
void secure_keys_done(struct secure_keys *k);
int secure_mail_keys(struct env *e, struct span session, int64_t account,
	struct secure_keys *ret_keys, struct why *why) MUST_CHECK;

/* What the password would open, as certificates without their keys: a reader tells by them what is
 * locked from what is for somebody else. SECURE_E_OFF. */
int secure_mail_locked_keys(struct env *e, int64_t account, struct secure_keys *ret_keys,
	struct why *why) MUST_CHECK;
