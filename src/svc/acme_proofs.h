/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* An order's proofs: laid out where the authority looks, and taken away again. For svc/acme_order.c
 * only. */

#include "svc/acme_order.h"

/* Whether the order's challenge can prove its names here. ACME_WORK_E_FAILED with why. */
int acme_proofs_possible(const struct acme_work *w, struct why *why) MUST_CHECK;

/* Gets every authorization of the order to be valid. 0, or an outcome of acme_work_outcome. Proofs
 * stay laid out until acme_proofs_clean. */
int acme_proofs_give(struct acme_work *w, const struct acme_order *order,
	struct why *why) MUST_CHECK;

/* Takes away all that the order has laid out, also before a restart. What cannot be is logged and
 * tried again the next time. */
void acme_proofs_clean(struct acme_work *w);
