/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Collects the fields of one header that mean something to us, each up to LIMIT_HEADER_VALUE octets
 * and still folded, and when the header is over makes from them what part.h promises. Of a field
 * that is there twice the first counts, as with most readers; address fields add up.
 *
 * Only so much text is kept for all the parts of a message (KEPT_OCTETS); parts that come when it
 * is used up have a type and an encoding but no parameters and descriptions. So the tree of a
 * message made of nothing but headers stays small.
 */

#include "mime/fields.h"

#include "base/alloc.h"
#include "base/limit.h"
#include "mime/date.h"
#include "mime/envelope.h"
#include "mime/header.h"
#include "mime/lex.h"
#include "mime/message_id.h"
#include "mime/subject.h"

#include <stdlib.h>

enum {
	KEPT_OCTETS = 1 << 20,
	TOKEN_MAX = 127, /* RFC 6838 section 4.2 */
};

/* The envelope's fields first, by their own numbers. */
enum field {
	FIELD_TYPE = ENVELOPE_FIELDS,
	FIELD_ENCODING,
	FIELD_ID,
	FIELD_DESCRIPTION,
	FIELD_DISPOSITION,
	FIELD_MD5,
	FIELD_LANGUAGE,
	FIELD_LOCATION,
	FIELD_REFERENCES,
	FIELDS_KEPT,
	/* Dealt with one by one. */
	FIELD_RECEIVED = FIELDS_KEPT,
	FIELD_DELIVERED_TO,
	FIELD_NONE,
};

/* In which headers a field means something. */
enum { ANY, MESSAGE, ROOT };

static const struct {
	const char *name;
	uint8_t n;
	uint8_t field;
	uint8_t where;
} names[] = {
#define ROW(name, field, where)                     \
	{                                           \
		name, sizeof name - 1, field, where \
	}
	ROW("Received", FIELD_RECEIVED, ROOT),
	ROW("From", ENVELOPE_FROM, MESSAGE),
	ROW("To", ENVELOPE_TO, MESSAGE),
	ROW("Cc", ENVELOPE_CC, MESSAGE),
	ROW("Bcc", ENVELOPE_BCC, MESSAGE),
	ROW("Date", ENVELOPE_DATE, MESSAGE),
	ROW("Sender", ENVELOPE_SENDER, MESSAGE),
	ROW("Subject", ENVELOPE_SUBJECT, MESSAGE),
	ROW("Reply-To", ENVELOPE_REPLY_TO, MESSAGE),
	ROW("Message-ID", ENVELOPE_MESSAGE_ID, MESSAGE),
	ROW("In-Reply-To", ENVELOPE_IN_REPLY_TO, MESSAGE),
	ROW("References", FIELD_REFERENCES, ROOT),
	ROW("Delivered-To", FIELD_DELIVERED_TO, ROOT),
	ROW("Content-Type", FIELD_TYPE, ANY),
	ROW("Content-Transfer-Encoding", FIELD_ENCODING, ANY),
	ROW("Content-ID", FIELD_ID, ANY),
	ROW("Content-Description", FIELD_DESCRIPTION, ANY),
	ROW("Content-Disposition", FIELD_DISPOSITION, ANY),
	ROW("Content-MD5", FIELD_MD5, ANY),
	ROW("Content-Language", FIELD_LANGUAGE, ANY),
	ROW("Content-Location", FIELD_LOCATION, ANY),
#undef ROW
};

struct fields {
	struct part_tree *tree;
	size_t kept; /* octets of KEPT_OCTETS used */
	int where;   /* what the header belongs to */
	uint32_t n_fields;
	uint64_t n_octets;
	enum field current; /* of the field we are in */
	uint32_t present;   /* bits: fields that were there */
	struct buf values[FIELDS_KEPT];
	struct buf delivered_to;
	struct buf scratch;
};

struct fields *fields_new(struct part_tree *tree)
{
	struct fields *f = ALLOC(struct fields);

