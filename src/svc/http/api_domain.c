/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Domains, their aliases, and address aliases. */

#include "mime/address.h"
#include "pki/cert.h"
#include "store/key_rows.h"
#include "store/store.h"
#include "store/tls_rows.h"
#include "svc/ca_status.h"
#include "svc/client.h"
#include "svc/env.h"
#include "svc/http/api_pki.h"
#include "svc/tls_policies.h"

static json_t *domain_json(const struct store_domain *d)
{
	static const char *const modes[] = {
		[PKI_DISABLED] = "disabled",
		[PKI_TEST] = "test",
		[PKI_ENABLED] = "enabled",
	};
	json_t *object = json_object();

	api_set_text(object, "name", span_str(d->name));
	api_set_text(object, "pki", span_str(modes[d->pki]));
	(void)json_object_set_new(object, "main", json_boolean(d->main));
	(void)json_object_set_new(object, "shared", json_boolean(d->shared));
	(void)json_object_set_new(object, "client_required", json_boolean(d->client_required));
	(void)json_object_set_new(object, "smime", json_boolean(d->smime));
	api_set_number(object, "account_quota", d->account_quota);
	api_set_number(object, "accounts", d->n_accounts);
	(void)json_object_set_new(object, "created", http_json_time(d->created_us));
	return object;
}

static int add_domain(const struct store_domain *domain, void *context)
{
	(void)json_array_append_new(context, domain_json(domain));
	return 0;
}

int api_domain_list(struct http_request *q, struct store_conn *c)
{
	return store_domain_each(c, add_domain, api_answer_list(q, "domains"));
}

static int append_text(struct span text, void *context)
{
	(void)json_array_append_new(context, http_json_text(text));
	return 0;
}

static int append_address(int64_t domain, struct span address, void *context)
{
	struct net_address a = net_address_of_ip(address, 0);
	char text[NET_ADDRESS_TEXT];

	(void)domain;
	(void)json_array_append_new(context, json_string(net_address_text(&a, text)));
	return 0;
}

/* With what has lists of its own. */
static int answer_whole(struct http_request *q, struct store_conn *c,
	const struct store_domain *domain)
{
	CLEANUP(tls_policies_done) struct tls_policies policies = {};
	CLEANUP(tls_policy_done) struct tls_policy policy = {};
	json_t *aliases, *addresses;

	TRY(tls_policies_read(&policies, c));
	q->answer = domain_json(domain);
	aliases = json_array();
	addresses = json_array();
	tls_policies_resolve(&policies, domain->id, TLS_ON, &policy, NULL);
	(void)json_object_set_new(q->answer, "client_abort", json_boolean(policy.client_abort));
	(void)json_object_set_new(q->answer, "aliases", aliases);
	(void)json_object_set_new(q->answer, "addresses", addresses);
	TRY(store_domain_alias_each(c, domain->id, append_text, aliases));
	return store_address_each(c, domain->id, append_address, addresses);
}

int api_domain_show(struct http_request *q, struct store_conn *c)
{
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	return r ? r : answer_whole(q, c, &domain);
}

/* What store_domain_set can set, as members of the body. */
static const char *const members[] = { "pki", "account_quota", "shared", "client_required", "smime" };

/* One of them, if the body has it. */
static int set_member(struct http_request *q, struct store_conn *c, const struct store_domain *domain,
	const char *member)
{
	const json_t *value = json_object_get(q->json, member);
	struct why why = {};
	struct span text;
	int r;

	if (!value)
		return 0;
	text = http_scalar(q, value);
	r = store_domain_set(c, domain->id, span_str(member), text, &why);
	if (r)
		return http_store_problem(q, r, "domain", member, &why);
	return http_audit(q, c, "domain.set", span_str(domain->name), span_str(member));
}

static int set_members(struct http_request *q, struct store_conn *c,
	const struct store_domain *domain)
{
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		int r = set_member(q, c, domain, members[i]);

		if (r)
			return r;
	}
	return 0;
}

int api_domain_add(struct http_request *q, struct store_conn *c)
{
	struct store_domain domain = {};
	struct span name;
	int r = api_domain_name(q, http_text(q, "name"), "name", &name);

	if (r)
		return r;
	r = store_domain_add(c, name, &domain.id);
	if (r)
		return http_store_problem(q, r, "domain", "name", NULL);
	domain.name = arena_string(&q->arena, name);
	TRY(http_audit(q, c, "domain.add", name, SPAN("")));
	r = set_members(q, c, &domain);
	if (!r)
		r = store_domain_find(c, &q->arena, name, &domain);
	if (r)
		return r;
	q->status = 201;
	q->tls_changed = true;
	q->answer = domain_json(&domain);
	return 0;
}

enum { ADDRESSES_MAX = 256 };

