/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The handlers of keyd's requests. The form of a message was checked against the table before one
 * runs, so a handler says only what its request does. It returns 0, an enum keyd_outcome for the
 * client, or a negative number: a field whose content no client of ours would send (MALFORMED), or
 * a failure of keyd itself; both end the process, which starts again empty.
 */

#include "keyd/request.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limit.h"
#include "base/log.h"
#include "keyd/operation.h"
#include "keyd/vault.h"
#include "keyd/wrap.h"
#include "pki/key.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

CLEANUP_POINTER(EVP_PKEY_CTX, EVP_PKEY_CTX_free)

enum {
	DOMAIN_KEYS_MAX = 4096,
	USER_KEYS_MAX = 4096,
	SCRYPT_THREADS = 2, /* 128 MiB each */
	MALFORMED = -EBADMSG,
	WRONG_MAX = 5, /* wrong passwords of the key store in a row, then one every WRONG_PAUSE_S */
	WRONG_PAUSE_S = 60,
	/* The same for one owner's Secure Mail Password. More than one peer has (svc/secure_mail.c), so
	 * that whoever guesses from there leaves the owner some. */
	USER_WRONG_MAX = 20,
	USER_WRONG_PAUSE_S = 20,
	OWNERS_MAX = 10000,
};

struct keyd {
	enum keyd_role role;
	struct kek kek;
	struct vault *vault;
	pthread_mutex_t scrypt_lock;
	pthread_cond_t scrypt_free;
	unsigned n_scrypt;
	struct limiter *wrong;
	struct limiter *user_wrong; /* by owner */
};

/* A reply that is being written: the header's room first, then fields. */
struct reply {
	uint8_t *p;
	size_t n;
	uint8_t *field; /* where the content of the open field begins */
};

enum { SIGN = 1, DECRYPT = 2, DERIVE = 4, EXPORT = 8, KEY = 16, SECRET = 32 };

static const struct purpose {
	unsigned role;
	unsigned uses;
} purposes[] = {
	[KEYD_TLS] = { KEYD_DOMAIN, KEY | SIGN | DECRYPT | EXPORT },
	[KEYD_SMIME] = { KEYD_DOMAIN, KEY | SIGN | DECRYPT | DERIVE | EXPORT },
	[KEYD_DKIM] = { KEYD_DOMAIN, KEY | SIGN | EXPORT },
	[KEYD_CA] = { KEYD_DOMAIN, KEY | SIGN | EXPORT },
	[KEYD_USER_SMIME] = { KEYD_USER, KEY | SIGN | DECRYPT | DERIVE | EXPORT },
	[KEYD_SCRAM] = { KEYD_DOMAIN, SECRET },
	[KEYD_SETTING] = { KEYD_DOMAIN, SECRET },
	[KEYD_ACME] = { KEYD_DOMAIN, KEY | SIGN },
};

static bool purpose_allows(unsigned purpose, unsigned role, unsigned use)
{
	return purpose < sizeof purposes / sizeof purposes[0] && (purposes[purpose].role & role) &&
		(purposes[purpose].uses & use);
}

struct keyd *keyd_new(enum keyd_role role, struct kek *kek)
{
	struct keyd *k = ALLOC(struct keyd);

	k->role = role;
	k->kek = *kek;
	*kek = (struct kek){};
	k->vault = vault_new(role == KEYD_DOMAIN ? DOMAIN_KEYS_MAX : USER_KEYS_MAX);
	pthread_mutex_init(&k->scrypt_lock, NULL);
	pthread_cond_init(&k->scrypt_free, NULL);
	k->wrong = limiter_new(1.0 / WRONG_PAUSE_S, WRONG_MAX, 0, 1);
	k->user_wrong = limiter_new(1.0 / USER_WRONG_PAUSE_S, USER_WRONG_MAX, 0, OWNERS_MAX);
	return k;
}

struct keyd *keyd_free(struct keyd *k)
{
	if (!k)
		return NULL;
	vault_free(k->vault);
	kek_done(&k->kek);
	pthread_mutex_destroy(&k->scrypt_lock);
	pthread_cond_destroy(&k->scrypt_free);
	limiter_free(k->wrong);
	limiter_free(k->user_wrong);
	free(k);
	return NULL;
}

void keyd_expire(struct keyd *k)
{
	vault_expire(k->vault, clock_monotonic_ms());
}

/* Room for a field's content; reply_end says how much of it was used. */
static struct operation_out reply_begin(struct reply *reply)
{
	reply->field = reply->p + reply->n + sizeof(uint32_t);
	return (struct operation_out){ reply->field,
		KEYD_MESSAGE_MAX - reply->n - sizeof(uint32_t) };
}

