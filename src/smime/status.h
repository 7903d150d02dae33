/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* From layers to the one status of a message: private to smime/read. */
#pragma once

#include "smime/read.h"

/* Compares the signers of an errant layer with the header of the message around it. */
void status_bind_errant(const struct smime_request *request, struct smime_layer *layer,
	struct span header);

/* Compares the signers of the envelope with who the header says wrote the message; status, flags
 * and notes of the report. */
void status_find(const struct smime_request *request, struct span header,
	struct smime_report *report);
