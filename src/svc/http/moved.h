/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Requests by which addresses lead elsewhere: rows of the table with `moves`. What that means for
 * certificates (svc/ca_moved.h) is said in the answer, as "warnings"; or they are revoked, with the reason
 * of the query's "revoke" where the row has that, and counted, as "revoked".
 */

#include "svc/http/request.h"

/* Before the request's transaction: looks where what it is about leads. To warn takes no transaction that
 * writes: what is said may be a moment old, and holds for what was there at both looks. */
int moved_look(struct http_request *q) MUST_CHECK;

/* The row's handler in its transaction. What is revoked has to have moved by this request and no other, and
 * goes with it or not at all, so here that is looked at within. */
int moved_run(struct http_request *q, struct store_conn *c) MUST_CHECK;

/* After the commit, and the settings are those of today: the answer gets its warnings. */
int moved_tell(struct http_request *q) MUST_CHECK;

void moved_done(struct http_request *q);
