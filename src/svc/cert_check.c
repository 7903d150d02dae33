/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The check of one certificate from all sides: what it says itself, its key in keyd, the chain that is
 * sent, and what clients that trust what is trusted here make of it.
 */

#include "svc/cert_check.h"

#include "base/clock.h"
#include "net/tls.h"
#include "net/tls_asked.h"
#include "pki/key.h"
#include "pki/opinion.h"
#include "pki/path.h"
#include "store/store.h"
#include "svc/acme.h"
#include "svc/domain_keys.h"
#include "svc/env.h"
#include "svc/outgoing.h"
#include "svc/staple.h"
#include "svc/trust.h"

static int check_key_match(struct env *e, const struct cert_check *what, const struct cert *cert,
	struct check_list *l)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	struct why why = {};
	int r;

	if (!what->key) {
		check_add(l, "key match", CHECK_ERROR,
			"the domain does not have the key of this certificate, so it cannot be used");
		return 0;
	}
	if (!cert_has_key(cert, what->key->spki)) {
		check_add(l, "key match", CHECK_ERROR, "its key is not the domain's key %.*s",
			(int)what->key->alias.n, (const char *)what->key->alias.p);
		return 0;
	}
	TRY(domain_key_open(e, what->key, &key));
	r = key_self_test(key, what->key->spki, true, &why);
	if (r < 0)
		check_add(l, "key match", CHECK_ERROR,
			"the key process does not answer, or cannot open the key");
	else
		check_add(l, "key match", r ? CHECK_ERROR : CHECK_OK, "key %.*s: %s",
			(int)what->key->alias.n, (const char *)what->key->alias.p, why.text);
	return 0;
}

/* RFC 6066 section 8, RFC 7633: what a responder says, as clients are shown it. */
static void check_stapling(struct env *e, const struct cert *cert, struct check_list *l)
{
	CLEANUP(buf_done) struct buf until = {};
	struct staple_report s;
	enum check_result lacking;

	staple_report(e, cert, &s);
	lacking = s.must_staple ? CHECK_ERROR : CHECK_NOTE;
	switch (s.state) {
	case STAPLE_NONE:
		if (s.must_staple)
			check_add(l, "stapling", CHECK_NOTE, "clients will want a responder's answer"
				" with it; it is asked for once the certificate is in use");
		break;
	case STAPLE_GOOD:
		clock_add_rfc3339(&until, s.until_us);
		check_add(l, "stapling", CHECK_OK, "its responder's answer is shown until %.*s",
			(int)buf_size(&until), (const char *)buf_span(&until).p);
		break;
	case STAPLE_WANTED:
		check_add(l, "stapling", lacking, "there is no answer of its responder%s: %s",
			s.must_staple ? ", without which clients refuse it" : "",
			s.problem.text[0] ? s.problem.text : "not asked yet");
		break;
	case STAPLE_REVOKED:
		check_add(l, "stapling", CHECK_ERROR, "its responder says: %s", s.problem.text);
		break;
	case STAPLE_OFF:
		check_add(l, "stapling", lacking, "nothing is stapled: set ocsp_stapling=yes");
		break;
	}
}

/* The name that a client is taken to ask for: the domain's own, unless another is what it is for. */
static struct span host_of(const struct cert_check *what, const struct cert *cert)
{
	for (size_t i = 0; i < what->n_names; i++) {
		if (cert_covers_host(cert, what->names[i]))
			return what->names[i];
	}
	return what->n_names ? what->names[0] : SPAN("");
}

static void add_opinion(struct check_list *l, const char *client, bool accepts, const struct buf *text)
{
	check_add(l, client, accepts ? CHECK_OK : CHECK_ERROR, "%s%.*s",
		accepts ? "accepts it: " : "refuses it: ", (int)buf_size(text),
		(const char *)buf_span(text).p);
}

static int check_opinions(const struct cert_check *what, const struct cert *cert,
	const struct cert_list *sent, const struct trust *trust, struct check_list *l)
{
	CLEANUP(buf_done) struct buf openssl = {}, gnutls = {};
	struct span host = host_of(what, cert);
	bool accepts;

	TRY(opinion_openssl(cert, sent, trust, host, clock_now_us(), &accepts, &openssl));
	add_opinion(l, "OpenSSL client", accepts, &openssl);
	TRY(opinion_gnutls(cert, sent, trust, host, &accepts, &gnutls));
	add_opinion(l, "GnuTLS client", accepts, &gnutls);
	return 0;
}

/* "chain", and whether its authority is one that clients know by themselves. */
static int check_authority(struct env *e, const struct cert *cert, const struct cert_list *sent,
	const struct trust *trust, struct check_list *l)
{
	CLEANUP(trust_unrefp) struct trust *built_in = trust_built_in(e);
	CLEANUP(chain_done) struct chain here = {}, elsewhere = {};
	const struct cert_list none = {};

	TRY(chain_build(cert, sent, &none, trust, &here));
	TRY(chain_build(cert, sent, &none, built_in, &elsewhere));
	check_chain(l, &here);
	if (here.end == CHAIN_TRUSTED && elsewhere.end != CHAIN_TRUSTED)
		check_add(l, "authority", CHECK_WARNING,
			"trusted here, but not an authority that clients know by themselves: only those"
			" that have installed it accept this certificate");
	return 0;
}

struct asked {
	const struct cert *cert;
	struct buf missing;
};

enum { ASKED_OFTEN = 3, ASKED_SHOWN = 300 };

