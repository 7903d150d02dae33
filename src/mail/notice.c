/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "mail/notice.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/random.h"

enum { FACT_MAX = 600 }; /* octets of a fact: lines stay within RFC 5322 section 2.1.1 */

static const int64_t hour_us = 3600LL * 1000000;

struct span notice_unique(struct arena *a)
{
	char name[RANDOM_NAME + 1];

	random_name(name);
	return arena_span(a, span_str(name));
}

void notice_add_head(const struct notice_head *h, struct buf *out)
{
	buf_add_string(out, "Return-Path: <>\r\nFrom: Signet <postmaster@");
	buf_add(out, h->hostname);
	buf_add_string(out, ">\r\nTo: <");
	buf_add(out, h->local);
	buf_add_octet(out, '@');
	buf_add(out, h->domain);
	buf_add_string(out, ">\r\nSubject: ");
	buf_add(out, h->subject);
	buf_add_string(out, "\r\nDate: ");
	clock_add_rfc5322(out, h->now_us);
	buf_add_string(out, "\r\nMessage-ID: <");
	buf_add(out, h->unique);
	buf_add_octet(out, '@');
	buf_add(out, h->hostname);
	/* RFC 3834 section 5.1: nothing answers automatically to this. */
	buf_add_string(out, ">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
			    "Content-Type: text/plain; charset=utf-8\r\n"
			    "Content-Transfer-Encoding: 8bit\r\n\r\n");
}

/* Of text that is not UTF-8, ASCII only: the message says that it is UTF-8. */
static bool is_shown(uint8_t octet, bool is_utf8)
{
	return octet >= ' ' && octet != 0x7F && (octet < 0x80 || is_utf8);
}

void notice_add_fact(struct buf *out, const char *name, struct span text)
{
	bool is_utf8 = span_is_utf8(text);
	struct span shown = is_utf8 ? span_head_utf8(text, FACT_MAX) : span_head(text, FACT_MAX);

	buf_add_format(out, "    %-12s ", name);
	for (size_t i = 0; i < shown.n; i++)
		buf_add_octet(out, is_shown(shown.p[i], is_utf8) ? shown.p[i] : '?');
	buf_add_string(out, shown.n < text.n ? "...\r\n" : "\r\n");
}

void notice_add_time(struct buf *out, const char *name, int64_t time_us)
{
	CLEANUP(buf_done) struct buf text = {};

	clock_add_rfc3339(&text, time_us);
	notice_add_fact(out, name, buf_span(&text));
}

void notice_add_left(struct buf *out, int64_t until_us, int64_t now_us)
{
	int64_t hours = (until_us - now_us) / hour_us;
	int64_t n = hours >= 48 ? hours / 24 : hours;

	if (n < 1)
		buf_add_string(out, "within the hour");
	else
		buf_add_format(out, "in %lld %s%s", (long long)n, hours >= 48 ? "day" : "hour",
			n == 1 ? "" : "s");
}
