/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Work that nobody waits for: ticket keys rotate, unreferenced bodies are swept, memory goes back. */

#include "base/err.h"

struct env;
struct housekeeping;

int housekeeping_start(struct housekeeping **ret_housekeeping, struct env *e) MUST_CHECK;
struct housekeeping *housekeeping_stop(struct housekeeping *h);
