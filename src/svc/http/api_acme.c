/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Certificates from authorities: the account with one, what is kept up for a domain, and the
 * answers to http-01 challenges. Keys of accounts and secrets are made and sealed in keyd and never
 * shown.
 */

#include "acme/message.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/enc.h"
#include "mime/address.h"
#include "net/fetch.h"
#include "pki/cert.h"
#include "pki/key.h"
#include "pki/name.h"
#include "store/acme_rows.h"
#include "store/key_rows.h"
#include "store/store.h"
#include "svc/acme.h"
#include "svc/acme_account.h"
#include "svc/env.h"
#include "svc/http/api.h"

enum { CONTACTS_MAX = 10, KID_MAX = 255, MAC_KEY_MIN = 16, TYPES_MAX = 4 };

/* Whose account the path is about: 0 is the server. */
static int account_domain(struct http_request *q, struct store_conn *c, int64_t *ret_domain)
{
	struct store_domain domain = {};
	int r = q->params[0].p ? api_domain(q, c, &domain) : 0;

	*ret_domain = domain.id;
	return r;
}

static void set_list(json_t *object, const char *member, struct span texts)
{
	json_t *list = json_array();

	while (texts.n)
		(void)json_array_append_new(list, http_json_text(span_cut(&texts, ',')));
	(void)json_object_set_new(object, member, list);
}

static json_t *account_json(const struct store_acme_account *account)
{
	json_t *object = json_object();

	api_set_text(object, "of", account->domain ? SPAN("domain") : SPAN("server"));
	api_set_text(object, "directory", account->directory);
	set_list(object, "contact", account->contact);
	(void)json_object_set_new(object, "terms_agreed", json_boolean(account->terms));
	(void)json_object_set_new(object, "eab_kid",
		account->kid.n ? http_json_text(account->kid) : json_null());
	(void)json_object_set_new(object, "roots",
		account->roots.n ? http_json_text(account->roots) : json_null());
	(void)json_object_set_new(object, "url",
		account->url.n ? http_json_text(account->url) : json_null());
	(void)json_object_set_new(object, "created", http_json_time(account->created_us));
	return object;
}

int api_acme_account_show(struct http_request *q, struct store_conn *c)
{
	struct store_acme_account account;
	int64_t domain;
	int r = account_domain(q, c, &domain);

	if (r)
		return r;
	r = store_acme_account_get(c, &q->arena, domain, true, &account);
	if (r == STORE_E_NOT_FOUND)
		return http_problem(q, 404, "directory", "no authority is set");
	TRY(r);
	q->answer = account_json(&account);
	return 0;
}

static int set_directory(struct http_request *q, struct store_acme_account *account)
{
	struct span url = http_text(q, "directory");
	CLEANUP(alloc_freep) char *text = span_to_string(url);

	if (!url.p)
		return account->directory.n
			       ? 0
			       : http_problem(q, 422, "directory",
					 "say which authority: the URL of its directory");
	if (!text || !acme_url_fits(text) || !fetch_url_fits(text, FETCH_HTTPS))
		return http_problem(q, 422, "directory", "the directory is an https URL");
	if (!span_equal(url, account->directory))
		account->url = SPAN("");
	account->directory = arena_span(&q->arena, url);
	return 0;
}

static int set_contact(struct http_request *q, struct store_acme_account *account)
{
	CLEANUP(buf_done) struct buf contacts = {};
	const json_t *list = json_object_get(q->json, "contact"), *item;
	size_t i;

	if (!list)
		return 0;
	json_array_foreach(list, i, item) {
		struct address_name name;
		int r = address_normalize(
			span_of(json_string_value(item), json_string_length(item)), &name);

		if (r < 0)
			return r;
		/* RFC 8555 section 7.3: a mailto URL with one address and nothing behind it. */
		if (r || !span_is_ascii(address_name_local(&name)) ||
			span_find(address_name_local(&name), ',') < address_name_local(&name).n)
			return http_problem(q, 422, "contact",
				"a contact is an address (local@domain)");
		if (i)
			buf_add_octet(&contacts, ',');
		buf_add(&contacts, address_name_local(&name));
		buf_add_octet(&contacts, '@');
		buf_add(&contacts, address_name_domain(&name));
	}
	if (!span_equal(buf_span(&contacts), account->contact))
		account->contact_sent = false;
	account->contact = arena_span(&q->arena, buf_span(&contacts));
	return 0;
}

