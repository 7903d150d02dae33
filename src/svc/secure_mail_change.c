/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Changing keys. What is slow comes first, from what the rows were a moment ago: the password is
 * tried, keys are made, wrapped or rewrapped, certificates signed. Then everything is written in
 * one transaction, which refuses if the rows are others by now; so all keys of an account are under
 * one password at any time, and no certificate is issued for a key that was not kept.
 */

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "keyd/client.h"
#include "pki/chain.h"
#include "pki/mailcert.h"
#include "store/audit.h"
#include "store/store.h"
#include "svc/ca.h"
#include "svc/env.h"
#include "svc/known_certs.h"
#include "svc/secure_mail_parts.h"
#include "svc/trust.h"

#include <stdlib.h>

enum { RSA_BITS_GOOD = 2048, ID_SHOWN = 16 };

void secure_made_done(struct secure_made *m)
{
	buf_done(&m->warnings);
}

/* A key that is on its way, or a certificate for one that is there. */
struct adding {
	struct env *env;
	const struct secure_caller *who;
	const char *action; /* of the audit record */
	struct arena *arena;
	struct secure_account *account;
	struct store_secure_key row;     /* id: it is there already */
	const struct secure_key *before; /* the same key under a password that was forgotten */
	bool start_over;
	struct store_secure_cert cert; /* der empty: none */
	int64_t predecessor;           /* the certificate that is renewed (store_issued); 0: none */
	struct secure_made *made;
	int outcome; /* of the transaction, where somebody else reports it */
	struct why *why;
};

static int refuse(struct why *why, const char *text)
{
	why_set(why, "%s", text);
	return SECURE_E_REFUSED;
}

static void warn(struct adding *g, const char *text)
{
	if (!g->made)
		return;
	buf_add_string(&g->made->warnings, text);
	buf_add_octet(&g->made->warnings, '\n');
}

/* What the store's outcome is for a person. */
static int store_outcome(int r, struct why *why)
{
	switch (r) {
	case STORE_E_STALE:
	case STORE_E_NOT_FOUND:
		why_set(why, "the keys were changed by somebody else meanwhile; try again");
		return SECURE_E_CHANGED;
	case STORE_E_EXISTS:
		return refuse(why, "the account has this already");
	case STORE_E_LIMIT:
		why_set(why, "an account has at most %d keys, and a key %d certificates",
			SECURE_KEYS_MAX, SECURE_CERTS_MAX);
		return SECURE_E_REFUSED;
	default:
		return err_fold(r);
	}
}

static int add_cert(struct store_conn *c, struct adding *g)
{
	uint8_t digest[SHA256_OCTETS];
	int64_t id;
	int r;

	if (!g->cert.der.n)
		return 0;
	digest_sha256(g->cert.der, digest);
	g->cert.key = g->row.id;
	g->cert.sha256 = span_of(digest, sizeof digest);
	r = store_secure_cert_add(c, &g->cert, &id);
	/* The file of a key that is there brings the certificate that is there, too. */
	return r == STORE_E_EXISTS && g->made && g->made->was_there ? 0 : r;
}

/* A key whose password was forgotten came back with its file: it goes under the present one, with
 * what certificates it had. */
static int replace_before(struct store_conn *c, struct adding *g, int64_t *revision)
{
	if (!g->before)
		return 0;
	++*revision;
	return store_secure_key_remove(c, g->who->account, g->before->row.id);
}

static int add_certs_before(struct store_conn *c, struct adding *g)
{
	for (size_t i = g->before ? g->before->n_certs : 0; i > 0; i--) {
		struct store_secure_cert cert = g->before->certs[i - 1];
		int64_t id;
		int r;

		cert.key = g->row.id;
		r = span_equal(cert.der, g->cert.der) ? 0 : store_secure_cert_add(c, &cert, &id);
		if (r)
			return r;
	}
	return 0;
}