/* The body's list: addresses, a comma between; what they are written like does not matter. */
static int read_addresses(struct http_request *q, struct span *addresses, size_t *ret_n)
{
	struct span rest = http_text(q, "addresses");
	size_t n = 0;

	while (rest.n) {
		struct span text = span_trim(span_cut(&rest, ','));
		struct net_address a;

		if (net_address_parse(text, &a))
			return http_problem(q, 422, "addresses", "\"%.*s\" is not an IP address",
				(int)span_head(text, 64).n, (const char *)text.p);
		if (n == ADDRESSES_MAX)
			return http_problem(q, 422, "addresses", "more than %d addresses",
				ADDRESSES_MAX);
		addresses[n++] = arena_span(&q->arena, net_address_octets(&a));
	}
	*ret_n = n;
	return 0;
}

static int set_addresses(struct http_request *q, struct store_conn *c,
	const struct store_domain *domain)
{
	struct span *addresses, text = http_text(q, "addresses");
	char taken_text[NET_ADDRESS_TEXT];
	struct net_address taken;
	size_t n = 0, i;
	int r;

	if (!text.p)
		return 0;
	addresses = arena_alloc(&q->arena, ADDRESSES_MAX * sizeof *addresses);
	r = read_addresses(q, addresses, &n);
	if (r)
		return r;
	r = store_addresses_set(c, domain->id, addresses, n, &i);
	if (r == STORE_E_EXISTS) {
		taken = net_address_of_ip(addresses[i], 0);
		return http_problem(q, 409, "addresses", "%s belongs to another domain; an address"
			" can have one only", net_address_text(&taken, taken_text));
	}
	if (r)
		return err_fold(r);
	return http_audit(q, c, "domain.set", span_str(domain->name), SPAN("addresses"));
}

struct use_search {
	bool found;
};

static int find_use(const struct store_cert *cert, void *context)
{
	struct use_search *s = context;

	s->found |= cert->services.n && cert->key;
	return 0;
}

/* The main domain's certificate is what everybody gets who asks for no name or an unknown one. */
static int check_main(struct http_request *q, struct store_conn *c)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct use_search search = {};
	struct store_domain domain;

	TRY(store_domain_main(c, &arena, &domain));
	if (domain.pki == PKI_DISABLED)
		return http_problem(q, 409, "pki", "%s is the main domain, whose certificate is shown to"
			" all who name no other: its PKI is enabled or test; or make another domain the"
			" main one first", domain.name);
	if (domain.pki == PKI_TEST)
		return 0;
	TRY(store_cert_each(c, domain.id, find_use, &search));
	if (!search.found)
		return http_problem(q, 409, "main", "%s has no certificate in use, and the main domain's"
			" is shown to all who name no other: signet cert self-sign makes one",
			domain.name);
	return 0;
}

static int set_main(struct http_request *q, struct store_conn *c, const struct store_domain *domain)
{
	const json_t *value = json_object_get(q->json, "main");

	if (!value)
		return 0;
	if (!span_is(http_scalar(q, value), "yes"))
		return http_problem(q, 422, "main",
			"main is yes; make another domain the main one instead");
	TRY(store_domain_set_main(c, domain->id));
	return http_audit(q, c, "domain.set-main", span_str(domain->name), SPAN(""));
}

/* CGP-21: certificates keep the name they were made for. */
static int warn_of_name(const struct store_cert *row, void *context)
{
	struct http_request *q = context;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	CLEANUP(buf_done) struct buf text = {};
	const char *name = json_string_value(json_object_get(q->answer, "name"));

	if (!row->services.n || cert_from_der(&cert, row->der, NULL) ||
		cert_covers_host(cert, span_str(name)))
		return 0;
	buf_add_string(&text, "certificate ");
	buf_add(&text, row->alias);
	buf_add_format(&text, " is not for %s: clients will refuse it until there is one that is"
		" (cert self-sign, request create, acme order)", name);
	(void)json_array_append_new(json_object_get(q->answer, "warnings"),
		http_json_text(buf_span(&text)));
	return 0;
}

static int set_name(struct http_request *q, struct store_conn *c, struct store_domain *domain)
{
	struct span name = http_text(q, "name");
	int r;

	if (!name.p)
		return 0;
	r = api_domain_name(q, name, "name", &name);
	if (r)
		return r;
	r = store_domain_rename(c, domain->id, name);
	if (r)
		return http_store_problem(q, r, "domain", "name", NULL);
	TRY(http_audit(q, c, "domain.rename", span_str(domain->name), name));
	domain->name = arena_string(&q->arena, name);
	return 0;
}

struct issuer_check {
	struct http_request *q;
	struct store_domain domain;
};

static int find_domain(struct store_conn *c, void *arg)
{
	struct issuer_check *check = arg;

	return api_domain(check->q, c, &check->domain);
}

