/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The list parser is a loop over tokens with a few buffers: the phrase seen so far, and the address
 * seen so far, which may turn out to be the same words. Every octet is looked at a bounded number
 * of times and there is no recursion: comments are a counter, groups a flag. It never fails; what
 * makes no sense comes out as a mailbox without a host, and its reader decides.
 *
 * Domains become lower-case A-labels by libidn2, with the non-transitional rules of UTS 46.
 */

#include "mime/address.h"

#include "base/alloc.h"
#include "mime/lex.h"

#include <idn2.h>

/* Octets that end a run of ordinary ones. */
static bool is_special(uint8_t c)
{
	switch (c) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
	case '(':
	case '<':
	case '>':
	case '[':
	case ':':
	case ';':
	case ',':
	case '@':
	case '"':
		return true;
	default:
		return false;
	}
}

/* What address_next knows of the address it is in. */
struct progress {
	bool space;     /* white space since the last token */
	bool at;        /* an @ was seen outside of <> */
	bool host_over; /* and the host behind it: what follows is no part of it */
	bool angle;     /* within <> */
	bool angle_at;  /* an @ was seen within <> */
	bool angle_end; /* <> is over */
	bool in_route;
};

/* Takes a comment (RFC 5322 section 3.2.2); its text may become the name. */
static void take_comment(struct address_reader *r)
{
	size_t depth = 0, i = 0;

	buf_clear(&r->comment);
	for (; i < r->rest.n; i++) {
		uint8_t c = r->rest.p[i];

		if (c == '(' && depth++ == 0)
			continue;
		if (c == ')' && --depth == 0)
			break;
		if (c == '\\' && i + 1 < r->rest.n)
			c = r->rest.p[++i];
		if (c != '\r' && c != '\n')
			buf_add_octet(&r->comment, c);
	}
	r->rest = span_skip(r->rest, i + 1);
}

/* A token begins with the octet. The phrase keeps single blanks between tokens, an address has
 * none: its host goes on behind white space only around a dot (RFC 5322 section 4.4 obs-domain). */
static void begin_token(struct address_reader *r, struct progress *g, uint8_t first)
{
	struct span host = buf_span(&r->host);

	if (g->space && !g->angle && !g->angle_end) {
		if (buf_size(&r->name))
			buf_add_octet(&r->name, ' ');
		g->host_over |= host.n && host.p[host.n - 1] != '.' && first != '.';
	}
	g->space = false;
}

/* Octets of a token, to where they belong. */
static void add(struct address_reader *r, const struct progress *g, struct span s)
{
	if (g->angle_end)
		return;
	if (g->in_route) {
		buf_add(&r->route, s);
	} else if (g->angle) {
		buf_add(g->angle_at ? &r->host : &r->local, s);
	} else {
		buf_add(&r->name, s);
		if (!g->host_over)
			buf_add(g->at ? &r->host : &r->local, s);
	}
}

static void take_quoted(struct address_reader *r, struct progress *g)
{
	size_t i = 1;

	begin_token(r, g, '"');
	while (i < r->rest.n && r->rest.p[i] != '"') {
		size_t start = i;

		if (r->rest.p[i] == '\\') {
			add(r, g, span_head(span_skip(r->rest, i + 1), 1));
			i += 2;
			continue;
		}
		while (i < r->rest.n && r->rest.p[i] != '"' && r->rest.p[i] != '\\' &&
			r->rest.p[i] != '\r' && r->rest.p[i] != '\n')
			i++;
		add(r, g, span_head(span_skip(r->rest, start), i - start));
		if (i < r->rest.n && (r->rest.p[i] == '\r' || r->rest.p[i] == '\n'))
			i++;
	}
	r->rest = span_skip(r->rest, i + 1);
}

/* Octets of an encoded word at the front, or 0. They occur with unquoted commas and the like in
 * them, against RFC 2047 section 5 (3), too often to ignore. */
static size_t encoded_word_size(struct span s)
{
	enum { LOOK_AHEAD = 256 }; /* RFC 2047 section 2 allows 75 */
	unsigned marks = 0;

	if (s.n < 2 || s.p[0] != '=' || s.p[1] != '?')
		return 0;
	for (size_t i = 2; i < s.n && i < LOOK_AHEAD; i++) {
		if (lex_is_space(s.p[i]) || s.p[i] == '"')
			return 0;
		if (s.p[i] != '?')
			continue;
		if (++marks >= 3)
			return i + 1 < s.n && s.p[i + 1] == '=' ? i + 2 : 0;
	}
	return 0;
}

