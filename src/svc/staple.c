/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * One entry for each certificate, by digest. An errand goes through those that are due, one after the
 * other: what the store has of a certificate that is new here, then the responder. While it asks it
 * holds references and no lock. An answer that cannot be used leaves the older one in place until that
 * is over, unless it says that the certificate was revoked.
 */

#include "svc/staple.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "net/fetch.h"
#include "net/tls_staple.h"
#include "pki/ocsp.h"
#include "store/crl_rows.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/errand.h"
#include "svc/trust.h"

#include <pthread.h>
#include <stdlib.h>

enum {
	DIGEST = 32,
	FETCH_MS = 15000,
	DUE_MAX = 256,      /* of one errand */
	FORGET_DAYS = 400,  /* stored answers that nobody renewed */
};

struct entry {
	_Atomic unsigned refs;
	uint8_t sha256[DIGEST];
	struct tls_staple *staple;
	struct cert *cert;
	char *url;           /* NULL: it names no responder */
	int64_t domain_id;
	char *domain;
	char *alias;

	/* Under the lock of struct staples; changed by one thread at a time. */
	struct cert *_Atomic issuer; /* NULL: not found yet; set once, read without the lock, too */
	struct staple_report report;
	unsigned n_failures;
	bool is_loaded; /* what the store has was looked at */
};

struct staples {
	pthread_mutex_t lock;
	struct map entries; /* struct entry, by digest */
	struct errand errand;
};

static void entry_unref(void *value)
{
	struct entry *n = value;

	if (atomic_fetch_sub(&n->refs, 1) != 1)
		return;
	(void)tls_staple_unref(n->staple);
	(void)cert_unref(n->cert);
	(void)cert_unref(n->issuer);
	free(n->url);
	free(n->domain);
	free(n->alias);
	free(n);
}

static int run_due(struct env *e)
{
	return staple_run_due(e, true);
}

struct staples *staples_new(struct env *e)
{
	struct staples *s = ALLOC(struct staples);

	(void)pthread_mutex_init(&s->lock, NULL);
	errand_init(&s->errand, e, "ocsp", run_due);
	return s;
}

struct staples *staples_free(struct staples *s)
{
	if (!s)
		return NULL;
	map_done(&s->entries, entry_unref);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
	return NULL;
}

static struct cert *issuer_in(const struct cert_list *chain, const struct cert *cert)
{
	for (size_t i = 0; i < chain->n; i++) {
		if (ocsp_is_issuer(chain->certs[i], cert))
			return cert_ref(chain->certs[i]);
	}
	return NULL;
}

static char *copy_text(struct span text)
{
	struct buf copy = {};

	buf_add(&copy, text);
	return buf_steal_string(&copy);
}

static struct entry *entry_new(const struct staple_subject *subject)
{
	struct buf url = {};
	struct cert *cert = subject->cert;
	bool has_url = ocsp_responder(cert, &url), must_staple = ocsp_must_staple(cert);
	struct entry *n;

	if (!has_url && !must_staple)
		return NULL;
	n = ALLOC(struct entry);
	n->refs = 1;
	cert_fingerprint(cert, n->sha256);
	n->staple = tls_staple_new();
	n->cert = cert_ref(cert);
	n->issuer = issuer_in(subject->chain, cert);
	n->url = has_url ? buf_steal_string(&url) : NULL;
	n->domain_id = subject->domain;
	n->domain = copy_text(subject->domain_name);
	n->alias = copy_text(subject->alias);
	n->report = (struct staple_report){ .state = STAPLE_WANTED, .must_staple = must_staple };
	return n;
}

/* Now the responder can be asked, and what the store has can be verified. Under the lock. */
static void learn_issuer(struct entry *n, struct cert *issuer)
{
	n->issuer = cert_ref(issuer);
	n->is_loaded = false;
	n->report.next_us = 0;
}

/* The certificate may come again, with a chain that it did not have the first time: whoever shows it
 * already has the same staple. */
