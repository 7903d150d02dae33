/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What is not API: the first page, a domain's certificate to be downloaded (over plain HTTP too: it
 * is what one needs before TLS can be trusted), and the metrics in Prometheus's text form. The page
 * has no script and no picture; its one style sheet is allowed by its digest.
 */

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/enc.h"
#include "keyd/client.h"
#include "pki/cert.h"
#include "store/ca_rows.h"
#include "store/crl_rows.h"
#include "store/key_rows.h"
#include "store/store.h"
#include "svc/expiry.h"
#include "svc/http/api.h"
#include "svc/http/figures.h"
#include "svc/http/web_session.h"
#include "svc/staple.h"

static const char style[] =
	":root{color-scheme:light dark;--ground:#f6f7f9;--card:#fff;--text:#1b1f24;--soft:#57606a;"
	"--line:#d8dee4;--link:#0b57b0}"
	"@media(prefers-color-scheme:dark){:root{--ground:#14171b;--card:#1d2127;--text:#e8eaed;"
	"--soft:#a3abb5;--line:#363c45;--link:#8ab8f5}}"
	"*{box-sizing:border-box}"
	"body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;"
	"background:var(--ground);color:var(--text);"
	"font:1rem/1.6 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
	"main{width:100%;max-width:34rem;padding:clamp(1.25rem,5vw,2.5rem);background:var(--card);"
	"border:1px solid var(--line);border-radius:.75rem}"
	"h1{margin:0 0 .25rem;font-size:1.5rem;line-height:1.25;overflow-wrap:anywhere}"
	"p{margin:.5rem 0;color:var(--soft)}"
	"h2{margin:1.75rem 0 .25rem;font-size:1.0625rem}"
	"a{color:var(--link)}a:focus-visible{outline:3px solid var(--link);outline-offset:3px}"
	".main{display:inline-block;margin:.5rem 0;padding:.625rem 1rem;border:1px solid var(--link);"
	"border-radius:.5rem;font-weight:600;text-decoration:none}"
	".main:hover{text-decoration:underline}";

static void add_escaped(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		switch (text.p[i]) {
		case '<':
			buf_add_string(out, "&lt;");
			break;
		case '>':
			buf_add_string(out, "&gt;");
			break;
		case '&':
			buf_add_string(out, "&amp;");
			break;
		case '"':
			buf_add_string(out, "&quot;");
			break;
		default:
			buf_add_octet(out, text.p[i]);
		}
	}
}

/* Whose page it is: the domain of the connection's certificate, else the main one. */
static int page_domain(struct http_request *q, struct store_conn *c, struct store_domain *ret_domain)
{
	int r = STORE_E_NOT_FOUND;

	if (q->peer->domain)
		r = store_domain_find(c, &q->arena, span_str(q->peer->domain), ret_domain);
	if (r == STORE_E_NOT_FOUND)
		r = store_domain_main(c, &q->arena, ret_domain);
	return err_fold(r);
}

static void add_policy(struct http_request *q)
{
	CLEANUP(buf_done) struct buf policy = {};
	uint8_t digest[SHA256_OCTETS];

	digest_sha256(span_str(style), digest);
	buf_add_string(&policy, "default-src 'none'; img-src data:; base-uri 'none'; form-action "
				"'none'; frame-ancestors 'none'; style-src 'sha256-");
	enc_base64(&policy, span_of(digest, sizeof digest));
	buf_add_string(&policy, "'");
	http_header(q, "Content-Security-Policy", buf_span(&policy));
}

int page_first(struct http_request *q, struct store_conn *c)
{
	struct buf *out = &q->out;
	struct store_domain domain;
	struct span name;

	TRY(page_domain(q, c, &domain));
	name = span_str(domain.name);
	buf_add_string(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<link rel=\"icon\" href=\"data:,\">\n<title>");
	add_escaped(out, name);
	buf_add_string(out, " – Signet</title>\n<style>");
	buf_add_string(out, style);
	buf_add_string(out, "</style>\n</head>\n<body>\n<main>\n<h1>");
	add_escaped(out, name);
	buf_add_string(out, "</h1>\n<p>This is a Signet mail server.</p>\n"
		"<h2>Secure Certificate</h2>\n"
		"<p>Install this domain’s certificate if your mail program or browser does not trust"
		" the server yet. Compare its fingerprint with the one your administrator gives"
		" you.</p>\n<p><a class=\"main\" href=\"/pki/");
	add_escaped(out, name);
	buf_add_string(out, "/cert.pem\">Secure Certificate</a></p>\n<p>Other forms: <a href=\"/pki/");
	add_escaped(out, name);
	buf_add_string(out, "/cert.der\">DER</a>, <a href=\"/pki/");
	add_escaped(out, name);
	buf_add_string(out, "/chain.pem\">with its chain</a></p>\n</main>\n</body>\n</html>\n");
	q->type = "text/html; charset=utf-8";
	http_header(q, "Cache-Control", SPAN("no-cache"));
	add_policy(q);
	return 0;
}

