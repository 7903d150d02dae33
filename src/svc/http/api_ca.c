/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A domain's authority: made here, asked of another authority and given by it, renewed, looked at.
 * What it has issued is in api_issued.c.
 */

#include "base/clock.h"
#include "pki/authority.h"
#include "pki/crl_check.h"
#include "pki/key.h"
#include "pki/pem.h"
#include "store/ca_rows.h"
#include "store/request_rows.h"
#include "store/store.h"
#include "svc/ca.h"
#include "svc/ca_status.h"
#include "svc/domain_keys.h"
#include "svc/env.h"
#include "svc/http/api_pki.h"
#include "svc/trust.h"

enum { ALIAS_LENGTH = 8 };

static void set_url(struct http_request *q, json_t *object, const char *member,
	const struct store_authority *row, const char *what)
{
	CLEANUP(buf_done) struct buf url = {};

	ca_add_url(q->env, row, what, &url);
	api_set_text(object, member, buf_span(&url));
}

static json_t *authority_json(struct http_request *q, const struct store_authority *row)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	CLEANUP(cert_list_done) struct cert_list chain = {};
	CLEANUP(buf_done) struct buf pem = {};
	json_t *object = json_object();
	struct why why = {};

	(void)json_object_set_new(object, "active", json_boolean(row->active));
	(void)json_object_set_new(object, "has_key", json_boolean(row->key != 0));
	(void)json_object_set_new(object, "created", http_json_time(row->created_us));
	api_set_number(object, "crl_number", (uint64_t)row->crl_number);
	set_url(q, object, "crl_url", row, "ca.crl");
	set_url(q, object, "ocsp_url", row, "ocsp");
	set_url(q, object, "issuer_url", row, "ca.der");
	if (cert_from_der(&cert, row->der, &why)) {
		api_set_text(object, "unreadable", span_str(why.text));
		return object;
	}
	api_set_cert(object, cert);
	if (cert_list_from_der(&chain, row->chain, NULL) == 0) {
		for (size_t i = 0; i < chain.n; i++)
			cert_add_pem(chain.certs[i], &pem);
	}
	api_set_text(object, "chain", buf_span(&pem));
	return object;
}

struct listing {
	struct http_request *q;
	json_t *list;
};

static int add_authority(const struct store_authority *row, void *context)
{
	struct listing *l = context;

	(void)json_array_append_new(l->list, authority_json(l->q, row));
	return 0;
}

/* Who issues, and whoever has before. */
int api_ca_show(struct http_request *q, struct store_conn *c)
{
	struct listing l = { .q = q, .list = json_array() };
	struct store_authority issuer;
	struct store_domain domain;
	struct why why = {};
	int r = api_domain(q, c, &domain);

	q->answer = json_object();
	(void)json_object_set_new(q->answer, "authorities", l.list);
	if (r)
		return r;
	r = ca_find(c, &q->arena, &domain, &issuer, &why);
	if (r && r != CA_E_NONE)
		return r;
	(void)json_object_set_new(q->answer, "issuer",
		r ? json_null() : authority_json(q, &issuer));
	/* The domain's own certificate, in whose name nothing was issued yet. */
	if (!r && !issuer.id)
		TRY(add_authority(&issuer, &l));
	api_set_text(q->answer, "source",
		r ? SPAN("none") : issuer.active ? SPAN("authority") : SPAN("certificate"));
	(void)json_object_set_new(q->answer, "enabled", json_boolean(domain.pki == PKI_ENABLED));
	api_set_text(q->answer, "hint", span_str(why.text));
	return store_authority_each(c, domain.id, add_authority, &l);
}

/* The issuer's certificate, for those who are to trust it. */
int api_ca_cert(struct http_request *q, struct store_conn *c)
{
	struct store_authority issuer;
	struct store_domain domain;
	struct why why = {};
	int r = api_domain(q, c, &domain);

	if (!r)
		r = ca_find(c, &q->arena, &domain, &issuer, &why);
	if (r == CA_E_NONE)
		return http_problem(q, 404, NULL, "%s", why.text);
	if (!r)
		q->answer = authority_json(q, &issuer);
	return r;
}

