/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What users are told of their certificates: that one was renewed or revoked, and that one ends which nobody
 * renews. That is one for a request (its key is elsewhere), one that could not be renewed, and one from
 * an authority elsewhere that the account uses here. Noted and delivered in one transaction: each
 * thing once. One errand tells so many of each kind and the next goes on behind them, whether they could be
 * told or not: what fails keeps nobody else waiting, and has its turn again when all had theirs.
 */

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "mail/deliver.h"
#include "mail/expiry_notice.h"
#include "mail/notice.h"
#include "mail/own_cert.h"
#include "mail/own_cert_notice.h"
#include "pki/altname.h"
#include "pki/cert.h"
#include "smime/cert_cache.h"
#include "store/account.h"
#include "store/ca_rows.h"
#include "store/secure_rows.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/ca.h"
#include "svc/ca_parts.h"
#include "svc/env.h"

#include <stdlib.h>

enum {
	AT_ONCE_MAX = 100, /* messages of a kind in one errand: the rest is due in a minute still */
	WARN_DAYS = 30,
	TOLD_DAYS = 7, /* of what was revoked earlier, everybody knows */
};

static const int64_t day_us = 24LL * 3600 * 1000000;

/* A message to the account of a certificate. */
struct telling {
	struct own_cert_notice notice;
	struct span account; /* its address */
	const char *separators;
	struct buf message;
	int64_t id; /* of the certificate */
	int (*note)(struct store_conn *c, int64_t id, unsigned days); /* NULL: nothing to note */
	unsigned days;
	size_t n_mailboxes;
};

static struct telling telling_of(struct env *e, struct arena *a,
	const struct store_account *account, struct span address, const struct cert *cert)
{
	struct telling t = { .account = account->address };

	t.notice = (struct own_cert_notice){ .hostname = span_str(e->hostname),
		.unique = notice_unique(a),
		.address = address,
		.issuer = cert_printed(a, cert, cert_add_issuer),
		.serial = cert_printed(a, cert, cert_add_serial),
		.not_after_us = cert_not_after_us(cert),
		.now_us = clock_now_us() };
	(void)altname_split_address(account->address, &t.notice.local, &t.notice.domain);
	return t;
}

static int tell(struct store_conn *c, void *arg)
{
	struct telling *t = arg;
	struct notice notice = { .message = buf_span(&t->message),
		.to = { t->notice.local, t->notice.domain },
		.separators = t->separators,
		.now_us = t->notice.now_us };
	int r = t->note ? t->note(c, t->id, t->days) : 0;

	if (r)
		return r;
	TRY(deliver_notice(c, &notice, &t->n_mailboxes));
	return 0;
}

static int send_notice(struct env *e, struct telling *t)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(e->store);
	int r;

	t->separators = settings->subaddress_separators;
	own_cert_notice_compose(&t->notice, &t->message);
	r = store_write(e->store, tell, t);
	buf_done(&t->message);
	return r;
}

int ca_tell_renewed(struct env *e, const struct store_account *account, struct span address,
	struct span der)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	CLEANUP(arena_done) struct arena arena = {};
	struct telling t;

	TRY(cert_from_der(&cert, der, NULL));
	t = telling_of(e, &arena, account, address, cert);
	t.notice.renewed = true;
	return err_fold(send_notice(e, &t));
}

/* What is due, of one kind. */
struct warnings {
	struct env *env;
	struct store_conn *conn;
	struct arena arena;
	int64_t now_us;
	enum ca_notice kind;
	int64_t behind; /* this id */
	struct telling list[AT_ONCE_MAX];
	size_t n;
	struct {
		int64_t id, not_after_us;
	} looked_at[AT_ONCE_MAX]; /* certificates whose end was not known */
	size_t n_looked_at;
};

/* One that ends. */
struct ending {
	int64_t id, account, not_after_us;
	struct span address; /* empty: the account's */
	int64_t told_days;   /* -1: nothing yet */
	bool certain;        /* store_issued_kept_fn */
	bool has_failed;     /* to be renewed */
	bool is_renewed;     /* by itself, unless it has failed */
	int (*note)(struct store_conn *c, int64_t id, unsigned days);
};

static bool has_turn(const struct warnings *w, int64_t id)
{
	return id > w->behind && w->n < AT_ONCE_MAX;
}

