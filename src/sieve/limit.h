/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What a script may cost. Scripts are written by people who are not the server's operator, and run
 * for every message that a stranger sends: neither may be able to use up a processor or memory. The
 * minimums are those of RFC 5228 section 2.10 and RFC 5229 section 3.
 */

enum {
	/* When a script is read. */
	SIEVE_SCRIPT_MAX = 256 << 10, /* octets */
	SIEVE_NESTING_MAX = 32,       /* blocks and tests in each other */
	SIEVE_NODES_MAX = 4000,       /* commands and tests of a script */
	SIEVE_ARGUMENTS_MAX = 32,     /* of one command or test */
	SIEVE_STRINGS_MAX = 20000,    /* of a script */
	SIEVE_WARNINGS_MAX = 8,       /* that are told */

	/* When it runs. A step is a command or test, or 16 octets looked at or made. */
	SIEVE_STEPS_MAX = 4000000,
	SIEVE_STEP_OCTETS = 16,
	SIEVE_MEMORY_MAX = 8 << 20, /* octets made: strings, decoded fields, captures, headers */
	/* Octets of a header that are needed. What is behind them is lost to no script: with so many it
	 * can change nothing, since a changed header would be too much memory. */
	SIEVE_HEADER_MAX = 2 * SIEVE_MEMORY_MAX,
	SIEVE_PIECE_OCTETS = 16,    /* that a piece of memory costs besides its own */
	SIEVE_ACTIONS_MAX = 32,     /* of one message */
	SIEVE_REDIRECTS_MAX = 4,    /* RFC 5228 section 10 */
	SIEVE_EDITS_MAX = 100,      /* header fields added and calls of deleteheader */
	SIEVE_FIELD_MAX = 8192,     /* octets of a header field that is added */
	SIEVE_VARIABLES_MAX = 128,
	SIEVE_VARIABLE_NAME_MAX = 64,
	SIEVE_VARIABLE_MAX = 8192,   /* octets of a value; longer ones are cut */
	SIEVE_STRING_MAX = 64 << 10, /* octets of a string after expansion; longer ones are cut */
	SIEVE_CAPTURES = 10,         /* ${0} to ${9} */
	SIEVE_BODY_MAX = 1 << 20,    /* decoded octets of a body that one test looks at */
	SIEVE_FLAGS_MAX = 60,        /* of one message */
	SIEVE_REASON_MAX = 32 << 10, /* octets of a text that is sent to somebody */
	SIEVE_DAYS_MAX = 365,        /* RFC 5230 section 4.1 */
};
