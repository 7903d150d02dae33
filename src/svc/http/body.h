/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* A request's body against the fields of its route. */

#include "svc/http/route.h"

/* Reads the body into q->json; a problem with the member's name if it does not fit. */
int body_read(struct http_request *q, const struct body_field *fields) MUST_CHECK;