static int write_rows(struct store_conn *c, void *arg)
{
	struct adding *g = arg;
	int64_t revision = g->account->secure.revision;
	bool is_new = !g->made || !g->made->was_there;
	int r = 0;

	if (is_new && g->row.wrapped.n) {
		r = replace_before(c, g, &revision);
		if (!r)
			r = store_secure_key_add(c, &g->row, revision, g->start_over, &g->row.id);
		if (!r)
			r = add_certs_before(c, g);
	}
	if (!r)
		r = add_cert(c, g);
	if (!r)
		r = store_audit(c, g->who->actor, g->action, g->who->address,
			span_head(g->row.key_id, ID_SHOWN));
	g->outcome = r ? store_outcome(r, g->why) : 0;
	return r ? r : 0;
}

static int write(struct adding *g)
{
	int r = store_write(g->env->store, write_rows, g);

	return r < 0 ? r : g->outcome;
}

static int then_write(struct store_conn *c, const struct ca_certificate *cert, void *context,
	struct why *why)
{
	struct adding *g = context;
	int r;

	(void)why;
	g->cert.der = cert->der;
	g->cert.chain = cert->chain;
	g->cert.not_after_us = cert->not_after_us;
	g->cert.current = true;
	r = write_rows(c, g);
	return r;
}

static bool covers(const struct cert *cert, struct span address)
{
	struct cert_name name;

	for (size_t i = 0; cert_alt_name(cert, i, &name); i++)
		if (name.type == CERT_NAME_EMAIL && span_equal_nocase(name.text, address))
			return true;
	return false;
}

static int issue_for(struct adding *g, const struct span *addresses, size_t n, struct span spki)
{
	struct ca_wish wish = { .account = g->who->account,
		.addresses = addresses,
		.n_addresses = n,
		.spki = spki,
		.renews = true,
		.predecessor = g->predecessor };
	struct ca_certificate cert;
	int r;

	g->outcome = 0;
	r = ca_issue(g->env, g->arena, &wish, then_write, g, &cert, g->why);
	if (r > 0 && g->outcome)
		return g->outcome;
	return r == CA_E_NONE ? SECURE_E_NO_ISSUER : r ? r : 0;
}

/* CGPW-12: for the From address of the settings, if mail for it comes to the account, else for the
 * account's own. */
static int issue(struct adding *g, struct span spki)
{
	CLEANUP(buf_done) struct buf text = {};
	struct span from = g->account->secure.from;
	int r = from.n ? issue_for(g, &from, 1, spki) : SECURE_E_REFUSED;

	if (r != SECURE_E_REFUSED)
		return r;
	buf_add_format(&text,
		"the certificate is for the account's own address; for the From address of the "
		"settings the domain's authority issues none: %s",
		from.n ? g->why->text : "");
	buf_add_octet(&text, 0);
	r = issue_for(g, &g->account->secure.address, 1, spki);
	if (!r && from.n)
		warn(g, (const char *)buf_span(&text).p);
	return r;
}

/* What is renewed keeps its addresses, unless another one is asked for. */
static int issue_again(struct adding *g, const struct secure_key *key, struct span from)
{
	struct span addresses[MAILCERT_ADDRESSES_MAX];
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	size_t n = 0;
	int r;

	if (from.n)
		return issue_for(g, &from, 1, key->row.spki);
	if (key->n_certs) {
		TRY(cert_from_der(&cert, key->certs[0].der, g->why));
		n = mailcert_addresses(cert, addresses);
	}
	if (!n)
		return issue(g, key->row.spki);
	r = issue_for(g, addresses, n, key->row.spki);
	if (!r && g->account->secure.from.n && !covers(cert, g->account->secure.from))
		warn(g, "the certificate is for the same as the one before; one for the From address of"
			" the settings is asked for by name (signet smime renew --from)");
	return r;
}

/* Whether the password is that of the keys that are there. */
static int check_password(struct secure_act *act, const struct secure_account *a,
	struct span password, struct why *why)
{
	const struct secure_key *key = NULL;
	uint8_t holder[UNLOCKED_HOLDER];
	struct keyd_key *open = NULL;
	int r;

