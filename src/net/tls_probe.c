/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "net/tls_probe.h"

#include "net/dial.h"
#include "net/tls_host.h"

#include <openssl/err.h>
#include <stdio.h>

enum {
	LINE_MAX_OCTETS = 1024,
	LINES_MAX = 64,
	TICKET_WAIT_MS = 200, /* tickets come right behind the handshake */
};

static const int versions[TLS_VERSIONS] = { TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION,
	TLS1_3_VERSION };

/* One line that is sent, and how the last line of the answer begins; others may come before it. */
struct turn {
	const char *send;
	const char *last;
};

/* RFC 3207, RFC 9051 section 6.2.1, RFC 2595 section 4. */
static const struct turn dialogs[][4] = {
	[TLS_PROBE_DIRECT] = { {} },
	[TLS_PROBE_SMTP] = { { "", "220 " }, { "EHLO probe.invalid\r\n", "250 " },
		{ "STARTTLS\r\n", "220 " }, {} },
	[TLS_PROBE_IMAP] = { { "", "* OK" }, { "a STARTTLS\r\n", "a OK" }, {} },
	[TLS_PROBE_POP3] = { { "", "+OK" }, { "STLS\r\n", "+OK" }, {} },
};

/* One connection. */
struct visit {
	struct dial dial;
	SSL_CTX *ctx;
	SSL *ssl;
	SSL_SESSION *session; /* that came */
	bool asks_client;
};

static void visit_done(struct visit *v)
{
	SSL_free(v->ssl);
	SSL_CTX_free(v->ctx);
	SSL_SESSION_free(v->session);
	dial_done(&v->dial);
	ERR_clear_error();
}

/* The lines up to the one that begins as it should. */
static int read_answer(struct dial *d, const char *last, struct why *why)
{
	char line[LINE_MAX_OCTETS];
	size_t n = 0, n_lines = 0;

	while (n < sizeof line && n_lines < LINES_MAX) {
		size_t one;
		/* Octet by octet: what is behind the answer belongs to TLS. */
		int r = dial_read(d, NULL, line + n, 1, &one, why);

		if (r)
			return r;
		if (line[n++] != '\n')
			continue;
		if (span_starts(span_of(line, n), span_str(last)))
			return 0;
		/* "250-..." and "* CAPABILITY" go before it. */
		if (line[0] != '*' && (n < 4 || line[3] != '-')) {
			why_set(why, "refused before TLS: %.*s", (int)(n > 100 ? 100 : n - 1),
				line);
			return DIAL_E_ENDED;
		}
		n = 0;
		n_lines++;
	}
	why_set(why, "too long an answer before TLS");
	return DIAL_E_ENDED;
}

static int visit_talk(struct visit *v, const struct tls_probe_target *t, struct why *why)
{
	struct span header = t->with_proxy_header ? SPAN("PROXY UNKNOWN\r\n") : SPAN("");
	int r = dial_write(&v->dial, NULL, header, why);

	for (const struct turn *turn = dialogs[t->dialog]; turn->last && !r; turn++) {
		r = dial_write(&v->dial, NULL, span_str(turn->send), why);
		if (!r)
			r = read_answer(&v->dial, turn->last, why);
	}
	return r;
}

static int on_certificate_asked(SSL *ssl, X509 **x, EVP_PKEY **key)
{
	struct visit *v = SSL_get_app_data(ssl);

	(void)x;
	(void)key;
	v->asks_client = true;
	return 0; /* without one */
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct visit *v = SSL_get_app_data(ssl);

	SSL_SESSION_free(v->session);
	v->session = session;
	return 1;
}