static void reply_end(struct reply *reply, size_t n)
{
	uint32_t size = (uint32_t)n;

	memcpy(reply->p + reply->n, &size, sizeof size);
	reply->n += sizeof size + n;
}

/* The bounds of the table leave room for every reply. */
static void reply_add(struct reply *reply, struct span content)
{
	struct operation_out out = reply_begin(reply);

	if (content.n)
		memcpy(out.p, content.p, content.n);
	reply_end(reply, content.n);
}

static void aad_of(struct buf *out, uint8_t purpose, struct span owner, struct span id)
{
	wrap_aad(out, (struct span[]){ id, owner, span_of(&purpose, 1) }, 3);
}

static void scrypt_begin(struct keyd *k)
{
	pthread_mutex_lock(&k->scrypt_lock);
	while (k->n_scrypt == SCRYPT_THREADS)
		pthread_cond_wait(&k->scrypt_free, &k->scrypt_lock);
	k->n_scrypt++;
	pthread_mutex_unlock(&k->scrypt_lock);
}

static void scrypt_end(struct keyd *k)
{
	pthread_mutex_lock(&k->scrypt_lock);
	k->n_scrypt--;
	pthread_cond_signal(&k->scrypt_free);
	pthread_mutex_unlock(&k->scrypt_lock);
}

static int seal_password(struct keyd *k, struct span password, struct span aad, struct span plain,
	struct buf *out)
{
	int r;

	scrypt_begin(k);
	r = wrap_seal_password(password, aad, plain, out);
	scrypt_end(k);
	return r;
}

static int open_password(struct keyd *k, struct span password, struct span aad,
	struct span sealed, struct secret *ret_plain)
{
	int r;

	scrypt_begin(k);
	r = wrap_open_password(password, aad, sealed, ret_plain);
	scrypt_end(k);
	return r == WRAP_E_OPEN ? KEYD_E_PASSWORD : r;
}

/* A stored key's first layer. */
static int open_wrapped(struct keyd *k, struct span wrapped, struct span aad,
	struct secret *ret_plain)
{
	int r = wrap_open(secret_span(&k->kek.wrap), aad, wrapped, ret_plain);

	return r == WRAP_E_OPEN ? KEYD_E_OPEN : r;
}

/* Replies with a key's identity, public half and wrapped form; a user's goes under the password
 * first. */
static int reply_key(struct keyd *k, EVP_PKEY *key, uint8_t purpose, struct span owner,
	struct span password, struct reply *reply)
{
	CLEANUP(buf_done) struct buf spki = {};
	CLEANUP(buf_done) struct buf aad = {};
	CLEANUP(buf_done) struct buf sealed = {};
	CLEANUP(buf_done) struct buf wrapped = {};
	CLEANUP(secret_done) struct secret pkcs8 = {};
	char id[KEY_ID_LENGTH + 1];
	struct span content;

	TRY(key_to_spki(key, &spki));
	key_id(buf_span(&spki), id);
	aad_of(&aad, purpose, owner, span_str(id));
	TRY(key_to_pkcs8(key, &pkcs8));
	content = secret_span(&pkcs8);
	if (password.n) {
		TRY(seal_password(k, password, buf_span(&aad), content, &sealed));
		content = buf_span(&sealed);
	}
	TRY(wrap_seal(secret_span(&k->kek.wrap), buf_span(&aad), content, &wrapped));
	reply_add(reply, span_str(id));
	reply_add(reply, buf_span(&spki));
	reply_add(reply, buf_span(&wrapped));
	return 0;
}

static int made_new(struct keyd *k, uint8_t type, uint8_t purpose, struct span owner,
	struct span password, struct reply *reply)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;

	if (!key_type_name(type) || !purpose_allows(purpose, k->role, KEY))
		return MALFORMED;
	TRY(key_generate(&key, type));
	return reply_key(k, key, purpose, owner, password, reply);
}

/* A key that comes from outside has to prove that its halves belong together. */
static int made_from(struct keyd *k, struct span pkcs8, uint8_t purpose, struct span owner,
	struct span password, struct reply *reply)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(buf_done) struct buf spki = {};
	int r;

	if (!purpose_allows(purpose, k->role, KEY))
		return MALFORMED;
	r = key_from_pkcs8(&key, pkcs8, NULL);
	if (r > 0)
		return KEYD_E_REFUSED;
	if (r)
		return r;
	TRY(key_to_spki(key, &spki));
	r = key_self_test(key, buf_span(&spki), true, NULL);
	if (r > 0)
		return KEYD_E_REFUSED;
	if (r)
		return r;
	return reply_key(k, key, purpose, owner, password, reply);
}

