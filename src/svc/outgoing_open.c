/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/outgoing_open.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "pki/path.h"
#include "svc/env.h"
#include "svc/revocation.h"
#include "svc/trust.h"

/* Certificates of a server that are looked at besides its own. */
enum { OTHERS_MAX = 10, DEPTH_MAX = 6, READ_OCTETS = 4096, QUIT_MS = 1000 };

const char *const outgoing_state_names[OUTGOING_STATES] = {
	[OUTGOING_READY] = "ready",
	[OUTGOING_UNREACHABLE] = "unreachable",
	[OUTGOING_REFUSED] = "refused",
	[OUTGOING_UNMET] = "unmet",
};

/* One opening. */
struct opening {
	struct env *env;
	const struct outgoing_target *target;
	struct outgoing_link *link;
	int64_t deadline_ms; /* by clock_monotonic_ms, of all connections together */
	bool tls_has_failed; /* this time in clear, if the rule allows that */
};

/* How a step ended early: what it is called is in the link. */
enum step_outcome { STEP_E_OVER = 1 };

static int over(struct outgoing_link *link, enum outgoing_state state)
{
	link->state = state;
	return STEP_E_OVER;
}

static SSL *secure_of(const struct outgoing_link *link)
{
	return link->is_secure ? tls_dial_ssl(link->secure) : NULL;
}

/* The next reply, into link->reply. DIAL_E_ENDED with why. */
static int read_reply(struct outgoing_link *link, struct why *why)
{
	smtp_reply_clear(&link->reply);
	for (;;) {
		struct span rest = buf_span(&link->in);
		int r = smtp_reply_read(&link->reply, &rest, why);
		size_t n = 0;

		buf_take(&link->in, buf_size(&link->in) - rest.n);
		if (r != SMTP_REPLY_E_MORE)
			return r ? DIAL_E_ENDED : 0;
		r = dial_read(&link->dial, secure_of(link), buf_room(&link->in, READ_OCTETS),
			READ_OCTETS, &n, why);
		if (r)
			return r;
		buf_added(&link->in, n);
	}
}

static int say(struct outgoing_link *link, const char *command, struct why *why)
{
	CLEANUP(buf_done) struct buf line = {};
	int r;

	buf_add_format(&line, "%s\r\n", command);
	r = dial_write(&link->dial, secure_of(link), buf_span(&line), why);
	return r ? r : read_reply(link, why);
}

/* A result of the connection as one of a step. */
static int step(struct outgoing_link *link, int r)
{
	return r > 0 ? over(link, OUTGOING_UNREACHABLE) : r;
}

static int refused(struct outgoing_link *link, const char *what)
{
	struct why said;

	smtp_reply_why(&link->reply, &said);
	why_set(&link->why, "%s: %s", what, said.text);
	return over(link, OUTGOING_REFUSED);
}

static int connect_and_greet(struct opening *o)
{
	struct outgoing_link *link = o->link;
	int64_t left = o->deadline_ms - clock_monotonic_ms();
	int r = dial_connect(&link->dial, &o->target->address, left > 0 ? (uint32_t)left : 0,
		outgoing_stopping(o->env), &link->why);

	if (!r)
		r = read_reply(link, &link->why);
	if (r)
		return step(link, r);
	return link->reply.code == 220 ? 0 : refused(link, "the server does not want us");
}

/* RFC 5321 section 4.1.1.1; section 3.2: HELO for a server that does not know EHLO. */
static int greet(struct opening *o)
{
	CLEANUP(alloc_freep) char *ehlo = alloc_format("EHLO %s", o->env->hostname);
	CLEANUP(alloc_freep) char *helo = alloc_format("HELO %s", o->env->hostname);
	struct outgoing_link *link = o->link;
	int r = say(link, ehlo, &link->why);

	if (!r && (link->reply.code == 500 || link->reply.code == 502 || link->reply.code == 504))
		r = say(link, helo, &link->why);
	if (r)
		return step(link, r);
	return link->reply.code == 250 ? 0 : refused(link, "the server refuses our greeting");
}

/* Ready in clear or not at all, for a reason that is in link->why. */
static int without_tls(struct outgoing_link *link)
{
	if (link->policy.tls == OUTGOING_MAY)
		return 0;
	return over(link, OUTGOING_UNMET);
}