/* version 0: any; else that one alone, with whatever there is for it. */
static int visit_set_up(struct visit *v, const struct tls_probe_target *t, int version)
{
	uint8_t alpn[64];
	size_t n = t->alpn ? strlen(t->alpn) : 0;

	v->ctx = SSL_CTX_new(TLS_client_method());
	if (!v->ctx)
		return tls_fault(NULL, "SSL_CTX_new");
	SSL_CTX_set_security_level(v->ctx, 0);
	SSL_CTX_set_session_cache_mode(v->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(v->ctx, on_session);
	SSL_CTX_set_client_cert_cb(v->ctx, on_certificate_asked);
	(void)SSL_CTX_clear_mode(v->ctx, SSL_MODE_AUTO_RETRY);
	if (SSL_CTX_set_cipher_list(v->ctx, "ALL:!aNULL") != 1 ||
		SSL_CTX_set_min_proto_version(v->ctx, version ? version : TLS1_VERSION) != 1 ||
		SSL_CTX_set_max_proto_version(v->ctx, version) != 1)
		return tls_fault(NULL, "SSL_CTX");
	if (n && n < sizeof alpn) {
		alpn[0] = (uint8_t)n;
		memcpy(alpn + 1, t->alpn, n);
		if (SSL_CTX_set_alpn_protos(v->ctx, alpn, (unsigned)n + 1) != 0)
			return tls_fault(NULL, "SSL_CTX_set_alpn_protos");
	}
	v->ssl = SSL_new(v->ctx);
	if (!v->ssl || SSL_set_tlsext_host_name(v->ssl, t->name) != 1)
		return tls_fault(NULL, "SSL_new");
	(void)SSL_set_app_data(v->ssl, v);
	return 0;
}

static int visit_secure(struct visit *v, const struct tls_probe_target *t, int version,
	SSL_SESSION *session, struct why *why)
{
	TRY(visit_set_up(v, t, version));
	if (session && SSL_set_session(v->ssl, session) != 1)
		return tls_fault(NULL, "SSL_set_session");
	return dial_handshake(&v->dial, v->ssl, why);
}

/* Connects, talks, does the handshake; progress may be NULL. DIAL_E_ENDED. */
static int visit_make(struct visit *v, const struct tls_probe_target *t, int version,
	SSL_SESSION *session, struct tls_probe *progress, struct why *why)
{
	int r = dial_connect(&v->dial, &t->address, t->timeout_ms, NULL, why);

	if (r)
		return r;
	if (progress)
		progress->is_connected = true;
	r = visit_talk(v, t, why);
	if (r)
		return r;
	if (progress)
		progress->may_start = true;
	return visit_secure(v, t, version, session, why);
}

/* Waits for the ticket, which in TLS 1.3 is read with what comes after the handshake. */
static int wait_for_session(struct visit *v)
{
	struct why why;
	uint8_t octet;
	size_t n;
	int r = 0;

	if (v->session)
		return 0;
	dial_set_deadline(&v->dial, TICKET_WAIT_MS);
	r = dial_read(&v->dial, v->ssl, &octet, 1, &n, &why);
	return r < 0 ? r : 0;
}

static void note_visit(const struct visit *v, struct tls_probe *p)
{
	const uint8_t *alpn = NULL;
	unsigned n = 0;
	int group = (int)SSL_get_negotiated_group(v->ssl);

	p->is_secure = true;
	p->version = SSL_get_version(v->ssl);
	p->cipher = SSL_get_cipher_name(v->ssl);
	/* The name goes with the context. */
	if (group)
		(void)snprintf(p->group, sizeof p->group, "%s", SSL_group_to_name(v->ssl, group));
	p->asks_client = v->asks_client;
	p->chain = X509_chain_up_ref(SSL_get_peer_cert_chain(v->ssl));
	SSL_get0_alpn_selected(v->ssl, &alpn, &n);
	if (n && n < sizeof p->alpn)
		memcpy(p->alpn, alpn, n);
}

/* The first visit, from which all is learnt, and one that resumes its session. */
static int probe_first(const struct tls_probe_target *t, struct tls_probe *p)
{
	CLEANUP(visit_done) struct visit first = { .dial.fd = -1 };
	CLEANUP(visit_done) struct visit again = { .dial.fd = -1 };
	struct why why;
	int r = visit_make(&first, t, 0, NULL, p, &p->why);

	if (r)
		return r;
	note_visit(&first, p);
	TRY(wait_for_session(&first));
	(void)SSL_shutdown(first.ssl);
	if (!first.session)
		return 0;
	r = visit_make(&again, t, 0, first.session, NULL, &why);
	p->is_resumed = r == 0 && SSL_session_reused(again.ssl);
	if (r == 0)
		(void)SSL_shutdown(again.ssl);
	return r < 0 ? r : 0;
}

static int probe_version(const struct tls_probe_target *t, enum tls_version version,
	struct tls_probe *p)
{
	CLEANUP(visit_done) struct visit v = { .dial.fd = -1 };
	struct why why;
	int r = visit_make(&v, t, versions[version], NULL, NULL, &why);

	p->accepts[version] = r == 0;
	if (r == 0)
		(void)SSL_shutdown(v.ssl);
	return r < 0 ? r : 0;
}

int tls_probe(const struct tls_probe_target *target, struct tls_probe *ret_probe)
{
	CLEANUP(tls_probe_done) struct tls_probe p = {};
	int r = probe_first(target, &p);

	if (r < 0)
		return r;
	for (enum tls_version v = 0; v < TLS_VERSIONS && r == 0; v++)
		TRY(probe_version(target, v, &p));
	*ret_probe = p;
	p.chain = NULL;
	return 0;
}

void tls_probe_done(struct tls_probe *p)
{
	sk_X509_pop_free(p->chain, X509_free);
	p->chain = NULL;
}