/* Octets of a domain literal at the front, or 0. */
static size_t literal_size(struct span s)
{
	for (size_t i = 1; i < s.n && i <= LIMIT_NAME; i++) {
		uint8_t c = s.p[i];

		if (c == ']')
			return i + 1;
		if (is_special(c) && c != ':')
			return 0;
	}
	return 0;
}

static void take_word(struct address_reader *r, struct progress *g)
{
	struct span s = r->rest;
	bool host = g->angle ? g->angle_at : g->at;
	size_t n = 0;

	if (s.p[0] == '[' && host && buf_size(&r->host) == 0)
		n = literal_size(s);
	if (s.p[0] == '=' && !g->angle)
		n = encoded_word_size(s);
	if (n == 0) {
		n = 1; /* also for a special that means nothing here */
		while (n < s.n && !is_special(s.p[n]))
			n++;
	}
	begin_token(r, g, s.p[0]);
	add(r, g, span_head(s, n));
	r->rest = span_skip(s, n);
}

/* An @ ends the local part. Of several, the last one does. */
static void take_at(struct address_reader *r, struct progress *g)
{
	bool *seen = g->angle ? &g->angle_at : &g->at;

	r->rest = span_skip(r->rest, 1);
	if (g->angle_end)
		return;
	begin_token(r, g, '@');
	if (g->angle && !g->angle_at && buf_size(&r->local) == 0 && buf_size(&r->route) == 0)
		g->in_route = true; /* RFC 5322 section 4.4 obs-route */
	if (g->in_route) {
		buf_add_octet(&r->route, '@');
		return;
	}
	if (!g->angle)
		buf_add_octet(&r->name, '@');
	if (!g->angle && g->host_over)
		return;
	if (*seen) {
		buf_add_octet(&r->local, '@');
		buf_add(&r->local, buf_span(&r->host));
		buf_clear(&r->host);
	}
	*seen = true;
}

static void begin_angle(struct address_reader *r, struct progress *g)
{
	buf_clear(&r->local);
	buf_clear(&r->host);
	g->angle = true;
	r->rest = span_skip(r->rest, 1);
}

/* "<@a>" is no route after all: there is nothing behind it. */
static void end_angle(struct address_reader *r, struct progress *g)
{
	if (g->in_route) {
		buf_add(&r->host, span_skip(buf_span(&r->route), 1));
		buf_clear(&r->route);
		g->in_route = false;
	}
	g->angle = false;
	g->angle_end = true;
}

static void finish(struct address_reader *r, const struct progress *g, enum address_kind kind,
	struct address *ret_address)
{
	bool phrase = g->angle_end || kind == ADDRESS_GROUP;

	if (kind == ADDRESS_MAILBOX && !phrase && !g->at) {
		/* Words that are no address: the local part keeps its blanks. */
		buf_clear(&r->local);
		buf_add(&r->local, buf_span(&r->name));
	}
	if (!phrase || buf_size(&r->name) == 0) {
		buf_clear(&r->name);
		if (kind == ADDRESS_MAILBOX)
			buf_add(&r->name, span_trim(buf_span(&r->comment)));
	}
	*ret_address = (struct address){
		.kind = kind,
		.name = buf_span(&r->name),
		.route = buf_span(&r->route),
		.local = kind == ADDRESS_MAILBOX ? buf_span(&r->local) : (struct span){},
		.host = kind == ADDRESS_MAILBOX ? buf_span(&r->host) : (struct span){},
	};
}

