/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "mail/answer.h"

#include "base/clock.h"
#include "base/limit.h"
#include "mime/address.h"
#include "mime/encode.h"
#include "mime/header.h"
#include "mime/message_id.h"
#include "mime/word.h"
#include "sieve/eval.h"

enum {
	ID_MAX = 900,          /* octets of an id that is repeated: a line has at most 998 */
	REFERENCES_MAX = 4096, /* of all of them */
};

/* The next id that can stand in a line of a header. */
static bool next_id(struct message_ids *ids, struct buf *id)
{
	while (message_id_next(ids, id)) {
		struct span text = buf_span(id);
		bool good = text.n <= ID_MAX && span_is_ascii(text);

		for (size_t i = 0; i < text.n && good; i++)
			good = text.p[i] != 0x7F;
		if (good)
			return true;
	}
	return false;
}

static struct message_ids ids_of(struct span message, const char *name)
{
	struct header_field f = {};

	if (!header_find(span_head(message, header_size(message)), name, &f))
		return message_ids_of((struct span){});
	return message_ids_of(span_head(f.value, LIMIT_HEADER_VALUE));
}

static size_t references_size(struct message_ids ids)
{
	CLEANUP(buf_done) struct buf id = {};
	size_t n = 0;

	while (next_id(&ids, &id))
		n += buf_size(&id);
	return n;
}

static void add_id(struct span id, struct buf *out)
{
	buf_add_octet(out, '<');
	buf_add(out, id);
	buf_add_string(out, ">\r\n");
}

/* RFC 5230 section 5.8, RFC 3834 section 3.1.5. Of many references the first and the last stay,
 * each in a line of its own. */
static void add_thread(const struct answer *a, struct buf *out)
{
	CLEANUP(buf_done) struct buf own = {}, id = {};
	struct message_ids ids = ids_of(a->message, "Message-ID");
	size_t n;

	if (!next_id(&ids, &own))
		return;
	buf_add_string(out, "In-Reply-To: ");
	add_id(buf_span(&own), out);
	buf_add_string(out, "References:");
	ids = ids_of(a->message, "References");
	n = references_size(ids);
	for (bool first = true; next_id(&ids, &id); first = false) {
		if (n > REFERENCES_MAX && !first) {
			n -= buf_size(&id);
			continue;
		}
		buf_add_octet(out, ' ');
		add_id(buf_span(&id), out);
	}
	buf_add_octet(out, ' ');
	add_id(buf_span(&own), out);
}

static void add_mailbox(struct span name, struct span address, struct buf *out)
{
	CLEANUP(buf_done) struct buf value = {};

	if (name.n) {
		encode_phrase(name, &value);
		buf_add_octet(&value, ' ');
	}
	buf_add_octet(&value, '<');
	buf_add(&value, address);
	buf_add_octet(&value, '>');
	encode_field(SPAN("From"), buf_span(&value), out);
}

/* What :from says was found to be one address when the script ran. */
static void add_from(const struct answer *a, struct buf *out)
{
	CLEANUP(buf_done) struct buf name = {}, address = {};
	struct address_reader reader = { .rest = a->action->from };
	struct address found;

	if (address_next(&reader, &found) && found.host.n) {
		word_decode_phrase(found.name, &name);
		address_add(&address, found.local, found.host);
		add_mailbox(buf_span(&name), buf_span(&address), out);
	} else {
		add_mailbox(a->name, a->from, out);
	}
	address_reader_done(&reader);
}

static void add_subject(struct span subject, struct buf *out)
{
	CLEANUP(buf_done) struct buf value = {};

	encode_text(subject, &value);
	encode_field(SPAN("Subject"), buf_span(&value), out);
}

/* RFC 5230 section 4.4: the reason is an entity with its own header. */
static void add_mime(struct span reason, struct buf *out)
{
	CLEANUP(buf_done) struct buf entity = {};
	struct span header, field_rest;
	struct header_field f;

	encode_crlf(reason, &entity);
	header = span_head(buf_span(&entity), header_size(buf_span(&entity)));
	field_rest = header;
	while (header_next(&field_rest, &f)) {
		if (span_starts_nocase(f.name, SPAN("Content-")))
			buf_add(out, f.whole);
	}
	buf_add_string(out, "\r\n");
	buf_add(out, span_skip(buf_span(&entity), header.n));
	buf_add_string(out, "\r\n");
}

static void add_text(struct span reason, struct buf *out)
{
	CLEANUP(buf_done) struct buf text = {};
	bool plain;

	encode_crlf(reason, &text);
	plain = encode_is_7bit(buf_span(&text));
	buf_add_format(out,
		"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n",
		plain ? "7bit" : "quoted-printable");
	if (plain)
		buf_add(out, buf_span(&text));
	else
		encode_quoted_printable(buf_span(&text), out);
	buf_add_string(out, "\r\n");
}

void answer_compose(const struct answer *a, struct buf *out)
{
	add_from(a, out);
	buf_add_string(out, "To: <");
	buf_add(out, a->action->target);
	buf_add_string(out, ">\r\n");
	add_subject(a->action->subject, out);
	buf_add_string(out, "Date: ");
	clock_add_rfc5322(out, a->now_us);
	buf_add_string(out, "\r\nMessage-ID: <");
	buf_add(out, a->unique);
	buf_add_octet(out, '@');
	buf_add(out, a->hostname);
	buf_add_string(out, ">\r\n");
	add_thread(a, out);
	/* RFC 3834 section 5.1; the second for servers that do not know the first. */
	buf_add_string(out, "Auto-Submitted: auto-replied (vacation)\r\nPrecedence: junk\r\n"
			    "MIME-Version: 1.0\r\n");
	if (a->action->mime)
		add_mime(a->action->reason, out);
	else
		add_text(a->action->reason, out);
}
