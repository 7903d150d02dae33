/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The header. What kind of value a field has is a table; what is not in it is text. How long a word
 * may be is checked, because a field can be folded between words only (RFC 5322 section 2.1.1).
 */

#include "mime/compose.h"

#include "base/clock.h"
#include "base/limit.h"
#include "base/random.h"
#include "mime/address.h"
#include "mime/encode.h"
#include "mime/message_id.h"

enum { WORD_MAX = 900, NAME_MAX_OCTETS = 70 };

enum field_kind { FIELD_TEXT, FIELD_ADDRESSES, FIELD_IDS, FIELD_RESERVED };

/* RFC 5322 section 3.6: which are there once. */
static const struct field_row {
	const char *name;
	enum field_kind kind;
	bool once;
} field_rows[] = {
	{ "From", FIELD_ADDRESSES, true },
	{ "Sender", FIELD_ADDRESSES, true },
	{ "Reply-To", FIELD_ADDRESSES, true },
	{ "To", FIELD_ADDRESSES, true },
	{ "Cc", FIELD_ADDRESSES, true },
	{ "Bcc", FIELD_ADDRESSES, true },
	{ "Disposition-Notification-To", FIELD_ADDRESSES, true },
	{ "Subject", FIELD_TEXT, true },
	{ "Message-ID", FIELD_IDS, true },
	{ "In-Reply-To", FIELD_IDS, true },
	{ "References", FIELD_IDS, true },
	{ "Date", FIELD_RESERVED, true },
	{ "MIME-Version", FIELD_RESERVED, true },
	{ "Received", FIELD_RESERVED, true },
	{ "Return-Path", FIELD_RESERVED, true },
	{ "Delivered-To", FIELD_RESERVED, true },
	{ "DKIM-Signature", FIELD_RESERVED, true },
	{ "Authentication-Results", FIELD_RESERVED, true },
	{ "HP-Outer", FIELD_RESERVED, true },
};

static const struct field_row *row_of(struct span name)
{
	static const struct field_row text = { "", FIELD_TEXT, false };
	static const struct field_row content = { "Content-*", FIELD_RESERVED, true };

	for (size_t i = 0; i < sizeof field_rows / sizeof field_rows[0]; i++) {
		if (span_is_nocase(name, field_rows[i].name))
			return &field_rows[i];
	}
	if (span_starts_nocase(name, SPAN("Content-")) ||
		span_starts_nocase(name, SPAN("Resent-")) || span_starts_nocase(name, SPAN("ARC-")))
		return &content;
	return &text;
}

static const struct compose_field *field_of(const struct compose_message *m, const char *name)
{
	for (size_t i = 0; i < m->n_fields; i++) {
		if (span_is_nocase(m->fields[i].name, name))
			return &m->fields[i];
	}
	return NULL;
}

static int refuse(struct why *why, struct span name, const char *reason)
{
	why_set(why, "%.*s %s", (int)(name.n > NAME_MAX_OCTETS ? NAME_MAX_OCTETS : name.n),
		(const char *)name.p, reason);
	return COMPOSE_E_REFUSED;
}

static int check_field(const struct compose_message *m, size_t i, struct why *why)
{
	const struct compose_field *f = &m->fields[i];
	const struct field_row *row = row_of(f->name);

	for (size_t k = 0; k < f->name.n; k++) {
		if (f->name.p[k] <= ' ' || f->name.p[k] >= 0x7f || f->name.p[k] == ':')
			return refuse(why, SPAN("a header field"), "has a name that is none");
	}
	if (f->name.n == 0 || f->name.n > NAME_MAX_OCTETS)
		return refuse(why, SPAN("a header field"), "has a name that is empty or too long");
	if (row->kind == FIELD_RESERVED)
		return refuse(why, f->name, "is not a field that is given: it is made here");
	if (f->value.n > LIMIT_HEADER_VALUE || !span_is_utf8(f->value))
		return refuse(why, f->name, "is too long, or not UTF-8");
	for (size_t k = 0; row->once && k < i; k++) {
		if (span_equal_nocase(m->fields[k].name, f->name))
			return refuse(why, f->name, "is there twice");
	}
	return 0;
}

/* local@domain where it is an address; the domain in A-labels where only it needs them. */
static bool add_mailbox(const struct address *a, struct buf *out)
{
	CLEANUP(buf_done) struct buf text = {};
	struct address_name name;

	address_add(&text, a->local, a->host);
	if (a->host.n == 0 || address_normalize(buf_span(&text), &name))
		return false;
	if (span_is_ascii(a->host))
		buf_add(out, buf_span(&text));
	else
		address_add(out, a->local, address_name_domain(&name));
	return true;
}

static int refuse_address(struct why *why, struct span name, const struct address *a)
{
	why_set(why, "%.*s: %.*s%s%.*s is not a mail address", (int)name.n, (const char *)name.p,
		(int)(a->local.n > 100 ? 100 : a->local.n), (const char *)a->local.p,
		a->host.n ? "@" : "", (int)(a->host.n > 100 ? 100 : a->host.n),
		(const char *)a->host.p);
	return COMPOSE_E_REFUSED;
}

