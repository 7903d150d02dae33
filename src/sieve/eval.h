/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Running a script for one message. Pure: the message and a time in, a list of actions out; nothing
 * is done here. What a run costs is bounded (sieve/limit.h) whatever script and message are.
 */

#include "base/arena.h"
#include "sieve/script.h"

struct part_tree;

struct sieve_input {
	struct span message; /* all octets if the script uses the body, else at least its header, or
			      * SIEVE_HEADER_MAX of it */
	const struct part_tree *tree; /* of that message; NULL: it is made when needed */
	uint64_t size;                /* octets of the message */
	struct span sender;           /* envelope, local@domain; empty: null */
	struct span recipient;
	const char *separators;  /* of sub-addresses (RFC 5233) */
	struct span own_address; /* the account's, for vacation; may be empty */
	int64_t now_us;
	int zone_minutes;   /* of the server, east of UTC */
	uint64_t steps_max; /* fewer than SIEVE_STEPS_MAX; 0: those */

	/* What an earlier script left: fields as they are now (n 0: the message's own), and flags.
	 * The fields have to live as long as the result, which may point to them. */
	struct span header;
	struct span flags;

	/* RFC 5490 section 3.1; NULL: there is none. */
	bool (*mailbox_exists)(void *context, struct span name);
	void *context;
};

enum sieve_action_kind {
	SIEVE_KEEP,
	SIEVE_FILEINTO,
	SIEVE_REDIRECT,
	SIEVE_REJECT,  /* perhaps by a report (RFC 5429 section 2.2) */
	SIEVE_EREJECT, /* rather in the protocol (section 2.1) */
	SIEVE_VACATION,
};

/* Spans live as long as result, script and input. */
struct sieve_action {
	enum sieve_action_kind kind;
	struct span target; /* mailbox name; address to redirect to, or to answer */
	struct span flags;  /* separated by a space */
	struct span
		header; /* the fields with their empty line, if they are not the message's; n 0 */
	bool create;    /* the mailbox, if it is not there */
	bool encrypt;
	bool mandatory;     /* never in clear */
	struct span reason; /* reject, vacation: text, or a MIME entity (mime) */
	/* RFC 5230 */
	struct span subject, from, handle;
	unsigned days;
	bool mime;
};

struct sieve_result {
	struct arena arena;
	struct sieve_action *actions;
	size_t n;
	bool implicit_keep; /* nothing took the message: the next script decides, or it is kept */
	bool stopped;       /* by stop, or by an explicit keep, discard or reject */
	struct span header; /* as in the input, for the next script */
	struct span flags;
	uint64_t steps;
};

void sieve_result_done(struct sieve_result *r);

enum sieve_eval_outcome {
	SIEVE_E_FAILED = 1, /* at run time: why says it; the message is to be kept (RFC 5228
			       section 2.10.6) */
};

/* The result is to be ended in any case, and was zeroed before. */
int sieve_eval(const struct sieve_script *s, const struct sieve_input *in,
	struct sieve_result *ret_result, struct why *why) MUST_CHECK;

/* The action that an implicit keep is, with the fields and flags as they are at the end. */
struct sieve_action sieve_implicit_keep(const struct sieve_result *r);

/* Appends an action in words, in one line: for people and tests. */
void sieve_action_print(const struct sieve_action *a, struct buf *out);
