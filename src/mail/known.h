/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Recipients that were found good a while ago, so that the next one to name them need not wait for
 * the database. A recipient is known by a mark, made of its address and of the version of all
 * routes (store_routes_version): when these change, nobody is known any more.
 *
 * It says no now and then about somebody who is known, and practically never yes about somebody who
 * is not; delivery looks again in any case. Zeroed memory is an empty one. From any thread.
 */

#include <stdatomic.h>
#include <stdint.h>

struct mail_address;

enum { KNOWN_SLOTS = 4096 };

struct known {
	atomic_ullong marks[KNOWN_SLOTS];
};

enum known_as {
	KNOWN_NOT,
	KNOWN_GOOD,
	KNOWN_WITH_RULES, /* good, and there are scripts to run for it (mail/plan.h) */
};

uint64_t known_mark(const struct mail_address *address, uint64_t routes_version);
enum known_as known_find(const struct known *k, uint64_t mark);

/* As what: not KNOWN_NOT. */
void known_add(struct known *k, uint64_t mark, enum known_as as);
