/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A domain's certificates: made here, asked of an authority and installed, or brought along with their
 * keys. What makes one useless is refused, what makes it doubtful is said in "warnings" of the answer
 * and by "cert check" afterwards.
 */

#include "base/clock.h"
#include "keyd/client.h"
#include "keyd/import.h"
#include "pki/check.h"
#include "pki/selfsign.h"
#include "store/acme_rows.h"
#include "store/store.h"
#include "svc/domain_keys.h"
#include "svc/env.h"
#include "svc/http/api_key.h"
#include "svc/http/api_pki.h"
#include "svc/http/api_subject.h"
#include "svc/known_certs.h"
#include "svc/trust.h"

/* A certificate row that is being prepared, with what is to be said about it. */
struct new_cert {
	struct store_cert row;
	struct store_key key; /* id 0: to be added first */
	struct check_list checks;
};

static void set_chain(json_t *object, struct span chain)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	CLEANUP(buf_done) struct buf text = {};

	if (cert_list_from_der(&list, chain, NULL) == 0) {
		for (size_t i = 0; i < list.n; i++)
			cert_add_pem(list.certs[i], &text);
	}
	api_set_text(object, "chain", buf_span(&text));
}

static json_t *cert_json(const struct store_cert *row)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	json_t *object = json_object();
	struct why why = {};

	api_set_text(object, "alias", row->alias);
	api_set_text(object, "services", row->services);
	(void)json_object_set_new(object, "has_key", json_boolean(row->key != 0));
	(void)json_object_set_new(object, "created", http_json_time(row->created_us));
	if (cert_from_der(&cert, row->der, &why)) {
		api_set_text(object, "unreadable", span_str(why.text));
		return object;
	}
	api_set_cert(object, cert);
	set_chain(object, row->chain);
	return object;
}

static int add_cert(const struct store_cert *cert, void *context)
{
	(void)json_array_append_new(context, cert_json(cert));
	return 0;
}

int api_cert_list(struct http_request *q, struct store_conn *c)
{
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	return r ? r : store_cert_each(c, domain.id, add_cert, api_answer_list(q, "certificates"));
}

static struct pki_look_up of_cert(struct http_request *q)
{
	return (struct pki_look_up){ .q = q, .cert_alias = q->params[1], .wants_cert = true };
}

int api_cert_show(struct http_request *q, struct store_conn *c)
{
	struct pki_look_up l = of_cert(q);
	int r = pki_look_up_in(c, &l);

	if (!r)
		q->answer = cert_json(&l.cert);
	return r;
}

/* Services of the body; "none" where a certificate is only to be kept. */
static int parse_services(struct http_request *q, struct span fallback, struct span *ret_services)
{
	struct span services = http_text(q, "services");
	unsigned bits;

	if (!services.p)
		services = fallback;
	if (span_is(services, "none"))
		services = SPAN("");
	if (store_cert_services(services, &bits))
		return http_problem(q, 422, "services",
			"services is all, none, or some of smtp,imap,pop3,http");
	*ret_services = services;
	return 0;
}

/* What clients will not like about a certificate that is put to use. */
static int warn_of(const struct pki_look_up *l, struct span der, struct check_list *checks)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;

	TRY(cert_from_der(&cert, der, NULL));
	check_certificate(checks, cert, l->names, l->n_names, clock_now_us());
	return 0;
}

static int add_displaced(struct span alias, struct span lost, void *context)
{
	json_t *object = json_object();

	api_set_text(object, "alias", alias);
	api_set_text(object, "services", lost);
	(void)json_array_append_new(context, object);
	return 0;
}

/* Those that lose services by it are named in the answer. */
static int put_to_use(struct http_request *q, struct store_conn *c, int64_t id, struct span services)
{
	json_t *list = json_array();
	int r;

	(void)json_object_set_new(q->answer, "displaced", list);
	r = store_cert_displaces(c, id, services, add_displaced, list);
	if (json_array_size(list) == 0)
		(void)json_object_del(q->answer, "displaced");
	return r ? r : store_cert_activate(c, id, services);
}