struct tls_staple *staple_of(struct env *e, const struct staple_subject *subject)
{
	struct staples *s = e->staples;
	struct entry *n = entry_new(subject), *old;
	struct tls_staple *staple;

	if (!n)
		return NULL;
	(void)pthread_mutex_lock(&s->lock);
	old = map_get(&s->entries, span_of(n->sha256, DIGEST));
	if (old) {
		staple = tls_staple_ref(old->staple);
		if (!old->issuer && n->issuer)
			learn_issuer(old, n->issuer);
		entry_unref(n);
	} else {
		staple = tls_staple_ref(n->staple);
		(void)map_put(&s->entries, span_of(n->sha256, DIGEST), n);
	}
	(void)pthread_mutex_unlock(&s->lock);
	return staple;
}

const char *staple_state_name(enum staple_state state)
{
	static const char *const names[] = {
		[STAPLE_NONE] = "none",
		[STAPLE_GOOD] = "good",
		[STAPLE_WANTED] = "wanted",
		[STAPLE_REVOKED] = "revoked",
		[STAPLE_OFF] = "off",
	};

	return names[state];
}

/* As it is at this moment: an answer may be over since. */
static struct staple_report report_of(const struct entry *n, int64_t now_us)
{
	struct staple_report report = n->report;

	if (report.state == STAPLE_GOOD && report.until_us <= now_us)
		report.state = STAPLE_WANTED;
	if (report.state != STAPLE_GOOD)
		report.until_us = 0;
	return report;
}

void staple_report(struct env *e, const struct cert *cert, struct staple_report *ret_report)
{
	struct staples *s = e->staples;
	uint8_t sha256[DIGEST];
	const struct entry *n;

	cert_fingerprint(cert, sha256);
	(void)pthread_mutex_lock(&s->lock);
	n = map_get(&s->entries, span_of(sha256, DIGEST));
	*ret_report = n ? report_of(n, clock_now_us()) :
			  (struct staple_report){ .must_staple = ocsp_must_staple(cert) };
	(void)pthread_mutex_unlock(&s->lock);
}

/* Going through the entries, under the lock. */
struct visit {
	int (*each)(struct span domain, struct span alias, const struct staple_report *report,
		void *context);
	void *context;
	int64_t now_us;
	int r;
};

static void visit_entry(void *value, struct span key, void *context)
{
	struct visit *v = context;
	const struct entry *n = value;
	struct staple_report report = report_of(n, v->now_us);

	(void)key;
	if (!v->r)
		v->r = v->each(span_str(n->domain), span_str(n->alias), &report, v->context);
}

int staple_each(struct env *e,
	int (*each)(struct span domain, struct span alias, const struct staple_report *report,
		void *context),
	void *context)
{
	struct visit v = { each, context, clock_now_us(), 0 };

	(void)pthread_mutex_lock(&e->staples->lock);
	map_each(&e->staples->entries, visit_entry, &v);
	(void)pthread_mutex_unlock(&e->staples->lock);
	return v.r;
}

static void log_answer(const struct entry *n, const struct staple_report *report,
	enum log_level level, const char *outcome)
{
	CLEANUP(buf_done) struct buf until = {};

	if (report->until_us)
		clock_add_rfc3339(&until, report->until_us);
	LOG(NULL, level, "PKI", "ocsp.answer", log_str("domain", n->domain),
		log_str("certificate", n->alias), log_str("url", n->url), log_str("outcome", outcome),
		log_span("until", buf_span(&until)), log_int("must_staple", report->must_staple),
		log_str("reason", report->problem.text));
}