	f->tree = tree;
	return f;
}

struct fields *fields_free(struct fields *f)
{
	if (!f)
		return NULL;
	for (int i = 0; i < FIELDS_KEPT; i++)
		buf_done(&f->values[i]);
	buf_done(&f->delivered_to);
	buf_done(&f->scratch);
	free(f);
	return NULL;
}

void fields_begin(struct fields *f, bool root, bool message)
{
	f->where = root ? ROOT : message ? MESSAGE : ANY;
	f->n_fields = 0;
	f->n_octets = 0;
	f->current = FIELD_NONE;
	f->present = 0;
	for (int i = 0; i < FIELDS_KEPT; i++)
		buf_clear(&f->values[i]);
}

static bool has_8bit(struct span s)
{
	uint64_t all = 0, word;

	for (; s.n >= sizeof word; s = span_skip(s, sizeof word)) {
		memcpy(&word, s.p, sizeof word);
		all |= word;
	}
	for (size_t i = 0; i < s.n; i++)
		all |= s.p[i];
	return (all & UINT64_C(0x8080808080808080)) != 0;
}

static enum field field_of(struct span name, int where)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (name.n == names[i].n && where >= names[i].where &&
			span_equal_nocase(name, span_of(names[i].name, names[i].n)))
			return names[i].field;
	}
	return FIELD_NONE;
}

static struct span value_of(const struct fields *f, unsigned field)
{
	struct span value = buf_span(&f->values[field]);

	if (!(f->present >> field & 1))
		return (struct span){};
	return value.p ? value : SPAN("");
}

/* A Delivered-To field is complete. */
static void end_delivered_to(struct fields *f)
{
	struct message_facts *facts = &f->tree->facts;

	buf_clear(&f->scratch);
	header_unfold(buf_span(&f->delivered_to), &f->scratch);
	if (buf_size(&f->scratch) && buf_size(&f->scratch) <= LIMIT_ADDRESS &&
		facts->n_delivered_to < FACTS_DELIVERED_TO)
		facts->delivered_to[facts->n_delivered_to++] = arena_span(
			&f->tree->arena, buf_span(&f->scratch));
	buf_clear(&f->delivered_to);
}

static void end_field(struct fields *f)
{
	if (f->current == FIELD_DELIVERED_TO)
		end_delivered_to(f);
	f->current = FIELD_NONE;
}

static bool is_address_field(enum field field)
{
	return field >= (enum field)ENVELOPE_FROM && field <= (enum field)ENVELOPE_BCC;
}

static void begin_field(struct fields *f, struct span line)
{
	enum field field;

	if (f->n_fields++ >= LIMIT_HEADERS || f->n_octets > LIMIT_HEADER_BLOCK)
		return;
	field = field_of(header_split(line).name, f->where);
	if (field == FIELD_RECEIVED)
		f->tree->facts.n_received++;
	if (field < FIELDS_KEPT) {
		bool again = f->present >> field & 1;

		if (again && !is_address_field(field))
			return;
		if (again && buf_size(&f->values[field]) < LIMIT_HEADER_VALUE)
			buf_add_octet(&f->values[field], ',');
		f->present |= 1u << field;
	}
	f->current = field;
}

static void add_to_field(struct fields *f, struct span text)
{
	struct buf *value = f->current == FIELD_DELIVERED_TO ? &f->delivered_to
							     : &f->values[f->current];

	if (buf_size(value) < LIMIT_HEADER_VALUE)
		buf_add(value, span_head(text, LIMIT_HEADER_VALUE - buf_size(value)));
}

void fields_line(struct fields *f, struct span line)
{
	f->tree->facts.header_has_8bit |= has_8bit(line);
	f->n_octets += line.n;
	if (line.p[0] != ' ' && line.p[0] != '\t') {
		end_field(f);
		begin_field(f, line);
		line = span_skip(line, span_find(line, ':') + 1);
	}
	if (f->current < FIELDS_KEPT || f->current == FIELD_DELIVERED_TO)
		add_to_field(f, line);
}

