/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/outgoing.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "pki/cert.h"
#include "store/domain.h"
#include "store/key_rows.h"
#include "store/outgoing_rows.h"
#include "store/store.h"
#include "svc/domain_identity.h"
#include "svc/env.h"

#include <pthread.h>
#include <stdlib.h>

struct outgoing {
	struct outgoing_rules rules;
	struct map identities; /* struct outgoing_identity, by identity_key */
	_Atomic unsigned refs;
};

struct outgoings {
	pthread_mutex_t lock;  /* over now */
	pthread_mutex_t build; /* one load at a time: what is read later is swapped in later */
	struct outgoing *now;
	atomic_bool stop;
};

static void identity_free(void *value)
{
	struct outgoing_identity *i = value;

	for (size_t k = 0; k < i->n; k++) {
		tls_identity_done(&i->tls[k]);
		(void)cert_unref(i->certs[k]);
	}
	free(i->name);
	free(i);
}

static struct outgoing *outgoing_new(void)
{
	struct outgoing *o = ALLOC(struct outgoing);

	o->refs = 1;
	return o;
}

struct outgoing *outgoing_ref(struct outgoing *o)
{
	(void)atomic_fetch_add(&o->refs, 1);
	return o;
}

struct outgoing *outgoing_unref(struct outgoing *o)
{
	if (!o || atomic_fetch_sub(&o->refs, 1) != 1)
		return NULL;
	outgoing_rules_done(&o->rules);
	map_done(&o->identities, identity_free);
	free(o);
	return NULL;
}

struct outgoings *outgoings_new(void)
{
	struct outgoings *o = ALLOC(struct outgoings);

	(void)pthread_mutex_init(&o->lock, NULL);
	(void)pthread_mutex_init(&o->build, NULL);
	o->now = outgoing_new();
	return o;
}

struct outgoings *outgoings_free(struct outgoings *o)
{
	if (!o)
		return NULL;
	(void)outgoing_unref(o->now);
	(void)pthread_mutex_destroy(&o->lock);
	(void)pthread_mutex_destroy(&o->build);
	free(o);
	return NULL;
}

void outgoing_stop(struct env *e)
{
	atomic_store(&e->outgoings->stop, true);
}

const atomic_bool *outgoing_stopping(const struct env *e)
{
	return &e->outgoings->stop;
}

struct outgoing *outgoing_now(struct env *e)
{
	struct outgoing *o;

	(void)pthread_mutex_lock(&e->outgoings->lock);
	o = outgoing_ref(e->outgoings->now);
	(void)pthread_mutex_unlock(&e->outgoings->lock);
	return o;
}

static void identity_key(enum outgoing_who who, int64_t domain, struct span alias, struct buf *out)
{
	buf_add_string(out, outgoing_who_names[who]);
	if (who == OUTGOING_DOMAIN)
		buf_add_format(out, ":%lld/%.*s", (long long)domain, (int)alias.n,
			(const char *)alias.p);
}

const struct outgoing_identity *outgoing_identity_of(const struct outgoing *o,
	enum outgoing_who who, int64_t domain, struct span alias)
{
	CLEANUP(buf_done) struct buf key = {};

	if (who == OUTGOING_NOBODY)
		return NULL;
	identity_key(who, domain, alias, &key);
	return map_get(&o->identities, buf_span(&key));
}

void outgoing_find(const struct outgoing *o, struct span destination,
	struct outgoing_policy *ret_policy, const struct outgoing_identity **ret_identity)
{
	outgoing_rules_find(&o->rules, destination, ret_policy);
	*ret_identity = outgoing_identity_of(o, ret_policy->who, ret_policy->domain,
		ret_policy->alias);
}

struct shown {
	const struct cert *cert;
	bool is_shown;
};

static void compare_identity(void *value, struct span key, void *context)
{
	const struct outgoing_identity *i = value;
	struct shown *s = context;

	(void)key;
	for (size_t k = 0; k < i->n; k++)
		s->is_shown |= span_equal(cert_der(i->certs[k]), cert_der(s->cert));
}

bool outgoing_shows(const struct outgoing *o, const struct cert *cert)
{
	struct shown s = { .cert = cert };

	map_each(&o->identities, compare_identity, &s);
	return s.is_shown;
}

