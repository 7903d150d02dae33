/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/ca_fixture.h"

#include "base/test.h"
#include "store/conn.h"
#include "svc/ca.h"
#include "svc/domain_keys.h"

struct domain_question {
	struct arena *arena;
	struct store_domain domain;
};

static int find_domain(struct store_conn *c, void *arg)
{
	struct domain_question *q = arg;

	return store_domain_find(c, q->arena, SPAN("example.org"), &q->domain);
}

struct store_domain ca_fixture_domain(struct env_fixture *f, struct arena *a)
{
	struct domain_question q = { .arena = a };

	assert_int_equal(store_read(f->env.store, find_domain, &q), 0);
	return q.domain;
}

struct put {
	struct store_key *key;
	struct store_authority *row;
	int64_t id;
};

static int put(struct store_conn *c, void *arg)
{
	struct put *p = arg;

	if (!p->key->id)
		TRY(store_key_add(c, p->key, &p->key->id));
	p->row->key = p->key->id;
	return ca_put(c, p->row, &p->id);
}

int64_t ca_fixture_authority(struct env_fixture *f, struct arena *a, const char *alias,
	const char *name)
{
	struct store_domain domain = ca_fixture_domain(f, a);
	struct span names[] = { SPAN("example.org") };
	struct store_key *key = ARENA_ALLOC(a, struct store_key);
	struct store_authority row;
	struct ca_order order = { .domain = &domain,
		.key = key,
		.days = 3650,
		.subject = { .common_name = span_str(name), .names = names, .n_names = 1 } };
	struct put p = { .key = key, .row = &row };
	struct why why = {};

	assert_int_equal(domain_key_make(&f->env, a, domain.id, KEY_CA, span_str(alias),
				 SPAN("ec:p256"), key, &why),
		0);
	if (ca_make(&f->env, a, &order, &row, &why))
		fail_msg("%s: %s", err_last_trace(), why.text);
	assert_int_equal(store_write(f->env.store, put, &p), 0);
	return p.id;
}

static int run_sql(struct store_conn *c, void *arg)
{
	const char *const *sql = arg;

	return db_exec(c->db, NULL, *sql, NULL, 0);
}

void ca_fixture_sql(struct env_fixture *f, const char *sql)
{
	if (store_write(f->env.store, run_sql, &sql))
		fail_msg("%s: %s", sql, err_last_trace());
}