/* What is being prepared: an authority, or a request for one. */
struct new_ca {
	struct pki_look_up l;
	size_t n_before; /* authorities that the domain has had */
	bool has_old;
	struct store_authority old; /* the active one */
	struct store_key key;       /* id 0: to be added first */
	struct store_authority row;
	struct span request;        /* DER */
};

static int count_authority(const struct store_authority *row, void *context)
{
	struct new_ca *new = context;

	(void)row;
	new->n_before++;
	return 0;
}

static int read_new(struct store_conn *c, void *arg)
{
	struct new_ca *new = arg;
	int r = pki_look_up_in(c, &new->l);

	if (r)
		return r;
	new->n_before = 0;
	TRY(store_authority_each(c, new->l.domain.id, count_authority, new));
	r = store_authority_active(c, &new->l.q->arena, new->l.domain.id, &new->old);
	new->has_old = r == 0;
	return r == STORE_E_NOT_FOUND ? 0 : r;
}

static struct new_ca *look_up_new(struct http_request *q, int *ret_r)
{
	struct new_ca *new = ARENA_ALLOC(&q->arena, struct new_ca);
	struct span key = http_text(q, "key");

	*new = (struct new_ca){ .l = { .q = q, .key_alias = key, .wants_key = key.n > 0 } };
	*ret_r = store_read(q->env->store, read_new, new);
	q->prepared = new;
	return new;
}

/* The key that was named, else a new one in keyd, which signs and does nothing else. */
static int choose_key(struct http_request *q, struct new_ca *new)
{
	struct span type = http_text(q, "type");
	struct why why = {};
	int r;

	if (new->l.wants_key) {
		new->key = new->l.key;
		if (new->key.use == KEY_CA || new->key.use == KEY_SMIME)
			return 0;
		return http_problem(q, 422, "key", "the key of an authority is one for ca or smime");
	}
	if (!type.n)
		type = SPAN("ec:p256");
	if (span_is(type, "ed25519"))
		return http_problem(q, 422, "type",
			"an authority's key is RSA or EC: few mail programs know Ed25519");
	r = domain_key_make(q->env, &q->arena, new->l.domain.id, KEY_CA, SPAN("new"), type,
		&new->key, &why);
	if (r > 0)
		return http_problem(q, 422, "type", "%s", why.text);
	if (r)
		return r;
	new->key.alias = span_head(new->key.key_id, ALIAS_LENGTH);
	return 0;
}

static struct span default_name(struct http_request *q, const struct new_ca *new)
{
	CLEANUP(buf_done) struct buf name = {};

	if (new->n_before)
		buf_add_format(&name, "S/MIME CA %zu of ", new->n_before + 1);
	else
		buf_add_string(&name, "S/MIME CA of ");
	buf_add_string(&name, new->l.domain.name);
	/* A longer name than a certificate can hold would be left out. */
	if (buf_size(&name) > SUBJECT_TEXT_MAX)
		buf_cut(&name, SUBJECT_TEXT_MAX);
	return arena_span(&q->arena, buf_span(&name));
}

static struct ca_order order_of(struct http_request *q, const struct new_ca *new)
{
	const json_t *days = json_object_get(q->json, "days");
	struct span name = http_text(q, "common_name");

	return (struct ca_order){ .domain = &new->l.domain, .key = &new->key,
		.days = days ? (unsigned)json_integer_value(days) : AUTHORITY_DAYS,
		.subject = { .common_name = name.n ? name : default_name(q, new),
			.organization = http_text(q, "organization"), .unit = http_text(q, "unit"),
			.city = http_text(q, "city"), .state = http_text(q, "state"),
			.country = http_text(q, "country"), .names = new->l.names,
			.n_names = new->l.n_names } };
}

int api_ca_make_prepare(struct http_request *q, struct store_conn *c)
{
	struct ca_order order;
	struct why why = {};
	struct new_ca *new;
	int r;

	(void)c;
	new = look_up_new(q, &r);
	if (!r)
		r = choose_key(q, new);
	if (r)
		return r;
	order = order_of(q, new);
	r = ca_make(q->env, &q->arena, &order, &new->row, &why);
	return r > 0 ? http_problem(q, 422, NULL, "%s", why.text) : r;
}

