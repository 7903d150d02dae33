/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "mail/own_cert_notice.h"

#include "base/err.h"
#include "mail/notice.h"

static const char *subject_of(const struct own_cert_notice *n)
{
	if (n->renewed)
		return "The certificate of your mail was renewed";
	if (n->revoked_us)
		return "The certificate of your mail was revoked";
	return n->not_after_us > n->now_us ? "The certificate of your mail will expire" :
					     "The certificate of your mail has expired";
}

static void add_facts(const struct own_cert_notice *n, struct buf *out)
{
	notice_add_fact(out, "For:", n->address);
	notice_add_fact(out, "Issued by:", n->issuer);
	notice_add_fact(out, "Serial:", n->serial);
	notice_add_time(out, "Valid until:", n->not_after_us);
	if (n->revoked_us) {
		notice_add_time(out, "Revoked:", n->revoked_us);
		notice_add_fact(out, "Reason:", n->reason);
	}
	if (n->trouble.n)
		notice_add_fact(out, "Trouble:", n->trouble);
}

/* What that means, and what there is to do. */
static void add_advice(const struct own_cert_notice *n, struct buf *out)
{
	if (n->renewed) {
		buf_add_string(out,
			"\r\nIf a mail program of yours has the key with the old certificate, export"
			" both\r\nagain and give them to it. Old messages can be read with either.\r\n");
		return;
	}
	if (n->revoked_us && n->has_other) {
		buf_add_string(out,
			"\r\nAnother certificate of yours is used by now. A mail program that has the"
			" revoked\r\none needs the other one, too.\r\n");
		return;
	}
	buf_add_string(out, n->revoked_us ? "\r\nOthers see your signatures as not valid and cannot encrypt to"
					    " you"
					  : "\r\nOnce it is over, others see your signatures as not valid"
					    " and cannot encrypt to\r\nyou");
	buf_add_string(out, n->key_compromised
				    ? ". Make a new\r\nkey in the settings of Secure Mail, or get one from"
				      " your administrator.\r\n"
				    : ". Get a new one in the settings of Secure Mail, or from your"
				      " administrator.\r\n");
	buf_add_string(out, "Keep the key: what was encrypted to it stays readable with it only.\r\n");
}

static void add_end(const struct own_cert_notice *n, struct buf *out)
{
	if (n->not_after_us <= n->now_us) {
		buf_add_string(out, "The certificate of your mail is over.\r\n\r\n");
		return;
	}
	buf_add_string(out, "The certificate of your mail ends ");
	notice_add_left(out, n->not_after_us, n->now_us);
	buf_add_string(out, ".\r\n\r\n");
}

void own_cert_notice_compose(const struct own_cert_notice *n, struct buf *out)
{
	struct notice_head head = { .hostname = n->hostname,
		.local = n->local,
		.domain = n->domain,
		.subject = span_str(subject_of(n)),
		.unique = n->unique,
		.now_us = n->now_us };

	notice_add_head(&head, out);
	if (n->renewed)
		buf_add_string(out,
			"The certificate that your mail is signed with, and that others encrypt to,"
			" was\r\nrenewed. Your key is the same: there is nothing to do here.\r\n\r\n");
	else if (n->revoked_us)
		buf_add_string(out, "The certificate of your mail was revoked: it counts as none from"
				    " now on.\r\n\r\n");
	else
		add_end(n, out);
	add_facts(n, out);
	add_advice(n, out);
}
