/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Warnings of the end of certificates. What is due is collected in one reading; each warning is then
 * a writing task of its own that notes it and delivers it, so that it is given once or not at all,
 * whichever node of a cluster comes first.
 */

#include "svc/expiry.h"

#include "base/clock.h"
#include "base/log.h"
#include "mail/deliver.h"
#include "mail/notice.h"
#include "pki/trust.h"
#include "store/expiry_rows.h"
#include "store/outgoing_rows.h"
#include "store/settings.h"
#include "store/store.h"
#include "store/trust_rows.h"
#include "svc/acme.h"
#include "svc/env.h"

enum { DIGEST = 32 };

/* What is gone through, one domain after the other. */
struct walk {
	struct store_conn *conn;
	int (*each)(const struct expiry_item *item, void *context);
	void *context;
	const struct store_domain *domain;
	int64_t newest; /* its newest certificate */
	int64_t newest_us;
};

/* The chain's members that end before the certificate does: replacing that replaces the others. */
static int walk_chain(struct walk *w, const struct store_cert *row, const struct cert *cert)
{
	CLEANUP(cert_list_done) struct cert_list chain = {};
	int r;

	if (cert_list_from_der(&chain, row->chain, NULL))
		return 0; /* domain_tls_rebuild says so */
	for (size_t i = 0; i < chain.n; i++) {
		struct expiry_item item = { .domain = w->domain, .kind = EXPIRY_CHAIN,
			.alias = row->alias, .services = row->services, .cert = chain.certs[i] };

		if (cert_not_after_us(item.cert) >= cert_not_after_us(cert))
			continue;
		r = w->each(&item, w->context);
		if (r)
			return r;
	}
	return 0;
}

/* One that should have been renewed by itself. */
static int walk_plan(struct walk *w, struct arena *a, int64_t cert, struct expiry_item *item)
{
	struct acme_plan plan;
	int r = acme_plan_of_cert(w->conn, a, cert, &plan);

	if (r == STORE_E_NOT_FOUND)
		return 0;
	TRY(r);
	item->kind = EXPIRY_RENEWAL;
	item->trouble = plan.last_error;
	return 0;
}

static int walk_cert(const struct store_cert *row, void *context)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	CLEANUP(arena_done) struct arena arena = {};
	struct walk *w = context;
	struct expiry_item item = { .domain = w->domain, .kind = EXPIRY_ISSUED, .alias = row->alias,
		.services = row->services };
	bool is_shown = false;
	int r;

	/* Without services one may be what we show other servers. */
	if (row->services.n == 0)
		TRY(store_outgoing_names(w->conn, row->domain, row->alias, &is_shown));
	if (row->services.n == 0 && row->id != w->newest && !is_shown)
		return 0;
	if (cert_from_der(&cert, row->der, NULL))
		return 0;
	item.cert = cert;
	if (cert_is_self_signed(cert))
		item.kind = EXPIRY_SELF_SIGNED;
	else
		TRY(walk_plan(w, &arena, row->id, &item));
	r = w->each(&item, w->context);
	return r ? r : walk_chain(w, row, cert);
}

/* Authorities whose client certificates are accepted. The server's own are its main domain's. */
static int walk_trusted(const struct store_trust *row, void *context)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct walk *w = context;
	struct expiry_item item = { .domain = w->domain, .kind = EXPIRY_TRUSTED };

	if (!(row->purposes & TRUST_CLIENT) || cert_from_der(&cert, row->der, NULL))
		return 0;
	item.cert = cert;
	return w->each(&item, w->context);
}

static int walk_trust(struct walk *w)
{
	static const enum trust_scope of_main[] = { TRUST_CLUSTER, TRUST_SERVER_WIDE };
	int r = store_trust_each(w->conn, TRUST_DOMAIN, w->domain->id, walk_trusted, w);

	for (size_t i = 0; i < 2 && r == 0 && w->domain->main; i++)
		r = store_trust_each(w->conn, of_main[i], 0, walk_trusted, w);
	return r;
}

static int find_newest(const struct store_cert *row, void *context)
{
	struct walk *w = context;

	if (w->newest && row->created_us < w->newest_us)
		return 0;
	w->newest = row->id;
	w->newest_us = row->created_us;
	return 0;
}

static int walk_domain(const struct store_domain *domain, void *context)
{
	struct walk *w = context;
	int r;

	if (domain->pki != PKI_ENABLED)
		return 0;
	w->domain = domain;
	w->newest = 0;
	TRY(store_cert_each(w->conn, domain->id, find_newest, w));
	r = store_cert_each(w->conn, domain->id, walk_cert, w);
	return r ? r : walk_trust(w);
}

