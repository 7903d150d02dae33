/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The state that lasts is small, because the authority keeps the rest: an order's own status says
 * what is next (RFC 8555 section 7.1.6). Whatever was interrupted goes on from the order's URL.
 */

#include "svc/acme_order.h"

#include "acme/renewal.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/log.h"
#include "base/random.h"
#include "pki/key.h"
#include "pki/request.h"
#include "store/key_rows.h"
#include "store/store.h"
#include "svc/acme_proofs.h"
#include "svc/domain_keys.h"
#include "svc/env.h"

#include <errno.h>
#include <stdlib.h>

#define SECOND_US ((int64_t)1000000)
#define DAY_US    (24 * 3600 * SECOND_US)
#define LATER_US  (30 * SECOND_US)

enum {
	ALIAS_OCTETS = 8,      /* of a key's id in its name */
	POLL_MS = 1000,
	POLLS_MAX = 60,        /* of one order at a time */
	OWN_RENEWALS_MAX = 3,  /* in a day, whatever the authority advises */
};

static uint64_t random_number(void)
{
	uint64_t n;

	random_fill(&n, sizeof n);
	return n;
}

struct load {
	struct acme_work *w;
	int64_t id;
	struct span *names;
	size_t n_names;
};

static int add_name(struct span name, void *context)
{
	struct load *l = context;

	if (l->n_names < ACME_NAMES_MAX)
		l->names[l->n_names++] = arena_span(&l->w->arena, name);
	return 0;
}

static int load_names(struct store_conn *c, struct load *l)
{
	struct span rest = l->w->order.names;

	l->names = arena_alloc(&l->w->arena, ACME_NAMES_MAX * sizeof *l->names);
	l->n_names = 0;
	if (rest.n == 0) {
		TRY(add_name(span_str(l->w->domain.name), l));
		return store_domain_alias_each(c, l->w->domain.id, add_name, l);
	}
	while (rest.n)
		TRY(add_name(span_cut(&rest, ','), l));
	return 0;
}

static int load(struct store_conn *c, void *arg)
{
	struct load *l = arg;
	int r = store_acme_order_get(c, &l->w->arena, l->id, &l->w->order);

	if (r)
		return r;
	TRY(store_domain_get(c, &l->w->arena, l->w->order.domain, &l->w->domain));
	return load_names(c, l);
}

int acme_work_load(struct acme_work *w, int64_t id)
{
	struct load l = { .w = w, .id = id };
	int r = store_read(w->env->store, load, &l);

	w->names = l.names;
	w->n_names = l.n_names;
	return r;
}

void acme_work_done(struct acme_work *w)
{
	acme_client_close(&w->client);
	arena_done(&w->arena);
}

static int save(struct store_conn *c, void *arg)
{
	const struct acme_work *w = arg;

	return store_acme_order_save(c, &w->order);
}

int acme_work_save(struct acme_work *w)
{
	int r = store_write(w->env->store, save, w);

	return r == STORE_E_STALE ? ACME_WORK_E_STALE : err_fold(r);
}

/* The client's outcomes are failures of the order; what the server says of time is kept. */
static int failed(struct acme_work *w, int r)
{
	if (r <= 0)
		return r;
	w->retry_after_us = w->client.retry_after_us;
	/* A limit that does not say how long it holds: not every few minutes. */
	if (r == ACME_CLIENT_E_PROBLEM && w->client.problem.kind == ACME_PROBLEM_RATE &&
		!w->retry_after_us)
		w->retry_after_us = clock_now_us() + 3600 * SECOND_US;
	return ACME_WORK_E_FAILED;
}

static int load_account(struct store_conn *c, void *arg)
{
	struct acme_work *w = arg;

	return store_acme_account_get(c, &w->arena, w->domain.id, true, &w->client.account);
}

