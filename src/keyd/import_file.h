/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The importer's parser: a key file to PKCS#8 and certificates, in this process. */

#include "keyd/import.h"

/* Outcomes are enum import_outcome, each with why. */
int import_parse(struct span file, struct span passphrase, struct imported *ret_imported,
	struct why *why) MUST_CHECK;
