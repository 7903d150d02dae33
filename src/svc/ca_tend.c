/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What is due by itself. A certificate that the account uses, and whose key it still has, is renewed when
 * two thirds of its life are over: only the public key is certified, so nobody's password is needed. The
 * account gets the new one in the same transaction, and a message (ca_tell.c).
 */

#include "base/clock.h"
#include "base/log.h"
#include "mail/own_cert.h"
#include "pki/altname.h"
#include "pki/cert.h"
#include "pki/mailcert.h"
#include "smime/cert_cache.h"
#include "store/account.h"
#include "store/secure_rows.h"
#include "store/store.h"
#include "svc/ca.h"
#include "svc/ca_parts.h"
#include "svc/ca_status.h"
#include "svc/env.h"

enum {
	AT_ONCE_MAX = 100, /* renewals of one errand: the rest is due in a minute still */
	NOTED_AT_ONCE = 200,
};

static const int64_t hour_us = 3600LL * 1000000;

/* What something is to be done about. */
struct due {
	struct {
		int64_t id;
		bool certain; /* store_issued_kept_fn */
	} list[AT_ONCE_MAX];
	size_t n;
	int64_t now_us;
};

static void note(struct due *due, int64_t id, bool certain)
{
	if (due->n == AT_ONCE_MAX)
		return;
	due->list[due->n].id = id;
	due->list[due->n++].certain = certain;
}

static int note_list(const struct store_authority *row, void *context)
{
	struct due *due = context;

	if (row->key && row->crl_next_us <= due->now_us)
		note(due, row->id, true);
	return 0;
}

static int note_issued(const struct store_issued *row, bool certain, void *context)
{
	note(context, row->id, certain);
	return 0;
}

static int find_lists(struct store_conn *c, void *arg)
{
	struct due *due = arg;

	due->n = 0;
	return store_authority_each(c, 0, note_list, due);
}

static int find_renewals(struct store_conn *c, void *arg)
{
	struct due *due = arg;

	due->n = 0;
	return store_issued_due(c, due->now_us, note_issued, due);
}

static int tend_lists(struct env *e)
{
	struct due due = { .now_us = clock_now_us() };
	int r = 0;

	TRY(store_read(e->store, find_lists, &due));
	for (size_t i = 0; i < due.n && !atomic_load(&e->ca->errand.stop); i++) {
		CLEANUP(ca_list_unrefp) struct ca_list *list = NULL;
		int one = ca_list_newest(e, due.list[i].id, &list);

		if (one < 0)
			r = one;
	}
	return r;
}

/* One renewal. */
struct renewal {
	struct arena arena;
	struct env *env;
	int64_t id, now_us;
	bool is_used;
	bool is_damaged;
	struct store_issued row;
	struct store_account account;
	struct span spki;
	int64_t key; /* of Secure Mail; 0: the account does not have it any more */
};

static int match_key(const struct store_secure_key *key, void *context)
{
	struct renewal *w = context;

	if (span_equal(key->spki, w->spki))
		w->key = key->id;
	return 0;
}

/* The account's part of it. */
static int find_holder(struct store_conn *c, struct renewal *w, const struct cert *cert)
{
	struct own_cert_wish wish = { .account = w->row.account,
		.now_us = w->now_us,
		.cache = w->env->mail_certs };

	w->spki = arena_span(&w->arena, cert_spki(cert));
	TRY(store_account_get(c, &w->arena, w->row.account, &w->account));
	if (!w->is_used)
		TRY(own_cert_is_used(c, &wish, cert, &w->is_used));
	return store_secure_key_each(c, w->row.account, match_key, w);
}

static int find_renewal(struct store_conn *c, void *arg)
{
	struct renewal *w = arg;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	int r;

	w->key = 0;
	TRY(store_issued_get(c, &w->arena, w->id, &w->row));
	r = cert_cache_read(w->env->mail_certs, w->row.der, &cert, NULL);
	w->is_damaged = r > 0;
	if (r)
		return r < 0 ? r : 0;
	return w->row.account ? find_holder(c, w, cert) : 0;
}

/* In the transaction that writes the certificate: the account has it from now on. */
static int hand_over(struct store_conn *c, const struct ca_certificate *cert, void *context,
	struct why *why)
{
	struct renewal *w = context;

	return ca_give(c, w->row.account, w->spki, cert, why);
}

struct putting_off {
	int64_t id;
	unsigned failures;
	int64_t renew_us;
};

