/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Profiles, the directory, and session tickets.
 *
 * A connection begins with the SSL_CTX of its listener's rules; what a profile says differently is
 * set on the SSL object from the ClientHello callback, which costs a domain without wishes of its
 * own nothing but its certificate. Tickets are the only kind of resumption: their keys come from
 * outside, by epoch, so that all loops, ports and nodes agree and nothing is stored. What each
 * connection does with all this is in net/tls_accept.c.
 */

#include "net/tls.h"

#include "base/alloc.h"
#include "base/limit.h"
#include "base/map.h"
#include "base/secret.h"
#include "net/tls_accept.h"
#include "net/tls_asked.h"
#include "net/tls_client.h"
#include "net/tls_challenge.h"
#include "net/tls_host.h"
#include "net/tls_staple.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/* Epochs whose tickets are good: those a lifetime reaches back to, this one, and the next, in
 * which another node's clock may already be. */
enum { TICKET_EPOCHS = TLS_TICKET_LIFETIME_S / TLS_TICKET_EPOCH_S + 2 };

/* In TLS 1.2 a ticket is renewed when this part of its lifetime is over. */
enum { RENEWED_PART = 8 };

struct ticket_key {
	int64_t epoch;
	struct secret key; /* 16 name, 32 AES, 32 HMAC */
};

struct tls_host {
	struct tls_rules *rules; /* where a directory has none */
	EVP_CIPHER *ticket_cipher;
	tls_ticket_key_fn *ticket_key;
	void *context;
	struct tls_challenges *challenges;

	struct tls_asked *asked;

	pthread_mutex_t lock; /* over what follows */
	struct tls_directory *directory;
	struct ticket_key keys[TICKET_EPOCHS];
	int64_t current_epoch;
};

int tls_fault(struct why *why, const char *fallback)
{
	const char *data = NULL;
	int flags = 0;
	/* The oldest entry is the cause; what is above it repeats it from further away. */
	unsigned long code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags);
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	if (reason && data && (flags & ERR_TXT_STRING) && *data)
		why_set(why, "%s (%s)", reason, data);
	else
		why_set(why, "%s", reason ? reason : fallback);
	ERR_clear_error();
	return err_fault(EPROTO, fallback);
}

struct tls_profile *tls_profile_new(const char *name)
{
	struct tls_profile *p = ALLOC(struct tls_profile);

	p->name = alloc_string(name);
	p->refs = 1;
	return p;
}

struct tls_profile *tls_profile_ref(struct tls_profile *p)
{
	(void)atomic_fetch_add(&p->refs, 1);
	return p;
}

struct tls_profile *tls_profile_unref(struct tls_profile *p)
{
	if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
		return NULL;
	for (size_t i = 0; i < p->n_identities; i++)
		tls_identity_done(&p->identities[i]);
	for (size_t i = 0; i < TLS_LISTENERS; i++)
		(void)tls_rules_unref(p->rules[i]);
	if (p->client_context_free)
		p->client_context_free(p->client_context);
	sk_X509_NAME_pop_free(p->client_names, X509_NAME_free);
	free(p->name);
	free(p);
	return NULL;
}

/* What a client must offer in "signature_algorithms" for this key. RSA signatures take too long for
 * a loop, and all clients can verify them. */
static int identity_classify(struct tls_identity *identity, EVP_PKEY *public)
{
	static const struct {
		const char *group;
		uint16_t curve, scheme;
	} curves[] = {
		{ "prime256v1", 23, 0x0403 },
		{ "secp384r1", 24, 0x0503 },
		{ "secp521r1", 25, 0x0603 },
	};
	char group[32];
	size_t n;

	if (EVP_PKEY_is_a(public, "RSA") || EVP_PKEY_is_a(public, "RSA-PSS")) {
		identity->is_slow = true;
		return 0;
	}
	if (EVP_PKEY_is_a(public, "ED25519")) {
		identity->scheme = 0x0807;
		return 0;
	}
	if (!EVP_PKEY_is_a(public, "EC") ||
		!EVP_PKEY_get_group_name(public, group, sizeof group, &n))
		return TLS_E_IDENTITY;
	for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
		if (strcmp(group, curves[i].group) == 0) {
			identity->scheme = curves[i].scheme;
			identity->curve = curves[i].curve;
			return 0;
		}
	}
	return TLS_E_IDENTITY;
}

