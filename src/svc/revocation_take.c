/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * How a list gets here: given as a file or fetched, found to be signed by an authority that is known
 * here, and written. Who may have signed it: what the domain trusts, the issuers in the chains of its
 * own certificates, who signed the list before, and what came along with it.
 */

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limit.h"
#include "base/log.h"
#include "net/fetch.h"
#include "pki/crl_check.h"
#include "pki/path.h"
#include "store/crl_rows.h"
#include "store/domain.h"
#include "store/key_rows.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/revocation_parts.h"
#include "svc/trust.h"

#include <errno.h>
#include <stdlib.h>

enum { FETCH_MS = 30000 };

/* Looking for who signed a list. */
struct search {
	const struct crl *crl;
	int64_t domain;
	int64_t now_us;
	struct cert *found; /* with a reference */
	bool has_name;      /* somebody bears the name */
	struct why why;
};

/* True once the signer is found. A fault of memory or of OpenSSL is not one of the list's. */
static bool search_try(struct search *s, struct cert *candidate)
{
	if (s->found || !crl_is_named_after(s->crl, candidate))
		return s->found != NULL;
	s->has_name = true;
	if (crl_check(s->crl, candidate, s->now_us, &s->why) == 0)
		s->found = cert_ref(candidate);
	return s->found != NULL;
}

static void search_list(struct search *s, const struct cert_list *certs)
{
	for (size_t i = 0; i < certs->n && !s->found; i++)
		(void)search_try(s, certs->certs[i]);
}

static void search_der(struct search *s, struct span der)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;

	if (der.n && cert_from_der(&cert, der, NULL) == 0)
		(void)search_try(s, cert);
}

static int search_chain(const struct store_cert *row, void *context)
{
	CLEANUP(cert_list_done) struct cert_list chain = {};

	if (cert_list_from_der(&chain, row->chain, NULL) == 0)
		search_list(context, &chain);
	return 0;
}

static int search_chains(struct store_conn *c, void *arg)
{
	struct search *s = arg;

	return store_cert_each(c, s->domain, search_chain, s);
}

static int search_trust(struct env *e, struct search *s)
{
	CLEANUP(trust_unrefp) struct trust *trust = NULL;
	const X509_NAME *issuer = X509_CRL_get_issuer(crl_x509(s->crl));
	struct cert *candidate;
	int r = s->domain ? trust_of_domain(e, s->domain, &trust) : trust_of_system(e, &trust);

	if (r)
		return err_fold(r);
	for (size_t i = 0; trust_by_subject(trust, issuer, i, &candidate); i++) {
		if (search_try(s, candidate))
			break;
	}
	return 0;
}

/* The authority that has signed the list; REFUSED with why. */
static int find_authority(struct env *e, struct search *s, const struct cert_list *given,
	struct span before, struct why *why)
{
	CLEANUP(alloc_freep) char *text = NULL;
	struct buf name = {};

	search_list(s, given);
	search_der(s, before);
	if (!s->found)
		TRY(search_trust(e, s));
	if (!s->found)
		TRY(store_read(e->store, search_chains, s));
	if (s->found)
		return 0;
	if (s->has_name) {
		why_set(why, "%s", s->why.text);
		return REVOCATION_E_REFUSED;
	}
	crl_add_issuer(s->crl, &name);
	text = buf_steal_string(&name);
	why_set(why, "the list's authority %.200s is not known here: trust it, or give its"
		" certificate with the list", text);
	return REVOCATION_E_REFUSED;
}

static struct span printed(struct arena *a, const struct crl *crl,
	void (*print)(const struct crl *crl, struct buf *out))
{
	CLEANUP(buf_done) struct buf text = {};
	struct span kept;

	print(crl, &text);
	kept = arena_span(a, buf_span(&text));
	return kept.p ? kept : SPAN("");
}

static void fill_row(struct arena *a, const struct crl *crl, const struct cert *authority,
	int64_t now_us, struct store_crl *row)
{
	row->issuer = printed(a, crl, crl_add_issuer_der);
	row->scope = printed(a, crl, crl_add_scope);
	row->number = printed(a, crl, crl_add_number);
	row->der = arena_span(a, crl_der(crl));
	row->authority = arena_span(a, cert_der(authority));
	row->this_update_us = crl_this_update_us(crl);
	(void)crl_next_update_us(crl, &row->next_update_us); /* crl_check: it is there */
	row->fetched_us = now_us;
	row->next_fetch_us = row->url.n ?
		errand_renewal_us(row->this_update_us, row->next_update_us, now_us) : INT64_MAX;
}

