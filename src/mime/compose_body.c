/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The body: mixed of (alternative of text and (related of HTML and its pictures)) and attachments,
 * of which each level is there only if it has two members. A part ends without a line end; whoever
 * puts parts together adds it, as it belongs to the boundary (RFC 2046 section 5.1.1).
 */

#include "mime/compose.h"

#include "base/enc.h"
#include "base/limit.h"
#include "base/random.h"
#include "mime/encode.h"

enum { TYPE_MAX_OCTETS = 127, BOUNDARY_OCTETS = 16 };

struct body {
	const struct compose_message *m;
	struct buf *out;
	bool has_inline;
	bool has_attached;
};

struct multipart {
	char boundary[2 + 2 * BOUNDARY_OCTETS + 1];
	struct buf *out;
};

/* Nobody can write it into a text beforehand, and base64 and quoted-printable do not have "=_". */
static struct multipart multipart_begin(struct buf *out, const char *subtype, const char *params)
{
	CLEANUP(buf_done) struct buf hex = {};
	struct multipart p = { .out = out, .boundary = "=_" };
	uint8_t random[BOUNDARY_OCTETS];

	random_fill(random, sizeof random);
	enc_hex(&hex, span_of(random, sizeof random));
	memcpy(p.boundary + 2, buf_span(&hex).p, buf_size(&hex));
	buf_add_format(out, "Content-Type: multipart/%s%s;\r\n boundary=\"%s\"\r\n", subtype,
		params, p.boundary);
	return p;
}

static void multipart_next(const struct multipart *p)
{
	buf_add_format(p->out, "\r\n--%s\r\n", p->boundary);
}

static void multipart_end(const struct multipart *p)
{
	buf_add_format(p->out, "\r\n--%s--", p->boundary);
}

static void add_text(const struct body *b, const char *type, struct span text, bool is_legacy)
{
	static const char *const names[] = {
		[ENCODING_7BIT] = "7bit",
		[ENCODING_QUOTED_PRINTABLE] = "quoted-printable",
		[ENCODING_BASE64] = "base64",
	};
	CLEANUP(buf_done) struct buf canonical = {};
	enum transfer_encoding encoding;

	encode_crlf(text, &canonical);
	encoding = encode_choose(buf_span(&canonical));
	buf_add_format(b->out,
		"Content-Type: %s; charset=%s%s\r\nContent-Transfer-Encoding: %s\r\n\r\n", type,
		span_is_ascii(text) ? "us-ascii" : "utf-8",
		is_legacy ? "; hp-legacy-display=\"1\"" : "", names[encoding]);
	if (encoding == ENCODING_QUOTED_PRINTABLE)
		encode_quoted_printable(buf_span(&canonical), b->out);
	else if (encoding == ENCODING_BASE64)
		encode_base64(buf_span(&canonical), b->out);
	else
		buf_add(b->out, buf_span(&canonical));
}

/* RFC 9788 section 5.2.2. */
static void add_plain(const struct body *b)
{
	CLEANUP(buf_done) struct buf text = {};
	struct span subject = b->m->legacy_subject;

	if (subject.n) {
		buf_add_string(&text, "Subject: ");
		for (size_t i = 0; i < subject.n; i++)
			buf_add_octet(&text, subject.p[i] < ' ' ? ' ' : subject.p[i]);
		buf_add_string(&text, "\r\n\r\n");
	}
	buf_add(&text, b->m->text);
	add_text(b, "text/plain", buf_span(&text), subject.n > 0);
}

static void add_escaped(struct span text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (c == '&' || c == '<' || c == '>')
			buf_add_string(out, c == '&' ? "&amp;" : c == '<' ? "&lt;" : "&gt;");
		else
			buf_add_octet(out, c < ' ' ? ' ' : c);
	}
}

/* Behind the body's start tag, or at the front where there is none. */
static size_t body_offset(struct span html)
{
	for (size_t i = 0; i + 5 < html.n; i++) {
		if (span_starts_nocase(span_skip(html, i), SPAN("<body")) &&
			!octet_is_alpha(html.p[i + 5])) {
			size_t end = span_find(span_skip(html, i), '>');

			return i + end < html.n ? i + end + 1 : 0;
		}
	}
	return 0;
}

/* RFC 9788 section 5.2.3. */
static void add_html(const struct body *b)
{
	CLEANUP(buf_done) struct buf text = {};
	struct span subject = b->m->legacy_subject, html = b->m->html;
	size_t at = subject.n ? body_offset(html) : 0;

	buf_add(&text, span_head(html, at));
	if (subject.n) {
		buf_add_string(&text, "<div class=\"header-protection-legacy-display\">\r\n"
				      "<pre>Subject: ");
		add_escaped(subject, &text);
		buf_add_string(&text, "</pre>\r\n</div>\r\n");
	}
	buf_add(&text, span_skip(html, at));
	add_text(b, "text/html", buf_span(&text), subject.n > 0);
}

/* type/subtype of RFC 6838 section 4.2, and not one that has parts: those are not put together
 * here. */