/* An answer that can be shown. */
static struct staple_report entry_take(struct staples *s, struct entry *n, struct span der,
	const struct ocsp_answer *answer)
{
	struct staple_report report;

	tls_staple_set(n->staple, der, answer->until_us);
	(void)pthread_mutex_lock(&s->lock);
	n->report.state = STAPLE_GOOD;
	n->report.until_us = answer->until_us;
	n->report.next_us =
		errand_renewal_us(answer->this_update_us, answer->until_us, clock_now_us());
	n->report.problem = (struct why){};
	n->n_failures = 0;
	report = n->report;
	(void)pthread_mutex_unlock(&s->lock);
	return report;
}

static void entry_fail(struct staples *s, struct entry *n, bool is_revoked, const struct why *why)
{
	enum log_level level = LOG_WARNING;
	int64_t now_us = clock_now_us();
	struct staple_report report;

	if (is_revoked)
		tls_staple_set(n->staple, SPAN(""), 0);
	(void)pthread_mutex_lock(&s->lock);
	n->n_failures++;
	n->report.next_us = errand_retry_us(n->n_failures, now_us);
	n->report.problem = *why;
	if (is_revoked)
		n->report.state = STAPLE_REVOKED;
	else if (n->report.state != STAPLE_REVOKED && n->report.until_us <= now_us)
		n->report.state = STAPLE_WANTED;
	report = n->report = report_of(n, now_us);
	(void)pthread_mutex_unlock(&s->lock);
	if (is_revoked || (report.must_staple && report.state != STAPLE_GOOD))
		level = LOG_ERROR;
	log_answer(n, &report, level, is_revoked ? "revoked" : "failed");
}

struct stored {
	const struct entry *entry;
	struct buf der;
	int64_t now_us;
};

static int read_stored(struct store_conn *c, void *arg)
{
	struct stored *stored = arg;

	return store_ocsp_get(c, span_of(stored->entry->sha256, DIGEST), &stored->der);
}

static int write_stored(struct store_conn *c, void *arg)
{
	const struct stored *stored = arg;

	TRY(store_ocsp_forget(c, stored->now_us - FORGET_DAYS * 86400LL * 1000000));
	return store_ocsp_put(c, span_of(stored->entry->sha256, DIGEST), buf_span(&stored->der),
		stored->now_us);
}

/* A root that was left out of the chain is among what is trusted. */
static int find_issuer(struct env *e, struct entry *n)
{
	CLEANUP(trust_unrefp) struct trust *trust = NULL;
	struct cert *candidate, *found = NULL;

	if (n->issuer)
		return 0;
	TRY(trust_of_domain(e, n->domain_id, &trust));
	for (size_t i = 0; !found && trust_by_subject(trust,
			     X509_get_issuer_name(cert_x509(n->cert)), i, &candidate); i++) {
		if (ocsp_is_issuer(candidate, n->cert))
			found = cert_ref(candidate);
	}
	(void)pthread_mutex_lock(&e->staples->lock);
	if (!n->issuer)
		n->issuer = TAKE(found);
	(void)pthread_mutex_unlock(&e->staples->lock);
	(void)cert_unref(found);
	return 0;
}

/* Verified as if it had just come: the database is not a place that vouches for answers. */
static int entry_load(struct env *e, struct entry *n)
{
	struct stored stored = { .entry = n };
	struct ocsp_answer answer;
	struct why why = {};
	int r = n->issuer ? store_read(e->store, read_stored, &stored) : STORE_E_NOT_FOUND;
	int outcome = OCSP_E_UNKNOWN;

	if (!r)
		outcome = ocsp_check(buf_span(&stored.der), n->cert, n->issuer, clock_now_us(),
			&answer, &why);
	if (!outcome)
		(void)entry_take(e->staples, n, buf_span(&stored.der), &answer);
	buf_done(&stored.der);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&e->staples->lock);
	if (outcome == OCSP_E_REVOKED) {
		n->report.state = STAPLE_REVOKED;
		n->report.problem = why;
	}
	n->is_loaded = true;
	(void)pthread_mutex_unlock(&e->staples->lock);
	return 0;
}

/* One question; the answer's octets. */
/* How a responder is asked. */
struct asking {
	bool private_too;
	const atomic_bool *stop;
};

