/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Sets are made when they are first wanted and kept until something changes. The built-in one is
 * kept by the bundle's time and size: an update of the system's authorities is seen at the next
 * question, without a restart.
 */

#include "svc/trust.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/map.h"
#include "store/ca_rows.h"
#include "store/domain.h"
#include "store/store.h"
#include "store/trust_rows.h"
#include "svc/env.h"
#include "svc/revocation.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { BUNDLE_MAX = 16 << 20 };

struct trusts {
	char *bundle;
	pthread_mutex_t lock; /* over what follows */
	struct trust *built_in;
	struct stat read_from;
	struct map sets;     /* struct trust by "domain:ID" and "system" */
	uint64_t generation; /* counts changes: what was read before one is not kept */
};

struct trusts *trusts_new(const char *bundle)
{
	struct trusts *t = ALLOC(struct trusts);

	t->bundle = alloc_string(bundle);
	(void)pthread_mutex_init(&t->lock, NULL);
	return t;
}

static void unref_value(void *trust)
{
	(void)trust_unref(trust);
}

struct trusts *trusts_free(struct trusts *t)
{
	if (!t)
		return NULL;
	map_done(&t->sets, unref_value);
	(void)trust_unref(t->built_in);
	(void)pthread_mutex_destroy(&t->lock);
	free(t->bundle);
	free(t);
	return NULL;
}

void trust_changed(struct env *e)
{
	struct trusts *t = e->trusts;

	(void)pthread_mutex_lock(&t->lock);
	map_done(&t->sets, unref_value);
	t->generation++;
	(void)pthread_mutex_unlock(&t->lock);
}

/* What cannot be read is an empty set: whoever relies on it is told that nothing is trusted. */
static void read_bundle(const char *name, struct buf *out)
{
	FILE *f = fopen(name, "re");
	size_t n = 0;

	if (!f) {
		LOG(NULL, LOG_WARNING, "PKI", "trust.built_in", log_str("file", name),
			log_str("outcome", "unreadable"), log_str("reason", strerror(errno)));
		return;
	}
	do {
		n = fread(buf_room(out, 1 << 16), 1, 1 << 16, f);
		buf_added(out, n);
	} while (n && buf_size(out) < BUNDLE_MAX);
	(void)fclose(f);
}

static struct trust *make_built_in(const char *bundle)
{
	CLEANUP(buf_done) struct buf pem = {};
	struct trust *trust = trust_new(TRUST_BUILT_IN, NULL);
	size_t n_unreadable = 0;

	read_bundle(bundle, &pem);
	trust_add_bundle(trust, buf_span(&pem), TRUST_BUILT_IN_PURPOSES, &n_unreadable);
	if (n_unreadable)
		LOG(NULL, LOG_WARNING, "PKI", "trust.built_in", log_str("file", bundle),
			log_str("outcome", "partly"), log_int("unreadable", (int64_t)n_unreadable));
	return trust;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
		a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

struct trust *trust_built_in(struct env *e)
{
	struct trusts *t = e->trusts;
	struct stat now = {};
	struct trust *trust;

	if (stat(t->bundle, &now))
		now = (struct stat){};
	(void)pthread_mutex_lock(&t->lock);
	if (!t->built_in || !is_same_file(&now, &t->read_from)) {
		map_done(&t->sets, unref_value);
		t->generation++;
		(void)trust_unref(t->built_in);
		t->built_in = make_built_in(t->bundle);
		t->read_from = now;
	}
	trust = trust_ref(t->built_in);
	(void)pthread_mutex_unlock(&t->lock);
	return trust;
}

/* The pile being made: each layer over the one before. */
struct layers {
	int64_t domain; /* 0: the server's own */
	struct trust *top;
};

static int add_row(const struct store_trust *row, void *context)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct why why;
	int r = cert_from_der(&cert, row->der, &why);

	if (r < 0)
		return r;
	/* It was readable when it was written: by a program that was less strict. */
	if (r) {
		LOG(NULL, LOG_ERROR, "PKI", "trust.unreadable", log_int("row", row->id),
			log_str("reason", why.text));
		return 0;
	}
	if (row->purposes)
		trust_add(context, cert, row->purposes);
	else
		trust_deny(context, cert);
	return 0;
}