int expiry_each(struct store_conn *c, int (*each)(const struct expiry_item *item, void *context),
	void *context)
{
	struct walk w = { .conn = c, .each = each, .context = context };

	return store_domain_each(c, walk_domain, &w);
}

/* A warning that is due. */
struct due {
	struct due *next;
	int64_t domain;
	uint8_t sha256[DIGEST];
	unsigned days;
	struct expiry_warning warning;

	struct buf message;
	const char *separators;
	size_t n_mailboxes;
};

struct check {
	struct env *env;
	int64_t now_us;
	struct store_conn *conn;
	struct arena arena;
	struct due *due;
};

static struct expiry_warning warning_of(struct check *k, const struct expiry_item *item)
{
	return (struct expiry_warning){
		.hostname = span_str(k->env->hostname),
		.domain = arena_span(&k->arena, span_str(item->domain->name)),
		.unique = notice_unique(&k->arena),
		.kind = item->kind,
		.alias = arena_span(&k->arena, item->alias),
		.services = arena_span(&k->arena, item->services),
		.subject = cert_printed(&k->arena, item->cert, cert_add_subject),
		.issuer = cert_printed(&k->arena, item->cert, cert_add_issuer),
		.serial = cert_printed(&k->arena, item->cert, cert_add_serial),
		.fingerprint = cert_printed(&k->arena, item->cert, cert_add_fingerprint_text),
		.trouble = arena_span(&k->arena, item->trouble),
		.not_after_us = cert_not_after_us(item->cert),
		.now_us = k->now_us,
	};
}

static int collect(const struct expiry_item *item, void *context)
{
	struct check *k = context;
	uint8_t sha256[DIGEST];
	unsigned days, told;
	struct due *due;
	int r;

	if (expiry_threshold(cert_not_after_us(item->cert), k->now_us, &days))
		return 0;
	/* What is renewed by itself and has not failed yet is nobody's worry: its life may be days. */
	if (item->kind == EXPIRY_RENEWAL && item->trouble.n == 0 && days)
		return 0;
	cert_fingerprint(item->cert, sha256);
	r = store_expiry_told(k->conn, item->domain->id, span_of(sha256, DIGEST), &told);
	if (r == 0 && told <= days)
		return 0;
	if (r && r != STORE_E_NOT_FOUND)
		return err_fold(r);
	due = ARENA_ALLOC(&k->arena, struct due);
	due->domain = item->domain->id;
	memcpy(due->sha256, sha256, DIGEST);
	due->days = days;
	due->warning = warning_of(k, item);
	due->next = k->due;
	k->due = due;
	return 0;
}

static int collect_all(struct store_conn *c, void *arg)
{
	struct check *k = arg;

	k->conn = c;
	return expiry_each(c, collect, k);
}

static int tell(struct store_conn *c, void *arg)
{
	struct due *due = arg;
	const struct expiry_warning *w = &due->warning;
	struct notice notice = { .message = buf_span(&due->message),
		.to = { SPAN("postmaster"), w->domain }, .separators = due->separators,
		.now_us = w->now_us };
	int r = store_expiry_tell(c, due->domain, span_of(due->sha256, DIGEST), due->days,
		w->now_us);

	if (r)
		return r;
	TRY(deliver_notice(c, &notice, &due->n_mailboxes));
	return 0;
}

static void log_told(const struct due *due)
{
	const struct expiry_warning *w = &due->warning;
	CLEANUP(buf_done) struct buf end = {};

	clock_add_rfc3339(&end, w->not_after_us);
	LOG(NULL, due->days ? LOG_WARNING : LOG_ERROR, "PKI", "certificate.expires",
		log_span("domain", w->domain), log_span("certificate", w->alias),
		log_str("kind", expiry_kind_name(w->kind)), log_span("subject", w->subject),
		log_span("serves", w->services), log_span("not_after", buf_span(&end)),
		log_int("days", due->days), log_int("mailboxes", (int64_t)due->n_mailboxes));
}

/* A certificate that stands in two chains is due twice, and the second time was told. */
static int tell_all(struct check *k)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(k->env->store);

	for (struct due *due = k->due; due; due = due->next) {
		int r;

		due->separators = settings->subaddress_separators;
		expiry_compose(&due->warning, &due->message);
		r = store_write(k->env->store, tell, due);
		buf_done(&due->message);
		if (r == STORE_E_EXISTS)
			continue;
		TRY(r);
		log_told(due);
	}
	return 0;
}

int expiry_check(struct env *e, int64_t now_us)
{
	struct check k = { .env = e, .now_us = now_us };
	int r = store_read(e->store, collect_all, &k);

	if (!r)
		r = tell_all(&k);
	arena_done(&k.arena);
	return err_fold(r);
}
