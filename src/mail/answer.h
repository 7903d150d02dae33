/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The message of somebody who is away: RFC 5230 section 5, RFC 3834 section 3.1. */

#include "base/buf.h"

struct sieve_action;

struct answer {
	const struct sieve_action *action; /* SIEVE_VACATION */
	struct span from;                  /* the account's address */
	struct span name;                  /* its display name; may be empty */
	struct span message;               /* what is answered: at least its header */
	struct span hostname;
	struct span unique;
	int64_t now_us;
};

/* Appends the whole message. word_init() first. */
void answer_compose(const struct answer *a, struct buf *out);
