/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Certificates that a domain's authority has issued for its users: for an administrator those of a
 * domain, for a user their own. A certificate is named by its serial number.
 */

#include "base/clock.h"
#include "base/enc.h"
#include "pki/mailcert.h"
#include "pki/request.h"
#include "store/ca_rows.h"
#include "store/secure_rows.h"
#include "store/store.h"
#include "svc/ca.h"
#include "svc/env.h"
#include "svc/http/api_pki.h"

static const char *state_of(const struct store_issued *row)
{
	if (row->revoked_us)
		return "revoked";
	return row->not_after_us > clock_now_us() ? "valid" : "expired";
}

static void set_account(json_t *object, const char *address)
{
	(void)json_object_set_new(object, "account", address ? json_string(address) : json_null());
}

static json_t *issued_json(const struct store_issued *row)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	json_t *object = json_object();
	struct why why = {};

	api_set_text(object, "address", row->address);
	api_set_text(object, "state", span_str(state_of(row)));
	(void)json_object_set_new(object, "revoked", http_json_time(row->revoked_us));
	(void)json_object_set_new(object, "reason",
		row->revoked_us ? json_string(ca_reason_name(row->reason)) : json_null());
	(void)json_object_set_new(object, "renewal", http_json_time(row->renew_us));
	(void)json_object_set_new(object, "renewed", json_boolean(row->successor != 0));
	(void)json_object_set_new(object, "created", http_json_time(row->created_us));
	if (cert_from_der(&cert, row->der, &why))
		api_set_text(object, "unreadable", span_str(why.text));
	else
		api_set_cert(object, cert);
	return object;
}

struct listing {
	struct http_request *q;
	struct store_conn *c;
	json_t *list;
};

static int add_issued(const struct store_issued *row, void *context)
{
	struct listing *l = context;
	struct store_account account;
	json_t *object = issued_json(row);
	int r = row->account ? store_account_get(l->c, &l->q->arena, row->account, &account) :
			       STORE_E_NOT_FOUND;

	set_account(object, r ? NULL : arena_string(&l->q->arena, account.address));
	(void)json_array_append_new(l->list, object);
	return r < 0 ? r : 0;
}

int api_issued_list(struct http_request *q, struct store_conn *c)
{
	struct listing l = { .q = q, .c = c };
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	if (r)
		return r;
	l.list = api_answer_list(q, "certificates");
	return store_issued_each(c, domain.id, 0, add_issued, &l);
}

int api_own_issued_list(struct http_request *q, struct store_conn *c)
{
	struct listing l = { .q = q, .c = c };
	struct store_account account;
	int r = api_account(q, c, &account);

	if (r)
		return r;
	l.list = api_answer_list(q, "certificates");
	return store_issued_each(c, 0, account.id, add_issued, &l);
}

/* The certificate of parameter 1. */
static int find_issued(struct http_request *q, struct store_conn *c, struct store_issued *ret_row)
{
	CLEANUP(buf_done) struct buf serial = {};
	struct span octets;
	int r;

	if (!enc_hex_decode(&serial, q->params[1]))
		return http_problem(q, 404, "certificate", "a certificate is named by its serial"
			" number in hexadecimal: ca list shows it");
	octets = buf_span(&serial);
	while (octets.n > 1 && octets.p[0] == 0)
		octets = span_skip(octets, 1);
	r = store_issued_by_serial(c, &q->arena, octets, ret_row);
	if (r == STORE_E_NOT_FOUND)
		return http_problem(q, 404, "certificate", "no such certificate was issued here");
	return r;
}

int api_reason(struct http_request *q, const char *member, struct span text,
	enum issued_reason *ret_reason)
{
	*ret_reason = REASON_UNSPECIFIED;
	return !text.p || ca_reason_parse(text, ret_reason)
		       ? 0
		       : http_problem(q, 422, member,
				 "a reason is unspecified, keyCompromise, affiliationChanged,"
				 " superseded, cessationOfOperation or privilegeWithdrawn");
}

static int revoke(struct http_request *q, struct store_conn *c, const struct store_issued *row)
{
	enum issued_reason reason;
	struct store_issued now;
	int r = api_reason(q, "reason", http_text(q, "reason"), &reason);

	if (r)
		return r;
	r = ca_revoke(q->env, c, row->id, reason, NULL);
	if (r == STORE_E_STALE)
		return http_problem(q, 409, "certificate", "the certificate is revoked already");
	if (r)
		return http_store_problem(q, r, "certificate", "certificate", NULL);
	q->ca_changed = true;
	TRY(store_issued_get(c, &q->arena, row->id, &now));
	q->answer = issued_json(&now);
	return http_audit(q, c, "ca.revoke", row->address, q->params[1]);
}

int api_issued_revoke(struct http_request *q, struct store_conn *c)
{
	struct store_authority authority;
	struct store_issued row;
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	if (!r)
		r = find_issued(q, c, &row);
	if (r)
		return r;
	TRY(store_authority_get(c, &q->arena, row.authority, &authority));
	if (authority.domain != domain.id)
		return http_problem(q, 404, "certificate", "no such certificate was issued here");
	return revoke(q, c, &row);
}

