/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Inside store/: the forms in which names are compared. */

#include "base/arena.h"

#include <stdbool.h>

/* ASCII letters in lower case: domains, keywords. */
struct span name_lower(struct arena *a, struct span s);

/* A local part in lower case and NFC; as it is where it is not UTF-8. */
struct span name_local(struct arena *a, struct span s);

/* May be an account's or alias's name: UTF-8, 1 to LIMIT_LOCAL_PART octets, no white space, control
 * character, '@' or comma. */
bool name_local_is_valid(struct span s);
