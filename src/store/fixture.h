/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* For tests: a store in a folder of its own with the main domain example.org and the account
 * alice@example.org in it. Calls that fail end the test. */

#include "base/folder_fixture.h"
#include "store/content.h"
#include "store/store.h"

struct fixture {
	char folder[FOLDER_FIXTURE_MAX];
	char *path;
	struct store *store;
	int64_t domain;
	int64_t account;
	int64_t inbox;
};

struct fixture *fixture_new(void);
struct fixture *fixture_free(struct fixture *f);

/* A test with a store of its own, which is its state. */
#define FIXTURE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Closes the store and opens it again. */
void fixture_reopen(struct fixture *f);

/* The id of a mailbox of the account, which must exist. */
int64_t fixture_mailbox(struct fixture *f, int64_t account, const char *name);

/* A number the statement gives, asked by a connection of its own: SELECT count(*) ... */
int64_t fixture_number(struct fixture *f, const char *sql);

/* A draft with the octets as body and made-up envelope and structure. */
void fixture_draft(struct content_draft *d, struct span octets);

/* Delivers the octets; the UID. */
uint32_t fixture_deliver(struct fixture *f, int64_t mailbox, struct span octets, uint64_t flags);

/* Counters of mailboxes and accounts against their rows, references, and the file itself. */
void fixture_recount(struct fixture *f);

/* Sweeps until there is nothing more, without grace. */
void fixture_sweep(struct fixture *f);
