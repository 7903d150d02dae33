/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "cli/dn.h"

#include "base/buf.h"
#include "base/enc.h"
#include "cli/language.h"

#include <stddef.h>

/* Short ones are RFC 4514 section 3's, and E is what people write; all are compared without case. */
static const struct attribute {
	const char *names[3];
	size_t member;
} attributes[] = {
	{ { "CN", "commonName", "2.5.4.3" }, offsetof(struct subject, common_name) },
	{ { "O", "organizationName", "2.5.4.10" }, offsetof(struct subject, organization) },
	{ { "OU", "organizationalUnitName", "2.5.4.11" }, offsetof(struct subject, unit) },
	{ { "L", "localityName", "2.5.4.7" }, offsetof(struct subject, city) },
	{ { "ST", "stateOrProvinceName", "2.5.4.8" }, offsetof(struct subject, state) },
	{ { "C", "countryName", "2.5.4.6" }, offsetof(struct subject, country) },
	{ { "E", "emailAddress", "1.2.840.113549.1.9.1" }, offsetof(struct subject, email) },
};

static const struct attribute *attribute_find(struct span type)
{
	for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
		for (size_t k = 0; k < 3; k++) {
			if (span_is_nocase(type, attributes[i].names[k]))
				return &attributes[i];
		}
	}
	return NULL;
}

/* A descr or a numericoid: RFC 4514 section 3. */
static bool is_type(struct span type)
{
	for (size_t i = 0; i < type.n; i++) {
		uint8_t c = type.p[i];

		if (!octet_is_alpha(c) && !octet_is_digit(c) && c != '-' && c != '.')
			return false;
	}
	return type.n > 0;
}

/* What stands behind "\": a character that means something, or an octet in hexadecimal. The number of
 * octets used; 0: neither. */
static size_t take_pair(struct span rest, struct buf *out)
{
	if (rest.n && strchr("\\\"+,;<> #=", rest.p[0]) && rest.p[0]) {
		buf_add_octet(out, rest.p[0]);
		return 1;
	}
	return rest.n >= 2 && enc_hex_decode(out, span_head(rest, 2)) ? 2 : 0;
}

/* Appends the value without its escapes; *text moves to the comma behind it or to the end. Spaces at
 * the end count only where they are escaped. */
static int take_value(struct span *text, struct buf *out, struct why *why)
{
	size_t n_kept = 0;

	while (text->n && text->p[0] != ',') {
		uint8_t c = text->p[0];
		size_t n;

		*text = span_skip(*text, 1);
		if (c == '\\') {
			n = take_pair(*text, out);
			if (!n) {
				why_set(why, gettext("a \"\\\" in the name has neither a special"
					" character nor two hexadecimal digits behind it"));
				return DN_E_REFUSED;
			}
			*text = span_skip(*text, n);
			n_kept = buf_size(out);
			continue;
		}
		if (c == 0 || strchr("\"+;<>", c)) {
			why_set(why, gettext("\"%c\" in the name must be written as \"\\%c\""), c ? c : '?',
				c ? c : '?');
			return DN_E_REFUSED;
		}
		buf_add_octet(out, c);
		if (c != ' ')
			n_kept = buf_size(out);
	}
	buf_cut(out, n_kept);
	return 0;
}

static int check_value(struct span type, struct span value, struct why *why)
{
	bool is_text = span_is_utf8(value);

	for (size_t i = 0; i < value.n; i++)
		is_text = is_text && value.p[i] >= ' ' && value.p[i] != 0x7F;
	if (value.n && is_text)
		return 0;
	why_set(why, value.n ? gettext("the value of %.*s is no text") : gettext("%.*s has no value"),
		(int)type.n, (const char *)type.p);
	return DN_E_REFUSED;
}

static int take_type(struct span *text, struct span *ret_type, struct why *why)
{
	size_t n = span_find(*text, '=');
	struct span type = span_trim(span_head(*text, n));

	if (n == text->n || !is_type(type)) {
		why_set(why, gettext("\"%.*s\" is not of the form TYPE=VALUE,TYPE=VALUE"), (int)text->n,
			(const char *)text->p);
		return DN_E_REFUSED;
	}
	*text = span_skip(*text, n + 1);
	while (text->n && text->p[0] == ' ')
		*text = span_skip(*text, 1);
	*ret_type = type;
	return 0;
}

/* One attribute and the comma behind it. */
static int take_part(struct arena *a, struct span *text, struct subject *s, struct why *why)
{
	CLEANUP(buf_done) struct buf value = {};
	const struct attribute *attribute;
	struct span type, *member;
	int r = take_type(text, &type, why);

	if (r)
		return r;
	attribute = attribute_find(type);
	if (!attribute) {
		why_set(why, gettext("%.*s cannot be asked for; CN, O, OU, L, ST, C and emailAddress can"),
			(int)type.n, (const char *)type.p);
		return DN_E_REFUSED;
	}
	if (text->n && text->p[0] == '#') {
		why_set(why, gettext("the value of %.*s is in hexadecimal; write it as text"), (int)type.n,
			(const char *)type.p);
		return DN_E_REFUSED;
	}
	r = take_value(text, &value, why);
	if (!r)
		r = check_value(type, buf_span(&value), why);
	if (r)
		return r;
	member = (struct span *)(void *)((char *)s + attribute->member);
	if (member->n) {
		why_set(why, gettext("%s is given twice"), attribute->names[0]);
		return DN_E_REFUSED;
	}
	*member = arena_span(a, buf_span(&value));
	return 0;
}

int dn_parse(struct arena *a, struct span text, struct subject *ret_subject, struct why *why)
{
	struct subject s = {};

	for (;;) {
		int r = take_part(a, &text, &s, why);

		if (r)
			return r;
		if (!text.n)
			break;
		text = span_skip(text, 1);
	}
	*ret_subject = s;
	return 0;
}
