/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* One row for each counter of svc/env.h. */

#include "svc/http/figures.h"

const struct figure figures[COUNTERS] = {
	[COUNT_SESSIONS] = { "sessions_total", false, "Connections accepted" },
	[COUNT_SESSIONS_OPEN] = { "sessions_open", true, "Connections open now" },
	[COUNT_TLS_HANDSHAKES] = { "tls_handshakes_total", false, "TLS handshakes done" },
	[COUNT_TLS_RESUMED] = { "tls_resumed_total", false, "TLS sessions resumed" },
	[COUNT_TLS_FAILED] = { "tls_failed_total", false, "TLS handshakes failed" },
	[COUNT_LOGIN_OK] = { "logins_accepted_total", false, "Logins accepted" },
	[COUNT_LOGIN_REFUSED] = { "logins_refused_total", false, "Logins refused" },
	[COUNT_SMTP_ACCEPTED] = { "smtp_accepted_total", false, "Messages accepted by SMTP" },
	[COUNT_SMTP_REFUSED] = { "smtp_refused_total", false, "SMTP transactions refused" },
	[COUNT_SMTP_DEFERRED] = { "smtp_deferred_total", false, "SMTP transactions deferred" },
	[COUNT_DELIVERED] = { "delivered_total", false, "Copies delivered to mailboxes" },
	[COUNT_APPENDED] = { "appended_total", false, "Messages appended by IMAP" },
	[COUNT_HTTP_REQUESTS] = { "http_requests_total", false, "HTTP requests answered" },
	[COUNT_FAULTS] = { "faults_total", false, "Faults on our side" },
};
