/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Trace fields as octets. Everything in them was parsed strictly before, so nothing is escaped. */

#include "mail/trace.h"

#include "base/clock.h"

/* RFC 3848 and, for internationalized mail, RFC 6531 section 4.3. */
static void add_protocol(struct buf *out, const struct trace *t)
{
	if (!t->extended) {
		buf_add_string(out, "SMTP");
		return;
	}
	buf_add_string(out, t->transaction->utf8 ? "UTF8SMTP" : "ESMTP");
	if (t->tls_version)
		buf_add_octet(out, 'S');
	if (t->authenticated)
		buf_add_octet(out, 'A');
}

void trace_add(struct buf *out, const struct trace *t)
{
	bool one = trace_has_delivered_to(t->transaction);
	const struct mail_address *recipient = one ? &t->transaction->recipients[0].address : NULL;

	buf_add_string(out, "Return-Path: <");
	mail_address_add(out, &t->transaction->sender);
	buf_add_string(out, ">\r\n");
	if (one) {
		buf_add_string(out, "Delivered-To: ");
		mail_address_add(out, recipient);
		buf_add_string(out, "\r\n");
	}
	buf_add_string(out, "Received: from ");
	buf_add(out, t->helo);
	buf_add_string(out, " (");
	buf_add(out, t->peer);
	buf_add_string(out, ")\r\n");
	if (t->tls_version)
		buf_add_format(
			out, "\t(using %s with cipher %s)\r\n", t->tls_version, t->tls_cipher);
	buf_add_string(out, "\tby ");
	buf_add(out, t->hostname);
	buf_add_string(out, " with ");
	add_protocol(out, t);
	buf_add_string(out, " id ");
	buf_add(out, t->id);
	if (one) {
		buf_add_string(out, "\r\n\tfor <");
		mail_address_add(out, recipient);
		buf_add_octet(out, '>');
	}
	buf_add_string(out, ";\r\n\t");
	clock_add_rfc5322(out, t->now_us);
	buf_add_string(out, "\r\n");
}