/* The certificate that HTTPS shows for the domain, with its chain. */
struct active_cert {
	struct arena *arena;
	bool found;
	int64_t created_us;
	struct span der, chain;
};

static bool serves_http(struct span services)
{
	unsigned bits;

	return store_cert_services(services, &bits) == 0 && (bits & CERT_HTTP);
}

static int match_active(const struct store_cert *cert, void *context)
{
	struct active_cert *a = context;

	if (!serves_http(cert->services) || (a->found && cert->created_us < a->created_us))
		return 0;
	a->found = true;
	a->created_us = cert->created_us;
	a->der = arena_span(a->arena, cert->der);
	a->chain = arena_span(a->arena, cert->chain);
	return 0;
}

static int find_active(struct http_request *q, struct store_conn *c, const char *ending,
	struct active_cert *ret_cert)
{
	struct active_cert found = { .arena = &q->arena };
	CLEANUP(buf_done) struct buf disposition = {};
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	if (r > 0)
		return http_problem(q, 404, "domain", "there is no such domain");
	if (r)
		return r;
	TRY(store_cert_each(c, domain.id, match_active, &found));
	if (!found.found)
		return http_problem(q, 404, NULL, "the domain has no certificate");
	buf_add_format(&disposition, "attachment; filename=\"%s%s\"", domain.name, ending);
	http_header(q, "Content-Disposition", buf_span(&disposition));
	http_header(q, "Cache-Control", SPAN("no-cache"));
	*ret_cert = found;
	return 0;
}

static int add_pem(struct span der, struct buf *out)
{
	CLEANUP(cert_list_done) struct cert_list list = {};

	TRY(cert_list_from_der(&list, der, NULL));
	for (size_t i = 0; i < list.n; i++)
		cert_add_pem(list.certs[i], out);
	return 0;
}

int page_cert_pem(struct http_request *q, struct store_conn *c)
{
	struct active_cert cert;
	int r = find_active(q, c, ".pem", &cert);

	q->type = "application/x-pem-file";
	return r ? r : add_pem(cert.der, &q->out);
}

int page_cert_der(struct http_request *q, struct store_conn *c)
{
	struct active_cert cert;
	int r = find_active(q, c, ".cer", &cert);

	if (r)
		return r;
	q->type = "application/pkix-cert"; /* RFC 2585 section 4.1 */
	buf_add(&q->out, cert.der);
	return 0;
}

int page_chain_pem(struct http_request *q, struct store_conn *c)
{
	struct active_cert cert;
	int r = find_active(q, c, "-chain.pem", &cert);

	if (!r)
		r = add_pem(cert.der, &q->out);
	q->type = "application/pem-certificate-chain"; /* RFC 8555 section 9.1 */
	return r ? r : add_pem(cert.chain, &q->out);
}

static void add_metric(struct buf *out, const char *name, bool is_gauge, const char *help,
	unsigned long long value)
{
	buf_add_format(out, "# HELP signet_%s %s\n# TYPE signet_%s %s\nsignet_%s %llu\n", name, help,
		name, is_gauge ? "gauge" : "counter", name, value);
}

struct sums {
	unsigned long long accounts, messages, octets;
};

static int add_account(const struct store_account *a, void *context)
{
	struct sums *s = context;

	s->accounts++;
	s->messages += a->used_messages;
	s->octets += a->used_octets;
	return 0;
}

/* One figure of all services, which are its label. */
static void add_connections(struct http_request *q)
{
	for (size_t i = 0; i < n_conn_figures; i++) {
		const struct conn_figure *f = &conn_figures[i];

		buf_add_format(&q->out, "# HELP signet_%s %s\n# TYPE signet_%s %s\n", f->name,
			f->help, f->name, f->is_gauge ? "gauge" : "counter");
		for (size_t k = 0; k < q->options->n_ports; k++) {
			const struct http_port_figure *port = &q->options->ports[k];

			if (port->counters && http_port_is_first(q->options, k))
				buf_add_format(&q->out, "signet_%s{service=\"%s\"} %llu\n", f->name,
					port->service, conn_figure_value(f, port->counters));
		}
	}
}

/* Prometheus's escapes in the value of a label. */
static void add_label(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			buf_add_octet(out, '\\');
		if (text.p[i] == '\n')
			buf_add_string(out, "\\n");
		else
			buf_add_octet(out, text.p[i]);
	}
}