	for (size_t i = 0; i < a->n_keys && !key; i++)
		if (secure_key_is_present(a, &a->keys[i]))
			key = &a->keys[i];
	if (!key)
		return 0;
	secure_holder_for_now(holder);
	r = secure_open(act->env, &key->row, password, span_of(holder, sizeof holder), 1000, &open);
	if (r)
		r = secure_outcome_of(r, why);
	secure_act_tried(act, "smime.password", r);
	keyd_key_unref(open);
	return r;
}

static int check_type(const struct secure_new *new, enum key_type *ret_type, struct why *why)
{
	struct span type = new->type.n ? new->type : SPAN("rsa:3072");

	if (key_type_parse(type, ret_type) && *ret_type != KEY_ED25519)
		return 0;
	return refuse(why,
		"a Secure Mail key's type is rsa:2048, rsa:3072, rsa:4096, ec:p256 or ec:p384");
}

/* RSA that encrypts, or EC on a curve that CMS knows. */
static int check_kind(struct adding *g, struct span spki)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *public = NULL;
	CLEANUP(buf_done) struct buf type = {};

	TRY(key_from_spki(&public, spki, g->why));
	if (!key_is_ec(public) && !EVP_PKEY_is_a(public, "RSA"))
		return refuse(g->why,
			"keys of this kind cannot encrypt mail: an RSA or EC key is needed");
	if (key_is_rsa(public) && EVP_PKEY_get_bits(public) < RSA_BITS_GOOD)
		warn(g, "RSA keys of less than 2048 bits can be broken: use it to read old mail, "
			"and"
			" make a new one");
	key_add_name(public, &type);
	g->row.type = arena_span(g->arena, buf_span(&type));
	return 0;
}

static void take_made(struct adding *g, const struct keyd_made *made)
{
	g->row.account = g->who->account;
	g->row.key_id = arena_span(g->arena, span_str(made->key_id));
	g->row.spki = arena_span(g->arena, buf_span(&made->spki));
	g->row.wrapped = arena_span(g->arena, buf_span(&made->wrapped));
}

static int generate(struct adding *g, const struct secure_new *new, struct span password)
{
	CLEANUP(keyd_made_done) struct keyd_made made = {};
	CLEANUP(buf_done) struct buf owner = {};
	enum key_type type;
	int r = check_type(new, &type, g->why);

	if (r)
		return r;
	secure_owner(g->who->account, &owner);
	r = keyd_user_generate(g->env->keyd_user, type, buf_span(&owner), password, &made);
	if (r)
		return err_fold(r);
	take_made(g, &made);
	g->row.type = arena_span(g->arena, span_str(key_type_name(type)));
	g->row.current = true;
	return issue(g, g->row.spki);
}

/* The given certificates in order behind the leaf, as far as they belong there. */
static int order_chain(struct adding *g, const struct cert *leaf, const struct cert_list *given)
{
	CLEANUP(cert_list_done) struct cert_list known = {};
	CLEANUP(chain_done) struct chain chain = {};
	CLEANUP(buf_done) struct buf der = {}, text = {};
	struct trust *trust = NULL;
	int r;

	TRY(known_intermediates(g->env, &known));
	TRY(trust_of_domain(g->env, g->account->secure.domain, &trust));
	r = chain_build(leaf, given, &known, trust, &chain);
	(void)trust_unref(trust);
	if (r)
		return r;
	for (size_t i = 0; i < chain.sent.n; i++)
		buf_add(&der, cert_der(chain.sent.certs[i]));
	if (chain.end == CHAIN_INCOMPLETE || chain.end == CHAIN_UNTRUSTED) {
		buf_add_string(&text, "its chain: ");
		chain_add_text(&chain, &text);
		buf_add_octet(&text, 0);
		warn(g, (const char *)buf_span(&text).p);
	}
	g->cert.chain = arena_span(g->arena, buf_span(&der));
	return 0;
}

