/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Passwords. Three things bound what a guesser gets: argon2id costs 19 MiB and tens of
 * milliseconds, so a semaphore bounds how many run at a time; every try takes a token of the peer
 * and of the account before it is checked and gets it back when it was right, so tries made side by
 * side count too; and a name that nobody has costs the same work as one with a wrong password.
 *
 * A verified login is remembered as an HMAC over account, state and password under a key that
 * exists only in this process. The state of an account changes with password, role and the like, so
 * nothing has to be told to forget. The table has one slot per account and overwrites on collision.
 */

#include "svc/auth.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/random.h"
#include "keyd/client.h"
#include "net/tls.h"
#include "store/domain.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/client.h"
#include "svc/env.h"
#include "svc/sasl.h"

#include <argon2.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

/* RFC 9106 section 4 and OWASP's smaller choice: m=19 MiB, t=2, p=1. */
enum {
	ARGON_MEMORY_KIB = 19 << 10,
	ARGON_PASSES = 2,
	ARGON_LANES = 1,
	ARGON_SALT = 16,
	ARGON_HASH = 32,
	ARGON_AT_A_TIME = 4,
	ARGON_TEXT = 200, /* octets of the string with these parameters, with room */
};

enum { REMEMBERED = 1 << 14 }; /* slots: 800 KiB */

struct remembered {
	int64_t account;
	int64_t until_ms;
	uint8_t mac[SHA256_OCTETS];
};

struct auth {
	pthread_mutex_t lock;
	pthread_cond_t free_slot;
	unsigned n_hashing;
	uint8_t cache_key[SHA256_OCTETS];
	uint8_t fake_key[SHA256_OCTETS];
	char *dummy; /* argon2id string of a password nobody knows */
	struct remembered *remembered;
};

static void hashing_begin(struct auth *a)
{
	(void)pthread_mutex_lock(&a->lock);
	while (a->n_hashing == ARGON_AT_A_TIME)
		(void)pthread_cond_wait(&a->free_slot, &a->lock);
	a->n_hashing++;
	(void)pthread_mutex_unlock(&a->lock);
}

static void hashing_end(struct auth *a)
{
	(void)pthread_mutex_lock(&a->lock);
	a->n_hashing--;
	(void)pthread_cond_signal(&a->free_slot);
	(void)pthread_mutex_unlock(&a->lock);
}

int auth_hash(struct auth *a, struct span prepared, struct buf *out)
{
	uint8_t salt[ARGON_SALT];
	char text[ARGON_TEXT];
	int r;

	random_fill(salt, sizeof salt);
	hashing_begin(a);
	r = argon2id_hash_encoded(ARGON_PASSES, ARGON_MEMORY_KIB, ARGON_LANES, prepared.p,
		prepared.n, salt, sizeof salt, ARGON_HASH, text, sizeof text);
	hashing_end(a);
	if (r != ARGON2_OK)
		return err_fault(ENOMEM, argon2_error_message(r));
	buf_add_string(out, text);
	return 0;
}

bool auth_hash_matches(struct auth *a, struct span prepared, struct span hash)
{
	CLEANUP(alloc_freep) char *text = span_to_string(hash);
	int r;

	if (!text)
		return false;
	hashing_begin(a);
	r = argon2id_verify(text, prepared.p, prepared.n);
	hashing_end(a);
	return r == ARGON2_OK;
}

struct auth *auth_new(void)
{
	struct auth *a = ALLOC(struct auth);
	CLEANUP(buf_done) struct buf dummy = {};
	uint8_t password[32];

	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_cond_init(&a->free_slot, NULL);
	random_fill(a->cache_key, sizeof a->cache_key);
	random_fill(a->fake_key, sizeof a->fake_key);
	random_fill(password, sizeof password);
	a->remembered = alloc_array(NULL, REMEMBERED, sizeof *a->remembered);
	memset(a->remembered, 0, REMEMBERED * sizeof *a->remembered);
	if (auth_hash(a, span_of(password, sizeof password), &dummy))
		abort(); /* no memory */
	a->dummy = buf_steal_string(&dummy);
	return a;
}

struct auth *auth_free(struct auth *a)
{
	if (a) {
		(void)pthread_mutex_destroy(&a->lock);
		(void)pthread_cond_destroy(&a->free_slot);
		explicit_bzero(a->cache_key, sizeof a->cache_key);
		free(a->remembered);
		free(a->dummy);
		free(a);
	}
	return NULL;
}

/* RFC 4013 section 2.1 and 2.3: what a password may not hold. Unassigned code points pass: the
 * standard's table ends with Unicode 3.2. */