static bool is_plain_type(struct span type)
{
	size_t slash = span_find(type, '/');

	if (type.n > TYPE_MAX_OCTETS || slash == 0 || slash + 1 >= type.n ||
		span_starts_nocase(type, SPAN("multipart/")) ||
		span_starts_nocase(type, SPAN("message/")))
		return false;
	for (size_t i = 0; i < type.n; i++) {
		uint8_t c = type.p[i];

		if (i != slash && !octet_is_alpha(c) && !octet_is_digit(c) &&
			!(c && strchr("!#$&-^_.+", c)))
			return false;
	}
	return true;
}

static bool is_inline(const struct body *b, const struct compose_part *p)
{
	return p->id.n > 0 && b->m->html.p;
}

/* RFC 2046 section 5.2.1: it is not encoded, so it must need none. */
static bool is_message(const struct compose_part *p)
{
	return span_is_nocase(p->type, "message/rfc822") && encode_is_7bit(p->octets);
}

static void add_part(const struct body *b, const struct compose_part *p)
{
	bool message = is_message(p), plain = is_plain_type(p->type);
	struct span type = message ? SPAN("message/rfc822")
			   : plain ? p->type
				   : SPAN("application/octet-stream");

	buf_add_format(b->out, "Content-Type: %.*s", (int)type.n, (const char *)type.p);
	if (plain && span_starts_nocase(type, SPAN("text/")) && span_is_utf8(p->octets))
		encode_param("charset", SPAN("utf-8"), b->out);
	if (p->name.n)
		encode_param("name", p->name, b->out);
	buf_add_format(b->out, "\r\nContent-Transfer-Encoding: %s\r\n",
		message ? "7bit" : "base64");
	if (is_inline(b, p))
		buf_add_format(b->out, "Content-ID: <%.*s>\r\n", (int)p->id.n,
			(const char *)p->id.p);
	buf_add_format(b->out, "Content-Disposition: %s",
		is_inline(b, p) ? "inline" : "attachment");
	if (p->name.n)
		encode_param("filename", p->name, b->out);
	buf_add_string(b->out, "\r\n\r\n");
	if (message)
		encode_crlf(p->octets, b->out);
	else
		encode_base64(p->octets, b->out);
}

static void add_parts(const struct body *b, const struct multipart *multipart, bool inlined)
{
	for (size_t i = 0; i < b->m->n_parts; i++) {
		if (is_inline(b, &b->m->parts[i]) != inlined)
			continue;
		multipart_next(multipart);
		add_part(b, &b->m->parts[i]);
	}
}

/* RFC 2387. */
static void add_related(const struct body *b)
{
	struct multipart p;

	if (!b->has_inline) {
		add_html(b);
		return;
	}
	p = multipart_begin(b->out, "related", "; type=\"text/html\"");
	multipart_next(&p);
	add_html(b);
	add_parts(b, &p, true);
	multipart_end(&p);
}

static void add_alternative(const struct body *b)
{
	struct multipart p;

	if (!b->m->html.p) {
		add_plain(b);
		return;
	}
	if (b->m->text.n == 0) {
		add_related(b);
		return;
	}
	p = multipart_begin(b->out, "alternative", "");
	multipart_next(&p);
	add_plain(b);
	multipart_next(&p);
	add_related(b);
	multipart_end(&p);
}

static void add_mixed(const struct body *b)
{
	struct multipart p;

	if (!b->has_attached) {
		add_alternative(b);
		return;
	}
	p = multipart_begin(b->out, "mixed", "");
	multipart_next(&p);
	add_alternative(b);
	add_parts(b, &p, false);
	multipart_end(&p);
}

static int check_parts(const struct compose_message *m, struct why *why)
{
	bool sound = m->n_parts <= COMPOSE_PARTS_MAX && span_is_utf8(m->text) &&
		     span_is_utf8(m->html);

	for (size_t i = 0; sound && i < m->n_parts; i++) {
		const struct compose_part *p = &m->parts[i];

		sound = span_is_utf8(p->name) && p->name.n <= LIMIT_HEADER_VALUE / 64 &&
			p->id.n <= LIMIT_ADDRESS;
		for (size_t k = 0; k < p->id.n; k++)
			sound &= p->id.p[k] > ' ' && p->id.p[k] < 0x7f && p->id.p[k] != '<' &&
				 p->id.p[k] != '>';
	}
	if (sound)
		return 0;
	why_set(why,
		"text and names of files are UTF-8, at most %d octets in a name; an id is ASCII "
		"without "
		"spaces; there are at most %d attachments",
		LIMIT_HEADER_VALUE / 64, COMPOSE_PARTS_MAX);
	return COMPOSE_E_REFUSED;
}

int compose_entity(const struct compose_message *m, struct buf *out, struct why *why)
{
	struct body b = { .m = m, .out = out };
	struct span end;
	int r = check_parts(m, why);

	if (r)
		return r;
	for (size_t i = 0; i < m->n_parts; i++) {
		b.has_inline |= is_inline(&b, &m->parts[i]);
		b.has_attached |= !is_inline(&b, &m->parts[i]);
	}
	add_mixed(&b);
	end = buf_span(out);
	if (end.p[end.n - 1] != '\n')
		buf_add_string(out, "\r\n");
	return 0;
}
