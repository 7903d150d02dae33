/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What is trusted, in each scope: the server's, the cluster's, a domain's. A list shows what is
 * inherited too. A certificate that is there already may be named by its fingerprint, so that one of the
 * built-in ones can be denied, or trusted for clients, without its file.
 */

#include "base/digest.h"
#include "store/store.h"
#include "store/trust_rows.h"
#include "svc/env.h"
#include "svc/http/api_pki.h"
#include "svc/trust.h"

#include <errno.h>

/* The scope that a request is about. */
struct trust_place {
	enum trust_scope scope;
	int64_t domain; /* of TRUST_DOMAIN */
};

/* By the members or parameters "scope" and "domain"; with a domain its own scope, else the server's. */
static int place_of(struct http_request *q, struct span scope, struct span domain,
	struct trust_place *ret_place)
{
	*ret_place = (struct trust_place){ .scope = TRUST_SERVER_WIDE };
	if (domain.n && (!scope.n || span_is(scope, "domain"))) {
		ret_place->scope = TRUST_DOMAIN;
		return api_read_domain(q, domain, &ret_place->domain);
	}
	if (domain.n || span_is(scope, "domain"))
		return http_problem(q, 422, "domain", "a domain goes with the scope domain, and only"
			" with that");
	if (span_is(scope, "cluster"))
		ret_place->scope = TRUST_CLUSTER;
	else if (scope.n && !span_is(scope, "server"))
		return http_problem(q, 422, "scope", "scope is server, cluster or domain");
	return 0;
}

static int set_of(struct http_request *q, const struct trust_place *place, struct trust **ret_trust)
{
	return place->scope == TRUST_DOMAIN ? trust_of_domain(q->env, place->domain, ret_trust) :
		trust_of_system(q->env, ret_trust);
}

/* What people call the certificates of a scope; the others are called by their digests. */
struct called {
	unsigned scope;
	struct span sha256, alias;
};

enum { CALLED_MAX = 4096 };

struct aliases {
	struct http_request *q;
	const struct trust_place *place;
	struct called *called;
	size_t n;
};

static int add_alias(const struct store_trust *row, void *context)
{
	struct aliases *a = context;

	if (row->alias.n && a->n < CALLED_MAX)
		a->called[a->n++] = (struct called){ row->scope, arena_span(&a->q->arena, row->sha256),
			arena_span(&a->q->arena, row->alias) };
	return 0;
}

static int read_aliases(struct store_conn *c, void *arg)
{
	struct aliases *a = arg;

	a->n = 0;
	TRY(store_trust_each(c, TRUST_SERVER_WIDE, 0, add_alias, a));
	TRY(store_trust_each(c, TRUST_CLUSTER, 0, add_alias, a));
	return a->place->scope == TRUST_DOMAIN ?
		store_trust_each(c, TRUST_DOMAIN, a->place->domain, add_alias, a) : 0;
}

static struct span alias_of(const struct aliases *a, const struct trust_entry *entry)
{
	uint8_t digest[SHA256_OCTETS];

	cert_fingerprint(entry->cert, digest);
	for (size_t i = 0; i < a->n; i++) {
		if (a->called[i].scope == entry->scope &&
			span_equal(a->called[i].sha256, span_of(digest, sizeof digest)))
			return a->called[i].alias;
	}
	return api_alias_of(a->q, cert_der(entry->cert));
}

struct listing {
	json_t *list;
	const struct trust *trust;
	const struct trust_place *place;
	struct aliases aliases;
};

