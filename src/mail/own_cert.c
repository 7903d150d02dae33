/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * All certificates in the order in which they are preferred, then the first that is fit. Whether one
 * was revoked is asked of the database only of what is fit otherwise, each time: nothing about that
 * is kept, so a revocation holds from its transaction on.
 */

#include "mail/own_cert.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "pki/altname.h"
#include "pki/mailcert.h"
#include "smime/cert_cache.h"
#include "smime/recipient.h"
#include "smime/sign.h"
#include "store/ca_rows.h"
#include "store/store.h"

#include <stdlib.h>

enum { CANDIDATES_MAX = SECURE_KEYS_MAX * SECURE_CERTS_MAX, ADDRESS_SHOWN = 200 };

struct candidate {
	struct cert *cert;
	int64_t id, key;
	bool is_for_address, is_of_current;
};

struct own_search {
	struct store_conn *conn;
	const struct own_cert_wish *wish;
	const struct store_secure *secure;
	struct candidate *list;
	size_t n;
};

static void own_search_done(struct own_search *f)
{
	for (size_t i = 0; i < f->n; i++)
		(void)cert_unref(f->list[i].cert);
	free(f->list);
}

static bool covers(const struct cert *cert, struct span address)
{
	const struct path_name name = { PATH_EMAIL, address };

	return address.n && altname_covers(cert, &name);
}

static bool is_for_address(const struct own_search *f, const struct cert *cert)
{
	if (f->wish->address.n)
		return covers(cert, f->wish->address);
	return covers(cert, f->secure->address) || covers(cert, f->secure->from);
}

static bool is_wanted(const struct own_cert_wish *wish, int64_t key)
{
	for (size_t i = 0; wish->keys && i < wish->n_keys; i++) {
		if (wish->keys[i] == key)
			return true;
	}
	return !wish->keys;
}

/* Whether a is to be used rather than b. */
static bool is_before(const struct candidate *a, const struct candidate *b)
{
	if (a->is_for_address != b->is_for_address)
		return a->is_for_address;
	if (a->is_of_current != b->is_of_current)
		return a->is_of_current;
	if (cert_not_before_us(a->cert) != cert_not_before_us(b->cert))
		return cert_not_before_us(a->cert) > cert_not_before_us(b->cert);
	return a->id > b->id;
}

static int see_cert(const struct store_secure_cert *row, bool of_current, void *context)
{
	struct own_search *f = context;
	struct candidate k = { .id = row->id, .key = row->key, .is_of_current = of_current };
	size_t i = f->n;
	int r;

	if (f->n == CANDIDATES_MAX || !is_wanted(f->wish, row->key))
		return 0;
	r = cert_cache_read(f->wish->cache, row->der, &k.cert, NULL);
	if (r) /* a newer reader is stricter than the one that let it in */
		return r < 0 ? r : 0;
	k.is_for_address = is_for_address(f, k.cert);
	if ((f->n & (f->n - 1)) == 0)
		f->list = alloc_array(f->list, f->n ? 2 * f->n : 1, sizeof *f->list);
	for (; i > 0 && is_before(&k, &f->list[i - 1]); i--)
		f->list[i] = f->list[i - 1];
	f->list[i] = k;
	f->n++;
	return 0;
}

int own_cert_issued(struct store_conn *c, struct arena *a, const struct cert *cert,
	struct store_issued *ret_row)
{
	struct store_issued row;
	int r = store_issued_by_serial(c, a, cert_serial(cert), &row);

	/* Somebody else's authority may have given the number, too. */
	if (!r && !span_equal(row.der, cert_der(cert)))
		r = STORE_E_NOT_FOUND;
	if (!r)
		*ret_row = row;
	return r;
}

/* What is wrong with it but for its time: asked as of its beginning. */
static enum own_cert_fault check_use(const struct cert *cert, enum own_cert_use use,
	struct why *why)
{
	int64_t at_us = cert_not_before_us(cert);

	if (use == OWN_CERT_ENCRYPT)
		return recipient_check(cert, (struct span){}, at_us, why) ? OWN_CERT_UNFIT
									   : OWN_CERT_FIT;
	return sign_check_cert(cert, at_us, why) ? OWN_CERT_UNFIT : OWN_CERT_FIT;
}

static enum own_cert_fault check_time(const struct cert *cert, int64_t now_us, struct why *why)
{
	switch (recipient_check_time(cert, now_us, why)) {
	case RECIPIENT_FIT:
		return OWN_CERT_FIT;
	case RECIPIENT_NOT_YET:
		return OWN_CERT_NOT_YET;
	default:
		return OWN_CERT_EXPIRED;
	}
}

static int check_revocation(struct own_search *f, const struct cert *cert,
	enum own_cert_fault *ret_fault, bool *ret_compromised, struct why *why)
{
	CLEANUP(arena_done) struct arena arena = {};
	CLEANUP(buf_done) struct buf when = {};
	struct store_issued row;
	const char *reason;
	int r = own_cert_issued(f->conn, &arena, cert, &row);