static int put_authority(struct http_request *q, struct store_conn *c, const char *action)
{
	struct new_ca *new = q->prepared;
	int r = new->key.id ? 0 : store_key_add(c, &new->key, &new->key.id);

	if (r)
		return http_store_problem(q, r, "key", "key", NULL);
	new->row.key = new->key.id;
	TRY(ca_put(c, &new->row, &new->row.id));
	TRY(store_authority_get(c, &q->arena, new->row.id, &new->row));
	q->status = 201;
	q->answer = authority_json(q, &new->row);
	q->trust_changed = q->ca_changed = true;
	return http_audit(q, c, action, q->params[0], new->row.label);
}

int api_ca_make(struct http_request *q, struct store_conn *c)
{
	return put_authority(q, c, "ca.create");
}

static int read_key(struct store_conn *c, void *arg)
{
	struct new_ca *new = arg;

	return store_key_get(c, &new->l.q->arena, new->old.key, &new->key);
}

/* The same authority for another time, and for the domain's names of today. */
int api_ca_refresh_prepare(struct http_request *q, struct store_conn *c)
{
	CLEANUP(cert_unrefp) struct cert *old = NULL;
	struct ca_order order;
	struct why why = {};
	struct new_ca *new;
	int r;

	(void)c;
	new = look_up_new(q, &r);
	if (r)
		return r;
	if (!new->has_old || !new->old.key)
		return http_problem(q, 409, NULL,
			"the domain has no authority of its own: signet ca create %s makes one",
			new->l.domain.name);
	TRY(cert_from_der(&old, new->old.der, &why));
	if (!cert_is_self_signed(old))
		return http_problem(q, 409, NULL,
			"another authority has issued this one: ask it for a new certificate (ca request)"
			" and give it to ca install");
	TRY(store_read(q->env->store, read_key, new));
	order = order_of(q, new);
	order.old = &new->old;
	if (!json_object_get(q->json, "days"))
		order.days = 0; /* as long as it was made for */
	r = ca_make(q->env, &q->arena, &order, &new->row, &why);
	return r > 0 ? http_problem(q, 422, NULL, "%s", why.text) : r;
}

int api_ca_refresh(struct http_request *q, struct store_conn *c)
{
	int r = put_authority(q, c, "ca.refresh");

	if (!r)
		q->status = 200;
	return r;
}

int api_ca_request_prepare(struct http_request *q, struct store_conn *c)
{
	CLEANUP(buf_done) struct buf der = {};
	struct ca_order order;
	struct why why = {};
	struct new_ca *new;
	int r;

	(void)c;
	new = look_up_new(q, &r);
	if (!r)
		r = choose_key(q, new);
	if (r)
		return r;
	order = order_of(q, new);
	/* For the key of the present one it asks for the same name: then it is the same authority. */
	if (new->has_old && new->old.key == new->key.id)
		order.old = &new->old;
	r = ca_request(q->env, &order, &der, &why);
	if (r)
		return r > 0 ? http_problem(q, 422, NULL, "%s", why.text) : r;
	new->request = arena_span(&q->arena, buf_span(&der));
	return 0;
}

int api_ca_request(struct http_request *q, struct store_conn *c)
{
	struct new_ca *new = q->prepared;
	CLEANUP(buf_done) struct buf pem = {};
	struct store_request row = { .domain = new->l.domain.id, .der = new->request,
		.alias = api_alias_of(q, new->request), .created_us = clock_now_us() };
	int r = new->key.id ? 0 : store_key_add(c, &new->key, &new->key.id);

	if (r)
		return http_store_problem(q, r, "key", "key", NULL);
	row.key = new->key.id;
	r = store_request_add(c, &row, &row.id);
	if (r)
		return http_store_problem(q, r, "request", "key", NULL);
	pem_add(&pem, "CERTIFICATE REQUEST", new->request);
	q->status = 201;
	q->answer = json_object();
	api_set_text(q->answer, "alias", row.alias);
	api_set_text(q->answer, "key", new->key.alias);
	api_set_text(q->answer, "request", buf_span(&pem));
	return http_audit(q, c, "ca.request", q->params[0], row.alias);
}

