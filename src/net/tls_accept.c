/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The server's side of a handshake. In the ClientHello callback the domain is found (server name,
 * else local address, else the default) and its profile applied to the SSL object, field by field.
 *
 * Of a domain's certificates, one with an elliptic key is used alone if the client can verify it:
 * then the signature is cheap enough for the loop. Otherwise all are set, libssl picks, and the
 * callback suspends the handshake once so that the step that signs can run on another thread.
 */

#include "net/tls_accept.h"

#include "base/alloc.h"
#include "base/limit.h"
#include "net/tls_challenge.h"
#include "net/tls_client.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

enum { TLS13 = 0x0304 };

struct tls_service {
	struct tls_host *host;
	uint8_t *alpn; /* length-prefixed names, as on the wire */
	unsigned n_alpn;
	unsigned services;
	unsigned listener;
};

struct tls_service *tls_service_new(struct tls_host *h, const char *const *alpn)
{
	struct tls_service *s = ALLOC(struct tls_service);
	struct buf list = {};
	size_t n = 0;

	s->host = h;
	for (; alpn && *alpn; alpn++) {
		buf_add_octet(&list, (uint8_t)strlen(*alpn));
		buf_add_string(&list, *alpn);
	}
	s->alpn = buf_steal(&list, &n);
	s->n_alpn = (unsigned)n;
	return s;
}

struct tls_service *tls_service_free(struct tls_service *s)
{
	if (s) {
		free(s->alpn);
		free(s);
	}
	return NULL;
}

void tls_service_set(struct tls_service *s, unsigned services, unsigned listener)
{
	s->services = services;
	s->listener = listener;
}

static struct span hello_extension(SSL *ssl, unsigned type)
{
	const uint8_t *p = NULL;
	size_t n = 0;

	return SSL_client_hello_get0_ext(ssl, type, &p, &n) == 1 ? span_of(p, n) : (struct span){};
}

static bool list_has(struct span list, uint16_t wanted)
{
	for (size_t i = 0; i + 1 < list.n; i += 2) {
		if ((list.p[i] << 8 | list.p[i + 1]) == wanted)
			return true;
	}
	return false;
}

/* A list of 16-bit numbers behind a length of n_length octets. */
static bool hello_offers(SSL *ssl, unsigned type, size_t n_length, uint16_t wanted)
{
	return list_has(span_skip(hello_extension(ssl, type), n_length), wanted);
}

/* The default suites that go with an elliptic key. */
static bool hello_offers_ecdsa_suite(SSL *ssl)
{
	struct span ciphers = {};

	ciphers.n = SSL_client_hello_get0_ciphers(ssl, &ciphers.p);
	return list_has(ciphers, 0xC02B) || list_has(ciphers, 0xC02C) || list_has(ciphers, 0xCCA9);
}

/* RFC 6066 section 3; empty if there is none or it cannot be one. libssl refuses malformed ones
 * after us. */
static struct span hello_server_name(SSL *ssl)
{
	struct span ext = hello_extension(ssl, TLSEXT_TYPE_server_name);
	size_t n;

	if (ext.n < 5 || ext.p[2] != TLSEXT_NAMETYPE_host_name)
		return (struct span){};
	n = (size_t)ext.p[3] << 8 | ext.p[4];
	ext = span_skip(ext, 5);
	if (n == 0 || n > ext.n || n > LIMIT_NAME)
		return (struct span){};
	for (size_t i = 0; i < n; i++) {
		if (ext.p[i] <= ' ' || ext.p[i] >= 0x7F)
			return (struct span){};
	}
	return span_head(ext, n);
}

static bool client_can_verify(SSL *ssl, const struct tls_rules *r, const struct tls_identity *i)
{
	bool has_tls13 = hello_offers(ssl, TLSEXT_TYPE_supported_versions, 1, TLS13) &&
		r->max_version >= TLS1_3_VERSION;

	if (!i->scheme || !hello_offers(ssl, TLSEXT_TYPE_signature_algorithms, 2, i->scheme))
		return false;
	if (has_tls13)
		return true;
	return r->has_default_ciphers && hello_offers_ecdsa_suite(ssl) &&
		(!i->curve || hello_offers(ssl, TLSEXT_TYPE_supported_groups, 2, i->curve));
}

static bool apply_identity(SSL *ssl, const struct tls_identity *i)
{
	return SSL_use_cert_and_key(ssl, i->certificate, i->key, i->chain, 1) == 1;
}