/* A domain that requires certificates and has no issuer would lock everybody out. */
int api_domain_set_prepare(struct http_request *q, struct store_conn *c)
{
	const json_t *value = json_object_get(q->json, "client_required");
	struct issuer_check check = { .q = q };
	struct span text;
	size_t n = 0;
	int r;

	(void)c;
	text = value ? http_scalar(q, value) : SPAN("no");
	if (span_is(text, "no") || span_is(text, "false") || span_is(text, "off"))
		return 0;
	r = store_read(q->env->store, find_domain, &check);
	if (r)
		return r;
	TRY(client_usable_issuers(q->env, check.domain.id, &n));
	if (n)
		return 0;
	return http_problem(q, 422, "client_required", "%s has no issuer of client certificates that"
		" it trusts for clients: choose one with signet client-ca set %s FILE",
		check.domain.name, check.domain.name);
}

/* What its TLS policy says too (signet tls); "default": what the server says. */
static int set_client_abort(struct http_request *q, struct store_conn *c,
	const struct store_domain *domain)
{
	const json_t *value = json_object_get(q->json, "client_abort");
	struct store_tls_value row = { .domain = domain->id, .key = SPAN("client_abort") };

	if (!value)
		return 0;
	row.value = http_scalar(q, value);
	if (span_is(row.value, "default"))
		row.value = (struct span){};
	else if (!span_is(row.value, "yes") && !span_is(row.value, "no"))
		return http_problem(q, 422, "client_abort", "client_abort is yes, no or default");
	TRY(store_tls_value_set(c, &row));
	return http_audit(q, c, "domain.set", span_str(domain->name), SPAN("client_abort"));
}

int api_domain_set(struct http_request *q, struct store_conn *c)
{
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	if (!r)
		r = set_members(q, c, &domain);
	if (!r)
		r = set_client_abort(q, c, &domain);
	if (!r)
		r = set_main(q, c, &domain);
	if (!r)
		r = set_addresses(q, c, &domain);
	if (!r)
		r = set_name(q, c, &domain);
	if (!r && (json_object_get(q->json, "pki") || json_object_get(q->json, "main")))
		r = check_main(q, c);
	if (r)
		return r;
	TRY(store_domain_find(c, &q->arena, span_str(domain.name), &domain));
	q->trust_changed = q->tls_changed = true;
	q->locks_where_off = !domain.smime;
	TRY(answer_whole(q, c, &domain));
	if (!http_text(q, "name").p)
		return 0;
	(void)json_object_set_new(q->answer, "warnings", json_array());
	return store_cert_each(c, domain.id, warn_of_name, q);
}

static int find_removable(struct store_conn *c, void *arg)
{
	struct store_domain domain;
	struct http_request *q = arg;
	int r = api_domain(q, c, &domain);

	if (r)
		return r;
	q->prepared = ARENA_ALLOC(&q->arena, int64_t);
	*(int64_t *)q->prepared = domain.n_accounts ? 0 : domain.id;
	return 0;
}

/* Its authorities have no keys afterwards: before that they say for the last time what was revoked. */
int api_domain_remove_prepare(struct http_request *q, struct store_conn *c)
{
	int r = store_read(q->env->store, find_removable, q);
	int64_t id;

	(void)c;
	if (r)
		return r;
	id = *(int64_t *)q->prepared;
	return id ? ca_last_lists(q->env, id) : 0;
}

int api_domain_remove(struct http_request *q, struct store_conn *c)
{
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	if (r)
		return r;
	r = store_domain_remove(c, domain.id);
	if (r == STORE_E_REFUSED)
		return http_problem(q, 422, "domain", "the main domain cannot be removed");
	if (r == STORE_E_IN_USE)
		return http_problem(q, 409, "domain", "the domain still has accounts");
	if (r)
		return http_store_problem(q, r, "domain", "domain", NULL);
	q->status = 204;
	q->tls_changed = true;
	return http_audit(q, c, "domain.remove", span_str(domain.name), SPAN(""));
}

int api_domain_alias_list(struct http_request *q, struct store_conn *c)
{
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	if (r)
		return r;
	return store_domain_alias_each(c, domain.id, append_text, api_answer_list(q, "aliases"));
}

int api_domain_alias_add(struct http_request *q, struct store_conn *c)
{
	struct store_domain domain;
	struct span alias;
	int r = api_domain(q, c, &domain);

	if (!r)
		r = api_domain_name(q, q->params[1], "alias", &alias);
	if (r)
		return r;
	r = store_domain_alias_add(c, domain.id, alias);
	if (r)
		return http_store_problem(q, r, "domain or domain alias", "alias", NULL);
	q->status = 204;
	q->tls_changed = true;
	return http_audit(q, c, "domain-alias.add", alias, span_str(domain.name));
}

struct alias_search {
	struct span alias;
	bool found;
};

