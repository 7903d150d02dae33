/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/folder_fixture.h"

#include <stdio.h>
#include <stdlib.h>

void folder_fixture(char ret_path[static FOLDER_FIXTURE_MAX], const char *name)
{
	const char *below = getenv("TMPDIR");
	int n = snprintf(ret_path, FOLDER_FIXTURE_MAX, "%s/signet-%s-XXXXXX",
		below && below[0] ? below : "/tmp", name);

	if (n < 0 || n >= FOLDER_FIXTURE_MAX || !mkdtemp(ret_path)) {
		(void)fprintf(stderr, "no folder for the test: ");
		perror(ret_path);
		abort();
	}
}