int api_cert_activate(struct http_request *q, struct store_conn *c)
{
	struct pki_look_up l = of_cert(q);
	struct check_list checks = { .arena = &q->arena };
	struct span services;
	int r = parse_services(q, SPAN("all"), &services);

	if (!r)
		r = pki_look_up_in(c, &l);
	if (!r && !services.n)
		r = api_check_last(q, c, &l.domain, 0, l.cert.id);
	if (r)
		return r;
	if (!l.cert.key)
		return http_problem(q, 422, "certificate",
			"the domain does not have the key of this certificate");
	q->answer = cert_json(&l.cert);
	TRY(put_to_use(q, c, l.cert.id, services));
	api_set_text(q->answer, "services", services);
	if (services.n)
		TRY(warn_of(&l, l.cert.der, &checks));
	api_set_warnings(q->answer, &checks);
	q->tls_changed = true;
	return http_audit(q, c, "cert.activate", q->params[0], l.cert.alias);
}

int api_cert_remove(struct http_request *q, struct store_conn *c)
{
	struct pki_look_up l = of_cert(q);
	int r = pki_look_up_in(c, &l);

	if (!r)
		r = api_check_last(q, c, &l.domain, 0, l.cert.id);
	if (r)
		return r;
	TRY(store_cert_remove(c, l.cert.id));
	q->status = 204;
	q->tls_changed = true;
	return http_audit(q, c, "cert.remove", q->params[0], l.cert.alias);
}

int api_cert_make_prepare(struct http_request *q, struct store_conn *c)
{
	struct pki_look_up l = { .q = q, .key_alias = http_text(q, "key"), .wants_key = true };
	struct new_cert *new = ARENA_ALLOC(&q->arena, struct new_cert);
	const json_t *days = json_object_get(q->json, "days");
	struct subject subject = {};
	struct why why = {};
	int r = api_check_alias(q, http_text(q, "alias"));

	(void)c;
	if (!r)
		r = pki_look_up(&l);
	if (!r)
		r = api_subject(q, &l, &subject);
	if (r)
		return r;
	if (l.key.use != KEY_TLS)
		return http_problem(q, 422, "key", "this key is not for TLS");
	*new = (struct new_cert){ .key = l.key, .checks = { .arena = &q->arena } };
	api_check_subject(&l, &subject, &new->checks);
	r = domain_cert_self_sign(q->env, &q->arena, &l.key, http_text(q, "alias"), &subject,
		days ? (unsigned)json_integer_value(days) : SELFSIGN_DAYS, &new->row, &why);
	if (r > 0)
		return http_problem(q, 422, "days", "%s", why.text);
	if (r)
		return r;
	if (!new->row.alias.n)
		new->row.alias = api_alias_of(q, new->row.der);
	q->prepared = new;
	return parse_services(q, SPAN("all"), &new->row.services);
}

static int write_cert(struct http_request *q, struct store_conn *c, const char *action)
{
	struct new_cert *new = q->prepared;
	struct store_cert idle;
	int r = new->key.id ? 0 : store_key_add(c, &new->key, &new->row.key);

	if (r)
		return http_store_problem(q, r, "key", "alias", NULL);
	idle = new->row;
	idle.services = SPAN("");
	r = store_cert_add(c, &idle, &new->row.id);
	if (r)
		return http_store_problem(q, r, "certificate", "alias", NULL);
	q->status = 201;
	q->tls_changed = new->row.services.n > 0;
	q->outgoing_changed = true; /* a rule may show it, whatever it serves */
	q->answer = cert_json(&new->row);
	if (new->row.services.n)
		TRY(put_to_use(q, c, new->row.id, new->row.services));
	api_set_warnings(q->answer, &new->checks);
	return http_audit(q, c, action, q->params[0], new->row.alias);
}

int api_cert_make(struct http_request *q, struct store_conn *c)
{
	return write_cert(q, c, "cert.self-sign");
}

/* Who may have issued a certificate, besides what came with it. */
struct issuers {
	struct cert_list known;
	struct trust *trust;
};

static void issuers_done(struct issuers *i)
{
	cert_list_done(&i->known);
	(void)trust_unref(i->trust);
}

static int find_issuers(struct http_request *q, int64_t domain, struct issuers *ret_issuers)
{
	TRY(known_intermediates(q->env, &ret_issuers->known));
	return trust_of_domain(q->env, domain, &ret_issuers->trust);
}