/* What came with the server's certificate; what cannot be read leads nowhere. */
static int read_others(const STACK_OF(X509) *others, struct cert_list *list)
{
	for (int i = 0; i < sk_X509_num(others) && list->n < OTHERS_MAX; i++) {
		CLEANUP(cert_unrefp) struct cert *cert = NULL;
		struct why ignored;
		int r = cert_from_x509(&cert, sk_X509_value(others, i), &ignored);

		if (r < 0)
			return r;
		if (!r)
			cert_list_add(list, cert);
	}
	return 0;
}

/* For the host, by what this server trusts of servers. */
static int validate(struct opening *o, X509 *certificate, const STACK_OF(X509) *others,
	struct verdict *ret_verdict, struct why *why)
{
	CLEANUP(revocation_unrefp) struct revocation *revocation = revocation_of_domain(o->env, 0);
	CLEANUP(cert_list_done) struct cert_list untrusted = {};
	CLEANUP(trust_unrefp) struct trust *trust = NULL;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct net_address ip;
	struct path_name name = { PATH_DNS, span_str(o->target->host) };
	struct path_request request = { .untrusted = &untrusted,
		.time_us = clock_now_us(),
		.purposes = TRUST_SERVER,
		.names = &name,
		.n_names = 1,
		.has_max_depth = true,
		.max_depth = DEPTH_MAX };
	int r = cert_from_x509(&cert, certificate, why);

	if (r)
		return r;
	if (net_address_parse(name.text, &ip) == 0)
		name.kind = PATH_IP;
	TRY(read_others(others, &untrusted));
	TRY(trust_of_system(o->env, &trust));
	request.leaf = cert;
	request.trust = trust;
	return revocation_validate(revocation, &request, ret_verdict);
}

static bool verify_server(void *context, X509 *certificate, const STACK_OF(X509) *others,
	struct why *why)
{
	CLEANUP(verdict_done) struct verdict verdict = {};
	CLEANUP(buf_done) struct buf text = {};
	int r = validate(context, certificate, others, &verdict, why);

	if (r < 0) {
		log_fault(NULL, "TLS", "outgoing.verify", r);
		why_set(why, "this server cannot validate certificates at the moment");
	}
	if (!r && !verdict.valid && verdict_error(&verdict)) {
		finding_add_text(verdict_error(&verdict), &text);
		why_set(why, "the server is not verified: %.*s", (int)buf_size(&text),
			(const char *)buf_span(&text).p);
	}
	return !r && verdict.valid;
}

static int make_tls(struct opening *o)
{
	const struct outgoing_identity *identity = o->link->identity;
	struct net_address ip;
	const struct tls_dial_target target = {
		/* RFC 6066 section 3: names only. */
		.name = net_address_parse(span_str(o->target->host), &ip) ? o->target->host : NULL,
		.oldest = o->link->policy.oldest,
		.verify = verify_server,
		.context = o,
		.requires_valid = o->link->policy.tls == OUTGOING_VERIFY,
		.identities = identity ? identity->tls : NULL,
		.n_identities = identity ? identity->n : 0,
	};

	return tls_dial_new(&o->link->secure, &target);
}

/* TLS has failed, and with it the connection. */
static int tls_failed(struct opening *o)
{
	o->tls_has_failed = true;
	return over(o->link, OUTGOING_UNMET);
}

/* RFC 3207 section 4.2: what was known of the server is forgotten, and asked for again. */
static int secure(struct opening *o)
{
	struct outgoing_link *link = o->link;
	CLEANUP(alloc_freep) char *ehlo = alloc_format("EHLO %s", o->env->hostname);
	int r;

	TRY(make_tls(o));
	r = tls_dial_handshake(link->secure, &link->dial, &link->why);
	tls_dial_result(link->secure, &link->tls);
	if (r)
		return r < 0 ? r : tls_failed(o);
	link->is_secure = true;
	r = say(link, ehlo, &link->why);
	/* In TLS 1.3 a server says only now that it does not like our certificate. */
	if (r)
		return r < 0 ? r : tls_failed(o);
	return link->reply.code == 250 ? 0 : refused(link, "the server refuses our greeting");
}

static int start_tls(struct opening *o)
{
	struct outgoing_link *link = o->link;
	int r;

	link->offers_tls = smtp_reply_offers(&link->reply, "STARTTLS");
	if (link->policy.tls == OUTGOING_NONE || o->tls_has_failed)
		return 0;
	if (!link->offers_tls) {
		why_set(&link->why, "the server does not offer STARTTLS");
		return without_tls(link);
	}
	r = say(link, "STARTTLS", &link->why);
	if (r)
		return step(link, r);
	if (link->reply.code != 220) {
		(void)refused(link, "the server offers STARTTLS and refuses it");
		r = without_tls(link);
		/* Its answer to EHLO is what the caller wants to find. */
		return r ? r : greet(o);
	}
	/* RFC 3207 section 5: whoever stands between could have answers believed as if they had
	 * come encrypted. Such a connection is none to go on with in clear either. */
	if (buf_size(&link->in)) {
		why_set(&link->why, "something was sent in clear behind the answer to STARTTLS");
		return over(link, OUTGOING_UNMET);
	}
	return secure(o);
}

