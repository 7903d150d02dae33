/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* From a received request to its answer. */

#include "svc/http/request.h"

/*
 * Before the body. How large it may be depends on method and target alone; whether it is received at
 * all, for all but small ones, on who sends it. Whatever returns false has set the answer.
 */

/* Octets that a body of such a request may have. Any thread, does not block. */
struct env;
uint64_t http_body_max(struct env *e, struct span method, struct span target);

/* Sets q->row and q->body_max, once the head is there; before all that follows. */
void http_find_row(struct http_request *q);

/* Whether http_admit must come before the body. */
bool http_needs_admission(const struct http_request *q);

/* Proves the right to the request, and reserves memory for its body or begins its stream. Blocks. */
bool http_admit(struct http_request *q);

/* Takes a piece of a streamed body out of q->body, which is empty then. Blocks. */
bool http_take(struct http_request *q);

/* An admitted request whose stream did not come to its end. Does not block. */
void http_abandon(struct http_request *q);

/* Answers the request, whatever it is: status, headers and body are set afterwards. Blocks. */
void http_dispatch(struct http_request *q);

/* Whether its route is a ROUTE_SLOW */
bool http_is_slow(const struct http_request *q);

/* The answer to what never becomes a request of the dispatcher's. */
void http_answer_problem(struct http_request *q, unsigned status, const char *detail);

/* "Not Found" and so on; never NULL. */
const char *http_status_text(unsigned status);