static int open_client(struct acme_work *w, struct why *why)
{
	struct store_acme_account account;
	int r;

	if (w->has_client)
		return 0;
	r = store_read(w->env->store, load_account, w);
	if (r == STORE_E_NOT_FOUND) {
		why_set(why, "no authority is set: signet acme account set --directory URL");
		return ACME_WORK_E_FAILED;
	}
	TRY(r);
	account = w->client.account;
	w->has_client = true;
	return failed(w, acme_client_open(&w->client, w->env, &account, w->stop, why));
}

/* A row of the domain's certificates by its id; empty if there is none. */
struct cert_look_up {
	struct acme_work *w;
	struct store_cert cert;
};

static int match_cert(const struct store_cert *cert, void *context)
{
	struct cert_look_up *l = context;

	if (cert->id != l->w->order.cert)
		return 0;
	l->cert = *cert;
	l->cert.der = arena_span(&l->w->arena, cert->der);
	l->cert.services = arena_span(&l->w->arena, cert->services);
	return 0;
}

static int look_up_cert(struct store_conn *c, void *arg)
{
	struct cert_look_up *l = arg;

	l->cert = (struct store_cert){};
	return store_cert_each(c, l->w->domain.id, match_cert, l);
}

/* RFC 9773 section 4.1, of the certificate that is to be replaced; nothing if it has none. */
static int add_old_id(struct acme_work *w, struct buf *out)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct cert_look_up l = { .w = w };

	TRY(store_read(w->env->store, look_up_cert, &l));
	if (!l.cert.id || cert_from_der(&cert, l.cert.der, NULL))
		return 0;
	return renewal_add_id(cert, out) < 0 ? err_fault(EINVAL, "renewal_add_id") : 0;
}

struct key_write {
	struct acme_work *w;
	struct store_key *key;
};

static int write_key(struct store_conn *c, void *arg)
{
	struct key_write *k = arg;

	TRY(store_key_add(c, k->key, &k->key->id));
	k->w->order.key = k->key->id;
	return store_acme_order_save(c, &k->w->order);
}

/* A new key for each certificate; one that no certificate came of is used again. */
static int need_key(struct acme_work *w, struct why *why)
{
	CLEANUP(buf_done) struct buf alias = {};
	struct store_key key;
	struct key_write k = { .w = w, .key = &key };
	int r;

	if (w->order.key)
		return 0;
	r = domain_key_make(w->env, &w->arena, w->domain.id, KEY_TLS, SPAN(""), w->order.type, &key,
		why);
	if (r)
		return r < 0 ? r : ACME_WORK_E_FAILED;
	buf_add_string(&alias, "acme-");
	buf_add(&alias, span_head(key.key_id, ALIAS_OCTETS));
	key.alias = buf_span(&alias);
	r = store_write(w->env->store, write_key, &k);
	if (r)
		w->order.key = 0;
	return r == STORE_E_STALE ? ACME_WORK_E_STALE : err_fold(r);
}

static int post_order(struct acme_work *w, struct span replaces, const char **ret_url,
	struct why *why)
{
	CLEANUP(buf_done) struct buf payload = {}, body = {};
	struct acme_order order;
	int r;

	acme_order_print(w->names, w->n_names, replaces, &payload);
	r = acme_client_post(&w->client, w->client.directory.new_order, buf_span(&payload),
		ACME_CLIENT_JSON, &body, ret_url, why);
	if (r)
		return r;
	if (acme_order_read(&w->arena, buf_span(&body), &order, why))
		return ACME_CLIENT_E_UNREACHABLE;
	if (*ret_url)
		return 0;
	why_set(why, "the directory server took an order and did not say where it is");
	return ACME_CLIENT_E_UNREACHABLE;
}

