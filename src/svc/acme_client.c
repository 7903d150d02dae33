/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/acme_client.h"

#include "acme/jws.h"
#include "acme/renewal.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "keyd/client.h"
#include "store/store.h"
#include "svc/acme_account.h"
#include "svc/env.h"
#include "svc/trust.h"

#include <errno.h>
#include <stdlib.h>

enum {
	TIMEOUT_MS = 30000,
	NONCE_TRIES = 20, /* RFC 8555 section 6.5: a rejected nonce is no reason to give up */
};

struct acme_client_private {
	char *directory_url;
	EVP_PKEY *key;
	struct buf roots;
	char *nonce; /* not used yet; NULL: one has to be asked for */
};

/* In the order of the fields asked for. */
enum { FIELD_NONCE, FIELD_LOCATION, FIELD_RETRY_AFTER };

static int ask(struct acme_client *c, struct fetch *f, struct fetched *ret_got, struct why *why)
{
	struct acme_client_private *p = c->private;
	struct why reason = {};
	int r;

	f->schemes = FETCH_HTTPS;
	f->timeout_ms = TIMEOUT_MS;
	f->trust_pem = buf_span(&p->roots);
	f->private_too = fetch_url_same_origin(f->url, p->directory_url);
	f->stop = c->stop;
	f->fields[FIELD_NONCE] = "Replay-Nonce";
	f->fields[FIELD_LOCATION] = "Location";
	f->fields[FIELD_RETRY_AFTER] = "Retry-After";
	r = fetch(f, ret_got, &reason);
	if (r < 0)
		return r;
	if (r) {
		why_set(why, "%.200s: %s", f->url, reason.text);
		return ACME_CLIENT_E_UNREACHABLE;
	}
	c->retry_after_us = renewal_retry_after(ret_got->fields[FIELD_RETRY_AFTER], clock_now_us());
	if (ret_got->fields[FIELD_NONCE] && acme_nonce_fits(ret_got->fields[FIELD_NONCE])) {
		free(p->nonce);
		p->nonce = alloc_string(ret_got->fields[FIELD_NONCE]);
	}
	return 0;
}

/* The answer is one of the good ones, or it is a problem. */
static int judge(struct acme_client *c, const struct fetched *got, struct why *why)
{
	if (got->status / 100 == 2)
		return 0;
	acme_problem_read(buf_span(&got->body), &c->problem);
	why_set(why, "the directory server says %s (status %u)", c->problem.text, got->status);
	/* A server that is out of order says nothing about what was asked. */
	if (got->status >= 500 && c->problem.kind != ACME_PROBLEM_RATE)
		return ACME_CLIENT_E_UNREACHABLE;
	return ACME_CLIENT_E_PROBLEM;
}

int acme_client_get(struct acme_client *c, const char *url, struct buf *ret_body, struct why *why)
{
	CLEANUP(fetched_done) struct fetched got = {};
	struct fetch f = { .url = url, .accept = "application/json", .max_octets = ACME_JSON_MAX };
	int r = ask(c, &f, &got, why);

	if (!r)
		r = judge(c, &got, why);
	if (r)
		return r;
	*ret_body = got.body;
	got.body = (struct buf){};
	return 0;
}

/* RFC 8555 section 7.2. */
static int need_nonce(struct acme_client *c, struct why *why)
{
	CLEANUP(fetched_done) struct fetched got = {};
	struct fetch f = { .url = c->directory.new_nonce, .method = "HEAD" };
	int r = c->private->nonce ? 0 : ask(c, &f, &got, why);

	if (r)
		return r;
	if (c->private->nonce)
		return 0;
	why_set(why, "the directory server gave no nonce (status %u)", got.status);
	return ACME_CLIENT_E_UNREACHABLE;
}

/* One try: signed with a nonce that is used up by it. */
static int post_once(struct acme_client *c, const char *url, struct span payload,
	enum acme_client_kind kind, struct fetched *ret_got, struct why *why)
{
	static const struct {
		const char *accept;
		size_t max;
	} kinds[] = {
		[ACME_CLIENT_JSON] = { "application/json", ACME_JSON_MAX },
		[ACME_CLIENT_CHAIN] = { "application/pem-certificate-chain", ACME_CHAIN_MAX },
	};
	CLEANUP(alloc_freep) char *nonce = NULL;
	CLEANUP(alloc_freep) char *kid = span_to_string(c->account.url);
	CLEANUP(buf_done) struct buf body = {};
	struct jws_header header = { .url = url, .kid = c->account.url.n ? kid : NULL };
	struct fetch f = { .url = url, .method = "POST", .content_type = "application/jose+json",
		.accept = kinds[kind].accept, .max_octets = kinds[kind].max };
	int r = need_nonce(c, why);

	if (r)
		return r;
	header.nonce = nonce = TAKE(c->private->nonce);
	TRY(jws_sign(c->private->key, &header, payload, &body));
	f.body = buf_span(&body);
	r = ask(c, &f, ret_got, why);
	return r ? r : judge(c, ret_got, why);
}

static int register_account(struct acme_client *c, struct why *why) MUST_CHECK;

int acme_client_post(struct acme_client *c, const char *url, struct span payload,
	enum acme_client_kind kind, struct buf *ret_body, const char **ret_location,
	struct why *why)
{
	CLEANUP(fetched_done) struct fetched got = {};
	int r = ACME_CLIENT_E_PROBLEM;

