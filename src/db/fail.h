/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* For the drivers: every call that can fail asks first. 0: go on; else the result to fail with. */
int db_fail_next(void);