/* Whose key of the domain's is in one of the certificates. */
struct own_search {
	struct arena *arena;
	int64_t domain;
	const struct cert_list *certs;
	size_t i;
	struct store_key key;
};

static int match_own(const struct store_key *key, void *context)
{
	struct own_search *s = context;

	for (size_t i = 0; i < s->certs->n && !s->key.id; i++) {
		if ((key->use != KEY_CA && key->use != KEY_SMIME) ||
			!cert_has_key(s->certs->certs[i], key->spki))
			continue;
		s->i = i;
		s->key = *key;
		s->key.alias = arena_span(s->arena, key->alias);
		s->key.spki = arena_span(s->arena, key->spki);
	}
	return 0;
}

static int find_own(struct store_conn *c, void *arg)
{
	struct own_search *s = arg;

	s->key = (struct store_key){};
	return store_key_each(c, s->domain, match_own, s);
}

/* Only what leads from the certificate upward, in that order. */
static void order_chain(const struct cert_list *given, size_t own, struct buf *out)
{
	const struct cert *at = given->certs[own];

	for (size_t n = 0; n < given->n && !cert_is_self_signed(at); n++) {
		const struct cert *next = NULL;

		for (size_t i = 0; i < given->n && !next; i++) {
			const struct cert *other = given->certs[i];

			if (other != at && X509_check_issued(cert_x509(other), cert_x509(at)) == X509_V_OK)
				next = other;
		}
		if (!next)
			return;
		buf_add(out, cert_der(next));
		at = next;
	}
}

int api_ca_install_prepare(struct http_request *q, struct store_conn *c)
{
	CLEANUP(cert_list_done) struct cert_list certs = {};
	CLEANUP(buf_done) struct buf chain = {};
	struct own_search own = { .arena = &q->arena, .certs = &certs };
	struct why why = {};
	struct new_ca *new;
	int r;

	(void)c;
	new = look_up_new(q, &r);
	if (!r)
		r = api_file_answer(q, &certs);
	if (r)
		return r;
	own.domain = new->l.domain.id;
	TRY(store_read(q->env->store, find_own, &own));
	if (!own.key.id)
		return http_problem(q, 422, "certificate",
			"the domain has no key for ca or smime that belongs to this certificate: it must"
			" be the answer to a request made here (ca request), or its key must be imported"
			" first (key import --for smime)");
	new->key = own.key;
	order_chain(&certs, own.i, &chain);
	r = ca_take(&q->arena, &new->l.domain, &new->key, certs.certs[own.i], buf_span(&chain),
		&new->row, &why);
	if (!r && authority_covers(certs.certs[own.i], new->l.names[0], &why))
		r = CA_E_REFUSED;
	return r > 0 ? http_problem(q, 422, "certificate", "%s", why.text) : r;
}

int api_ca_install(struct http_request *q, struct store_conn *c)
{
	return put_authority(q, c, "ca.install");
}

int api_ca_remove(struct http_request *q, struct store_conn *c)
{
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	if (r)
		return r;
	r = store_authority_retire(c, domain.id);
	if (r == STORE_E_NOT_FOUND)
		return http_problem(q, 404, NULL, "the domain has no authority of its own");
	if (r)
		return r;
	q->status = 204;
	return http_audit(q, c, "ca.remove", q->params[0], SPAN(""));
}

/* The issuer as it was found outside of a transaction. */
struct found_ca {
	struct pki_look_up l;
	struct store_authority row;
	struct store_key key;
	struct why why;
	bool none;
};

static int find_issuer(struct store_conn *c, void *arg)
{
	struct found_ca *f = arg;
	int r = pki_look_up_in(c, &f->l);

	if (r)
		return r;
	r = ca_find(c, &f->l.q->arena, &f->l.domain, &f->row, &f->why);
	f->none = r == CA_E_NONE;
	if (f->none)
		return 0;
	TRY(r);
	if (f->row.key)
		TRY(store_key_get(c, &f->l.q->arena, f->row.key, &f->key));
	return 0;
}