/* RFC 8555 section 7.3.4: an identifier and a key that the authority has given out. */
static int set_binding(struct http_request *q, struct store_acme_account *account)
{
	CLEANUP(buf_wipe) struct buf mac_key = {};
	struct span kid = http_text(q, "eab_kid"), key = http_text(q, "eab_key");

	if (!kid.p && !key.p)
		return 0;
	if (kid.n == 0 && key.n == 0) {
		account->kid = account->mac_key = account->url = SPAN("");
		return 0;
	}
	if (kid.n == 0 || key.n == 0)
		return http_problem(q, 422, kid.n ? "eab_key" : "eab_kid",
			"an external account has an identifier and a key");
	(void)buf_room(&mac_key, key.n);
	if (!enc_base64url_decode(&mac_key, key) || buf_size(&mac_key) < MAC_KEY_MIN)
		return http_problem(q, 422, "eab_key",
			"the key of an external account is at least 16 octets in base64url");
	account->kid = arena_span(&q->arena, kid);
	account->url = SPAN("");
	TRY(acme_account_seal(q->env, &q->arena, buf_span(&mac_key), &account->mac_key));
	return 0;
}

static int set_roots(struct http_request *q, struct store_acme_account *account)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	CLEANUP(buf_done) struct buf pem = {};
	struct span text = http_text(q, "roots");
	struct why why = {};
	int r;

	if (!text.p)
		return 0;
	r = text.n ? cert_list_from_pem(&list, text, &why) : 0;
	if (r)
		return r < 0 ? r : http_problem(q, 422, "roots", "%s", why.text);
	for (size_t i = 0; i < list.n; i++)
		cert_add_pem(list.certs[i], &pem);
	account->roots = arena_span(&q->arena, buf_span(&pem));
	return 0;
}

static int change_account(struct http_request *q, struct store_acme_account *account)
{
	const json_t *terms = json_object_get(q->json, "terms_agreed");
	int r = set_directory(q, account);

	if (!r)
		r = set_contact(q, account);
	if (!r)
		r = set_binding(q, account);
	if (!r)
		r = set_roots(q, account);
	if (terms)
		account->terms = json_is_true(terms);
	return r;
}

struct account_read {
	struct http_request *q;
	struct store_acme_account account;
};

static int read_account(struct store_conn *c, void *arg)
{
	struct account_read *a = arg;
	int64_t domain;
	int r = account_domain(a->q, c, &domain);

	if (r)
		return r;
	a->account = (struct store_acme_account){ .domain = domain };
	r = store_acme_account_get(c, &a->q->arena, domain, false, &a->account);
	return r == STORE_E_NOT_FOUND ? 0 : err_fold(r);
}

/* Another authority, or another external account, is another account with a key of its own. */
int api_acme_account_set_prepare(struct http_request *q, struct store_conn *c)
{
	struct account_read a = { .q = q };
	struct store_acme_account *account = ARENA_ALLOC(&q->arena, struct store_acme_account);
	int r = store_read(q->env->store, read_account, &a);

	(void)c;
	if (r)
		return r;
	*account = a.account;
	r = change_account(q, account);
	if (r)
		return r;
	if (account->wrapped.n == 0 || (account->url.n == 0 && a.account.url.n))
		TRY(acme_account_make_key(q->env, &q->arena, account));
	q->prepared = account;
	return 0;
}

int api_acme_account_set(struct http_request *q, struct store_conn *c)
{
	const struct store_acme_account *account = q->prepared;

	TRY(store_acme_account_put(c, account));
	q->answer = account_json(account);
	q->acme_changed = true;
	return http_audit(q, c, "acme.account-set",
		account->domain ? q->params[0] : SPAN("server"), account->directory);
}

int api_acme_account_remove(struct http_request *q, struct store_conn *c)
{
	int64_t domain;
	int r = account_domain(q, c, &domain);

	if (r)
		return r;
	r = store_acme_account_remove(c, domain);
	if (r)
		return http_store_problem(q, r, "account with an authority", "domain", NULL);
	q->status = 204;
	return http_audit(q, c, "acme.account-remove", domain ? q->params[0] : SPAN("server"),
		SPAN(""));
}

/* What is listed, and for whom. */
struct listing {
	struct http_request *q;
	struct store_conn *c;
	json_t *list;
	const struct store_acme_order *order;
	json_t *item;
};

static int match_cert(const struct store_cert *row, void *context)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct listing *l = context;

	if (row->id != l->order->cert)
		return 0;
	api_set_text(l->item, "certificate", row->alias);
	if (cert_from_der(&cert, row->der, NULL) == 0)
		(void)json_object_set_new(l->item, "not_after",
			http_json_time(cert_not_after_us(cert)));
	return 0;
}