/* Takes tokens until the address is over. Returns the kind of what was found. */
static enum address_kind take_address(struct address_reader *r, struct progress *g)
{
	while (r->rest.n) {
		uint8_t c = r->rest.p[0];

		if (lex_is_space(c)) {
			g->space = true;
			r->rest = span_skip(r->rest, 1);
		} else if (c == '(') {
			take_comment(r);
			g->space = true;
		} else if (c == '"') {
			take_quoted(r, g);
		} else if (c == '@') {
			take_at(r, g);
		} else if (c == '<' && g->angle_end) {
			break; /* a comma was forgotten */
		} else if (c == '<' && !g->angle) {
			begin_angle(r, g);
		} else if (c == '>' && g->angle) {
			end_angle(r, g);
			r->rest = span_skip(r->rest, 1);
		} else if (g->in_route && (c == ',' || c == ':')) {
			if (c == ',')
				buf_add_octet(&r->route, c);
			else
				g->in_route = false;
			r->rest = span_skip(r->rest, 1);
		} else if (c == ',' || c == ';') {
			break; /* a semicolon ends the group, or is somebody's comma */
		} else if (c == ':' && !g->angle && !g->angle_end) {
			return ADDRESS_GROUP;
		} else {
			take_word(r, g);
		}
	}
	if (g->angle)
		end_angle(r, g);
	return ADDRESS_MAILBOX;
}

static bool end_group(struct address_reader *r, struct address *ret_address)
{
	r->in_group = false;
	*ret_address = (struct address){ .kind = ADDRESS_GROUP_END };
	return true;
}

bool address_next(struct address_reader *r, struct address *ret_address)
{
	struct progress g = {};
	enum address_kind kind;
	struct span before;

	buf_clear(&r->name);
	buf_clear(&r->route);
	buf_clear(&r->local);
	buf_clear(&r->host);
	buf_clear(&r->comment);
	while (r->rest.n &&
		(lex_is_space(r->rest.p[0]) || r->rest.p[0] == ',' || r->rest.p[0] == ';')) {
		bool group_end = r->in_group && r->rest.p[0] == ';';

		r->rest = span_skip(r->rest, 1);
		if (group_end)
			return end_group(r, ret_address);
	}
	if (r->rest.n == 0 || r->n >= LIMIT_ADDRESSES)
		return r->in_group && end_group(r, ret_address);
	before = r->rest;
	kind = take_address(r, &g);
	if (kind == ADDRESS_GROUP && r->in_group) {
		/* Groups do not nest (RFC 5322 section 3.4): the one we are in has no end. */
		r->rest = before;
		return end_group(r, ret_address);
	}
	if (kind == ADDRESS_GROUP) {
		r->rest = span_skip(r->rest, 1);
		r->in_group = true;
	}
	finish(r, &g, kind, ret_address);
	r->n++;
	return true;
}

void address_reader_done(struct address_reader *r)
{
	buf_done(&r->name);
	buf_done(&r->route);
	buf_done(&r->local);
	buf_done(&r->host);
	buf_done(&r->comment);
}