static int add_addresses(const struct compose_field *f, struct buf *out, struct why *why)
{
	CLEANUP(address_reader_done) struct address_reader r = { .rest = f->value };
	struct address a;
	bool comma = false;

	while (address_next(&r, &a)) {
		if (a.kind == ADDRESS_GROUP_END) {
			buf_add_string(out, ";");
			comma = true;
			continue;
		}
		buf_add_string(out, comma ? ", " : "");
		comma = a.kind == ADDRESS_MAILBOX;
		if (a.name.n) {
			encode_phrase(a.name, out);
			buf_add_string(out, a.kind == ADDRESS_GROUP ? ": " : " <");
		}
		if (a.kind == ADDRESS_MAILBOX ? !add_mailbox(&a, out) : a.name.n == 0)
			return refuse_address(why, f->name, &a);
		buf_add_string(out, a.name.n && a.kind == ADDRESS_MAILBOX ? ">" : "");
	}
	return 0;
}

/* RFC 5322 section 3.6.4: msg-ids and nothing else. */
static int add_ids(const struct compose_field *f, struct buf *out, struct why *why)
{
	struct message_ids ids = message_ids_of(f->value);
	CLEANUP(buf_done) struct buf id = {};

	while (message_id_next(&ids, &id)) {
		for (size_t i = 0; i < buf_size(&id); i++) {
			if (id.p[id.start + i] <= ' ' || id.p[id.start + i] >= 0x7f)
				return refuse(why, f->name, "has an id that is none");
		}
		buf_add_format(out, "%s<%.*s>", buf_size(out) ? " " : "", (int)buf_size(&id),
			(const char *)buf_span(&id).p);
	}
	return buf_size(out) ? 0 : refuse(why, f->name, "has no id in it");
}

static bool has_long_word(struct span value)
{
	while (value.n) {
		if (span_cut(&value, ' ').n > WORD_MAX)
			return true;
	}
	return false;
}

static int add_field(const struct compose_field *f, struct buf *out, struct why *why)
{
	CLEANUP(buf_done) struct buf value = {};
	enum field_kind kind = row_of(f->name)->kind;
	int r = 0;

	if (kind == FIELD_ADDRESSES)
		r = add_addresses(f, &value, why);
	else if (kind == FIELD_IDS)
		r = add_ids(f, &value, why);
	else
		encode_text(f->value, &value);
	if (!r && has_long_word(buf_span(&value)))
		r = refuse(why, f->name, "has a word in it that is longer than a line");
	if (!r)
		encode_field(f->name, buf_span(&value), out);
	return r;
}

bool compose_address(const struct compose_message *m, const char *name, size_t i, struct buf *out)
{
	const struct compose_field *f = field_of(m, name);
	CLEANUP(address_reader_done)
	struct address_reader r = { .rest = f ? f->value : (struct span){} };
	struct address a;

	while (address_next(&r, &a)) {
		if (a.kind != ADDRESS_MAILBOX || a.host.n == 0 || i-- > 0)
			continue;
		address_add(out, a.local, a.host);
		return true;
	}
	return false;
}

/* RFC 5322 section 3.6.4: unique by chance, and it says nothing about this machine. */
void compose_make_id(const struct compose_message *m, struct buf *out)
{
	CLEANUP(buf_done) struct buf from = {};
	struct address_name name;
	char random[RANDOM_NAME + 1];

	random_name(random);
	buf_add_string(out, random);
	buf_add_octet(out, '@');
	if (compose_address(m, "From", 0, &from) && !address_normalize(buf_span(&from), &name))
		buf_add(out, address_name_domain(&name));
	else
		buf_add_string(out, "localhost");
}

static int check_header(const struct compose_message *m, struct why *why)
{
	CLEANUP(buf_done) struct buf address = {};

	if (m->n_fields > COMPOSE_FIELDS_MAX)
		return refuse(why, SPAN("the header"), "has too many fields");
	for (size_t i = 0; i < m->n_fields; i++) {
		int r = check_field(m, i, why);

		if (r)
			return r;
	}
	if (!compose_address(m, "From", 0, &address))
		return refuse(why, SPAN("From"), "is missing: who is it from?");
	/* RFC 5322 section 3.6.2. */
	if (compose_address(m, "From", 1, &address) && !compose_address(m, "Sender", 0, &address))
		return refuse(why, SPAN("From"),
			"has several addresses: Sender must say whose it is");
	return 0;
}

int compose_header(const struct compose_message *m, bool with_bcc, struct buf *out, struct why *why)
{
	int r = check_header(m, why);

	for (size_t i = 0; !r && i < m->n_fields; i++) {
		const struct compose_field *f = &m->fields[i];

		if (span_is_nocase(f->name, "Bcc") && !with_bcc)
			continue;
		if (span_trim(f->value).n)
			r = add_field(f, out, why);
	}
	if (r)
		return r;
	buf_add_string(out, "Date: ");
	clock_add_rfc5322(out, m->now_us);
	buf_add_string(out, "\r\n");
	if (!field_of(m, "Message-ID") && m->message_id.n)
		buf_add_format(out, "Message-ID: <%.*s>\r\n", (int)m->message_id.n,
			(const char *)m->message_id.p);
	return 0;
}