static int add_order(const struct store_acme_order *order, void *context)
{
	struct listing *l = context;
	struct acme_plan plan = acme_plan_of(order);
	struct store_domain domain;

	TRY(store_domain_get(l->c, &l->q->arena, order->domain, &domain));
	l->item = json_object();
	(void)json_array_append_new(l->list, l->item);
	api_set_text(l->item, "domain", span_str(domain.name));
	api_set_text(l->item, "type", order->type);
	set_list(l->item, "names", order->names);
	api_set_text(l->item, "challenge", order->challenge < ACME_CHALLENGES ?
		span_str(acme_challenge_names[order->challenge]) : SPAN("unknown"));
	api_set_text(l->item, "next", span_str(acme_action_name(plan.action)));
	(void)json_object_set_new(l->item, "at", http_json_time(plan.at_us));
	api_set_number(l->item, "failures", plan.n_failures);
	(void)json_object_set_new(l->item, "last_error",
		plan.last_error.n ? http_json_text(plan.last_error) : json_null());
	(void)json_object_set_new(l->item, "advice", http_json_time(order->advice_us));
	(void)json_object_set_new(l->item, "certificate", json_null());
	(void)json_object_set_new(l->item, "not_after", json_null());
	l->order = order;
	return store_cert_each(l->c, order->domain, match_cert, l);
}

static int list_orders(struct http_request *q, struct store_conn *c, int64_t domain)
{
	struct listing l = { .q = q, .c = c, .list = api_answer_list(q, "orders") };

	return store_acme_order_each(c, domain, add_order, &l);
}

int api_acme_list(struct http_request *q, struct store_conn *c)
{
	return list_orders(q, c, 0);
}

int api_acme_show(struct http_request *q, struct store_conn *c)
{
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	return r ? r : list_orders(q, c, domain.id);
}

/* What is wanted, as it goes into rows. */
struct wanted {
	struct span names; /* a comma between */
	enum acme_challenge challenge;
	struct span types[TYPES_MAX];
	size_t n_types;
};

/* In stored form, "*." kept. */
static int parse_name(struct http_request *q, struct span text, struct buf *names)
{
	bool wildcard = span_starts(text, SPAN("*."));
	struct span name;
	int r = api_domain_name(q, wildcard ? span_skip(text, 2) : text, "names", &name);

	if (r)
		return r;
	if (!name_is_dns(name, false))
		return http_problem(q, 422, "names", "a certificate is for names of hosts");
	if (buf_size(names))
		buf_add_octet(names, ',');
	buf_add_string(names, wildcard ? "*." : "");
	buf_add(names, name);
	return 0;
}

static int parse_names(struct http_request *q, struct wanted *w)
{
	CLEANUP(buf_done) struct buf names = {};
	const json_t *list = json_object_get(q->json, "names"), *item;
	size_t i;

	json_array_foreach(list, i, item) {
		int r = parse_name(q, span_of(json_string_value(item), json_string_length(item)),
			&names);

		if (r)
			return r;
	}
	w->names = arena_span(&q->arena, buf_span(&names));
	return 0;
}

static bool has_wildcard(struct span names)
{
	return span_starts(names, SPAN("*.")) || span_find_span(names, SPAN(",*.")) < names.n;
}

static int parse_challenge(struct http_request *q, struct wanted *w)
{
	struct span text = http_text(q, "challenge");

	w->challenge = has_wildcard(w->names) ? ACME_DNS_01 : ACME_HTTP_01;
	if (text.p && !acme_challenge_parse(text, &w->challenge))
		return http_problem(q, 422, "challenge",
			"a challenge is http-01, tls-alpn-01 or dns-01");
	if (w->challenge != ACME_DNS_01)
		return has_wildcard(w->names) ? http_problem(q, 422, "challenge",
							"a wildcard is proved by dns-01 only")
					      : 0;
	if (q->env->acme_hook)
		return 0;
	return http_problem(q, 422, "challenge",
		"dns-01 needs a program that sets DNS records: start signetd with --acme-hook "
		"PROGRAM");
}

/* Authorities take RSA and EC keys. */
static int parse_types(struct http_request *q, struct wanted *w)
{
	const json_t *list = json_object_get(q->json, "types"), *item;
	size_t i;

	w->types[w->n_types++] = SPAN("ec:p256");
	if (!list)
		return 0;
	w->n_types = 0;
	json_array_foreach(list, i, item) {
		struct span text = span_of(json_string_value(item), json_string_length(item));
		enum key_type type;

		if (!key_type_parse(text, &type) || type == KEY_ED25519)
			return http_problem(q, 422, "types",
				"the key is rsa:2048, rsa:3072, rsa:4096, ec:p256 or ec:p384");
		w->types[w->n_types++] = span_str(key_type_name(type));
	}
	return 0;
}

