/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What failed, what it means until when, what happens next, and what a person can do. */

#include "mail/renewal_notice.h"

#include "base/err.h"
#include "mail/notice.h"

static void add_head(const struct renewal_notice *n, struct buf *out)
{
	CLEANUP(buf_done) struct buf subject = {};
	struct notice_head head = { .hostname = n->hostname,
		.local = SPAN("postmaster"),
		.domain = n->domain,
		.unique = n->unique,
		.now_us = n->now_us };

	buf_add_string(&subject, "No new certificate for ");
	buf_add(&subject, n->domain);
	head.subject = buf_span(&subject);
	notice_add_head(&head, out);
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
	add_head(n, out);
	buf_add_string(out, "A certificate could not be obtained from the authority that ");
	buf_add(out, n->domain);
	buf_add_string(out, " has its\r\ncertificates from.\r\n\r\n");
	notice_add_fact(out, "Authority:", n->directory.n ? n->directory : SPAN("none is set"));
	notice_add_fact(out, "For:", n->names.n ? n->names : SPAN("the domain and its aliases"));
	notice_add_fact(out, "Key:", n->type);
	notice_add_fact(out, "Trouble:", n->trouble);
	buf_add_format(out, "    %-12s %u in a row\r\n", "Failures:", n->n_failures);
	notice_add_time(out, "Next try:", n->next_us);
	if (n->not_after_us)
		notice_add_time(out, "It ends:", n->not_after_us);
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
