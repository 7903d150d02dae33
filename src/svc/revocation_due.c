/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What is done about lists as time goes on: fetches that are due, lists that certificates name, lists
 * that nobody has renewed. All of it in one errand, so that a server that answers slowly holds up
 * other lists and nobody else.
 */

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "pki/crl_check.h"
#include "pki/path.h"
#include "store/crl_rows.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/revocation_parts.h"

#include <stdlib.h>

enum {
	DUE_MAX = 64,    /* fetches, and warnings, of one errand */
	WANTED_MAX = 64, /* URLs of certificates that wait for it */
};

static void want(struct revocations *all, int64_t domain, struct span url)
{
	CLEANUP(buf_done) struct buf key = {};
	int64_t *value;

	buf_add(&key, span_of(&domain, sizeof domain));
	buf_add(&key, url);
	(void)pthread_mutex_lock(&all->lock);
	if (all->wanted.n < WANTED_MAX && !map_get(&all->wanted, buf_span(&key))) {
		value = ALLOC(int64_t);
		*value = domain;
		(void)map_put(&all->wanted, buf_span(&key), value);
	}
	(void)pthread_mutex_unlock(&all->lock);
}

static bool has_list_about(const struct revocation *r, const struct cert *cert)
{
	const struct crl_list *crls = revocation_crls(r);

	for (size_t i = 0; i < crls->n; i++) {
		if (X509_NAME_cmp(X509_CRL_get_issuer(crl_x509(crls->crls[i])),
			    X509_get_issuer_name(cert_x509(cert))) == 0)
			return true;
	}
	return false;
}

void revocation_seen(struct env *e, int64_t domain, const struct verdict *verdict)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(e->store);
	CLEANUP(revocation_unrefp) struct revocation *r = NULL;

	if (settings->crl_fetch != CRL_FETCH_NAMED || !verdict->valid)
		return;
	r = revocation_of_domain(e, domain);
	for (size_t i = 0; i + 1 < verdict->path.n; i++) {
		CLEANUP(buf_done) struct buf url = {};
		const struct cert *cert = verdict->path.certs[i];

		if (!has_list_about(r, cert) && crl_point(cert, &url))
			want(e->revocations, domain, buf_span(&url));
	}
}

/* One URL that a certificate names, as a row. */
struct naming {
	int64_t domain;
	struct span url;
	int64_t id;
};

static int add_named(struct store_conn *c, void *arg)
{
	struct naming *n = arg;
	const struct store_crl row = { .domain = n->domain, .url = n->url, .named = true,
		.created_us = clock_now_us() };

	return store_crl_add_url(c, &row, &n->id);
}

struct adding {
	struct env *env;
	int r;
};

static void add_wanted(void *value, struct span key, void *context)
{
	struct naming n = { .domain = *(int64_t *)value, .url = span_skip(key, sizeof(int64_t)) };
	struct adding *a = context;
	int r = store_write(a->env->store, add_named, &n);

	/* There already, no room for more, or the domain has gone: nothing to be done about it. */
	if (r < 0)
		a->r = r;
	else if (r == 0)
		LOG(NULL, LOG_INFO, "PKI", "crl.named", log_int("list", n.id), log_span("url", n.url));
}

static int add_all_wanted(struct env *e)
{
	struct revocations *all = e->revocations;
	struct adding adding = { .env = e };
	struct map wanted;

	(void)pthread_mutex_lock(&all->lock);
	wanted = all->wanted;
	all->wanted = (struct map){};
	(void)pthread_mutex_unlock(&all->lock);
	map_each(&wanted, add_wanted, &adding);
	map_done(&wanted, free);
	return adding.r;
}

/* Rows about which something is to be done. */
struct due {
	struct arena arena;
	int64_t now_us;
	bool fetches;
	int64_t to_fetch[DUE_MAX];
	size_t n_to_fetch;
	struct store_crl stale[DUE_MAX];
	size_t n_stale;
};

static int find_due(const struct store_crl *row, void *context)
{
	struct due *d = context;

	if (d->fetches && row->url.n && row->next_fetch_us <= d->now_us && d->n_to_fetch < DUE_MAX)
		d->to_fetch[d->n_to_fetch++] = row->id;
	if (row->der.n && row->next_update_us <= d->now_us && !row->warned_us &&
		d->n_stale < DUE_MAX) {
		d->stale[d->n_stale] = *row;
		d->stale[d->n_stale].url = arena_span(&d->arena, row->url);
		d->stale[d->n_stale++].problem = arena_span(&d->arena, row->problem);
	}
	return 0;
}

static int read_due(struct store_conn *c, void *arg)
{
	return store_crl_each(c, find_due, arg);
}

struct warning {
	int64_t id, now_us;
};

static int note_warning(struct store_conn *c, void *arg)
{
	const struct warning *w = arg;

	return store_crl_warned(c, w->id, w->now_us);
}

static int warn_of_stale(struct env *e, const struct due *d)
{
	for (size_t i = 0; i < d->n_stale; i++) {
		const struct store_crl *row = &d->stale[i];
		struct warning w = { row->id, d->now_us };
		CLEANUP(buf_done) struct buf end = {};
		int r = store_write(e->store, note_warning, &w);

		if (r == STORE_E_NOT_FOUND)
			continue;
		TRY(r);
		clock_add_rfc3339(&end, row->next_update_us);
		LOG(NULL, LOG_WARNING, "PKI", "crl.stale", log_int("list", row->id),
			log_span("url", row->url), log_span("next_update", buf_span(&end)),
			log_span("reason", row->problem));
	}
	return 0;
}

/* Fetches first: what they bring is not stale. */
int revocation_run_due(struct env *e)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(e->store);
	struct due *d = ALLOC(struct due);
	int r;

	d->now_us = clock_now_us();
	d->fetches = settings->crl_fetch != CRL_FETCH_NEVER;
	r = add_all_wanted(e);
	if (!r)
		r = store_read(e->store, read_due, d);
	for (size_t i = 0; i < d->n_to_fetch && r >= 0 && !atomic_load(&e->revocations->errand.stop);
		i++)
		r = revocation_fetch(e, d->to_fetch[i], NULL);
	if (r >= 0) {
		d->n_stale = 0;
		d->n_to_fetch = 0;
		d->fetches = false;
		r = store_read(e->store, read_due, d);
	}
	if (!r)
		r = warn_of_stale(e, d);
	if (!r)
		r = revocation_load_changed(e);
	arena_done(&d->arena);
	free(d);
	return err_fold(r);
}

void revocation_stop(struct env *e)
{
	errand_stop(&e->revocations->errand);
}

void revocation_tend(struct env *e)
{
	errand_start(&e->revocations->errand);
}
