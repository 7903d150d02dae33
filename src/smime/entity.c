/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A message is canonical for a signature when nothing on its way has a reason to change it. Parts
 * that need an encoding get it here, one by one, from the structure that mime/part finds;
 * everything else is copied octet by octet.
 */

#include "smime/entity.h"

#include "mime/encode.h"
#include "mime/header.h"
#include "mime/part.h"
#include "pki/key.h"

bool entity_owns_field(struct span name)
{
	return span_starts_nocase(name, SPAN("Content-"));
}

struct canonical {
	struct span message;
	const struct part_tree *tree;
	enum entity_octets octets;
	struct buf *out;
};

static struct span between(const struct canonical *c, uint64_t from, uint64_t to)
{
	return span_head(span_skip(c->message, from), to - from);
}

/* A lone CR in a field ends no line; where lines get their CRLF it must not begin another field. */
static void add_line_field(struct span field, struct buf *out)
{
	CLEANUP(buf_wipe) struct buf text = {};
	uint8_t *p = buf_room(&text, field.n);

	for (size_t i = 0; i < field.n; i++) {
		bool is_lone = field.p[i] == '\r' && (i + 1 == field.n || field.p[i + 1] != '\n');

		p[i] = is_lone ? ' ' : field.p[i];
	}
	buf_added(&text, field.n);
	encode_crlf(buf_span(&text), out);
	if (field.n && field.p[field.n - 1] != '\n')
		buf_add(out, SPAN("\r\n"));
}

/* The part's header with another transfer encoding; NULL: none, which is 7bit. */
static void add_header(const struct canonical *c, const struct part *p, const char *encoding)
{
	struct span rest = between(c, p->header_offset, p->body_offset);
	struct header_field field;

	while (header_next(&rest, &field)) {
		if (!span_is_nocase(field.name, "Content-Transfer-Encoding"))
			add_line_field(field.whole, c->out);
	}
	if (encoding)
		buf_add_format(c->out, "Content-Transfer-Encoding: %s\r\n", encoding);
	buf_add(c->out, SPAN("\r\n"));
}

static bool needs_encoding(const struct canonical *c, const struct part *p, struct span body)
{
	if (p->encoding == ENCODING_UNKNOWN)
		return false;
	if (p->encoding == ENCODING_BINARY)
		return body.n > 0;
	return c->octets == ENTITY_7BIT && !encode_is_7bit(body);
}

static void add_encoded(const struct canonical *c, const struct part *p, struct span body)
{
	CLEANUP(buf_done) struct buf plain = {};
	CLEANUP(buf_done) struct buf text = {};
	struct decoder decoder = { .encoding = p->encoding };
	/* Line ends of binary parts are octets like others, whatever the type says. */
	bool is_text = span_is(p->type, "text") && p->encoding != ENCODING_BINARY;

	decoder_feed(&decoder, body, &plain);
	decoder_end(&decoder, &plain);
	if (is_text)
		encode_crlf(buf_span(&plain), &text);
	if (is_text && encode_choose(buf_span(&text)) != ENCODING_BASE64) {
		add_header(c, p, "quoted-printable");
		encode_quoted_printable(buf_span(&text), c->out);
		return;
	}
	add_header(c, p, "base64");
	encode_base64(is_text ? buf_span(&text) : buf_span(&plain), c->out);
	if (p->depth == 0)
		buf_add(c->out, SPAN("\r\n"));
}

static void add_leaf(const struct canonical *c, const struct part *p)
{
	struct span body = between(c, p->body_offset, p->end_offset);

	if (needs_encoding(c, p, body))
		add_encoded(c, p, body);
	else
		encode_crlf(between(c, p->header_offset, p->end_offset), c->out);
}

/* Its octets are what a signature or a cipher was computed over. */
static bool is_sealed(const struct part *p)
{
	return span_is(p->type, "multipart") &&
	       (span_is(p->subtype, "signed") || span_is(p->subtype, "encrypted"));
}

