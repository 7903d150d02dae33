/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Each kind of challenge is a row: how a proof is laid out and taken away. Every proof is a row in
 * the store before anybody can look at it: http-01 is answered from there, and whatever a crash
 * leaves behind is found there and taken away.
 */

#include "svc/acme_proofs.h"

#include "acme/proof.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/tls_challenge.h"
#include "pki/key.h"
#include "store/store.h"
#include "svc/domain_keys.h"
#include "svc/env.h"

#include <stdlib.h>

enum { POLL_MS = 1000, POLL_MAX_MS = 10000 };

/* RFC 8737: the certificate is made by the key of the order, so no other key has to exist. */
struct key_look_up {
	struct acme_work *w;
	struct store_key key;
};

static int look_up_key(struct store_conn *c, void *arg)
{
	struct key_look_up *l = arg;

	return store_key_get(c, &l->w->arena, l->w->order.key, &l->key);
}

static int tls_deploy(struct acme_work *w, const struct store_acme_proof *p, struct why *why)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct key_look_up l = { .w = w };
	int r = w->order.key ? store_read(w->env->store, look_up_key, &l) : STORE_E_NOT_FOUND;

	/* Somebody removed it: the next order has another. */
	if (r == STORE_E_NOT_FOUND) {
		w->order.key = 0;
		why_set(why, "the key that was made for the order is gone");
		return ACME_WORK_E_FAILED;
	}
	TRY(r);
	TRY(domain_key_open(w->env, &l.key, &key));
	TRY(proof_certificate(&cert, key, l.key.spki, p->name, p->value, clock_now_us()));
	if (tls_challenge_set(w->env->tls, p->name, cert_x509(cert), key) == 0)
		return 0;
	why_set(why, "too many names are being proved at this moment");
	return ACME_WORK_E_FAILED;
}

static int tls_clean(struct acme_work *w, const struct store_acme_proof *p, struct why *why)
{
	(void)why;
	tls_challenge_clear(w->env->tls, p->name);
	return 0;
}

static int dns_hook(struct acme_work *w, const struct store_acme_proof *p, bool clean,
	struct why *why)
{
	CLEANUP(buf_done) struct buf record = {}, text = {};
	CLEANUP(alloc_freep) char *name = NULL, *value = NULL;
	struct acme_hook_call call = { .clean = clean,
		.domain = arena_string(&w->arena, p->name) };
	int r;

	if (!w->env->acme_hook) {
		why_set(why, "signetd was started without --acme-hook");
		return ACME_WORK_E_FAILED;
	}
	proof_add_record_name(p->name, &record);
	proof_add_record_text(p->value, &text);
	call.record = name = buf_steal_string(&record);
	call.value = value = buf_steal_string(&text);
	r = w->env->acme_hook(w->env, &call, w->stop, why);
	return r > 0 ? ACME_WORK_E_FAILED : r;
}

static int dns_deploy(struct acme_work *w, const struct store_acme_proof *p, struct why *why)
{
	return dns_hook(w, p, false, why);
}

static int dns_clean(struct acme_work *w, const struct store_acme_proof *p, struct why *why)
{
	return dns_hook(w, p, true, why);
}

/* NULL: the row in the store is all there is to it. */
static const struct kind {
	int (*deploy)(struct acme_work *w, const struct store_acme_proof *p, struct why *why);
	int (*clean)(struct acme_work *w, const struct store_acme_proof *p, struct why *why);
} kinds[ACME_CHALLENGES] = {
	[ACME_HTTP_01] = { NULL, NULL },
	[ACME_TLS_ALPN_01] = { tls_deploy, tls_clean },
	[ACME_DNS_01] = { dns_deploy, dns_clean },
};

