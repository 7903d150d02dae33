/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Rules about clients' certificates, and their use. A rule's only trust anchors are the issuers that
 * were chosen for the domain and that it still trusts for clients; what it denies stays denied. An
 * account is looked up in a handshake only so that it can be said what is on offer: who logs in is
 * found out by the login.
 *
 * A rule that is required and has no issuer left lets nobody in, and says so in the log. The other
 * way, to let everybody in, would open a door because somebody took a certificate away.
 */

#include "svc/client.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "net/tls.h"
#include "pki/path.h"
#include "store/client_rows.h"
#include "store/domain.h"
#include "store/store.h"
#include "svc/certmap.h"
#include "svc/env.h"
#include "svc/revocation.h"
#include "svc/trust.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Intermediates between a client and an issuer; certificates that are looked at for them. Reading one
 * takes longer than sending one, and anybody may send them. */
enum { CLIENT_DEPTH_MAX = 4, CLIENT_OTHERS_MAX = 10 };

/* What a domain says. Held by its profile and the rules it was loaded with. */
struct client_rule {
	struct env *env;
	int64_t domain;
	char *name;
	bool is_required;
	struct cert_list issuers; /* chosen, whether they can be used or not */
	struct trust *anchors;    /* those that can be */
	size_t n_anchors;
	STACK_OF(X509_NAME) *names;
	uint8_t digest[SHA256_OCTETS];
	_Atomic unsigned refs;
};

struct client_rules {
	struct client_rule **rules; /* by domain, ascending */
	size_t n;
};

static void rule_unref(void *p)
{
	struct client_rule *r = p;

	if (!r || atomic_fetch_sub(&r->refs, 1) != 1)
		return;
	cert_list_done(&r->issuers);
	(void)trust_unref(r->anchors);
	sk_X509_NAME_pop_free(r->names, X509_NAME_free);
	free(r->name);
	free(r);
}

/* What the alert says, from what was found. Rules that are not here: bad_certificate. */
static long result_of(const struct finding *f)
{
	static const struct {
		const char *rule;
		long result;
	} results[] = {
		{ "expired", X509_V_ERR_CERT_HAS_EXPIRED },
		{ "not-yet-valid", X509_V_ERR_CERT_NOT_YET_VALID },
		{ "revoked", X509_V_ERR_CERT_REVOKED },
		{ "no-issuer", X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY },
		{ "untrusted", X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY },
		{ "authority-key-identifier", X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY },
		{ "signature", X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY },
		{ "extended-key-usage", X509_V_ERR_INVALID_PURPOSE },
		{ "key-usage", X509_V_ERR_INVALID_PURPOSE },
	};

	for (size_t i = 0; f && i < sizeof results / sizeof results[0]; i++) {
		if (strcmp(f->rule, results[i].rule) == 0)
			return results[i].result;
	}
	return X509_V_ERR_CERT_REJECTED;
}

/* X509_V_OK, or what is wrong. A fault on our side is not the client's, but lets it in no more than
 * anything else does. */
static long rule_validate(const struct client_rule *r, struct cert *cert,
	const struct cert_list *others, struct why *why)
{
	CLEANUP(verdict_done) struct verdict verdict = {};
	CLEANUP(buf_done) struct buf text = {};
	CLEANUP(revocation_unrefp) struct revocation *revocation =
		revocation_of_domain(r->env, r->domain);
	struct path_request request = {
		.leaf = cert,
		.untrusted = others,
		.trust = r->anchors,
		.time_us = clock_now_us(),
		.purposes = TRUST_CLIENT,
		.has_max_depth = true,
		.max_depth = CLIENT_DEPTH_MAX,
	};
	int fault;

	if (r->n_anchors == 0) {
		why_set(why, "%s has no issuer of client certificates that it trusts for clients",
			r->name);
		return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
	}
	fault = revocation_validate(revocation, &request, &verdict);
	if (fault) {
		log_fault(NULL, "TLS", "client.validate", err_fold(fault));
		why_set(why, "it cannot be validated now");
		return X509_V_ERR_UNSPECIFIED;
	}
	if (verdict.valid) {
		revocation_seen(r->env, r->domain, &verdict);
		return X509_V_OK;
	}
	if (verdict_error(&verdict))
		finding_add_text(verdict_error(&verdict), &text);
	why_set(why, "%.*s", (int)buf_size(&text), (const char *)buf_span(&text).p);
	return result_of(verdict_error(&verdict));
}

