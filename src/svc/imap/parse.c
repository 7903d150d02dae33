/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The lexical part of IMAP's grammar. Commands arrive here whole, so there is no state to keep
 * between lines and every function is one step forward over a span. What is accepted is the
 * standard's grammar with one liberty: quoted strings may hold UTF-8 in every session, as RFC 9051
 * has it, because clients put names and passwords there without asking.
 */

#include "svc/imap/parse.h"

#include "base/limit.h"
#include "mime/date.h"
#include "store/message.h"
#include "svc/imap/mutf7.h"
#include "svc/imap/set.h"

bool parse_fail(struct imap_parser *p, const char *error)
{
	if (!p->error)
		p->error = error;
	return false;
}

bool parse_at(const struct imap_parser *p, uint8_t octet)
{
	return !p->error && p->rest.n > 0 && p->rest.p[0] == octet;
}

bool parse_at_end(const struct imap_parser *p)
{
	return !p->error && p->rest.n == 0;
}

bool parse_skip(struct imap_parser *p, uint8_t octet)
{
	if (!parse_at(p, octet))
		return false;
	p->rest = span_skip(p->rest, 1);
	return true;
}

bool parse_octet(struct imap_parser *p, uint8_t octet)
{
	return parse_skip(p, octet) || parse_fail(p, "unexpected character in arguments");
}

bool parse_space(struct imap_parser *p)
{
	return parse_skip(p, ' ') || parse_fail(p, "missing argument");
}

bool parse_end(struct imap_parser *p)
{
	return parse_at_end(p) || parse_fail(p, "too many arguments");
}

bool parse_open(struct imap_parser *p)
{
	if (!parse_octet(p, '('))
		return false;
	if (++p->depth > PARSE_DEPTH)
		return parse_fail(p, "parentheses too deep");
	return true;
}

bool parse_close(struct imap_parser *p)
{
	if (!parse_octet(p, ')'))
		return false;
	p->depth--;
	return true;
}

/* RFC 9051 section 9, ATOM-CHAR. */
static bool octet_is_atom(uint8_t c)
{
	return c > ' ' && c < 0x7f && !memchr("(){%*\"\\]", c, 8);
}

static bool octet_is_astring(uint8_t c)
{
	return octet_is_atom(c) || c == ']';
}

static bool octet_is_list(uint8_t c)
{
	return octet_is_astring(c) || c == '%' || c == '*';
}

static bool octet_is_word(uint8_t c)
{
	return octet_is_alpha(c) || octet_is_digit(c) || c == '.' || c == '-' || c == '=' ||
	       c == '_';
}

/* How many octets of the class come next; none after an error. */
static size_t parse_run(const struct imap_parser *p, bool (*class)(uint8_t c))
{
	size_t n = 0;

	if (p->error)
		return 0;
	while (n < p->rest.n && class(p->rest.p[n]))
		n++;
	return n;
}

static bool parse_class(struct imap_parser *p, bool (*class)(uint8_t c), struct span *ret,
	const char *error)
{
	size_t n = parse_run(p, class);

	if (n == 0)
		return parse_fail(p, error);
	*ret = span_head(p->rest, n);
	p->rest = span_skip(p->rest, n);
	return true;
}

bool parse_atom(struct imap_parser *p, struct span *ret)
{
	return parse_class(p, octet_is_atom, ret, "atom expected");
}

bool parse_word(struct imap_parser *p, struct span *ret)
{
	return parse_class(p, octet_is_word, ret, "keyword expected");
}

bool parse_skip_word(struct imap_parser *p, const char *word)
{
	size_t n = parse_run(p, octet_is_atom);

	if (n == 0 || !span_is_nocase(span_head(p->rest, n), word))
		return false;
	p->rest = span_skip(p->rest, n);
	return true;
}

