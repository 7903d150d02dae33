/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Building the directory. All rows are read anew each time, in a few passes; what takes time (parsing
 * certificates, checking that keys belong to them, building rules) is kept from the time before,
 * by the certificate's row and its content. So what a change costs grows with the number of domains
 * only as reading does.
 *
 * Names: what stands in a domain's certificates leads to it unless it is another domain's own name
 * or alias. A domain without PKI keeps its names to itself: whoever asks for one gets no TLS.
 */

#include "svc/domain_tls.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/map.h"
#include "net/tls_rules.h"
#include "pki/cert.h"
#include "store/domain.h"
#include "store/key_rows.h"
#include "store/store.h"
#include "store/tls_rows.h"
#include "svc/client.h"
#include "svc/domain_identity.h"
#include "svc/env.h"
#include "svc/staple.h"
#include "svc/test_identity.h"
#include "svc/tls_policies.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* A certificate in use, parsed, for one content of its rows. */
struct parsed {
	uint8_t digest[SHA256_OCTETS];
	struct tls_identity identity; /* without certificate: it cannot be used */
	char **names;                 /* of its subjectAltName, without wildcards */
	size_t n_names;
	unsigned n_seen; /* by which build the last time */
};

struct domain_tls {
	pthread_mutex_t lock;  /* over a whole build */
	pthread_mutex_t count; /* over wanted */
	uint64_t wanted;       /* changes so far */
	uint64_t built;        /* those that the last build has seen */
	unsigned n_builds;
	struct map certificates; /* struct parsed, by row and content */
	struct map rules;        /* struct tls_rules, by what their policy says */
	struct tls_identity test;
};

/* A use of a certificate, in the order of the rows: by domain. */
struct use {
	int64_t domain;
	struct parsed *parsed;
	unsigned services;
};

struct place {
	int64_t domain;
	struct net_address address;
};

struct built {
	struct tls_profile *profile;
	int64_t domain;
	bool is_main;
};

struct build {
	struct env *env;
	struct domain_tls *tls;
	struct store_conn *conn;
	struct tls_directory *directory;
	struct client_rules *clients;
	struct tls_policies policies;
	struct map rules;   /* of this build */
	struct buf uses;    /* struct use */
	struct buf places;  /* struct place */
	struct buf domains; /* struct built */
};

static void parsed_free(void *value)
{
	struct parsed *p = value;

	tls_identity_done(&p->identity);
	for (size_t i = 0; i < p->n_names; i++)
		free(p->names[i]);
	free(p->names);
	free(p);
}

static void rules_free(void *value)
{
	(void)tls_rules_unref(value);
}

struct domain_tls *domain_tls_new(void)
{
	struct domain_tls *t = ALLOC(struct domain_tls);

	(void)pthread_mutex_init(&t->lock, NULL);
	(void)pthread_mutex_init(&t->count, NULL);
	return t;
}

struct domain_tls *domain_tls_free(struct domain_tls *t)
{
	if (!t)
		return NULL;
	map_done(&t->certificates, parsed_free);
	map_done(&t->rules, rules_free);
	tls_identity_done(&t->test);
	(void)pthread_mutex_destroy(&t->lock);
	(void)pthread_mutex_destroy(&t->count);
	free(t);
	return NULL;
}

static void parse_names(struct parsed *p, const struct cert *cert)
{
	struct cert_name name;

	for (size_t i = 0; cert_alt_name(cert, i, &name); i++) {
		char *text;

		if (name.type != CERT_NAME_DNS || span_find(name.text, '*') < name.text.n)
			continue;
		text = span_to_string(name.text);
		if (!text)
			continue;
		p->names = alloc_array(p->names, p->n_names + 1, sizeof p->names[0]);
		p->names[p->n_names++] = text;
	}
}

static const char *domain_name(struct store_conn *c, struct arena *a, int64_t id)
{
	struct store_domain domain;

	return store_domain_get(c, a, id, &domain) ? "?" : domain.name;
}

static int parse(struct build *b, const struct store_cert *row, const struct store_key *key,
	struct parsed *p, struct why *why)
{
	CLEANUP(domain_identity_done) struct domain_identity i = {};
	CLEANUP(arena_done) struct arena arena = {};
	int r = domain_identity_open(b->env, row, key, &i, why);

