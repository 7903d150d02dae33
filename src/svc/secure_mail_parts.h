/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What the parts of secure_mail share. */

#include "svc/secure_mail.h"
#include "svc/unlocked.h"

/* Looks the account up; SECURE_E_OFF if Secure Mail is switched off for it. */
int secure_look_up(struct env *e, struct arena *a, int64_t account,
	struct secure_account *ret_account, struct why *why) MUST_CHECK;

/* "user:ID", what its keys are wrapped under. By id: names change. */
void secure_owner(int64_t account, struct buf *out);

/* What an outcome of keyd is for a person. Faults pass. */
int secure_outcome_of(int r, struct why *why) MUST_CHECK;

/* An act that costs so many scrypts: an account has one at a time, and not too many (BUSY). Where it
 * tries a password, tries of one peer are counted (LATER). Each with why. */
struct secure_act {
	struct env *env; /* NULL: none has begun */
	const struct secure_caller *who;
	size_t n_scrypts;
	bool tries;
};
int secure_act_begin(struct secure_act *act, struct env *e, const struct secure_caller *who,
	size_t n_scrypts, bool tries, struct why *why) MUST_CHECK;

/* How the password was that was tried: what a wrong one did not cost is given back. */
void secure_act_tried(struct secure_act *act, const char *event, int r);
void secure_act_done(struct secure_act *act);

/* How many of the keys open with the present password. */
size_t secure_count_present(const struct secure_account *a);

/* Opens one key for a holder that nobody else has; keyd_lock it, or let it go. */
int secure_open(struct env *e, const struct store_secure_key *row, struct span password,
	struct span holder, uint32_t idle_ms, struct keyd_key **ret_key) MUST_CHECK;

/* A holder of nobody's: for what is open for one act only. */
void secure_holder_for_now(uint8_t ret_holder[static UNLOCKED_HOLDER]);

/* Opens all present keys and leaves them open for the session; nothing without one. The password is
 * right, or was a moment ago. */
int secure_keep_open(struct env *e, const struct secure_caller *who, const struct secure_account *a,
	struct span password) MUST_CHECK;

/* The key of that id, 0: the current one; NULL: there is none. */
const struct secure_key *secure_key_find(const struct secure_account *a, int64_t id);