/* Behind the opening quote. Without escapes the string is part of the text itself. */
static bool parse_quoted(struct imap_parser *p, struct span *ret)
{
	uint8_t *copy = NULL;
	size_t end = 0, n = 0;

	while (end < p->rest.n && p->rest.p[end] != '"') {
		if (p->rest.p[end] == '\\')
			end++;
		end++;
	}
	if (end >= p->rest.n)
		return parse_fail(p, "quoted string without end");
	copy = arena_alloc(p->arena, end + 1);
	for (size_t i = 0; i < end; i++) {
		uint8_t c = p->rest.p[i];

		if (c == '\\') {
			c = p->rest.p[++i];
			if (c != '"' && c != '\\')
				return parse_fail(p, "only \" and \\ may be escaped");
		}
		if (c == 0 || c == '\r' || c == '\n')
			return parse_fail(p, "forbidden character in a quoted string");
		copy[n++] = c;
	}
	*ret = span_of(copy, n);
	p->rest = span_skip(p->rest, end + 1);
	return span_is_utf8(*ret) || parse_fail(p, "quoted string is not UTF-8");
}

/* Behind the opening brace: "n}" or "n+}", CRLF, n octets. The session made sure that they are
 * there, but what a client puts into a line must not pass for it. */
static bool parse_literal(struct imap_parser *p, struct span *ret)
{
	uint64_t n = 0;

	if (!parse_number64(p, &n))
		return false;
	(void)parse_skip(p, '+');
	if (!parse_octet(p, '}') || !parse_octet(p, '\r') || !parse_octet(p, '\n'))
		return false;
	if (n > p->rest.n)
		return parse_fail(p, "literal is cut short");
	*ret = span_head(p->rest, n);
	p->rest = span_skip(p->rest, n);
	if (span_find(*ret, 0) < ret->n)
		return parse_fail(p, "NUL in a literal");
	return true;
}

bool parse_string(struct imap_parser *p, struct span *ret)
{
	if (parse_skip(p, '"'))
		return parse_quoted(p, ret);
	if (parse_skip(p, '{'))
		return parse_literal(p, ret);
	return parse_fail(p, "string expected");
}

bool parse_astring(struct imap_parser *p, struct span *ret)
{
	if (parse_at(p, '"') || parse_at(p, '{'))
		return parse_string(p, ret);
	return parse_class(p, octet_is_astring, ret, "string or atom expected");
}

bool parse_nstring(struct imap_parser *p, struct span *ret)
{
	if (parse_at(p, '"') || parse_at(p, '{'))
		return parse_string(p, ret);
	if (!parse_skip_word(p, "NIL"))
		return parse_fail(p, "string or NIL expected");
	*ret = (struct span){};
	return true;
}

static bool parse_digits(struct imap_parser *p, uint64_t max, uint64_t *ret)
{
	struct span digits = {};

	if (!parse_class(p, octet_is_digit, &digits, "number expected"))
		return false;
	return span_to_u64(digits, max, ret) || parse_fail(p, "number too large");
}

bool parse_number64(struct imap_parser *p, uint64_t *ret)
{
	return parse_digits(p, INT64_MAX, ret);
}

bool parse_number(struct imap_parser *p, uint32_t *ret)
{
	uint64_t value = 0;

	if (!parse_digits(p, UINT32_MAX, &value))
		return false;
	*ret = (uint32_t)value;
	return true;
}

bool parse_nonzero(struct imap_parser *p, uint32_t *ret)
{
	uint32_t value = 0;

	if (!parse_number(p, &value))
		return false;
	if (value == 0)
		return parse_fail(p, "number must not be zero");
	*ret = value;
	return true;
}

/* A name as the client wrote it, in UTF-8. */
static bool mailbox_name(struct imap_parser *p, struct span text, struct span *ret)
{
	CLEANUP(buf_done) struct buf decoded = {};

	if (p->utf8) {
		if (!span_is_utf8(text))
			return parse_fail(p, "mailbox name is not UTF-8");
	} else {
		if (!mutf7_decode(&decoded, text))
			return parse_fail(p, "mailbox name is not modified UTF-7");
		text = arena_span(p->arena, buf_span(&decoded));
	}
	*ret = text;
	return true;
}

bool parse_mailbox(struct imap_parser *p, struct span *ret)
{
	struct span text = {};

	return parse_astring(p, &text) && mailbox_name(p, text, ret);
}

