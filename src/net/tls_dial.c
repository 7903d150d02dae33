/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "net/tls_dial.h"

#include "base/alloc.h"
#include "net/dial.h"
#include "net/tls_host.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Who need not be verified may be old: weak is better than clear (RFC 7435 section 3), and what is
 * not accepted is sent in clear or not at all. Level 1 asks for 80 bits, level 2 for 112, level 0
 * lets in the signatures of TLS 1.0 and 1.1.
 */
enum { LEVEL_OLD = 0, LEVEL_ANYBODY = 1, LEVEL_VERIFIED = 2 };

/* rsa_pss_rsae_sha256 to _sha512 (RFC 8446 section 4.2.3). */
enum { PSS_RSAE_FIRST = 0x0804, PSS_RSAE_LAST = 0x0806 };

static const int versions[TLS_VERSIONS] = { TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION,
	TLS1_3_VERSION };

struct tls_dial {
	SSL_CTX *ctx;
	SSL *ssl;
	struct tls_dial_target target;
	STACK_OF(X509) *chain; /* of the server: the session's own goes when a ticket comes */
	bool is_verified, asked, sent;
	struct why refusal;
};

/* Instead of X509_verify_cert, which would look for a path in ways of its own. */
static int on_verify(X509_STORE_CTX *ctx, void *context)
{
	struct tls_dial *d = context;

	if (!d->target.verify)
		return 1;
	d->is_verified = d->target.verify(d->target.context, X509_STORE_CTX_get0_cert(ctx),
		X509_STORE_CTX_get0_untrusted(ctx), &d->refusal);
	ERR_clear_error();
	if (d->is_verified || !d->target.requires_valid)
		return 1;
	/* The server is told bad_certificate. */
	X509_STORE_CTX_set_error(ctx, X509_V_ERR_CERT_REJECTED);
	return 0;
}

/* Whether the identity's key makes signatures of that scheme: RFC 8446 section 4.2.3; in TLS 1.2
 * ECDSA says nothing of the curve (RFC 5246 section 7.4.1.4.1). */
static bool makes_scheme(const SSL *ssl, const struct tls_identity *own, uint8_t hash, uint8_t sign)
{
	uint16_t scheme = (uint16_t)(hash << 8 | sign);

	if (!own->scheme)
		return (scheme >= PSS_RSAE_FIRST && scheme <= PSS_RSAE_LAST) ||
		       (sign == TLSEXT_signature_rsa && SSL_version(ssl) < TLS1_3_VERSION);
	if (own->curve && SSL_version(ssl) < TLS1_3_VERSION)
		return sign == TLSEXT_signature_ecdsa;
	return scheme == own->scheme;
}

static bool server_can_verify(SSL *ssl, const struct tls_identity *own)
{
	int n = SSL_get_shared_sigalgs(ssl, 0, NULL, NULL, NULL, NULL, NULL);

	/* TLS 1.0 and 1.1 name none. */
	if (SSL_version(ssl) < TLS1_2_VERSION)
		return true;
	for (int i = 0; i < n; i++) {
		uint8_t sign = 0, hash = 0;

		(void)SSL_get_shared_sigalgs(ssl, i, NULL, NULL, NULL, &sign, &hash);
		if (makes_scheme(ssl, own, hash, sign))
			return true;
	}
	return false;
}

/* A CertificateRequest is here. One is chosen before the library is told, since in TLS 1.2 it would
 * look at the last only. */
static int on_asked(SSL *ssl, void *context)
{
	struct tls_dial *d = context;

	d->asked = true;
	for (size_t i = 0; i < d->target.n_identities; i++) {
		const struct tls_identity *own = &d->target.identities[i];

		if (server_can_verify(ssl, own))
			return SSL_use_cert_and_key(ssl, own->certificate, own->key, own->chain,
				       1) == 1;
	}
	return 1;
}

/* Whether a Certificate message of ours has a certificate in it: RFC 5246 section 7.4.6 and RFC
 * 8446 section 4.4.2, where the request's context goes before the list. */
static bool has_certificate(SSL *ssl, struct span message)
{
	size_t list = 4;

	if (SSL_version(ssl) >= TLS1_3_VERSION && message.n > list)
		list += 1 + (size_t)message.p[list];
	return message.n >= list + 3 &&
	       (message.p[list] || message.p[list + 1] || message.p[list + 2]);
}

