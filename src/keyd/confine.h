/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What a process that holds keys gives up. */

#include "base/err.h"

#include <stdbool.h>

/* No core dump, not traceable, no new privileges; memory locked where the system allows it. */
int confine_memory(bool *ret_locked) MUST_CHECK;

/* From here on: no file is opened, no socket made, nothing executed. Descriptors that are open and
 * threads still work. Opening and the like fail with EPERM; what only an intruder does (execute,
 * trace, make sockets) ends the process. Irrevocable. */
int confine_calls(void) MUST_CHECK;