	if (r)
		return r;
	parse_names(p, i.cert);
	p->identity = i.tls;
	i.tls = (struct tls_identity){};
	p->identity.staple = staple_of(b->env, &(struct staple_subject){ .domain = row->domain,
		.domain_name = span_str(domain_name(b->conn, &arena, row->domain)),
		.alias = row->alias, .cert = i.cert, .chain = &i.chain });
	return 0;
}

static void log_left_out(struct build *b, const struct store_cert *row, const struct why *why)
{
	CLEANUP(arena_done) struct arena arena = {};

	LOG(NULL, LOG_ERROR, "TLS", "certificate.unusable",
		log_str("domain", domain_name(b->conn, &arena, row->domain)),
		log_span("alias", row->alias), log_str("reason", why->text));
}

/* All of the rows that a parsed certificate is made of. */
static void digest_rows(const struct store_cert *row, const struct store_key *key,
	uint8_t ret_digest[static SHA256_OCTETS])
{
	const struct span spans[] = { row->der, row->chain, key->key_id, key->wrapped, key->spki };
	const int64_t numbers[] = { row->id, key->id, row->domain };
	struct digest *d = digest_new();

	digest_add(d, span_of(numbers, sizeof numbers));
	for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
		digest_add(d, span_of(&spans[i].n, sizeof spans[i].n));
		digest_add(d, spans[i]);
	}
	digest_end(d, ret_digest);
	(void)digest_free(d);
}

/* What cannot be used is kept too: it is logged once. */
static struct parsed *parsed_of(struct build *b, const struct store_cert *row,
	const struct store_key *key)
{
	uint8_t digest[SHA256_OCTETS];
	struct parsed *p;
	struct why why;

	digest_rows(row, key, digest);
	p = map_get(&b->tls->certificates, span_of(digest, sizeof digest));
	if (p)
		return p;
	p = ALLOC(struct parsed);
	memcpy(p->digest, digest, sizeof digest);
	if (parse(b, row, key, p, &why))
		log_left_out(b, row, &why);
	(void)map_put(&b->tls->certificates, span_of(digest, sizeof digest), p);
	return p;
}

static int add_cert(const struct store_cert *row, const struct store_key *key, void *context)
{
	struct build *b = context;
	struct use use = { .domain = row->domain };

	TRY(store_cert_services(row->services, &use.services));
	use.parsed = parsed_of(b, row, key);
	use.parsed->n_seen = b->tls->n_builds;
	if (use.parsed->identity.certificate)
		buf_add(&b->uses, span_of(&use, sizeof use));
	return 0;
}

static int add_place(int64_t domain, struct span address, void *context)
{
	struct build *b = context;
	struct place place = { domain, net_address_of_ip(address, 0) };

	buf_add(&b->places, span_of(&place, sizeof place));
	return 0;
}

/* The first use of a domain's certificates; they are sorted by domain. */
static const struct use *uses_of(const struct build *b, int64_t domain, const struct use **ret_end)
{
	const struct use *uses = (const void *)buf_span(&b->uses).p;
	size_t n = buf_size(&b->uses) / sizeof *uses, low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (uses[middle].domain < domain)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_end = uses + n;
	return uses + low;
}

static void add_identities(struct build *b, const struct store_domain *domain,
	struct tls_profile *profile)
{
	const struct use *end, *u = uses_of(b, domain->id, &end);

	for (; u < end && u->domain == domain->id; u++) {
		struct why why;

		if (tls_profile_add_identity(profile, &u->parsed->identity, &why)) {
			LOG(NULL, LOG_ERROR, "TLS", "certificate.unusable",
				log_str("domain", domain->name), log_str("reason", why.text));
			continue;
		}
		profile->identities[profile->n_identities - 1].services = u->services;
		/* Replaced below where it is another domain's own. */
		for (size_t i = 0; i < u->parsed->n_names; i++)
			tls_directory_add_name(b->directory, u->parsed->names[i], profile);
	}
}

