/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/recipient_certs.h"

#include "base/clock.h"
#include "mail/own_cert.h"
#include "mime/address.h"
#include "smime/capability.h"
#include "smime/cert_cache.h"
#include "store/account.h"
#include "store/contact_rows.h"
#include "store/domain.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/contacts.h"
#include "svc/env.h"

const char *recipient_source_name(enum recipient_source source)
{
	static const char *const names[] = {
		[RECIPIENT_FROM_NOWHERE] = "none",
		[RECIPIENT_FROM_BOOK] = "address-book",
		[RECIPIENT_FROM_ACCOUNT] = "account",
		[RECIPIENT_FROM_DIRECTORY] = "directory",
	};

	return names[source];
}

/* In the order in which they are asked. */
static const struct recipient_directory directories[] = { {} };

/* A certificate as it was found, before it is looked at. */
struct candidate {
	struct candidate *next;
	struct span der, chain, capabilities;
	bool anyway; /* the user has said so: neither path nor address are asked for again */
};

struct candidates {
	struct candidate *first, **end;
};

struct lookup {
	struct env *env;
	struct arena *arena;
	int64_t account, domain;
	int64_t now_us;
	const struct span *addresses;
	size_t n;
	struct recipient_cert *found;
	struct candidates *book, *local; /* by address */
	struct why *revoked;             /* by address: that an account's certificate is */
	struct contact_trust *trust;
};

static void candidate_add(struct lookup *l, struct candidates *to, struct candidate candidate)
{
	struct candidate *k = ARENA_ALLOC(l->arena, struct candidate);

	*k = candidate;
	k->next = NULL;
	if (!to->first)
		to->end = &to->first;
	*to->end = k;
	to->end = &k->next;
}

struct book_context {
	struct lookup *l;
	size_t i;
};

static int see_book_cert(const struct store_contact_cert *cert, void *context)
{
	struct book_context *b = context;
	struct lookup *l = b->l;

	if (cert->state == CERT_WAITING) {
		l->found[b->i].waiting = true;
		return 0;
	}
	candidate_add(l, &l->book[b->i],
		(struct candidate){
			.der = arena_span(l->arena, cert->der),
			.chain = arena_span(l->arena, cert->chain),
			.capabilities = arena_span(l->arena, cert->capabilities),
			.anyway = cert->state == CERT_ANYWAY,
		});
	return 0;
}

/* The account that mail for the address ends in, if it is one; aliases are followed. */
static int local_account(struct store_conn *c, struct lookup *l, struct span address,
	int64_t *ret_account)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(store_of(c));
	struct address_name name;
	struct route route;
	int r;

	*ret_account = 0;
	if (address_normalize(address, &name))
		return 0;
	r = store_route(c, l->arena, address_name_local(&name), address_name_domain(&name),
		settings->subaddress_separators, &route);
	if (r == STORE_E_LIMIT)
		return 0;
	if (r)
		return err_fold(r);
	if (route.kind == ROUTE_ACCOUNT && route.n_targets == 1)
		*ret_account = route.targets[0].account;
	return 0;
}

/* An account of this server: which certificate of its is used is the same for whoever asks. */
static int read_local(struct store_conn *c, struct lookup *l, size_t i)
{
	CLEANUP(own_cert_done) struct own_cert own = {};
	struct own_cert_wish wish = {
		.use = OWN_CERT_ENCRYPT,
		.address = l->addresses[i],
		.now_us = l->now_us,
		.cache = l->env->mail_certs,
	};
	int r;

	l->revoked[i] = (struct why){};
	TRY(local_account(c, l, l->addresses[i], &wish.account));
	if (!wish.account)
		return 0;
	r = own_cert_find(c, &wish, &own);
	if (r == STORE_E_NOT_FOUND)
		return 0;
	TRY(r);
	if (own.fault == OWN_CERT_REVOKED)
		l->revoked[i] = own.why;
	else if (own.cert)
		/* The account is known to be the address's, and whose certificate it is, this
		 * server knows. What else is wrong with it, judge() says. */
		candidate_add(l, &l->local[i],
			(struct candidate){ .der = arena_span(l->arena, cert_der(own.cert)),
				.anyway = true });
	return 0;
}

static int lookup_read(struct store_conn *c, void *arg)
{
	struct lookup *l = arg;
	struct store_account account;
	int r = store_account_get(c, l->arena, l->account, &account);

	if (r)
		return r;
	l->domain = account.domain;
	for (size_t i = 0; i < l->n; i++) {
		struct book_context b = { l, i };

		l->found[i].waiting = false;
		l->book[i] = l->local[i] = (struct candidates){};
		TRY(store_contact_cert_each(c, l->account, l->addresses[i], -1, see_book_cert, &b));
		TRY(read_local(c, l, i));
	}
	return 0;
}

static void say_why(struct lookup *l, struct recipient_cert *found, enum recipient_fault fault,
	const char *text)
{
	/* The first that was looked at is the nearest and the newest: its fault is the one to tell.
	 */
	if (found->reason.n)
		return;
	found->fault = fault;
	found->reason = arena_span(l->arena, span_str(text));
}