static bool is_forced(const struct http_request *q)
{
	return json_is_true(json_object_get(q->json, "force"));
}

/* The given certificates in order behind the leaf. A member that does not belong is refused, unless the
 * administrator wants exactly what was given. */
static int order_chain(struct http_request *q, const struct cert *leaf, const struct cert_list *given,
	const struct issuers *issuers, struct check_list *checks, struct span *ret_chain)
{
	CLEANUP(chain_done) struct chain chain = {};
	CLEANUP(buf_done) struct buf text = {}, der = {};
	const struct cert_list *sent = &chain.sent;

	TRY(chain_build(leaf, given, &issuers->known, issuers->trust, &chain));
	chain_add_text(&chain, &text);
	if (chain.foreign.n && !is_forced(q))
		return http_problem(q, 422, "chain", "%.*s; leave that out, or force it",
			(int)buf_size(&text), (const char *)buf_span(&text).p);
	check_chain(checks, &chain);
	if (chain.foreign.n)
		sent = given;
	for (size_t i = 0; i < sent->n; i++)
		buf_add(&der, cert_der(sent->certs[i]));
	*ret_chain = arena_span(&q->arena, buf_span(&der));
	return 0;
}

struct key_of {
	struct arena *arena;
	const struct cert_list *certs;
	size_t i; /* which of them has it */
	struct store_key key;
};

static int match_spki(const struct store_key *key, void *context)
{
	struct key_of *k = context;

	for (size_t i = 0; i < k->certs->n && !k->key.id; i++) {
		if (key->use != KEY_TLS || !cert_has_key(k->certs->certs[i], key->spki))
			continue;
		k->i = i;
		k->key = *key;
		k->key.alias = arena_span(k->arena, key->alias);
		k->key.spki = arena_span(k->arena, key->spki);
	}
	return 0;
}

struct key_question {
	struct http_request *q;
	int64_t domain;
	struct key_of of;
};

static int find_key_of(struct store_conn *c, void *arg)
{
	struct key_question *question = arg;

	question->of.key = (struct store_key){};
	return store_key_each(c, question->domain, match_spki, &question->of);
}

/* CGP-19: the certificate is the one whose key the domain has, wherever it stands in the file. */
static int find_own(struct http_request *q, int64_t domain, const struct cert_list *certs,
	struct key_of *ret_key)
{
	struct key_question question = { .q = q, .domain = domain,
		.of = { .arena = &q->arena, .certs = certs } };
	CLEANUP(buf_done) struct buf subject = {};

	TRY(store_read(q->env->store, find_key_of, &question));
	*ret_key = question.of;
	if (ret_key->key.id)
		return 0;
	cert_add_subject(certs->certs[0], &subject);
	return http_problem(q, 422, "certificate",
		"the domain has no key that belongs to this certificate (%.*s): it must be the answer to"
		" a request made here, or come with its key (cert import)",
		(int)buf_size(&subject), (const char *)buf_span(&subject).p);
}

static void list_take(struct cert_list *to, const struct cert_list *from, size_t without)
{
	for (size_t i = 0; i < from->n; i++) {
		if (i != without)
			cert_list_add(to, from->certs[i]);
	}
}

/* What is known of the certificate but its key, as a row and doubts. */
static int describe(struct http_request *q, const struct pki_look_up *l, struct span alias,
	const struct cert *cert, const struct cert_list *given, struct new_cert *new)
{
	CLEANUP(issuers_done) struct issuers issuers = {};
	int r = parse_services(q, SPAN("all"), &new->row.services);

	if (r)
		return r;
	new->checks.arena = &q->arena;
	TRY(find_issuers(q, l->domain.id, &issuers));
	r = order_chain(q, cert, given, &issuers, &new->checks, &new->row.chain);
	if (r)
		return r;
	check_certificate(&new->checks, cert, l->names, l->n_names, clock_now_us());
	new->row.domain = l->domain.id;
	new->row.alias = alias;
	new->row.der = arena_span(&q->arena, cert_der(cert));
	new->row.created_us = clock_now_us();
	if (!new->row.alias.n)
		new->row.alias = api_alias_of(q, new->row.der);
	q->prepared = new;
	return 0;
}