/* What others will not like of a certificate that was brought. */
static void check_cert(struct adding *g, const struct cert *cert)
{
	const struct store_secure *secure = &g->account->secure;
	int64_t now_us = clock_now_us();

	if (cert_not_after_us(cert) < now_us)
		warn(g, "the certificate has expired: nobody will encrypt to it");
	if (cert_not_before_us(cert) > now_us)
		warn(g, "the certificate is not valid yet");
	if (!cert_allows(cert, CERT_USE_MAIL))
		warn(g, "the certificate is not for mail (emailProtection): others will not accept "
			"it");
	if (!covers(cert, secure->address) && !(secure->from.n && covers(cert, secure->from)))
		warn(g, "the certificate is for another address than the account's");
}

/* The newest certificate that is valid decides which key is used from now on; old ones are history.
 */
static bool becomes_current(const struct adding *g, const struct cert *cert)
{
	const struct secure_key *now = secure_key_find(g->account, 0);
	CLEANUP(cert_unrefp) struct cert *of_now = NULL;

	if (!now || g->start_over || !secure_key_is_present(g->account, now))
		return true;
	if (!cert || cert_not_after_us(cert) < clock_now_us())
		return false;
	if (!now->n_certs || cert_from_der(&of_now, now->certs[0].der, NULL))
		return true;
	return cert_not_after_us(of_now) < clock_now_us() ||
	       cert_not_before_us(cert) > cert_not_before_us(of_now);
}

static int take_cert(struct adding *g, struct cert *leaf, const struct cert_list *others)
{
	check_cert(g, leaf);
	g->cert.der = arena_span(g->arena, cert_der(leaf));
	g->cert.not_after_us = cert_not_after_us(leaf);
	g->cert.current = true;
	return order_chain(g, leaf, others);
}

/* The certificates of the file: the key's own first, if it is there. */
static int take_certs(struct adding *g, const struct imported *imported)
{
	CLEANUP(cert_list_done) struct cert_list certs = {};
	struct cert_list others = {};
	int r = cert_list_from_der(&certs, buf_span(&imported->certs), g->why);

	if (r)
		return r < 0 ? r : SECURE_E_REFUSED;
	if (!certs.n || !cert_has_key(certs.certs[0], g->row.spki)) {
		g->row.current = becomes_current(g, NULL);
		warn(g, "the file has no certificate for its key: get one (renew), or import the "
			"file"
			" that has it");
		return 0;
	}
	others = (struct cert_list){ certs.certs + 1, certs.n - 1 };
	g->row.current = becomes_current(g, certs.certs[0]);
	return take_cert(g, certs.certs[0], &others);
}

/* A key that the account has: then the file is for its certificate, or brings it back. */
static void find_twin(struct adding *g)
{
	for (size_t i = 0; i < g->account->n_keys; i++) {
		const struct secure_key *key = &g->account->keys[i];

		if (!span_equal(key->row.spki, g->row.spki))
			continue;
		if (secure_key_is_present(g->account, key) && !g->start_over) {
			g->row = key->row;
			g->made->was_there = true;
		} else {
			g->before = key;
		}
	}
}

static int import(struct adding *g, const struct imported *imported, struct span password)
{
	CLEANUP(keyd_made_done) struct keyd_made made = {};
	CLEANUP(buf_done) struct buf owner = {};
	int r = check_kind(g, buf_span(&imported->spki));

	if (r)
		return r;
	g->row.spki = arena_span(g->arena, buf_span(&imported->spki));
	find_twin(g);
	if (!g->made->was_there) {
		secure_owner(g->who->account, &owner);
		r = keyd_user_wrap(g->env->keyd_user, secret_span(&imported->pkcs8),
			buf_span(&owner), password, &made);
		if (r > 0)
			return refuse(g->why, "a key of this kind cannot be used here");
		if (r)
			return r;
		take_made(g, &made);
	}
	r = take_certs(g, imported);
	return r ? r : write(g);
}

