/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A delivery status notification in three parts: for people, for programs, and what came back. All
 * fields are made of addresses and texts that were checked before; only the last part is the
 * sender's own octets, and the boundary cannot be guessed.
 */

#include "mail/bounce.h"

#include "base/clock.h"
#include "mail/xtext.h"
#include "mime/header.h"

/* Octets of a header that are returned; a longer one is cut at a line. */
enum {
	RETURNED_MAX = 64 << 10,
	LINE_OCTETS = 900,
};

static bool address_is_ascii(const struct mail_address *a)
{
	return span_is_ascii(a->local) && span_is_ascii(a->domain);
}

static bool is_international(const struct bounce *b)
{
	if (!address_is_ascii(&b->to))
		return true;
	for (size_t i = 0; i < b->n; i++) {
		if (!address_is_ascii(&b->recipients[i].address))
			return true;
	}
	return false;
}

static bool any(const struct bounce *b, enum bounce_action action)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->recipients[i].action == action)
			return true;
	}
	return false;
}

static void add_header(const struct bounce *b, bool failed, struct buf *out)
{
	buf_add_string(out, "Return-Path: <>\r\nFrom: Mail Delivery System <postmaster@");
	buf_add(out, b->hostname);
	buf_add_string(out, ">\r\nTo: <");
	mail_address_add(out, &b->to);
	buf_add_format(out, ">\r\nSubject: %s\r\nDate: ",
		failed ? "Your message could not be delivered" : "Your message has been delivered");
	clock_add_rfc5322(out, b->now_us);
	buf_add_string(out, "\r\nMessage-ID: <");
	buf_add(out, b->unique);
	buf_add_octet(out, '@');
	buf_add(out, b->hostname);
	/* RFC 3834 section 5.1: nothing answers automatically to this. */
	buf_add_string(out, ">\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
			    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
			    "\tboundary=\"");
	buf_add(out, b->unique);
	buf_add_string(out, "\"\r\n\r\n");
}

static void add_boundary(const struct bounce *b, const char *type, const char *encoding,
	struct buf *out)
{
	buf_add_string(out, "\r\n--");
	buf_add(out, b->unique);
	buf_add_format(out, "\r\nContent-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n", type,
		encoding);
}

/* Reasons of rules have lines of their own, which are what somebody has written: none is too long
 * (RFC 5322 section 2.1.1), and nothing in them but text. A character is broken nowhere. */
static void add_words(const char *text, struct buf *out)
{
	size_t column = 0;

	for (; *text; text++) {
		uint8_t c = (uint8_t)*text;

		if (c == '\n' || (column > LINE_OCTETS && (c & 0xC0) != 0x80)) {
			buf_add_string(out, "\r\n    ");
			column = 0;
		}
		if ((c < ' ' && c != '\t') || c == 0x7F)
			continue;
		buf_add_octet(out, c);
		column++;
	}
}

static bool texts_are_ascii(const struct bounce *b)
{
	for (size_t i = 0; i < b->n; i++) {
		if (!span_is_ascii(span_str(b->recipients[i].verdict->text)))
			return false;
	}
	return true;
}

static void add_people_part(const struct bounce *b, enum bounce_action action, const char *intro,
	struct buf *out)
{
	if (!any(b, action))
		return;
	buf_add_string(out, intro);
	for (size_t i = 0; i < b->n; i++) {
		const struct bounce_recipient *r = &b->recipients[i];

		if (r->action != action)
			continue;
		buf_add_string(out, "    <");
		mail_address_add(out, &r->address);
		buf_add_string(out, ">: ");
		add_words(r->verdict->text, out);
		buf_add_string(out, "\r\n");
	}
	buf_add_string(out, "\r\n");
}

/* RFC 3464 section 2.3.1; the type is in front of the first semicolon. */
static void add_original_recipient(struct span original, struct buf *out)
{
	struct span rest = original, type = span_cut(&rest, ';');
	size_t before = buf_size(out);

	if (original.n == 0)
		return;
	buf_add_string(out, "Original-Recipient: ");
	buf_add(out, type);
	buf_add_string(out, "; ");
	if (span_is_nocase(type, "utf-8")) /* RFC 6533 section 3: has an encoding of its own */
		buf_add(out, rest);
	else if (!xtext_decode(rest, out)) {
		buf_cut(out, before);
		return;
	}
	buf_add_string(out, "\r\n");
}

static void add_recipient(const struct bounce_recipient *r, struct buf *out)
{
	static const char *const actions[BOUNCE_ACTIONS] = {
		[BOUNCE_FAILED] = "failed",
		[BOUNCE_DELIVERED] = "delivered",
	};

	buf_add_string(out, "\r\n");
	add_original_recipient(r->original, out);
	buf_add_format(out, "Final-Recipient: %s; ",
		address_is_ascii(&r->address) ? "rfc822" : "utf-8");
	mail_address_add(out, &r->address);
	buf_add_format(out, "\r\nAction: %s\r\nStatus: ", actions[r->action]);
	/* What was temporary in the transaction is final here: RFC 3463's class says so. */
	buf_add_format(out, "%c%s\r\n", r->action == BOUNCE_DELIVERED ? '2' : '5',
		r->verdict->status + 1);
}

static void add_status_part(const struct bounce *b, struct buf *out)
{
	size_t before;

	buf_add_string(out, "Reporting-MTA: dns; ");
	buf_add(out, b->hostname);
	buf_add_string(out, "\r\n");
	if (b->envelope_id.n) {
		before = buf_size(out);
		buf_add_string(out, "Original-Envelope-Id: ");
		if (xtext_decode(b->envelope_id, out))
			buf_add_string(out, "\r\n");
		else
			buf_cut(out, before);
	}
	buf_add_string(out, "Arrival-Date: ");
	clock_add_rfc5322(out, b->arrival_us);
	buf_add_string(out, "\r\n");
	for (size_t i = 0; i < b->n; i++)
		add_recipient(&b->recipients[i], out);
}

/* The header less its empty line, whole lines only. */
static struct span returned_header(struct span message)
{
	struct span header = span_head(message, header_size(message));

	if (header.n > RETURNED_MAX) {
		header.n = RETURNED_MAX;
		while (header.n && header.p[header.n - 1] != '\n')
			header.n--;
	}
	return header;
}

void bounce_compose(const struct bounce *b, struct buf *out)
{
	bool international = is_international(b), failed = any(b, BOUNCE_FAILED);
	struct span returned = b->full ? b->message : returned_header(b->message);
	const char *encoding = international ? "8bit" : "7bit";
	const char *returned_type = b->full ? "message/rfc822" : "text/rfc822-headers";

	if (international)
		returned_type = b->full ? "message/global" : "message/global-headers";
	add_header(b, failed, out);
	add_boundary(b, "text/plain; charset=utf-8", texts_are_ascii(b) ? encoding : "8bit", out);
	buf_add_string(out, "This is the mail system at ");
	buf_add(out, b->hostname);
	buf_add_string(out, ".\r\n\r\n");
	add_people_part(b, BOUNCE_FAILED,
		"Your message could not be delivered to the following recipients:\r\n\r\n", out);
	add_people_part(b, BOUNCE_DELIVERED,
		"Your message has been delivered to the following recipients:\r\n\r\n", out);
	add_boundary(b,
		international ? "message/global-delivery-status" : "message/delivery-status",
		encoding, out);
	add_status_part(b, out);
	add_boundary(b, returned_type, span_is_ascii(returned) ? "7bit" : "8bit", out);
	buf_add(out, returned);
	buf_add_string(out, "\r\n--");
	buf_add(out, b->unique);
	buf_add_string(out, "--\r\n");
}