static void note_asked(struct span name, uint64_t n, void *context)
{
	struct asked *a = context;

	if (n < ASKED_OFTEN || cert_covers_host(a->cert, name) || buf_size(&a->missing) > ASKED_SHOWN)
		return;
	buf_add_string(&a->missing, buf_size(&a->missing) ? ", " : "");
	buf_add(&a->missing, name);
	buf_add_format(&a->missing, " (%llu times)", (unsigned long long)n);
}

/* What people have in their mail programs may be a name that nobody has thought of. */
static void check_asked(struct env *e, const struct cert_check *what, const struct cert *cert,
	struct check_list *l)
{
	struct asked a = { .cert = cert };

	tls_asked_each(tls_host_asked(e->tls), what->names[0], note_asked, &a);
	if (buf_size(&a.missing))
		check_add(l, "names asked for", CHECK_WARNING,
			"clients have asked for names that it is not for: %.*s; if they are right, make"
			" them aliases (alias add) and get a certificate for all",
			(int)buf_size(&a.missing), (const char *)buf_span(&a.missing).p);
	else
		check_add(l, "names asked for", CHECK_OK,
			"all names that clients have asked for since the start are in it");
	buf_done(&a.missing);
}

/* RFC 5280 section 6 by our own rules: the reasons that stricter clients have. */
static int check_path(const struct cert_check *what, struct cert *cert, const struct cert_list *sent,
	struct trust *trust, struct check_list *l)
{
	CLEANUP(verdict_done) struct verdict verdict = {};
	const struct path_name name = { PATH_DNS, host_of(what, cert) };
	const struct path_request request = { .leaf = cert, .untrusted = sent, .trust = trust,
		.time_us = clock_now_us(), .purposes = TRUST_SERVER, .names = &name, .n_names = 1 };

	TRY(path_validate(&request, &verdict));
	for (size_t i = 0; i < verdict.n; i++) {
		const struct finding *f = &verdict.findings[i];
		CLEANUP(buf_done) struct buf text = {};

		finding_add_text(f, &text);
		check_add(l, "validation",
			f->severity == FINDING_ERROR ? CHECK_ERROR : CHECK_WARNING, "%.*s",
			(int)buf_size(&text), (const char *)buf_span(&text).p);
	}
	if (verdict.valid)
		check_add(l, "validation", CHECK_OK, "RFC 5280: a path of %zu certificates holds",
			verdict.path.n);
	return 0;
}

struct plan_look_up {
	struct arena *arena;
	int64_t cert;
	struct acme_plan plan;
};

static int look_up_plan(struct store_conn *c, void *arg)
{
	struct plan_look_up *p = arg;

	return acme_plan_of_cert(c, p->arena, p->cert, &p->plan);
}

/* What happens to it by itself before it ends. */
static int check_renewal(struct env *e, const struct cert_check *what, struct check_list *l)
{
	struct plan_look_up p = { .arena = l->arena, .cert = what->cert->id };
	CLEANUP(buf_done) struct buf at = {};
	int r = store_read(e->store, look_up_plan, &p);

	if (r < 0)
		return r;
	if (r) {
		check_add(l, "renewal", CHECK_NOTE,
			"it is not renewed by itself (signet acme order can see to that); postmaster is"
			" told before it ends");
		return 0;
	}
	clock_add_rfc3339(&at, p.plan.at_us);
	if (p.plan.n_failures == 0)
		check_add(l, "renewal", CHECK_OK, "by itself, planned for %.*s", (int)buf_size(&at),
			(const char *)buf_span(&at).p);
	else
		check_add(l, "renewal", CHECK_WARNING,
			"it has failed %u times and is tried again at %.*s: %.*s", p.plan.n_failures,
			(int)buf_size(&at), (const char *)buf_span(&at).p,
			(int)p.plan.last_error.n, (const char *)p.plan.last_error.p);
	return 0;
}

/* As a client's certificate, where a rule for connections of ours shows it. */
static void check_outgoing(struct env *e, const struct cert *cert, struct check_list *l)
{
	CLEANUP(outgoing_unrefp) struct outgoing *rules = outgoing_now(e);
	CLEANUP(buf_done) struct buf warnings = {};
	struct span rest;

	if (!outgoing_shows(rules, cert))
		return;
	outgoing_cert_warn(cert, clock_now_us(), &warnings);
	if (!buf_size(&warnings))
		check_add(l, "outgoing", CHECK_OK, "shown to other servers, as rules say (outgoing list)");
	for (rest = buf_span(&warnings); rest.n;) {
		struct span line = span_cut(&rest, '\n');

		check_add(l, "outgoing", CHECK_WARNING, "shown to other servers: %.*s", (int)line.n,
			(const char *)line.p);
	}
}

int cert_check(struct env *e, const struct cert_check *what, struct check_list *l)
{
	CLEANUP(trust_unrefp) struct trust *trust = NULL;
	CLEANUP(cert_list_done) struct cert_list sent = {};
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct why why = {};
	int r = cert_from_der(&cert, what->cert->der, &why);

	if (!r)
		r = cert_list_from_der(&sent, what->cert->chain, &why);
	if (r) {
		check_add(l, "reading", CHECK_ERROR, "%s", why.text);
		return r < 0 ? r : 0;
	}
	TRY(trust_of_domain(e, what->cert->domain, &trust));
	check_certificate(l, cert, what->names, what->n_names, clock_now_us());
	check_stapling(e, cert, l);
	check_asked(e, what, cert, l);
	check_outgoing(e, cert, l);
	TRY(check_key_match(e, what, cert, l));
	TRY(check_renewal(e, what, l));
	TRY(check_authority(e, cert, &sent, trust, l));
	TRY(check_path(what, cert, &sent, trust, l));
	return check_opinions(what, cert, &sent, trust, l);
}