static int check_issuer(struct http_request *q, struct found_ca *f, struct check_list *l)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	struct why why = {};

	if (f->l.domain.pki != PKI_ENABLED)
		check_add(l, "mode", CHECK_ERROR, "the domain's PKI is not enabled: nothing is issued"
			" (domain set %s pki=enabled)", f->l.domain.name);
	if (f->none) {
		check_add(l, "issuer", CHECK_ERROR, "%s", f->why.text);
		return 0;
	}
	check_add(l, "issuer", f->row.active ? CHECK_OK : CHECK_NOTE, "%s",
		f->row.active ? "the domain's authority" :
				"the domain's own certificate, since it has no authority");
	TRY(cert_from_der(&cert, f->row.der, NULL));
	authority_checks(l, cert, f->l.names, f->l.n_names, clock_now_us());
	if (!f->row.key) {
		check_add(l, "private key", CHECK_ERROR,
			"it is not here any more: make a new authority (ca create)");
		return 0;
	}
	TRY(domain_key_open(q->env, &f->key, &key));
	if (key_self_test(key, f->key.spki, false, &why))
		check_add(l, "private key", CHECK_ERROR, "%s", why.text);
	else
		check_add(l, "private key", CHECK_OK, "in the key process, and works");
	return 0;
}

int api_ca_check(struct http_request *q, struct store_conn *c)
{
	struct found_ca *f = ARENA_ALLOC(&q->arena, struct found_ca);
	struct check_list rows = { .arena = &q->arena };
	json_t *list;
	int r;

	(void)c;
	*f = (struct found_ca){ .l = { .q = q } };
	r = store_read(q->env->store, find_issuer, f);
	if (!r)
		r = check_issuer(q, f, &rows);
	if (r)
		return r;
	list = api_answer_list(q, "checks");
	for (size_t i = 0; i < rows.n; i++) {
		json_t *object = json_object();

		api_set_text(object, "check", span_str(rows.rows[i].check));
		api_set_text(object, "result", span_str(check_result_name(rows.rows[i].result)));
		api_set_text(object, "text", rows.rows[i].text);
		(void)json_array_append_new(list, object);
	}
	api_set_text(q->answer, "domain", span_str(f->l.domain.name));
	api_set_text(q->answer, "result", span_str(check_result_name(check_worst(&rows))));
	return 0;
}

/* The list as a file, made anew if it is due. */
int api_ca_crl(struct http_request *q, struct store_conn *c)
{
	struct found_ca *f = ARENA_ALLOC(&q->arena, struct found_ca);
	CLEANUP(ca_list_unrefp) struct ca_list *list = NULL;
	CLEANUP(crl_unrefp) struct crl *crl = NULL;
	CLEANUP(buf_done) struct buf pem = {};
	int r;

	(void)c;
	*f = (struct found_ca){ .l = { .q = q } };
	r = store_read(q->env->store, find_issuer, f);
	if (r)
		return r;
	if (f->none || !f->row.id)
		return http_problem(q, 404, NULL, "%s", f->none ? f->why.text :
			"the domain's certificate has not issued anything yet");
	r = ca_list_newest(q->env, f->row.id, &list);
	if (r > 0)
		return http_problem(q, 404, NULL,
			"this authority signs no revocation lists (ca check says why)");
	if (r)
		return r;
	TRY(crl_from_der(&crl, list->der, NULL));
	crl_add_pem(crl, &pem);
	q->answer = json_object();
	api_set_file(q->answer, buf_span(&pem), true);
	api_set_number(q->answer, "number", (uint64_t)list->number);
	api_set_number(q->answer, "revoked", crl_n_revoked(crl));
	(void)json_object_set_new(q->answer, "this_update",
		http_json_time(list->this_update_us));
	(void)json_object_set_new(q->answer, "next_update", http_json_time(list->next_update_us));
	return 0;
}