static bool is_token_octet(uint8_t c)
{
	/* RFC 2045 section 5.1 */
	return c > ' ' && c < 0x7F && !strchr("()<>@,;:\\\"/[]?=", c);
}

/* Takes a token; n 0 if there is none, or one that is too long. In the arena, lower-case. */
static struct span take_token(struct fields *f, struct span *s)
{
	uint8_t *copy;
	size_t n = 0;

	*s = lex_skip_cfws(*s);
	while (n < s->n && is_token_octet(s->p[n]))
		n++;
	if (n == 0 || n > TOKEN_MAX)
		return (struct span){};
	copy = arena_alloc(&f->tree->arena, n);
	for (size_t i = 0; i < n; i++)
		copy[i] = octet_lower(s->p[i]);
	*s = lex_skip_cfws(span_skip(*s, n));
	return span_of(copy, n);
}

/* Whether n more octets of text may be kept. */
static bool charge(struct fields *f, size_t n)
{
	if (n > KEPT_OCTETS - f->kept)
		return false;
	f->kept += n;
	return true;
}

static struct span keep_text(struct fields *f, unsigned field)
{
	struct span value = value_of(f, field);

	if (value.n == 0 || !charge(f, value.n))
		return (struct span){};
	buf_clear(&f->scratch);
	header_unfold(value, &f->scratch);
	return arena_span(&f->tree->arena, buf_span(&f->scratch));
}

static void keep_params(
	struct fields *f, struct span text, const struct param **ret_params, size_t *ret_n)
{
	if (text.n && charge(f, text.n))
		param_parse(text, &f->tree->arena, ret_params, ret_n);
}

/* RFC 2045 section 5.2, RFC 2046 section 5.1.5: what a part is that does not say. */
static void set_default_type(struct fields *f, struct part *part, const struct part *parent)
{
	static const struct param us_ascii = {
		.name = { (const uint8_t *)"charset", 7 },
		.value = { (const uint8_t *)"us-ascii", 8 },
	};

	if (parent && parent->kind == PART_MULTIPART && span_is(parent->subtype, "digest") &&
		!value_of(f, FIELD_TYPE).p) {
		part->type = SPAN("message");
		part->subtype = SPAN("rfc822");
		return;
	}
	part->type = SPAN("text");
	part->subtype = SPAN("plain");
	part->params = &us_ascii;
	part->n_params = 1;
}

static void set_type(struct fields *f, struct part *part, const struct part *parent)
{
	struct span text = value_of(f, FIELD_TYPE);

	part->type = take_token(f, &text);
	if (part->type.n && text.n && text.p[0] == '/') {
		text = span_skip(text, 1);
		part->subtype = take_token(f, &text);
	}
	if (part->subtype.n)
		keep_params(f, text, &part->params, &part->n_params);
	else
		set_default_type(f, part, parent);
}

static void set_others(struct fields *f, struct part *part)
{
	struct span text = value_of(f, FIELD_ENCODING);
	bool stated = text.n != 0;

	part->encoding_text = take_token(f, &text);
	part->encoding = transfer_encoding_of(part->encoding_text);
	if (stated && part->encoding_text.n == 0 && lex_skip_cfws(text).n)
		part->encoding = ENCODING_UNKNOWN;
	text = value_of(f, FIELD_DISPOSITION);
	part->disposition = take_token(f, &text);
	if (part->disposition.n)
		keep_params(f, text, &part->disposition_params, &part->n_disposition_params);
	part->id = keep_text(f, FIELD_ID);
	part->description = keep_text(f, FIELD_DESCRIPTION);
	part->md5 = keep_text(f, FIELD_MD5);
	part->language = keep_text(f, FIELD_LANGUAGE);
	part->location = keep_text(f, FIELD_LOCATION);
}

