/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Inside store/: look-ups that domains, accounts and routes share. */

#include "base/err.h"
#include "base/span.h"

struct store_conn;

/* By name or alias, whatever its case. STORE_E_NOT_FOUND. */
int domain_id(struct store_conn *c, struct span name, int64_t *ret_id) MUST_CHECK;

/* STORE_E_NOT_FOUND before the first start has made it. */
int domain_main_id(struct store_conn *c, int64_t *ret_id) MUST_CHECK;

/* Of a login name, which is cut to its local part: the main domain's where it has none. */
int domain_of_login(struct store_conn *c, struct span *login, int64_t *ret_id) MUST_CHECK;

/* Whether an account or alias has the local part, which is in the form of name_local. */
int local_is_taken(struct store_conn *c, int64_t domain, struct span local, bool *ret_taken)
	MUST_CHECK;