static bool is_prohibited(ucs4_t c)
{
	return uc_is_general_category_withtable(
		       c, UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cs | UC_CATEGORY_MASK_Co |
				  UC_CATEGORY_MASK_Zl | UC_CATEGORY_MASK_Zp) ||
	       (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE;
}

/* RFC 4013 section 2.1: other spaces become a space, what is commonly mapped to nothing goes. */
static void map_character(ucs4_t c, uint8_t *out, size_t *n)
{
	if (c == 0x00AD || c == 0x034F || c == 0x1806 || (c >= 0x180B && c <= 0x180D) ||
		(c >= 0x200B && c <= 0x200D) || c == 0x2060 || (c >= 0xFE00 && c <= 0xFE0F) ||
		c == 0xFEFF)
		return;
	if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Zs))
		c = ' ';
	*n += (size_t)u8_uctomb(out + *n, c, 6);
}

int auth_prepare(struct span password, struct secret *ret_prepared, struct why *why)
{
	struct secret mapped;
	uint8_t *normal;
	size_t n = 0, n_normal = 0;
	bool ok = true;

	if (password.n == 0 || password.n > LIMIT_PASSWORD) {
		why_set(why, "a password has 1 to %d octets", LIMIT_PASSWORD);
		return AUTH_E_PASSWORD;
	}
	if (!span_is_utf8(password)) {
		why_set(why, "a password is text in UTF-8");
		return AUTH_E_PASSWORD;
	}
	mapped = secret_new(password.n + 8);
	for (size_t i = 0; i < password.n && ok;) {
		ucs4_t c;

		i += (size_t)u8_mbtouc(&c, password.p + i, password.n - i);
		ok = !is_prohibited(c);
		if (ok)
			map_character(c, mapped.p, &n);
	}
	normal = ok ? u8_normalize(UNINORM_NFKC, mapped.p, n, NULL, &n_normal) : NULL;
	secret_done(&mapped);
	if (!normal || n_normal == 0) {
		free(normal);
		why_set(why, "a password cannot hold control characters or be empty");
		return AUTH_E_PASSWORD;
	}
	*ret_prepared = secret_copy(span_of(normal, n_normal));
	explicit_bzero(normal, n_normal);
	free(normal);
	return 0;
}

struct span auth_peer_key(const struct net_address *peer)
{
	return net_address_is_loopback(peer) ? SPAN("") : net_address_key(peer);
}

bool auth_is_current(const struct auth_identity *who, const struct store_account *account)
{
	return who->account == account->id && who->state == account->state && !account->disabled;
}

void auth_attempt_init(struct auth_attempt *t, const struct auth_source *from, struct span user,
	struct span password)
{
	*t = (struct auth_attempt){};
	buf_add(&t->peer, from->peer);
	if (from->domain)
		t->domain = alloc_string(from->domain);
	if (from->client)
		t->client = tls_client_ref(from->client);
	buf_add(&t->user, user);
	/* What cannot be a password stays empty, and the empty one is never right. */
	if (password.n)
		(void)!auth_prepare(password, &t->password, NULL);
}

void auth_attempt_done(struct auth_attempt *t)
{
	buf_done(&t->peer);
	free(t->domain);
	free(t->strict);
	(void)tls_client_unref(t->client);
	buf_done(&t->user);
	secret_done(&t->password);
	buf_done(&t->hash);
	buf_done(&t->scram);
}

static void cache_mac(
	struct auth *a, const struct auth_attempt *t, uint8_t ret_mac[static SHA256_OCTETS])
{
	uint8_t text[2 * sizeof(uint64_t) + SHA256_OCTETS];

	memcpy(text, &t->who.account, sizeof t->who.account);
	memcpy(text + sizeof t->who.account, &t->who.state, sizeof t->who.state);
	digest_hmac_sha256(span_of(a->cache_key, sizeof a->cache_key), secret_span(&t->password),
		text + 2 * sizeof(uint64_t));
	digest_hmac_sha256(
		span_of(a->cache_key, sizeof a->cache_key), span_of(text, sizeof text), ret_mac);
}

static struct remembered *cache_slot(struct auth *a, int64_t account)
{
	return &a->remembered[(uint64_t)account % REMEMBERED];
}

static bool cache_knows(struct auth *a, const struct auth_attempt *t)
{
	uint8_t mac[SHA256_OCTETS];
	const struct remembered *slot = cache_slot(a, t->who.account);
	bool known;

	cache_mac(a, t, mac);
	(void)pthread_mutex_lock(&a->lock);
	known = slot->account == t->who.account && slot->until_ms > clock_monotonic_ms() &&
		span_equal_secret(span_of(mac, sizeof mac), span_of(slot->mac, sizeof slot->mac));
	(void)pthread_mutex_unlock(&a->lock);
	return known;
}