int acme_proofs_possible(const struct acme_work *w, struct why *why)
{
	if (w->order.challenge >= ACME_CHALLENGES) {
		why_set(why, "the order's challenge is not known to this version");
		return ACME_WORK_E_FAILED;
	}
	if (w->order.challenge == ACME_DNS_01) {
		if (w->env->acme_hook)
			return 0;
		why_set(why, "dns-01 needs a program that sets DNS records: start signetd with"
			" --acme-hook PROGRAM");
		return ACME_WORK_E_FAILED;
	}
	/* RFC 8555 section 7.1.3: authorities prove wildcards by DNS. */
	for (size_t i = 0; i < w->n_names; i++) {
		if (!span_starts(w->names[i], SPAN("*.")))
			continue;
		why_set(why, "%.*s is proved by dns-01 only", (int)w->names[i].n,
			(const char *)w->names[i].p);
		return ACME_WORK_E_FAILED;
	}
	return 0;
}

struct proof_write {
	const struct store_acme_proof *proof;
	bool remove;
};

static int write_proof(struct store_conn *c, void *arg)
{
	const struct proof_write *p = arg;

	return p->remove ? store_acme_proof_remove(c, p->proof->id) :
			   store_acme_proof_add(c, p->proof);
}

/* A server must not make us prove names that we did not ask for. */
static bool is_ordered(const struct acme_work *w, const struct acme_authorization *z)
{
	for (size_t i = 0; i < w->n_names; i++) {
		struct span name = w->names[i];
		bool wildcard = span_starts(name, SPAN("*."));

		if (wildcard == z->wildcard &&
			span_is_nocase(wildcard ? span_skip(name, 2) : name, z->name))
			return true;
	}
	return false;
}

static int read_authorization(struct acme_work *w, const char *url,
	struct acme_authorization *ret_z, struct why *why)
{
	CLEANUP(buf_done) struct buf body = {};
	int r = acme_client_post(&w->client, url, (struct span){}, ACME_CLIENT_JSON, &body, NULL,
		why);

	if (r < 0)
		return r;
	if (!r)
		r = acme_authorization_read(&w->arena, buf_span(&body), ret_z, why);
	return r ? ACME_WORK_E_FAILED : 0;
}

static int authorization_failed(const struct acme_authorization *z, struct why *why)
{
	why_set(why, "the authority could not check %s: %s", z->name,
		z->has_problem ? z->problem.text : "it does not say why");
	return ACME_WORK_E_FAILED;
}

/* Lays the proof out and tells the authority to look. */
static int give(struct acme_work *w, const struct acme_authorization *z, struct why *why)
{
	unsigned kind = w->order.challenge;
	CLEANUP(buf_done) struct buf thumbprint = {}, value = {}, body = {};
	struct store_acme_proof proof = { .order = w->order.id, .challenge = kind,
		.token = span_str(z->challenges[kind].token), .name = span_str(z->name) };
	struct proof_write p = { .proof = &proof };
	int r;

	TRY(acme_client_thumbprint(&w->client, &thumbprint));
	proof_add_authorization(proof.token, buf_span(&thumbprint), &value);
	proof.value = buf_span(&value);
	TRY(store_write(w->env->store, write_proof, &p));
	r = kinds[kind].deploy ? kinds[kind].deploy(w, &proof, why) : 0;
	if (r || z->challenges[kind].status != ACME_PENDING)
		return r;
	r = acme_client_post(&w->client, z->challenges[kind].url, SPAN("{}"), ACME_CLIENT_JSON,
		&body, NULL, why);
	return r > 0 ? ACME_WORK_E_FAILED : r;
}

/* An authorization as it is found: done, failed, or to be proved. */
static int begin(struct acme_work *w, const char *url, struct why *why)
{
	struct acme_authorization z;
	int r = read_authorization(w, url, &z, why);

	if (r || z.status == ACME_VALID)
		return r;
	if (!is_ordered(w, &z)) {
		why_set(why, "the authority wants %s to be proved, which was not ordered", z.name);
		return ACME_WORK_E_FAILED;
	}
	if (z.status == ACME_INVALID)
		return authorization_failed(&z, why);
	if (!z.challenges[w->order.challenge].url) {
		why_set(why, "the authority does not offer %s for %s",
			acme_challenge_names[w->order.challenge], z.name);
		return ACME_WORK_E_FAILED;
	}
	return give(w, &z, why);
}

