/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What keys are for, by the names that RFC 5280 gives it. */

#include "base/span.h"

/* A bit of TRUST_ or PATH_ usage for "serverAuth" or its object identifier (section 4.2.1.12); a KU_
 * bit for "digitalSignature" (section 4.2.1.3). 0 if there is no such name. */
unsigned usage_extended(struct span name);
unsigned usage_key(struct span name);
