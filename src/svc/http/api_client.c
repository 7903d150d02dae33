/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Client certificates: issuers whose clients are asked, rules from certificates to accounts, and the
 * certificates that are an account's own. Of issuers and rules the server has a set too, for domains
 * without one: the same handlers, without a domain in the path.
 *
 * What is trusted is looked up before the transaction. Whoever takes the trust away in between gets
 * what somebody would who does it afterwards: a domain that lets nobody in, and says so in the log.
 */

#include "base/digest.h"
#include "pki/pem.h"
#include "pki/trust.h"
#include "store/client_rows.h"
#include "store/store.h"
#include "svc/certmap.h"
#include "svc/client.h"
#include "svc/env.h"
#include "svc/http/api_pki.h"
#include "svc/trust.h"

#include <errno.h>

/* What a request is about. */
struct client_place {
	struct store_domain domain; /* id 0: the server */
	struct trust *trust;
};

static bool has_domain(const struct http_request *q)
{
	return span_find_span(span_str(q->route->path), SPAN("{domain}")) < strlen(q->route->path);
}

static struct span place_name(const struct client_place *p)
{
	return p->domain.id ? span_str(p->domain.name) : SPAN("server");
}

struct place_search {
	struct http_request *q;
	struct client_place *place;
};

static int find_place(struct store_conn *c, void *arg)
{
	struct place_search *s = arg;

	return api_domain(s->q, c, &s->place->domain);
}

/* Outside of transactions; the trust with a reference. */
static int place_of(struct http_request *q, struct client_place *p)
{
	struct place_search s = { q, p };
	int r;

	*p = (struct client_place){};
	r = has_domain(q) ? store_read(q->env->store, find_place, &s) : 0;
	if (r)
		return r;
	return p->domain.id ? trust_of_domain(q->env, p->domain.id, &p->trust) :
		trust_of_system(q->env, &p->trust);
}

/* Within one. */
static int place_id(struct http_request *q, struct store_conn *c, struct store_domain *ret_domain)
{
	*ret_domain = (struct store_domain){};
	return has_domain(q) ? api_domain(q, c, ret_domain) : 0;
}

/*
 * Issuers.
 */

struct issuer_list {
	struct http_request *q;
	const struct client_place *place;
	int64_t domain;
	json_t *list;
	size_t n;
};

static int add_issuer(const struct store_client_cert *row, void *context)
{
	struct issuer_list *l = context;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	json_t *object;

	l->n++;
	TRY(cert_from_der(&cert, row->der, NULL));
	object = json_object();
	api_set_cert(object, cert);
	(void)json_object_set_new(object, "usable", json_boolean(
		trust_purposes(l->place->trust, cert, NULL) & TRUST_CLIENT));
	return json_array_append_new(l->list, object) ? err_fault(ENOMEM, "json") : 0;
}

static int read_issuers(struct store_conn *c, void *arg)
{
	struct issuer_list *l = arg;

	json_array_clear(l->list);
	l->n = 0;
	l->domain = l->place->domain.id;
	TRY(store_client_issuer_each(c, l->domain, add_issuer, l));
	if (l->n || !l->domain)
		return 0;
	l->domain = 0;
	return store_client_issuer_each(c, 0, add_issuer, l);
}

int api_issuer_list(struct http_request *q, struct store_conn *c)
{
	struct client_place place;
	struct issuer_list l = { .q = q, .place = &place };
	int r = place_of(q, &place);

	(void)c;
	if (r)
		return r;
	l.list = api_answer_list(q, "issuers");
	r = store_read(q->env->store, read_issuers, &l);
	(void)json_object_set_new(q->answer, "of",
		json_string(l.n == 0 ? "nobody" : l.domain ? "domain" : "server"));
	if (place.domain.id)
		(void)json_object_set_new(q->answer, "required",
			json_boolean(place.domain.client_required));
	(void)trust_unref(place.trust);
	return r;
}

/* What is to be chosen. */
struct new_issuers {
	size_t n;
	struct span *ders;
};

/* A file, or the fingerprint of a certificate that is trusted. */
static int read_issuer(struct http_request *q, const struct client_place *place, struct span text,
	struct cert **ret_cert)
{
	struct why why = {};
	int r;