/* As far as the row says it, before its certificate is read. */
static bool may_be_due(const struct warnings *w, const struct ending *x, unsigned *ret_days)
{
	if (!has_turn(w, x->id) || expiry_threshold(x->not_after_us, w->now_us, ret_days))
		return false;
	if (x->told_days >= 0 && x->told_days <= *ret_days)
		return false;
	/* What renews by itself and has not failed is nobody's worry. */
	return !(x->is_renewed && !x->has_failed && *ret_days);
}

/* What was made for days is nobody's worry either, at its beginning. */
static bool is_near_end(const struct warnings *w, const struct ending *x, const struct cert *cert)
{
	int64_t life_us = cert_not_after_us(cert) - cert_not_before_us(cert);

	return x->not_after_us - w->now_us <= life_us / 3;
}

/* A row that nobody can read is no reason to tell nobody anything. */
static bool is_readable(struct warnings *w, int64_t id, struct span der, struct cert **ret_cert)
{
	if (cert_cache_read(w->env->mail_certs, der, ret_cert, NULL) == 0)
		return true;
	LOG(NULL, LOG_ERROR, "PKI", "ca.expires", log_int("certificate", id),
		log_str("reason", "the stored certificate is damaged"));
	return false;
}

static int is_kept(struct warnings *w, const struct ending *x, const struct cert *cert, bool *ret_is)
{
	struct own_cert_wish wish = { .account = x->account,
		.now_us = w->now_us,
		.cache = w->env->mail_certs };

	if (!x->certain)
		return own_cert_is_used(w->conn, &wish, cert, ret_is);
	*ret_is = true;
	return 0;
}

static int collect(struct warnings *w, const struct ending *x, struct span der)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct store_account account;
	struct telling *t = &w->list[w->n];
	unsigned days;
	bool kept;
	int r;

	if (!may_be_due(w, x, &days) || !is_readable(w, x->id, der, &cert) ||
		!is_near_end(w, x, cert))
		return 0;
	TRY(is_kept(w, x, cert, &kept));
	if (!kept)
		return 0;
	r = store_account_get(w->conn, &w->arena, x->account, &account);
	if (r)
		return r == STORE_E_NOT_FOUND ? 0 : r;
	*t = telling_of(w->env, &w->arena, &account,
		x->address.n ? arena_span(&w->arena, x->address) : account.address, cert);
	t->id = x->id;
	t->note = x->note;
	t->days = days;
	if (x->has_failed)
		t->notice.trouble = SPAN("it could not be renewed by itself");
	w->n++;
	return 0;
}

static int see_issued(const struct store_issued *row, bool certain, void *context)
{
	const struct ending x = { .id = row->id,
		.account = row->account,
		.not_after_us = row->not_after_us,
		.address = row->address,
		.told_days = row->told_days,
		.certain = certain,
		.has_failed = row->failures > 0,
		.is_renewed = row->renew_us > 0,
		.note = store_issued_tell };

	return collect(context, &x, row->der);
}

static int see_foreign(const struct store_secure_ending *row, void *context)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct warnings *w = context;
	struct ending x = { .id = row->cert.id,
		.account = row->account,
		.not_after_us = row->cert.not_after_us,
		.told_days = row->told_days,
		.certain = row->certain,
		.note = store_secure_cert_tell };

	if (x.not_after_us)
		return collect(w, &x, row->cert.der);
	if (!is_readable(w, x.id, row->cert.der, &cert))
		return 0;
	x.not_after_us = cert_not_after_us(cert);
	if (w->n_looked_at < AT_ONCE_MAX) {
		w->looked_at[w->n_looked_at].id = x.id;
		w->looked_at[w->n_looked_at++].not_after_us = x.not_after_us;
	}
	return collect(w, &x, row->cert.der);
}

static int note_revoked(struct store_conn *c, int64_t id, unsigned days)
{
	(void)days;
	return store_issued_tell_revoked(c, id);
}

/* Whether the account has another one for that. */
static int is_used(struct warnings *w, int64_t account, enum own_cert_use use, bool *ret_is)
{
	CLEANUP(own_cert_done) struct own_cert own = {};
	struct own_cert_wish wish = { .account = account,
		.use = use,
		.now_us = w->now_us,
		.cache = w->env->mail_certs };

	TRY(own_cert_find(w->conn, &wish, &own));
	*ret_is = !own.fault;
	return 0;
}