static void cache_remember(struct env *e, const struct auth_attempt *t)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(e->store);
	struct remembered entry = {
		.account = t->who.account,
		.until_ms = clock_monotonic_ms() + (int64_t)settings->login_cache_s * 1000,
	};

	cache_mac(e->auth, t, entry.mac);
	(void)pthread_mutex_lock(&e->auth->lock);
	*cache_slot(e->auth, entry.account) = entry;
	(void)pthread_mutex_unlock(&e->auth->lock);
}

int auth_source_fits(struct env *e, const char *domain, bool required,
	const struct auth_source *from, bool *ret_fits)
{
	int r;

	*ret_fits = !required;
	if (!required || !from->domain || !from->client || strcmp(from->domain, domain) != 0)
		return 0;
	r = client_check(e, from->domain, from->client, NULL);
	*ret_fits = r == 0;
	return r < 0 ? r : 0;
}

/* Found out without looking whether there is such an account: it must not show. */
static int attempt_find_domain(struct store_conn *c, struct auth_attempt *t)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct store_domain domain;
	int r = store_domain_of_login(c, &arena, buf_span(&t->user), &domain);

	free(TAKE(t->strict));
	if (r == STORE_E_NOT_FOUND)
		return 0;
	TRY(r);
	if (domain.client_required)
		t->strict = alloc_string(domain.name);
	return 0;
}

/* Before anything about the password. */
static int attempt_check_source(struct env *e, const struct auth_attempt *t)
{
	const struct auth_source from = { .domain = t->domain, .client = t->client };
	bool fits;

	TRY(auth_source_fits(e, t->strict, t->strict != NULL, &from, &fits));
	return fits ? 0 : AUTH_E_CERTIFICATE;
}

static int attempt_take(struct auth_attempt *t, const struct store_account *account)
{
	if (account->address.n >= sizeof t->who.address)
		return err_fault(EOVERFLOW, "address of an account");
	t->known = true;
	t->disabled = account->disabled;
	t->who = (struct auth_identity){
		.account = account->id,
		.role = account->role,
		.state = account->state,
	};
	memcpy(t->who.address, account->address.p, account->address.n);
	return 0;
}

int auth_find(struct env *e, struct store_conn *c, struct auth_attempt *t)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct store_account account;
	struct store_credentials credentials;
	int r;

	t->known = t->remembered = false;
	buf_clear(&t->hash);
	buf_clear(&t->scram);
	TRY(attempt_find_domain(c, t));
	r = store_account_find(c, &arena, buf_span(&t->user), &account, &credentials);
	if (r == STORE_E_NOT_FOUND)
		return 0;
	TRY(r);
	TRY(attempt_take(t, &account));
	buf_add(&t->hash, credentials.hash);
	buf_add(&t->scram, credentials.scram);
	t->remembered = t->password.n && !account.disabled && cache_knows(e->auth, t);
	return 0;
}

/* What failures for this account, or this name that nobody has, are counted by. */
static void account_key(const struct auth_attempt *t, struct buf *out)
{
	struct span user = span_head(buf_span(&t->user), LIMIT_ADDRESS);

	if (t->known) {
		buf_add_format(out, "account %lld", (long long)t->who.account);
		return;
	}
	buf_add_string(out, "name ");
	for (size_t i = 0; i < user.n; i++)
		buf_add_octet(out, octet_lower(user.p[i]));
}

/* The peer; on this machine, where one address may be everybody's, what it tries to be. */
static void peer_key(const struct auth_attempt *t, struct buf *out)
{
	buf_add(out, buf_span(&t->peer));
	if (buf_size(out) == 0) {
		buf_add_string(out, "here ");
		account_key(t, out);
	}
}

static bool peer_take(struct env *e, const struct auth_attempt *t, int64_t now_ms)
{
	CLEANUP(buf_done) struct buf key = {};

	peer_key(t, &key);
	return limiter_take(e->login_failures, buf_span(&key), now_ms);
}

static void peer_give(struct env *e, const struct auth_attempt *t)
{
	CLEANUP(buf_done) struct buf key = {};

	peer_key(t, &key);
	limiter_give(e->login_failures, buf_span(&key));
}

