/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What authorities say about what they have issued: revocation lists and answers to questions (OCSP).
 *
 * A list holds for a week and is made anew when half of that is over and whenever something was revoked.
 * Answers are looked up each time; what they are signed with is kept, so that the same question costs no
 * second signature, and how many are signed in a second is bounded.
 */

#include "base/err.h"
#include "base/span.h"
#include "svc/ca_lists.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct env;

struct ca;
struct ca *ca_new(struct env *e);
struct ca *ca_free(struct ca *ca);

/* Lists that are due are made soon; after a revocation. Returns at once. */
void ca_wake(struct env *e);

/* Ends what is under way, before env->blocking ends. */
void ca_stop(struct env *e);

/* The authority's list as it is now, a reference: the stored one, else a new one. NONE: it cannot sign
 * one any more and never has, or may not. Blocks. */
enum ca_status_outcome { CA_STATUS_E_NONE = 1 };
int ca_list_newest(struct env *e, int64_t authority, struct ca_list **ret_list) MUST_CHECK;

/* Before a domain with its keys goes: the last list of each of its authorities, which holds as long as
 * what they have issued. Blocks. */
int ca_last_lists(struct env *e, int64_t domain) MUST_CHECK;

/* Appends the answer to a request. label: which authority is asked; empty: those of the domain of that
 * name. ret_until_us: how long it may be kept; 0: not at all. Blocks. */
struct ca_question {
	struct span domain, label, request;
};
int ca_answer(struct env *e, const struct ca_question *q, struct buf *out, int64_t *ret_until_us)
	MUST_CHECK;
