/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/managesieve/parse.h"

bool ms_parse_literal(struct span line, uint64_t *ret_size)
{
	size_t open = line.n;
	struct span digits;

	if (line.n < 3 || line.p[line.n - 1] != '}')
		return false;
	while (open && line.p[open - 1] != '{')
		open--;
	if (open == 0)
		return false;
	digits = span_of(line.p + open, line.n - 1 - open);
	if (digits.n && digits.p[digits.n - 1] == '+')
		digits.n--;
	for (size_t i = 0; i < digits.n; i++) {
		if (!octet_is_digit(digits.p[i]))
			return false;
	}
	if (digits.n == 0)
		return false;
	if (!span_to_u64(digits, UINT32_MAX, ret_size))
		*ret_size = UINT64_MAX;
	return true;
}

struct span ms_parse_verb(struct span *rest)
{
	return span_word(rest);
}

static const char *parse_quoted(struct span *rest, struct arena *a, struct span *ret_text)
{
	struct span raw = span_skip(*rest, 1);
	/* It ends on its line; what is behind that may be a script. */
	uint8_t *text = arena_alloc(a, span_find(raw, '\n') + 1);
	size_t n = 0, i = 0;

	for (; i < raw.n && raw.p[i] != '"'; i++) {
		if (raw.p[i] == '\\' && i + 1 < raw.n)
			i++;
		/* RFC 5804 section 4, QUOTED-CHAR: a line does not end within a string. */
		if (raw.p[i] == '\r' || raw.p[i] == '\n' || raw.p[i] == 0)
			return "a quoted string has an octet that needs a {literal+}";
		text[n++] = raw.p[i];
	}
	if (i == raw.n)
		return "a quoted string has no end";
	*ret_text = span_of(text, n);
	*rest = span_skip(raw, i + 1);
	return NULL;
}

/* "{n+}" CRLF and n octets. */
static const char *parse_literal(struct span *rest, struct span *ret_text)
{
	size_t end = span_find_span(*rest, SPAN("\r\n"));
	uint64_t size;

	if (end == rest->n || !ms_parse_literal(span_head(*rest, end), &size) ||
		size > rest->n - (end + 2))
		return "a literal is malformed";
	*ret_text = span_of(rest->p + end + 2, size);
	*rest = span_skip(*rest, end + 2 + size);
	return NULL;
}

static const char *parse_argument(struct span *rest, struct arena *a, struct ms_argument *ret)
{
	size_t n = 0;

	*ret = (struct ms_argument){};
	if (rest->p[0] == '"')
		return parse_quoted(rest, a, &ret->text);
	if (rest->p[0] == '{')
		return parse_literal(rest, &ret->text);
	while (n < rest->n && octet_is_digit(rest->p[n]))
		n++;
	ret->is_number = true;
	if (n == 0 || !span_to_u64(span_head(*rest, n), UINT32_MAX, &ret->number))
		return "an argument is a \"quoted string\", a {literal+} or a number";
	*rest = span_skip(*rest, n);
	return NULL;
}

const char *ms_parse_arguments(struct span rest, struct arena *a,
	struct ms_argument ret_arguments[static MS_ARGUMENTS_MAX], size_t *ret_n)
{
	const char *wrong;

	*ret_n = 0;
	while (rest.n) {
		if (*ret_n == MS_ARGUMENTS_MAX)
			return "too many arguments";
		wrong = parse_argument(&rest, a, &ret_arguments[*ret_n]);
		if (wrong)
			return wrong;
		++*ret_n;
		if (rest.n && rest.p[0] != ' ')
			return "a space is missing between arguments";
		while (rest.n && rest.p[0] == ' ')
			rest = span_skip(rest, 1);
	}
	return NULL;
}