/* RFC 5322 section 3.2.3 atext, and RFC 6532 section 3.2. */
static bool is_atext(uint8_t c)
{
	return octet_is_alpha(c) || octet_is_digit(c) || c >= 0x80 ||
	       (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_dot_atom(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' ? i == 0 || i + 1 == s.n || s.p[i - 1] == '.' : !is_atext(s.p[i]))
			return false;
	}
	return s.n != 0;
}

/* Takes the quoting away (RFC 5321 section 4.1.2 Quoted-string). *ret_used: octets taken from s. */
static int unquote(struct span s, struct address_name *name, size_t *ret_used)
{
	size_t i = 1;

	for (; i < s.n && s.p[i] != '"'; i++) {
		if (s.p[i] == '\\' && ++i == s.n)
			return ADDRESS_E_SYNTAX;
		if (s.p[i] < ' ' || s.p[i] == 0x7F)
			return ADDRESS_E_SYNTAX;
		if (name->n_local == LIMIT_LOCAL_PART)
			return ADDRESS_E_LENGTH;
		name->local[name->n_local++] = s.p[i];
	}
	if (i >= s.n)
		return ADDRESS_E_SYNTAX;
	*ret_used = i + 1;
	return 0;
}

static int take_local(struct span *s, struct address_name *name)
{
	struct span local = span_head(*s, span_find(*s, '@'));
	size_t used = local.n;

	if (s->n && s->p[0] == '"') {
		int r = unquote(*s, name, &used);

		if (r)
			return r;
	} else {
		if (!is_dot_atom(local))
			return ADDRESS_E_SYNTAX;
		if (local.n > LIMIT_LOCAL_PART)
			return ADDRESS_E_LENGTH; /* RFC 5321 section 4.5.3.1.1 */
		memcpy(name->local, local.p, local.n);
		name->n_local = local.n;
	}
	for (size_t i = 0; i < name->n_local; i++)
		name->folded[i] = octet_lower(name->local[i]);
	*s = span_skip(*s, used);
	return 0;
}

int address_normalize(struct span address, struct address_name *ret_name)
{
	CLEANUP(buf_done) struct buf domain = {};
	struct address_name name = {};
	int r;

	if (!span_is_utf8(address))
		return ADDRESS_E_SYNTAX;
	r = take_local(&address, &name);
	if (r)
		return r;
	if (address.n == 0 || address.p[0] != '@')
		return ADDRESS_E_SYNTAX;
	r = address_normalize_domain(span_skip(address, 1), &domain);
	if (r)
		return r;
	name.n_domain = buf_size(&domain);
	/* RFC 5321 section 4.5.3.1.3, less the <> of a path. */
	if (name.n_local + 1 + name.n_domain > LIMIT_ADDRESS)
		return ADDRESS_E_LENGTH;
	memcpy(name.domain, buf_span(&domain).p, name.n_domain);
	*ret_name = name;
	return 0;
}

/* RFC 5321 section 4.1.3: what is in the brackets is compared as text. */
static int normalize_literal(struct span s, struct buf *out)
{
	if (s.n < 3 || s.p[s.n - 1] != ']')
		return ADDRESS_E_SYNTAX;
	for (size_t i = 1; i + 1 < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~' || (s.p[i] >= '[' && s.p[i] <= ']'))
			return ADDRESS_E_SYNTAX;
	}
	for (size_t i = 0; i < s.n; i++)
		buf_add_octet(out, octet_lower(s.p[i]));
	return 0;
}

/* Labels of letters, digits and inner hyphens, each at most 63 octets (RFC 1035 section 2.3.1, RFC
 * 1123 section 2.1). */
static bool is_host_name(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i <= s.n; i++) {
		uint8_t c = i < s.n ? s.p[i] : '.';

		if (c == '.') {
			if (n == 0 || n > 63 || s.p[i - 1] == '-')
				return false;
			n = 0;
			continue;
		}
		if (!octet_is_alpha(c) && !octet_is_digit(c) && (c != '-' || n == 0))
			return false;
		n++;
	}
	return true;
}

/* U-labels to A-labels. */
static int to_ascii(struct span domain, struct buf *out)
{
	CLEANUP(alloc_freep) char *text = NULL;
	char *ascii = NULL;

	text = span_is_utf8(domain) ? span_to_string(domain) : NULL;
	if (!text ||
		idn2_to_ascii_8z(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return ADDRESS_E_SYNTAX;
	buf_add_string(out, ascii);
	idn2_free(ascii);
	return 0;
}

int address_normalize_domain(struct span domain, struct buf *out)
{
	CLEANUP(buf_done) struct buf ascii = {};

	/* A U-label is never longer in octets than four times what its A-label may be. */
	if (domain.n > 4 * LIMIT_NAME)
		return ADDRESS_E_LENGTH;
	if (domain.n && domain.p[0] == '[')
		return domain.n > LIMIT_NAME ? ADDRESS_E_LENGTH : normalize_literal(domain, out);
	if (span_is_ascii(domain))
		buf_add(&ascii, domain);
	else if (to_ascii(domain, &ascii))
		return ADDRESS_E_SYNTAX;
	domain = buf_span(&ascii);
	if (domain.n > LIMIT_NAME)
		return ADDRESS_E_LENGTH; /* RFC 5321 section 4.5.3.1.2 */
	if (!is_host_name(domain))
		return ADDRESS_E_SYNTAX;
	for (size_t i = 0; i < domain.n; i++)
		buf_add_octet(out, octet_lower(domain.p[i]));
	return 0;
}

void address_add(struct buf *out, struct span local, struct span domain)
{
	if (is_dot_atom(local)) {
		buf_add(out, local);
	} else {
		buf_add_octet(out, '"');
		for (size_t i = 0; i < local.n; i++) {
			if (local.p[i] == '"' || local.p[i] == '\\')
				buf_add_octet(out, '\\');
			buf_add_octet(out, local.p[i]);
		}
		buf_add_octet(out, '"');
	}
	buf_add_octet(out, '@');
	buf_add(out, domain);
}