	if (pem_is(text)) {
		r = cert_from_pem(ret_cert, text, &why);
		return r > 0 ? http_problem(q, 422, "issuers", "%s", why.text) : r;
	}
	if (trust_by_fingerprint(place->trust, text, ret_cert))
		return 0;
	return http_problem(q, 422, "issuers", "an issuer is a certificate in PEM, or the"
		" fingerprint of a trusted one");
}

/* Only what is trusted for clients can be chosen: else nobody would get in by it. */
static int check_issuer(struct http_request *q, const struct client_place *place,
	const struct cert *cert)
{
	CLEANUP(buf_done) struct buf subject = {};

	if (trust_purposes(place->trust, cert, NULL) & TRUST_CLIENT)
		return 0;
	cert_add_subject(cert, &subject);
	return http_problem(q, 422, "issuers", "%.*s is not trusted for clients: signet trust add"
		" FILE %s%s --for client", (int)buf_size(&subject),
		(const char *)buf_span(&subject).p, place->domain.id ? "--domain " : "--server",
		place->domain.id ? place->domain.name : "");
}

static int read_new_issuers(struct http_request *q, const struct client_place *place,
	struct new_issuers *new)
{
	const json_t *list = json_object_get(q->json, "issuers"), *text;
	size_t i;

	new->ders = arena_alloc(&q->arena, json_array_size(list) * sizeof *new->ders);
	json_array_foreach(list, i, text) {
		CLEANUP(cert_unrefp) struct cert *cert = NULL;
		int r = read_issuer(q, place,
			span_of(json_string_value(text), json_string_length(text)), &cert);

		if (!r)
			r = check_issuer(q, place, cert);
		if (r)
			return r;
		new->ders[new->n++] = arena_span(&q->arena, cert_der(cert));
	}
	return 0;
}

int api_issuer_set_prepare(struct http_request *q, struct store_conn *c)
{
	struct new_issuers *new = ARENA_ALLOC(&q->arena, struct new_issuers);
	struct client_place place;
	int r = place_of(q, &place);

	(void)c;
	if (!r)
		r = read_new_issuers(q, &place, new);
	(void)trust_unref(place.trust);
	q->prepared = new;
	return r;
}

int api_issuer_set(struct http_request *q, struct store_conn *c)
{
	const struct new_issuers *new = q->prepared;
	struct client_place place = {};
	int r = place_id(q, c, &place.domain);

	if (r)
		return r;
	r = store_client_issuer_remove(c, place.domain.id, NULL);
	if (r && r != STORE_E_NOT_FOUND)
		return err_fold(r);
	for (size_t i = 0; i < new->n; i++) {
		uint8_t sha256[SHA256_OCTETS];

		digest_sha256(new->ders[i], sha256);
		r = store_client_issuer_add(c, place.domain.id, span_of(sha256, sizeof sha256),
			new->ders[i]);
		if (r == STORE_E_EXISTS)
			return http_problem(q, 422, "issuers", "an issuer is there twice");
		if (r == STORE_E_LIMIT)
			return http_problem(q, 422, "issuers", "at most %d issuers",
				CLIENT_ISSUERS_MAX);
		TRY(r);
	}
	q->status = 204;
	q->tls_changed = true;
	return http_audit(q, c, "client-ca.set", place_name(&place), SPAN(""));
}

/* Domains that would be left with the requirement and without an issuer. */
struct orphans {
	struct store_conn *c;
	int64_t domain; /* 0: any */
	char name[LIMIT_NAME + 1];
};

static int count_issuer(const struct store_client_cert *cert, void *context)
{
	(void)cert;
	*(bool *)context = true;
	return 0;
}

static int find_orphan(const struct store_domain *domain, void *context)
{
	struct orphans *o = context;
	bool has = false;

	if (!domain->client_required || o->name[0] || (o->domain && o->domain != domain->id))
		return 0;
	TRY(store_client_issuer_each(o->c, domain->id, count_issuer, &has));
	if (!has)
		TRY(store_client_issuer_each(o->c, 0, count_issuer, &has));
	if (!has)
		(void)snprintf(o->name, sizeof o->name, "%s", domain->name);
	return 0;
}

static int check_orphans(struct http_request *q, struct store_conn *c, int64_t domain)
{
	struct orphans o = { .c = c, .domain = domain };

	TRY(store_domain_each(c, find_orphan, &o));
	if (!o.name[0])
		return 0;
	return http_problem(q, 409, "issuers", "%s requires client certificates and would have no"
		" issuer left: signet domain set %s client_required=no", o.name, o.name);
}

