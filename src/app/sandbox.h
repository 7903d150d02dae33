/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The server's confinement: no new privileges, not dumpable, Landlock to the folders it needs and
 * seccomp without what it never does. It holds for all threads, so it is entered before the first
 * is started. Folders it cannot reach: DATA/keyd and everything else that is not named here.
 */

#include "base/err.h"

#include <stdbool.h>

struct sandbox {
	const char *store;    /* read and write */
	const char *run;      /* read and write */
	const char *database; /* folder of a database elsewhere, or NULL */
};

/* After this files outside are EACCES and forbidden calls EPERM. ret_landlock is false on a kernel
 * without Landlock: seccomp and the users still hold, and the caller says so in the log. */
int sandbox_enter(const struct sandbox *s, bool *ret_landlock) MUST_CHECK;