static int ask(const struct asking *a, const char *url, struct span body, struct fetched *answer,
	struct why *why)
{
	struct fetch request = { .url = url, .schemes = FETCH_HTTP, .timeout_ms = FETCH_MS,
		.max_octets = OCSP_RESPONSE_MAX, .max_redirects = 3,
		.private_too = a->private_too, .stop = a->stop,
		.accept = "application/ocsp-response", .body = body,
		.content_type = body.p ? "application/ocsp-request" : NULL };
	int r = fetch(&request, answer, why);

	if (r)
		return r;
	if (answer->status == 200)
		return 0;
	why_set(why, "the responder answers with status %u", answer->status);
	return FETCH_E_UNREACHABLE;
}

/* Asks, and checks what comes; an outcome of ocsp_check. */
static int ask_and_check(struct entry *n, const struct asking *a, const char *url,
	struct span body, struct buf *der, struct ocsp_answer *ret_answer, struct why *why)
{
	CLEANUP(fetched_done) struct fetched answer = {};
	int r = ask(a, url, body, &answer, why);

	if (r)
		return r < 0 ? r : OCSP_E_UNKNOWN;
	r = ocsp_check(buf_span(&answer.body), n->cert, n->issuer, clock_now_us(), ret_answer, why);
	buf_clear(der);
	buf_add(der, buf_span(&answer.body));
	return r;
}

/* RFC 5019 section 5: by GET, which caches know, and by POST where that does not help. */
static int entry_ask(struct entry *n, const struct asking *a, struct buf *der,
	struct ocsp_answer *ret_answer, struct why *why)
{
	CLEANUP(buf_done) struct buf request = {}, url = {};
	CLEANUP(alloc_freep) char *get = NULL;
	int r = OCSP_E_UNKNOWN;

	TRY(ocsp_request(n->cert, n->issuer, &request));
	if (ocsp_get_url(span_str(n->url), buf_span(&request), &url)) {
		get = span_to_string(buf_span(&url));
		r = ask_and_check(n, a, get, (struct span){}, der, ret_answer, why);
	}
	if (r == OCSP_E_UNKNOWN || r == OCSP_E_REFUSED)
		r = ask_and_check(n, a, n->url, buf_span(&request), der, ret_answer, why);
	return r;
}

static int entry_renew(struct env *e, struct entry *n, const struct settings *settings)
{
	struct stored stored = { .entry = n, .now_us = clock_now_us() };
	const struct asking asking = { settings->fetch_private, &e->staples->errand.stop };
	struct ocsp_answer answer = {};
	struct why why = {};
	int r;

	if (!n->url || !n->issuer) {
		why_set(&why, n->url ? "its issuer is neither in its chain nor trusted: set the chain" :
			"it wants an answer stapled and names no responder: get one without must-staple");
		entry_fail(e->staples, n, false, &why);
		return 0;
	}
	r = entry_ask(n, &asking, &stored.der, &answer, &why);
	if (r == OCSP_E_REVOKED) {
		/* A restart must not bring the good answer before it back. */
		entry_fail(e->staples, n, true, &why);
		r = store_write(e->store, write_stored, &stored);
	} else if (r && atomic_load(asking.stop)) {
		r = 0; /* the server ends: that is no failure of the other side */
	} else if (r) {
		entry_fail(e->staples, n, false, &why);
	} else {
		const struct staple_report report =
			entry_take(e->staples, n, buf_span(&stored.der), &answer);

		log_answer(n, &report, LOG_INFO, "good");
		r = store_write(e->store, write_stored, &stored);
	}
	buf_done(&stored.der);
	return r < 0 ? r : 0;
}

/* Entries that something is to be done about, with references. */
struct due {
	int64_t now_us;
	bool fetches;
	struct entry *entries[DUE_MAX];
	size_t n;
	struct entry *unused[DUE_MAX];
	size_t n_unused;
};