static int64_t poll_pause(const struct acme_work *w, unsigned n_polls)
{
	int64_t said = (w->client.retry_after_us - clock_now_us()) / 1000;
	int64_t ms = (int64_t)POLL_MS * (n_polls + 1);

	if (w->client.retry_after_us && said > 0)
		ms = said;
	return ms < POLL_MAX_MS ? ms : POLL_MAX_MS;
}

/* Until it is no longer pending, or it takes too long. */
static int await(struct acme_work *w, const char *url, int64_t due_ms, struct why *why)
{
	for (unsigned n = 0;; n++) {
		struct acme_authorization z;
		int r = read_authorization(w, url, &z, why);

		if (r || z.status == ACME_VALID)
			return r;
		if (z.status == ACME_INVALID)
			return authorization_failed(&z, why);
		if (clock_monotonic_ms() >= due_ms) {
			why_set(why, "the authority has not checked %s yet", z.name);
			return ACME_WORK_E_LATER;
		}
		if (!w->sleep(w, (unsigned)poll_pause(w, n)))
			return ACME_WORK_E_LATER;
	}
}

int acme_proofs_give(struct acme_work *w, const struct acme_order *order, struct why *why)
{
	int64_t due_ms;
	int r = 0;

	/* All are laid out before any is waited for: they are checked side by side. */
	for (size_t i = 0; i < order->n_authorizations && !r; i++)
		r = begin(w, order->authorizations[i], why);
	due_ms = clock_monotonic_ms() + ACME_ORDER_WAIT_MS;
	for (size_t i = 0; i < order->n_authorizations && !r; i++)
		r = await(w, order->authorizations[i], due_ms, why);
	return r;
}

struct proofs {
	struct acme_work *w;
	struct store_acme_proof *all;
	size_t n;
};

static int collect(const struct store_acme_proof *proof, void *context)
{
	struct proofs *p = context;
	struct arena *a = &p->w->arena;

	p->all = alloc_array(p->all, p->n + 1, sizeof *p->all);
	p->all[p->n] = *proof;
	p->all[p->n].token = arena_span(a, proof->token);
	p->all[p->n].name = arena_span(a, proof->name);
	p->all[p->n].value = arena_span(a, proof->value);
	p->n++;
	return 0;
}

static int collect_all(struct store_conn *c, void *arg)
{
	struct proofs *p = arg;

	p->n = 0;
	return store_acme_proof_each(c, p->w->order.id, collect, p);
}

static int clean_one(struct acme_work *w, const struct store_acme_proof *proof, struct why *why)
{
	struct proof_write p = { .proof = proof, .remove = true };
	int r = 0;

	if (proof->challenge < ACME_CHALLENGES && kinds[proof->challenge].clean)
		r = kinds[proof->challenge].clean(w, proof, why);
	return r ? r : store_write(w->env->store, write_proof, &p);
}

void acme_proofs_clean(struct acme_work *w)
{
	struct proofs p = { .w = w };
	int r = store_read(w->env->store, collect_all, &p);

	if (r)
		log_fault(NULL, "ACME", "proof.clean", err_fold(r));
	for (size_t i = 0; i < p.n && !r; i++) {
		struct why why = {};
		int outcome = clean_one(w, &p.all[i], &why);

		if (outcome < 0)
			log_fault(NULL, "ACME", "proof.clean", outcome);
		else if (outcome)
			LOG(NULL, LOG_WARNING, "ACME", "proof.left",
				log_span("name", p.all[i].name), log_str("why", why.text));
	}
	free(p.all);
}
