/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Certificates from authorities that speak ACME (RFC 8555): kept up for the domains that want them,
 * renewed before they end, put to use at once. What is wanted and how far it is stands in the
 * store; this is what acts on it, on workers of env->blocking.
 */

#include "store/acme_rows.h"

struct env;
struct acme;

struct acme *acme_new(struct env *e);

/* Ends what is under way at its next step, to go on after a restart, and waits for that. Before the
 * executor of env->blocking ends. */
struct acme *acme_free(struct acme *a);

/* Does what is due, on other threads: after a change, and once a minute. Costs one look into the
 * store when nothing is. */
void acme_wake(struct env *e);

/* What will happen to a certificate by itself. */
enum acme_action {
	ACME_ACTION_ORDER,    /* an order is made */
	ACME_ACTION_CONTINUE, /* an order that stands at the authority goes on */
	ACME_ACTION_RENEW,    /* a successor is ordered */
};

/* "order", "continue", "renew". */
const char *acme_action_name(enum acme_action action);

struct acme_plan {
	enum acme_action action;
	int64_t at_us;          /* when */
	unsigned n_failures;    /* in a row */
	struct span last_error; /* empty if it went well */
};
struct acme_plan acme_plan_of(const struct store_acme_order *order);

/* Reads: the plan of a certificate; STORE_E_NOT_FOUND: it is not from an authority that is asked
 * automatically. Spans live in the arena. */
int acme_plan_of_cert(struct store_conn *c, struct arena *a, int64_t cert,
	struct acme_plan *ret_plan) MUST_CHECK;
