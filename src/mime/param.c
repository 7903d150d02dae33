/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Parameters as they stand in a field, and their values put together from RFC 2231's pieces. The
 * text may still be folded: line ends are white space between tokens and vanish in quoted strings.
 * Everything is one pass over at most PARAM_MAX parameters; putting a value together looks through
 * them once for each piece.
 */

#include "mime/param.h"

#include "base/err.h"
#include "mime/charset.h"
#include "mime/lex.h"
#include "mime/word.h"

#include <stdio.h>

static struct span take_quoted(struct span *s, struct arena *a)
{
	uint8_t *copy;
	size_t n = 0, i = 1;

	while (i < s->n && s->p[i] != '"')
		i += s->p[i] == '\\' ? 2 : 1;
	copy = arena_alloc(a, i);
	for (size_t j = 1; j < i && j < s->n; j++) {
		if (s->p[j] == '\\' && j + 1 < s->n)
			j++;
		else if (s->p[j] == '\r' || s->p[j] == '\n')
			continue;
		copy[n++] = s->p[j];
	}
	*s = span_skip(*s, i + 1);
	return span_of(copy, n);
}

/* A token; where senders forgot the quotes, everything to the semicolon. */
static struct span take_plain(struct span *s, struct arena *a)
{
	struct span behind;
	size_t n = 0;

	while (n < s->n && s->p[n] != ';' && s->p[n] != '(' && !lex_is_space(s->p[n]))
		n++;
	behind = lex_skip_cfws(span_skip(*s, n));
	if (behind.n && behind.p[0] != ';')
		n = span_find(*s, ';');
	behind = span_trim(span_head(*s, n));
	*s = span_skip(*s, n);
	return arena_span(a, behind);
}

static struct span lower(struct arena *a, struct span s)
{
	uint8_t *copy = arena_alloc(a, s.n ? s.n : 1);

	for (size_t i = 0; i < s.n; i++)
		copy[i] = octet_lower(s.p[i]);
	return span_of(copy, s.n);
}

/* Takes one parameter, up to its semicolon; false if there is none before it. */
static bool take_param(struct span *s, struct arena *a, struct param *ret_param)
{
	size_t n = 0;
	struct span name;
	bool found = false;

	while (n < s->n && s->p[n] != '=' && s->p[n] != ';' && s->p[n] != '"')
		n++;
	name = span_trim(span_head(*s, n));
	*s = span_skip(*s, n);
	if (name.n && s->n && s->p[0] == '=') {
		*s = lex_skip_cfws(span_skip(*s, 1));
		ret_param->name = lower(a, name);
		ret_param->value = s->n && s->p[0] == '"' ? take_quoted(s, a) : take_plain(s, a);
		found = true;
	}
	/* Whatever else stands before the semicolon; one in quotes does not count. */
	while (s->n && s->p[0] != ';') {
		if (s->p[0] == '"')
			(void)take_quoted(s, a);
		else
			*s = span_skip(*s, 1);
	}
	return found;
}

void param_parse(struct span text, struct arena *a, const struct param **ret_params, size_t *ret_n)
{
	struct param found[PARAM_MAX], *kept = NULL;
	size_t n = 0;

	while (n < PARAM_MAX) {
		text = lex_skip_cfws(text);
		if (text.n == 0)
			break;
		if (text.p[0] == ';')
			text = span_skip(text, 1);
		else if (take_param(&text, a, &found[n]))
			n++;
	}
	if (n) {
		kept = arena_alloc(a, n * sizeof *kept);
		memcpy(kept, found, n * sizeof *kept);
	}
	*ret_params = kept;
	*ret_n = n;
}

static const struct param *find(const struct param *params, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (span_is(params[i].name, name))
			return &params[i];
	}
	return NULL;
}

struct span param_raw(const struct param *params, size_t n, const char *name)
{
	const struct param *p = find(params, n, name);

	return p ? p->value : (struct span){};
}

static void add_percent_decoded(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		int high = s.p[i] == '%' && i + 2 < s.n ? lex_hex_digit(s.p[i + 1]) : -1;
		int low = high >= 0 ? lex_hex_digit(s.p[i + 2]) : -1;

		if (low >= 0) {
			buf_add_octet(out, (uint8_t)(high << 4 | low));
			i += 2;
		} else {
			buf_add_octet(out, s.p[i]);
		}
	}
}

/* Takes charset'language' away (RFC 2231 section 4). */
static struct span take_charset(struct span *value)
{
	struct span rest = *value;
	struct span charset = span_cut(&rest, '\'');

	if (charset.n == value->n || span_find(rest, '\'') == rest.n)
		return (struct span){};
	(void)span_cut(&rest, '\'');
	*value = rest;
	return charset;
}

/* How a parameter came together. */
enum found { FOUND_NONE, FOUND_PLAIN, FOUND_EXTENDED };

/* RFC 2231 section 3: name*0, name*1, ...; each may end in * and is percent-encoded then. */
static enum found join_pieces(const struct param *params, size_t n, const char *name,
	struct buf *out, struct span *ret_charset)
{
	enum found found = FOUND_NONE;

	for (unsigned i = 0; i < PARAM_MAX; i++) {
		char piece[80];
		const struct param *p;

		(void)snprintf(piece, sizeof piece, "%s*%u", name, i);
		p = find(params, n, piece);
		if (p) {
			buf_add(out, p->value);
			found = found ? found : FOUND_PLAIN;
			continue;
		}
		(void)snprintf(piece, sizeof piece, "%s*%u*", name, i);
		p = find(params, n, piece);
		if (!p)
			break;
		struct span value = p->value;

		if (i == 0)
			*ret_charset = take_charset(&value);
		add_percent_decoded(out, value);
		found = FOUND_EXTENDED;
	}
	return found;
}

static enum found join(const struct param *params, size_t n, const char *name, struct buf *out,
	struct span *ret_charset)
{
	char extended[80];
	const struct param *p;
	enum found found;

	(void)snprintf(extended, sizeof extended, "%s*", name);
	p = find(params, n, extended);
	if (p) {
		struct span value = p->value;

		*ret_charset = take_charset(&value);
		add_percent_decoded(out, value);
		return FOUND_EXTENDED;
	}
	found = join_pieces(params, n, name, out, ret_charset);
	p = found ? NULL : find(params, n, name);
	if (!p)
		return found;
	buf_add(out, p->value);
	return FOUND_PLAIN;
}

bool param_join(const struct param *params, size_t n, const char *name, struct buf *out)
{
	struct span charset = {};

	return join(params, n, name, out, &charset) != FOUND_NONE;
}

bool param_get(const struct param *params, size_t n, const char *name, struct buf *out)
{
	CLEANUP(buf_done) struct buf octets = {};
	CLEANUP(charset_freep) struct charset *converter = NULL;
	struct span charset = {};
	enum found found = join(params, n, name, &octets, &charset);

	if (found == FOUND_PLAIN)
		word_decode(buf_span(&octets), out);
	if (found != FOUND_EXTENDED)
		return found != FOUND_NONE;
	converter = charset_new(charset);
	if (converter) {
		charset_feed(converter, buf_span(&octets), out);
		charset_end(converter, out);
	} else {
		word_add_utf8(out, buf_span(&octets));
	}
	return true;
}