/* At most LIMIT_MIME_DEPTH deep. */
static void add_part(const struct canonical *c, const struct part *p)
{
	uint64_t at = p->body_offset;

	if (p->kind == PART_LEAF) {
		add_leaf(c, p);
		return;
	}
	if (is_sealed(p)) {
		encode_crlf(between(c, p->header_offset, p->end_offset), c->out);
		return;
	}
	/* RFC 2045 section 6.4: of composite types the encoding says what is inside. */
	if (p->encoding == ENCODING_BINARY ||
		(p->encoding == ENCODING_8BIT && c->octets == ENTITY_7BIT))
		add_header(c, p, c->octets == ENTITY_7BIT ? NULL : "8bit");
	else
		encode_crlf(between(c, p->header_offset, p->body_offset), c->out);
	for (uint32_t i = p->first_child; i != PART_NONE; i = c->tree->parts[i].next) {
		const struct part *child = &c->tree->parts[i];

		encode_crlf(between(c, at, child->header_offset), c->out);
		add_part(c, child);
		at = child->end_offset;
	}
	encode_crlf(between(c, at, p->end_offset), c->out);
}

static void add_canonical(struct span message, enum entity_octets octets, struct buf *out)
{
	CLEANUP(part_tree_freep) struct part_tree *tree = part_parse(message);
	const struct canonical c = { message, tree, octets, out };

	add_part(&c, &tree->parts[0]);
	encode_crlf(span_skip(message, tree->parts[0].end_offset), out);
}

static bool has_lone_cr(struct span s)
{
	for (const uint8_t *cr; s.n && (cr = memchr(s.p, '\r', s.n));
		s = span_skip(s, (size_t)(cr - s.p) + 1)) {
		if (cr + 1 == s.p + s.n || cr[1] != '\n')
			return true;
	}
	return false;
}

bool entity_canonical(struct span message, enum entity_octets octets, struct buf *out)
{
	CLEANUP(buf_done) struct buf once = {};
	size_t n = buf_size(out);

	/* A lone CR that has become a line end may have made other fields and parts. It cannot
	 * become one first: in a binary part it is an octet. */
	if (has_lone_cr(message)) {
		add_canonical(message, octets, &once);
		message = buf_span(&once);
	}
	add_canonical(message, octets, out);
	return encode_is_7bit(span_skip(buf_span(out), n));
}

/* RFC 2045 section 5.2 says what a text without a type is; RFC 1428 section 3 what it is called
 * when that cannot be. */
static const char *charset_of(struct span body)
{
	if (span_is_ascii(body))
		return "us-ascii";
	return span_is_utf8(body) ? "utf-8" : "unknown-8bit";
}

/* A line before the first field that mailbox files have. */
static bool is_mbox_line(const struct header_field *f)
{
	return f->name.n == 0 &&
	       (span_starts(f->whole, SPAN("From ")) || span_starts(f->whole, SPAN(">From ")));
}

void entity_split(struct span message, struct buf *outer, struct buf *entity)
{
	struct span rest = message, body = span_skip(message, header_size(message));
	struct header_field field;
	bool is_first = true, has_type = false;

	while (header_next(&rest, &field)) {
		bool skip = is_first && is_mbox_line(&field);

		is_first = false;
		if (skip)
			continue;
		has_type = has_type || span_is_nocase(field.name, "Content-Type");
		add_line_field(field.whole, entity_owns_field(field.name) ? entity : outer);
	}
	if (!has_type)
		buf_add_format(entity, "Content-Type: text/plain; charset=%s\r\n",
			charset_of(body));
	buf_add(entity, SPAN("\r\n"));
	buf_add(entity, body);
}

void entity_join(struct span outer, struct span entity, struct buf *out)
{
	struct header_field field;

	while (header_next(&outer, &field)) {
		if (!span_is_nocase(field.name, "MIME-Version"))
			add_line_field(field.whole, out);
	}
	buf_add_string(out, "MIME-Version: 1.0\r\n");
	buf_add(out, entity);
}

int entity_cms_der(CMS_ContentInfo *cms, struct buf *out)
{
	int n = i2d_CMS_ContentInfo(cms, NULL);
	uint8_t *p;

	if (n <= 0)
		return key_openssl_fault("i2d_CMS_ContentInfo");
	p = buf_room(out, (size_t)n);
	if (i2d_CMS_ContentInfo(cms, &p) != n)
		return key_openssl_fault("i2d_CMS_ContentInfo");
	buf_added(out, (size_t)n);
	return 0;
}

void entity_add_cms(const char *smime_type, struct span der, struct buf *out)
{
	buf_add_format(out,
		"Content-Type: application/pkcs7-mime; smime-type=%s; name=\"smime.p7m\"\r\n"
		"Content-Transfer-Encoding: base64\r\n"
		"Content-Disposition: attachment; filename=\"smime.p7m\"\r\n\r\n",
		smime_type);
	encode_base64(der, out);
	buf_add_string(out, "\r\n");
}