/* The rules of a policy: those of the build before, if it had the same. NULL: they cannot be used,
 * which is logged. */
static struct tls_rules *rules_of(struct build *b, int64_t domain, enum tls_listener listener)
{
	CLEANUP(buf_done) struct buf text = {};
	struct tls_policy policy;
	struct tls_rules *rules;
	struct why why;

	tls_policies_resolve(&b->policies, domain, listener, &policy, NULL);
	tls_policy_print(&policy, &text);
	rules = map_get(&b->rules, buf_span(&text));
	if (!rules) {
		rules = map_get(&b->tls->rules, buf_span(&text));
		if (rules)
			(void)tls_rules_ref(rules);
		else if (tls_rules_new(&rules, b->env->tls, &policy, &why))
			LOG(NULL, LOG_ERROR, "TLS", "tls.policy_unusable",
				log_str("listener", tls_listener_names[listener]),
				log_str("reason", why.text));
		if (rules)
			(void)map_put(&b->rules, buf_span(&text), rules);
	}
	tls_policy_done(&policy);
	return rules;
}

static void add_domain_rules(struct build *b, int64_t domain, struct tls_profile *profile)
{
	if (!tls_policies_has_domain(&b->policies, domain))
		return;
	for (enum tls_listener l = 0; l < TLS_ON; l++) {
		struct tls_rules *rules = rules_of(b, domain, l);

		profile->rules[l] = rules ? tls_rules_ref(rules) : NULL;
	}
}

/* Its certificates and what belongs to them; its own names come when all domains are there. */
static int add_domain(const struct store_domain *domain, void *context)
{
	struct build *b = context;
	struct built built = { tls_profile_new(domain->name), domain->id, domain->main };
	struct why why;

	client_rules_apply(b->clients, domain->id, built.profile);
	if (domain->pki == PKI_ENABLED)
		add_identities(b, domain, built.profile);
	if (domain->pki == PKI_TEST && b->tls->test.certificate)
		TRY(tls_profile_add_identity(built.profile, &b->tls->test, &why));
	if (domain->pki != PKI_DISABLED)
		add_domain_rules(b, domain->id, built.profile);
	/* Without a certificate it is served under the main domain's. */
	if (domain->pki == PKI_DISABLED || built.profile->n_identities || domain->main)
		buf_add(&b->domains, span_of(&built, sizeof built));
	else
		(void)tls_profile_unref(built.profile);
	return 0;
}

struct naming {
	struct build *build;
	struct tls_profile *profile;
};

static int add_alias(struct span alias, void *context)
{
	struct naming *n = context;
	CLEANUP(alloc_freep) char *name = span_to_string(alias);

	if (name)
		tls_directory_add_name(n->build->directory, name, n->profile);
	return 0;
}

/* Whoever asks for no name, or for one that is not known, gets the main domain's certificate: without
 * one the test certificate, so that connections are at least encrypted while somebody mends it. */
static int add_default(struct build *b, struct tls_profile *profile)
{
	struct why why;

	if (profile->n_identities == 0) {
		LOG(NULL, LOG_ERROR, "TLS", "certificate.none", log_str("domain", profile->name),
			log_str("reason", "the main domain has no certificate in use: the test"
				" certificate is shown; see signet cert list"));
		if (!b->tls->test.certificate)
			return err_fault(ENOENT, "no certificate for the main domain");
		TRY(tls_profile_add_identity(profile, &b->tls->test, &why));
	}
	tls_directory_set_default(b->directory, profile);
	return 0;
}

static int add_names(struct build *b, const struct built *d)
{
	struct naming naming = { b, d->profile };
	const struct place *places = (const void *)buf_span(&b->places).p;

	if (d->is_main)
		TRY(add_default(b, d->profile));
	tls_directory_add_name(b->directory, d->profile->name, d->profile);
	TRY(store_domain_alias_each(b->conn, d->domain, add_alias, &naming));
	/* RFC 6066 section 3: clients need not name anybody. An address of a domain without PKI
	 * leads to the main domain, as if it were nobody's. */
	for (size_t i = 0; i < buf_size(&b->places) / sizeof *places; i++) {
		if (places[i].domain == d->domain && d->profile->n_identities)
			tls_directory_add_address(b->directory, &places[i].address, d->profile);
	}
	return 0;
}

