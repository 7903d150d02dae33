/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/ca_moved.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/map.h"
#include "store/account.h"
#include "store/domain.h"
#include "store/route_back.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/ca.h"
#include "svc/ca_parts.h"
#include "svc/env.h"

#include <stdlib.h>

enum { WARNINGS_MAX = 100 };

/* An address of a certificate, and where it led before. */
struct watched {
	int64_t issued, account;
	struct span local, domain;
	uint64_t target;
};

void ca_moved_done(struct ca_moved *m)
{
	buf_done(&m->watched);
	arena_done(&m->arena);
}

/* Where mail for an address goes, as a number that is another one if it goes elsewhere: the sum of hashes
 * that nobody can foresee, since the order of an alias's targets does not matter. */
static uint64_t number_of(const struct route *route)
{
	uint64_t number = route->kind;

	for (size_t i = 0; i < route->n_targets; i++) {
		const struct route_target *t = &route->targets[i];

		number += t->account ? map_hash(span_of(&t->account, sizeof t->account)) :
				       map_hash(t->address);
	}
	return number;
}

struct looking {
	struct ca_moved *moved;
	struct store_conn *conn;
	struct settings *settings;
	struct span searched; /* a name's local part; empty: all of a domain */
	struct buf found;     /* struct watched, by certificate */
};

/* The target as a number, and whether the certificate's account is the only one who gets it. */
static int look_up(struct looking *l, const struct watched *w, uint64_t *ret_target, bool *ret_alone)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct route route = {};
	int r = store_route(l->conn, &arena, w->local, w->domain, l->settings->subaddress_separators,
		&route);

	if (r && r != STORE_E_LIMIT) /* that leads to nobody */
		return err_fold(r);
	*ret_target = r ? UINT64_MAX : number_of(&route);
	*ret_alone = !r && route.kind == ROUTE_ACCOUNT && route.n_targets == 1 &&
		     route.targets[0].account == w->account;
	return 0;
}

/* "orders" is not asked for by "orderschema", only by "orders+schema". */
static bool asks(const struct looking *l, struct span local)
{
	struct span separators = span_str(l->settings->subaddress_separators);
	struct span rest = span_skip(local, l->searched.n);

	return !l->searched.n || !rest.n || span_find(separators, rest.p[0]) < separators.n;
}

static int watch(const struct store_issued_address *row, void *context)
{
	struct looking *l = context;
	struct watched w = { .issued = row->issued, .account = row->account };
	bool alone;

	if (!asks(l, row->local))
		return 0;
	w.local = arena_span(&l->moved->arena, row->local);
	w.domain = arena_span(&l->moved->arena, row->domain);
	TRY(look_up(l, &w, &w.target, &alone));
	buf_add(&l->moved->watched, span_of(&w, sizeof w));
	return 0;
}

static int watch_names(struct looking *l, struct route_names *names)
{
	const struct route_name *list;
	size_t n;

	TRY(route_names_follow(names, l->conn, l->settings->subaddress_separators));
	list = (const struct route_name *)(const void *)buf_span(&names->list).p;
	n = buf_size(&names->list) / sizeof *list;
	for (size_t i = 0; i < n; i++) {
		l->searched = list[i].local;
		TRY(store_issued_address_each(l->conn, list[i].domain, list[i].local,
			clock_now_us(), watch, l));
	}
	return 0;
}

int ca_moved_before(struct ca_moved *m, struct env *e, struct store_conn *c, struct route_names *names)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(e->store);
	struct looking l = { .moved = m, .conn = c, .settings = settings };
	bool has_any;

	m->env = e;
	/* Where nobody has certificates, nobody's aliases are gone through for them. */
	TRY(store_issued_has_addresses(c, &has_any));
	return has_any ? watch_names(&l, names) : 0;
}

static int by_certificate(const void *a, const void *b)
{
	const struct watched *x = a, *y = b;

	return (x->issued > y->issued) - (x->issued < y->issued);
}

