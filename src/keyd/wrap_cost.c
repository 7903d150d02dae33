/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Alone in its file, so that a test of what is done with passwords, not of what they cost, can have
 * another (wrap_cost_cheap.c). */

#include "keyd/wrap.h"

const struct wrap_cost wrap_cost = { 17, 8, 1 };