/* RFC 8555 section 7.4, RFC 9773 section 5. */
static int make_order(struct acme_work *w, struct why *why)
{
	CLEANUP(buf_done) struct buf replaces = {};
	const char *url = NULL;
	int r = acme_proofs_possible(w, why);

	if (!r)
		r = open_client(w, why);
	if (!r)
		r = need_key(w, why);
	if (r)
		return r;
	if (w->client.directory.renewal_info)
		TRY(add_old_id(w, &replaces));
	r = post_order(w, buf_span(&replaces), &url, why);
	/* Another order has replaced it, or the server does not want to know. */
	if (r == ACME_CLIENT_E_PROBLEM && buf_size(&replaces) &&
		w->client.problem.kind != ACME_PROBLEM_RATE)
		r = post_order(w, SPAN(""), &url, why);
	if (r)
		return failed(w, r);
	w->order.state = ACME_STATE_ORDERED;
	w->order.url = span_str(url);
	LOG(NULL, LOG_INFO, "ACME", "order.made", log_str("domain", w->domain.name),
		log_span("type", w->order.type), log_str("url", url));
	return acme_work_save(w);
}

static int look_up_key(struct store_conn *c, void *arg)
{
	struct key_write *k = arg;

	return store_key_get(c, &k->w->arena, k->w->order.key, k->key);
}

/* The key of the order; one that somebody removed is made anew with the next order. */
static int find_key(struct acme_work *w, struct store_key *ret_key, struct why *why)
{
	struct key_write k = { .w = w, .key = ret_key };
	int r = w->order.key ? store_read(w->env->store, look_up_key, &k) : STORE_E_NOT_FOUND;

	if (r != STORE_E_NOT_FOUND)
		return err_fold(r);
	w->order.key = 0;
	why_set(why, "the key that was made for the order is gone");
	return ACME_WORK_E_FAILED;
}

/* RFC 8555 section 7.4: the request for exactly the names of the order. */
static int finalize(struct acme_work *w, const char *url, struct why *why)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *signer = NULL;
	CLEANUP(buf_done) struct buf der = {}, payload = {}, body = {};
	struct subject subject = { .names = w->names, .n_names = w->n_names };
	struct store_key key;
	int r = find_key(w, &key, why);

	if (r)
		return r;
	TRY(domain_key_open(w->env, &key, &signer));
	r = request_make(signer, key.spki, &subject, &der, why);
	if (r)
		return r < 0 ? r : ACME_WORK_E_FAILED;
	acme_finalize_print(buf_span(&der), &payload);
	return failed(w, acme_client_post(&w->client, url, buf_span(&payload), ACME_CLIENT_JSON,
				 &body, NULL, why));
}

static bool has_name(const struct cert *cert, struct span name)
{
	struct cert_name have;

	for (size_t i = 0; cert_alt_name(cert, i, &have); i++) {
		if (have.type == CERT_NAME_DNS && span_equal_nocase(have.text, name))
			return true;
	}
	return false;
}

/* What was asked for, and nothing that is no use. */
static int check_chain(const struct acme_work *w, const struct store_key *key,
	const struct cert_list *list, struct why *why)
{
	const struct cert *cert = list->certs[0];

	if (!cert_has_key(cert, key->spki)) {
		why_set(why, "the authority's certificate is for another key");
		return ACME_WORK_E_FAILED;
	}
	for (size_t i = 0; i < w->n_names; i++) {
		if (has_name(cert, w->names[i]))
			continue;
		why_set(why, "the authority's certificate is not for %.*s", (int)w->names[i].n,
			(const char *)w->names[i].p);
		return ACME_WORK_E_FAILED;
	}
	if (cert_not_after_us(cert) > clock_now_us())
		return 0;
	why_set(why, "the authority's certificate has expired already");
	return ACME_WORK_E_FAILED;
}

/* The certificate's way into the store. */
struct install {
	struct acme_work *w;
	struct store_acme_order order; /* as it is then */
	struct store_cert cert;
	int64_t not_after_us;
	bool is_first; /* of the order */
};

/* The one before was removed: what others serve was given to them since, or is to stay with them. */
static int serve_free(struct store_conn *c, struct install *i)
{
	CLEANUP(buf_done) struct buf services = {};

	TRY(store_cert_free_services(c, i->cert.id, &services));
	i->cert.services = arena_span(&i->w->arena, buf_span(&services));
	return store_cert_activate(c, i->cert.id, i->cert.services);
}