int api_own_issued_revoke(struct http_request *q, struct store_conn *c)
{
	struct store_account account;
	struct store_issued row;
	int r = api_account(q, c, &account);

	if (!r)
		r = find_issued(q, c, &row);
	if (r)
		return r;
	if (row.account != account.id)
		return http_problem(q, 404, "certificate", "the account has no such certificate");
	return revoke(q, c, &row);
}

/* Who and what key a new certificate is for. */
struct issue_search {
	struct http_request *q;
	struct span address;
	struct store_domain domain; /* of the path */
	struct store_account account;
	struct span key; /* the current one of Secure Mail; empty: none */
};

static int match_key(const struct store_secure_key *key, void *context)
{
	struct issue_search *s = context;

	if (key->current)
		s->key = arena_span(&s->q->arena, key->spki);
	return 0;
}

/* The account that the address leads to, or is. */
static int find_account(struct store_conn *c, void *arg)
{
	struct issue_search *s = arg;
	struct http_request *q = s->q;
	struct store_domain domain;
	struct route route;
	struct span local;
	int r = api_domain(q, c, &s->domain);

	if (!r)
		r = api_address(q, c, s->address, "address", &local, &domain);
	if (r)
		return r;
	TRY(store_route(c, &q->arena, local, span_str(domain.name), "", &route));
	if (route.kind != ROUTE_ACCOUNT || !route.targets[0].account)
		return http_problem(q, 422, "address", "this address does not lead to one account");
	TRY(store_account_get(c, &q->arena, route.targets[0].account, &s->account));
	if (s->account.domain != s->domain.id)
		return http_problem(q, 422, "address", "this is not an address of %s",
			s->domain.name);
	return store_secure_key_each(c, s->account.id, match_key, s);
}

/* A request with its proof that the key is the asker's, else the key of Secure Mail. */
static int choose_key(struct http_request *q, struct issue_search *s, struct span *ret_spki)
{
	CLEANUP(request_freep) struct request *request = NULL;
	CLEANUP(buf_done) struct buf file = {};
	struct why why = {};
	int r;

	if (!http_text(q, "request").p) {
		*ret_spki = s->key;
		return s->key.n ? 0 : http_problem(q, 422, "request",
			"the account has no key for Secure Mail: make one (signet smime generate), or give"
			" a request (PKCS #10)");
	}
	r = api_file(q, "request", &file);
	if (r)
		return r;
	r = request_read(&request, buf_span(&file), &why);
	if (r)
		return r > 0 ? http_problem(q, 422, "request", "%s", why.text) : r;
	*ret_spki = arena_span(&q->arena, request_spki(request));
	return 0;
}

/* In the transaction that writes the certificate: who has asked for it; a key of Secure Mail gets it. */
struct issue_then {
	struct http_request *q;
	const struct issue_search *search;
	struct span spki;
	bool is_secure;
	struct store_issued row;
};

static int then(struct store_conn *c, const struct ca_certificate *cert, void *context,
	struct why *why)
{
	struct issue_then *t = context;
	int r = t->is_secure ? ca_give(c, t->search->account.id, t->spki, cert, why) : 0;

	if (r)
		return r;
	TRY(store_issued_get(c, &t->q->arena, cert->id, &t->row));
	return http_audit(t->q, c, "ca.issue", t->search->account.address, t->row.address);
}

static void set_chain(json_t *object, struct span chain)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	CLEANUP(buf_done) struct buf pem = {};

	if (cert_list_from_der(&list, chain, NULL) == 0) {
		for (size_t i = 0; i < list.n; i++)
			cert_add_pem(list.certs[i], &pem);
	}
	api_set_text(object, "chain", buf_span(&pem));
}

int api_issued_make(struct http_request *q, struct store_conn *c)
{
	struct issue_search search = { .q = q, .address = http_text(q, "address") };
	struct issue_then context = { .q = q, .search = &search,
		.is_secure = http_text(q, "request").p == NULL };
	const json_t *days = json_object_get(q->json, "days");
	struct ca_certificate made = {};
	struct ca_wish wish = { .addresses = &search.address, .n_addresses = 1,
		.name = http_text(q, "name"), .renews = context.is_secure,
		.days = days ? (unsigned)json_integer_value(days) : 0 };
	struct why why = {};
	int r = store_read(q->env->store, find_account, &search);

	(void)c;
	if (!r)
		r = choose_key(q, &search, &context.spki);
	if (r)
		return r;
	wish.account = search.account.id;
	wish.spki = context.spki;
	r = ca_issue(q->env, &q->arena, &wish, then, &context, &made, &why);
	if (r == CA_E_NONE)
		return http_problem(q, 409, NULL, "%s", why.text);
	if (r)
		return r > 0 ? http_problem(q, 422, NULL, "%s", why.text) : r;
	q->status = 201;
	q->answer = issued_json(&context.row);
	set_account(q->answer, arena_string(&q->arena, search.account.address));
	set_chain(q->answer, made.chain);
	return 0;
}
