/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * For tests: a domain with alice, bob and carl, their rules, and a message on its way through plan
 * and delivery. alice has the mailbox Lists and may put messages into bob's, Shared. Calls that
 * fail end the test.
 */

#include "mail/deliver.h"
#include "mail/intake.h"
#include "mail/plan.h"
#include "mail/rule_cache.h"
#include "store/fixture.h"

/* From Jim to alice. */
extern const char plan_fixture_plain[];

/* The state of a test is a struct fixture. */
int plan_fixture_setup(void **state);
int plan_fixture_teardown(void **state);

/* The script of "server", "domain" or an account, by its local part. */
void plan_fixture_rule(struct fixture *f, const char *owner, const char *text);

/* Appends the first megabyte of a stored content. */
void plan_fixture_content(struct fixture *f, int64_t content, struct buf *out);

struct mailing {
	struct fixture *f;
	struct transaction *transaction;
	struct intake *intake;
	struct plan_request request;
	struct plan *plan;
	struct delivery delivery;
	int result;
	bool first; /* mailing_expect looks at the first content, not the newest */
	bool needed_build, was_light;
	struct buf out;
};

/* Received and parsed, and no more. Recipients have a space between them. */
void mailing_begin(struct mailing *m, struct fixture *f, struct rule_cache *cache, const char *from,
	const char *to, struct span text);
int mailing_plan(struct mailing *m) MUST_CHECK;
int mailing_deliver(struct mailing *m) MUST_CHECK;

/* What the plan says: built and delivered; the outcome is in result. */
void mailing_carry_out(struct mailing *m);

/* Planned and carried out; the others begin with it. */
void mailing_make(struct mailing *m);
void mailing_octets(struct mailing *m, struct fixture *f, struct rule_cache *cache,
	const char *from, const char *to, struct span text);
void mailing_send(struct mailing *m, struct fixture *f, struct rule_cache *cache, const char *from,
	const char *to, const char *text);
void mailing_done(struct mailing *m);

/* Append to out: each stored message with its account, mailbox and flags, and the queue; the plan's
 * notes. */
void mailing_list(struct mailing *m);
void mailing_add_notes(struct mailing *m);

/* The text is in the content that came last (first: that came first), which out has then. */
void mailing_expect(struct mailing *m, const char *expected);