	for (unsigned i = 0; i < NONCE_TRIES; i++) {
		fetched_done(&got);
		got = (struct fetched){};
		r = post_once(c, url, payload, kind, &got, why);
		if (r == ACME_CLIENT_E_PROBLEM && c->problem.kind == ACME_PROBLEM_NONCE)
			continue;
		/* RFC 8555 section 7.3: an account that was forgotten there is made again. */
		if (r != ACME_CLIENT_E_PROBLEM || c->problem.kind != ACME_PROBLEM_ACCOUNT ||
			c->account.url.n == 0)
			break;
		r = register_account(c, why);
		if (r)
			break;
	}
	if (r)
		return r;
	if (ret_location) {
		const char *location = got.fields[FIELD_LOCATION];

		*ret_location = location && acme_url_fits(location) ?
			arena_string(&c->arena, span_str(location)) : NULL;
	}
	*ret_body = got.body;
	got.body = (struct buf){};
	return 0;
}

int acme_client_thumbprint(struct acme_client *c, struct buf *out)
{
	return jws_add_thumbprint(c->private->key, out);
}

struct registered {
	int64_t id;
	struct span url;
};

static int save_registered(struct store_conn *c, void *arg)
{
	const struct registered *r = arg;

	return store_acme_account_registered(c, r->id, r->url, true);
}

static int keep(struct acme_client *c, struct span url)
{
	struct registered r = { .id = c->account.id, .url = url };

	c->account.url = url;
	c->account.contact_sent = true;
	TRY(store_write(c->env->store, save_registered, &r));
	return 0;
}

/* RFC 8555 section 7.3.4. */
static int add_binding(struct acme_client *c, struct buf *out, struct why *why)
{
	CLEANUP(secret_done) struct secret mac_key = {};
	CLEANUP(alloc_freep) char *kid = span_to_string(c->account.kid);

	if (c->account.kid.n == 0 && c->directory.binding_required) {
		why_set(why, "the authority wants accounts bound to one it knows: give its key with"
			" signet acme account set --eab-kid ID --eab-key FILE");
		return ACME_CLIENT_E_REFUSED;
	}
	if (c->account.kid.n == 0 || !kid)
		return 0;
	TRY(acme_account_unseal(c->env, c->account.mac_key, &mac_key));
	TRY(jws_add_binding(c->private->key, kid, secret_span(&mac_key), c->directory.new_account,
		out));
	return 0;
}

static int register_account(struct acme_client *c, struct why *why)
{
	CLEANUP(buf_done) struct buf binding = {}, payload = {}, body = {};
	const char *url;
	int r;

	if (c->directory.terms && !c->account.terms) {
		why_set(why, "the authority has terms of service: read %.200s and agree with signet"
			" acme account set --agree", c->directory.terms);
		return ACME_CLIENT_E_REFUSED;
	}
	r = add_binding(c, &binding, why);
	if (r)
		return r;
	acme_account_print(c->account.contact, c->account.terms, buf_span(&binding), &payload);
	c->account.url = SPAN("");
	r = acme_client_post(c, c->directory.new_account, buf_span(&payload), ACME_CLIENT_JSON,
		&body, &url, why);
	if (r)
		return r;
	if (!url) {
		why_set(why, "the directory server made an account and did not say where");
		return ACME_CLIENT_E_UNREACHABLE;
	}
	TRY(keep(c, span_str(url)));
	LOG(NULL, LOG_INFO, "ACME", "account.registered",
		log_span("directory", c->account.directory), log_str("url", url));
	return 0;
}

/* The server knows the account; it does not know the newest contact. */
static int tell_contact(struct acme_client *c, struct why *why)
{
	CLEANUP(buf_done) struct buf payload = {}, body = {};
	const char *url = arena_string(&c->arena, c->account.url);
	int r;

	acme_account_print(c->account.contact, false, SPAN(""), &payload);
	r = acme_client_post(c, url, buf_span(&payload), ACME_CLIENT_JSON, &body, NULL, why);
	if (!r)
		r = keep(c, c->account.url);
	return r;
}

static int read_directory(struct acme_client *c, struct why *why)
{
	CLEANUP(buf_done) struct buf body = {};
	struct why reason = {};
	int r = acme_client_get(c, c->private->directory_url, &body, why);

	if (!r && acme_directory_read(&c->arena, buf_span(&body), &c->directory, &reason)) {
		why_set(why, "%.200s: %s", c->private->directory_url, reason.text);
		r = ACME_CLIENT_E_UNREACHABLE;
	}
	return r;
}

static int set_roots(struct acme_client *c)
{
	struct trust *trust;

	if (c->account.roots.n) {
		buf_add(&c->private->roots, c->account.roots);
		return 0;
	}
	TRY(trust_of_system(c->env, &trust));
	trust_print_pem(trust, TRUST_SERVER, &c->private->roots);
	(void)trust_unref(trust);
	return 0;
}

int acme_client_open(struct acme_client *c, struct env *e, const struct store_acme_account *account,
	const atomic_bool *stop, struct why *why)
{
	int r;

	*c = (struct acme_client){ .env = e, .stop = stop, .account = *account,
		.private = ALLOC(struct acme_client_private) };
	c->private->directory_url = span_to_string(account->directory);
	if (!c->private->directory_url || !acme_url_fits(c->private->directory_url)) {
		why_set(why, "the directory's URL is not an https one");
		return ACME_CLIENT_E_REFUSED;
	}
	TRY(acme_account_open(e, account, &c->private->key));
	TRY(set_roots(c));
	r = read_directory(c, why);
	if (!r && c->account.url.n == 0)
		r = register_account(c, why);
	else if (!r && !c->account.contact_sent)
		r = tell_contact(c, why);
	return r;
}

void acme_client_close(struct acme_client *c)
{
	if (c->private) {
		free(c->private->directory_url);
		EVP_PKEY_free(c->private->key);
		buf_done(&c->private->roots);
		free(c->private->nonce);
		free(c->private);
	}
	arena_done(&c->arena);
	*c = (struct acme_client){};
}