struct row_search {
	struct span text;
	uint8_t sha256[SHA256_OCTETS];
	bool found;
};

static int match_row(const struct store_client_cert *row, void *context)
{
	struct row_search *s = context;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;

	if (s->found)
		return 0;
	TRY(cert_from_der(&cert, row->der, NULL));
	s->found = cert_has_fingerprint(cert, s->text);
	if (s->found)
		memcpy(s->sha256, row->sha256.p, sizeof s->sha256);
	return 0;
}

static int remove_issuer(struct http_request *q, struct store_conn *c, const struct span *fingerprint)
{
	struct client_place place = {};
	struct row_search search = {};
	struct span sha256 = span_of(search.sha256, sizeof search.sha256);
	int r = place_id(q, c, &place.domain);

	if (r)
		return r;
	if (fingerprint) {
		search.text = *fingerprint;
		TRY(store_client_issuer_each(c, place.domain.id, match_row, &search));
		if (!search.found)
			return http_problem(q, 404, "fingerprint", "%.*s has chosen no such issuer",
				(int)place_name(&place).n, (const char *)place_name(&place).p);
	}
	r = store_client_issuer_remove(c, place.domain.id, fingerprint ? &sha256 : NULL);
	if (r == STORE_E_NOT_FOUND)
		return http_problem(q, 404, "issuers", "%.*s has chosen no issuer",
			(int)place_name(&place).n, (const char *)place_name(&place).p);
	TRY(r);
	r = check_orphans(q, c, place.domain.id);
	if (r)
		return r;
	q->status = 204;
	q->tls_changed = true;
	return http_audit(q, c, "client-ca.remove", place_name(&place),
		fingerprint ? *fingerprint : SPAN("all"));
}

int api_issuer_clear(struct http_request *q, struct store_conn *c)
{
	return remove_issuer(q, c, NULL);
}

int api_issuer_remove(struct http_request *q, struct store_conn *c)
{
	return remove_issuer(q, c, &q->params[has_domain(q)]);
}

/*
 * Rules.
 */

static int add_rule(struct span text, void *context)
{
	struct certmap_rule rule;
	struct why why = {};
	json_t *object = json_object();
	int r = certmap_parse(text, &rule, &why);

	api_set_text(object, "rule", text);
	if (!r) {
		api_set_text(object, "method", span_str(certmap_method_name(rule.method)));
		api_set_text(object, "template", rule.template);
		api_set_text(object, "issuer", rule.issuer);
		(void)json_object_set_new(object, "verifycert", json_boolean(rule.verify));
	}
	(void)json_array_append_new(context, object);
	return r < 0 ? r : 0;
}

int api_certmap_show(struct http_request *q, struct store_conn *c)
{
	const char *of = "server";
	struct store_domain domain;
	json_t *list;
	int r = place_id(q, c, &domain);

	if (r)
		return r;
	list = api_answer_list(q, "rules");
	if (domain.id) {
		TRY(store_certmap_each(c, domain.id, add_rule, list));
		of = "domain";
	}
	if (json_array_size(list) == 0) {
		TRY(store_certmap_each(c, 0, add_rule, list));
		of = "server";
	}
	if (json_array_size(list) == 0) {
		TRY(add_rule(SPAN("email"), list));
		of = "default";
	}
	(void)json_object_set_new(q->answer, "of", json_string(of));
	return 0;
}

static int write_rules(struct http_request *q, struct store_conn *c, const struct span *rules,
	size_t n, const char *action)
{
	struct client_place place = {};
	int r = place_id(q, c, &place.domain);

	if (r)
		return r;
	r = store_certmap_set(c, place.domain.id, rules, n);
	if (r == STORE_E_LIMIT)
		return http_problem(q, 422, "rules", "at most %d rules", CERTMAP_RULES_MAX);
	TRY(r);
	q->status = 204;
	return http_audit(q, c, action, place_name(&place), n ? rules[0] : SPAN(""));
}

int api_certmap_set(struct http_request *q, struct store_conn *c)
{
	const json_t *list = json_object_get(q->json, "rules"), *text;
	size_t n = json_array_size(list), i;
	struct span *rules = arena_alloc(&q->arena, n * sizeof *rules);

	json_array_foreach(list, i, text) {
		struct certmap_rule rule;
		struct why why = {};
		int r;

		rules[i] = span_of(json_string_value(text), json_string_length(text));
		r = certmap_parse(rules[i], &rule, &why);
		if (r)
			return r < 0 ? r : http_problem(q, 422, "rules", "rule %zu: %s", i + 1,
				why.text);
	}
	return write_rules(q, c, rules, n, "certmap.set");
}