int api_cert_install_prepare(struct http_request *q, struct store_conn *c)
{
	CLEANUP(cert_list_done) struct cert_list certs = {};
	CLEANUP(cert_list_done) struct cert_list others = {};
	struct new_cert *new = ARENA_ALLOC(&q->arena, struct new_cert);
	struct pki_look_up l = { .q = q };
	struct key_of own = {};
	int r = api_check_alias(q, http_text(q, "alias"));

	(void)c;
	*new = (struct new_cert){};
	if (!r)
		r = pki_look_up(&l);
	if (!r)
		r = api_file_answer(q, &certs);
	if (!r)
		r = find_own(q, l.domain.id, &certs, &own);
	if (r)
		return r;
	new->key = own.key;
	new->row.key = own.key.id;
	list_take(&others, &certs, own.i);
	return describe(q, &l, http_text(q, "alias"), certs.certs[own.i], &others, new);
}

int api_cert_install(struct http_request *q, struct store_conn *c)
{
	return write_cert(q, c, "cert.install");
}

/* The successor of a certificate: an answer of an authority, too, perhaps for another key. */
int api_cert_renew_prepare(struct http_request *q, struct store_conn *c)
{
	struct pki_look_up l = of_cert(q);
	struct new_cert *new;
	int r = pki_look_up(&l);

	if (!r)
		r = api_cert_install_prepare(q, c);
	if (r)
		return r;
	new = q->prepared;
	new->row.alias = l.cert.alias;
	if (span_equal(new->row.der, l.cert.der))
		return http_problem(q, 422, "certificate",
			"this is the certificate that is there already, not a renewed one");
	return 0;
}

/* The order would go on without its certificate, and put its next one beside this. */
static int check_not_ordered(struct http_request *q, struct store_conn *c,
	const struct pki_look_up *l)
{
	struct store_acme_order order;
	int r = store_acme_order_of_cert(c, &q->arena, l->cert.id, &order);

	if (r)
		return r == STORE_E_NOT_FOUND ? 0 : r;
	return http_problem(q, 409, "certificate",
		"this certificate renews by itself: signet acme renew does it now;"
		" after signet acme stop it can be renewed by hand");
}

/* It takes the place of the old one, with what that serves at this moment. */
int api_cert_renew(struct http_request *q, struct store_conn *c)
{
	struct pki_look_up l = of_cert(q);
	struct new_cert *new = q->prepared;
	int r = pki_look_up_in(c, &l);

	if (!r)
		r = check_not_ordered(q, c, &l);
	if (r)
		return r;
	new->row.services = l.cert.services;
	TRY(store_cert_remove(c, l.cert.id));
	r = write_cert(q, c, "cert.renew");
	q->status = r ? q->status : 200;
	return r;
}

/* A key that the domain has already is not added again. */
static int take_imported_key(struct http_request *q, const struct pki_look_up *l,
	struct span alias, const struct imported *imported, const struct cert_list *certs,
	struct new_cert *new)
{
	struct key_question question = { .q = q, .domain = l->domain.id,
		.of = { .arena = &q->arena, .certs = certs } };
	int r = api_key_wrap(q, l->domain.id, KEY_TLS, alias, imported, &new->key);

	if (r)
		return r;
	if (!cert_has_key(certs->certs[0], new->key.spki))
		return http_problem(q, 422, "file",
			"the file's certificate does not belong to its key");
	TRY(store_read(q->env->store, find_key_of, &question));
	if (question.of.key.id && question.of.i == 0)
		new->key = question.of.key;
	new->row.key = new->key.id;
	return 0;
}

/* The name that was given, else what the file calls it if that can be one. */
static struct span import_alias(struct http_request *q, const struct imported *imported)
{
	struct span alias = http_text(q, "alias"), name = buf_span(&imported->name);

	if (!alias.n && name.n <= ALIAS_MAX && api_is_alias(name))
		alias = arena_span(&q->arena, name);
	return alias;
}

/* A caller may want nothing but what is self-signed. */
static int check_self_signed(struct http_request *q, const struct cert *cert)
{
	if (!json_is_true(json_object_get(q->json, "self_signed")) || cert_is_self_signed(cert))
		return 0;
	return http_problem(q, 422, "self_signed",
		"the file's certificate is not self-signed: an authority has issued it");
}