static int identity_fill(struct tls_identity *identity, X509 *certificate, STACK_OF(X509) *chain,
	EVP_PKEY *key, struct why *why)
{
	if (chain) {
		identity->chain = X509_chain_up_ref(chain);
		if (!identity->chain)
			return tls_fault(why, "certificate chain");
	}
	(void)X509_up_ref(certificate);
	(void)EVP_PKEY_up_ref(key);
	identity->certificate = certificate;
	identity->key = key;
	return 0;
}

int tls_identity_make(struct tls_identity *ret_identity, X509 *certificate, STACK_OF(X509) *chain,
	EVP_PKEY *key, struct why *why)
{
	struct tls_identity identity = {};
	EVP_PKEY *public = X509_get0_pubkey(certificate);

	if (!public || identity_classify(&identity, public)) {
		ERR_clear_error();
		why_set(why, "a key of this kind cannot be used for TLS");
		return TLS_E_IDENTITY;
	}
	if (!X509_check_private_key(certificate, key)) {
		ERR_clear_error();
		why_set(why, "the key does not belong to the certificate");
		return TLS_E_IDENTITY;
	}
	TRY(identity_fill(&identity, certificate, chain, key, why));
	*ret_identity = identity;
	return 0;
}

void tls_identity_done(struct tls_identity *i)
{
	X509_free(i->certificate);
	sk_X509_pop_free(i->chain, X509_free);
	EVP_PKEY_free(i->key);
	(void)tls_staple_unref(i->staple);
	*i = (struct tls_identity){};
}

int tls_profile_add_identity(struct tls_profile *p, const struct tls_identity *identity,
	struct why *why)
{
	struct tls_identity *i = &p->identities[p->n_identities];

	if (p->n_identities == TLS_IDENTITIES) {
		why_set(why, "more than %d certificates for one domain", TLS_IDENTITIES);
		return TLS_E_IDENTITY;
	}
	*i = *identity;
	i->chain = NULL;
	i->staple = identity->staple ? tls_staple_ref(identity->staple) : NULL;
	TRY(identity_fill(i, identity->certificate, identity->chain, identity->key, why));
	p->n_identities++;
	return 0;
}

int tls_profile_add(struct tls_profile *p, X509 *certificate, STACK_OF(X509) *chain, EVP_PKEY *key,
	struct why *why)
{
	struct tls_identity identity;
	int r = tls_identity_make(&identity, certificate, chain, key, why);

	if (r)
		return r;
	r = tls_profile_add_identity(p, &identity, why);
	tls_identity_done(&identity);
	return r;
}

/* Whoever resumes is not asked for a certificate again. So a ticket must not be good for another
 * domain, nor after the rule for client certificates has changed under which it was made. */
static void profile_seal(struct tls_profile *p)
{
	const uint64_t numbers[] = { (uint64_t)p->client_mode };
	struct digest *d;

	/* In an older directory already: handshakes read it now. */
	if (p->is_sealed)
		return;
	p->is_sealed = true;
	d = digest_new();
	digest_add(d, span_of(p->name, strlen(p->name) + 1));
	digest_add(d, span_of(numbers, sizeof numbers));
	digest_add(d, span_of(p->client_rule, sizeof p->client_rule));
	digest_end(d, p->session_context);
	(void)digest_free(d);
}

struct tls_directory {
	struct map names;
	struct map addresses;
	struct tls_profile *fallback;
	struct tls_rules *rules[TLS_LISTENERS];
	_Atomic unsigned refs;
};

struct tls_directory *tls_directory_new(void)
{
	struct tls_directory *d = ALLOC(struct tls_directory);

	d->refs = 1;
	return d;
}

static void profile_unref_value(void *p)
{
	(void)tls_profile_unref(p);
}

struct tls_directory *tls_directory_unref(struct tls_directory *d)
{
	if (!d || atomic_fetch_sub(&d->refs, 1) != 1)
		return NULL;
	map_done(&d->names, profile_unref_value);
	map_done(&d->addresses, profile_unref_value);
	(void)tls_profile_unref(d->fallback);
	for (size_t i = 0; i < TLS_LISTENERS; i++)
		(void)tls_rules_unref(d->rules[i]);
	free(d);
	return NULL;
}

