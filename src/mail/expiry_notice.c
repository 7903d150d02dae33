/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A warning in words: what ends and when, what it serves, and the commands that help. It is read by
 * somebody who has not thought of the certificate for a year, so it explains itself.
 */

#include "mail/expiry_notice.h"

#include "base/clock.h"

/* Octets of a name from a certificate: lines stay within RFC 5322 section 2.1.1. */
enum { TEXT_MAX = 600 };

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

/* "in 7 days", "in 5 hours"; the part of a day or an hour that has begun does not count. */
static void add_left(const struct expiry_warning *w, struct buf *out)
{
	int64_t hours = (w->not_after_us - w->now_us) / (day_us / 24);
	int64_t n = hours >= 48 ? hours / 24 : hours;

	if (n < 1)
		buf_add_string(out, "within the hour");
	else
		buf_add_format(out, "in %lld %s%s", (long long)n, hours >= 48 ? "day" : "hour",
			n == 1 ? "" : "s");
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

static void add_header(const struct expiry_warning *w, struct buf *out)
{
	buf_add_string(out, "Return-Path: <>\r\nFrom: Signet <postmaster@");
	buf_add(out, w->hostname);
	buf_add_string(out, ">\r\nTo: <postmaster@");
	buf_add(out, w->domain);
	buf_add_string(out, ">\r\nSubject: ");
	add_what(w, out);
	if (is_over(w)) {
		buf_add_string(out, " has expired");
	} else {
		buf_add_string(out, " expires ");
		add_left(w, out);
	}
	buf_add_string(out, "\r\nDate: ");
	clock_add_rfc5322(out, w->now_us);
	buf_add_string(out, "\r\nMessage-ID: <");
	buf_add(out, w->unique);
	buf_add_octet(out, '@');
	buf_add(out, w->hostname);
	/* RFC 3834 section 5.1: nothing answers automatically to this. */
	buf_add_string(out, ">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
			    "Content-Type: text/plain; charset=utf-8\r\n"
			    "Content-Transfer-Encoding: 8bit\r\n\r\n");
}

static void add_field(struct buf *out, const char *name, struct span text)
{
	size_t n = text.n < TEXT_MAX ? text.n : TEXT_MAX;

	/* Not within a character of UTF-8. */
	while (n < text.n && n && (text.p[n] & 0xC0) == 0x80)
		n--;
	buf_add_format(out, "    %-12s ", name);
	for (size_t i = 0; i < n; i++)
		buf_add_octet(out, text.p[i] < ' ' || text.p[i] == 0x7F ? '?' : text.p[i]);
	buf_add_string(out, n < text.n ? "...\r\n" : "\r\n");
}

static void add_facts(const struct expiry_warning *w, struct buf *out)
{
	CLEANUP(buf_done) struct buf end = {};

	clock_add_rfc3339(&end, w->not_after_us);
	buf_add_string(out, "\r\n");
	if (w->alias.n)
		add_field(out, w->kind == EXPIRY_CHAIN ? "Chain of:" : "Name here:", w->alias);
	add_field(out, "Issued to:", w->subject);
	add_field(out, "Issued by:", w->issuer);
	add_field(out, "Serial:", w->serial);
	add_field(out, "SHA-256:", w->fingerprint);
	add_field(out, is_over(w) ? "Ended:" : "Ends:", buf_span(&end));
	if (w->kind != EXPIRY_TRUSTED)
		add_field(out, "Serves:", w->services.n ? w->services :
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
	add_header(w, out);
	add_what(w, out);
	if (is_over(w)) {
		buf_add_string(out, " has expired:\r\n");
	} else {
		buf_add_string(out, " expires ");
		add_left(w, out);
		buf_add_string(out, ":\r\n");
	}
	add_facts(w, out);
	add_commands(w, consequence(w), out);
	if (w->kind == EXPIRY_RENEWAL && w->trouble.n) {
		add_field(out, "Last answer:", w->trouble);
		buf_add_string(out, "\r\n");
	}
	add_commands(w, remedy(w->kind), out);
	buf_add_string(out, "\r\nThis is told 30, 14, 7 and 1 days before a certificate's end and "
			    "once when it is over.\r\n");
}
