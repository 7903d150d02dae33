/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "net/tls_asked.h"

#include "base/alloc.h"
#include "base/map.h"

#include <pthread.h>
#include <stdlib.h>

struct tls_asked {
	pthread_mutex_t lock;
	struct map counts; /* uint64_t by name */
};

struct tls_asked *tls_asked_new(void)
{
	struct tls_asked *a = ALLOC(struct tls_asked);

	(void)pthread_mutex_init(&a->lock, NULL);
	return a;
}

struct tls_asked *tls_asked_free(struct tls_asked *a)
{
	if (!a)
		return NULL;
	map_done(&a->counts, free);
	(void)pthread_mutex_destroy(&a->lock);
	free(a);
	return NULL;
}

void tls_asked_add(struct tls_asked *a, struct span name)
{
	uint64_t *n;

	(void)pthread_mutex_lock(&a->lock);
	n = map_get(&a->counts, name);
	if (!n && a->counts.n < TLS_ASKED_MAX) {
		n = ALLOC(uint64_t);
		(void)map_put(&a->counts, name, n);
	}
	if (n)
		++*n;
	(void)pthread_mutex_unlock(&a->lock);
}

struct visit {
	struct span domain;
	void (*each)(struct span name, uint64_t n, void *context);
	void *context;
};

static bool is_below(struct span name, struct span domain)
{
	size_t n = name.n - domain.n;

	if (name.n < domain.n || !span_equal_nocase(span_skip(name, n), domain))
		return false;
	return n == 0 || name.p[n - 1] == '.';
}

static void visit(void *value, struct span name, void *context)
{
	const struct visit *v = context;

	if (is_below(name, v->domain))
		v->each(name, *(const uint64_t *)value, v->context);
}

void tls_asked_each(struct tls_asked *a, struct span domain,
	void (*each)(struct span name, uint64_t n, void *context), void *context)
{
	struct visit v = { domain, each, context };

	(void)pthread_mutex_lock(&a->lock);
	map_each(&a->counts, visit, &v);
	(void)pthread_mutex_unlock(&a->lock);
}