/* It takes over what the one before it serves, also if that is nothing: then somebody has put
 * another one to use. The first serves everything. */
static int install(struct store_conn *c, void *arg)
{
	struct install *i = arg;
	struct acme_work *w = i->w;
	struct cert_look_up l = { .w = w };

	TRY(look_up_cert(c, &l));
	i->cert.services = i->is_first ? SPAN("all") : l.cert.services;
	TRY(store_cert_add(c, &i->cert, &i->cert.id));
	if (!l.cert.id && !i->is_first)
		TRY(serve_free(c, i));
	TRY(store_acme_cert_add(c, w->order.id, i->cert.id, i->not_after_us, clock_now_us()));
	i->order = w->order;
	i->order.cert = i->cert.id;
	i->order.key = 0;
	i->order.state = ACME_STATE_IDLE;
	i->order.url = i->order.last_error = SPAN("");
	i->order.failures = 0;
	i->order.told_us = 0;
	return store_acme_order_save(c, &i->order);
}

/* Our own time first; the authority's advice is asked for in the next step, if there is any. */
static void plan(struct acme_work *w, const struct cert *cert)
{
	int64_t now_us = clock_now_us();

	w->order.renew_us = renewal_time(cert_not_before_us(cert), cert_not_after_us(cert),
		random_number());
	w->order.advice_us = w->client.directory.renewal_info ? now_us : 0;
	w->order.next_us = w->order.advice_us ? w->order.advice_us : w->order.renew_us;
}

static void log_installed(const struct acme_work *w, const struct install *i)
{
	CLEANUP(buf_done) struct buf end = {}, renew = {};

	clock_add_rfc3339(&end, i->not_after_us);
	clock_add_rfc3339(&renew, w->order.renew_us);
	LOG(NULL, LOG_INFO, "ACME", "certificate.installed", log_str("domain", w->domain.name),
		log_span("certificate", i->cert.alias), log_span("serves", i->cert.services),
		log_span("not_after", buf_span(&end)), log_span("renew", buf_span(&renew)));
}

static int put_to_use(struct acme_work *w, const struct store_key *key,
	const struct cert_list *list)
{
	CLEANUP(buf_done) struct buf alias = {}, chain = {}, date = {};
	struct install i = { .w = w, .not_after_us = cert_not_after_us(list->certs[0]),
		.is_first = !w->order.cert && !w->order.renew_us };
	const struct store_acme_order before = w->order;
	int r;

	clock_add_rfc3339(&date, clock_now_us());
	buf_add_string(&alias, "acme-");
	buf_add(&alias, span_head(buf_span(&date), 10));
	buf_add_octet(&alias, '-');
	buf_add(&alias, span_head(key->key_id, ALIAS_OCTETS));
	for (size_t k = 1; k < list->n; k++)
		buf_add(&chain, cert_der(list->certs[k]));
	i.cert = (struct store_cert){ .domain = w->domain.id, .key = key->id,
		.alias = buf_span(&alias), .der = cert_der(list->certs[0]),
		.chain = buf_span(&chain) };
	plan(w, list->certs[0]);
	r = store_write(w->env->store, install, &i);
	if (r) {
		w->order = before;
		return r == STORE_E_STALE ? ACME_WORK_E_STALE : err_fold(r);
	}
	w->order = i.order;
	env_count(w->env, COUNT_ACME_ISSUED);
	log_installed(w, &i);
	TRY(w->env->tls_rebuild(w->env));
	return 0;
}

/* What is wrong with it will not be mended by waiting: the next try is a new order. */
static int give_up(struct acme_work *w, const struct acme_order *order, struct why *why)
{
	if (order)
		why_set(why, "the authority refuses the order: %s",
			order->has_problem ? order->problem.text : "it does not say why");
	w->order.state = ACME_STATE_WANTED;
	w->order.url = SPAN("");
	return ACME_WORK_E_FAILED;
}