	*ret_fault = OWN_CERT_FIT;
	if (r == STORE_E_NOT_FOUND)
		return 0;
	TRY(r);
	if (!row.revoked_us)
		return 0;
	reason = store_issued_reason_name(row.reason);
	clock_add_rfc3339(&when, row.revoked_us);
	recipient_why(cert, why, "was revoked at %.*s%s%s%s", (int)buf_size(&when),
		(const char *)buf_span(&when).p, reason ? " (" : "", reason ? reason : "",
		reason ? ")" : "");
	*ret_fault = OWN_CERT_REVOKED;
	*ret_compromised = row.reason == REASON_KEY_COMPROMISE;
	return 0;
}

static int check(struct own_search *f, const struct candidate *k, enum own_cert_fault *ret_fault,
	bool *ret_compromised, struct why *why)
{
	const struct own_cert_wish *w = f->wish;
	enum own_cert_fault fault = check_use(k->cert, w->use, why);

	if (!fault && w->use == OWN_CERT_SIGN && !k->is_for_address) {
		struct span address = w->address.n ? w->address : f->secure->address;

		address = span_head_utf8(address, ADDRESS_SHOWN);
		recipient_why(k->cert, why, "is not for the address %.*s", (int)address.n,
			(const char *)address.p);
		fault = OWN_CERT_ADDRESS;
	}
	if (!fault)
		fault = check_time(k->cert, w->now_us, why);
	if (!fault)
		return check_revocation(f, k->cert, ret_fault, ret_compromised, why);
	*ret_fault = fault;
	return 0;
}

/* The first that is fit, else the one that fails the last of the checks. */
static int choose(struct own_search *f, struct own_cert *own)
{
	own->fault = OWN_CERT_NONE;
	why_set(&own->why, "the account has no Secure Mail certificate: generate or import a key first");
	for (size_t i = 0; i < f->n; i++) {
		const struct candidate *k = &f->list[i];
		enum own_cert_fault fault;
		bool compromised = false;
		struct why why = {};

		TRY(check(f, k, &fault, &compromised, &why));
		if (fault && own->cert && fault <= own->fault)
			continue;
		(void)cert_unref(own->cert);
		own->cert = cert_ref(k->cert);
		own->id = k->id;
		own->key = k->key;
		own->fault = fault;
		own->why = why;
		own->key_compromised = compromised;
		if (!fault)
			return 0;
	}
	return 0;
}

int own_cert_find(struct store_conn *c, const struct own_cert_wish *wish, struct own_cert *ret_own)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct store_secure secure;
	CLEANUP(own_search_done)
	struct own_search f = { .conn = c, .wish = wish, .secure = &secure };
	CLEANUP(own_cert_done) struct own_cert own = {};
	int r = store_secure_get(c, &arena, wish->account, &secure);

	if (r)
		return r;
	own.cipher = secure.cipher;
	if (!secure.enabled) {
		own.fault = OWN_CERT_OFF;
		why_set(&own.why,
			"Secure Mail is switched off for this account; an administrator may switch "
			"it on");
	} else {
		TRY(store_secure_cert_present(c, wish->account, see_cert, &f));
		TRY(choose(&f, &own));
	}
	*ret_own = own;
	own.cert = NULL; /* it is the caller's now */
	return 0;
}

static int is_found(struct store_conn *c, const struct own_cert_wish *wish, const struct cert *cert,
	bool *ret_is)
{
	CLEANUP(own_cert_done) struct own_cert own = {};
	int r = own_cert_find(c, wish, &own);

	if (!r)
		*ret_is = !own.fault && span_equal(cert_der(own.cert), cert_der(cert));
	return r;
}

int own_cert_is_used(struct store_conn *c, const struct own_cert_wish *wish, const struct cert *cert,
	bool *ret_is)
{
	static const enum own_cert_use uses[] = { OWN_CERT_SIGN, OWN_CERT_ENCRYPT };
	struct span addresses[MAILCERT_ADDRESSES_MAX + 1];
	size_t n = mailcert_addresses(cert, addresses);
	struct own_cert_wish asked = { .account = wish->account,
		.now_us = wish->now_us,
		.cache = wish->cache };
	bool is = false;

	if (asked.now_us > cert_not_after_us(cert))
		asked.now_us = cert_not_after_us(cert);
	addresses[n++] = (struct span){}; /* the account's */
	for (size_t i = 0; !is && i < 2 * n; i++) {
		int r;

		asked.address = addresses[i / 2];
		asked.use = uses[i % 2];
		r = is_found(c, &asked, cert, &is);
		if (r)
			return r;
	}
	*ret_is = is;
	return 0;
}

void own_cert_done(struct own_cert *own)
{
	own->cert = cert_unref(own->cert);
}

const char *own_cert_remedy(const struct own_cert *own)
{
	switch (own->fault) {
	case OWN_CERT_UNFIT:
		return "generate a key, or import one that is";
	case OWN_CERT_ADDRESS:
		return "send from another address, or get a certificate for this one";
	case OWN_CERT_EXPIRED:
		return "renew it in the settings of Secure Mail (signet smime renew)";
	case OWN_CERT_REVOKED:
		return own->key_compromised
			       ? "make a new key in the settings of Secure Mail (signet smime "
				 "generate)"
			       : "renew it in the settings of Secure Mail (signet smime renew)";
	case OWN_CERT_FIT:
	case OWN_CERT_OFF:
	case OWN_CERT_NONE:
	case OWN_CERT_NOT_YET:
		return "";
	}
	return "";
}
