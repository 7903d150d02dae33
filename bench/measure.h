/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Time that passes, and that two processes work. */

#include <sys/types.h>

/* Seconds. */
double measure_now(void);

/* Seconds of a processor: of this process and of that one. */
double measure_processor(pid_t other);

/* Says that it failed, and ends. */
_Noreturn void die(const char *what);