static int add_entry(const struct trust_entry *entry, void *context)
{
	struct listing *l = context;
	CLEANUP(buf_done) struct buf purposes = {};
	json_t *object;

	/* What one server trusts is nothing to the others of the cluster. */
	if (l->place->scope == TRUST_CLUSTER && entry->scope == TRUST_SERVER_WIDE)
		return 0;
	object = json_object();
	trust_purposes_print(entry->purposes, &purposes);
	api_set_text(object, "alias", alias_of(&l->aliases, entry));
	api_set_cert(object, entry->cert);
	api_set_text(object, "scope", span_str(trust_scope_name(entry->scope)));
	api_set_text(object, "purposes", buf_span(&purposes));
	(void)json_object_set_new(object, "denied", json_boolean(entry->purposes == 0));
	(void)json_object_set_new(object, "overruled", json_boolean(entry->purposes != 0 &&
		trust_is_denied(l->trust, entry->cert)));
	(void)json_object_set_new(object, "inherited", json_boolean(entry->scope != l->place->scope));
	return json_array_append_new(l->list, object) ? err_fault(ENOMEM, "json") : 0;
}

int api_trust_list(struct http_request *q, struct store_conn *c)
{
	CLEANUP(trust_unrefp) struct trust *trust = NULL;
	struct trust_place place;
	struct listing l = { .place = &place, .aliases = { .q = q, .place = &place } };
	int r = place_of(q, http_query(q, "scope"), http_query(q, "domain"), &place);

	(void)c;
	if (!r)
		r = set_of(q, &place, &trust);
	if (r)
		return r;
	l.aliases.called = arena_alloc(&q->arena, CALLED_MAX * sizeof *l.aliases.called);
	TRY(store_read(q->env->store, read_aliases, &l.aliases));
	l.list = api_answer_list(q, "certificates");
	l.trust = trust;
	return trust_each(trust, add_entry, &l);
}

/* One that the scope shows, by its fingerprint. */
static int find_known(struct http_request *q, const struct trust_place *place, struct span text,
	const char *field, struct cert **ret_cert)
{
	CLEANUP(trust_unrefp) struct trust *trust = NULL;

	TRY(set_of(q, place, &trust));
	if (trust_by_fingerprint(trust, text, ret_cert))
		return 0;
	return http_problem(q, 404, field,
		"no certificate that is known here has this fingerprint");
}

/* What is to be written: certificates of a file, or one by its fingerprint. */
struct new_trust {
	struct trust_place place;
	unsigned purposes;
	size_t n;
	struct span *ders;
};

static int read_file(struct http_request *q, struct new_trust *new)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	int r = api_file_certs(q, "certificate", &list);

	if (r)
		return r;
	new->ders = arena_alloc(&q->arena, list.n * sizeof *new->ders);
	for (size_t i = 0; i < list.n; i++)
		new->ders[new->n++] = arena_span(&q->arena, cert_der(list.certs[i]));
	if (new->n > 1 && http_text(q, "alias").n)
		return http_problem(q, 422, "alias",
			"there are several certificates in the file, and an alias is for one");
	return 0;
}

static int read_fingerprint(struct http_request *q, struct new_trust *new)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	int r = find_known(q, &new->place, http_text(q, "fingerprint"), "fingerprint", &cert);

	if (r)
		return r;
	new->ders = arena_alloc(&q->arena, sizeof *new->ders);
	new->ders[new->n++] = arena_span(&q->arena, cert_der(cert));
	return 0;
}

static int parse_purposes(struct http_request *q, unsigned *ret_purposes)
{
	struct span text = http_text(q, "purposes");

	*ret_purposes = TRUST_ALL_PURPOSES;
	if (json_is_true(json_object_get(q->json, "deny"))) {
		*ret_purposes = 0;
		if (text.n)
			return http_problem(q, 422, "purposes", "what is denied has no purposes");
	} else if (text.n && !trust_purposes_parse(text, ret_purposes)) {
		return http_problem(q, 422, "purposes",
			"purposes are some of server,client,mail, or all");
	}
	return 0;
}