static int build_directory(struct store_conn *c, void *arg)
{
	struct build *b = arg;
	const struct built *domains;

	b->conn = c;
	TRY(tls_policies_read(&b->policies, c));
	for (enum tls_listener l = 0; l < TLS_ON; l++) {
		struct tls_rules *rules = rules_of(b, 0, l);

		if (rules)
			tls_directory_set_rules(b->directory, l, rules);
	}
	TRY(store_active_cert_each(c, add_cert, b));
	TRY(store_address_each(c, 0, add_place, b));
	TRY(store_domain_each(c, add_domain, b));
	domains = (const void *)buf_span(&b->domains).p;
	for (size_t i = 0; i < buf_size(&b->domains) / sizeof *domains; i++)
		TRY(add_names(b, &domains[i]));
	return 0;
}

static void build_done(struct build *b)
{
	const struct built *domains = (const void *)buf_span(&b->domains).p;

	for (size_t i = 0; i < buf_size(&b->domains) / sizeof *domains; i++)
		(void)tls_profile_unref(domains[i].profile);
	(void)tls_directory_unref(b->directory);
	(void)client_rules_free(b->clients);
	tls_policies_done(&b->policies);
	map_done(&b->rules, rules_free);
	buf_done(&b->uses);
	buf_done(&b->places);
	buf_done(&b->domains);
}

struct sweep {
	struct domain_tls *tls;
	struct buf gone; /* struct parsed * */
};

static void find_gone(void *value, struct span key, void *context)
{
	const struct parsed *p = value;
	struct sweep *s = context;

	(void)key;
	if (p->n_seen != s->tls->n_builds)
		buf_add(&s->gone, span_of(&p, sizeof(void *)));
}

/* Certificates that no row is in use of any more. */
static void forget_gone(struct domain_tls *t)
{
	struct sweep s = { .tls = t };
	struct parsed *const *gone;

	map_each(&t->certificates, find_gone, &s);
	gone = (const void *)buf_span(&s.gone).p;
	for (size_t i = 0; i < buf_size(&s.gone) / sizeof *gone; i++)
		parsed_free(map_remove(&t->certificates,
			span_of(gone[i]->digest, sizeof gone[i]->digest)));
	buf_done(&s.gone);
}

static int build(struct env *e)
{
	struct domain_tls *t = e->domain_tls;
	CLEANUP(build_done) struct build b = { .env = e, .tls = t,
		.directory = tls_directory_new() };
	struct map old;

	t->n_builds++;
	TRY(client_rules_load(e, &b.clients));
	TRY(store_read(e->store, build_directory, &b));
	tls_host_swap(e->tls, TAKE(b.directory));
	forget_gone(t);
	old = t->rules;
	t->rules = b.rules;
	b.rules = old;
	return 0;
}

static uint64_t count_wanted(struct domain_tls *t, unsigned n)
{
	uint64_t wanted;

	(void)pthread_mutex_lock(&t->count);
	t->wanted += n;
	wanted = t->wanted;
	(void)pthread_mutex_unlock(&t->count);
	return wanted;
}

int domain_tls_rebuild(struct env *e)
{
	struct domain_tls *t = e->domain_tls;
	uint64_t mine = count_wanted(t, 1), seen;
	int r = 0;

	(void)pthread_mutex_lock(&t->lock);
	if (t->built < mine) {
		/* All that was committed before somebody came here is read below. */
		seen = count_wanted(t, 0);
		r = build(e);
		if (!r)
			t->built = seen;
	}
	(void)pthread_mutex_unlock(&t->lock);
	return r;
}

int domain_tls_renew_test(struct env *e)
{
	struct domain_tls *t = e->domain_tls;
	struct tls_identity identity, old;

	TRY(test_identity_make(e, &identity));
	(void)pthread_mutex_lock(&t->lock);
	old = t->test;
	t->test = identity;
	(void)pthread_mutex_unlock(&t->lock);
	tls_identity_done(&old);
	return 0;
}