/* The name as key: lower-case, without a final dot. */
static struct span name_key(struct span name, uint8_t key[static LIMIT_NAME])
{
	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n > LIMIT_NAME)
		return (struct span){};
	for (size_t i = 0; i < name.n; i++)
		key[i] = octet_lower(name.p[i]);
	return span_of(key, name.n);
}

static void directory_put(struct map *m, struct span key, struct tls_profile *p)
{
	profile_seal(p);
	(void)tls_profile_unref(map_put(m, key, tls_profile_ref(p)));
}

void tls_directory_add_name(struct tls_directory *d, const char *name, struct tls_profile *p)
{
	uint8_t key[LIMIT_NAME];

	directory_put(&d->names, name_key(span_str(name), key), p);
}

void tls_directory_add_address(struct tls_directory *d, const struct net_address *local,
	struct tls_profile *p)
{
	directory_put(&d->addresses, net_address_octets(local), p);
}

void tls_directory_set_default(struct tls_directory *d, struct tls_profile *p)
{
	profile_seal(p);
	(void)tls_profile_unref(d->fallback);
	d->fallback = tls_profile_ref(p);
}

void tls_directory_set_rules(struct tls_directory *d, unsigned listener, struct tls_rules *rules)
{
	(void)tls_rules_unref(d->rules[listener]);
	d->rules[listener] = tls_rules_ref(rules);
}

struct tls_profile *tls_directory_find(const struct tls_directory *d, struct span name,
	const struct net_address *local)
{
	uint8_t key[LIMIT_NAME];
	struct span wanted = name_key(name, key);
	struct tls_profile *p = wanted.n ? map_get(&d->names, wanted) : NULL;

	if (!p)
		p = map_get(&d->addresses, net_address_octets(local));
	return p ? p : d->fallback;
}

/* The name, or one that it is below, is ours: others' names are nothing to remember. */
static bool directory_has_above(const struct tls_directory *d, struct span name)
{
	while (name.n && !map_get(&d->names, name))
		(void)span_cut(&name, '.');
	return name.n > 0;
}

/* With a reference; *ret_is_ours: the name is a domain's, or below one. */
static struct tls_profile *host_look_up(struct tls_host *h, struct span name,
	const struct net_address *local, bool *ret_is_ours)
{
	struct tls_profile *p = NULL;

	*ret_is_ours = false;
	(void)pthread_mutex_lock(&h->lock);
	if (h->directory) {
		p = tls_directory_find(h->directory, name, local);
		*ret_is_ours = directory_has_above(h->directory, name);
	}
	if (p)
		(void)tls_profile_ref(p);
	(void)pthread_mutex_unlock(&h->lock);
	return p;
}

struct tls_profile *tls_host_find(struct tls_host *h, struct span name,
	const struct net_address *local)
{
	uint8_t key[LIMIT_NAME];
	struct span wanted = name_key(name, key);
	bool is_ours;
	struct tls_profile *p = host_look_up(h, wanted, local, &is_ours);

	if (is_ours)
		tls_asked_add(h->asked, wanted);
	return p;
}

struct tls_asked *tls_host_asked(struct tls_host *h)
{
	return h->asked;
}

struct tls_profile *tls_host_profile(struct tls_host *h, const char *name)
{
	const struct net_address nowhere = {};
	bool is_ours;

	return host_look_up(h, span_str(name), &nowhere, &is_ours);
}

void tls_host_swap(struct tls_host *h, struct tls_directory *d)
{
	struct tls_directory *old;

	(void)pthread_mutex_lock(&h->lock);
	old = h->directory;
	h->directory = d;
	(void)pthread_mutex_unlock(&h->lock);
	(void)tls_directory_unref(old);
}

struct tls_rules *tls_host_rules(struct tls_host *h, unsigned listener)
{
	struct tls_rules *r;

	(void)pthread_mutex_lock(&h->lock);
	r = h->directory ? h->directory->rules[listener] : NULL;
	r = tls_rules_ref(r ? r : h->rules);
	(void)pthread_mutex_unlock(&h->lock);
	return r;
}

struct tls_challenges *tls_host_challenges(struct tls_host *h)
{
	return h->challenges;
}

static bool has_epoch(const struct tls_host *h, int64_t epoch)
{
	for (size_t i = 0; i < TICKET_EPOCHS; i++) {
		if (h->keys[i].key.p && h->keys[i].epoch == epoch)
			return true;
	}
	return false;
}