static int put_off(struct store_conn *c, void *arg)
{
	const struct putting_off *p = arg;

	return store_issued_put_off(c, p->id, p->failures, p->renew_us);
}

static int issue_again(struct env *e, struct renewal *w, struct ca_certificate *ret_cert,
	struct why *why)
{
	struct span addresses[MAILCERT_ADDRESSES_MAX];
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct ca_wish wish = { .account = w->row.account, .addresses = addresses, .spki = w->spki,
		.renews = true, .predecessor = w->id };

	TRY(cert_from_der(&cert, w->row.der, why));
	wish.n_addresses = mailcert_addresses(cert, addresses);
	return ca_issue(e, &w->arena, &wish, hand_over, w, ret_cert, why);
}

static int note_failure(struct env *e, struct renewal *w, const struct why *why)
{
	struct putting_off p = { .id = w->id, .failures = w->row.failures + 1 };

	p.renew_us = errand_retry_us(p.failures, clock_now_us());
	LOG(NULL, LOG_WARNING, "PKI", "ca.renew", log_span("account", w->account.address),
		log_int("certificate", w->id), log_str("outcome", "failed"),
		log_str("reason", why->text), log_int("failures", p.failures));
	return err_fold(store_write(e->store, put_off, &p));
}

/* Never again. */
static int end_renewal(struct env *e, struct renewal *w, enum log_level level, const char *reason)
{
	struct putting_off never = { .id = w->id };

	LOG(NULL, level, "PKI", "ca.renew", log_span("account", w->account.address),
		log_int("certificate", w->id), log_str("outcome", "ended"),
		log_str("reason", reason));
	return err_fold(store_write(e->store, put_off, &never));
}

static int renew_found(struct env *e, struct renewal *w)
{
	struct putting_off unused = { .id = w->id, .renew_us = w->now_us + hour_us };
	struct ca_certificate made = {};
	struct why why = {};
	int r = store_read(e->store, find_renewal, w);

	if (r)
		return err_fold(r);
	if (w->is_damaged)
		return end_renewal(e, w, LOG_ERROR, "the stored certificate is damaged");
	if (!w->key || w->row.revoked_us || w->row.successor)
		return end_renewal(e, w, LOG_INFO, "the account does not have the key any more");
	if (!w->is_used) { /* now: looked at again, but not with each errand */
		unused.failures = w->row.failures;
		return err_fold(store_write(e->store, put_off, &unused));
	}
	r = issue_again(e, w, &made, &why);
	if (r < 0)
		why_set(&why, "something failed here");
	if (r)
		return note_failure(e, w, &why);
	LOG(NULL, LOG_INFO, "PKI", "ca.renew", log_span("account", w->account.address),
		log_int("certificate", w->id), log_str("outcome", "done"),
		log_int("successor", made.id));
	return ca_tell_renewed(e, &w->account, w->row.address, made.der);
}

static int tend_renewals(struct env *e)
{
	struct due due = { .now_us = clock_now_us() };
	int r = 0;

	TRY(store_read(e->store, find_renewals, &due));
	for (size_t i = 0; i < due.n && !atomic_load(&e->ca->errand.stop); i++) {
		struct renewal w = { .env = e,
			.id = due.list[i].id,
			.now_us = due.now_us,
			.is_used = due.list[i].certain };
		int one = renew_found(e, &w);

		arena_done(&w.arena);
		if (one)
			r = one;
	}
	return r;
}

static int has_unread(struct store_conn *c, void *arg)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct store_issued row;
	int r = store_issued_without_key(c, &arena, &row);

	*(bool *)arg = r == 0;
	return r < 0 ? r : 0;
}

static int note_some(struct store_conn *c, void *arg)
{
	return ca_note(c, NOTED_AT_ONCE, arg);
}

/* Rows that an earlier version has written, a few at a time: others write, too. */
static int tend_rows(struct env *e)
{
	bool more = false;

	TRY(store_read(e->store, has_unread, &more));
	while (more && !atomic_load(&e->ca->errand.stop))
		TRY(store_write(e->store, note_some, &more));
	return 0;
}

int ca_tend(struct env *e)
{
	/* Each of them whatever became of the others: lists must not end because a row is damaged. */
	int rows = tend_rows(e), lists = tend_lists(e), renewals = tend_renewals(e);
	int warnings = ca_warn(e);

	return lists ? lists : renewals ? renewals : warnings ? warnings : rows;
}