static int keyd_do_hello(struct keyd *k, const struct span *f, struct reply *reply)
{
	(void)f;
	reply_add(reply, span_of(k->kek.check, sizeof k->kek.check));
	return 0;
}

static int keyd_do_generate(struct keyd *k, const struct span *f, struct reply *reply)
{
	return made_new(k, f[0].p[0], f[1].p[0], f[2], (struct span){}, reply);
}

static int keyd_do_wrap(struct keyd *k, const struct span *f, struct reply *reply)
{
	return made_from(k, f[0], f[1].p[0], f[2], (struct span){}, reply);
}

static int keyd_do_user_generate(struct keyd *k, const struct span *f, struct reply *reply)
{
	return made_new(k, f[0].p[0], KEYD_USER_SMIME, f[1], f[2], reply);
}

static int keyd_do_user_wrap(struct keyd *k, const struct span *f, struct reply *reply)
{
	return made_from(k, f[0], KEYD_USER_SMIME, f[1], f[2], reply);
}

static int reply_handle(struct keyd *k, struct span pkcs8, uint8_t purpose, struct span session,
	int64_t idle_ms, struct reply *reply)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	uint8_t handle[KEYD_HANDLE];

	/* It was a key when it was wrapped, and the tag says that it still is the same. */
	TRY(key_from_pkcs8(&key, pkcs8, NULL));
	vault_add(k->vault, key, purpose, session, idle_ms, clock_monotonic_ms(), handle);
	reply_add(reply, span_of(handle, sizeof handle));
	return 0;
}

static int keyd_do_load(struct keyd *k, const struct span *f, struct reply *reply)
{
	CLEANUP(buf_done) struct buf aad = {};
	CLEANUP(secret_done) struct secret pkcs8 = {};
	uint8_t purpose = f[0].p[0];
	int r;

	if (!purpose_allows(purpose, k->role, KEY))
		return MALFORMED;
	aad_of(&aad, purpose, f[1], f[2]);
	r = open_wrapped(k, f[3], buf_span(&aad), &pkcs8);
	if (r)
		return r;
	return reply_handle(k, secret_span(&pkcs8), purpose, (struct span){}, 0, reply);
}

/* The PKCS #8 of a user's key. A try counts before it is checked, and counts no more if it was right. */
static int open_user(struct keyd *k, struct span owner, struct span id, struct span wrapped,
	struct span password, struct secret *ret_pkcs8)
{
	CLEANUP(buf_done) struct buf aad = {};
	CLEANUP(secret_done) struct secret sealed = {};
	int r;

	aad_of(&aad, KEYD_USER_SMIME, owner, id);
	r = open_wrapped(k, wrapped, buf_span(&aad), &sealed);
	if (r)
		return r;
	if (!limiter_take(k->user_wrong, owner, clock_monotonic_ms()))
		return KEYD_E_LATER;
	r = open_password(k, password, buf_span(&aad), secret_span(&sealed), ret_pkcs8);
	if (!r)
		limiter_give(k->user_wrong, owner);
	return r;
}

static int keyd_do_unlock(struct keyd *k, const struct span *f, struct reply *reply)
{
	CLEANUP(secret_done) struct secret pkcs8 = {};
	uint32_t idle_ms;
	int r;

	memcpy(&idle_ms, f[5].p, sizeof idle_ms);
	if (idle_ms == 0 || idle_ms > KEYD_IDLE_MAX_MS)
		return MALFORMED;
	r = open_user(k, f[0], f[1], f[2], f[3], &pkcs8);
	if (r)
		return r;
	return reply_handle(k, secret_span(&pkcs8), KEYD_USER_SMIME, f[4], idle_ms, reply);
}

static int keyd_do_left(struct keyd *k, const struct span *f, struct reply *reply)
{
	int64_t left_ms;
	uint32_t ms;

	if (vault_left(k->vault, f[0], f[1], clock_monotonic_ms(), &left_ms))
		return KEYD_E_GONE;
	ms = (uint32_t)left_ms;
	reply_add(reply, span_of(&ms, sizeof ms));
	return 0;
}