/* One list for a row: the row's URL, domain and authority are given. */
static int take_one(struct env *e, struct arena *a, const struct crl *crl,
	const struct cert_list *given, struct store_crl *row, struct why *why)
{
	struct search s = { .crl = crl, .domain = row->domain, .now_us = clock_now_us() };
	int r = find_authority(e, &s, given, row->authority, why);

	if (!r)
		fill_row(a, crl, s.found, s.now_us, row);
	cert_unref(s.found);
	return r;
}

static int read_authorities(struct span file, struct cert_list *ret_list, struct why *why)
{
	int r = file.n ? cert_list_from_file(ret_list, file, why) : 0;

	return r > 0 ? REVOCATION_E_REFUSED : r;
}

int revocation_take(struct env *e, struct arena *a, int64_t domain, struct span lists,
	struct span authority, struct revocation_taking *ret_taking, struct why *why)
{
	CLEANUP(cert_list_done) struct cert_list given = {};
	CLEANUP(crl_list_done) struct crl_list crls = {};
	struct revocation_taking taking = {};
	int r = read_authorities(authority, &given, why);

	if (!r)
		r = crl_list_add(&crls, lists, why);
	if (r)
		return r > 0 ? REVOCATION_E_REFUSED : r;
	taking.rows = arena_alloc(a, crls.n * sizeof *taking.rows);
	for (; taking.n < crls.n; taking.n++) {
		taking.rows[taking.n] = (struct store_crl){ .domain = domain, .url = SPAN(""),
			.created_us = clock_now_us() };
		r = take_one(e, a, crls.crls[taking.n], &given, &taking.rows[taking.n], why);
		if (r)
			return r;
	}
	*ret_taking = taking;
	return 0;
}

static int explain_put(int r, struct why *why)
{
	switch (r) {
	case STORE_E_STALE:
		why_set(why, "a newer list of this authority is here already");
		return REVOCATION_E_REFUSED;
	case STORE_E_EXISTS:
		why_set(why, "the same list is fetched from another URL already");
		return REVOCATION_E_REFUSED;
	case STORE_E_LIMIT:
		why_set(why, "there are %d lists already: remove some", STORE_CRLS_MAX);
		return REVOCATION_E_REFUSED;
	case STORE_E_NOT_FOUND:
		why_set(why, "the list was removed meanwhile");
		return REVOCATION_E_REFUSED;
	default:
		return r;
	}
}

int revocation_put(struct store_conn *c, const struct revocation_taking *taking, struct why *why)
{
	for (size_t i = 0; i < taking->n; i++) {
		struct store_crl row = taking->rows[i];
		int r;

		/* A transaction that is repeated finds the id that was rolled back. */
		row.id = 0;
		r = store_crl_put(c, &row, &taking->rows[i].id);
		if (r)
			return explain_put(r, why);
	}
	return 0;
}

int revocation_url_check(struct env *e, struct span url, struct why *why)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(e->store);
	CLEANUP(alloc_freep) char *text = span_to_string(url);

	if (settings->crl_fetch == CRL_FETCH_NEVER) {
		why_set(why, "nothing is fetched here: set crl_fetch=given to allow it");
		return REVOCATION_E_REFUSED;
	}
	if (!text || !fetch_url_fits(text, FETCH_HTTP | FETCH_HTTPS)) {
		why_set(why, "not a URL that can be fetched: http://... or https://..., without a"
			" password");
		return REVOCATION_E_REFUSED;
	}
	return 0;
}

/* One fetch. */
struct fetching {
	struct env *env;
	int64_t id;
	struct arena arena;
	struct store_crl row;
	struct why *why;
};

static int read_row(struct store_conn *c, void *arg)
{
	struct fetching *f = arg;

	return store_crl_get(c, &f->arena, f->id, &f->row);
}

static int write_row(struct store_conn *c, void *arg)
{
	struct fetching *f = arg;
	int64_t id;

	return explain_put(store_crl_put(c, &f->row, &id), f->why);
}

static int write_failure(struct store_conn *c, void *arg)
{
	struct fetching *f = arg;
	unsigned n = f->row.failures + 1;

	return store_crl_fetched(c, f->id, errand_retry_us(n, clock_now_us()), n,
		span_str(f->why->text));
}

static int refuse(struct fetching *f, const char *text)
{
	why_set(f->why, "%s", text);
	return REVOCATION_E_REFUSED;
}

