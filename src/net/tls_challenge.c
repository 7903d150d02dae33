/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "net/tls_challenge.h"

#include "base/alloc.h"
#include "base/limit.h"
#include "base/map.h"
#include "net/tls_host.h"

#include <pthread.h>
#include <stdlib.h>

enum { CHALLENGES_MAX = 1000 };

struct tls_challenges {
	pthread_mutex_t lock;
	struct map names; /* lower-case */
};

struct answer {
	X509 *certificate;
	EVP_PKEY *key;
};

struct tls_challenges *tls_challenges_new(void)
{
	struct tls_challenges *c = ALLOC(struct tls_challenges);

	(void)pthread_mutex_init(&c->lock, NULL);
	return c;
}

static void answer_free(void *p)
{
	struct answer *a = p;

	if (!a)
		return;
	X509_free(a->certificate);
	EVP_PKEY_free(a->key);
	free(a);
}

struct tls_challenges *tls_challenges_free(struct tls_challenges *c)
{
	if (!c)
		return NULL;
	map_done(&c->names, answer_free);
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
	return NULL;
}

struct name {
	uint8_t p[LIMIT_NAME];
	size_t n;
};

static bool fold(struct name *name, struct span text)
{
	if (text.n == 0 || text.n > sizeof name->p)
		return false;
	for (size_t i = 0; i < text.n; i++)
		name->p[i] = octet_lower(text.p[i]);
	name->n = text.n;
	return true;
}

int tls_challenge_set(struct tls_host *h, struct span name, X509 *certificate, EVP_PKEY *key)
{
	struct tls_challenges *c = tls_host_challenges(h);
	struct answer *a;
	struct name folded;
	int r = 0;

	if (!fold(&folded, name))
		return TLS_CHALLENGE_E_LIMIT;
	a = ALLOC(struct answer);
	if (X509_up_ref(certificate))
		a->certificate = certificate;
	if (EVP_PKEY_up_ref(key))
		a->key = key;
	(void)pthread_mutex_lock(&c->lock);
	if (c->names.n < CHALLENGES_MAX || map_get(&c->names, span_of(folded.p, folded.n)))
		a = map_put(&c->names, span_of(folded.p, folded.n), a);
	else
		r = TLS_CHALLENGE_E_LIMIT;
	(void)pthread_mutex_unlock(&c->lock);
	answer_free(a);
	return r;
}

void tls_challenge_clear(struct tls_host *h, struct span name)
{
	struct tls_challenges *c = tls_host_challenges(h);
	struct answer *a;
	struct name folded;

	if (!fold(&folded, name))
		return;
	(void)pthread_mutex_lock(&c->lock);
	a = map_remove(&c->names, span_of(folded.p, folded.n));
	(void)pthread_mutex_unlock(&c->lock);
	answer_free(a);
}

bool tls_challenge_find(struct tls_host *h, struct span name, X509 **ret_certificate,
	EVP_PKEY **ret_key)
{
	struct tls_challenges *c = tls_host_challenges(h);
	const struct answer *a;
	struct name folded;
	bool found;

	if (!fold(&folded, name))
		return false;
	(void)pthread_mutex_lock(&c->lock);
	a = map_get(&c->names, span_of(folded.p, folded.n));
	found = a && X509_up_ref(a->certificate);
	if (found) {
		*ret_certificate = a->certificate;
		(void)EVP_PKEY_up_ref(a->key);
		*ret_key = a->key;
	}
	(void)pthread_mutex_unlock(&c->lock);
	return found;
}
