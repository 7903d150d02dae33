/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The objects of JSContact and their properties (RFC 9553 section 2) as tables, and the check of a
 * card against them. Pure. */

#include "base/err.h"

struct json_t;

/* Whether a value is a Card: every property that the tables know has its type, every one that must
 * be there is. SCHEMA_E_INVALID with why, which names the place. */
enum schema_outcome { SCHEMA_E_INVALID = 1 };
int schema_check_card(const struct json_t *value, struct why *why) MUST_CHECK;
