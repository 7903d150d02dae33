/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Special uses by their names (RFC 6154, RFC 8457). */

#include "base/span.h"
#include "store/mailbox.h"

/* USE_NONE for names that are unknown. Without the backslash. */
enum special_use use_find(struct span name);

/* With the backslash; NULL for USE_NONE. */
const char *use_name(enum special_use use);