static int see_revoked(const struct store_issued *row, void *context)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct warnings *w = context;
	struct telling *t = &w->list[w->n];
	struct store_account account;
	bool signs, encrypts;
	int r;

	if (!has_turn(w, row->id) || !is_readable(w, row->id, row->der, &cert))
		return 0;
	r = store_account_get(w->conn, &w->arena, row->account, &account);
	if (r)
		return r == STORE_E_NOT_FOUND ? 0 : r;
	TRY(is_used(w, row->account, OWN_CERT_SIGN, &signs));
	TRY(is_used(w, row->account, OWN_CERT_ENCRYPT, &encrypts));
	*t = telling_of(w->env, &w->arena, &account, arena_span(&w->arena, row->address), cert);
	t->id = row->id;
	t->note = note_revoked;
	t->notice.revoked_us = row->revoked_us;
	t->notice.reason = span_str(ca_reason_name(row->reason));
	t->notice.key_compromised = row->reason == REASON_KEY_COMPROMISE;
	t->notice.has_other = signs && encrypts;
	w->n++;
	return 0;
}

static int collect_all(struct store_conn *c, void *arg)
{
	struct warnings *w = arg;
	int64_t before_us = w->now_us + (WARN_DAYS + 1) * day_us;

	w->conn = c;
	w->n = w->n_looked_at = 0;
	if (w->kind == CA_NOTICE_REVOKED)
		return store_issued_revoked_untold(
			c, w->now_us - TOLD_DAYS * day_us, w->now_us, see_revoked, w);
	if (w->kind == CA_NOTICE_ENDS)
		return store_issued_ending(c, w->now_us, before_us, see_issued, w);
	return store_secure_cert_ending(c, w->now_us, before_us, see_foreign, w);
}

static int note_ends(struct store_conn *c, void *arg)
{
	const struct warnings *w = arg;

	for (size_t i = 0; i < w->n_looked_at; i++)
		TRY(store_secure_cert_set_end(
			c, w->looked_at[i].id, w->looked_at[i].not_after_us));
	return 0;
}

/* Each whatever became of the others: what fails is tried again in its next turn. */
static int tell_all(struct env *e, struct warnings *w)
{
	int failed = 0, r;

	for (size_t i = 0; i < w->n && !atomic_load(&e->ca->errand.stop); i++) {
		struct telling *t = &w->list[i];

		r = send_notice(e, t);
		if (r == STORE_E_EXISTS)
			continue;
		if (r) {
			failed = err_fold(r);
			LOG(NULL, LOG_ERROR, "PKI", "ca.tell", log_span("account", t->account),
				log_int("certificate", t->id), log_str("trace", err_last_trace()));
			continue;
		}
		if (t->notice.revoked_us)
			LOG(NULL, LOG_INFO, "PKI", "ca.revoked_told", log_span("account", t->account),
				log_int("certificate", t->id),
				log_int("mailboxes", (int64_t)t->n_mailboxes));
		else
			LOG(NULL, LOG_WARNING, "PKI", "ca.expires", log_span("account", t->account),
				log_int("certificate", t->id), log_int("days", t->days),
				log_int("mailboxes", (int64_t)t->n_mailboxes));
	}
	r = w->n_looked_at ? err_fold(store_write(e->store, note_ends, w)) : 0;
	return failed ? failed : r;
}

static int warn_of(struct env *e, struct warnings *w, enum ca_notice kind)
{
	int64_t *up_to = &e->ca->told_up_to[kind];

	w->kind = kind;
	w->behind = *up_to;
	TRY(store_read(e->store, collect_all, w));
	*up_to = w->n == AT_ONCE_MAX ? w->list[w->n - 1].id : 0;
	return tell_all(e, w);
}

int ca_warn(struct env *e)
{
	struct warnings *w = ALLOC(struct warnings);
	int r = 0;

	w->env = e;
	w->now_us = clock_now_us();
	for (enum ca_notice kind = 0; kind < CA_NOTICES; kind++) {
		int one = warn_of(e, w, kind);

		if (one)
			r = one;
	}
	arena_done(&w->arena);
	free(w);
	return err_fold(r);
}
