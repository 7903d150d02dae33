/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A list is read, signed and written in three steps: who finds in the last that another list was written
 * meanwhile, or something revoked, begins again, so that a list never lacks what was revoked before it
 * was written.
 */

#include "svc/ca_status.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limit.h"
#include "base/log.h"
#include "pki/authority.h"
#include "pki/crl_writer.h"
#include "pki/key.h"
#include "store/ca_rows.h"
#include "store/key_rows.h"
#include "store/store.h"
#include "svc/ca_parts.h"
#include "svc/domain_keys.h"
#include "svc/env.h"
#include "svc/revocation.h"

#include <pthread.h>
#include <stdlib.h>

enum { LIST_TRIES = 50 };

static const int64_t list_life_us = 7LL * 24 * 3600 * 1000000;
static const int64_t day_us = 24LL * 3600 * 1000000;

struct ca *ca_new(struct env *e)
{
	struct ca *ca = ALLOC(struct ca);

	ca->turns = ca_turns_new();
	(void)pthread_mutex_init(&ca->answers_lock, NULL);
	bucket_init(&ca->signatures, CA_SIGNATURES_A_SECOND, CA_SIGNATURES_BURST,
		clock_monotonic_ms());
	bucket_init(&ca->single_use, CA_SINGLE_USE_A_SECOND, CA_SINGLE_USE_BURST,
		clock_monotonic_ms());
	ca->lists = ca_lists_new();
	errand_init(&ca->errand, e, "ca", ca_tend);
	return ca;
}

struct ca *ca_free(struct ca *ca)
{
	if (!ca)
		return NULL;
	map_done(&ca->answers, free);
	(void)ca_lists_free(ca->lists);
	(void)ca_turns_free(ca->turns);
	(void)pthread_mutex_destroy(&ca->answers_lock);
	free(ca);
	return NULL;
}

void ca_wake(struct env *e)
{
	errand_start(&e->ca->errand);
}

void ca_stop(struct env *e)
{
	errand_stop(&e->ca->errand);
}

/* One list on its way. */
struct making {
	struct env *env;
	struct arena *arena;
	int64_t id;
	int64_t next_us; /* 0: as usual */
	int64_t now_us;

	struct store_authority row;
	struct store_key key;
	struct cert *cert;
	struct crl_writer *writer;
	struct buf der;
	unsigned n;
};

static void making_clear(struct making *m)
{
	m->cert = cert_unref(m->cert);
	m->writer = crl_writer_free(m->writer);
	buf_done(&m->der);
	m->n = 0;
}

static int add_entry(const struct store_issued *row, void *context)
{
	struct making *m = context;

	m->n++;
	return crl_writer_add(m->writer, row->serial, row->revoked_us, row->reason);
}

static int read_list(struct store_conn *c, void *arg)
{
	struct making *m = arg;
	int r;

	making_clear(m);
	m->now_us = clock_now_us();
	r = store_authority_get(c, m->arena, m->id, &m->row);
	if (r)
		return r == STORE_E_NOT_FOUND ? CA_STATUS_E_NONE : r;
	if (!m->row.key)
		return CA_STATUS_E_NONE;
	TRY(store_key_get(c, m->arena, m->row.key, &m->key));
	TRY(cert_from_der(&m->cert, m->row.der, NULL));
	if (!authority_signs_lists(m->cert))
		return CA_STATUS_E_NONE;
	TRY(crl_writer_new(&m->writer, m->cert));
	return store_issued_revoked(c, m->id, add_entry, m);
}

static int write_list(struct store_conn *c, void *arg)
{
	struct making *m = arg;

	return store_authority_set_crl(c, &m->row, buf_span(&m->der),
		errand_renewal_us(m->now_us, m->now_us + list_life_us, m->now_us), m->now_us);
}

static int make_list(struct making *m)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *signer = NULL;
	int r = store_read(m->env->store, read_list, m);

	if (r)
		return r;
	TRY(domain_key_open(m->env, &m->key, &signer));
	TRY(crl_writer_finish(m->writer, signer, m->row.crl_number + 1, m->now_us,
		m->next_us ? m->next_us : m->now_us + list_life_us, &m->der));
	r = store_write(m->env->store, write_list, m);
	if (r)
		return r;
	LOG(NULL, LOG_INFO, "PKI", "ca.list", log_span("domain", m->row.name),
		log_span("authority", m->row.label), log_int("number", m->row.crl_number + 1),
		log_int("revoked", m->n));
	r = revocation_load(m->env);
	if (r)
		log_fault(NULL, "PKI", "ca.list", r);
	return 0;
}

