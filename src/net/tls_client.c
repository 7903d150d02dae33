/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Client certificates in a handshake. What is valid is the profile's verifier's business; here is what
 * follows from its answer: an alert, or a connection that goes on as if there were none.
 *
 * Tickets: libssl puts the client's own certificate into them, but not the others that came with it,
 * without which it could not be validated again. They go into the ticket's application data, behind an
 * octet that says whether the certificate was valid.
 */

#include "net/tls_client.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <openssl/err.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct tls_client *tls_client_new(X509 *certificate, const STACK_OF(X509) *others)
{
	struct tls_client *c = ALLOC(struct tls_client);

	c->refs = 1;
	c->result = X509_V_ERR_UNSPECIFIED;
	c->others = sk_X509_new_null();
	(void)X509_up_ref(certificate);
	c->certificate = certificate;
	for (int i = 0; c->others && i < sk_X509_num(others); i++) {
		X509 *x = sk_X509_value(others, i);

		if (x == certificate || !X509_up_ref(x))
			continue;
		if (!sk_X509_push(c->others, x))
			X509_free(x);
	}
	if (!c->others)
		abort(); /* no memory */
	return c;
}

struct tls_client *tls_client_ref(struct tls_client *c)
{
	(void)atomic_fetch_add(&c->refs, 1);
	return c;
}

struct tls_client *tls_client_unref(struct tls_client *c)
{
	if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
		return NULL;
	X509_free(c->certificate);
	sk_X509_pop_free(c->others, X509_free);
	free(c->name);
	free(c->reason);
	free(c);
	return NULL;
}

static void client_verify(const struct tls_profile *p, struct tls_client *c)
{
	if (p->client_verify)
		p->client_verify(p->client_context, c);
	if (c->result != X509_V_OK && !c->reason)
		c->reason = alloc_string(X509_verify_cert_error_string(c->result));
	ERR_clear_error();
}

/* Where a bad certificate ends the handshake; elsewhere it counts as none. */
static bool is_strict(const struct tls_accept *a)
{
	return a->rules->client_abort ||
		(a->profile->client_mode & SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
}

/* Instead of X509_verify_cert. The error that is set decides about the alert. */
static int client_on_verify(X509_STORE_CTX *ctx, void *context)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_accept *a = SSL_get_app_data(ssl);

	(void)context;
	(void)tls_client_unref(a->client);
	a->client = tls_client_new(X509_STORE_CTX_get0_cert(ctx),
		X509_STORE_CTX_get0_untrusted(ctx));
	client_verify(a->profile, a->client);
	X509_STORE_CTX_set_error(ctx, (int)a->client->result);
	a->is_client_refused = a->client->result != X509_V_OK && is_strict(a);
	return !a->is_client_refused;
}

void tls_client_set_up(SSL_CTX *ctx)
{
	SSL_CTX_set_cert_verify_callback(ctx, client_on_verify, NULL);
}

bool tls_client_ask(SSL *ssl, const struct tls_profile *p)
{
	STACK_OF(X509_NAME) *names;

	if (!(p->client_mode & SSL_VERIFY_PEER))
		return true;
	SSL_set_verify(ssl, p->client_mode, NULL);
	SSL_set_max_cert_list(ssl, TLS_CLIENT_OCTETS);
	if (p->client_names) {
		names = SSL_dup_CA_list(p->client_names);
		if (!names)
			return false;
		SSL_set0_CA_list(ssl, names);
	}
	return true;
}

bool tls_client_is_asked(const struct tls_accept *a)
{
	return a->profile && (a->profile->client_mode & SSL_VERIFY_PEER);
}

bool tls_client_keep(const struct tls_accept *a, struct buf *data)
{
	const struct tls_client *c = SSL_session_reused(a->ssl) ? a->resumed_client : a->client;

	if (!c)
		return true;
	buf_add_octet(data, c->result == X509_V_OK);
	for (int i = 0; i < sk_X509_num(c->others); i++) {
		uint8_t *der = NULL;
		int n = i2d_X509(sk_X509_value(c->others, i), &der);

		if (n <= 0)
			return false;
		buf_add(data, span_of(der, (size_t)n));
		OPENSSL_free(der);
	}
	return true;
}

/* The client of a session, as tls_client_keep has left it; NULL if it is not of our making. */
static struct tls_client *client_of(SSL_SESSION *session, struct span data, bool *ret_was_valid)
{
	STACK_OF(X509) *others = sk_X509_new_null();
	struct tls_client *c = NULL;
	const uint8_t *p, *end;

	if (data.n && others) {
		p = data.p;
		end = p + data.n;
		*ret_was_valid = *p++;
		while (p < end) {
			X509 *x = d2i_X509(NULL, &p, end - p);

			if (!x || !sk_X509_push(others, x)) {
				X509_free(x);
				break;
			}
		}
		if (p == end)
			c = tls_client_new(SSL_SESSION_get0_peer(session), others);
	}
	sk_X509_pop_free(others, X509_free);
	ERR_clear_error();
	return c;
}

static bool is_same_context(const struct tls_accept *a, const SSL_SESSION *session)
{
	uint8_t own[SHA256_OCTETS];
	unsigned n = 0;
	const uint8_t *context = SSL_SESSION_get0_id_context(session, &n);

	tls_accept_context(a, own);
	return n == SHA256_OCTETS && memcmp(context, own, SHA256_OCTETS) == 0;
}

bool tls_client_resume(struct tls_accept *a, SSL_SESSION *session, struct span data)
{
	const struct tls_profile *p = a->profile;
	bool was_valid = false;

	a->resumed_client = tls_client_unref(a->resumed_client);
	/* libssl sees to this too, but afterwards. */
	if (!p || !is_same_context(a, session))
		return false;
	if (!SSL_SESSION_get0_peer(session))
		return !(p->client_mode & SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
	a->resumed_client = client_of(session, data, &was_valid);
	if (!a->resumed_client)
		return false;
	client_verify(p, a->resumed_client);
	/* One that never was valid, and does not have to be, costs its client no resumption. */
	return a->resumed_client->result == X509_V_OK || !(was_valid || is_strict(a));
}
