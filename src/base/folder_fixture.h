/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

enum { FOLDER_FIXTURE_MAX = 128 };

/* For tests: makes a new empty folder below $TMPDIR, or /tmp, whose name has `name` in it, and puts
 * its path there; the test ends if that fails. The caller removes it. */
void folder_fixture(char ret_path[static FOLDER_FIXTURE_MAX], const char *name);