int api_acme_order_prepare(struct http_request *q, struct store_conn *c)
{
	struct wanted *w = ARENA_ALLOC(&q->arena, struct wanted);
	int r = parse_names(q, w);

	(void)c;
	if (!r)
		r = parse_challenge(q, w);
	if (!r)
		r = parse_types(q, w);
	q->prepared = w;
	return r;
}

/* A certificate is shown for all its names: another domain's is that domain's to order. */
static int check_owners(struct http_request *q, struct store_conn *c, int64_t domain,
	struct span names)
{
	while (names.n) {
		struct span name = span_cut(&names, ',');
		struct store_domain owner;
		int r;

		if (span_starts(name, SPAN("*.")))
			name = span_skip(name, 2);
		r = store_domain_find(c, &q->arena, name, &owner);
		if (r == STORE_E_NOT_FOUND)
			continue;
		TRY(r);
		if (owner.id != domain)
			return http_problem(q, 422, "names",
				"%s is another domain here: order for that", owner.name);
	}
	return 0;
}

/* Types that are not wanted any more. */
struct others {
	const struct wanted *w;
	int64_t ids[TYPES_MAX * 2];
	size_t n;
};

static int collect_other(const struct store_acme_order *order, void *context)
{
	struct others *o = context;

	for (size_t i = 0; i < o->w->n_types; i++) {
		if (span_equal(order->type, o->w->types[i]))
			return 0;
	}
	if (o->n < sizeof o->ids / sizeof o->ids[0])
		o->ids[o->n++] = order->id;
	return 0;
}

static int write_orders(struct store_conn *c, int64_t domain, const struct wanted *w)
{
	struct others others = { .w = w };

	TRY(store_acme_order_each(c, domain, collect_other, &others));
	for (size_t i = 0; i < others.n; i++)
		TRY(store_acme_order_drop(c, others.ids[i]));
	for (size_t i = 0; i < w->n_types; i++) {
		struct store_acme_order order = { .domain = domain, .type = w->types[i],
			.names = w->names, .challenge = w->challenge };

		TRY(store_acme_order_put(c, &order, clock_now_us()));
	}
	return 0;
}

int api_acme_order(struct http_request *q, struct store_conn *c)
{
	const struct wanted *w = q->prepared;
	struct store_acme_account account;
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	if (!r)
		r = check_owners(q, c, domain.id, w->names);
	if (r)
		return r;
	r = store_acme_account_get(c, &q->arena, domain.id, true, &account);
	if (r == STORE_E_NOT_FOUND)
		return http_problem(q, 409, "directory",
			"no authority is set: signet acme account set --directory URL");
	TRY(r);
	TRY(write_orders(c, domain.id, w));
	q->acme_changed = true;
	TRY(http_audit(q, c, "acme.order", span_str(domain.name), w->names));
	return list_orders(q, c, domain.id);
}

static int no_orders(struct http_request *q)
{
	return http_problem(q, 404, "domain",
		"no certificate is kept up for the domain: signet acme order %.*s",
		(int)q->params[0].n, (const char *)q->params[0].p);
}

int api_acme_renew(struct http_request *q, struct store_conn *c)
{
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	if (r)
		return r;
	r = store_acme_order_renew(c, domain.id, clock_now_us());
	if (r == STORE_E_NOT_FOUND)
		return no_orders(q);
	TRY(r);
	q->acme_changed = true;
	TRY(http_audit(q, c, "acme.renew", span_str(domain.name), SPAN("")));
	return list_orders(q, c, domain.id);
}

int api_acme_stop(struct http_request *q, struct store_conn *c)
{
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	if (r)
		return r;
	r = store_acme_order_remove(c, domain.id);
	if (r == STORE_E_NOT_FOUND)
		return no_orders(q);
	TRY(r);
	q->status = 204;
	return http_audit(q, c, "acme.stop", span_str(domain.name), SPAN(""));
}

/* RFC 8555 section 8.3. */
int page_acme_challenge(struct http_request *q, struct store_conn *c)
{
	struct span value;
	int r = store_acme_proof_find(c, &q->arena, ACME_HTTP_01, q->params[0], &value);

	if (r == STORE_E_NOT_FOUND)
		return http_problem(q, 404, NULL, "no challenge with this token is waiting");
	TRY(r);
	q->type = "application/octet-stream";
	http_header(q, "Cache-Control", SPAN("no-store"));
	buf_add(&q->out, value);
	return 0;
}