static struct password_strength strength_of(const struct secure_account *a, struct span password)
{
	const struct span known[] = { a->secure.address, a->secure.name, a->secure.from };

	return password_strength_of(password, known, sizeof known / sizeof known[0]);
}

int secure_mail_add(struct env *e, const struct secure_caller *who, const struct secure_new *new,
	struct secure_made *ret_made, struct why *why)
{
	CLEANUP(secure_act_done) struct secure_act act = {};
	CLEANUP(secure_made_done) struct secure_made made = {};
	CLEANUP(secret_done) struct secret prepared = {};
	CLEANUP(arena_done) struct arena arena = {};
	struct secure_account *account = ARENA_ALLOC(&arena, struct secure_account);
	struct adding g = { .env = e,
		.who = who,
		.arena = &arena,
		.account = account,
		.made = &made,
		.action = new->imported ? "smime.import" : "smime.generate",
		.why = why };
	int r = secure_look_up(e, &arena, who->account, account, why);

	if (!r)
		r = secure_password_prepare(new->password, &prepared, why);
	if (r)
		return r;
	g.start_over = new->start_over && secure_count_present(account) > 0;
	/* The password is tried, the key sealed, and all are left open. */
	r = secure_act_begin(&act, e, who, secure_count_present(account) + 3,
		!g.start_over && secure_count_present(account) > 0, why);
	if (!r && !g.start_over)
		r = check_password(&act, account, secret_span(&prepared), why);
	if (!r)
		r = new->imported ? import(&g, new->imported, secret_span(&prepared))
				  : generate(&g, new, secret_span(&prepared));
	if (r)
		return r;
	LOG(NULL, LOG_INFO, "SMIME", g.action, log_span("account", who->address),
		log_span("by", who->actor), log_span("key", span_head(g.row.key_id, ID_SHOWN)));
	if (g.start_over)
		unlocked_lock_account(e->unlocked, who->account);
	made.key = g.row.id;
	made.strength = strength_of(account, secret_span(&prepared));
	*ret_made = made;
	made.warnings = (struct buf){};
	/* CGPW-18: whoever has just given the password need not give it again. */
	r = secure_look_up(e, &arena, who->account, account, why);
	if (!r)
		r = secure_keep_open(e, who, account, secret_span(&prepared));
	if (r)
		log_fault(NULL, "SMIME", "smime.keep_open", err_fold(r));
	return 0;
}

static int no_key(struct why *why)
{
	why_set(why, "the account has no such Secure Mail key");
	return SECURE_E_NONE;
}

/* What the authority has issued for the key and is still good: it is followed, not joined, by the next. */
struct issued_search {
	const struct secure_account *account;
	struct span der;
	int64_t id;
};

static int match_issued(const struct store_issued *row, void *context)
{
	struct issued_search *s = context;

	if (span_equal(row->der, s->der) && !row->successor && !row->revoked_us)
		s->id = row->id;
	return 0;
}

static int find_issued(struct store_conn *c, void *arg)
{
	struct issued_search *s = arg;

	s->id = 0;
	return store_issued_each(c, s->account->secure.domain, s->account->secure.account,
		match_issued, s);
}

int secure_mail_renew(struct env *e, const struct secure_caller *who, int64_t key, struct span from,
	struct secure_made *ret_made, struct why *why)
{
	CLEANUP(secure_made_done) struct secure_made made = {};
	CLEANUP(arena_done) struct arena arena = {};
	struct secure_account *account = ARENA_ALLOC(&arena, struct secure_account);
	struct adding g = { .env = e,
		.who = who,
		.arena = &arena,
		.account = account,
		.made = &made,
		.action = "smime.renew",
		.why = why };
	struct issued_search search = { .account = account };
	const struct secure_key *found;
	int r = secure_look_up(e, &arena, who->account, account, why);

