/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Snapshots of lists, by domain. A domain without lists of its own shares the server's. A snapshot is
 * made anew when something has changed and swapped; whoever holds the old one keeps it. How lists get
 * here is in svc/revocation_take.c.
 */

#include "svc/revocation.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/map.h"
#include "pki/path.h"
#include "smime/cert_cache.h"
#include "store/ca_rows.h"
#include "store/crl_rows.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/revocation_parts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct revocation {
	atomic_uint refs;
	struct crl_list crls;
	uint8_t digest[SHA256_OCTETS];
	bool stale_refuses;
};

struct revocation *revocation_ref(struct revocation *r)
{
	atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

struct revocation *revocation_unref(struct revocation *r)
{
	if (!r || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) > 1)
		return NULL;
	crl_list_done(&r->crls);
	free(r);
	return NULL;
}

const struct crl_list *revocation_crls(const struct revocation *r)
{
	return &r->crls;
}

void revocation_digest(const struct revocation *r, uint8_t ret_digest[static SHA256_OCTETS])
{
	memcpy(ret_digest, r->digest, SHA256_OCTETS);
}

static void unref_value(void *value)
{
	(void)revocation_unref(value);
}

struct revocations *revocations_new(struct env *e)
{
	struct revocations *r = ALLOC(struct revocations);

	(void)pthread_mutex_init(&r->loading, NULL);
	(void)pthread_mutex_init(&r->lock, NULL);
	r->server = ALLOC(struct revocation);
	r->server->refs = 1;
	errand_init(&r->errand, e, "revocation", revocation_run_due);
	return r;
}

struct revocations *revocations_free(struct revocations *r)
{
	if (!r)
		return NULL;
	map_done(&r->domains, unref_value);
	map_done(&r->wanted, free);
	(void)revocation_unref(r->server);
	buf_done(&r->version);
	(void)pthread_mutex_destroy(&r->lock);
	(void)pthread_mutex_destroy(&r->loading);
	free(r);
	return NULL;
}

struct revocation *revocation_of_domain(struct env *e, int64_t domain)
{
	struct revocations *all = e->revocations;
	struct revocation *r;

	(void)pthread_mutex_lock(&all->lock);
	r = map_get(&all->domains, span_of(&domain, sizeof domain));
	r = revocation_ref(r ? r : all->server);
	(void)pthread_mutex_unlock(&all->lock);
	return r;
}

/* What is read: the rows come by domain, the server's first. */
struct load {
	struct map domains; /* struct revocation */
	struct revocation *server;
	struct buf version;
	bool stale_refuses;
};

static struct revocation *load_find(struct load *l, int64_t domain)
{
	struct revocation *r = domain ? map_get(&l->domains, span_of(&domain, sizeof domain)) :
					l->server;

	if (r)
		return r;
	r = ALLOC(struct revocation);
	r->refs = 1;
	r->stale_refuses = l->stale_refuses;
	if (domain)
		(void)map_put(&l->domains, span_of(&domain, sizeof domain), r);
	else
		l->server = r;
	return r;
}

static void list_add(struct crl_list *list, struct crl *crl)
{
	list->crls = alloc_array(list->crls, list->n + 1, sizeof(struct crl *));
	list->crls[list->n++] = crl_ref(crl);
}

static int load_row(const struct store_crl *row, void *context)
{
	CLEANUP(crl_unrefp) struct crl *crl = NULL;
	struct load *l = context;
	struct why why;
	int r;

	if (row->der.n == 0)
		return 0;
	r = crl_from_der(&crl, row->der, &why);
	if (r < 0)
		return r;
	if (r)
		LOG(NULL, LOG_ERROR, "PKI", "crl.unreadable", log_int("list", row->id),
			log_str("reason", why.text));
	else
		list_add(&load_find(l, row->domain)->crls, crl);
	return 0;
}

/* The newest lists of the authorities of this server are everybody's: nobody has to fetch them. */
static int load_own(int64_t authority, struct span der, void *context)
{
	const struct store_crl list = { .id = authority, .der = der };

	return load_row(&list, context);
}