/* A try costs a token of the peer and of the account. */
static bool attempt_count(struct env *e, struct auth_attempt *t)
{
	CLEANUP(buf_done) struct buf key = {};
	int64_t now_ms = clock_monotonic_ms();

	account_key(t, &key);
	if (!peer_take(e, t, now_ms))
		return false;
	if (!limiter_take(e->login_accounts, buf_span(&key), now_ms)) {
		/* Somebody else's guesses at this account are not this peer's failures. */
		peer_give(e, t);
		return false;
	}
	t->counted = true;
	return true;
}

static int attempt_end(struct env *e, struct auth_attempt *t, bool proven)
{
	CLEANUP(buf_done) struct buf key = {};

	if (!proven || !t->known || t->disabled)
		return AUTH_E_REFUSED;
	if (t->counted) {
		account_key(t, &key);
		peer_give(e, t);
		limiter_give(e->login_accounts, buf_span(&key));
	}
	return 0;
}

int auth_verify(struct env *e, struct auth_attempt *t)
{
	struct span hash = t->known ? buf_span(&t->hash) : span_str(e->auth->dummy);
	bool matches;
	int r = attempt_check_source(e, t);

	if (r)
		return r;
	if (t->remembered)
		return attempt_end(e, t, true);
	if (!attempt_count(e, t))
		return AUTH_E_TOO_MANY;
	matches = auth_hash_matches(e->auth, secret_span(&t->password), hash) && t->password.n;
	if (matches && t->known && !t->disabled)
		cache_remember(e, t);
	return attempt_end(e, t, matches);
}

/* A verifier as keyd seals it. */
enum { VERIFIER_OCTETS = 4 + SCRAM_SALT + 2 * SHA256_OCTETS };

static void verifier_pack(const struct scram_verifier *v, uint8_t p[static VERIFIER_OCTETS])
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v->iterations >> (24 - 8 * i));
	memcpy(p + 4, v->salt, SCRAM_SALT);
	memcpy(p + 4 + SCRAM_SALT, v->stored_key, SHA256_OCTETS);
	memcpy(p + 4 + SCRAM_SALT + SHA256_OCTETS, v->server_key, SHA256_OCTETS);
}

static void verifier_unpack(const uint8_t p[static VERIFIER_OCTETS], struct scram_verifier *v)
{
	v->iterations = 0;
	for (unsigned i = 0; i < 4; i++)
		v->iterations = v->iterations << 8 | p[i];
	memcpy(v->salt, p + 4, SCRAM_SALT);
	memcpy(v->stored_key, p + 4 + SCRAM_SALT, SHA256_OCTETS);
	memcpy(v->server_key, p + 4 + SCRAM_SALT + SHA256_OCTETS, SHA256_OCTETS);
}

/* One owner for all: an account's address may change, and who can write the database could replace
 * the argon2id string as well. */
static const struct span scram_owner = { (const uint8_t *)"scram", 5 };

/* For names without a verifier: always the same salt for a name, and keys nobody has. keyd is asked
 * to seal it so that it takes as long as opening a real one. */
static int fake_verifier(struct env *e, const struct auth_attempt *t, struct scram_verifier *v)
{
	CLEANUP(buf_done) struct buf key = {};
	CLEANUP(buf_done) struct buf sealed = {};
	uint8_t packed[VERIFIER_OCTETS], salt[SHA256_OCTETS];
	struct span fake_key = span_of(e->auth->fake_key, sizeof e->auth->fake_key);

	account_key(t, &key);
	digest_hmac_sha256(fake_key, buf_span(&key), salt);
	v->iterations = SCRAM_ITERATIONS;
	memcpy(v->salt, salt, SCRAM_SALT);
	random_fill(v->stored_key, sizeof v->stored_key);
	random_fill(v->server_key, sizeof v->server_key);
	verifier_pack(v, packed);
	TRY(keyd_seal(e->keyd, span_of(packed, sizeof packed), scram_owner, KEYD_SCRAM, &sealed));
	return 0;
}

int auth_scram(struct env *e, struct auth_attempt *t, struct scram_verifier *ret_verifier)
{
	struct secret plain = {};
	bool whole;
	int r = attempt_check_source(e, t);

	if (r)
		return r;
	if (!attempt_count(e, t))
		return AUTH_E_TOO_MANY;
	if (!t->known || buf_size(&t->scram) == 0)
		return fake_verifier(e, t, ret_verifier);
	TRY(keyd_unseal(e->keyd, buf_span(&t->scram), scram_owner, KEYD_SCRAM, &plain));
	whole = plain.n == VERIFIER_OCTETS;
	if (whole)
		verifier_unpack(plain.p, ret_verifier);
	secret_done(&plain);
	return whole ? 0 : err_fault(EBADMSG, "sealed SCRAM verifier");
}

