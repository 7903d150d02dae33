/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Inside store/: where the current snapshot of the settings is kept. */

#include "base/err.h"

struct settings_box;
struct store_conn;

struct settings_box *settings_box_new(void);
struct settings_box *settings_box_free(struct settings_box *box);

/* Reads the values and swaps the snapshot. */
int settings_load(struct store_conn *c) MUST_CHECK;