/* Each certificate once, in the order in which they were made. */
static void sort(struct buf *found)
{
	struct watched *list = (struct watched *)(void *)(found->p + found->start);
	size_t n = buf_size(found) / sizeof *list, n_kept = 0;

	if (!n)
		return;
	qsort(list, n, sizeof *list, by_certificate);
	for (size_t i = 0; i < n; i++) {
		if (!n_kept || list[n_kept - 1].issued != list[i].issued)
			list[n_kept++] = list[i];
	}
	buf_cut(found, n_kept * sizeof *list);
}

static int find_moved(struct looking *l)
{
	const struct watched *list =
		(const struct watched *)(const void *)buf_span(&l->moved->watched).p;
	size_t n = buf_size(&l->moved->watched) / sizeof *list;

	for (size_t i = 0; i < n; i++) {
		uint64_t target;
		bool alone;

		TRY(look_up(l, &list[i], &target, &alone));
		if (target != list[i].target && !alone)
			buf_add(&l->found, span_of(&list[i], sizeof list[i]));
	}
	sort(&l->found);
	return 0;
}

/* Calls each() with what has moved; context is for it. */
static int each_moved(struct ca_moved *m, struct store_conn *c,
	int (*each)(struct ca_moved *m, struct store_conn *c, const struct watched *w, void *context),
	void *context)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(m->env->store);
	struct looking l = { .moved = m, .conn = c, .settings = settings };
	const struct watched *list;
	int r = find_moved(&l);

	list = (const struct watched *)(const void *)buf_span(&l.found).p;
	for (size_t i = 0; !r && i < buf_size(&l.found) / sizeof *list; i++)
		r = each(m, c, &list[i], context);
	buf_done(&l.found);
	return r;
}

struct warning {
	struct buf *out;
	size_t n;
};

static int add_warning(struct ca_moved *m, struct store_conn *c, const struct watched *w,
	const struct store_issued *row, struct buf *out)
{
	CLEANUP(buf_done) struct buf serial = {};
	struct store_account account;

	TRY(store_account_get(c, &m->arena, row->account, &account));
	enc_hex(&serial, row->serial);
	buf_add(out, account.address);
	buf_add_string(out, " keeps a certificate for ");
	buf_add(out, w->local);
	buf_add_octet(out, '@');
	buf_add(out, w->domain);
	buf_add_string(out, ", valid until ");
	clock_add_rfc3339(out, row->not_after_us);
	buf_add_string(out, ", and can sign as that address; ");
	TRY(ca_add_revoke(c, row->authority, buf_span(&serial), out));
	buf_add_string(out, " --reason affiliationChanged\n");
	return 0;
}

static int warn(struct ca_moved *m, struct store_conn *c, const struct watched *w, void *context)
{
	struct warning *warning = context;
	struct store_issued row;

	TRY(store_issued_get(c, &m->arena, w->issued, &row));
	/* With its account, or by somebody else, since it was looked at. */
	if (!row.account || row.revoked_us)
		return 0;
	return warning->n++ < WARNINGS_MAX ? add_warning(m, c, w, &row, warning->out) : 0;
}

int ca_moved_warn(struct ca_moved *m, struct store_conn *c, struct buf *warnings)
{
	struct warning warning = { .out = warnings };

	TRY(each_moved(m, c, warn, &warning));
	if (warning.n > WARNINGS_MAX)
		buf_add_format(warnings, "and %zu more certificates are for addresses that lead"
			" elsewhere now: signet ca list\n", warning.n - WARNINGS_MAX);
	return 0;
}

struct ending {
	enum issued_reason reason;
	unsigned n_revoked;
};

static int revoke(struct ca_moved *m, struct store_conn *c, const struct watched *w, void *context)
{
	struct ending *ending = context;
	int64_t n;
	int r = ca_revoke(m->env, c, w->issued, ending->reason, &n);

	/* A moment ago, with another one of its key or its account. */
	if (r == STORE_E_STALE)
		return 0;
	TRY(r);
	ending->n_revoked += (unsigned)n;
	return 0;
}

int ca_moved_revoke(struct ca_moved *m, struct store_conn *c, enum issued_reason reason,
	unsigned *ret_revoked)
{
	struct ending ending = { .reason = reason };

	TRY(each_moved(m, c, revoke, &ending));
	*ret_revoked = ending.n_revoked;
	return 0;
}
