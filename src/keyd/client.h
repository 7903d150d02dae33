/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The server's side of keyd: a pool of channels that any thread may use, and keys that are named by
 * their wrapped form. Every function blocks until keyd answers, fails at once when keyd is not
 * there (a fault), and fails at its deadline. Not for event loop threads, but for an EC signature.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "keyd/protocol.h"
#include "pki/key.h"

struct keyd_client;

struct keyd_client *keyd_client_new(enum keyd_role role);
struct keyd_client *keyd_client_free(struct keyd_client *c);

/* New channels from the supervisor (the client owns them from here): at start and whenever keyd was
 * started again. Those of a keyd before are closed. */
void keyd_client_set_channels(struct keyd_client *c, const int *fds, size_t n);

/* true while at least one channel is alive. */
bool keyd_client_is_up(struct keyd_client *c);

/* The check value of keyd's KEK, to be compared with the one in the database. */
int keyd_hello(struct keyd_client *c, uint8_t ret_check[static KEYD_CHECK]) MUST_CHECK;

/* Whether the key store has a password and, unless the one given is empty, whether it is that one.
 * KEYD_E_PASSWORD: there is one and this is not it. KEYD_E_LATER: after too many of those. */
int keyd_store_password(struct keyd_client *c, struct span password, bool *ret_has_password)
	MUST_CHECK;

/* A key that was made or taken over, as the store keeps it: key_id is text. */
struct keyd_made {
	char key_id[KEY_ID_LENGTH + 1];
	struct buf spki;
	struct buf wrapped;
};
void keyd_made_done(struct keyd_made *m);

/* Domain keys. owner: any stable text that names who the key belongs to, e.g. "domain:17". wrap
 * takes a PKCS#8 over; the caller wipes its copy. KEYD_E_REFUSED: not a kind of key we work with. */
int keyd_generate(struct keyd_client *c, enum key_type type, struct span owner,
	enum keyd_purpose purpose, struct keyd_made *ret_made) MUST_CHECK;
int keyd_wrap(struct keyd_client *c, struct span pkcs8, struct span owner,
	enum keyd_purpose purpose, struct keyd_made *ret_made) MUST_CHECK;

/* User keys (the user instance), sealed under the Secure Mail Password. */
int keyd_user_generate(struct keyd_client *c, enum key_type type, struct span owner,
	struct span password, struct keyd_made *ret_made) MUST_CHECK;
int keyd_user_wrap(struct keyd_client *c, struct span pkcs8, struct span owner,
	struct span password, struct keyd_made *ret_made) MUST_CHECK;

/* The same key under another password. KEYD_E_PASSWORD, KEYD_E_OPEN, KEYD_E_LATER. */
int keyd_user_rewrap(struct keyd_client *c, struct span owner, struct span key_id,
	struct span wrapped, struct span old_password, struct span new_password,
	struct buf *ret_wrapped) MUST_CHECK;

/* A key that can be used. Shared by count; may outlive a keyd: a domain key is loaded again by
 * itself, a user's key is then KEYD_E_GONE and has to be unlocked anew. */
struct keyd_key;

/* A domain's key. Nothing is sent yet; all spans are copied. */
struct keyd_key *keyd_key_new(struct keyd_client *c, struct span wrapped, struct span key_id,
	struct span owner, enum keyd_purpose purpose);

/* Unlocks a user's key for one session: 1 to KEYD_SESSION_MAX octets that nobody else knows or has. Its
 * keys are forgotten together when none was used for idle_ms (to KEYD_IDLE_MAX_MS). KEYD_E_PASSWORD,
 * KEYD_E_OPEN, KEYD_E_LATER (after too many wrong ones of this owner). */
int keyd_unlock(struct keyd_client *c, struct span wrapped, struct span key_id, struct span owner,
	struct span password, struct span session, uint32_t idle_ms, struct keyd_key **ret_key)
	MUST_CHECK;

/* How many milliseconds an unlocked key stays if nobody uses it; asking is no use. KEYD_E_GONE: it is
 * locked. */
int keyd_key_left(struct keyd_key *key, uint32_t *ret_left_ms) MUST_CHECK;

/* keyd forgets the key (lock), all keys of the session. */
int keyd_lock(struct keyd_key *key) MUST_CHECK;
int keyd_lock_session(struct keyd_client *c, struct span session) MUST_CHECK;

struct keyd_key *keyd_key_ref(struct keyd_key *key);
struct keyd_key *keyd_key_unref(struct keyd_key *key);

/* Operations; appended to out. `data` is the digest, for Ed25519 the message. */
int keyd_key_sign(struct keyd_key *key, const struct keyd_sign *how, struct span data,
	struct buf *out) MUST_CHECK;
int keyd_key_decrypt(struct keyd_key *key, const struct keyd_decrypt *how, struct span label,
	struct span ciphertext, struct secret *ret_plain) MUST_CHECK;
/* peer: the other side's public point as octets. ukm: the KDF's shared info. */
int keyd_key_derive(struct keyd_key *key, const struct keyd_derive *how, struct span peer,
	struct span ukm, struct secret *ret_key) MUST_CHECK;

/* The private key as a file (PBES2, AES-256, HMAC-SHA-256, but the old form) under the file password.
 * certs: DER behind
 * each other, the key's own first; name: the friendly name; both may be empty, and are left out of
 * PKCS #8. */
int keyd_key_export(struct keyd_key *key, enum keyd_form form, struct span certs, struct span name,
	struct span file_password, struct buf *out) MUST_CHECK;

/* Small secrets. KEYD_E_OPEN: other owner, purpose or KEK. */
int keyd_seal(struct keyd_client *c, struct span plain, struct span owner,
	enum keyd_purpose purpose, struct buf *out) MUST_CHECK;
int keyd_unseal(struct keyd_client *c, struct span sealed, struct span owner,
	enum keyd_purpose purpose, struct secret *ret_plain) MUST_CHECK;

/* The session ticket key of a domain in an epoch: the same on every node. */
int keyd_ticket_key(struct keyd_client *c, struct span domain, uint64_t epoch,
	uint8_t ret_key[static KEYD_TICKET_KEY]) MUST_CHECK;