static int add_number(const struct store_authority *row, void *context)
{
	buf_add_format(context, " %lld.%lld", (long long)row->id, (long long)row->crl_number);
	return 0;
}

static int read_version(struct store_conn *c, void *arg)
{
	TRY(store_crl_version(c, arg));
	return store_authority_each(c, 0, add_number, arg);
}

static int load_rows(struct store_conn *c, void *arg)
{
	struct load *l = arg;

	TRY(read_version(c, &l->version));
	TRY(store_crl_each(c, load_row, l));
	return store_authority_list_each(c, load_own, l);
}

static void seal(struct revocation *r)
{
	struct digest *d = digest_new();

	for (size_t i = 0; i < r->crls.n; i++)
		digest_add(d, crl_der(r->crls.crls[i]));
	digest_end(d, r->digest);
	(void)digest_free(d);
}

static void seal_domain(void *value, struct span key, void *context)
{
	const struct load *l = context;
	struct revocation *r = value;

	(void)key;
	for (size_t i = 0; i < l->server->crls.n; i++)
		list_add(&r->crls, l->server->crls.crls[i]);
	seal(r);
}

static void swap(struct revocations *all, struct load *l)
{
	struct load old;

	(void)pthread_mutex_lock(&all->lock);
	old = (struct load){ all->domains, all->server, all->version, false };
	all->domains = l->domains;
	all->server = l->server;
	all->version = l->version;
	(void)pthread_mutex_unlock(&all->lock);
	*l = old;
}

static void load_done(struct load *l)
{
	map_done(&l->domains, unref_value);
	(void)revocation_unref(l->server);
	buf_done(&l->version);
}

int revocation_load(struct env *e)
{
	CLEANUP(settings_unrefp) struct settings *settings = NULL;
	struct load l = {};
	int r;

	/* Settings and rows as they are once it is this call's turn: whoever waits here must not put
	 * what was in the place of what is. */
	(void)pthread_mutex_lock(&e->revocations->loading);
	settings = settings_get(e->store);
	l.stale_refuses = settings->crl_stale == CRL_STALE_REFUSE;
	(void)load_find(&l, 0);
	r = store_read(e->store, load_rows, &l);
	if (!r) {
		seal(l.server);
		map_each(&l.domains, seal_domain, &l);
		swap(e->revocations, &l);
	}
	(void)pthread_mutex_unlock(&e->revocations->loading);
	load_done(&l);
	return err_fold(r);
}

int revocation_load_changed(struct env *e)
{
	CLEANUP(buf_done) struct buf version = {};
	struct revocations *all = e->revocations;
	bool same;

	TRY(store_read(e->store, read_version, &version));
	(void)pthread_mutex_lock(&all->lock);
	same = span_equal(buf_span(&version), buf_span(&all->version));
	(void)pthread_mutex_unlock(&all->lock);
	return same ? 0 : revocation_load(e);
}

/* RFC 5280 section 6.3.3 leaves open what counts when no current list can be had. Here a list that is
 * over still tells whom it names, and the setting says whether it lets the others pass. */
static void tolerate(struct verdict *v)
{
	for (size_t i = 0; i < v->n; i++) {
		if (strcmp(v->findings[i].rule, "crl-expired") == 0)
			v->findings[i].severity = FINDING_WARNING;
	}
	if (verdict_n_errors(v) == 0)
		v->valid = true;
}

int revocation_validate(const struct revocation *r, struct path_request *request,
	struct verdict *ret_verdict)
{
	return revocation_validate_kept(r, NULL, 0, request, ret_verdict);
}

int revocation_validate_kept(const struct revocation *r, struct cert_cache *cache, uint64_t view,
	struct path_request *request, struct verdict *ret_verdict)
{
	struct verdict v;

	request->crls = &r->crls;
	TRY(cert_cache_validate(cache, view, request, &v));
	if (!v.valid && !r->stale_refuses && verdict_n_errors(&v))
		tolerate(&v);
	*ret_verdict = v;
	return 0;
}
