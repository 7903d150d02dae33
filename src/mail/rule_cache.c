/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "mail/rule_cache.h"

#include "base/alloc.h"
#include "base/map.h"

#include <pthread.h>
#include <stdlib.h>

/* A script in memory is ten to a hundred times its text. */
enum { SCRIPTS_MAX = 1000, MEMORY_MAX = 64 << 20 };

struct rule_cache {
	pthread_mutex_t lock;
	struct map scripts;
	size_t octets; /* of memory */
};

static void unref(void *script)
{
	sieve_script_unref(script);
}

struct rule_cache *rule_cache_new(void)
{
	struct rule_cache *c = ALLOC(struct rule_cache);

	(void)pthread_mutex_init(&c->lock, NULL);
	return c;
}

struct rule_cache *rule_cache_free(struct rule_cache *c)
{
	if (c) {
		map_done(&c->scripts, unref);
		(void)pthread_mutex_destroy(&c->lock);
		free(c);
	}
	return NULL;
}

static struct sieve_script *find(struct rule_cache *c, struct span sha256)
{
	struct sieve_script *s;

	(void)pthread_mutex_lock(&c->lock);
	s = map_get(&c->scripts, sha256);
	if (s)
		sieve_script_ref(s);
	(void)pthread_mutex_unlock(&c->lock);
	return s;
}

static void keep(struct rule_cache *c, struct span sha256, struct sieve_script *s)
{
	size_t octets = sieve_script_size(s);

	(void)pthread_mutex_lock(&c->lock);
	if (c->scripts.n >= SCRIPTS_MAX || c->octets + octets > MEMORY_MAX) {
		map_done(&c->scripts, unref);
		c->scripts = (struct map){};
		c->octets = 0;
	}
	/* Two threads may have compiled the same. */
	unref(map_put(&c->scripts, sha256, sieve_script_ref(s)));
	c->octets += octets;
	(void)pthread_mutex_unlock(&c->lock);
}

int rule_cache_get(struct rule_cache *c, struct span sha256, struct span text,
	struct sieve_script **ret_script, struct sieve_report *ret_report)
{
	struct sieve_script *s = find(c, sha256);
	int r;

	if (!s) {
		r = sieve_compile(&s, text, ret_report);
		if (r)
			return r;
		keep(c, sha256, s);
	}
	*ret_script = s;
	return 0;
}