static void on_message(int is_ours, int version, int content_type, const void *p, size_t n,
	SSL *ssl, void *context)
{
	struct tls_dial *d = context;
	struct span message = span_of(p, n);

	(void)version;
	if (is_ours && content_type == SSL3_RT_HANDSHAKE && n &&
		message.p[0] == SSL3_MT_CERTIFICATE)
		d->sent = has_certificate(ssl, message);
}

static int security_level(const struct tls_dial_target *t)
{
	if (t->oldest < TLS_1_2)
		return LEVEL_OLD;
	return t->requires_valid ? LEVEL_VERIFIED : LEVEL_ANYBODY;
}

static int set_up_context(struct tls_dial *d)
{
	const struct tls_dial_target *t = &d->target;

	d->ctx = SSL_CTX_new(TLS_client_method());
	if (!d->ctx)
		return tls_fault(NULL, "SSL_CTX_new");
	SSL_CTX_set_security_level(d->ctx, security_level(t));
	(void)SSL_CTX_set_session_cache_mode(d->ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_options(d->ctx,
		SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
	(void)SSL_CTX_set_mode(d->ctx,
		SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	(void)SSL_CTX_clear_mode(d->ctx, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_verify(d->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(d->ctx, on_verify, d);
	SSL_CTX_set_cert_cb(d->ctx, on_asked, d);
	SSL_CTX_set_msg_callback(d->ctx, on_message);
	SSL_CTX_set_msg_callback_arg(d->ctx, d);
	SSL_CTX_set_max_cert_list(d->ctx, TLS_CLIENT_OCTETS);
	if (SSL_CTX_set_cipher_list(d->ctx,
		    t->oldest < TLS_1_2 ? "ALL:!aNULL:!eNULL" : "DEFAULT:!aNULL:!eNULL") != 1 ||
		SSL_CTX_set_min_proto_version(d->ctx, versions[t->oldest]) != 1 ||
		SSL_CTX_set_max_proto_version(d->ctx, 0) != 1)
		return tls_fault(NULL, "SSL_CTX");
	return 0;
}

int tls_dial_new(struct tls_dial **ret_dial, const struct tls_dial_target *target)
{
	CLEANUP(tls_dial_freep) struct tls_dial *d = ALLOC(struct tls_dial);

	d->target = *target;
	TRY(set_up_context(d));
	d->ssl = SSL_new(d->ctx);
	/* RFC 6066 section 3. */
	if (!d->ssl || (target->name && SSL_set_tlsext_host_name(d->ssl, target->name) != 1))
		return tls_fault(NULL, "SSL_new");
	*ret_dial = TAKE(d);
	return 0;
}

struct tls_dial *tls_dial_free(struct tls_dial *d)
{
	if (!d)
		return NULL;
	sk_X509_pop_free(d->chain, X509_free);
	SSL_free(d->ssl);
	SSL_CTX_free(d->ctx);
	ERR_clear_error();
	free(d);
	return NULL;
}

SSL *tls_dial_ssl(const struct tls_dial *d)
{
	return d->ssl;
}

void tls_dial_result(struct tls_dial *d, struct tls_dialled *ret_result)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(d->ssl);
	bool is_done = SSL_is_init_finished(d->ssl);
	int group = is_done ? (int)SSL_get_negotiated_group(d->ssl) : 0;

	if (!d->chain && chain)
		d->chain = X509_chain_up_ref(chain);
	*ret_result = (struct tls_dialled){
		.version = is_done ? SSL_get_version(d->ssl) : NULL,
		.cipher = is_done ? SSL_get_cipher_name(d->ssl) : NULL,
		.chain = d->chain,
		.is_verified = d->is_verified,
		.refusal = d->refusal.text[0] ? d->refusal.text : NULL,
		.asked = d->asked,
		.sent = d->sent,
	};
	/* The name goes with the context. */
	if (group)
		(void)snprintf(ret_result->group, sizeof ret_result->group, "%s",
			SSL_group_to_name(d->ssl, group));
}

int tls_dial_handshake(struct tls_dial *d, struct dial *dial, struct why *why)
{
	int r = dial_handshake(dial, d->ssl, why);

	if (r > 0 && d->refusal.text[0] && d->target.requires_valid)
		why_set(why, "%s", d->refusal.text);
	return r;
}
