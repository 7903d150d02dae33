/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Inside store/: how octets of a body are stored. The numbers are in the database. */
enum pack { PACK_NONE = 0, PACK_ZSTD = 1 };