static int match_alias(struct span alias, void *context)
{
	struct alias_search *s = context;

	s->found |= span_equal(alias, s->alias);
	return 0;
}

int api_domain_alias_remove(struct http_request *q, struct store_conn *c)
{
	struct store_domain domain;
	struct alias_search search = {};
	int r = api_domain(q, c, &domain);

	if (!r)
		r = api_domain_name(q, q->params[1], "alias", &search.alias);
	if (r)
		return r;
	TRY(store_domain_alias_each(c, domain.id, match_alias, &search));
	if (!search.found)
		return http_problem(q, 404, "alias", "this domain has no such alias");
	TRY(store_domain_alias_remove(c, search.alias));
	q->status = 204;
	q->tls_changed = true;
	return http_audit(q, c, "domain-alias.remove", search.alias, span_str(domain.name));
}

static json_t *alias_json(struct span address, struct span targets)
{
	json_t *object = json_object();
	json_t *list = json_array();

	api_set_text(object, "address", address);
	while (targets.n)
		(void)json_array_append_new(list, http_json_text(span_cut(&targets, ',')));
	(void)json_object_set_new(object, "targets", list);
	return object;
}

static int add_alias(struct span address, struct span targets, void *context)
{
	(void)json_array_append_new(context, alias_json(address, targets));
	return 0;
}

int api_alias_list(struct http_request *q, struct store_conn *c)
{
	int64_t domain;
	int r = api_query_domain(q, c, &domain);

	return r ? r : store_alias_each(c, domain, add_alias, api_answer_list(q, "aliases"));
}

/* An address alias of one address; its JSON form, if it is there. */
struct alias_look_up {
	struct span local;
	json_t *found;
};

static int match_address(struct span address, struct span targets, void *context)
{
	struct alias_look_up *l = context;

	if (!l->found && span_equal_nocase(span_head(address, span_find(address, '@')), l->local))
		l->found = alias_json(address, targets);
	return 0;
}

int api_alias_show(struct http_request *q, struct store_conn *c)
{
	struct store_domain domain;
	struct alias_look_up l = {};
	int r = api_address(q, c, q->params[0], "address", &l.local, &domain);

	if (r)
		return r;
	r = store_alias_each(c, domain.id, match_address, &l);
	q->answer = l.found;
	if (!r && !l.found)
		return http_problem(q, 404, "address", "there is no such alias");
	return r;
}

/* The targets of the body in stored form. */
static int read_targets(struct http_request *q, struct span **ret_targets, size_t *ret_n)
{
	const json_t *list = json_object_get(q->json, "targets");
	size_t n = json_array_size(list);
	struct span *targets = arena_alloc(&q->arena, n * sizeof *targets);

	for (size_t i = 0; i < n; i++) {
		const json_t *text = json_array_get(list, i);
		CLEANUP(buf_done) struct buf address = {};
		struct address_name name;
		int r = address_normalize(
			span_of(json_string_value(text), json_string_length(text)), &name);

		if (r < 0)
			return r;
		if (r)
			return http_problem(q, 422, "targets", "target %zu is not an address", i + 1);
		address_add(&address, address_name_local(&name), address_name_domain(&name));
		targets[i] = arena_span(&q->arena, buf_span(&address));
	}
	*ret_targets = targets;
	*ret_n = n;
	return 0;
}

static int alias_write(struct http_request *q, struct store_conn *c, struct span address,
	bool replace)
{
	struct store_domain domain;
	struct span local;
	struct span *targets = NULL;
	size_t n = 0;
	int r = api_address(q, c, address, "address", &local, &domain);

	if (!r)
		r = read_targets(q, &targets, &n);
	if (r)
		return r;
	r = replace ? store_alias_remove(c, domain.id, local) : 0;
	if (r == 0 || r == STORE_E_NOT_FOUND)
		r = store_alias_add(c, domain.id, local, targets, n);
	if (r)
		return http_store_problem(q, r, "account or alias", "address", NULL);
	return http_audit(q, c, replace ? "alias.set" : "alias.add", address, targets[0]);
}

int api_alias_add(struct http_request *q, struct store_conn *c)
{
	q->status = 201;
	return alias_write(q, c, http_text(q, "address"), false);
}

int api_alias_set(struct http_request *q, struct store_conn *c)
{
	q->status = 204;
	return alias_write(q, c, q->params[0], true);
}

int api_alias_remove(struct http_request *q, struct store_conn *c)
{
	struct store_domain domain;
	struct span local;
	int r = api_address(q, c, q->params[0], "address", &local, &domain);

	if (r)
		return r;
	r = store_alias_remove(c, domain.id, local);
	if (r)
		return http_store_problem(q, r, "alias", "address", NULL);
	q->status = 204;
	return http_audit(q, c, "alias.remove", q->params[0], SPAN(""));
}