/* Others that cannot be read are none: a path may do without them. */
static void read_others(const struct tls_client *client, struct cert_list *ret_list)
{
	struct cert_list list = {};

	for (int i = 0; i < sk_X509_num(client->others) && i < CLIENT_OTHERS_MAX; i++) {
		struct cert *cert;

		if (cert_from_x509(&cert, sk_X509_value(client->others, i), NULL))
			continue;
		list.certs = alloc_array(list.certs, list.n + 1, sizeof list.certs[0]);
		list.certs[list.n++] = cert;
	}
	*ret_list = list;
}

/* The certificate as ours, if it is valid by the rule; the caller drops it. */
static long rule_check(const struct client_rule *r, const struct tls_client *client,
	struct cert **ret_cert, struct why *why)
{
	CLEANUP(cert_list_done) struct cert_list others = {};
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	long result;

	if (cert_from_x509(&cert, client->certificate, why))
		return X509_V_ERR_CERT_REJECTED;
	read_others(client, &others);
	result = rule_validate(r, cert, &others, why);
	if (result == X509_V_OK)
		*ret_cert = TAKE(cert);
	return result;
}

struct look_up {
	int64_t domain;
	const struct cert *cert;
	struct arena *arena;
	struct store_account account;
	struct why *why;
};

static int look_up(struct store_conn *c, void *arg)
{
	struct look_up *l = arg;

	return certmap_find(c, l->arena, l->domain, l->cert, &l->account, NULL, l->why);
}

/* The verifier of a profile. */
static void rule_verify(void *context, struct tls_client *client)
{
	const struct client_rule *r = context;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	CLEANUP(arena_done) struct arena arena = {};
	struct why why = {};
	struct look_up l = { .domain = r->domain, .arena = &arena, .why = &why };
	int found;

	client->result = rule_check(r, client, &cert, &why);
	if (client->result == X509_V_OK) {
		l.cert = cert;
		found = store_read(r->env->store, look_up, &l);
		if (found < 0)
			log_fault(NULL, "TLS", "client.look_up", found);
		if (found == 0)
			client->name = span_to_string(l.account.address);
	}
	if (why.text[0])
		client->reason = alloc_string(why.text);
}

static int deny(const struct trust_entry *entry, void *context)
{
	struct client_rule *r = context;

	if (entry->purposes == 0)
		trust_deny(r->anchors, entry->cert);
	return 0;
}

/* The issuers that the domain (0: the server) trusts for clients become anchors. */
static int rule_anchor(struct client_rule *r)
{
	CLEANUP(trust_unrefp) struct trust *trust = NULL;
	struct digest *d;

	TRY(r->domain ? trust_of_domain(r->env, r->domain, &trust) :
			trust_of_system(r->env, &trust));
	d = digest_new();
	r->anchors = trust_new(TRUST_DOMAIN, NULL);
	r->names = sk_X509_NAME_new_null();
	for (size_t i = 0; i < r->issuers.n; i++) {
		struct cert *issuer = r->issuers.certs[i];
		X509_NAME *name;

		if (!(trust_purposes(trust, issuer, NULL) & TRUST_CLIENT))
			continue;
		trust_add(r->anchors, issuer, TRUST_CLIENT);
		r->n_anchors++;
		digest_add(d, cert_der(issuer));
		name = X509_NAME_dup(X509_get_subject_name(cert_x509(issuer)));
		if (!name || !sk_X509_NAME_push(r->names, name))
			X509_NAME_free(name);
	}
	digest_add(d, span_of(&r->domain, sizeof r->domain));
	digest_end(d, r->digest);
	(void)digest_free(d);
	return trust_each(trust, deny, r);
}

