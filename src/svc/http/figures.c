/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* One row for each counter of svc/env.h and of connections. */

#include "svc/http/figures.h"

#include "svc/conn.h"

#include <stddef.h>

const struct figure figures[COUNTERS] = {
	[COUNT_LOGIN_OK] = { "logins_accepted_total", "Logins accepted" },
	[COUNT_LOGIN_REFUSED] = { "logins_refused_total", "Logins refused" },
	[COUNT_SMTP_ACCEPTED] = { "smtp_accepted_total", "Messages accepted by SMTP" },
	[COUNT_SMTP_REFUSED] = { "smtp_refused_total", "SMTP transactions refused" },
	[COUNT_SMTP_DEFERRED] = { "smtp_deferred_total", "SMTP transactions deferred" },
	[COUNT_DELIVERED] = { "delivered_total", "Copies delivered to mailboxes" },
	[COUNT_RULES_FAILED] = { "rules_failed_total", "Rules that failed at run time" },
	[COUNT_ANSWERED] = { "vacation_answers_total", "Senders told that somebody is away" },
	[COUNT_APPENDED] = { "appended_total", "Messages appended by IMAP" },
	[COUNT_HTTP_REQUESTS] = { "http_requests_total", "HTTP requests answered" },
	[COUNT_ACME_ISSUED] = { "acme_certificates_total", "Certificates obtained by ACME" },
	[COUNT_ACME_FAILED] = { "acme_failures_total", "Tries to obtain one that failed" },
	[COUNT_CA_ISSUED] = { "ca_certificates_total", "Certificates issued for users" },
	[COUNT_CA_REVOKED] = { "ca_revoked_total", "Certificates of users revoked" },
	[COUNT_OCSP_ANSWERS] = { "ocsp_answers_total", "Answers of our own responder" },
	[COUNT_SECURE_REFUSED] = { "secure_mail_refused_total", "Wrong Secure Mail Passwords" },
	[COUNT_FAULTS] = { "faults_total", "Faults on our side" },
};

#define ROW(field) #field, offsetof(struct conn_counters, field)

const struct conn_figure conn_figures[] = {
	{ ROW(accepted), "connections_total", false, "Connections accepted" },
	{ ROW(refused), "connections_refused_total", false, "Connections over a limit" },
	{ ROW(open), "connections_open", true, "Connections open now" },
	{ ROW(tls), "tls_handshakes_total", false, "TLS handshakes done" },
	{ ROW(tls_resumed), "tls_resumed_total", false, "TLS sessions resumed" },
	{ ROW(tls_failed), "tls_failed_total", false, "TLS handshakes failed" },
	{ ROW(timed_out), "connections_timed_out_total", false, "Connections ended for silence" },
};

#undef ROW

const size_t n_conn_figures = sizeof conn_figures / sizeof conn_figures[0];

unsigned long long conn_figure_value(const struct conn_figure *f, const struct conn_counters *c)
{
	const atomic_uint_fast64_t *field = (const void *)((const char *)c + f->offset);

	return atomic_load_explicit(field, memory_order_relaxed);
}
