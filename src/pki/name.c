/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * DNS names: their form, and whether one that a certificate presents stands for one that somebody
 * asked for. Internationalised names arrive here as A-labels; converting them is not done here.
 */

#include "pki/name.h"

#include "base/limit.h"

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