/* Colleagues' mail: what the domain's own authorities have issued is what the domain says itself. A
 * row that denies one of them has the last word (trust_add). */
static int add_authority(const struct store_authority *row, void *context)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;

	if (cert_from_der(&cert, row->der, NULL) == 0)
		trust_add(context, cert, TRUST_MAIL);
	return 0;
}

static int add_layer(struct store_conn *c, struct layers *l, enum trust_scope scope, int64_t domain)
{
	struct trust *layer = trust_new(scope, l->top);

	(void)trust_unref(l->top);
	l->top = layer;
	TRY(store_trust_each(c, scope, domain, add_row, layer));
	if (scope == TRUST_DOMAIN)
		TRY(store_authority_each(c, domain, add_authority, layer));
	return 0;
}

static int read_layers(struct store_conn *c, void *arg)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct layers *l = arg;
	struct store_domain domain;
	int r;

	if (!l->domain) {
		TRY(add_layer(c, l, TRUST_CLUSTER, 0));
		return add_layer(c, l, TRUST_SERVER_WIDE, 0);
	}
	r = store_domain_get(c, &arena, l->domain, &domain);
	if (r)
		return r;
	TRY(add_layer(c, l, domain.shared ? TRUST_CLUSTER : TRUST_SERVER_WIDE, 0));
	return add_layer(c, l, TRUST_DOMAIN, l->domain);
}

/* Taken before anything is read that a set is made of. */
static uint64_t generation_of(struct trusts *t)
{
	uint64_t generation;

	(void)pthread_mutex_lock(&t->lock);
	generation = t->generation;
	(void)pthread_mutex_unlock(&t->lock);
	return generation;
}

uint64_t trust_generation(struct env *e)
{
	return generation_of(e->trusts);
}

uint64_t trust_view(struct env *e, int64_t domain, const struct revocation *r)
{
	struct {
		uint8_t lists[SHA256_OCTETS];
		uint64_t generation;
		int64_t domain;
	} view = { .generation = trust_generation(e), .domain = domain };

	revocation_digest(r, view.lists);
	/* Keyed: nobody can look for lists that have the number of others. */
	return map_hash(span_of((const uint8_t *)&view, sizeof view));
}

static struct trust *find_kept(struct trusts *t, struct span key)
{
	struct trust *trust;

	(void)pthread_mutex_lock(&t->lock);
	trust = map_get(&t->sets, key);
	if (trust)
		(void)trust_ref(trust);
	(void)pthread_mutex_unlock(&t->lock);
	return trust;
}

static void keep(struct trusts *t, struct span key, struct trust *trust, uint64_t generation)
{
	(void)pthread_mutex_lock(&t->lock);
	if (t->generation == generation)
		unref_value(map_put(&t->sets, key, trust_ref(trust)));
	(void)pthread_mutex_unlock(&t->lock);
}

static int trust_of(struct env *e, int64_t domain, struct trust **ret_trust)
{
	CLEANUP(buf_done) struct buf key = {};
	uint64_t generation = generation_of(e->trusts);
	CLEANUP(trust_unrefp) struct trust *built_in = trust_built_in(e);
	struct layers l = { .domain = domain };
	int r;

	buf_add_format(&key, "domain:%lld", (long long)domain);
	*ret_trust = find_kept(e->trusts, buf_span(&key));
	if (*ret_trust)
		return 0;
	l.top = trust_ref(built_in);
	r = store_read(e->store, read_layers, &l);
	if (r) {
		(void)trust_unref(l.top);
		return err_fold(r);
	}
	keep(e->trusts, buf_span(&key), l.top, generation);
	*ret_trust = l.top;
	return 0;
}

int trust_of_domain(struct env *e, int64_t domain, struct trust **ret_trust)
{
	return trust_of(e, domain, ret_trust);
}

int trust_of_system(struct env *e, struct trust **ret_trust)
{
	return trust_of(e, 0, ret_trust);
}