int api_cert_import_prepare(struct http_request *q, struct store_conn *c)
{
	CLEANUP(imported_done) struct imported imported = {};
	CLEANUP(cert_list_done) struct cert_list certs = {};
	CLEANUP(cert_list_done) struct cert_list others = {};
	struct new_cert *new = ARENA_ALLOC(&q->arena, struct new_cert);
	struct pki_look_up l = { .q = q };
	struct why why = {};
	struct span alias;
	int r = api_check_alias(q, http_text(q, "alias"));

	(void)c;
	*new = (struct new_cert){};
	if (!r)
		r = pki_look_up(&l);
	if (!r)
		r = api_import(q, false, &imported);
	if (r)
		return r;
	r = cert_list_from_der(&certs, buf_span(&imported.certs), &why);
	if (r)
		return r < 0 ? r : http_problem(q, 422, "file", "%s", why.text);
	if (!certs.n)
		return http_problem(q, 422, "file",
			"there is a key in the file, but no certificate (key import takes keys)");
	alias = import_alias(q, &imported);
	r = check_self_signed(q, certs.certs[0]);
	if (!r)
		r = take_imported_key(q, &l, alias, &imported, &certs, new);
	if (r)
		return r;
	list_take(&others, &certs, 0);
	return describe(q, &l, alias, certs.certs[0], &others, new);
}

int api_cert_import(struct http_request *q, struct store_conn *c)
{
	return write_cert(q, c, "cert.import");
}

/* Both files of a certificate: what is public, and with a password everything. */
static int export_pkcs12(struct http_request *q, const struct pki_look_up *l, struct buf *out)
{
	CLEANUP(buf_done) struct buf certs = {};
	int r;

	if (!l->key.id)
		return http_problem(q, 422, "certificate", "the key of this certificate is not here");
	buf_add(&certs, l->cert.der);
	buf_add(&certs, l->cert.chain);
	r = domain_key_export(q->env, &l->key, KEYD_FORM_PKCS12, buf_span(&certs), l->cert.alias,
		http_text(q, "file_password"), out);
	return r > 0 ? http_problem(q, 422, "file_password", "the key could not be written out") : r;
}

static int export_pem(const struct pki_look_up *l, struct buf *out)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	CLEANUP(buf_done) struct buf der = {};

	buf_add(&der, l->cert.der);
	buf_add(&der, l->cert.chain);
	TRY(cert_list_from_der(&list, buf_span(&der), NULL));
	for (size_t i = 0; i < list.n; i++)
		cert_add_pem(list.certs[i], out);
	return 0;
}

static int look_up_key(struct store_conn *c, void *arg)
{
	struct pki_look_up *l = arg;

	return store_key_get(c, &l->q->arena, l->cert.key, &l->key);
}

int api_cert_export_prepare(struct http_request *q, struct store_conn *c)
{
	struct pki_look_up l = of_cert(q);
	struct span *octets = ARENA_ALLOC(&q->arena, struct span);
	CLEANUP(buf_done) struct buf file = {};
	bool with_key = http_text(q, "file_password").n > 0;
	int r = pki_look_up(&l);

	(void)c;
	if (!r && with_key)
		r = api_confirm_password(q, "password");
	if (!r && with_key && l.cert.key)
		r = err_fold(store_read(q->env->store, look_up_key, &l));
	if (!r)
		r = with_key ? export_pkcs12(q, &l, &file) : export_pem(&l, &file);
	*octets = arena_span(&q->arena, buf_span(&file));
	q->prepared = octets;
	return r;
}

int api_cert_export(struct http_request *q, struct store_conn *c)
{
	const struct span *file = q->prepared;
	bool with_key = http_text(q, "file_password").n > 0;

	q->answer = json_object();
	api_set_file(q->answer, *file, !with_key);
	return http_audit(q, c, with_key ? "cert.export-key" : "cert.export", q->params[0],
		q->params[1]);
}