int api_certmap_clear(struct http_request *q, struct store_conn *c)
{
	return write_rules(q, c, NULL, 0, "certmap.remove");
}

/* A certificate that somebody would present. */
struct certmap_trial {
	struct http_request *q;
	struct cert *cert;
};

static int try_rules(struct store_conn *c, void *arg)
{
	struct certmap_trial *t = arg;
	struct http_request *q = t->q;
	struct store_domain domain;
	struct store_account account;
	struct span rule;
	struct why why = {};
	int r = api_domain(q, c, &domain);

	if (r)
		return r;
	r = certmap_find(c, &q->arena, domain.id, t->cert, &account, &rule, &why);
	if (r < 0)
		return r;
	if (r) {
		(void)json_object_set_new(q->answer, "account", json_null());
		api_set_text(q->answer, "reason", span_str(why.text));
		return 0;
	}
	api_set_text(q->answer, "account", account.address);
	api_set_text(q->answer, "rule", rule);
	return 0;
}

static int try_certificate(struct http_request *q, const struct cert_list *list)
{
	struct certmap_trial t = { q, list->certs[0] };
	const struct cert_list others = { list->certs + 1, list->n - 1 };
	struct client_place place;
	struct why why = {};
	int r = place_of(q, &place);

	(void)trust_unref(place.trust);
	if (r)
		return r;
	r = client_try(q->env, place.domain.name, t.cert, &others, &why);
	if (r < 0)
		return r;
	q->answer = json_object();
	api_set_cert(q->answer, t.cert);
	(void)json_object_set_new(q->answer, "valid", json_boolean(r == 0));
	if (r)
		api_set_text(q->answer, "invalid_because", span_str(why.text));
	return store_read(q->env->store, try_rules, &t);
}

int api_certmap_test(struct http_request *q, struct store_conn *c)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	int r = api_file_certs(q, "certificate", &list);

	(void)c;
	return r ? r : try_certificate(q, &list);
}

/*
 * An account's own.
 */

static int add_own(const struct store_client_cert *row, void *context)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	json_t *object;

	TRY(cert_from_der(&cert, row->der, NULL));
	object = json_object();
	api_set_cert(object, cert);
	(void)json_object_set_new(object, "created", http_json_time(row->created_us));
	return json_array_append_new(context, object) ? err_fault(ENOMEM, "json") : 0;
}

int api_own_cert_list(struct http_request *q, struct store_conn *c)
{
	struct store_account account;
	int r = api_account(q, c, &account);

	return r ? r : store_account_cert_each(c, account.id, add_own,
			       api_answer_list(q, "certificates"));
}

int api_own_cert_add(struct http_request *q, struct store_conn *c)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	CLEANUP(buf_done) struct buf subject = {};
	struct store_account account;
	uint8_t sha256[SHA256_OCTETS];
	int r = api_account(q, c, &account);

	if (!r)
		r = api_file_certs(q, "certificate", &list);
	if (r)
		return r;
	cert_fingerprint(list.certs[0], sha256);
	r = store_account_cert_add(c, account.id, span_of(sha256, sizeof sha256),
		cert_der(list.certs[0]));
	if (r == STORE_E_LIMIT)
		return http_problem(q, 422, "certificate", "an account has at most %d certificates",
			ACCOUNT_CERTS_MAX);
	if (r)
		return http_store_problem(q, r, "certificate", "certificate", NULL);
	q->status = 201;
	q->answer = json_object();
	api_set_cert(q->answer, list.certs[0]);
	cert_add_subject(list.certs[0], &subject);
	return http_audit(q, c, "account-cert.add", account.address, buf_span(&subject));
}

int api_own_cert_remove(struct http_request *q, struct store_conn *c)
{
	struct row_search search = { .text = q->params[1] };
	struct store_account account;
	int r = api_account(q, c, &account);

	if (r)
		return r;
	TRY(store_account_cert_each(c, account.id, match_row, &search));
	if (!search.found)
		return http_problem(q, 404, "fingerprint", "the account has no such certificate");
	TRY(store_account_cert_remove(c, account.id, span_of(search.sha256, sizeof search.sha256)));
	q->status = 204;
	return http_audit(q, c, "account-cert.remove", account.address, q->params[1]);
}