/* RFC 8555 section 7.4.2. */
static int fetch_certificate(struct acme_work *w, const char *url, struct why *why)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	CLEANUP(buf_done) struct buf pem = {};
	struct why reason = {};
	struct store_key key;
	int r = find_key(w, &key, why);

	if (r == ACME_WORK_E_FAILED)
		return give_up(w, NULL, why);
	if (!r)
		r = failed(w, acme_client_post(&w->client, url, (struct span){}, ACME_CLIENT_CHAIN,
				      &pem, NULL, why));
	if (r)
		return r;
	r = cert_list_from_pem(&list, buf_span(&pem), &reason);
	if (r) {
		why_set(why, "the authority's certificate cannot be read: %s", reason.text);
		return r < 0 ? r : give_up(w, NULL, why);
	}
	if (check_chain(w, &key, &list, why))
		return give_up(w, NULL, why);
	return put_to_use(w, &key, &list);
}

static int read_order(struct acme_work *w, struct acme_order *ret_order, struct why *why)
{
	CLEANUP(buf_done) struct buf body = {};
	const char *url = arena_string(&w->arena, w->order.url);
	int r = acme_client_post(&w->client, url, (struct span){}, ACME_CLIENT_JSON, &body, NULL,
		why);

	if (r == ACME_CLIENT_E_PROBLEM && w->client.problem.kind != ACME_PROBLEM_RATE) {
		(void)failed(w, r);
		return give_up(w, NULL, why);
	}
	if (r)
		return failed(w, r);
	return acme_order_read(&w->arena, buf_span(&body), ret_order, why) ? give_up(w, NULL, why)
									   : 0;
}

static int later(struct acme_work *w)
{
	int64_t now_us = clock_now_us();

	w->order.next_us = renewal_ask_again(w->client.retry_after_us ?
		w->client.retry_after_us : now_us + LATER_US, now_us);
	return ACME_WORK_E_LATER;
}

/* One step of an order that stands at the authority. */
static int advance(struct acme_work *w, const struct acme_order *order, struct why *why)
{
	int r;

	switch (order->status) {
	case ACME_PENDING:
		r = acme_proofs_give(w, order, why);
		return r == ACME_WORK_E_FAILED ? give_up(w, NULL, why) : r;
	case ACME_READY:
		r = finalize(w, order->finalize, why);
		return r == ACME_WORK_E_FAILED ? give_up(w, NULL, why) : r;
	case ACME_VALID:
		if (order->certificate)
			return fetch_certificate(w, order->certificate, why);
		break;
	case ACME_INVALID:
		return give_up(w, order, why);
	case ACME_PROCESSING:
		break;
	}
	return w->sleep(w, POLL_MS) ? 0 : ACME_WORK_E_LATER;
}

static int follow_order(struct acme_work *w, struct why *why)
{
	int64_t due_ms = clock_monotonic_ms() + ACME_ORDER_WAIT_MS;
	int r = open_client(w, why);

	for (unsigned n = 0; !r && w->order.state == ACME_STATE_ORDERED; n++) {
		struct acme_order order;

		r = read_order(w, &order, why);
		if (!r)
			r = advance(w, &order, why);
		if (!r && w->order.state == ACME_STATE_ORDERED &&
			(n == POLLS_MAX || clock_monotonic_ms() > due_ms))
			r = ACME_WORK_E_LATER;
	}
	/* Proofs stay while the authority may still look. */
	if (r != ACME_WORK_E_LATER)
		acme_proofs_clean(w);
	return r == ACME_WORK_E_LATER ? later(w) : r;
}

/* Within the window, unless a moment of it was chosen already; never so late that there is no time
 * left, whatever the authority says. */
static void take_advice(struct acme_work *w, const struct cert *cert,
	const struct acme_renewal_info *info)
{
	int64_t life = cert_not_after_us(cert) - cert_not_before_us(cert);
	int64_t latest = cert_not_after_us(cert) - life / 10, now_us = clock_now_us();

	if (w->order.renew_us < info->start_us || w->order.renew_us >= info->end_us)
		w->order.renew_us = renewal_pick(info->start_us, info->end_us, now_us,
			random_number());
	if (w->order.renew_us > latest)
		w->order.renew_us = latest;
}

