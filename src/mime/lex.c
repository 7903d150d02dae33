/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Comments are counted, not recursed into: a field may consist of nothing but opening parentheses.
 */

#include "mime/lex.h"

struct span lex_skip_cfws(struct span s)
{
	size_t depth = 0, i = 0;

	for (; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (c == '(')
			depth++;
		else if (depth && c == ')')
			depth--;
		else if (depth && c == '\\')
			i++;
		else if (!depth && !lex_is_space(c))
			break;
	}
	return span_skip(s, i);
}
