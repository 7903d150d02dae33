/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A warning in words: what ends and when, what it serves, and the commands that help. It is read by
 * somebody who has not thought of the certificate for a year, so it explains itself.
 */

#include "mail/expiry_notice.h"

#include "mail/notice.h"

static const int64_t day_us = 24LL * 3600 * 1000000;

const char *expiry_kind_name(enum expiry_kind kind)
{
	static const char *const names[] = {
		[EXPIRY_SELF_SIGNED] = "self-signed",
		[EXPIRY_ISSUED] = "issued",
		[EXPIRY_RENEWAL] = "renewal",
		[EXPIRY_CHAIN] = "chain",
		[EXPIRY_TRUSTED] = "trusted",
	};

	return names[kind];
}

int expiry_threshold(int64_t not_after_us, int64_t now_us, unsigned *ret_days)
{
	static const unsigned thresholds[] = { 0, 1, 7, 14, 30 };

	for (size_t i = 0; i < sizeof thresholds / sizeof thresholds[0]; i++) {
		if (not_after_us - now_us <= (int64_t)thresholds[i] * day_us) {
			*ret_days = thresholds[i];
			return 0;
		}
	}
	return EXPIRY_E_NONE;
}

static bool is_over(const struct expiry_warning *w)
{
	return w->not_after_us <= w->now_us;
}

static void add_what(const struct expiry_warning *w, struct buf *out)
{
	switch (w->kind) {
	case EXPIRY_TRUSTED:
		buf_add_string(out, "A trusted authority");
		break;
	case EXPIRY_CHAIN:
		buf_add_string(out, "An issuer of the certificate");
		break;
	default:
		buf_add_string(out, "A certificate");
	}
	buf_add_string(out, " of ");
	buf_add(out, w->domain);
}

/* What it is and when it ends, for the subject and the first line. */
static void add_news(const struct expiry_warning *w, struct buf *out)
{
	add_what(w, out);
	buf_add_string(out, is_over(w) ? " has expired" : " expires ");
	if (!is_over(w))
		notice_add_left(out, w->not_after_us, w->now_us);
}

static void add_head(const struct expiry_warning *w, struct buf *out)
{
	CLEANUP(buf_done) struct buf subject = {};
	struct notice_head head = { .hostname = w->hostname,
		.local = SPAN("postmaster"),
		.domain = w->domain,
		.unique = w->unique,
		.now_us = w->now_us };

	add_news(w, &subject);
	head.subject = buf_span(&subject);
	notice_add_head(&head, out);
}

static void add_facts(const struct expiry_warning *w, struct buf *out)
{
	buf_add_string(out, "\r\n");
	if (w->alias.n)
		notice_add_fact(out, w->kind == EXPIRY_CHAIN ? "Chain of:" : "Name here:", w->alias);
	notice_add_fact(out, "Issued to:", w->subject);
	notice_add_fact(out, "Issued by:", w->issuer);
	notice_add_fact(out, "Serial:", w->serial);
	notice_add_fact(out, "SHA-256:", w->fingerprint);
	notice_add_time(out, is_over(w) ? "Ended:" : "Ends:", w->not_after_us);
	if (w->kind != EXPIRY_TRUSTED)
		notice_add_fact(out, "Serves:", w->services.n ? w->services :
			SPAN("nothing yet; it is the domain's newest"));
	buf_add_string(out, "\r\n");
}

/* Commands are written with %D for the domain and %A for the certificate's name. */
static void add_commands(const struct expiry_warning *w, const char *text, struct buf *out)
{
	for (; *text; text++) {
		if (text[0] == '%' && (text[1] == 'D' || text[1] == 'A')) {
			buf_add(out, text[1] == 'D' ? w->domain : w->alias);
			text++;
		} else if (*text == '\n') {
			buf_add_string(out, "\r\n");
		} else {
			buf_add_octet(out, (uint8_t)*text);
		}
	}
}

static const char *consequence(const struct expiry_warning *w)
{
	switch (w->kind) {
	case EXPIRY_TRUSTED:
		return is_over(w) ? "Nobody can log in with a certificate from this authority any "
				    "more.\n\n" :
			"From then on nobody can log in with a certificate from this authority.\n\n";
	default:
		if (w->services.n == 0)
			return "";
		return is_over(w) ? "Mail programs and other servers refuse the connection or warn "
				    "their users now.\n\n" :
			"From then on mail programs and other servers refuse the connection or warn "
			"their\nusers.\n\n";
	}
}

static const char *remedy(enum expiry_kind kind)
{
	switch (kind) {
	case EXPIRY_SELF_SIGNED:
		return "It is signed by its own key. This makes its successor and puts it to use at "
		       "once; whoever\nhas installed the old one must install the new one:\n\n"
		       "    signet cert self-sign %D\n";
	case EXPIRY_RENEWAL:
		return "It should have been renewed automatically, and that has not worked so far; "
		       "it is tried\nagain. What stands in the way, and another try now:\n\n"
		       "    signet acme status %D\n    signet acme renew %D\n";
	case EXPIRY_CHAIN:
		return "Get the issuer's new certificate from the authority, put it in a file with "
		       "the other\nissuers (PEM, the nearest first), and set the chain anew:\n\n"
		       "    signet chain set %D FILE\n";
	case EXPIRY_TRUSTED:
		return "If the authority has a new certificate, trust that one instead:\n\n"
		       "    signet trust list --domain %D\n"
		       "    signet trust add FILE --domain %D --for client\n";
	case EXPIRY_ISSUED:
		break;
	}
	return "Make a request, have the authority sign it, and install what it answers, which puts it to "
	       "use;\nthe key stays here:\n\n    signet request create %D -o request.pem\n"
	       "    signet cert install %D FILE\n";
}

void expiry_compose(const struct expiry_warning *w, struct buf *out)
{
	add_head(w, out);
	add_news(w, out);
	buf_add_string(out, ":\r\n");
	add_facts(w, out);
	add_commands(w, consequence(w), out);
	if (w->kind == EXPIRY_RENEWAL && w->trouble.n) {
		notice_add_fact(out, "Last answer:", w->trouble);
		buf_add_string(out, "\r\n");
	}
	add_commands(w, remedy(w->kind), out);
	buf_add_string(out, "\r\nThis is told 30, 14, 7 and 1 days before a certificate's end and "
			    "once when it is over.\r\n");
}