static int add_expiry(const struct expiry_item *item, void *context)
{
	struct buf *out = context;

	if (item->kind == EXPIRY_CHAIN || item->kind == EXPIRY_TRUSTED)
		return 0;
	buf_add_string(out, "signet_certificate_expiry_seconds{domain=\"");
	add_label(out, span_str(item->domain->name));
	buf_add_string(out, "\",certificate=\"");
	add_label(out, item->alias);
	buf_add_format(out, "\"} %lld\n", (long long)cert_not_after_us(item->cert) / 1000000);
	return 0;
}

struct crl_metric {
	struct store_conn *c;
	struct arena *arena;
	struct buf *out;
};

static int add_crl(const struct store_crl *row, void *context)
{
	struct crl_metric *m = context;
	struct store_domain domain = { .name = "-" };

	if (row->der.n == 0)
		return 0;
	if (row->domain)
		TRY(store_domain_get(m->c, m->arena, row->domain, &domain));
	buf_add_string(m->out, "signet_crl_next_update_seconds{domain=\"");
	add_label(m->out, span_str(domain.name));
	buf_add_format(m->out, "\",list=\"%lld\"} %lld\n", (long long)row->id,
		(long long)row->next_update_us / 1000000);
	return 0;
}

static int add_crls(struct http_request *q, struct store_conn *c)
{
	struct crl_metric m = { c, &q->arena, &q->out };

	buf_add_string(&q->out, "# HELP signet_crl_next_update_seconds When the revocation list ends,"
				" seconds since 1970; domain -: the server's\n"
				"# TYPE signet_crl_next_update_seconds gauge\n");
	TRY(store_crl_each(c, add_crl, &m));
	return 0;
}

static int add_staple(struct span domain, struct span alias, const struct staple_report *report,
	void *context)
{
	struct buf *out = context;

	buf_add_string(out, "signet_ocsp_answer_until_seconds{domain=\"");
	add_label(out, domain);
	buf_add_string(out, "\",certificate=\"");
	add_label(out, alias);
	buf_add_format(out, "\"} %lld\n", (long long)report->until_us / 1000000);
	return 0;
}

static int add_staples(struct http_request *q)
{
	buf_add_string(&q->out, "# HELP signet_ocsp_answer_until_seconds Until when the responder's"
				" answer is stapled, seconds since 1970; 0: there is none\n"
				"# TYPE signet_ocsp_answer_until_seconds gauge\n");
	TRY(staple_each(q->env, add_staple, &q->out));
	return 0;
}

static int add_certificates(struct store_conn *c, struct buf *out)
{
	buf_add_string(out, "# HELP signet_certificate_expiry_seconds When the certificate ends,"
			    " seconds since 1970\n"
			    "# TYPE signet_certificate_expiry_seconds gauge\n");
	TRY(expiry_each(c, add_expiry, out));
	return 0;
}

int page_metrics(struct http_request *q, struct store_conn *c)
{
	struct env *e = q->env;
	struct buf *out = &q->out;
	struct store_issued_figures issued;
	struct store_figures store;
	struct sums sums = {};

	TRY(store_account_each(c, 0, add_account, &sums));
	store_figures(e->store, &store);
	for (unsigned i = 0; i < COUNTERS; i++)
		add_metric(out, figures[i].name, false, figures[i].help, figure_value(e, i));
	add_connections(q);
	add_metric(out, "accounts", true, "Accounts", sums.accounts);
	add_metric(out, "messages", true, "Messages stored", sums.messages);
	add_metric(out, "message_octets", true, "Octets of the messages stored", sums.octets);
	add_metric(out, "store_commits_total", false, "Transactions committed", store.commits);
	add_metric(out, "store_tasks_total", false, "Writing tasks done", store.tasks);
	add_metric(out, "store_queued", true, "Writing tasks that wait", store.queued);
	add_metric(out, "store_commit_microseconds_total", false, "Time spent on commits",
		store.commit_us);
	add_metric(out, "store_file_octets", true, "Octets of the database", store.file_octets);
	add_metric(out, "web_sessions", true, "Sessions of the web interface",
		web_sessions_count(q->sessions));
	add_metric(out, "keyd_up", true, "Whether the process with the domains' keys answers",
		e->keyd && keyd_client_is_up(e->keyd));
	TRY(store_issued_figures(c, clock_now_us(), &issued));
	add_metric(out, "ca_certificates_valid", true, "Certificates of users that are valid",
		(unsigned long long)issued.valid);
	add_metric(out, "ca_certificates_revoked", true, "Certificates of users that were revoked",
		(unsigned long long)issued.revoked);
	TRY(add_certificates(c, out));
	TRY(add_crls(q, c));
	TRY(add_staples(q));
	add_metric(out, "uptime_seconds", true, "Seconds since the start",
		(unsigned long long)(clock_now_us() - e->started_us) / 1000000);
	q->type = "text/plain; version=0.0.4; charset=utf-8";
	return 0;
}