void outgoing_cert_warn(const struct cert *cert, int64_t now_us, struct buf *out)
{
	/* RFC 5280 section 4.2.1.12; servers that check look for clientAuth. */
	if (!cert_allows(cert, CERT_USE_CLIENT))
		buf_add_string(out,
			"its extended key usage lacks clientAuth, so servers may refuse it:"
			" use one of an authority that issues certificates for clients\n");
	if (now_us > cert_not_after_us(cert))
		buf_add_string(out, "it has expired\n");
	if (now_us < cert_not_before_us(cert))
		buf_add_string(out, "it is not valid yet\n");
}

void outgoing_identity_warn(const struct outgoing_identity *i, int64_t now_us, struct buf *out)
{
	if (i->problem.text[0])
		buf_add_format(out, "the identity %s: %s\n", i->name, i->problem.text);
	for (size_t k = 0; k < i->n; k++) {
		CLEANUP(buf_done) struct buf lines = {};
		struct span rest;

		outgoing_cert_warn(i->certs[k], now_us, &lines);
		for (rest = buf_span(&lines); rest.n;) {
			struct span line = span_cut(&rest, '\n');

			buf_add_format(out, "the identity %s: %.*s\n", i->name, (int)line.n,
				(const char *)line.p);
		}
	}
}

struct problems {
	int64_t domain;
	struct buf *out;
};

static void add_problem(void *value, struct span key, void *context)
{
	const struct outgoing_identity *i = value;
	struct problems *p = context;

	(void)key;
	if (i->domain == p->domain && i->problem.text[0])
		buf_add_format(p->out, "the identity %s: %s\n", i->name, i->problem.text);
}

void outgoing_domain_warn(const struct outgoing *o, int64_t domain, struct buf *out)
{
	struct problems p = { domain, out };

	map_each(&o->identities, add_problem, &p);
}

/* A reading of the rows. */
struct load {
	struct env *env;
	struct outgoing *o;
	struct store_conn *conn;
	struct arena arena;

	/* The identity that is being put together. */
	struct outgoing_identity *identity;
	struct span alias;
};

/* Those that are quick to sign with come first: where the server can verify both, it is shown them.
 */
static void insert(struct outgoing_identity *to, struct domain_identity *from)
{
	size_t at = from->tls.is_slow ? to->n : 0;

	if (to->n == TLS_IDENTITIES)
		return;
	memmove(&to->tls[at + 1], &to->tls[at], (to->n - at) * sizeof to->tls[0]);
	memmove(&to->certs[at + 1], &to->certs[at], (to->n - at) * sizeof(void *));
	to->tls[at] = from->tls;
	to->certs[at] = cert_ref(from->cert);
	from->tls = (struct tls_identity){};
	to->n++;
}

static int add_cert(const struct store_cert *row, void *context)
{
	CLEANUP(domain_identity_done) struct domain_identity opened = {};
	struct load *l = context;
	struct store_key key;
	unsigned services;
	struct why why;
	int r;

	TRY(store_cert_services(row->services, &services));
	if (l->alias.n ? !span_equal(row->alias, l->alias) : !(services & CERT_SMTP))
		return 0;
	if (!row->key) {
		why_set(&l->identity->problem, "its key is not here");
		return 0;
	}
	TRY(store_key_get(l->conn, &l->arena, row->key, &key));
	r = domain_identity_open(l->env, row, &key, &opened, &why);
	if (r < 0)
		log_fault(NULL, "TLS", "outgoing.identity", r);
	/* What cannot be used keeps nothing else from being used. */
	if (r)
		l->identity->problem = why;
	else
		insert(l->identity, &opened);
	return 0;
}

/* The name is the domain's of this moment: it is read anew after a domain is renamed. */
static int name_identity(struct load *l, enum outgoing_who who, int64_t id,
	struct store_domain *domain)
{
	int r = who == OUTGOING_MAIN ? store_domain_main(l->conn, &l->arena, domain)
				     : store_domain_get(l->conn, &l->arena, id, domain);

	if (r == STORE_E_NOT_FOUND)
		l->identity->name = alloc_format("?%s%.*s", l->alias.n ? "/" : "", (int)l->alias.n,
			(const char *)l->alias.p);
	else if (!r && who == OUTGOING_MAIN)
		l->identity->name = alloc_string("main");
	else if (!r)
		l->identity->name = alloc_format("%s%s%.*s", domain->name, l->alias.n ? "/" : "",
			(int)l->alias.n, (const char *)l->alias.p);
	return r;
}