int api_cert_refresh_prepare(struct http_request *q, struct store_conn *c)
{
	struct pki_look_up l = of_cert(q);
	struct new_cert *new = ARENA_ALLOC(&q->arena, struct new_cert);
	const json_t *days = json_object_get(q->json, "days");
	struct why why = {};
	int r = pki_look_up(&l);

	(void)c;
	if (!r && l.cert.key)
		r = err_fold(store_read(q->env->store, look_up_key, &l));
	if (r)
		return r;
	if (!l.key.id)
		return http_problem(q, 422, "certificate", "the key of this certificate is not here");
	*new = (struct new_cert){ .row = l.cert, .checks = { .arena = &q->arena } };
	r = domain_cert_refresh(q->env, &q->arena, &l.key, days ? (unsigned)json_integer_value(days) : 0,
		json_is_true(json_object_get(q->json, "new_serial")), &new->row, &why);
	if (r)
		return r < 0 ? r : http_problem(q, 422, "certificate", "%s", why.text);
	q->prepared = new;
	return 0;
}

int api_cert_refresh(struct http_request *q, struct store_conn *c)
{
	struct new_cert *new = q->prepared;
	int r = store_cert_replace(c, new->row.id, new->row.der, new->row.chain);

	new->checks.n = 0;
	if (r)
		return http_store_problem(q, r, "certificate", "certificate", NULL);
	q->tls_changed = true;
	if (!json_is_true(json_object_get(q->json, "new_serial")))
		check_add(&new->checks, "serial", CHECK_WARNING,
			"the serial number is the old one, as asked: browsers that have seen the old"
			" certificate refuse another with the same number (RFC 5280 4.1.2.2); a new"
			" number avoids that (--new-serial)");
	q->answer = cert_json(&new->row);
	api_set_warnings(q->answer, &new->checks);
	return http_audit(q, c, "cert.refresh", q->params[0], new->row.alias);
}

int api_chain_show(struct http_request *q, struct store_conn *c)
{
	struct pki_look_up l = of_cert(q);
	CLEANUP(cert_list_done) struct cert_list list = {};
	int r = pki_look_up_in(c, &l);
	json_t *array;

	if (r)
		return r;
	TRY(cert_list_from_der(&list, l.cert.chain, NULL));
	array = api_answer_list(q, "certificates");
	for (size_t i = 0; i < list.n; i++) {
		json_t *object = json_object();

		api_set_cert(object, list.certs[i]);
		(void)json_array_append_new(array, object);
	}
	api_set_text(q->answer, "certificate", l.cert.alias);
	return 0;
}

int api_chain_set_prepare(struct http_request *q, struct store_conn *c)
{
	struct pki_look_up l = of_cert(q);
	struct new_cert *new = ARENA_ALLOC(&q->arena, struct new_cert);
	CLEANUP(issuers_done) struct issuers issuers = {};
	CLEANUP(cert_list_done) struct cert_list given = {};
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	int r = pki_look_up(&l);

	(void)c;
	if (!r)
		r = api_file_certs(q, "chain", &given);
	if (r)
		return r;
	TRY(cert_from_der(&cert, l.cert.der, NULL));
	TRY(find_issuers(q, l.domain.id, &issuers));
	*new = (struct new_cert){ .row = l.cert, .checks = { .arena = &q->arena } };
	q->prepared = new;
	return order_chain(q, cert, &given, &issuers, &new->checks, &new->row.chain);
}

static int write_chain(struct http_request *q, struct store_conn *c, const struct new_cert *new,
	const char *action)
{
	int r = store_cert_set_chain(c, new->row.id, new->row.chain);

	if (r)
		return http_store_problem(q, r, "certificate", "certificate", NULL);
	q->tls_changed = true;
	q->answer = cert_json(&new->row);
	api_set_warnings(q->answer, &new->checks);
	return http_audit(q, c, action, q->params[0], new->row.alias);
}

int api_chain_set(struct http_request *q, struct store_conn *c)
{
	return write_chain(q, c, q->prepared, "chain.set");
}

int api_chain_remove(struct http_request *q, struct store_conn *c)
{
	struct pki_look_up l = of_cert(q);
	struct new_cert new = { .checks = { .arena = &q->arena } };
	int r = pki_look_up_in(c, &l);

	if (r)
		return r;
	new.row = l.cert;
	new.row.chain = SPAN("");
	return write_chain(q, c, &new, "chain.remove");
}