	if (r)
		return r;
	found = secure_key_find(account, key);
	if (!found)
		return no_key(why);
	g.row = found->row;
	g.row.wrapped = (struct span){};
	if (found->n_certs) {
		search.der = found->certs[0].der;
		TRY(store_read(e->store, find_issued, &search));
		g.predecessor = search.id;
	}
	r = issue_again(&g, found, from);
	if (r)
		return r;
	made.key = found->row.id;
	made.was_there = true;
	*ret_made = made;
	made.warnings = (struct buf){};
	return 0;
}

int secure_mail_install(struct env *e, const struct secure_caller *who,
	const struct cert_list *certs, struct secure_made *ret_made, struct why *why)
{
	CLEANUP(secure_made_done) struct secure_made made = {};
	CLEANUP(arena_done) struct arena arena = {};
	struct secure_account *account = ARENA_ALLOC(&arena, struct secure_account);
	struct adding g = { .env = e,
		.who = who,
		.arena = &arena,
		.account = account,
		.made = &made,
		.action = "smime.install",
		.why = why };
	struct cert *own = NULL;
	int r = secure_look_up(e, &arena, who->account, account, why);

	if (r)
		return r;
	for (size_t i = 0; i < account->n_keys && !own; i++) {
		for (size_t k = 0; k < certs->n && !own; k++) {
			if (!cert_has_key(certs->certs[k], account->keys[i].row.spki))
				continue;
			own = certs->certs[k];
			g.row = account->keys[i].row;
		}
	}
	if (!own)
		return refuse(why, "none of the account's keys belongs to this certificate");
	g.row.wrapped = (struct span){};
	r = take_cert(&g, own, certs);
	if (!r)
		r = write(&g);
	if (r)
		return r;
	made.key = g.row.id;
	*ret_made = made;
	made.warnings = (struct buf){};
	return 0;
}

struct rewrapping {
	const struct secure_caller *who;
	int64_t revision;
	struct store_secure_wrapped wrapped[SECURE_KEYS_MAX];
	size_t n;
};

static int write_rewrapped(struct store_conn *c, void *arg)
{
	const struct rewrapping *w = arg;
	int r = store_secure_rewrap(c, w->who->account, w->revision, w->wrapped, w->n);

	return r ? r : store_audit(c, w->who->actor, "smime.password", w->who->address, SPAN(""));
}

static int rewrap(struct env *e, struct arena *a, const struct secure_account *account,
	struct span current, struct span password, struct rewrapping *w)
{
	CLEANUP(buf_done) struct buf owner = {};

	secure_owner(account->secure.account, &owner);
	for (size_t i = 0; i < account->n_keys; i++) {
		const struct store_secure_key *row = &account->keys[i].row;
		CLEANUP(buf_done) struct buf wrapped = {};
		int r;

		if (!secure_key_is_present(account, &account->keys[i]))
			continue;
		r = keyd_user_rewrap(e->keyd_user, buf_span(&owner), row->key_id, row->wrapped,
			current, password, &wrapped);
		if (r)
			return r;
		w->wrapped[w->n++] = (struct store_secure_wrapped){ row->id,
			arena_span(a, buf_span(&wrapped)) };
	}
	return 0;
}

static int change_password(struct env *e, const struct secure_caller *who, struct arena *a,
	const struct secure_account *account, struct span current, struct span password,
	struct why *why)
{
	CLEANUP(secure_act_done) struct secure_act act = {};
	struct rewrapping w = { .who = who, .revision = account->secure.revision };
	int r = secure_act_begin(&act, e, who, 2 * secure_count_present(account), true, why);

	if (r)
		return r;
	r = rewrap(e, a, account, current, password, &w);
	if (r)
		r = secure_outcome_of(r, why);
	secure_act_tried(&act, "smime.password", r);
	if (r)
		return r;
	r = store_write(e->store, write_rewrapped, &w);
	return r ? store_outcome(r, why) : 0;
}

