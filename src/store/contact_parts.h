/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Inside store/: what cards and their certificates tell each other. */

#include "base/err.h"

#include <stdint.h>

struct contact_put;
struct store_conn;

/* The certificates that stand in a card, instead of those that stood in it before. */
int contact_certs_write(struct store_conn *c, int64_t account, int64_t contact,
	const struct contact_put *put, struct why *why) MUST_CHECK;

/* The card changed, if only by what belongs to it. STORE_E_NOT_FOUND. */
int contact_touch(struct store_conn *c, int64_t account, int64_t contact) MUST_CHECK;
