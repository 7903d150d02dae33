/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The words of a script: RFC 5228 section 8.1. */

#include "sieve/node.h"

enum sieve_token_kind {
	TOKEN_END,
	TOKEN_IDENTIFIER,
	TOKEN_TAG,
	TOKEN_NUMBER,
	TOKEN_STRING,
	TOKEN_SIGN, /* one of [ ] { } ( ) , ; */
};

struct sieve_token {
	enum sieve_token_kind kind;
	struct sieve_place place;
	struct span text; /* identifier, tag without colon, string without quoting, sign */
	uint64_t number;
};

struct sieve_lexer {
	struct sieve_making *making;
	struct span rest;
	struct sieve_place place; /* of rest */
};

/* The next token; SIEVE_E_INVALID. Strings live in the script's arena, other texts in the source.
 */
int sieve_lex(struct sieve_lexer *l, struct sieve_token *ret_token) MUST_CHECK;