static int keyd_do_rewrap(struct keyd *k, const struct span *f, struct reply *reply)
{
	CLEANUP(secret_done) struct secret pkcs8 = {};
	CLEANUP(buf_done) struct buf aad = {};
	CLEANUP(buf_done) struct buf sealed = {};
	CLEANUP(buf_done) struct buf wrapped = {};
	int r = open_user(k, f[0], f[1], f[2], f[3], &pkcs8);

	if (r)
		return r;
	aad_of(&aad, KEYD_USER_SMIME, f[0], f[1]);
	TRY(seal_password(k, f[4], buf_span(&aad), secret_span(&pkcs8), &sealed));
	TRY(wrap_seal(secret_span(&k->kek.wrap), buf_span(&aad), buf_span(&sealed), &wrapped));
	reply_add(reply, buf_span(&wrapped));
	return 0;
}

static int keyd_do_forget(struct keyd *k, const struct span *f, struct reply *reply)
{
	(void)reply;
	vault_forget(k->vault, f[0], f[1]);
	return 0;
}

static int keyd_do_lock_session(struct keyd *k, const struct span *f, struct reply *reply)
{
	(void)reply;
	vault_forget_session(k->vault, f[0]);
	return 0;
}

/* The key of a handle, if its purpose allows the use. */
static int use_key(struct keyd *k, struct span handle, struct span session, unsigned use,
	EVP_PKEY **ret_key)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	enum keyd_purpose purpose;

	if (vault_get(k->vault, handle, session, clock_monotonic_ms(), &key, &purpose))
		return KEYD_E_GONE;
	if (!purpose_allows(purpose, k->role, use))
		return KEYD_E_REFUSED;
	*ret_key = TAKE(key);
	return 0;
}

static bool is_text(const char *p, size_t n)
{
	return memchr(p, '\0', n) != NULL;
}

/* A copy of what the key's first signature began with, if that had the same parameters. */
static int signer_of(struct keyd *k, struct span handle, EVP_PKEY *key, const struct keyd_sign *how,
	EVP_PKEY_CTX **ret_signer)
{
	EVP_PKEY_CTX *signer = vault_signer(k->vault, handle, how);
	int r;

	if (!signer && key_is_ed25519(key))
		return 0;
	if (!signer) {
		r = operation_signer(key, how, &signer);
		if (r)
			return r;
		vault_keep_signer(k->vault, handle, how, signer);
	}
	*ret_signer = signer;
	return 0;
}

static int keyd_do_sign(struct keyd *k, const struct span *f, struct reply *reply)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *signer = NULL;
	struct keyd_sign how;
	size_t n;
	int r;

	memcpy(&how, f[2].p, sizeof how);
	if (!is_text(how.digest, sizeof how.digest) || !is_text(how.mgf1, sizeof how.mgf1))
		return MALFORMED;
	r = use_key(k, f[0], f[1], SIGN, &key);
	if (!r)
		r = signer_of(k, f[0], key, &how, &signer);
	if (!r)
		r = operation_sign(key, signer, f[3], reply_begin(reply), &n);
	if (!r)
		reply_end(reply, n);
	return r;
}

static int keyd_do_decrypt(struct keyd *k, const struct span *f, struct reply *reply)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	struct operation_decrypt d = { .label = f[3], .ciphertext = f[4] };
	size_t n;
	int r;

	memcpy(&d.how, f[2].p, sizeof d.how);
	if (!is_text(d.how.digest, sizeof d.how.digest) || !is_text(d.how.mgf1, sizeof d.how.mgf1))
		return MALFORMED;
	r = use_key(k, f[0], f[1], DECRYPT, &key);
	if (!r)
		r = operation_decrypt(key, &d, reply_begin(reply), &n);
	if (!r)
		reply_end(reply, n);
	return r;
}

static int keyd_do_derive(struct keyd *k, const struct span *f, struct reply *reply)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	struct keyd_derive how;
	size_t n;
	int r;

	memcpy(&how, f[2].p, sizeof how);
	if (!is_text(how.digest, sizeof how.digest) || how.size > KEYD_DERIVED_MAX)
		return MALFORMED;
	r = use_key(k, f[0], f[1], DERIVE, &key);
	if (!r)
		r = operation_derive(key, &how, f[3], f[4], reply_begin(reply), &n);
	if (!r)
		reply_end(reply, n);
	return r;
}

static int keyd_do_export(struct keyd *k, const struct span *f, struct reply *reply)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	size_t n;
	int r = use_key(k, f[0], f[1], EXPORT, &key);

	if (!r)
		r = operation_export(key, f[2].p[0], f[3], f[4], f[5], reply_begin(reply), &n);
	if (!r)
		reply_end(reply, n);
	return r;
}