int auth_scram_end(struct env *e, struct auth_attempt *t, bool proven)
{
	return attempt_end(e, t, proven && buf_size(&t->scram));
}

/* The identity to act as, and whose certificate it is. */
struct name_check {
	struct span name;
	int64_t account;
	bool own;
};

static int check_name(struct store_conn *c, void *arg)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct name_check *check = arg;
	struct store_account named;
	int r = store_account_find(c, &arena, check->name, &named, NULL);

	check->own = r == 0 && named.id == check->account;
	return r < 0 ? r : 0;
}

/* RFC 4422 section A.1: prepared as login names are; another one than the certificate's is refused. */
static int is_own_name(struct env *e, struct span name, int64_t account, bool *ret_own)
{
	struct name_check check = { .name = name, .account = account };

	*ret_own = true;
	if (name.n == 0)
		return 0;
	TRY(store_read(e->store, check_name, &check));
	*ret_own = check.own;
	return 0;
}

/* AUTH_E_REFUSED with why. */
static int find_certified(struct env *e, struct auth_attempt *t, struct why *why)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct store_account account;
	bool own;
	int r;

	if (!t->domain || !t->client) {
		why_set(why, "no client certificate was presented");
		return AUTH_E_REFUSED;
	}
	/* What the handshake has refused is not read again at the client's pleasure. */
	if (t->client->result != X509_V_OK) {
		why_set(why, "%s", t->client->reason ? t->client->reason :
			"the client certificate is not valid");
		return AUTH_E_REFUSED;
	}
	r = client_identify(e, &arena, t->domain, t->client, &account, why);
	if (r)
		return r < 0 ? r : AUTH_E_REFUSED;
	TRY(is_own_name(e, buf_span(&t->user), account.id, &own));
	if (!own) {
		why_set(why, "the certificate is another account's");
		return AUTH_E_REFUSED;
	}
	return attempt_take(t, &account);
}

/* Nobody guesses a certificate: who has the right one is not locked out by those who guess passwords. */
int auth_external(struct env *e, struct auth_attempt *t, struct why *why)
{
	int r = find_certified(e, t, why);

	if (r <= 0)
		return r;
	if (attempt_count(e, t))
		return AUTH_E_REFUSED;
	why_set(why, "too many failed logins");
	return AUTH_E_TOO_MANY;
}

int auth_make_credentials(struct env *e, struct span password, struct arena *a,
	struct store_credentials *ret_credentials, struct why *why)
{
	CLEANUP(secret_done) struct secret prepared = {};
	CLEANUP(buf_done) struct buf hash = {};
	CLEANUP(buf_done) struct buf sealed = {};
	struct scram_verifier verifier;
	uint8_t packed[VERIFIER_OCTETS], salt[SCRAM_SALT];
	int r = auth_prepare(password, &prepared, why);

	if (r)
		return r;
	TRY(auth_hash(e->auth, secret_span(&prepared), &hash));
	random_fill(salt, sizeof salt);
	scram_verifier_make(&verifier, secret_span(&prepared), SCRAM_ITERATIONS, salt);
	verifier_pack(&verifier, packed);
	r = keyd_seal(e->keyd, span_of(packed, sizeof packed), scram_owner, KEYD_SCRAM, &sealed);
	explicit_bzero(&verifier, sizeof verifier);
	explicit_bzero(packed, sizeof packed);
	TRY(r);
	ret_credentials->hash = arena_span(a, buf_span(&hash));
	ret_credentials->scram = arena_span(a, buf_span(&sealed));
	return 0;
}

struct password_check {
	struct env *env;
	struct auth_attempt attempt;
};

static int password_find(struct store_conn *c, void *arg)
{
	struct password_check *check = arg;

	return auth_find(check->env, c, &check->attempt);
}

int auth_certificate(struct env *e, const struct auth_source *from, struct auth_identity *ret_who,
	struct why *why)
{
	struct auth_attempt attempt;
	int r;

	auth_attempt_init(&attempt, from, SPAN(""), SPAN(""));
	r = auth_external(e, &attempt, why);
	if (r == 0)
		*ret_who = attempt.who;
	auth_attempt_done(&attempt);
	return r;
}

int auth_password(struct env *e, const struct auth_source *from, struct span user,
	struct span password, struct auth_identity *ret_who)
{
	struct password_check check = { .env = e };
	int r;

	auth_attempt_init(&check.attempt, from, user, password);
	r = store_read(e->store, password_find, &check);
	r = r ? err_fold(r) : auth_verify(e, &check.attempt);
	if (r == 0)
		*ret_who = check.attempt.who;
	auth_attempt_done(&check.attempt);
	return r;
}
