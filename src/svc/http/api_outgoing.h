/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What the handlers of rules for connections of ours share with the probe. */

#include "svc/http/api.h"
#include "svc/outgoing.h"

/* Parameter 0 as a pattern of rules in stored form; a problem if it is none. */
int api_outgoing_pattern(struct http_request *q, struct span *ret_pattern) MUST_CHECK;

/* Parameter 0 as a destination: a domain in A-labels or an address literal; a problem if it is
 * neither. */
int api_outgoing_destination(struct http_request *q, struct span *ret_destination) MUST_CHECK;

/* What holds, key by key with the pattern it comes from, as "policy"; what may keep servers from
 * accepting the identity (NULL: none) as "warnings". */
void api_set_outgoing_policy(json_t *object, const struct outgoing_policy *p,
	const struct outgoing_identity *identity);
void api_set_outgoing_warnings(json_t *object, const struct outgoing_identity *identity);