/* The envelope of the message whose header is over. The message's own is always kept. */
static struct span make_envelope(struct fields *f)
{
	struct span values[ENVELOPE_FIELDS];
	size_t n = 0;

	for (unsigned i = 0; i < ENVELOPE_FIELDS; i++) {
		values[i] = value_of(f, i);
		n += values[i].n;
	}
	if (f->where != ROOT && !charge(f, n))
		return SPAN("(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
	buf_clear(&f->scratch);
	envelope_print(values, &f->scratch);
	return arena_span(&f->tree->arena, buf_span(&f->scratch));
}

static struct span first_id(struct fields *f, unsigned field)
{
	struct message_ids ids = message_ids_of(value_of(f, field));

	if (!message_id_next(&ids, &f->scratch))
		return (struct span){};
	return arena_span(&f->tree->arena, buf_span(&f->scratch));
}

static void set_references(struct fields *f)
{
	struct message_facts *facts = &f->tree->facts;
	struct span value = value_of(f, FIELD_REFERENCES);
	struct message_ids ids = message_ids_of(value);
	size_t n = 0;

	while (message_id_next(&ids, &f->scratch))
		n++;
	ids = message_ids_of(value);
	for (size_t i = 0; i < n && message_id_next(&ids, &f->scratch); i++) {
		/* The first is the thread's root, the last ones are nearest to us. */
		if (i == 0 || n - i < FACTS_REFERENCES)
			facts->references[facts->n_references++] = arena_span(
				&f->tree->arena, buf_span(&f->scratch));
	}
}

static void set_facts(struct fields *f)
{
	struct message_facts *facts = &f->tree->facts;
	struct span date = value_of(f, ENVELOPE_DATE);
	int zone;

	facts->has_from_field = value_of(f, ENVELOPE_FROM).p;
	facts->has_date_field = date.p;
	facts->has_message_id_field = value_of(f, ENVELOPE_MESSAGE_ID).p;
	facts->has_date = date_parse(date, &facts->sent_us, &zone);
	facts->message_id = first_id(f, ENVELOPE_MESSAGE_ID);
	facts->in_reply_to = first_id(f, ENVELOPE_IN_REPLY_TO);
	set_references(f);
	buf_clear(&f->scratch);
	(void)subject_base(value_of(f, ENVELOPE_SUBJECT), &f->scratch);
	facts->base_subject = arena_span(&f->tree->arena, buf_span(&f->scratch));
}

void fields_end(struct fields *f, struct part *part, struct part *parent)
{
	end_field(f);
	set_type(f, part, parent);
	set_others(f, part);
	if (f->where == ROOT) {
		f->tree->envelope = make_envelope(f);
		set_facts(f);
	} else if (f->where == MESSAGE) {
		parent->envelope = make_envelope(f);
	}
}

struct span fields_boundary(struct fields *f, const struct part *part)
{
	struct span boundary;

	buf_clear(&f->scratch);
	(void)param_join(part->params, part->n_params, "boundary", &f->scratch);
	boundary = buf_span(&f->scratch);
	/* RFC 2046 section 5.1.1: it does not end in a space. */
	while (boundary.n &&
		(boundary.p[boundary.n - 1] == ' ' || boundary.p[boundary.n - 1] == '\t'))
		boundary.n--;
	return arena_span(&f->tree->arena, boundary);
}

bool fields_is_message(const struct part *part)
{
	return span_is(part->type, "message") &&
	       (span_is(part->subtype, "rfc822") || span_is(part->subtype, "global"));
}

void fields_make_plain(struct part *part)
{
	part->kind = PART_LEAF;
	part->type = SPAN("text");
	part->subtype = SPAN("plain");
	part->params = NULL;
	part->n_params = 0;
}

void fields_make_octets(struct part *part)
{
	part->type = SPAN("application");
	part->subtype = SPAN("octet-stream");
}
