/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/route_back.h"

#include "store/domain.h"
#include "store/domain_rows.h"
#include "store/name.h"
#include "store/store.h"

void route_names_done(struct route_names *n)
{
	map_done(&n->known, NULL);
	buf_done(&n->list);
	arena_done(&n->arena);
}

static struct span key_of(const struct route_name *name, struct buf *out)
{
	buf_add(out, name->local);
	buf_add_octet(out, '@');
	buf_add(out, name->domain);
	return buf_span(out);
}

static void add(struct route_names *n, struct span local, struct span domain)
{
	CLEANUP(buf_done) struct buf key = {};
	struct route_name name = { .local = name_local(&n->arena, local),
		.domain = name_lower(&n->arena, domain) };

	if (!map_put(&n->known, key_of(&name, &key), n))
		buf_add(&n->list, span_of(&name, sizeof name));
}

static bool knows(const struct route_names *n, struct span local, struct span domain)
{
	CLEANUP(buf_done) struct buf key = {};
	struct route_name name = { .local = local, .domain = domain };

	return map_get(&n->known, key_of(&name, &key)) != NULL;
}

void route_names_add_domain(struct route_names *n, struct span name)
{
	add(n, SPAN(""), name);
}

struct adding {
	struct route_names *names;
	struct store_conn *conn;
	struct span local;
};

static int add_alias(struct span domain, void *context)
{
	struct adding *a = context;

	add(a->names, a->local, domain);
	return 0;
}

static int add_in_domain(const struct store_domain *domain, void *context)
{
	struct adding *a = context;

	add(a->names, a->local, span_str(domain->name));
	return store_domain_alias_each(a->conn, domain->id, add_alias, a);
}

int route_names_add_address(struct route_names *n, struct store_conn *c, int64_t domain,
	struct span local)
{
	struct adding a = { .names = n, .conn = c, .local = local };
	struct store_domain row;

	/* The main domain's is that of domains without one. */
	if (span_is_nocase(local, "postmaster"))
		return route_names_add_postmaster(n, c);
	TRY(store_domain_get(c, &n->arena, domain, &row));
	return add_in_domain(&row, &a);
}

int route_names_add_postmaster(struct route_names *n, struct store_conn *c)
{
	struct adding a = { .names = n, .conn = c, .local = SPAN("postmaster") };

	return store_domain_each(c, add_in_domain, &a);
}

struct following {
	struct route_names *names;
	struct store_conn *conn;
	struct span separators;
};

/* Whether looking the address up may ask for one of the names. */
static bool asks(const struct following *f, struct span address)
{
	CLEANUP(arena_done) struct arena a = {};
	const uint8_t *at = memrchr(address.p, '@', address.n);
	struct span domain, local;

	if (!at)
		return false;
	domain = name_lower(&a, span_skip(address, (size_t)(at - address.p) + 1));
	local = name_local(&a, span_head(address, (size_t)(at - address.p)));
	if (knows(f->names, SPAN(""), domain) || knows(f->names, local, domain))
		return true;
	for (size_t i = 1; i < local.n; i++) {
		if (span_find(f->separators, local.p[i]) < f->separators.n &&
			knows(f->names, span_head(local, i), domain))
			return true;
	}
	return false;
}

static int follow_alias(struct span address, struct span targets, void *context)
{
	struct following *f = context;
	size_t n_local = span_find(address, '@');
	struct span local = span_head(address, n_local), name = span_skip(address, n_local + 1);
	int64_t domain;

	if (knows(f->names, local, name))
		return 0;
	while (targets.n) {
		if (!asks(f, span_cut(&targets, ',')))
			continue;
		TRY(domain_id(f->conn, name, &domain));
		return route_names_add_address(f->names, f->conn, domain, local);
	}
	return 0;
}

int route_names_follow(struct route_names *n, struct store_conn *c, const char *separators)
{
	struct following f = { .names = n, .conn = c, .separators = span_str(separators) };
	size_t before;

	do {
		before = buf_size(&n->list);
		TRY(store_alias_each(c, 0, follow_alias, &f));
	} while (buf_size(&n->list) > before);
	return 0;
}