static int fetch_epoch(struct tls_host *h, int64_t epoch)
{
	struct ticket_key *slot = &h->keys[(uint64_t)epoch % TICKET_EPOCHS], old;
	struct secret key = secret_new(TLS_TICKET_KEY);
	int r = h->ticket_key(h->context, epoch, key.p);

	if (r) {
		secret_done(&key);
		return err_fold(r);
	}
	(void)pthread_mutex_lock(&h->lock);
	old = *slot;
	*slot = (struct ticket_key){ epoch, key };
	(void)pthread_mutex_unlock(&h->lock);
	secret_done(&old.key);
	return 0;
}

int tls_host_rotate(struct tls_host *h, int64_t now_us)
{
	int64_t current = now_us / 1000000 / TLS_TICKET_EPOCH_S;

	if (!h->ticket_key)
		return 0;
	for (int64_t epoch = current + 1; epoch > current + 1 - TICKET_EPOCHS; epoch--) {
		bool there;

		(void)pthread_mutex_lock(&h->lock);
		there = has_epoch(h, epoch);
		(void)pthread_mutex_unlock(&h->lock);
		if (!there)
			TRY(fetch_epoch(h, epoch));
	}
	(void)pthread_mutex_lock(&h->lock);
	h->current_epoch = current;
	(void)pthread_mutex_unlock(&h->lock);
	return 0;
}

/* Copies the current key (name NULL) or the one of that name, if there is one. */
static bool ticket_key_find(struct tls_host *h, const uint8_t *name,
	uint8_t ret_key[static TLS_TICKET_KEY])
{
	bool found = false;

	(void)pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < TICKET_EPOCHS && !found; i++) {
		const struct ticket_key *k = &h->keys[i];

		found = k->key.p && (name ? memcmp(k->key.p, name, 16) == 0 :
					    k->epoch == h->current_epoch);
		if (found)
			memcpy(ret_key, k->key.p, TLS_TICKET_KEY);
	}
	(void)pthread_mutex_unlock(&h->lock);
	return found;
}

static bool ticket_key_use(struct tls_host *h, uint8_t key[static TLS_TICKET_KEY],
	const uint8_t *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key + 48, 32),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_CipherInit_ex(cipher, h->ticket_cipher, NULL, key + 16, iv, encrypt) == 1 &&
		EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* What SSL_CTX_set_tlsext_ticket_key_evp_cb wants: -1 error, 0 no such key (or no ticket), 1 done. */
static int ticket_on_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int encrypt)
{
	struct tls_host *h = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	uint8_t key[TLS_TICKET_KEY];
	bool ok;

	if (!h->ticket_key || !ticket_key_find(h, encrypt ? NULL : name, key))
		return 0;
	if (encrypt) {
		memcpy(name, key, 16);
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(h->ticket_cipher)) != 1)
			return -1;
	}
	ok = ticket_key_use(h, key, iv, cipher, mac, encrypt);
	OPENSSL_cleanse(key, sizeof key);
	return ok ? 1 : -1;
}

/* The application data of a ticket: when the session's one full handshake was, then what there is of
 * a client's certificate. Empty if they are not of our making. */
static struct span session_data(SSL_SESSION *session)
{
	void *data = NULL;
	size_t n = 0;

	if (SSL_SESSION_get0_ticket_appdata(session, &data, &n) != 1 || n < sizeof(int64_t))
		return (struct span){};
	return span_of(data, n);
}

static int64_t session_began(SSL_SESSION *session)
{
	struct span data = session_data(session);
	int64_t began = 0;

	if (data.n)
		memcpy(&began, data.p, sizeof began);
	return began;
}

/* A ticket was read. Its lifetime counts from the last use, so it is renewed: in TLS 1.3 always, in
 * TLS 1.2 once a part of the lifetime is over. There, libssl as a client drops the ticket it has
 * when another comes, without telling its application of the new one: with a new one each time it
 * would begin every second connection from scratch. */