static void find_due(void *value, struct span key, void *context)
{
	struct due *d = context;
	struct entry *n = value;

	(void)key;
	if (!tls_staple_is_shared(n->staple)) {
		if (d->n_unused < DUE_MAX)
			d->unused[d->n_unused++] = n;
		return;
	}
	if (d->n == DUE_MAX || (n->is_loaded && (!d->fetches || n->report.next_us > d->now_us)))
		return;
	atomic_fetch_add(&n->refs, 1);
	d->entries[d->n++] = n;
}

/* Whoever was shown with the certificate has let go of it: it is not in use any more. */
static void drop_unused(struct staples *s, struct due *d)
{
	for (size_t i = 0; i < d->n_unused; i++) {
		struct entry *n = map_remove(&s->entries, span_of(d->unused[i]->sha256, DIGEST));

		if (n)
			entry_unref(n);
	}
}

static void collect(struct staples *s, struct due *d)
{
	(void)pthread_mutex_lock(&s->lock);
	map_each(&s->entries, find_due, d);
	drop_unused(s, d);
	(void)pthread_mutex_unlock(&s->lock);
}

static int entry_tend(struct env *e, struct entry *n, const struct settings *settings, bool fetches)
{
	bool is_loaded;
	int64_t next_us;

	TRY(find_issuer(e, n));
	(void)pthread_mutex_lock(&e->staples->lock);
	is_loaded = n->is_loaded;
	(void)pthread_mutex_unlock(&e->staples->lock);
	if (!is_loaded)
		TRY(entry_load(e, n));
	(void)pthread_mutex_lock(&e->staples->lock);
	next_us = n->report.next_us;
	(void)pthread_mutex_unlock(&e->staples->lock);
	return fetches && next_us <= clock_now_us() ? entry_renew(e, n, settings) : 0;
}

static void turn_off(void *value, struct span key, void *context)
{
	struct entry *n = value;

	(void)key;
	(void)context;
	tls_staple_set(n->staple, SPAN(""), 0);
	n->report.state = STAPLE_OFF;
	n->report.until_us = n->report.next_us = 0;
	n->is_loaded = false; /* the stored answer is good when it is turned on again */
}

static void turn_all_off(struct staples *s)
{
	(void)pthread_mutex_lock(&s->lock);
	map_each(&s->entries, turn_off, NULL);
	(void)pthread_mutex_unlock(&s->lock);
}

int staple_run_due(struct env *e, bool fetches)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(e->store);
	struct due *d;
	int r = 0;

	if (!settings->ocsp_stapling) {
		turn_all_off(e->staples);
		return 0;
	}
	d = ALLOC(struct due);
	d->now_us = clock_now_us();
	d->fetches = fetches;
	collect(e->staples, d);
	for (size_t i = 0; i < d->n; i++) {
		if (!r && !atomic_load(&e->staples->errand.stop))
			r = entry_tend(e, d->entries[i], settings, fetches);
		entry_unref(d->entries[i]);
	}
	free(d);
	return err_fold(r);
}

/* Whether the errand has anything to do. */
struct work {
	int64_t now_us;
	bool is_there;
};

static void look(void *value, struct span key, void *context)
{
	struct work *w = context;
	const struct entry *n = value;

	(void)key;
	w->is_there |= !tls_staple_is_shared(n->staple) || !n->is_loaded ||
		n->report.next_us <= w->now_us;
}

void staple_stop(struct env *e)
{
	errand_stop(&e->staples->errand);
}

void staple_tend(struct env *e)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(e->store);
	struct work work = { .now_us = clock_now_us() };

	if (!settings->ocsp_stapling) {
		turn_all_off(e->staples);
		return;
	}
	(void)pthread_mutex_lock(&e->staples->lock);
	map_each(&e->staples->entries, look, &work);
	(void)pthread_mutex_unlock(&e->staples->lock);
	if (work.is_there)
		errand_start(&e->staples->errand);
}