int secure_mail_password(struct env *e, const struct secure_caller *who, struct span current,
	struct span password, struct password_strength *ret_strength, struct why *why)
{
	CLEANUP(secret_done) struct secret old = {}, new = {};
	CLEANUP(arena_done) struct arena arena = {};
	struct secure_account *account = ARENA_ALLOC(&arena, struct secure_account);
	int r = secure_look_up(e, &arena, who->account, account, why);

	if (!r)
		r = secure_password_prepare(current, &old, why);
	if (!r)
		r = secure_password_prepare(password, &new, why);
	if (r)
		return r;
	if (!secure_count_present(account))
		return no_key(why);
	r = change_password(e, who, &arena, account, secret_span(&old), secret_span(&new), why);
	if (r)
		return r;
	unlocked_lock_account(e->unlocked, who->account);
	*ret_strength = strength_of(account, secret_span(&new));
	return 0;
}

int secure_mail_strength(struct env *e, const struct secure_caller *who, struct span password,
	struct password_strength *ret_strength, struct why *why)
{
	CLEANUP(secret_done) struct secret prepared = {};
	CLEANUP(arena_done) struct arena arena = {};
	struct secure_account *account = ARENA_ALLOC(&arena, struct secure_account);
	int r = secure_look_up(e, &arena, who->account, account, why);

	/* That it is switched off is nothing about the password. */
	if (!r || r == SECURE_E_OFF)
		r = secure_password_prepare(password, &prepared, why);
	if (!r)
		*ret_strength = strength_of(account, secret_span(&prepared));
	return r;
}

struct exporting {
	const struct secure_caller *who;
	const struct secure_key *key;
};

static int audit_export(struct store_conn *c, void *arg)
{
	const struct exporting *x = arg;

	return store_audit(c, x->who->actor, "smime.export", x->who->address,
		span_head(x->key->row.key_id, ID_SHOWN));
}

static int write_out(struct env *e, const struct secure_account *account,
	const struct secure_key *key, const struct secure_export *x, struct span password,
	struct buf *out)
{
	CLEANUP(buf_done) struct buf certs = {};
	uint8_t holder[UNLOCKED_HOLDER];
	struct keyd_key *open = NULL;
	int r;

	secure_holder_for_now(holder);
	r = secure_open(e, &key->row, password, span_of(holder, sizeof holder), 60000, &open);
	if (r)
		return r;
	if (key->n_certs) {
		buf_add(&certs, key->certs[0].der);
		buf_add(&certs, key->certs[0].chain);
	}
	r = keyd_key_export(open, x->old ? KEYD_FORM_PKCS12_OLD : KEYD_FORM_PKCS12,
		buf_span(&certs), account->secure.address, x->file_password, out);
	keyd_key_unref(open);
	return r;
}

int secure_mail_export(struct env *e, const struct secure_caller *who,
	const struct secure_export *x, struct buf *out, struct why *why)
{
	CLEANUP(secure_act_done) struct secure_act act = {};
	CLEANUP(secret_done) struct secret prepared = {};
	CLEANUP(arena_done) struct arena arena = {};
	struct secure_account *account = ARENA_ALLOC(&arena, struct secure_account);
	struct exporting exporting = { .who = who };
	int r = secure_look_up(e, &arena, who->account, account, why);

	if (!r)
		r = secure_password_prepare(x->password, &prepared, why);
	if (r)
		return r;
	exporting.key = secure_key_find(account, x->key);
	if (!exporting.key)
		return no_key(why);
	r = secure_act_begin(&act, e, who, 1, true, why);
	if (r)
		return r;
	r = write_out(e, account, exporting.key, x, secret_span(&prepared), out);
	if (r == KEYD_E_REFUSED || r == KEYD_E_FAILED)
		r = refuse(why,
			"the key could not be written out: is the file's password text in UTF-8?");
	else if (r)
		r = secure_outcome_of(r, why);
	secure_act_tried(&act, "smime.export", r);
	return r ? r : err_fold(store_write(e->store, audit_export, &exporting));
}
