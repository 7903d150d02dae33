/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Keys and certificates as rows. Which certificate serves what is a list on the certificate itself;
 * of one service and key type only one of a domain's is active, so activating one takes the service
 * away from the others.
 */

#include "store/key_rows.h"

#include "base/clock.h"
#include "store/conn.h"

#include <assert.h>

/* In the order of enum cert_service. */
static const char *const service_names[] = { "smtp", "imap", "pop3", "http" };

enum { SERVICES = sizeof service_names / sizeof service_names[0] };

#define KEY_COLUMNS                                                                                \
	"select id, domain, use, alias, type, key_id, wrapped, spki, created from tls_key"

/* The columns from `at` on. */
static struct store_key key_of(struct db_statement *q, int at)
{
	return (struct store_key){
		.id = db_int(q, at),
		.domain = db_int(q, at + 1),
		.use = (enum key_use)db_int(q, at + 2),
		.alias = db_blob(q, at + 3),
		.type = db_blob(q, at + 4),
		.key_id = db_blob(q, at + 5),
		.wrapped = db_blob(q, at + 6),
		.spki = db_blob(q, at + 7),
		.created_us = db_int(q, at + 8),
	};
}

int store_key_add(struct store_conn *c, const struct store_key *key, int64_t *ret_id)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	assert(c->writer);
	TRY(db_query_row(&q, &row, c->db,
		"insert into tls_key (domain, use, alias, type, key_id, wrapped, spki, created)"
		" values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (domain, alias) do nothing"
		" returning id",
		DB_ARGS(DB_INT(key->domain), DB_INT(key->use), DB_SPAN(key->alias),
			DB_SPAN(key->type), DB_SPAN(key->key_id), DB_SPAN(key->wrapped),
			DB_SPAN(key->spki), DB_INT(clock_now_us()))));
	if (!row)
		return STORE_E_EXISTS;
	*ret_id = db_int(q, 0);
	return 0;
}

int store_key_remove(struct store_conn *c, int64_t id)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n, "delete from tls_key where id = $1", DB_ARGS(DB_INT(id))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_key_each(struct store_conn *c, int64_t domain,
	int (*each)(const struct store_key *key, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db, KEY_COLUMNS " where $1 = 0 or domain = $1 order by domain, id",
		DB_ARGS(DB_INT(domain))));
	while (db_next(q, &r)) {
		struct store_key key = key_of(q, 0);

		r = each(&key, context);
	}
	return r;
}

int store_key_get(struct store_conn *c, struct arena *a, int64_t id, struct store_key *ret_key)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	struct store_key key;
	bool row;

	TRY(db_query_row(&q, &row, c->db, KEY_COLUMNS " where id = $1", DB_ARGS(DB_INT(id))));
	if (!row)
		return STORE_E_NOT_FOUND;
	key = key_of(q, 0);
	key.alias = arena_span(a, key.alias);
	key.type = arena_span(a, key.type);
	key.key_id = arena_span(a, key.key_id);
	key.wrapped = arena_span(a, key.wrapped);
	key.spki = arena_span(a, key.spki);
	*ret_key = key;
	return 0;
}

int store_cert_add(struct store_conn *c, const struct store_cert *cert, int64_t *ret_id)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int64_t id;
	bool row;

	assert(c->writer);
	TRY(db_query_row(&q, &row, c->db,
		"insert into cert (domain, tls_key, alias, der, chain, services, created)"
		" values ($1, $2, $3, $4, $5, $6, $7) on conflict (domain, alias) do nothing"
		" returning id",
		DB_ARGS(DB_INT(cert->domain), cert->key ? DB_INT(cert->key) : DB_NULL,
			DB_SPAN(cert->alias), DB_SPAN(cert->der), DB_SPAN(cert->chain),
			DB_SPAN(SPAN("")), DB_INT(clock_now_us()))));
	if (!row)
		return STORE_E_EXISTS;
	id = db_int(q, 0);
	db_reset(TAKE(q));
	if (cert->services.n) {
		int r = store_cert_activate(c, id, cert->services);

		if (r)
			return r;
	}
	*ret_id = id;
	return 0;
}

int store_cert_remove(struct store_conn *c, int64_t id)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n, "delete from cert where id = $1", DB_ARGS(DB_INT(id))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_cert_replace(struct store_conn *c, int64_t id, struct span der, struct span chain)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n, "update cert set der = $2, chain = $3, created = $4 where id = $1",
		DB_ARGS(DB_INT(id), DB_SPAN(der), DB_SPAN(chain), DB_INT(clock_now_us()))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_cert_set_chain(struct store_conn *c, int64_t id, struct span chain)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n, "update cert set chain = $2 where id = $1",
		DB_ARGS(DB_INT(id), DB_SPAN(chain))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_cert_services(struct span services, unsigned *ret_bits)
{
	unsigned bits = 0;

	if (span_is(services, "all")) {
		*ret_bits = (1u << SERVICES) - 1;
		return 0;
	}
	while (services.n) {
		struct span name = span_cut(&services, ',');
		unsigned i = 0;

		while (i < SERVICES && !span_is(name, service_names[i]))
			i++;
		if (i == SERVICES)
			return STORE_E_REFUSED;
		bits |= 1u << i;
	}
	*ret_bits = bits;
	return 0;
}

static void services_add(unsigned bits, struct buf *text)
{
	size_t start = buf_size(text);

	if (bits == (1u << SERVICES) - 1) {
		buf_add_string(text, "all");
		return;
	}
	for (unsigned i = 0; i < SERVICES; i++) {
		if (!(bits & 1u << i))
			continue;
		if (buf_size(text) > start)
			buf_add_octet(text, ',');
		buf_add_string(text, service_names[i]);
	}
}