int api_trust_add_prepare(struct http_request *q, struct store_conn *c)
{
	struct new_trust *new = ARENA_ALLOC(&q->arena, struct new_trust);
	int r = place_of(q, http_text(q, "scope"), http_text(q, "domain"), &new->place);

	(void)c;
	if (!r)
		r = parse_purposes(q, &new->purposes);
	if (r)
		return r;
	q->prepared = new;
	r = api_check_alias(q, http_text(q, "alias"));
	if (r)
		return r;
	if (!http_text(q, "certificate").p == !http_text(q, "fingerprint").p)
		return http_problem(q, 422, "certificate",
			"either a certificate, or the fingerprint of one that is known here");
	return http_text(q, "certificate").p ? read_file(q, new) : read_fingerprint(q, new);
}

struct twin {
	struct span alias, sha256;
	bool found;
};

static int match_twin(const struct store_trust *row, void *context)
{
	struct twin *t = context;

	t->found |= span_equal(row->alias, t->alias) && !span_equal(row->sha256, t->sha256);
	return 0;
}

/* Within a scope an alias means one certificate. */
static int check_twin(struct http_request *q, struct store_conn *c, const struct store_trust *row)
{
	struct twin twin = { .alias = row->alias, .sha256 = row->sha256 };

	if (!row->alias.n)
		return 0;
	TRY(store_trust_each(c, row->scope, row->domain, match_twin, &twin));
	return twin.found ? http_problem(q, 409, "alias",
		"another certificate of this scope has that alias already") : 0;
}

static int write_one(struct http_request *q, struct store_conn *c, const struct new_trust *new,
	struct span der)
{
	uint8_t digest[SHA256_OCTETS] = {};
	struct store_trust row = { .domain = new->place.domain, .scope = new->place.scope,
		.sha256 = span_of(digest, sizeof digest), .der = der, .purposes = new->purposes,
		.alias = http_text(q, "alias") };
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	CLEANUP(buf_done) struct buf subject = {};
	json_t *object = json_object();
	int r;

	digest_sha256(der, digest);
	(void)json_array_append_new(json_object_get(q->answer, "certificates"), object);
	TRY(cert_from_der(&cert, der, NULL));
	api_set_text(object, "alias", row.alias.n ? row.alias : api_alias_of(q, der));
	api_set_cert(object, cert);
	cert_add_subject(cert, &subject);
	r = check_twin(q, c, &row);
	if (r)
		return r;
	TRY(store_trust_put(c, &row));
	return http_audit(q, c, new->purposes ? "trust.add" : "trust.deny", http_text(q, "domain"),
		buf_span(&subject));
}

int api_trust_add(struct http_request *q, struct store_conn *c)
{
	const struct new_trust *new = q->prepared;

	(void)api_answer_list(q, "certificates");
	for (size_t i = 0; i < new->n; i++) {
		int r = write_one(q, c, new, new->ders[i]);

		if (r)
			return r;
	}
	q->status = 201;
	q->trust_changed = q->tls_changed = true;
	return 0;
}

struct row_search {
	struct span fingerprint;
	int64_t id;
};

static int match_row(const struct store_trust *row, void *context)
{
	struct row_search *s = context;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;

	if (!s->id && cert_from_der(&cert, row->der, NULL) == 0 &&
		cert_has_fingerprint(cert, s->fingerprint))
		s->id = row->id;
	return 0;
}

int api_trust_remove_prepare(struct http_request *q, struct store_conn *c)
{
	struct trust_place *place = ARENA_ALLOC(&q->arena, struct trust_place);

	(void)c;
	q->prepared = place;
	return place_of(q, http_query(q, "scope"), http_query(q, "domain"), place);
}

int api_trust_remove(struct http_request *q, struct store_conn *c)
{
	const struct trust_place *place = q->prepared;
	struct row_search search = { .fingerprint = q->params[0] };

	TRY(store_trust_each(c, place->scope, place->domain, match_row, &search));
	if (!search.id)
		return http_problem(q, 404, "fingerprint",
			"this scope has no such certificate of its own; one that is inherited can be"
			" denied (trust deny)");
	TRY(store_trust_remove(c, search.id));
	q->status = 204;
	q->trust_changed = q->tls_changed = true;
	return http_audit(q, c, "trust.remove", http_query(q, "domain"), q->params[0]);
}