bool parse_list_mailbox(struct imap_parser *p, struct span *ret)
{
	struct span text = {};

	if (parse_at(p, '"') || parse_at(p, '{')) {
		if (!parse_string(p, &text))
			return false;
	} else if (!parse_class(p, octet_is_list, &text, "mailbox pattern expected")) {
		return false;
	}
	return mailbox_name(p, text, ret);
}

static bool parse_set_number(struct imap_parser *p, uint32_t *ret)
{
	if (parse_skip(p, '*')) {
		*ret = SET_STAR;
		return true;
	}
	return parse_nonzero(p, ret);
}

bool parse_set(struct imap_parser *p, struct imap_set *ret)
{
	struct imap_set set = {};
	size_t max = 1;

	if (parse_skip(p, '$')) {
		*ret = (struct imap_set){ .saved = true };
		return true;
	}
	for (size_t i = 0; i < p->rest.n && p->rest.p[i] != ' '; i++)
		max += p->rest.p[i] == ',';
	set.ranges = arena_alloc(p->arena, max * sizeof *set.ranges);
	do {
		struct imap_range *range = &set.ranges[set.n++];

		if (!parse_set_number(p, &range->first))
			return false;
		range->last = range->first;
		if (parse_skip(p, ':') && !parse_set_number(p, &range->last))
			return false;
	} while (parse_skip(p, ','));
	*ret = set;
	return !p->error;
}

static const struct {
	const char *name;
	uint64_t flag;
} system_flags[] = {
	{ "Answered", FLAG_ANSWERED }, { "Flagged", FLAG_FLAGGED }, { "Deleted", FLAG_DELETED },
	{ "Seen", FLAG_SEEN }, { "Draft", FLAG_DRAFT },
};

static bool keyword_add(struct imap_parser *p, struct imap_flags *flags, struct span name)
{
	if (name.n > LIMIT_KEYWORD)
		return parse_fail(p, "keyword is too long");
	for (size_t i = 0; i < flags->n_keywords; i++) {
		if (span_equal_nocase(flags->keywords[i], name))
			return true;
	}
	if (flags->n_keywords == KEYWORDS_MAX)
		return parse_fail(p, "too many keywords");
	if (!flags->keywords)
		flags->keywords = arena_alloc(p->arena, KEYWORDS_MAX * sizeof *flags->keywords);
	flags->keywords[flags->n_keywords++] = name;
	return true;
}

bool parse_flag(struct imap_parser *p, struct imap_flags *flags)
{
	bool system = parse_skip(p, '\\');
	struct span name = {};

	if (!parse_atom(p, &name))
		return false;
	if (!system)
		return keyword_add(p, flags, name);
	for (size_t i = 0; i < sizeof system_flags / sizeof system_flags[0]; i++) {
		if (span_is_nocase(name, system_flags[i].name)) {
			flags->system |= system_flags[i].flag;
			return true;
		}
	}
	return parse_fail(p, "no such system flag, or not one a client may set");
}

bool parse_flag_list(struct imap_parser *p, struct imap_flags *ret)
{
	struct imap_flags flags = {};
	bool list = parse_at(p, '(');

	if (list && !parse_open(p))
		return false;
	if (!list || !parse_at(p, ')')) {
		do {
			if (!parse_flag(p, &flags))
				return false;
		} while (parse_skip(p, ' '));
	}
	if (list && !parse_close(p))
		return false;
	*ret = flags;
	return !p->error;
}

bool parse_date(struct imap_parser *p, int64_t *ret_day)
{
	struct span text = {};

	if (parse_at(p, '"') ? !parse_string(p, &text) : !parse_atom(p, &text))
		return false;
	return date_parse_day(text, ret_day) || parse_fail(p, "date expected, as 1-Feb-1994");
}

bool parse_date_time(struct imap_parser *p, int64_t *ret_us)
{
	struct span text = {};

	if (!parse_at(p, '"') || !parse_string(p, &text))
		return parse_fail(p, "date and time in quotes expected");
	return date_parse_imap(text, ret_us) ||
	       parse_fail(p, "date and time expected, as \" 1-Feb-1994 21:52:25 -0800\"");
}
