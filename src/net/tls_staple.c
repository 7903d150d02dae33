/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "net/tls_staple.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "net/tls_accept.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct tls_staple {
	_Atomic unsigned refs;
	pthread_mutex_t lock; /* over what follows */
	struct buf response;
	int64_t until_us;
};

struct tls_staple *tls_staple_new(void)
{
	struct tls_staple *s = ALLOC(struct tls_staple);

	s->refs = 1;
	(void)pthread_mutex_init(&s->lock, NULL);
	return s;
}

struct tls_staple *tls_staple_ref(struct tls_staple *s)
{
	(void)atomic_fetch_add(&s->refs, 1);
	return s;
}

struct tls_staple *tls_staple_unref(struct tls_staple *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return NULL;
	buf_done(&s->response);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
	return NULL;
}

bool tls_staple_is_shared(const struct tls_staple *s)
{
	return atomic_load(&s->refs) > 1;
}

void tls_staple_set(struct tls_staple *s, struct span response, int64_t until_us)
{
	(void)pthread_mutex_lock(&s->lock);
	buf_clear(&s->response);
	buf_add(&s->response, response);
	s->until_us = until_us;
	(void)pthread_mutex_unlock(&s->lock);
}

uint8_t *tls_staple_copy(struct tls_staple *s, int64_t now_us, size_t *ret_n)
{
	uint8_t *copy = NULL;

	(void)pthread_mutex_lock(&s->lock);
	if (buf_size(&s->response) && now_us < s->until_us) {
		copy = OPENSSL_memdup(buf_span(&s->response).p, buf_size(&s->response));
		*ret_n = buf_size(&s->response);
	}
	(void)pthread_mutex_unlock(&s->lock);
	return copy;
}

/* The identity whose certificate libssl has chosen. */
static const struct tls_identity *identity_shown(SSL *ssl)
{
	const struct tls_accept *a = SSL_get_app_data(ssl);
	const X509 *shown = SSL_get_certificate(ssl);

	for (size_t i = 0; a->profile && i < a->profile->n_identities; i++) {
		if (a->profile->identities[i].certificate == shown)
			return &a->profile->identities[i];
	}
	return NULL;
}

static int staple_on_status(SSL *ssl, void *context)
{
	const struct tls_identity *identity = identity_shown(ssl);
	uint8_t *response = NULL;
	size_t n = 0;

	(void)context;
	if (identity && identity->staple)
		response = tls_staple_copy(identity->staple, clock_now_us(), &n);
	if (!response)
		return SSL_TLSEXT_ERR_NOACK;
	(void)SSL_set_tlsext_status_ocsp_resp(ssl, response, (long)n);
	return SSL_TLSEXT_ERR_OK;
}

void tls_staple_set_up(SSL_CTX *ctx)
{
	(void)SSL_CTX_set_tlsext_status_cb(ctx, staple_on_status);
}