static int may_fetch(struct fetching *f, const struct settings *settings)
{
	if (f->row.url.n == 0)
		return refuse(f, "this list was given as a file: there is no URL to fetch it from");
	if (settings->crl_fetch == CRL_FETCH_NEVER)
		return refuse(f, "nothing is fetched here: set crl_fetch=given to allow it");
	if (f->row.named && settings->crl_fetch != CRL_FETCH_NAMED)
		return refuse(f, "a certificate names this URL: set crl_fetch=named to allow it");
	return 0;
}

/* An https server must be one that this server trusts; a list needs no secrecy, and its signature is
 * checked in any case. */
static int get(struct fetching *f, const struct settings *settings, struct fetched *answer)
{
	CLEANUP(trust_unrefp) struct trust *trust = NULL;
	CLEANUP(buf_done) struct buf pem = {};
	CLEANUP(alloc_freep) char *url = span_to_string(f->row.url);
	struct fetch request = { .url = url,
		.schemes = f->row.named ? FETCH_HTTP : FETCH_HTTP | FETCH_HTTPS,
		.timeout_ms = FETCH_MS, .max_octets = LIMIT_CRL, .max_redirects = 3,
		.private_too = settings->fetch_private, .stop = &f->env->revocations->errand.stop };
	int r;

	if (!url)
		return refuse(f, "not a URL");
	if (span_starts_nocase(f->row.url, SPAN("https:"))) {
		TRY(trust_of_system(f->env, &trust));
		trust_print_pem(trust, TRUST_SERVER, &pem);
		request.trust_pem = buf_span(&pem);
	}
	r = fetch(&request, answer, f->why);
	if (r)
		return r < 0 ? r : REVOCATION_E_REFUSED;
	if (answer->status == 200)
		return 0;
	why_set(f->why, "the server answers with status %u", answer->status);
	return REVOCATION_E_REFUSED;
}

static int take_fetched(struct fetching *f, struct span data)
{
	CLEANUP(crl_list_done) struct crl_list crls = {};
	static const struct cert_list none = {};
	struct span issuer = f->row.issuer;
	int r = crl_list_add(&crls, data, f->why);

	if (r)
		return r > 0 ? REVOCATION_E_REFUSED : r;
	if (crls.n != 1)
		return refuse(f, "there is more than one list at the URL");
	r = take_one(f->env, &f->arena, crls.crls[0], &none, &f->row, f->why);
	if (!r && issuer.n && !span_equal(issuer, f->row.issuer))
		r = refuse(f, "the list there is another authority's now");
	return r ? r : store_write(f->env->store, write_row, f);
}

static int fetch_and_take(struct fetching *f)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(f->env->store);
	CLEANUP(fetched_done) struct fetched answer = {};
	int r = may_fetch(f, settings);

	if (!r)
		r = get(f, settings, &answer);
	return r ? r : take_fetched(f, buf_span(&answer.body));
}

static void log_fetch(const struct fetching *f, int r)
{
	CLEANUP(buf_done) struct buf end = {};

	if (r) {
		LOG(NULL, LOG_WARNING, "PKI", "crl.fetch", log_int("list", f->id),
			log_span("url", f->row.url), log_str("outcome", "failed"),
			log_str("reason", f->why->text));
		return;
	}
	clock_add_rfc3339(&end, f->row.next_update_us);
	LOG(NULL, LOG_INFO, "PKI", "crl.fetch", log_int("list", f->id), log_span("url", f->row.url),
		log_str("outcome", "done"), log_span("next_update", buf_span(&end)));
}

static int run_fetch(struct fetching *f)
{
	int r = store_read(f->env->store, read_row, f), failed;

	if (r == STORE_E_NOT_FOUND)
		return refuse(f, "there is no such list");
	TRY(r);
	r = fetch_and_take(f);
	if (r && atomic_load(&f->env->revocations->errand.stop))
		return r; /* the server ends: that is no failure of the other side */
	log_fetch(f, r);
	if (!r)
		return revocation_load(f->env);
	if (r < 0)
		why_set(f->why, "it could not be taken in: see the log");
	failed = store_write(f->env->store, write_failure, f);
	return failed && failed != STORE_E_NOT_FOUND ? err_fold(failed) : r;
}

int revocation_fetch(struct env *e, int64_t id, struct why *why)
{
	struct why own = {};
	struct fetching f = { .env = e, .id = id, .why = &own };
	int r = run_fetch(&f);

	arena_done(&f.arena);
	if (why)
		*why = own;
	return r;
}