static int services_write(struct store_conn *c, int64_t id, unsigned bits)
{
	CLEANUP(buf_done) struct buf text = {};

	services_add(bits, &text);
	TRY(db_exec(c->db, NULL, "update cert set services = $2 where id = $1",
		DB_ARGS(DB_INT(id), DB_SPAN(buf_span(&text)))));
	return 0;
}

struct rival {
	int64_t id;
	unsigned bits;
};

/* The domain's active certificates with a key of the same type: "rsa" of "rsa:2048". */
static int rivals_read(struct store_conn *c, int64_t id, struct buf *rivals)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select o.id, o.services, ok.type, k.type from cert t"
		" join tls_key k on k.id = t.tls_key"
		" join cert o on o.domain = t.domain and o.id <> t.id"
		" join tls_key ok on ok.id = o.tls_key where t.id = $1",
		DB_ARGS(DB_INT(id))));
	while (db_next(q, &r)) {
		struct span type = db_blob(q, 2), own = db_blob(q, 3);
		struct rival rival;

		if (!span_equal(span_cut(&type, ':'), span_cut(&own, ':')))
			continue;
		rival.id = db_int(q, 0);
		TRY(store_cert_services(db_blob(q, 1), &rival.bits));
		buf_add(rivals, span_of(&rival, sizeof rival));
	}
	return r;
}

static int cert_exists(struct store_conn *c, int64_t id)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select tls_key from cert where id = $1",
		DB_ARGS(DB_INT(id))));
	if (!row)
		return STORE_E_NOT_FOUND;
	/* A certificate whose key is not here cannot serve anything. */
	return db_is_null(q, 0) ? STORE_E_REFUSED : 0;
}

int store_cert_activate(struct store_conn *c, int64_t id, struct span services)
{
	CLEANUP(buf_done) struct buf list = {};
	const struct rival *rivals;
	unsigned bits;
	int r;

	assert(c->writer);
	r = cert_exists(c, id);
	if (!r)
		r = store_cert_services(services, &bits);
	if (r)
		return r;
	TRY(rivals_read(c, id, &list));
	rivals = (const struct rival *)(const void *)buf_span(&list).p;
	for (size_t i = 0; i < buf_size(&list) / sizeof *rivals; i++) {
		if (rivals[i].bits & bits)
			TRY(services_write(c, rivals[i].id, rivals[i].bits & ~bits));
	}
	return services_write(c, id, bits);
}

static int displace(struct store_conn *c, const struct rival *rival, unsigned lost,
	int (*each)(struct span alias, struct span lost, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	CLEANUP(buf_done) struct buf text = {};
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select alias from cert where id = $1",
		DB_ARGS(DB_INT(rival->id))));
	services_add(lost, &text);
	return row ? each(db_blob(q, 0), buf_span(&text), context) : 0;
}

int store_cert_displaces(struct store_conn *c, int64_t id, struct span services,
	int (*each)(struct span alias, struct span lost, void *context), void *context)
{
	CLEANUP(buf_done) struct buf list = {};
	const struct rival *rivals;
	unsigned bits;
	int r = store_cert_services(services, &bits);

	if (r)
		return r;
	TRY(rivals_read(c, id, &list));
	rivals = (const struct rival *)(const void *)buf_span(&list).p;
	for (size_t i = 0; i < buf_size(&list) / sizeof *rivals && !r; i++) {
		if (rivals[i].bits & bits)
			r = displace(c, &rivals[i], rivals[i].bits & bits, each, context);
	}
	return r;
}

int store_cert_free_services(struct store_conn *c, int64_t id, struct buf *services)
{
	CLEANUP(buf_done) struct buf list = {};
	unsigned bits = (1u << SERVICES) - 1;
	const struct rival *rivals;

	TRY(rivals_read(c, id, &list));
	rivals = (const struct rival *)(const void *)buf_span(&list).p;
	for (size_t i = 0; i < buf_size(&list) / sizeof *rivals; i++)
		bits &= ~rivals[i].bits;
	services_add(bits, services);
	return 0;
}

static struct store_cert cert_of(struct db_statement *q)
{
	return (struct store_cert){
		.id = db_int(q, 0),
		.domain = db_int(q, 1),
		.key = db_int(q, 2),
		.alias = db_blob(q, 3),
		.der = db_blob(q, 4),
		.chain = db_blob(q, 5),
		.services = db_blob(q, 6),
		.created_us = db_int(q, 7),
	};
}

int store_cert_each(struct store_conn *c, int64_t domain,
	int (*each)(const struct store_cert *cert, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select id, domain, tls_key, alias, der, chain, services, created from cert"
		" where $1 = 0 or domain = $1 order by domain, id",
		DB_ARGS(DB_INT(domain))));
	while (db_next(q, &r)) {
		struct store_cert cert = cert_of(q);

		r = each(&cert, context);
	}
	return r;
}

int store_active_cert_each(struct store_conn *c,
	int (*each)(const struct store_cert *cert, const struct store_key *key, void *context),
	void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select t.id, t.domain, k.id, t.alias, t.der, t.chain, t.services, t.created,"
		" k.id, k.domain, k.use, k.alias, k.type, k.key_id, k.wrapped, k.spki, k.created"
		" from cert t join tls_key k on k.id = t.tls_key where length(t.services) > 0"
		" order by t.domain, t.id",
		NULL, 0));
	while (db_next(q, &r)) {
		struct store_cert cert = cert_of(q);
		struct store_key key = key_of(q, 8);

		r = each(&cert, &key, context);
	}
	return r;
}