static int open_once(struct opening *o)
{
	int r = connect_and_greet(o);

	if (!r)
		r = greet(o);
	if (!r)
		r = start_tls(o);
	if (!r)
		o->link->state = OUTGOING_READY;
	return r;
}

static void hang_up(struct outgoing_link *link)
{
	dial_done(&link->dial);
	buf_clear(&link->in);
	link->is_secure = false;
}

/* RFC 7435 section 3: where encryption is not required, a failure of it is no reason not to send.
 */
static int open_again_in_clear(struct opening *o)
{
	struct outgoing_link *link = o->link;
	struct why reason = link->why;
	int r;

	hang_up(link);
	link->why = (struct why){};
	r = open_once(o);
	if (!r)
		why_set(&link->why, "TLS has failed: %s", reason.text);
	return r;
}

/* A line's fields, without those that there is nothing to say of. */
enum { FIELDS_MAX = 12 };
struct fields {
	struct log_field list[FIELDS_MAX + 1];
	size_t n;
};

static void add(struct fields *f, const char *key, const char *text)
{
	if (text && text[0] && f->n < FIELDS_MAX)
		f->list[f->n++] = log_str(key, text);
}

static void log_opening(const struct opening *o)
{
	const struct outgoing_link *link = o->link;
	const struct outgoing_identity *identity = link->identity;
	struct fields f = { .list = { log_span("destination", o->target->destination) }, .n = 1 };

	add(&f, "host", o->target->host);
	add(&f, "rule", outgoing_tls_names[link->policy.tls]);
	add(&f, "version", link->is_secure ? link->tls.version : NULL);
	add(&f, "cipher", link->is_secure ? link->tls.cipher : NULL);
	add(&f, "verdict", link->tls.is_verified ? "valid" : link->tls.refusal);
	add(&f, "identity", identity ? identity->name : NULL);
	add(&f, "identity_problem", identity ? identity->problem.text : NULL);
	add(&f, "certificate", link->tls.sent ? "sent" : link->tls.asked ? "asked for" : NULL);
	add(&f, "outcome", outgoing_state_names[link->state]);
	add(&f, "reason", link->why.text);
	log_write(NULL, link->state == OUTGOING_READY ? LOG_INFO : LOG_WARNING, "TLS",
		"outgoing.open", f.list);
}

int outgoing_open(struct env *e, const struct outgoing_target *target,
	struct outgoing_link *ret_link)
{
	struct opening o = { .env = e,
		.target = target,
		.link = ret_link,
		.deadline_ms = clock_monotonic_ms() + target->timeout_ms };
	int r;

	*ret_link = (struct outgoing_link){ .dial.fd = -1, .rules = outgoing_now(e) };
	outgoing_find(ret_link->rules, target->destination, &ret_link->policy, &ret_link->identity);
	r = open_once(&o);
	if (r > 0 && o.tls_has_failed && ret_link->policy.tls == OUTGOING_MAY)
		r = open_again_in_clear(&o);
	if (r < 0) {
		outgoing_close(ret_link);
		return r;
	}
	log_opening(&o);
	return 0;
}

int outgoing_ask(struct outgoing_link *link, const char *command, uint32_t timeout_ms,
	struct why *why)
{
	int r;

	dial_set_deadline(&link->dial, timeout_ms);
	r = say(link, command, why);
	return r > 0 ? OUTGOING_E_ENDED : r;
}

void outgoing_close(struct outgoing_link *link)
{
	struct why why;
	int r = 0;

	if (link->state == OUTGOING_READY && link->dial.fd >= 0)
		r = outgoing_ask(link, "QUIT", QUIT_MS, &why);
	/* Nobody minds how it ended. */
	(void)r;
	if (link->is_secure)
		(void)SSL_shutdown(tls_dial_ssl(link->secure));
	hang_up(link);
	link->secure = tls_dial_free(link->secure);
	smtp_reply_done(&link->reply);
	buf_done(&link->in);
	link->rules = outgoing_unref(link->rules);
	link->identity = NULL;
	link->tls = (struct tls_dialled){};
}
