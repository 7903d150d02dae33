/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/ca_moved.h"

#include "base/clock.h"
#include "mime/address.h"
#include "pki/mailcert.h"
#include "smime/cert_cache.h"
#include "store/account.h"
#include "store/domain.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/ca.h"
#include "svc/env.h"

/* One of them; the rows are read first, since revoking writes to them. */
struct stale {
	int64_t id;
	int64_t authority, account;
	struct span serial, address; /* as text */
	int64_t not_after_us;
};

struct looking {
	struct env *env;
	const struct ca_moved *moved;
	struct store_conn *conn;
	struct arena arena;
	const char *separators;
	struct buf found; /* struct stale */
};

/* Whether mail for the address comes to the account, and to nobody else. */
static int leads_to(struct looking *l, const struct address_name *name, int64_t account, bool *ret_does)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct route route;
	int r = store_route(l->conn, &arena, address_name_local(name), address_name_domain(name),
		l->separators, &route);

	*ret_does = !r && route.kind == ROUTE_ACCOUNT && route.n_targets == 1 &&
		    route.targets[0].account == account;
	return r < 0 ? r : 0;
}

static int look_at(struct looking *l, const struct store_issued *row, const struct cert *cert)
{
	struct span addresses[MAILCERT_ADDRESSES_MAX];
	size_t n = mailcert_addresses(cert, addresses);

	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_done) struct buf serial = {};
		struct address_name name;
		struct stale stale = { .id = row->id,
			.authority = row->authority,
			.account = row->account,
			.not_after_us = row->not_after_us };
		bool does;

		if (address_normalize(addresses[i], &name))
			continue;
		TRY(leads_to(l, &name, row->account, &does));
		if (does)
			continue;
		cert_add_serial(cert, &serial);
		stale.serial = arena_span(&l->arena, buf_span(&serial));
		stale.address = arena_span(&l->arena, addresses[i]);
		buf_add(&l->found, span_of(&stale, sizeof stale));
		return 0;
	}
	return 0;
}

static int see_issued(const struct store_issued *row, void *context)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct looking *l = context;
	int r = cert_cache_read(l->env->mail_certs, row->der, &cert, NULL);

	if (r)
		return r < 0 ? r : 0;
	return look_at(l, row, cert);
}

static int warn(struct looking *l, const struct stale *s, struct buf *out)
{
	CLEANUP(buf_done) struct buf until = {};
	struct store_account account;
	struct store_authority authority;

	TRY(store_account_get(l->conn, &l->arena, s->account, &account));
	TRY(store_authority_get(l->conn, &l->arena, s->authority, &authority));
	clock_add_rfc3339(&until, s->not_after_us);
	buf_add(out, account.address);
	buf_add_string(out, " keeps a certificate for ");
	buf_add(out, s->address);
	buf_add_string(out, ", valid until ");
	buf_add(out, buf_span(&until));
	buf_add_string(out, ", and can sign as that address; ");
	ca_add_revoke(&authority, s->serial, out);
	buf_add_string(out, " --reason affiliationChanged\n");
	return 0;
}

static int end_all(struct looking *l, struct buf *warnings, unsigned *ret_revoked)
{
	const struct stale *list = (const struct stale *)(const void *)buf_span(&l->found).p;
	size_t n = buf_size(&l->found) / sizeof *list;
	int64_t n_revoked;
	int r;

	*ret_revoked = 0;
	for (size_t i = 0; i < n; i++) {
		if (!l->moved->revokes) {
			TRY(warn(l, &list[i], warnings));
			continue;
		}
		r = ca_revoke(l->env, l->conn, list[i].id, l->moved->reason, &n_revoked);
		if (r == STORE_E_STALE) /* a moment ago, with another one of its key */
			continue;
		TRY(r);
		*ret_revoked += (unsigned)n_revoked;
	}
	return 0;
}

int ca_moved(struct env *e, struct store_conn *c, const struct ca_moved *m, struct buf *warnings,
	unsigned *ret_revoked)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(e->store);
	struct looking l = { .env = e,
		.moved = m,
		.conn = c,
		.separators = settings->subaddress_separators };
	int r = store_issued_valid(c, m->domain, clock_now_us(), see_issued, &l);

	if (!r)
		r = end_all(&l, warnings, ret_revoked);
	buf_done(&l.found);
	arena_done(&l.arena);
	return err_fold(r);
}
