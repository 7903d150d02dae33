/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The lexical pieces that the readers of field values share. Private to mime/. */

#include "base/span.h"

/* White space, line ends of folding included. */
static inline bool lex_is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The value of a hexadecimal digit, or -1. */
static inline int lex_hex_digit(uint8_t c)
{
	if (octet_is_digit(c))
		return c - '0';
	c = octet_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Without white space and comments, which nest, at the front (RFC 5322 section 3.2.2). */
struct span lex_skip_cfws(struct span s);
