/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * One lock around a map and a list in order of use. What is done under it is looking up, linking
 * and copying references: reading and validating happen outside, so two threads may do the same
 * work once, and the later finds it done.
 *
 * A path that holds goes on holding while none of its certificates expires, trust is the same and
 * so are the lists: those are what an entry is bound to. What else was sent along could only have
 * given more paths.
 */

#include "smime/cert_cache.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "base/list.h"
#include "base/map.h"

#include <pthread.h>
#include <stdlib.h>

/* How long a verdict stands for one list of revocations, which may say when it ends itself. */
static const int64_t path_life_us = INT64_C(3600) * 1000000;

struct entry {
	struct list in_use; /* the most recently used last */
	uint8_t digest[SHA256_OCTETS];
	struct cert *cert;
	bool has_path;
	struct verdict path;
	uint64_t generation;
	enum path_revocation revocation;
	int64_t from_us, until_us; /* both within */
	unsigned key_usage;
};

struct cert_cache {
	pthread_mutex_t lock;
	struct map entries; /* by digest */
	struct list in_use;
	size_t max;
};

static struct entry *entry_of(struct list *l)
{
	return CONTAINER_OF(l, struct entry, in_use);
}

static void entry_drop_path(struct entry *e)
{
	verdict_done(&e->path);
	e->has_path = false;
}

static void entry_free(struct entry *e)
{
	list_remove(&e->in_use);
	entry_drop_path(e);
	cert_unref(e->cert);
	free(e);
}

struct cert_cache *cert_cache_new(size_t max_certs)
{
	struct cert_cache *c = ALLOC(struct cert_cache);

	(void)pthread_mutex_init(&c->lock, NULL);
	list_init(&c->in_use);
	c->max = max_certs ? max_certs : 1;
	return c;
}

struct cert_cache *cert_cache_free(struct cert_cache *c)
{
	if (!c)
		return NULL;
	list_each (l, &c->in_use)
		entry_free(entry_of(l));
	map_done(&c->entries, NULL);
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
	return NULL;
}

static struct entry *cache_find(struct cert_cache *c, const uint8_t digest[static SHA256_OCTETS])
{
	struct entry *e = map_get(&c->entries, span_of(digest, SHA256_OCTETS));

	if (e) {
		list_remove(&e->in_use);
		list_append(&c->in_use, &e->in_use);
	}
	return e;
}

static struct entry *cache_put(struct cert_cache *c, const uint8_t digest[static SHA256_OCTETS],
	struct cert *cert)
{
	struct entry *e = cache_find(c, digest);

	if (e)
		return e;
	while (c->entries.n >= c->max) {
		struct entry *oldest = entry_of(c->in_use.next);

		(void)map_remove(&c->entries, span_of(oldest->digest, SHA256_OCTETS));
		entry_free(oldest);
	}
	e = ALLOC(struct entry);
	list_init(&e->in_use);
	memcpy(e->digest, digest, SHA256_OCTETS);
	e->cert = cert_ref(cert);
	(void)map_put(&c->entries, span_of(e->digest, SHA256_OCTETS), e);
	list_append(&c->in_use, &e->in_use);
	return e;
}

int cert_cache_read(struct cert_cache *cache, struct span der, struct cert **ret_cert,
	struct why *why)
{
	uint8_t digest[SHA256_OCTETS];
	struct cert *cert = NULL;
	struct entry *e;
	int r;

	if (!cache)
		return cert_from_der(ret_cert, der, why);
	digest_sha256(der, digest);
	(void)pthread_mutex_lock(&cache->lock);
	e = cache_find(cache, digest);
	if (e)
		cert = cert_ref(e->cert);
	(void)pthread_mutex_unlock(&cache->lock);
	if (!cert) {
		r = cert_from_der(&cert, der, why);
		if (r)
			return r;
		(void)pthread_mutex_lock(&cache->lock);
		(void)cache_put(cache, digest, cert);
		(void)pthread_mutex_unlock(&cache->lock);
	}
	*ret_cert = cert;
	return 0;
}

bool cert_cache_knows(struct cert_cache *cache, uint64_t generation, const struct path_request *q,
	struct verdict *ret_verdict)
{
	uint8_t digest[SHA256_OCTETS];
	struct entry *e;
	bool known;

	if (!cache)
		return false;
	cert_fingerprint(q->leaf, digest);
	(void)pthread_mutex_lock(&cache->lock);
	e = cache_find(cache, digest);
	known = e && e->has_path && e->generation == generation &&
		e->revocation == q->revocation && e->key_usage == q->key_usage &&
		q->time_us >= e->from_us && q->time_us <= e->until_us;
	if (known)
		*ret_verdict = verdict_copy(&e->path);
	(void)pthread_mutex_unlock(&cache->lock);
	return known;
}

static void cache_remember(struct cert_cache *c, uint64_t generation, const struct path_request *q,
	const struct verdict *verdict)
{
	uint8_t digest[SHA256_OCTETS];
	int64_t from = INT64_MIN, until = INT64_MAX;
	struct entry *e;

	for (size_t i = 0; i < verdict->path.n; i++) {
		const struct cert *cert = verdict->path.certs[i];

		if (cert_not_before_us(cert) > from)
			from = cert_not_before_us(cert);
		if (cert_not_after_us(cert) < until)
			until = cert_not_after_us(cert);
	}
	/* A list may run out or begin later. */
	if (q->crls && q->crls->n && from < q->time_us)
		from = q->time_us;
	if (q->crls && q->crls->n && until > q->time_us + path_life_us)
		until = q->time_us + path_life_us;
	cert_fingerprint(q->leaf, digest);
	(void)pthread_mutex_lock(&c->lock);
	e = cache_put(c, digest, q->leaf);
	entry_drop_path(e);
	e->path = verdict_copy(verdict);
	e->has_path = true;
	e->generation = generation;
	e->revocation = q->revocation;
	e->from_us = from;
	e->until_us = until;
	e->key_usage = q->key_usage;
	(void)pthread_mutex_unlock(&c->lock);
}

int cert_cache_validate(struct cert_cache *cache, uint64_t generation,
	const struct path_request *request, struct verdict *ret_verdict)
{
	if (!cache)
		return path_validate(request, ret_verdict);
	if (cert_cache_knows(cache, generation, request, ret_verdict))
		return 0;
	TRY(path_validate(request, ret_verdict));
	if (ret_verdict->valid)
		cache_remember(cache, generation, request, ret_verdict);
	return 0;
}