static int ask_window(struct acme_work *w, const struct cert *cert, struct why *why)
{
	CLEANUP(buf_done) struct buf url = {}, body = {};
	CLEANUP(alloc_freep) char *text = NULL;
	struct acme_renewal_info info;
	int r;

	buf_add_string(&url, w->client.directory.renewal_info);
	buf_add_octet(&url, '/');
	if (renewal_add_id(cert, &url)) {
		w->order.advice_us = 0;
		return 0;
	}
	text = buf_steal_string(&url);
	r = acme_client_get(&w->client, text, &body, why);
	w->order.advice_us = renewal_ask_again(w->client.retry_after_us, clock_now_us());
	if (!r)
		r = acme_renewal_info_read(&w->arena, buf_span(&body), &info, why);
	if (r)
		return r < 0 ? r : ACME_WORK_E_FAILED;
	take_advice(w, cert, &info);
	if (info.explanation)
		LOG(NULL, LOG_INFO, "ACME", "renewal.advised", log_str("domain", w->domain.name),
			log_str("explanation", info.explanation));
	return 0;
}

/* RFC 9773 section 4.3: without an answer our own time holds. It is no failure of the order. */
static int ask_advice(struct acme_work *w, const struct cert *cert)
{
	struct why why = {};
	int r = open_client(w, &why);

	w->order.advice_us = renewal_ask_again(0, clock_now_us());
	if (!r && !w->client.directory.renewal_info)
		w->order.advice_us = 0;
	else if (!r)
		r = ask_window(w, cert, &why);
	if (r < 0)
		return r;
	if (r)
		LOG(NULL, LOG_WARNING, "ACME", "renewal.unknown", log_str("domain", w->domain.name),
			log_str("why", why.text));
	return 0;
}

struct recent {
	struct acme_work *w;
	int64_t since_us;
	unsigned n;
};

static int count_recent(struct store_conn *c, void *arg)
{
	struct recent *r = arg;

	return store_acme_cert_recent(c, r->w->order.id, r->since_us, &r->n);
}

/* An authority whose window always lies in the past must not keep us ordering. */
static int renewal_is_due(struct acme_work *w, bool *ret_due)
{
	int64_t now_us = clock_now_us();
	struct recent recent = { .w = w, .since_us = now_us - DAY_US };

	*ret_due = false;
	if (w->order.renew_us > now_us)
		return 0;
	TRY(store_read(w->env->store, count_recent, &recent));
	if (recent.n >= OWN_RENEWALS_MAX)
		w->order.renew_us = now_us + DAY_US;
	else
		*ret_due = true;
	return 0;
}

/* Nothing is under way: is it time? */
static int watch_certificate(struct acme_work *w)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct cert_look_up l = { .w = w };
	bool due;

	TRY(store_read(w->env->store, look_up_cert, &l));
	if (l.cert.id)
		TRY(cert_from_der(&cert, l.cert.der, NULL));
	if (!cert)
		w->order.advice_us = 0;
	if (w->order.advice_us && w->order.advice_us <= clock_now_us())
		TRY(ask_advice(w, cert));
	TRY(renewal_is_due(w, &due));
	if (due)
		w->order.state = ACME_STATE_WANTED;
	else
		w->order.next_us = w->order.advice_us && w->order.advice_us < w->order.renew_us ?
			w->order.advice_us : w->order.renew_us;
	return acme_work_save(w);
}

int acme_work_run(struct acme_work *w, struct why *why)
{
	int r = 0;

	while (!r && w->order.next_us <= clock_now_us() && !atomic_load(w->stop)) {
		switch (w->order.state) {
		case ACME_STATE_IDLE:
			r = watch_certificate(w);
			break;
		case ACME_STATE_WANTED:
			r = make_order(w, why);
			break;
		case ACME_STATE_ORDERED:
			r = follow_order(w, why);
			break;
		}
	}
	return r;
}