static int add_issuer(const struct store_client_cert *row, void *context)
{
	struct client_rule *r = context;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct why why = {};
	int outcome = cert_from_der(&cert, row->der, &why);

	if (outcome < 0)
		return outcome;
	if (outcome) {
		LOG(NULL, LOG_ERROR, "TLS", "client.issuer_unreadable",
			log_str("domain", r->name), log_str("reason", why.text));
		return 0;
	}
	r->issuers.certs = alloc_array(r->issuers.certs, r->issuers.n + 1,
		sizeof r->issuers.certs[0]);
	r->issuers.certs[r->issuers.n++] = TAKE(cert);
	return 0;
}

/* One being read. */
struct loading {
	struct env *env;
	struct store_conn *c;
	struct client_rules *rules;
	int64_t domain; /* read_rule: which */
};

static int read_rule_of(struct loading *l, const struct store_domain *domain,
	struct client_rule **ret_rule)
{
	struct client_rule *r = ALLOC(struct client_rule);
	int result;

	r->refs = 1;
	r->env = l->env;
	r->domain = domain ? domain->id : 0;
	r->name = alloc_string(domain ? domain->name : "the server");
	r->is_required = domain && domain->client_required;
	result = store_client_issuer_each(l->c, r->domain, add_issuer, r);
	if (!result && domain && r->issuers.n == 0)
		result = store_client_issuer_each(l->c, 0, add_issuer, r);
	if (result) {
		rule_unref(r);
		return err_fold(result);
	}
	*ret_rule = r;
	return 0;
}

static int read_domain(const struct store_domain *domain, void *context)
{
	struct loading *l = context;
	struct client_rules *rules = l->rules;
	struct client_rule *r;

	TRY(read_rule_of(l, domain, &r));
	if (r->issuers.n == 0 && !r->is_required) {
		rule_unref(r);
		return 0;
	}
	rules->rules = alloc_array(rules->rules, rules->n + 1, sizeof rules->rules[0]);
	rules->rules[rules->n++] = r;
	return 0;
}

static int read_domains(struct store_conn *c, void *arg)
{
	struct loading *l = arg;

	l->c = c;
	return store_domain_each(c, read_domain, l);
}

static int compare_domains(const void *a, const void *b)
{
	int64_t x = (*(struct client_rule *const *)a)->domain;
	int64_t y = (*(struct client_rule *const *)b)->domain;

	return x < y ? -1 : x > y;
}

int client_rules_load(struct env *e, struct client_rules **ret_rules)
{
	struct client_rules *rules = ALLOC(struct client_rules);
	struct loading l = { .env = e, .rules = rules };
	int r = store_read(e->store, read_domains, &l);

	for (size_t i = 0; !r && i < rules->n; i++) {
		r = rule_anchor(rules->rules[i]);
		if (!r && rules->rules[i]->is_required && rules->rules[i]->n_anchors == 0)
			LOG(NULL, LOG_ERROR, "TLS", "client.no_issuer",
				log_str("domain", rules->rules[i]->name),
				log_str("reason", "client certificates are required, and no issuer"
					" is trusted for clients: nobody is let in; see"
					" signet client-ca show"));
	}
	if (r) {
		client_rules_free(rules);
		return err_fold(r);
	}
	if (rules->n)
		qsort(rules->rules, rules->n, sizeof rules->rules[0], compare_domains);
	*ret_rules = rules;
	return 0;
}

struct client_rules *client_rules_free(struct client_rules *r)
{
	for (size_t i = 0; r && i < r->n; i++)
		rule_unref(r->rules[i]);
	if (r)
		free(r->rules);
	free(r);
	return NULL;
}

static struct client_rule *rules_find(const struct client_rules *rules, int64_t domain)
{
	struct client_rule wanted = { .domain = domain }, *key = &wanted, **found = NULL;

	if (rules->n)
		found = bsearch(&key, rules->rules, rules->n, sizeof rules->rules[0],
			compare_domains);
	return found ? *found : NULL;
}