static int keyd_do_seal(struct keyd *k, const struct span *f, struct reply *reply)
{
	CLEANUP(buf_done) struct buf aad = {};
	CLEANUP(buf_done) struct buf sealed = {};
	uint8_t purpose = f[0].p[0];

	if (!purpose_allows(purpose, k->role, SECRET))
		return MALFORMED;
	aad_of(&aad, purpose, f[1], (struct span){});
	TRY(wrap_seal(secret_span(&k->kek.seal), buf_span(&aad), f[2], &sealed));
	reply_add(reply, buf_span(&sealed));
	return 0;
}

static int keyd_do_unseal(struct keyd *k, const struct span *f, struct reply *reply)
{
	CLEANUP(buf_done) struct buf aad = {};
	CLEANUP(secret_done) struct secret plain = {};
	uint8_t purpose = f[0].p[0];
	int r;

	if (!purpose_allows(purpose, k->role, SECRET))
		return MALFORMED;
	aad_of(&aad, purpose, f[1], (struct span){});
	r = wrap_open(secret_span(&k->kek.seal), buf_span(&aad), f[2], &plain);
	if (r)
		return r == WRAP_E_OPEN ? KEYD_E_OPEN : r;
	if (plain.n > KEYD_SECRET_MAX)
		return MALFORMED;
	reply_add(reply, secret_span(&plain));
	return 0;
}

static int keyd_do_ticket(struct keyd *k, const struct span *f, struct reply *reply)
{
	CLEANUP(buf_done) struct buf info = {};
	CLEANUP(secret_done) struct secret key = secret_new(KEYD_TICKET_KEY);

	wrap_aad(&info, f, 2);
	TRY(kek_hkdf(secret_span(&k->kek.ticket), buf_span(&info), key.p, key.n));
	reply_add(reply, secret_span(&key));
	return 0;
}

/* Without a password it says only whether there is one. Which one it is does not leave this process,
 * and whoever may ask may not guess for long. */
static int keyd_do_store_password(struct keyd *k, const struct span *f, struct reply *reply)
{
	uint8_t has_password = k->kek.has_password;
	int r = 0;

	if (has_password && f[0].n) {
		if (!limiter_take(k->wrong, SPAN("store"), clock_monotonic_ms()))
			return KEYD_E_LATER;
		scrypt_begin(k);
		r = kek_check_password(&k->kek, f[0]);
		scrypt_end(k);
		if (r == KEK_E_REFUSED)
			return KEYD_E_PASSWORD;
		limiter_give(k->wrong, SPAN("store"));
	}
	if (!r)
		reply_add(reply, span_of(&has_password, sizeof has_password));
	return r;
}

static int (*const handlers[KEYD_REQUESTS])(struct keyd *, const struct span *, struct reply *) = {
	[KEYD_HELLO] = keyd_do_hello,
	[KEYD_GENERATE] = keyd_do_generate,
	[KEYD_WRAP] = keyd_do_wrap,
	[KEYD_LOAD] = keyd_do_load,
	[KEYD_FORGET] = keyd_do_forget,
	[KEYD_SIGN] = keyd_do_sign,
	[KEYD_DECRYPT] = keyd_do_decrypt,
	[KEYD_DERIVE] = keyd_do_derive,
	[KEYD_EXPORT] = keyd_do_export,
	[KEYD_SEAL] = keyd_do_seal,
	[KEYD_UNSEAL] = keyd_do_unseal,
	[KEYD_TICKET] = keyd_do_ticket,
	[KEYD_USER_GENERATE] = keyd_do_user_generate,
	[KEYD_USER_WRAP] = keyd_do_user_wrap,
	[KEYD_UNLOCK] = keyd_do_unlock,
	[KEYD_LOCK_SESSION] = keyd_do_lock_session,
	[KEYD_REWRAP] = keyd_do_rewrap,
	[KEYD_STORE_PASSWORD] = keyd_do_store_password,
	[KEYD_LEFT] = keyd_do_left,
};

int keyd_answer(struct keyd *k, struct span message, uint8_t *out, size_t *ret_n)
{
	struct reply reply = { .p = out, .n = sizeof(struct keyd_header) };
	struct span fields[KEYD_FIELDS] = {};
	struct keyd_header header;
	int r = keyd_message_read_request(message, k->role, &header, fields);

	if (r)
		return KEYD_ANSWER_E_MALFORMED;
	r = handlers[header.request](k, fields, &reply);
	if (r == MALFORMED)
		return KEYD_ANSWER_E_MALFORMED;
	if (r < 0)
		return r;
	header.outcome = (uint16_t)r;
	/* A refusal carries nothing, also where the handler had begun to write. */
	if (r)
		reply.n = sizeof header;
	memcpy(out, &header, sizeof header);
	*ret_n = reply.n;
	return 0;
}