/* STORE_E_STALE has no like among the outcomes that come out of here. */
static int make_newest(struct env *e, struct arena *a, int64_t id, int64_t next_us)
{
	struct making m = { .env = e, .arena = a, .id = id, .next_us = next_us };
	int r = STORE_E_STALE;

	for (unsigned i = 0; r == STORE_E_STALE && i < LIST_TRIES; i++)
		r = make_list(&m);
	making_clear(&m);
	return r == CA_STATUS_E_NONE ? r : err_fold(r);
}

struct list_question {
	struct arena *arena;
	int64_t id;
	struct store_authority row;
};

static int read_row(struct store_conn *c, void *arg)
{
	struct list_question *q = arg;

	return store_authority_get(c, q->arena, q->id, &q->row);
}

static int read_current(struct env *e, struct list_question *q, bool *ret_is_due)
{
	int r = store_read(e->store, read_row, q);

	if (r)
		return r == STORE_E_NOT_FOUND ? CA_STATUS_E_NONE : r;
	*ret_is_due = q->row.key && q->row.crl_next_us <= clock_now_us();
	return 0;
}

/* While keyd is away the list before is better than none. */
static int make_if_due(struct env *e, struct list_question *q)
{
	bool is_due;
	int r = read_current(e, q, &is_due);

	if (r || !is_due)
		return r;
	if (!ca_turns_take(e->ca->turns, q->id, q->row.crl_number > 0))
		return 0;
	/* Who waited finds it done. */
	r = read_current(e, q, &is_due);
	if (!r && is_due)
		r = make_newest(e, q->arena, q->id, 0);
	ca_turns_give(e->ca->turns, q->id);
	if (r < 0 && q->row.crl_number) {
		log_fault(NULL, "PKI", "ca.list", r);
		return 0;
	}
	return r ? r : read_current(e, q, &is_due);
}

int ca_list_newest(struct env *e, int64_t authority, struct ca_list **ret_list)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct list_question q = { .arena = &arena, .id = authority };
	int r = make_if_due(e, &q);

	if (r)
		return r;
	r = q.row.crl_number ? ca_lists_get(e, authority, q.row.crl_number, ret_list)
			     : CA_LISTS_E_NONE;
	return r == CA_LISTS_E_NONE ? CA_STATUS_E_NONE : r;
}

struct lasting {
	struct arena *arena;
	int64_t *ids;
	size_t n;
	int64_t until_us;
};

static int note_authority(const struct store_authority *row, void *context)
{
	struct lasting *l = context;
	int64_t *ids = arena_alloc(l->arena, (l->n + 1) * sizeof *ids);

	if (l->n)
		memcpy(ids, l->ids, l->n * sizeof *ids);
	ids[l->n++] = row->id;
	l->ids = ids;
	return 0;
}

static int note_end(const struct store_issued *row, void *context)
{
	struct lasting *l = context;

	if (row->not_after_us > l->until_us)
		l->until_us = row->not_after_us;
	return 0;
}

struct lasting_question {
	struct lasting lasting;
	int64_t domain;
};

static int read_lasting(struct store_conn *c, void *arg)
{
	struct lasting_question *q = arg;

	q->lasting.n = 0;
	TRY(store_authority_each(c, q->domain, note_authority, &q->lasting));
	return store_issued_each(c, q->domain, 0, note_end, &q->lasting);
}

int ca_last_lists(struct env *e, int64_t domain)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct lasting_question q = { .domain = domain,
		.lasting = { .arena = &arena, .until_us = clock_now_us() } };

	TRY(store_read(e->store, read_lasting, &q));
	for (size_t i = 0; i < q.lasting.n; i++) {
		int r = make_newest(e, &arena, q.lasting.ids[i], q.lasting.until_us + day_us);

		if (r < 0)
			return r;
	}
	return 0;
}