static bool identity_serves(const struct tls_identity *i, unsigned services)
{
	return services == 0 || i->services == 0 || (i->services & services);
}

/* A domain that has no certificate for this service shows what it has: the name is right. */
static unsigned services_shown(const struct tls_accept *a, const struct tls_profile *p)
{
	for (size_t i = 0; i < p->n_identities; i++) {
		if (identity_serves(&p->identities[i], a->service->services))
			return a->service->services;
	}
	return 0;
}

static bool apply_identities(struct tls_accept *a, const struct tls_profile *p)
{
	unsigned services = services_shown(a, p);
	bool any_slow = false;

	for (size_t k = 0; k < p->n_identities; k++) {
		const struct tls_identity *i = &p->identities[k];

		if (!identity_serves(i, services))
			continue;
		if (!i->is_slow && client_can_verify(a->ssl, a->rules, i))
			return apply_identity(a->ssl, i);
		any_slow |= i->is_slow;
	}
	for (size_t k = 0; k < p->n_identities; k++) {
		const struct tls_identity *i = &p->identities[k];

		if (identity_serves(i, services) && !apply_identity(a->ssl, i))
			return false;
	}
	a->is_slow = any_slow;
	return true;
}

/* Both are digests of all that they stand for, so it takes the same domain, rule for client
 * certificates, and rules to resume. */
void tls_accept_context(const struct tls_accept *a, uint8_t ret_context[static SHA256_OCTETS])
{
	for (size_t i = 0; i < SHA256_OCTETS; i++)
		ret_context[i] = a->profile->session_context[i] ^ a->rules->digest[i];
}

static bool apply_session_context(struct tls_accept *a)
{
	uint8_t context[SHA256_OCTETS];

	tls_accept_context(a, context);
	return SSL_set_session_id_context(a->ssl, context, sizeof context) == 1;
}

/* The domain's rules, where it has its own for this listener. */
static bool apply_rules(struct tls_accept *a, const struct tls_profile *p)
{
	struct tls_rules *own = p->rules[a->service->listener];

	if (!own || own == a->rules)
		return true;
	(void)tls_rules_unref(a->rules);
	a->rules = tls_rules_ref(own);
	return tls_rules_apply(own, a->ssl);
}

/* RFC 8446 section 4.2.1: a client that sends no list offers what it puts into the old field. */
static bool hello_is_old(SSL *ssl)
{
	return hello_extension(ssl, TLSEXT_TYPE_supported_versions).n == 0 &&
		SSL_client_hello_get0_legacy_version(ssl) < TLS1_2_VERSION;
}

static bool apply_profile(struct tls_accept *a, const struct tls_profile *p)
{
	const struct tls_rules *r = a->rules;

	return (!*r->old_ciphers || !hello_is_old(a->ssl) ||
		       SSL_set_cipher_list(a->ssl, r->old_ciphers) == 1) &&
		apply_session_context(a) && tls_client_ask(a->ssl, p) && apply_identities(a, p);
}

static char *lower_string(struct span name)
{
	char *s = alloc_zero(name.n + 1);

	for (size_t i = 0; i < name.n; i++)
		s[i] = (char)octet_lower(name.p[i]);
	return s;
}

/* RFC 8737 section 3: exactly that one protocol is offered. */
static bool hello_is_challenge(SSL *ssl)
{
	static const char list[] = "\0\x0b\x0a" TLS_CHALLENGE_PROTOCOL;

	return span_equal(hello_extension(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation),
		span_of(list, sizeof list - 1));
}

/* A challenge for a name that none waits for is refused: the domain's own certificate would not be
 * what was asked for. */
static bool apply_challenge(struct tls_accept *a)
{
	struct span name = hello_server_name(a->ssl);
	X509 *certificate;
	EVP_PKEY *key;
	bool ok;

	if (!tls_challenge_find(a->service->host, name, &certificate, &key))
		return false;
	ok = SSL_use_cert_and_key(a->ssl, certificate, key, NULL, 1) == 1;
	a->is_slow = EVP_PKEY_is_a(key, "RSA");
	X509_free(certificate);
	EVP_PKEY_free(key);
	(void)SSL_set_options(a->ssl, SSL_OP_NO_TICKET);
	a->is_challenge = ok;
	return ok;
}

