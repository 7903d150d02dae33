/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What failed, what it means until when, what happens next, and what a person can do. */

#include "mail/renewal_notice.h"

#include "base/clock.h"
#include "base/err.h"

/* Octets of a fact: lines stay within RFC 5322 section 2.1.1. */
enum { FACT_MAX = 600 };

static void add_header(const struct renewal_notice *n, struct buf *out)
{
	buf_add_string(out, "Return-Path: <>\r\nFrom: Signet <postmaster@");
	buf_add(out, n->hostname);
	buf_add_string(out, ">\r\nTo: <postmaster@");
	buf_add(out, n->domain);
	buf_add_string(out, ">\r\nSubject: No new certificate for ");
	buf_add(out, n->domain);
	buf_add_string(out, "\r\nDate: ");
	clock_add_rfc5322(out, n->now_us);
	buf_add_string(out, "\r\nMessage-ID: <");
	buf_add(out, n->unique);
	buf_add_octet(out, '@');
	buf_add(out, n->hostname);
	/* RFC 3834 section 5.1: nothing answers automatically to this. */
	buf_add_string(out, ">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
			    "Content-Type: text/plain; charset=utf-8\r\n"
			    "Content-Transfer-Encoding: 8bit\r\n\r\n");
}

/* The trouble comes from another server, a program or a network: it may hold anything. */
static void add_fact(struct buf *out, const char *name, struct span text)
{
	text = span_head(text, FACT_MAX);
	buf_add_format(out, "    %-12s ", name);
	for (size_t i = 0; i < text.n; i++)
		buf_add_octet(out, text.p[i] < ' ' || text.p[i] >= 0x7F ? '?' : text.p[i]);
	buf_add_string(out, "\r\n");
}

static void add_time(struct buf *out, const char *name, int64_t time_us)
{
	CLEANUP(buf_done) struct buf text = {};

	clock_add_rfc3339(&text, time_us);
	add_fact(out, name, buf_span(&text));
}

static void add_meaning(const struct renewal_notice *n, struct buf *out)
{
	if (n->not_after_us == 0)
		buf_add_string(out,
			"Until it works, what the domain had before goes on serving.\r\n");
	else if (n->not_after_us <= n->now_us)
		buf_add_string(out,
			"The one before has expired: mail programs and other servers refuse"
			" the connection or\r\nwarn their users now.\r\n");
	else
		buf_add_string(out, "The one before goes on serving until it ends.\r\n");
}

void renewal_notice_compose(const struct renewal_notice *n, struct buf *out)
{
	add_header(n, out);
	buf_add_string(out, "A certificate could not be obtained from the authority that ");
	buf_add(out, n->domain);
	buf_add_string(out, " has its\r\ncertificates from.\r\n\r\n");
	add_fact(out, "Authority:", n->directory.n ? n->directory : SPAN("none is set"));
	add_fact(out, "For:", n->names.n ? n->names : SPAN("the domain and its aliases"));
	add_fact(out, "Key:", n->type);
	add_fact(out, "Trouble:", n->trouble);
	buf_add_format(out, "    %-12s %u in a row\r\n", "Failures:", n->n_failures);
	add_time(out, "Next try:", n->next_us);
	if (n->not_after_us)
		add_time(out, "It ends:", n->not_after_us);
	buf_add_string(out, "\r\n");
	add_meaning(n, out);
	buf_add_string(out,
		"\r\nIt is tried again by itself. How it stands, and another try now:\r\n"
		"\r\n    signet acme status ");
	buf_add(out, n->domain);
	buf_add_string(out, "\r\n    signet acme renew ");
	buf_add(out, n->domain);
	buf_add_string(out,
		"\r\n\r\nAs long as it does not work there is one such message a day.\r\n");
}