static SSL_TICKET_RETURN ticket_on_old(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
	size_t n_name, SSL_TICKET_STATUS status, void *context)
{
	const struct tls_accept *a = SSL_get_app_data(ssl);
	int64_t age_s, now = time(NULL);

	(void)name;
	(void)n_name;
	(void)context;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	age_s = now - SSL_SESSION_get_time(session);
	/* The lifetime may be shorter by now than when the ticket was given. */
	if (age_s >= a->rules->lifetime_s || now - session_began(session) >= TLS_TICKET_LIFETIME_S ||
		!tls_client_resume(SSL_get_app_data(ssl), session,
			span_skip(session_data(session), sizeof(int64_t))))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return SSL_version(ssl) <= TLS1_2_VERSION &&
			age_s < SSL_SESSION_get_timeout(session) / RENEWED_PART
		? SSL_TICKET_RETURN_USE
		: SSL_TICKET_RETURN_USE_RENEW;
}

/* Before a ticket is written: its life begins now, also if it renews another, but all of them
 * together end with the keying material's (RFC 8446 section 4.6.1). */
static int ticket_on_new(SSL *ssl, void *context)
{
	const struct tls_accept *a = SSL_get_app_data(ssl);
	SSL_SESSION *session = SSL_get_session(ssl);
	int64_t now = time(NULL), began = session_began(session), left;
	CLEANUP(buf_done) struct buf data = {};

	(void)context;
	if (began == 0)
		began = now;
	buf_add(&data, span_of(&began, sizeof began));
	if (!tls_client_keep(a, &data) ||
		SSL_SESSION_set1_ticket_appdata(session, buf_span(&data).p, buf_size(&data)) != 1)
		return 0;
	left = began + TLS_TICKET_LIFETIME_S - now;
	if (left > a->rules->lifetime_s)
		left = a->rules->lifetime_s;
	(void)SSL_SESSION_set_time(session, now);
	(void)SSL_SESSION_set_timeout(session, left);
	return 1;
}

int tls_host_set_up(struct tls_host *h, SSL_CTX *ctx, bool gives_tickets)
{
	(void)SSL_CTX_set_app_data(ctx, h);
	(void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		SSL_OP_CLEANSE_PLAINTEXT |
		/* The stream tells a cut connection from an ended one itself. */
		SSL_OP_IGNORE_UNEXPECTED_EOF |
		SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* A record in one read of the socket instead of two. */
	SSL_CTX_set_read_ahead(ctx, 1);
	/* Used only where a policy has suites with DHE. */
	(void)SSL_CTX_set_dh_auto(ctx, 1);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_timeout(ctx, TLS_TICKET_LIFETIME_S);
	tls_accept_set_up(ctx);
	tls_staple_set_up(ctx);
	gives_tickets &= h->ticket_key != NULL;
	if (!gives_tickets)
		(void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	/* A domain may give tickets where its listener does not. */
	if (SSL_CTX_set_num_tickets(ctx, gives_tickets ? 1 : 0) != 1 ||
		SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_on_key) != 1 ||
		SSL_CTX_set_session_ticket_cb(ctx, ticket_on_new, ticket_on_old, NULL) != 1)
		return tls_fault(NULL, "SSL_CTX");
	return 0;
}

static int default_rules(struct tls_host *h)
{
	struct tls_policy policy;
	struct why why;
	int r;

	tls_policy_init(&policy);
	r = tls_rules_new(&h->rules, h, &policy, &why);
	tls_policy_done(&policy);
	return r ? err_fold(r) : 0;
}

int tls_host_new(struct tls_host **ret_host, tls_ticket_key_fn *ticket_key, void *context)
{
	struct tls_host *h = ALLOC(struct tls_host);
	int r;

	(void)pthread_mutex_init(&h->lock, NULL);
	h->challenges = tls_challenges_new();
	h->asked = tls_asked_new();
	h->ticket_key = ticket_key;
	h->context = context;
	h->ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	r = h->ticket_cipher ? default_rules(h) : tls_fault(NULL, "EVP_CIPHER_fetch");
	if (r) {
		tls_host_free(h);
		return r;
	}
	*ret_host = h;
	return 0;
}

struct tls_host *tls_host_free(struct tls_host *h)
{
	if (!h)
		return NULL;
	(void)tls_rules_unref(h->rules);
	EVP_CIPHER_free(h->ticket_cipher);
	(void)tls_challenges_free(h->challenges);
	tls_asked_free(h->asked);
	(void)tls_directory_unref(h->directory);
	for (size_t i = 0; i < TICKET_EPOCHS; i++)
		secret_done(&h->keys[i].key);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
	return NULL;
}