/* Finds the domain and does as it says; the alert, or 0. */
static int accept_choose(struct tls_accept *a)
{
	struct span name = hello_server_name(a->ssl);

	a->offer = ALLOC(struct tls_offer);
	tls_offer_read(a->offer, a->ssl);
	if (hello_is_challenge(a->ssl)) {
		a->refusal = "nobody waits for an ACME challenge for this name";
		return apply_challenge(a) ? 0 : SSL_AD_UNRECOGNIZED_NAME;
	}
	if (name.n)
		a->sni = lower_string(name);
	if (!a->rules->uses_sni)
		name = (struct span){};
	a->profile = tls_host_find(a->service->host, name, &a->local);
	if (!a->profile || a->profile->n_identities == 0) {
		a->refusal = "there is no TLS for the name that the client asks for: the domain's PKI is"
			" disabled";
		return SSL_AD_UNRECOGNIZED_NAME;
	}
	/* RFC 6176 section 3 allows such a hello; RFC 8446 appendix D.5 and RFC 9325 do not. */
	if (!apply_rules(a, a->profile) || !apply_profile(a, a->profile)) {
		a->refusal = "the domain's certificates or rules cannot be used";
		return SSL_AD_INTERNAL_ERROR;
	}
	if (a->offer->is_sslv2_hello && a->rules->refuses_sslv2_hello) {
		a->refusal = "the client sends its hello in the format of SSL 2, which is refused";
		return SSL_AD_PROTOCOL_VERSION;
	}
	/* Its certificate may come in a ticket, or so soon that this step would read it. */
	a->is_slow |= tls_client_is_asked(a);
	return 0;
}

/* Called again after it has suspended the handshake, and for the second ClientHello where one is
 * asked for (RFC 8446 section 4.1.4): what was decided stays. */
static int accept_on_hello(SSL *ssl, int *alert, void *context)
{
	struct tls_accept *a = SSL_get_app_data(ssl);
	int r = a->profile || a->is_challenge ? 0 : accept_choose(a);

	(void)context;
	if (r) {
		*alert = r;
		return SSL_CLIENT_HELLO_ERROR;
	}
	return a->is_slow && a->may_leave && !a->is_away ? SSL_CLIENT_HELLO_RETRY :
							   SSL_CLIENT_HELLO_SUCCESS;
}

