/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Parsing of command arguments (RFC 9051 section 9, RFC 3501 section 9). The text is one whole
 * command: its lines joined, each literal in place behind its "{n}" and CRLF. A function takes what
 * it is named for off the front and returns true; or it returns false and the parser has an error.
 * Results are spans of the text or of the arena. An error stays: everything after it returns false.
 */

#include "base/arena.h"

#include <stdint.h>

enum { PARSE_DEPTH = 40 }; /* nested parentheses and NOTs */

struct imap_parser {
	struct span rest;
	struct arena *arena;
	bool utf8;          /* mailbox names are UTF-8, not modified UTF-7 (RFC 6855, RFC 9051) */
	unsigned depth;
	const char *error;  /* a sentence for BAD, or NULL */
};

/* Sets the error unless there is one, returns false: return parse_fail(p, "..."). */
bool parse_fail(struct imap_parser *p, const char *error);

/* Looks ahead without an error. */
bool parse_at(const struct imap_parser *p, uint8_t octet);
bool parse_at_end(const struct imap_parser *p);

/* Takes the octet if it is next; no error otherwise. */
bool parse_skip(struct imap_parser *p, uint8_t octet);

/* Takes the word if it is next (without case) and ends where an atom ends; no error otherwise. */
bool parse_skip_word(struct imap_parser *p, const char *word);

/* Takes the octet, or fails. */
bool parse_octet(struct imap_parser *p, uint8_t octet);
bool parse_space(struct imap_parser *p);
bool parse_end(struct imap_parser *p);

/* "(" and one level deeper; parse_close takes ")". */
bool parse_open(struct imap_parser *p);
bool parse_close(struct imap_parser *p);

bool parse_atom(struct imap_parser *p, struct span *ret);
/* Letters, digits, '.', '-', '=', '_': names of items and options; "BODY[" ends at the bracket. */
bool parse_word(struct imap_parser *p, struct span *ret);
bool parse_string(struct imap_parser *p, struct span *ret);
bool parse_astring(struct imap_parser *p, struct span *ret);
/* NIL gives a span with p == NULL. */
bool parse_nstring(struct imap_parser *p, struct span *ret);

/* A number of at most 32 (RFC 9051: 63) bits. */
bool parse_number(struct imap_parser *p, uint32_t *ret);
bool parse_nonzero(struct imap_parser *p, uint32_t *ret);
bool parse_number64(struct imap_parser *p, uint64_t *ret);

/* As UTF-8; what makes a good name is the store's to say. */
bool parse_mailbox(struct imap_parser *p, struct span *ret);
/* A mailbox name that may hold the wildcards % and *. */
bool parse_list_mailbox(struct imap_parser *p, struct span *ret);

struct imap_set;
bool parse_set(struct imap_parser *p, struct imap_set *ret);

/* "(\Seen word ...)", or without parentheses. Bits of FLAG_* and the keywords' names in an array.
 * Flags that only the server sets (\Recent) and unknown system flags are an error. */
struct imap_flags {
	uint64_t system;
	size_t n_keywords;
	struct span *keywords;
};
bool parse_flag(struct imap_parser *p, struct imap_flags *flags);
bool parse_flag_list(struct imap_parser *p, struct imap_flags *ret);

/* "1-Feb-1994" (quoted or not): days since 1970-01-01. */
bool parse_date(struct imap_parser *p, int64_t *ret_day);
/* " 1-Feb-1994 21:52:25 -0800": microseconds since 1970 UTC. */
bool parse_date_time(struct imap_parser *p, int64_t *ret_us);