static int judge(struct lookup *l, struct recipient_cert *found, struct cert *cert,
	const struct candidate *k, bool *ret_good)
{
	CLEANUP(cert_list_done) struct cert_list chain = {};
	struct why why = {};
	enum recipient_fault fault = recipient_check(cert, SPAN(""), l->now_us, &why);
	int r;

	*ret_good = false;
	/* Case never matters here in a local part, as nowhere else in an address book. */
	if (!fault && !k->anyway && !contact_cert_is_for(cert, found->address)) {
		fault = RECIPIENT_ADDRESS;
		why_set(&why, "the certificate is for another address");
	}
	if (fault) {
		say_why(l, found, fault, why.text);
		return 0;
	}
	if (!k->anyway) {
		if (cert_list_from_der(&chain, k->chain, NULL))
			chain = (struct cert_list){};
		r = contact_trust_judge(l->trust, cert, &chain, &why);
		if (r < 0)
			return r;
		if (r) {
			say_why(l, found, RECIPIENT_NONE, why.text);
			return 0;
		}
	}
	*ret_good = true;
	return 0;
}

/* What the holder's mail program reads: as its signatures say, else as the certificate says (RFC
 * 4262); of accounts of this server else what is read here. */
static int set_capabilities(struct lookup *l, struct recipient_cert *found, const struct cert *cert,
	const struct candidate *k)
{
	CLEANUP(buf_done) struct buf own = {};
	struct span der = k->capabilities.n ? k->capabilities : capability_of_cert(cert);

	if (!der.n && found->source == RECIPIENT_FROM_ACCOUNT) {
		TRY(capability_add(&own));
		der = buf_span(&own);
	}
	found->capabilities = arena_span(l->arena, der);
	return 0;
}

/* The first candidate that is fit. */
static int choose(struct lookup *l, struct recipient_cert *found, const struct candidates *among,
	enum recipient_source source)
{
	for (const struct candidate *k = among->first; k && !found->cert; k = k->next) {
		CLEANUP(cert_unrefp) struct cert *cert = NULL;
		bool good;
		int r = cert_cache_read(l->env->mail_certs, k->der, &cert, NULL);

		if (r < 0)
			return r;
		if (r)
			continue; /* a newer reader is stricter than the one that let it in */
		TRY(judge(l, found, cert, k, &good));
		if (!good)
			continue;
		found->source = source;
		found->taken_anyway = k->anyway && source == RECIPIENT_FROM_BOOK;
		TRY(set_capabilities(l, found, cert, k));
		found->cert = TAKE(cert);
		found->fault = RECIPIENT_FIT;
		found->reason = (struct span){};
	}
	return 0;
}

static int ask_directories(struct env *e, struct lookup *l, struct recipient_cert *found)
{
	for (const struct recipient_directory *d = directories; d->name && !found->cert; d++) {
		CLEANUP(cert_list_done) struct cert_list certs = {};
		struct candidates among = {};

		TRY(d->find(e, l->domain, found->address, &certs));
		for (size_t i = 0; i < certs.n; i++)
			candidate_add(l, &among,
				(struct candidate){
					.der = arena_span(l->arena, cert_der(certs.certs[i])) });
		TRY(choose(l, found, &among, RECIPIENT_FROM_DIRECTORY));
	}
	return 0;
}

static int find_one(struct env *e, struct lookup *l, size_t i)
{
	struct recipient_cert *found = &l->found[i];

	TRY(choose(l, found, &l->book[i], RECIPIENT_FROM_BOOK));
	if (!found->cert)
		TRY(choose(l, found, &l->local[i], RECIPIENT_FROM_ACCOUNT));
	if (!found->cert)
		TRY(ask_directories(e, l, found));
	if (!found->cert && l->revoked[i].text[0])
		say_why(l, found, RECIPIENT_REVOKED, l->revoked[i].text);
	if (!found->cert)
		say_why(l, found, RECIPIENT_NONE,
			found->waiting ? "a certificate of this address waits for your decision"
				       : "no certificate of this address is known");
	return 0;
}

int recipient_certs_find(struct env *e, struct arena *a, int64_t account,
	const struct span *addresses, size_t n, struct recipient_cert *ret_certs)
{
	struct lookup l = {
		.env = e,
		.arena = a,
		.account = account,
		.now_us = clock_now_us(),
		.addresses = addresses,
		.n = n,
		.found = ret_certs,
		.book = arena_alloc(a, (n + 1) * sizeof *l.book),
		.local = arena_alloc(a, (n + 1) * sizeof *l.local),
		.revoked = arena_alloc(a, (n + 1) * sizeof *l.revoked),
	};
	int r;

	for (size_t i = 0; i < n; i++)
		ret_certs[i] = (struct recipient_cert){ .address = addresses[i] };
	TRY(store_read(e->store, lookup_read, &l));
	TRY(contact_trust_new(&l.trust, e, l.domain));
	r = 0;
	for (size_t i = 0; i < n && !r; i++)
		r = find_one(e, &l, i);
	(void)contact_trust_free(l.trust);
	if (r)
		recipient_certs_done(ret_certs, n);
	return r;
}

void recipient_certs_done(struct recipient_cert *certs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		(void)cert_unref(certs[i].cert);
		certs[i].cert = NULL;
	}
}
