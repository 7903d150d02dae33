/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Groups of an account's address books as recipients. Where one may stand it is written as a group
 * of RFC 5322 section 3.4 without members: `Friends:;`, by its name or its uid.
 */

#include "contact/group.h"

struct store_conn;

/* Whether a recipient is written so; *ret_name lives in the arena. Pure. */
bool contact_group_is(struct arena *a, struct span given, struct span *ret_name);

struct contact_group {
	struct span name; /* as it is shown */
	struct group group;
	size_t n_cards; /* that were fetched for it */
};

/* Reads, at most max cards. Each outcome with why. */
enum contact_group_outcome { CONTACT_GROUP_E_NONE = 1, CONTACT_GROUP_E_TOO_LARGE };
int contact_group_read(struct store_conn *c, struct arena *a, int64_t account, struct span name,
	size_t max, struct contact_group *ret_group, struct why *why) MUST_CHECK;