/* Issuers that cannot be used ask for nothing; required without any asks, and is content with none. */
void client_rules_apply(struct client_rules *rules, int64_t domain, struct tls_profile *p)
{
	struct client_rule *r = rules_find(rules, domain);

	if (!r || (r->n_anchors == 0 && !r->is_required))
		return;
	p->client_mode = SSL_VERIFY_PEER |
		(r->is_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
	p->client_names = sk_X509_NAME_deep_copy(r->names, X509_NAME_dup, X509_NAME_free);
	p->client_verify = rule_verify;
	(void)atomic_fetch_add(&r->refs, 1);
	p->client_context = r;
	p->client_context_free = rule_unref;
	memcpy(p->client_rule, r->digest, sizeof r->digest);
}

/* The profile of the domain, as the TLS directory has it now; with a reference. NULL: it has none. */
static struct tls_profile *profile_of(struct env *e, const char *domain)
{
	struct tls_profile *p = tls_host_profile(e->tls, domain);

	if (p && (strcmp(p->name, domain) != 0 || p->client_verify != rule_verify))
		p = tls_profile_unref(p);
	return p;
}

static int not_asked(const char *domain, struct why *why)
{
	why_set(why, "%s does not ask for client certificates", domain);
	return CLIENT_E_INVALID;
}

int client_check(struct env *e, const char *domain, const struct tls_client *client,
	struct why *why)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct tls_profile *p = profile_of(e, domain);
	long result;

	if (!p)
		return not_asked(domain, why);
	result = rule_check(p->client_context, client, &cert, why);
	(void)tls_profile_unref(p);
	return result == X509_V_OK ? 0 : CLIENT_E_INVALID;
}

int client_identify(struct env *e, struct arena *a, const char *domain,
	const struct tls_client *client, struct store_account *ret_account, struct why *why)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct tls_profile *p = profile_of(e, domain);
	struct look_up l = { .arena = a, .why = why };
	const struct client_rule *rule;
	long result;
	int r;

	if (!p)
		return not_asked(domain, why);
	rule = p->client_context;
	l.domain = rule->domain;
	result = rule_check(rule, client, &cert, why);
	(void)tls_profile_unref(p);
	if (result != X509_V_OK)
		return CLIENT_E_INVALID;
	l.cert = cert;
	r = store_read(e->store, look_up, &l);
	if (r)
		return r > 0 ? CLIENT_E_NOBODY : r;
	*ret_account = l.account;
	return 0;
}

int client_try(struct env *e, const char *domain, struct cert *cert, const struct cert_list *others,
	struct why *why)
{
	struct tls_profile *p = profile_of(e, domain);
	long result;

	if (!p)
		return not_asked(domain, why);
	result = rule_validate(p->client_context, cert, others, why);
	(void)tls_profile_unref(p);
	return result == X509_V_OK ? 0 : CLIENT_E_INVALID;
}

static int read_one(struct store_conn *c, void *arg)
{
	CLEANUP(arena_done) struct arena a = {};
	struct loading *l = arg;
	struct store_domain domain;
	struct client_rule *r;
	int result = l->domain ? store_domain_get(c, &a, l->domain, &domain) : 0;

	if (result)
		return result;
	l->c = c;
	TRY(read_rule_of(l, l->domain ? &domain : NULL, &r));
	l->rules->rules = alloc_array(NULL, 1, sizeof l->rules->rules[0]);
	l->rules->rules[0] = r;
	l->rules->n = 1;
	return 0;
}

int client_usable_issuers(struct env *e, int64_t domain, size_t *ret_n)
{
	struct client_rules *rules = ALLOC(struct client_rules);
	struct loading l = { .env = e, .rules = rules, .domain = domain };
	int r = store_read(e->store, read_one, &l);

	if (!r)
		r = rule_anchor(rules->rules[0]);
	if (!r)
		*ret_n = rules->rules[0]->n_anchors;
	client_rules_free(rules);
	return err_fold(r);
}
