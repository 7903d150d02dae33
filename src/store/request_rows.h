/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Requests for certificates that wait for an authority's answer, as rows. */

#include "base/err.h"
#include "base/span.h"

struct store_conn;

struct store_request {
	int64_t id;
	int64_t domain;
	int64_t key;
	struct span alias;     /* unique in the domain */
	struct span der;       /* PKCS #10 */
	struct span key_alias; /* when read */
	int64_t created_us;
};

/* Writes. STORE_E_EXISTS (alias). */
int store_request_add(struct store_conn *c, const struct store_request *request, int64_t *ret_id)
	MUST_CHECK;

/* Writes. STORE_E_NOT_FOUND. */
int store_request_remove(struct store_conn *c, int64_t domain, struct span alias) MUST_CHECK;

/* Reads, in the order in which they were made. Spans are valid during each(). */
int store_request_each(struct store_conn *c, int64_t domain,
	int (*each)(const struct store_request *request, void *context), void *context) MUST_CHECK;
