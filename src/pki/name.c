/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * DNS names: their form, and whether one that a certificate presents stands for one that somebody
 * asked for. Certificates hold internationalised names as A-labels; who asks may have U-labels.
 */

#include "pki/name.h"

#include "base/alloc.h"
#include "base/err.h"
#include "base/limit.h"

#include <idn2.h>
#include <stdlib.h>
#include <unictype.h>
#include <unistr.h>

enum { LABEL_MAX = 63 };

static bool label_is_ldh(struct span label)
{
	if (label.n == 0 || label.n > LABEL_MAX)
		return false;
	if (label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!octet_is_alpha(label.p[i]) && !octet_is_digit(label.p[i]) && label.p[i] != '-')
			return false;
	return true;
}

static bool label_is_number(struct span label)
{
	for (size_t i = 0; i < label.n; i++)
		if (!octet_is_digit(label.p[i]))
			return false;
	return true;
}

bool name_is_dns(struct span name, bool wildcard)
{
	struct span label = {};

	if (name.n == 0 || name.n > LIMIT_NAME || name.p[name.n - 1] == '.')
		return false;
	if (wildcard && span_starts(name, SPAN("*.")))
		name = span_skip(name, 2);
	while (name.n) {
		label = span_cut(&name, '.');
		if (!label_is_ldh(label))
			return false;
	}
	/* RFC 1123 section 2.1: no top-level name is a number, so this is an IPv4 address. */
	return !label_is_number(label);
}

bool name_matches(struct span presented, struct span reference)
{
	if (reference.n && reference.p[reference.n - 1] == '.')
		reference.n--;
	if (!name_is_dns(reference, false) || !name_is_dns(presented, true))
		return false;
	if (presented.p[0] != '*')
		return span_equal_nocase(presented, reference);
	(void)span_cut(&reference, '.');
	return span_equal_nocase(span_skip(presented, 2), reference);
}

bool name_to_ascii(struct span name, struct buf *out)
{
	enum { FLAGS = IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT | IDN2_USE_STD3_ASCII_RULES };
	CLEANUP(alloc_freep) char *text = NULL;
	char *ascii = NULL;
	bool done;

	if (name.n > LIMIT_NAME)
		return false;
	if (span_is_ascii(name)) {
		buf_add(out, name);
		return true;
	}
	text = span_is_utf8(name) ? span_to_string(name) : NULL;
	done = text && idn2_to_ascii_8z(text, &ascii, FLAGS) == IDN2_OK;
	if (done)
		buf_add_string(out, ascii);
	idn2_free(ascii);
	return done;
}

/* Japanese, Chinese and Korean are written in several, and with Latin letters among them. */
static bool script_goes_with_latin(const char *script)
{
	static const char *const scripts[] = { "Latin", "Han", "Hiragana", "Katakana", "Hangul",
		"Bopomofo" };

	for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
		if (strcmp(script, scripts[i]) == 0)
			return true;
	}
	return false;
}

static bool label_mixes_scripts(const uint8_t *label)
{
	const char *seen = NULL;
	ucs4_t c;

	for (const uint8_t *p = u8_next(&c, label); p; p = u8_next(&c, p)) {
		const uc_script_t *script = uc_script(c);

		if (!script || strcmp(script->name, "Common") == 0 ||
			strcmp(script->name, "Inherited") == 0)
			continue;
		if (!seen)
			seen = script->name;
		else if (strcmp(seen, script->name) != 0 &&
			!(script_goes_with_latin(seen) && script_goes_with_latin(script->name)))
			return true;
	}
	return false;
}

bool name_mixes_scripts(struct span name)
{
	bool mixes = false;

	if (name.n > LIMIT_NAME)
		return false;
	while (name.n && !mixes) {
		struct span label = span_cut(&name, '.');
		CLEANUP(alloc_freep) char *text = NULL;
		char *unicode = NULL;

		if (!span_starts_nocase(label, SPAN("xn--")))
			continue;
		text = span_to_string(label);
		if (text && idn2_to_unicode_8z8z(text, &unicode, 0) == IDN2_OK)
			mixes = label_mixes_scripts((const uint8_t *)unicode);
		idn2_free(unicode);
	}
	return mixes;
}