/* RFC 7301 section 3.2: a client that knows none of our protocols is in the wrong place. */
static int accept_on_alpn(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_n,
	const unsigned char *offered, unsigned n_offered, void *context)
{
	const struct tls_accept *a = SSL_get_app_data(ssl);
	unsigned char *chosen = NULL;

	(void)context;
	if (a->is_challenge) {
		*ret_name = offered + 1;
		*ret_n = offered[0];
		return SSL_TLSEXT_ERR_OK;
	}
	if (a->service->n_alpn == 0)
		return SSL_TLSEXT_ERR_NOACK;
	if (SSL_select_next_proto(&chosen, ret_n, a->service->alpn, a->service->n_alpn, offered,
		    n_offered) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret_name = chosen;
	return SSL_TLSEXT_ERR_OK;
}

void tls_accept_set_up(SSL_CTX *ctx)
{
	SSL_CTX_set_client_hello_cb(ctx, accept_on_hello, NULL);
	SSL_CTX_set_alpn_select_cb(ctx, accept_on_alpn, NULL);
	tls_client_set_up(ctx);
}

struct tls_accept *tls_accept_new(struct tls_service *service, int fd,
	const struct net_address *local, bool may_leave)
{
	struct tls_accept *a = ALLOC(struct tls_accept);

	a->service = service;
	a->local = *local;
	a->may_leave = may_leave;
	a->rules = tls_host_rules(service->host, service->listener);
	a->ssl = SSL_new(a->rules->ctx);
	if (!a->ssl || SSL_set_fd(a->ssl, fd) != 1) {
		ERR_clear_error();
		return tls_accept_free(a);
	}
	(void)SSL_set_app_data(a->ssl, a);
	SSL_set_accept_state(a->ssl);
	return a;
}

struct tls_accept *tls_accept_free(struct tls_accept *a)
{
	if (!a)
		return NULL;
	SSL_free(a->ssl);
	(void)tls_profile_unref(a->profile);
	(void)tls_client_unref(a->client);
	(void)tls_client_unref(a->resumed_client);
	(void)tls_rules_unref(a->rules);
	free((void *)(uintptr_t)a->info.alpn);
	free((void *)(uintptr_t)a->info.offered);
	free(a->offer);
	free(a->sni);
	free(a);
	return NULL;
}

/* What is known, however it ended; the offer is not needed any more. */
static void accept_note(struct tls_accept *a)
{
	struct buf offered = {};

	if (a->offer && a->rules->log == TLS_LOG_DETAILS)
		tls_offer_add(a->offer, &offered);
	free(TAKE(a->offer));
	a->info = (struct tls_info){
		.sni = a->sni,
		.offered = buf_size(&offered) ? buf_steal_string(&offered) : NULL,
		.rules = a->rules,
		.profile = a->profile,
		.client = a->client,
	};
}

static void accept_finish(struct tls_accept *a)
{
	const unsigned char *alpn = NULL;
	unsigned n_alpn = 0;
	int group = (int)SSL_get_negotiated_group(a->ssl);

	SSL_get0_alpn_selected(a->ssl, &alpn, &n_alpn);
	accept_note(a);
	a->info = (struct tls_info){
		.version = SSL_get_version(a->ssl),
		.cipher = SSL_get_cipher_name(a->ssl),
		.group = group ? SSL_group_to_name(a->ssl, group) : NULL,
		.sni = a->sni,
		.alpn = n_alpn ? span_to_string(span_of(alpn, n_alpn)) : NULL,
		.offered = a->info.offered,
		.rules = a->rules,
		.profile = a->profile,
		.resumed = SSL_session_reused(a->ssl),
		.client = SSL_session_reused(a->ssl) ? a->resumed_client : a->client,
	};
}

/* Why libssl gave up. */
static int accept_fault(struct tls_accept *a, struct why *why)
{
	unsigned long code = ERR_peek_error();
	struct why better;
	bool has_better = tls_reason(code, a->offer, a->rules, &better);
	int r = tls_fault(why, "handshake failed");

	if (a->is_client_refused)
		why_set(why, "client certificate: %s", a->client->reason);
	else if (ERR_GET_REASON(code) == SSL_R_CALLBACK_FAILED && a->refusal)
		why_set(why, "%s", a->refusal);
	else if (has_better)
		why_set(why, "%s", better.text);
	return r;
}

/* The peer went, or the connection broke. */
static int accept_broke(int error, struct why *why)
{
	int r = tls_fault(why, "peer closed");

	if (error)
		why_set(why, "%s", strerror(error));
	else
		why_set(why, "peer closed");
	return r;
}

static int accept_wait(struct tls_accept *a, int error, int saved_errno, struct why *why)
{
	switch (error) {
	case SSL_ERROR_WANT_READ:
		return TLS_ACCEPT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_ACCEPT_WRITE;
	case SSL_ERROR_WANT_CLIENT_HELLO_CB:
		return TLS_ACCEPT_LEAVE;
	case SSL_ERROR_SYSCALL:
		return accept_broke(saved_errno, why);
	case SSL_ERROR_ZERO_RETURN:
		return accept_broke(0, why);
	default:
		return accept_fault(a, why);
	}
}

int tls_accept_step(struct tls_accept *a, struct why *why)
{
	int r, saved_errno;

	/* What is read next may hold a certificate: to validate it, and to verify a signature with a
	 * key of the client's choice, takes longer than a loop has. */
	if (tls_client_is_asked(a) && a->may_leave && !a->is_away)
		return TLS_ACCEPT_LEAVE;
	ERR_clear_error();
	errno = 0;
	r = SSL_do_handshake(a->ssl);
	saved_errno = errno;
	if (r == 1 && !a->is_challenge) {
		accept_finish(a);
		return 0;
	}
	if (r == 1) {
		(void)SSL_shutdown(a->ssl);
		r = tls_fault(why, "ACME challenge answered");
	} else {
		r = accept_wait(a, SSL_get_error(a->ssl, r), saved_errno, why);
	}
	if (r < 0)
		accept_note(a);
	return r;
}

int tls_binding(SSL *ssl, uint8_t ret_binding[static TLS_BINDING])
{
	static const char label[] = "EXPORTER-Channel-Binding";

	if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1)
		return TLS_E_NO_BINDING;
	if (SSL_export_keying_material(ssl, ret_binding, TLS_BINDING, label, sizeof label - 1, NULL,
		    0, 0) != 1)
		return tls_fault(NULL, "SSL_export_keying_material");
	return 0;
}
