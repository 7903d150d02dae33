/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* From a received request to its answer. */

#include "svc/http/request.h"

/* Answers the request, whatever it is: status, headers and body are set afterwards. Blocks. */
void http_dispatch(struct http_request *q);

/* Whether its route is a ROUTE_SLOW. Before http_dispatch. */
bool http_is_slow(struct http_request *q);

/* The answer to what never becomes a request of the dispatcher's. */
void http_answer_problem(struct http_request *q, unsigned status, const char *detail);

/* "Not Found" and so on; never NULL. */
const char *http_status_text(unsigned status);

/* Releases what the request holds, not its memory. */
void http_request_done(struct http_request *q);
