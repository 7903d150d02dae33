/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "mail/own_cert_notice.h"

#include "base/clock.h"
#include "base/err.h"

/* Octets of a fact: lines stay within RFC 5322 section 2.1.1. */
enum { FACT_MAX = 600 };

static const int64_t day_us = 24LL * 3600 * 1000000;

static const char *subject_of(const struct own_cert_notice *n)
{
	if (n->renewed)
		return "The certificate of your mail was renewed";
	return n->not_after_us > n->now_us ? "The certificate of your mail will expire" :
					     "The certificate of your mail has expired";
}

static void add_header(const struct own_cert_notice *n, struct buf *out)
{
	buf_add_string(out, "Return-Path: <>\r\nFrom: Signet <postmaster@");
	buf_add(out, n->hostname);
	buf_add_string(out, ">\r\nTo: <");
	buf_add(out, n->account);
	buf_add_format(out, ">\r\nSubject: %s\r\nDate: ", subject_of(n));
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

static void add_fact(struct buf *out, const char *name, struct span text)
{
	text = span_head(text, FACT_MAX);
	buf_add_format(out, "    %-12s ", name);
	for (size_t i = 0; i < text.n; i++)
		buf_add_octet(out, text.p[i] < ' ' || text.p[i] == 0x7F ? '?' : text.p[i]);
	buf_add_string(out, "\r\n");
}

static void add_facts(const struct own_cert_notice *n, struct buf *out)
{
	CLEANUP(buf_done) struct buf end = {};

	clock_add_rfc3339(&end, n->not_after_us);
	add_fact(out, "For:", n->address);
	add_fact(out, "Issued by:", n->issuer);
	add_fact(out, "Serial:", n->serial);
	add_fact(out, "Valid until:", buf_span(&end));
	if (n->trouble.n)
		add_fact(out, "Trouble:", n->trouble);
}

void own_cert_notice_compose(const struct own_cert_notice *n, struct buf *out)
{
	add_header(n, out);
	if (n->renewed)
		buf_add_string(out,
			"The certificate that your mail is signed with, and that others encrypt to,"
			" was\r\nrenewed. Your key is the same: there is nothing to do here.\r\n\r\n");
	else if (n->not_after_us > n->now_us)
		buf_add_format(out, "The certificate of your mail ends in %lld days.\r\n\r\n",
			(long long)((n->not_after_us - n->now_us) / day_us));
	else
		buf_add_string(out, "The certificate of your mail is over.\r\n\r\n");
	add_facts(n, out);
	if (n->renewed)
		buf_add_string(out,
			"\r\nIf a mail program of yours has the key with the old certificate, export"
			" both\r\nagain and give them to it. Old messages can be read with either.\r\n");
	else
		buf_add_string(out,
			"\r\nOnce it is over, others see your signatures as not valid and cannot"
			" encrypt to\r\nyou. Get a new one in the settings of Secure Mail, or from your"
			" administrator.\r\nKeep the key: what was encrypted to it stays readable with it"
			" only.\r\n");
}