static int make_identity(struct load *l, enum outgoing_who who, int64_t id)
{
	struct store_domain domain;
	int r = name_identity(l, who, id, &domain);

	if (r == STORE_E_NOT_FOUND) {
		why_set(&l->identity->problem, "its domain is not here any more");
		return 0;
	}
	if (r)
		return r;
	l->identity->domain = domain.id;
	if (domain.pki == PKI_DISABLED) {
		why_set(&l->identity->problem, "PKI is disabled for the domain %s", domain.name);
		return 0;
	}
	TRY(store_cert_each(l->conn, domain.id, add_cert, l));
	if (l->identity->n || l->identity->problem.text[0])
		return 0;
	if (l->alias.n)
		why_set(&l->identity->problem, "there is no such certificate (any more)");
	else
		why_set(&l->identity->problem, "the domain %s has no certificate in use for smtp",
			domain.name);
	return 0;
}

static int read_identity(struct load *l, const struct store_outgoing *row, enum outgoing_who who,
	struct outgoing_identity **ret_identity)
{
	int r;

	l->identity = ALLOC(struct outgoing_identity);
	l->alias = row->alias;
	r = make_identity(l, who, row->domain);
	if (r)
		identity_free(l->identity);
	else
		*ret_identity = l->identity;
	l->identity = NULL;
	return r;
}

/* false: the rule names none. */
static bool names_identity(const struct store_outgoing *row, enum outgoing_who *ret_who)
{
	*ret_who = span_is(row->identity, outgoing_who_names[OUTGOING_MAIN]) ? OUTGOING_MAIN
									     : OUTGOING_DOMAIN;
	return row->identity.n && !span_is(row->identity, outgoing_who_names[OUTGOING_NOBODY]);
}

static int add_identity(struct load *l, const struct store_outgoing *row)
{
	CLEANUP(buf_done) struct buf key = {};
	struct outgoing_identity *identity;
	enum outgoing_who who;

	if (!names_identity(row, &who))
		return 0;
	identity_key(who, row->domain, row->alias, &key);
	if (map_get(&l->o->identities, buf_span(&key)))
		return 0;
	TRY(read_identity(l, row, who, &identity));
	(void)map_put(&l->o->identities, buf_span(&key), identity);
	return 0;
}

int outgoing_row_warn(struct env *e, struct store_conn *c, const struct store_outgoing *row,
	struct buf *out)
{
	struct load l = { .env = e, .conn = c };
	struct outgoing_identity *identity;
	enum outgoing_who who;
	int r;

	if (!names_identity(row, &who))
		return 0;
	r = read_identity(&l, row, who, &identity);
	arena_done(&l.arena);
	if (r)
		return r;
	outgoing_identity_warn(identity, clock_now_us(), out);
	identity_free(identity);
	return 0;
}

static int add_row(const struct store_outgoing *row, void *context)
{
	struct load *l = context;

	/* It was understood when it was written: by a program that knew more. */
	if (!outgoing_rules_add(&l->o->rules, row)) {
		LOG(NULL, LOG_ERROR, "TLS", "outgoing.rule_ignored",
			log_span("pattern", row->pattern));
		return 0;
	}
	return add_identity(l, row);
}

static int read_rows(struct store_conn *c, void *arg)
{
	struct load *l = arg;

	/* It may run again. */
	(void)outgoing_unref(l->o);
	l->o = outgoing_new();
	l->conn = c;
	return store_outgoing_each(c, add_row, l);
}

int outgoing_load(struct env *e)
{
	struct outgoings *all = e->outgoings;
	struct load l = { .env = e };
	struct outgoing *old = NULL;
	int r;

	(void)pthread_mutex_lock(&all->build);
	r = store_read(e->store, read_rows, &l);
	if (!r) {
		(void)pthread_mutex_lock(&all->lock);
		old = all->now;
		all->now = TAKE(l.o);
		(void)pthread_mutex_unlock(&all->lock);
	}
	(void)pthread_mutex_unlock(&all->build);
	(void)outgoing_unref(old);
	(void)outgoing_unref(l.o);
	arena_done(&l.arena);
	return r ? err_fold(r) : 0;
}
