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

/* Before a password is tried, and afterwards with how it went: tries of one peer are counted. */
int secure_try(struct env *e, const struct secure_caller *who, struct why *why) MUST_CHECK;
void secure_tried(struct env *e, const struct secure_caller *who, const char *event, int r);

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
