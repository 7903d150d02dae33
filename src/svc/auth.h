/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Who is it? Passwords are kept as argon2id strings and, for SCRAM, as a verifier that only keyd
 * can open. A check costs 19 MiB and tens of milliseconds, so how many run at a time is bounded,
 * and a verified login is remembered for settings.login_cache_s, under a key of this process, until
 * the account's state changes. Unknown names cost as much time as wrong passwords. Nothing here
 * logs.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/limit.h"
#include "base/secret.h"
#include "net/address.h"
#include "store/account.h"

struct env;
struct tls_client;

/* Where a login comes from. */
struct auth_source {
	struct span peer;          /* auth_peer_key of the client's address */
	const char *domain;        /* of its TLS connection; NULL: none */
	struct tls_client *client; /* the certificate it has presented there; NULL: none */
};

struct auth_identity {
	int64_t account;
	char address[LIMIT_LOCAL_PART + 1 + LIMIT_NAME +
		     1]; /* the account's own, not the login name */
	enum account_role role;
	uint64_t state;
};

struct auth;
struct auth *auth_new(void);
struct auth *auth_free(struct auth *a);

enum auth_outcome {
	AUTH_E_REFUSED = 1, /* unknown, wrong, disabled: not told apart */
	AUTH_E_TOO_MANY,    /* failures of this peer or for this account: come back later */
	AUTH_E_PASSWORD,    /* a new password that cannot be one; why */
	AUTH_E_CERTIFICATE, /* the login's domain asks for a client certificate, and the source has
			     * none that is valid, or came by another domain's name */
};

/* What a client's failures are counted by, beside the account. Empty on this machine: behind a web
 * mail program or a proxy there, one address is everybody's, and one guesser would lock all out. So
 * those are counted for each account by itself. */
struct span auth_peer_key(const struct net_address *peer);

/* Checks a password. Blocks for tens of milliseconds: for workers without a loop (HTTP). Sessions use
 * svc/login.h. */
int auth_password(struct env *e, const struct auth_source *from, struct span user,
	struct span password, struct auth_identity *ret_who) MUST_CHECK;

/* Who the source's client certificate says it is; it is validated anew. Blocks for milliseconds. */
int auth_certificate(struct env *e, const struct auth_source *from, struct auth_identity *ret_who,
	struct why *why) MUST_CHECK;

/* Whether the source is good enough for accounts of the domain: where only clients with a certificate
 * are let in, that goes for whoever comes in by another door, too. Blocks, not within a transaction,
 * where the domain requires one. */
int auth_source_fits(struct env *e, const char *domain, bool required,
	const struct auth_source *from, bool *ret_fits) MUST_CHECK;

/* Whether an identity found earlier (a web session) still holds for the account as it is now. */
bool auth_is_current(const struct auth_identity *who, const struct store_account *account);

/* What is stored for a new password: AUTH_E_PASSWORD if it is empty, too long, no UTF-8 or holds
 * control characters. Blocks. Spans live in the arena. */
int auth_make_credentials(struct env *e, struct span password, struct arena *a,
	struct store_credentials *ret_credentials, struct why *why) MUST_CHECK;

/*
 * The steps, for who must not block.
 */

/* One login in the making. Zeroed memory is an empty one. */
struct auth_attempt {
	struct buf peer;
	char *domain;
	struct tls_client *client;
	struct buf user;        /* as given */
	struct secret password; /* prepared; empty for SCRAM, and if it cannot be one */
	bool counted;           /* a token of the failure limits is taken */

	/* Found by auth_find. */
	bool known;
	bool remembered; /* the cache vouches for the password */
	bool disabled;
	char *strict; /* the login's domain, if it asks for a client certificate; to be checked */
	struct auth_identity who;
	struct buf hash;
	struct buf scram; /* sealed */
};
void auth_attempt_init(struct auth_attempt *t, const struct auth_source *from, struct span user,
	struct span password);
void auth_attempt_done(struct auth_attempt *t);

/* Reads: the account, and whether the cache knows the login already. Nothing is refused here, so
 * that a name cannot be probed. */
int auth_find(struct env *e, struct store_conn *c, struct auth_attempt *t) MUST_CHECK;

/* Checks the password of what was found: at once if it is remembered and needs no certificate; else on
 * env->cpu or another thread that may block. */
int auth_verify(struct env *e, struct auth_attempt *t) MUST_CHECK;

/* SCRAM: the verifier of what was found, opened by keyd; for who has none, one that nobody can
 * satisfy, always the same for a name. Blocks. AUTH_E_TOO_MANY. Then the end of the attempt:
 * AUTH_E_REFUSED unless it was proven by somebody who may log in. */
struct scram_verifier;
int auth_scram(
	struct env *e, struct auth_attempt *t, struct scram_verifier *ret_verifier) MUST_CHECK;
int auth_scram_end(struct env *e, struct auth_attempt *t, bool proven) MUST_CHECK;

/* SASL EXTERNAL, and whatever else goes by the certificate alone: who it says it is, validated anew, and
 * whether that is the attempt's user, if it names one. AUTH_E_REFUSED, AUTH_E_TOO_MANY with why. Blocks;
 * not within a transaction. */
int auth_external(struct env *e, struct auth_attempt *t, struct why *why) MUST_CHECK;

/* A password as RFC 4013 prepares it (spaces, NFKC); AUTH_E_PASSWORD. The caller ends it. */
int auth_prepare(struct span password, struct secret *ret_prepared, struct why *why) MUST_CHECK;

/* The argon2id string of a prepared password. Blocks. */
int auth_hash(struct auth *a, struct span prepared, struct buf *out) MUST_CHECK;

/* Whether the prepared password has that argon2id string. Blocks. */
bool auth_hash_matches(struct auth *a, struct span prepared, struct span hash);
